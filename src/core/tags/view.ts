import { CountersignError } from "../errors.ts";
import type { RootRole, SignedRole, TargetsRole } from "./metadata.ts";
import type { TrustView } from "./ports.ts";

/** What is where in a view of trust metadata. */

/** The root that counts. */
export function newestRoot({ roots }: Pick<TrustView, "roots">): SignedRole<RootRole> {
  const root = roots.at(-1);
  if (root === undefined) throw new CountersignError("internal", "trust without a root");
  return root;
}

/** `targets`, a signer's role or a bin; undefined where it is not there. */
export function roleIn(
  { targets, roles }: Pick<TrustView, "targets" | "roles">,
  name: string,
): SignedRole<TargetsRole> | undefined {
  return name === "targets" ? targets : roles.get(name);
}

/** All of these: `targets`, then signers and bins. */
export function rolesIn({
  targets,
  roles,
}: Pick<TrustView, "targets" | "roles">): readonly (readonly [string, SignedRole<TargetsRole>])[] {
  return [["targets", targets], ...roles];
}
