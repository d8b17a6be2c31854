import { createHash } from "node:crypto";
import { encodeHex } from "../bytes.ts";
import { type PublicKey, publicKeyPem } from "../crypto/public-key.ts";
import { verifyHashed } from "../crypto/signature.ts";
import { CountersignError } from "../errors.ts";
import type { Signer } from "../ports.ts";
import { canonicalJson } from "../tags/canonical.ts";
import type { RootRole, SignedRole } from "../tags/metadata.ts";
import { keyIdOf, tufKeyOf } from "../tags/tuf-key.ts";
import { isSignedBy } from "../tags/verify-role.ts";
import { rootPart } from "../tags/write.ts";
import type { DctKey } from "./keys.ts";
import type { DctRoot } from "./roles.ts";
import { rootKeysFor } from "./roots.ts";

/**
 * Who trusted the root of Docker Content Trust goes over without a leap of faith: the old root's key signs root 1 of the new
 * signed tags, as one more signature of that file (docs/docker-content-trust.md, "Continuity"). TUF's clients pass over signatures
 * by keys that a root does not list. Neither system takes what was signed for the other: their roots differ in `_type`.
 */

/** The id under which an old root's key signs the new root: TUF's own, also for RSA, which signs nothing else there. */
export function continuityKeyId(key: PublicKey): string {
  if (key.algorithm !== "rsa" && key.algorithm !== "ecdsa-p521") return keyIdOf(tufKeyOf(key));
  const scheme = key.algorithm === "rsa" ? "rsa-pkcs1v15-sha256" : "ecdsa-sha2-nistp521";
  const keytype = key.algorithm === "rsa" ? "rsa" : "ecdsa";
  const json = canonicalJson({ keytype, scheme, keyval: { public: publicKeyPem(key) } });
  return createHash("sha256").update(json).digest("hex");
}

/** The signatures by which old keys vouch for a root, to be kept beside its own. @throws CountersignError `key-unavailable`. */
export async function vouchFor(root: RootRole, keys: readonly Signer[]): Promise<SignedRole["signatures"]> {
  const content = canonicalJson(rootPart(root));
  return await Promise.all(keys.map((key) => vouch(key, content)));
}

async function vouch(signer: Signer, content: Uint8Array): Promise<SignedRole["signatures"][number]> {
  const { publicKey } = signer;
  const signature = await signer.sign(content);
  if (isVouching(publicKey, content, signature)) {
    return { keyid: continuityKeyId(publicKey), sig: encodeHex(signature) };
  }
  throw new CountersignError("key-unavailable", `${publicKey.label} made a signature that does not verify`, {
    wanted: "a signature with the hash that goes with the key",
  });
}

/**
 * The keys of the old root that signed the new one. Only a first root can be vouched for: every later one follows from it.
 *
 * @throws CountersignError `root-of-another`, `pin-mismatch` where too few of the old keys signed it.
 */
export function requireContinuity(old: DctRoot, gun: string, root: SignedRole<RootRole>): readonly DctKey[] {
  const keys = [...rootKeysFor(old, gun).values()];
  const { profile, version } = root.body;
  if (profile.gun !== gun) {
    throw new CountersignError("root-of-another", "the signed tags are for another repository than the old root", {
      found: profile.gun,
      wanted: gun,
    });
  }
  const vouching = version === 1 ? distinct(keys.filter((key) => hasSigned(key.key, root))) : [];
  if (vouching.length >= old.roles.root.threshold) return vouching;
  throw new CountersignError("pin-mismatch", "the old root of Docker Content Trust does not vouch for the new one", {
    found: `${vouching.length} signatures by its keys on root ${version}`,
    wanted: `${old.roles.root.threshold}, by ${keys.map(({ id }) => id.slice(0, 12)).join(", ")}`,
    next: "ask the publisher on another way for the digest of root 1, and pin that: countersign trust pin --root-checksum",
  });
}

function hasSigned(key: PublicKey, { signed, signatures }: SignedRole<RootRole>): boolean {
  const keyId = continuityKeyId(key);
  const found = signatures.find(({ keyid }) => keyid === keyId);
  if (found === undefined) return false;
  return isVouching(key, canonicalJson(signed), Buffer.from(found.sig, "hex"));
}

function isVouching(key: PublicKey, content: Uint8Array, signature: Uint8Array): boolean {
  if (key.algorithm === "rsa") return verifyHashed(key.keyObject, "sha256", content, signature);
  if (key.algorithm === "ecdsa-p521") return verifyHashed(key.keyObject, "sha512", content, signature);
  return isSignedBy(key, content, signature);
}

function distinct(keys: readonly DctKey[]): readonly DctKey[] {
  return [...new Map(keys.map((key) => [key.key.fingerprint, key])).values()];
}
