import type { JsonObject, JsonValue } from "../json.ts";
import { digestHex } from "../oci/digest.ts";
import type { InspectResult, TagInspection } from "../tags/admin-results.ts";
import { ownerOf } from "../tags/bins.ts";

/** Docker's word for who holds the repository's own key, and the signer that `trust migrate` makes of it. */
export const REPO_ADMIN = "Repo Admin";
export const REPO_ADMIN_ROLE = "repo-admin";

/** What was asked for and what is there. */
export interface InspectedReference {
  /** As it was written on the command line; Docker gives it back as `Name`. */
  readonly name: string;
  /** undefined: all tags. */
  readonly tag: string | undefined;
  readonly result: InspectResult;
}

/**
 * What `docker trust inspect` prints: one member for each reference, tags by name, revoked ones left out, since Docker had no
 * word for them. Key ids are TUF's of today: they are other ones than Notary's of the same keys.
 */
export function dctInspection(references: readonly InspectedReference[]): JsonValue {
  return references.map(({ name, tag, result }): JsonObject => {
    const tags = result.tags.filter(({ binding }) => binding.tag !== undefined && binding.revoked === undefined);
    const shown = tags.filter(({ binding }) => tag === undefined || binding.tag === tag);
    return {
      Name: name,
      SignedTags: shown.map(signedTag).sort(byMember("SignedTag")),
      Signers: result.signers
        .filter((signer) => signer.name !== REPO_ADMIN_ROLE)
        .map((signer) => ({ Name: signer.name, Keys: keys(signer.keyIds) }))
        .sort(byMember("Name")),
      AdministrativeKeys: [
        { Name: "Root", Keys: keys(keyIdsOf(result, "root")) },
        { Name: "Repository", Keys: keys(keyIdsOf(result, "targets")) },
      ],
    };
  });
}

function signedTag({ binding, role, shadowed }: TagInspection): JsonObject & { readonly SignedTag: string } {
  const roles = [role, ...shadowed.filter(({ digest }) => digest === binding.digest).map((other) => other.role)];
  const signers = roles.map(ownerOf).filter((name) => name !== "targets" && name !== REPO_ADMIN_ROLE);
  return {
    SignedTag: binding.tag ?? "",
    Digest: digestHex(binding.digest),
    Signers: signers.length === 0 ? [REPO_ADMIN] : [...new Set(signers)].sort(),
  };
}

function keyIdsOf({ roles }: InspectResult, name: string): readonly string[] {
  return roles.find((role) => role.name === name)?.keyIds ?? [];
}

function keys(ids: readonly string[]): readonly JsonObject[] {
  return ids.map((ID) => ({ ID }));
}

function byMember(name: string): (a: JsonObject, b: JsonObject) => number {
  return (a, b) => (String(a[name]) < String(b[name]) ? -1 : 1);
}
