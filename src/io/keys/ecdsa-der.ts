import { DER, encodeDer } from "../../core/crypto/der.ts";

/** A token's ECDSA signature, r and s side by side (PKCS #11, CKM_ECDSA), as RFC 3279 section 2.2.3 writes it. */
export function ecdsaToDer(raw: Uint8Array): Uint8Array {
  const half = raw.byteLength / 2;
  return encodeDer(DER.sequence, integer(raw.subarray(0, half)), integer(raw.subarray(half)));
}

/** X.690 section 8.3: the fewest bytes, the first bit clear. */
function integer(magnitude: Uint8Array): Uint8Array {
  const first = magnitude.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Uint8Array.of(0) : magnitude.subarray(first);
  return encodeDer(DER.integer, Uint8Array.from((digits[0] ?? 0) < 0x80 ? [] : [0]), digits);
}
