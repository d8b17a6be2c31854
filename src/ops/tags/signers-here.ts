import type { RoleKeys } from "../../core/tags/metadata.ts";
import type { RoleKeyring, TrustView } from "../../core/tags/ports.ts";
import { newestRoot } from "../../core/tags/view.ts";
import type { RoleSigner } from "../../core/tags/write.ts";

/** Those of a role's keys that this machine has. */
export async function signersOf(
  ring: RoleKeyring,
  { keyids }: Pick<RoleKeys, "keyids">,
): Promise<readonly RoleSigner[]> {
  const found: RoleSigner[] = [];
  // One after the other: each may ask for its passphrase.
  for (const keyId of keyids) {
    const signer = await ring.signer(keyId);
    if (signer !== undefined) found.push({ keyId, signer });
  }
  return found;
}

/**
 * The roles that bind tags and of which a key is here: `targets` while there are no signers, else the signers. A key is asked for
 * only where the role may be needed.
 *
 * @param which `all`: `targets` beside signers too, for what it bound before there were any.
 */
export async function rolesHere(
  ring: RoleKeyring,
  { roots, targets }: Pick<TrustView, "roots" | "targets">,
  isWanted: (role: string) => boolean,
  which: "signing" | "all" = "signing",
): Promise<readonly string[]> {
  const { delegations } = targets.body;
  const own = { name: "targets", ...newestRoot({ roots }).body.roles.targets };
  const here: string[] = [];
  for (const role of delegations.length === 0 || which === "all" ? [own, ...delegations] : delegations) {
    if (isWanted(role.name) && (await signersOf(ring, role)).length > 0) here.push(role.name);
  }
  return here;
}
