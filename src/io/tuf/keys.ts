import { createPublicKey, ECDH } from "node:crypto";
import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";

/**
 * Two key ids for one key would let one signer make up a threshold of two: tuf-js counts ids and does not compute them
 * again (nor can we: those of Sigstore's repositories are no hash of the key as it is written now).
 */
export function refuseSharedKeys(keys: readonly JsonObject[], refuse: (found: string) => never): void {
  const seen = new Set<string>();
  for (const key of keys) {
    const material = keyMaterial(key);
    if (seen.has(material)) refuse(`one ${String(key["keytype"])} key under two ids`);
    seen.add(material);
  }
}

/** The key itself, the same for every way to write it; what is not understood stands for itself, since it verifies nothing. */
function keyMaterial(key: JsonObject): string {
  const value = isObject(key["keyval"]) ? key["keyval"]["public"] : undefined;
  const text = textOf(value).trim();
  try {
    return text.startsWith("-----BEGIN ") ? fromPem(text) : fromHex(textOf(key["scheme"]), text);
  } catch {
    return text;
  }
}

function textOf(value: JsonValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function fromPem(text: string): string {
  const { crv, x, y, n, e } = createPublicKey(text).export({ format: "jwk" });
  return [crv, x, y, n, e].join(" ");
}

const CURVES: Readonly<Record<string, readonly [openssl: string, jwk: string]>> = {
  "ecdsa-sha2-nistp256": ["prime256v1", "P-256"],
  "ecdsa-sha2-nistp384": ["secp384r1", "P-384"],
};

/** The raw form of a key in hexadecimal digits: a point, compressed or not, or an Ed25519 key. */
function fromHex(scheme: string, text: string): string {
  const [curve, name] = CURVES[scheme] ?? [];
  const hex = text.toLowerCase();
  if (curve === undefined) return jwkOf("Ed25519", Buffer.from(hex, "hex"), undefined);
  const point = Buffer.from(String(ECDH.convertKey(hex, curve, "hex", "hex", "uncompressed")), "hex");
  const size = (point.byteLength - 1) / 2;
  return jwkOf(name, point.subarray(1, 1 + size), point.subarray(1 + size));
}

function jwkOf(crv: string | undefined, x: Buffer, y: Buffer | undefined): string {
  return [crv, x.toString("base64url"), y?.toString("base64url"), undefined, undefined].join(" ");
}
