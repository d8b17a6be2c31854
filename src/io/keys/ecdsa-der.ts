/** A token's ECDSA signature, r and s side by side (PKCS #11, CKM_ECDSA), as RFC 3279 section 2.2.3 writes it. */
export function ecdsaToDer(raw: Uint8Array): Uint8Array {
  const half = raw.byteLength / 2;
  const content = Buffer.concat([integer(raw.subarray(0, half)), integer(raw.subarray(half))]);
  return Buffer.concat([Buffer.from([0x30]), length(content.byteLength), content]);
}

/** X.690 section 8.3: the fewest bytes, the first bit clear. */
function integer(magnitude: Uint8Array): Uint8Array {
  const first = magnitude.findIndex((byte) => byte !== 0);
  const digits = first < 0 ? Buffer.from([0]) : magnitude.subarray(first);
  const padding = (digits[0] ?? 0) >= 0x80 ? [0] : [];
  return Buffer.concat([Buffer.from([0x02, digits.byteLength + padding.length, ...padding]), digits]);
}

/** P-521 needs the second form; no curve here needs more. */
function length(bytes: number): Uint8Array {
  return Buffer.from(bytes < 0x80 ? [bytes] : [0x81, bytes]);
}
