import { type PublicKey, rawEd25519 } from "./public-key.ts";

/**
 * cosign 3 signs images with Ed25519ph (RFC 8032, section 5.1) when it is given an Ed25519 key; Node's crypto has only
 * the pure form. The library that has both is loaded for such keys alone: it costs more than the rest of a verification.
 */
export async function withPrehash(key: PublicKey): Promise<PublicKey> {
  if (key.algorithm !== "ed25519") return key;
  const { ed25519ph } = await import("@noble/curves/ed25519.js");
  const raw = rawEd25519(key.spki);
  return { ...key, verifyPrehashed: (data, signature) => ed25519ph.verify(signature, data, raw, { zip215: false }) };
}
