import type { PublicKey } from "../crypto/public-key.ts";
import { verifyHashed } from "../crypto/signature.ts";
import { CountersignError } from "../errors.ts";
import { canonicalJson } from "./canonical.ts";
import type { RoleKeys, RootRole, SignedRole, TufKey } from "./metadata.ts";
import { publicKeyOf } from "./tuf-key.ts";

/** The hash that goes with the kinds of keys that sign metadata; no other counts, as with tuf-js. */
const HASHES: Readonly<Partial<Record<PublicKey["algorithm"], "sha256" | "sha384" | null>>> = {
  "ecdsa-p256": "sha256",
  "ecdsa-p384": "sha384",
  ed25519: null,
};

/** Whether the key made the signature in the way that its scheme says. Never throws. */
export function isSignedBy(key: PublicKey, content: Uint8Array, signature: Uint8Array): boolean {
  const hash = HASHES[key.algorithm];
  return hash !== undefined && verifyHashed(key.keyObject, hash, content, signature);
}

/** The ids of the role's keys that signed, each once, in the order in which the role lists them. */
export function validSignatures(
  role: Pick<SignedRole, "signed" | "signatures">,
  keys: ReadonlyMap<string, TufKey>,
  { keyids }: Pick<RoleKeys, "keyids">,
): readonly string[] {
  const content = canonicalJson(role.signed);
  const given = new Map(role.signatures.map(({ keyid, sig }) => [keyid, sig]));
  return [...new Set(keyids)].filter((id) => {
    const key = keys.get(id);
    const signature = given.get(id);
    if (key === undefined || signature === undefined) return false;
    return isSignedBy(publicKeyOf(key, `key ${id}`), content, Buffer.from(signature, "hex"));
  });
}

/** Whether enough of the role's keys signed. */
export function meetsThreshold(
  role: Pick<SignedRole, "signed" | "signatures">,
  keys: ReadonlyMap<string, TufKey>,
  roleKeys: Pick<RoleKeys, "keyids" | "threshold">,
): boolean {
  return validSignatures(role, keys, roleKeys).length >= roleKeys.threshold;
}

/** The ids of those who signed. @throws CountersignError `signature-threshold` where they are too few. */
export function requireThreshold(
  role: Pick<SignedRole, "signed" | "signatures">,
  keys: ReadonlyMap<string, TufKey>,
  roleKeys: RoleKeys,
  what: string,
): readonly string[] {
  const valid = validSignatures(role, keys, roleKeys);
  if (valid.length >= roleKeys.threshold) return valid;
  throw new CountersignError("signature-threshold", `${what} lacks valid signatures by the keys that count now`, {
    found: `${valid.length} of ${roleKeys.threshold} valid`,
    wanted: `${roleKeys.threshold} of the keys ${roleKeys.keyids.map(shortKeyId).join(", ")}`,
  });
}

/** Enough of a key's id to tell a few of them apart. */
export function shortKeyId(id: string): string {
  return id.slice(0, 12);
}

/**
 * Whether a root follows the one that is trusted: it bears the next version, and enough keys of both signed it (TUF 1.0.34,
 * 5.3.4 and 5.3.5).
 *
 * @throws CountersignError `root-version-gap`, `root-chain-broken`.
 */
export function verifyNextRoot(trusted: SignedRole<RootRole>, next: SignedRole<RootRole>): void {
  const { version } = trusted.body;
  if (next.body.version !== version + 1) {
    throw new CountersignError("root-version-gap", `no root follows version ${version}`, {
      found: `version ${next.body.version}`,
      wanted: `version ${version + 1}`,
    });
  }
  for (const by of [trusted, next]) requireLink(by, next);
}

/** A first root vouches for itself alone: its digest has to be pinned. @throws CountersignError `root-chain-broken`. */
export function verifyFirstRoot(root: SignedRole<RootRole>): void {
  requireLink(root, root);
}

function requireLink(by: SignedRole<RootRole>, root: SignedRole<RootRole>): void {
  const { keys, roles, version } = by.body;
  const valid = validSignatures(root, keys, roles.root).length;
  if (valid >= roles.root.threshold) return;
  throw new CountersignError(
    "root-chain-broken",
    `root ${root.body.version} is not signed by the keys of root ${version}`,
    {
      found: `${valid} of ${roles.root.threshold} valid`,
      wanted: `${roles.root.threshold} of the keys ${roles.root.keyids.map(shortKeyId).join(", ")}`,
    },
  );
}
