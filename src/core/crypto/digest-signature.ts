import { constants, createHash, type KeyObject, publicDecrypt } from "node:crypto";
import { equalBytes } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import type { KeyAlgorithm } from "./algorithms.ts";
import { type PublicKey, rawEd25519 } from "./public-key.ts";
import { verifySignature } from "./signature.ts";

export type SignedDigestAlgorithm = "sha256" | "sha384" | "sha512";

/** What a signature is over: bytes, or where those are elsewhere their digest. */
export type Signed =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "digest"; readonly algorithm: SignedDigestAlgorithm; readonly digest: Uint8Array };

/**
 * Whether the key made the signature. Where only a digest is known, and for Ed25519ph, `prepareDigests` has to have
 * loaded what verifies it.
 *
 * @throws CountersignError `bad-signature` where the digest is not the one that such a key signs.
 */
export function verifySigned(key: PublicKey, signed: Signed, signature: Uint8Array): boolean {
  if (signed.kind === "digest") return verifyDigest(key, signed.algorithm, signed.digest, signature);
  const { prehashed } = curves ?? {};
  const check = prehashed && ((data: Uint8Array, each: Uint8Array) => prehashed(each, sha512(data), key.spki));
  const prepared = key.algorithm === "ed25519" && check ? { verifyPrehashed: check, ...key } : key;
  return verifySignature(prepared, signed.bytes, signature).verified;
}

/** What each kind of key may have signed. P-384 and P-521 signed SHA-256 with older tools, see `verifySignature`. */
const DIGESTS: Readonly<Record<KeyAlgorithm, readonly SignedDigestAlgorithm[]>> = {
  "ecdsa-p256": ["sha256"],
  "ecdsa-p384": ["sha384", "sha256"],
  "ecdsa-p521": ["sha512", "sha256"],
  ed25519: ["sha512"],
  rsa: ["sha256"],
};

function verifyDigest(
  key: PublicKey,
  algorithm: SignedDigestAlgorithm,
  digest: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!DIGESTS[key.algorithm].includes(algorithm)) throw needsFile(key, algorithm);
  const verified = attempt(() => {
    if (key.algorithm === "rsa") return verifyRsa(key.keyObject, digest, signature);
    return loaded().checks[key.algorithm](signature, digest, key.spki);
  });
  // It may be a pure one, and a right one: that cannot be seen from here.
  if (!verified && key.algorithm === "ed25519" && signature.byteLength === 64) throw needsFile(key, algorithm);
  return verified;
}

function attempt(check: () => boolean): boolean {
  try {
    return check();
  } catch (error) {
    if (error instanceof CountersignError) throw error;
    return false;
  }
}

function needsFile({ algorithm: kind }: PublicKey, algorithm: SignedDigestAlgorithm): CountersignError {
  const isPure = kind === "ed25519";
  return new CountersignError("bad-signature", "the signature cannot be verified by this digest alone", {
    found: `${algorithm}, and a signature by ${isPure ? "an Ed25519 key" : kind}`,
    wanted: `${DIGESTS[kind].join(" or ")}${isPure ? " for Ed25519ph; pure Ed25519 signs the file" : ", or the file"}`,
    next: isPure
      ? "give the file itself; of one too large to be held, ask for an Ed25519ph signature"
      : "give the file itself",
  });
}

/** DigestInfo of SHA-256 up to the digest (RFC 8017, section 9.2, note 1). */
const SHA256_INFO = Buffer.from("3031300d060960864801650304020105000420", "hex");

/** RSASSA-PKCS1-v1_5 (RFC 8017, section 8.2.2): what is under the padding is this digest and nothing else. */
function verifyRsa(key: KeyObject, digest: Uint8Array, signature: Uint8Array): boolean {
  const content = publicDecrypt({ key, padding: constants.RSA_PKCS1_PADDING }, signature);
  return equalBytes(content, Buffer.concat([SHA256_INFO, digest]));
}

function sha512(data: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash("sha512").update(data).digest());
}

// --- what Node's crypto lacks -----------------------------------------------------------------------------------------

type Check = (signature: Uint8Array, digest: Uint8Array, spki: Uint8Array) => boolean;

interface Curves {
  readonly checks: Readonly<Record<Exclude<KeyAlgorithm, "rsa">, Check>>;
  /** Ed25519ph (RFC 8032, section 5.1) over a SHA-512 digest. */
  readonly prehashed: Check;
}

let curves: Curves | undefined;

/**
 * Loads ECDSA and Ed25519ph over digests. It takes longer than verifying a signature does, and images never need it: they
 * are verified by what was signed itself.
 */
export async function prepareDigests(): Promise<void> {
  curves ??= await loadCurves();
}

function loaded(): Curves {
  if (curves !== undefined) return curves;
  throw new CountersignError("internal", "what verifies signatures over digests was not loaded");
}

/** dom2 (RFC 8032, section 2) with the prehash flag and no context. */
const DOM2 = Buffer.from("SigEd25519 no Ed25519 collisions\u0001\u0000", "latin1");

async function loadCurves(): Promise<Curves> {
  const { p256, p384, p521 } = await import("@noble/curves/nist.js");
  const { ed25519 } = await import("@noble/curves/ed25519.js");
  const { eddsa } = await import("@noble/curves/abstract/edwards.js");
  // The library's own Ed25519ph hashes the message itself; here it was hashed by somebody else.
  const ed25519ph = eddsa(ed25519.Point, sha512, {
    domain: (data: Uint8Array) => new Uint8Array(Buffer.concat([DOM2, data])),
    prehash: (digest: Uint8Array) => new Uint8Array(digest),
  });
  const options = { prehash: false, lowS: false, format: "der" } as const;
  const ecdsa =
    (curve: typeof p256): Check =>
    (signature, digest, spki) =>
      // An uncompressed point ends the SubjectPublicKeyInfo (RFC 5480, section 2.2).
      curve.verify(signature, digest, spki.slice(-(curve.lengths.publicKeyUncompressed ?? 0)), options);
  const prehashed: Check = (signature, digest, spki) =>
    ed25519ph.verify(signature, digest, rawEd25519(spki), { zip215: false });
  return {
    checks: { "ecdsa-p256": ecdsa(p256), "ecdsa-p384": ecdsa(p384), "ecdsa-p521": ecdsa(p521), ed25519: prehashed },
    prehashed,
  };
}
