import { CountersignError } from "../../core/errors.ts";
import type { RoleKeys, RootRole } from "../../core/tags/metadata.ts";
import type { RoleKeyring, TrustView } from "../../core/tags/ports.ts";
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

/** The root that counts. */
export function rootOf({ roots }: Pick<TrustView, "roots">): RootRole {
  const root = roots.at(-1);
  if (root === undefined) throw new CountersignError("internal", "trust without a root");
  return root.body;
}
