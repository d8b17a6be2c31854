import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import { endianness } from "node:os";
import { CountersignError } from "../../core/errors.ts";
import {
  CKA_EC_PARAMS,
  CKA_EC_POINT,
  CKA_KEY_TYPE,
  CKA_MODULUS,
  CKA_PUBLIC_EXPONENT,
  CKA_PUBLIC_KEY_INFO,
  CKA_VALUE,
  CKK_EC,
  CKK_EC_EDWARDS,
  CKK_RSA,
} from "./cryptoki.ts";

/** An attribute of one object of a token; undefined where it has none or does not show it. */
export type ReadAttribute = (type: number) => Buffer | undefined;

/**
 * The public key that an object shows: a public key, or a private one whose token shows that half with it.
 *
 * @throws CountersignError `key-invalid` or `key-weak`.
 */
export function publicKeyOfObject(read: ReadAttribute): KeyObject | undefined {
  const type = read(CKA_KEY_TYPE);
  if (type === undefined) return undefined;
  return decode(() => fromParts(readNumber(type), read) ?? fromInfo(read));
}

/** @throws CountersignError `key-invalid`. */
export function publicKeyOfCertificate(read: ReadAttribute): KeyObject | undefined {
  const der = read(CKA_VALUE);
  return der === undefined ? undefined : decode(() => new X509Certificate(der).publicKey);
}

/** A CK_ULONG as tokens hand it out: in the machine's own width and order. */
export function readNumber(bytes: Buffer): number {
  const ordered = endianness() === "LE" ? Buffer.from(bytes).reverse() : bytes;
  return Number.parseInt(ordered.toString("hex"), 16);
}

function fromParts(type: number, read: ReadAttribute): KeyObject | undefined {
  if (type === CKK_RSA) return rsa(read(CKA_MODULUS), read(CKA_PUBLIC_EXPONENT));
  if (type === CKK_EC) return elliptic(read(CKA_EC_PARAMS), read(CKA_EC_POINT));
  if (type === CKK_EC_EDWARDS) return edwards(read(CKA_EC_PARAMS), read(CKA_EC_POINT));
  throw new CountersignError("key-weak", "the key in the token is not one that is accepted", {
    found: `a key of type 0x${type.toString(16)}`,
    wanted: "ECDSA P-256, P-384 or P-521, Ed25519, or RSA",
  });
}

function fromInfo(read: ReadAttribute): KeyObject | undefined {
  const spki = read(CKA_PUBLIC_KEY_INFO);
  return spki === undefined || spki.byteLength === 0
    ? undefined
    : createPublicKey({ key: spki, format: "der", type: "spki" });
}

function rsa(modulus: Buffer | undefined, exponent: Buffer | undefined): KeyObject | undefined {
  if (!modulus?.byteLength || !exponent?.byteLength) return undefined;
  return fromJwk({ kty: "RSA", n: base64url(withoutZeros(modulus)), e: base64url(withoutZeros(exponent)) });
}

function withoutZeros(bytes: Buffer): Buffer {
  const first = bytes.findIndex((byte) => byte !== 0);
  return bytes.subarray(Math.max(first, 0));
}

interface Curve {
  readonly name: string;
  /** Bytes of one coordinate. */
  readonly size: number;
}

/** RFC 5480, section 2.1.1.1, as DER. */
const CURVES: ReadonlyMap<string, Curve> = new Map([
  ["06082a8648ce3d030107", { name: "P-256", size: 32 }],
  ["06052b81040022", { name: "P-384", size: 48 }],
  ["06052b81040023", { name: "P-521", size: 66 }],
]);

/** RFC 8410's id-Ed25519, and the name that PKCS #11 3.0 has for it. */
const ED25519: ReadonlySet<string> = new Set(["06032b6570", "130c656477617264733235353139"]);

function elliptic(parameters: Buffer | undefined, point: Buffer | undefined): KeyObject | undefined {
  if (!parameters?.byteLength || !point?.byteLength) return undefined;
  const curve = CURVES.get(parameters.toString("hex"));
  if (curve === undefined) throw otherCurve(parameters);
  const bytes = unwrap(point, 1 + 2 * curve.size);
  if (bytes?.[0] !== 0x04) throw damaged("a point that is not an uncompressed one of its curve");
  const x = base64url(bytes.subarray(1, 1 + curve.size));
  return fromJwk({ kty: "EC", crv: curve.name, x, y: base64url(bytes.subarray(1 + curve.size)) });
}

function edwards(parameters: Buffer | undefined, point: Buffer | undefined): KeyObject | undefined {
  if (!parameters?.byteLength || !point?.byteLength) return undefined;
  if (!ED25519.has(parameters.toString("hex"))) throw otherCurve(parameters);
  const bytes = unwrap(point, 32);
  if (bytes === undefined) throw damaged("a point that is not one of its curve");
  return fromJwk({ kty: "OKP", crv: "Ed25519", x: base64url(bytes) });
}

/** The standard has an OCTET STRING around the point; some tokens leave it away. The length tells. */
function unwrap(point: Buffer, size: number): Buffer | undefined {
  if (point.byteLength === size) return point;
  const header = size < 0x80 ? [0x04, size] : [0x04, 0x81, size];
  const isWrapped =
    point.byteLength === header.length + size && point.subarray(0, header.length).equals(Buffer.from(header));
  return isWrapped ? point.subarray(header.length) : undefined;
}

function fromJwk(key: Readonly<Record<string, string>>): KeyObject {
  return createPublicKey({ key, format: "jwk" });
}

function base64url(bytes: Buffer): string {
  return bytes.toString("base64url");
}

function decode<Key>(work: () => Key): Key {
  try {
    return work();
  } catch (thrown) {
    throw thrown instanceof CountersignError ? thrown : damaged("attributes that are no key", thrown);
  }
}

function otherCurve(parameters: Buffer): CountersignError {
  return new CountersignError("key-weak", "the key in the token is not one that is accepted", {
    found: `a key on the curve ${parameters.toString("hex")}`,
    wanted: "ECDSA P-256, P-384 or P-521, or Ed25519",
  });
}

function damaged(found: string, cause?: unknown): CountersignError {
  return new CountersignError("key-invalid", "the token's public key cannot be read", { found, cause });
}
