import { randomBytes, type ScryptOptions, scrypt } from "node:crypto";
import { decodeBase64, encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";

/**
 * cosign's encrypted private key (go-securesystemslib, encrypted.go): PKCS#8 in a NaCl secretbox under a key that
 * scrypt derives from the password, as JSON inside a PEM block.
 */

const KEY_BYTES = 32;
const SALT_BYTES = 32;
const NONCE_BYTES = 24;

interface Cost {
  readonly N: number;
  readonly r: number;
  readonly p: number;
}

/** What is written, and what is accepted: anything else in a file could keep the machine busy for hours. */
const COST: Cost = { N: 65_536, r: 8, p: 1 };
const ACCEPTED: readonly Cost[] = [{ N: 32_768, r: 8, p: 1 }, COST, { N: 131_072, r: 8, p: 1 }];

/** The JSON text that a PEM block `ENCRYPTED SIGSTORE PRIVATE KEY` holds. */
export async function sealKey(pkcs8: Uint8Array, password: Uint8Array): Promise<Uint8Array> {
  const salt = randomBytes(SALT_BYTES);
  const nonce = randomBytes(NONCE_BYTES);
  const key = await derive(password, salt, COST);
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa.js");
  const ciphertext = xsalsa20poly1305(key, nonce).encrypt(pkcs8);
  key.fill(0);
  return encodeUtf8(
    JSON.stringify({
      kdf: { name: "scrypt", params: COST, salt: encodeBase64(salt) },
      cipher: { name: "nacl/secretbox", nonce: encodeBase64(nonce) },
      ciphertext: encodeBase64(ciphertext),
    }),
  );
}

/**
 * The PKCS#8 DER inside, or undefined where the password does not open it.
 *
 * @throws CountersignError `key-invalid` before any expensive work.
 */
export async function unsealKey(
  sealed: Uint8Array,
  password: Uint8Array,
  what: string,
): Promise<Uint8Array | undefined> {
  const { cost, salt, nonce, ciphertext } = readSealed(sealed, what);
  const key = await derive(password, salt, cost);
  const { xsalsa20poly1305 } = await import("@noble/ciphers/salsa.js");
  try {
    return xsalsa20poly1305(key, nonce).decrypt(ciphertext);
  } catch {
    return undefined;
  } finally {
    key.fill(0);
  }
}

interface Sealed {
  readonly cost: Cost;
  readonly salt: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

function readSealed(sealed: Uint8Array, what: string): Sealed {
  const json = parseJsonObject(sealed, { what, code: "key-invalid", maxBytes: LIMITS.keyFileBytes });
  const kdf = member(json["kdf"], what);
  const cipher = member(json["cipher"], what);
  if (kdf["name"] !== "scrypt") throw broken(what, `key derivation ${JSON.stringify(kdf["name"])}`, "scrypt");
  if (cipher["name"] !== "nacl/secretbox") {
    throw broken(what, `cipher ${JSON.stringify(cipher["name"])}`, "nacl/secretbox");
  }
  const nonce = bytes(cipher, "nonce", what);
  if (nonce.byteLength !== NONCE_BYTES) throw broken(what, `a nonce of ${nonce.byteLength} bytes`, `${NONCE_BYTES}`);
  return {
    cost: readCost(kdf["params"], what),
    salt: bytes(kdf, "salt", what),
    nonce,
    ciphertext: bytes(json, "ciphertext", what),
  };
}

function readCost(value: JsonValue | undefined, what: string): Cost {
  const { N, r, p } = member(value, what);
  const cost = ACCEPTED.find((accepted) => accepted.N === N && accepted.r === r && accepted.p === p);
  if (cost !== undefined) return cost;
  throw broken(what, `scrypt parameters ${JSON.stringify({ N, r, p })}`, "N 32768, 65536 or 131072 with r 8 and p 1");
}

function member(value: JsonValue | undefined, what: string): JsonObject {
  if (isObject(value)) return value;
  throw broken(what, "an incomplete description of how it is encrypted", "kdf, cipher and ciphertext");
}

function bytes(json: JsonObject, name: string, what: string): Uint8Array {
  const value = json[name];
  const decoded = typeof value === "string" ? decodeBase64(value) : undefined;
  if (decoded !== undefined) return decoded;
  throw broken(what, `no base64 in "${name}"`, "base64");
}

function broken(what: string, found: string, wanted: string): CountersignError {
  return new CountersignError("key-invalid", `${what} is not an encrypted key that can be read`, { found, wanted });
}

/** Node's default memory limit (32 MiB) is below what every accepted cost needs: 128·N·r bytes and a little. */
function derive(password: Uint8Array, salt: Uint8Array, { N, r, p }: Cost): Promise<Uint8Array> {
  const options: ScryptOptions = { N, r, p, maxmem: 128 * N * r * p + 1024 * 1024 };
  return new Promise((done, fail) => {
    scrypt(password, salt, KEY_BYTES, options, (error, key) =>
      error === null ? done(new Uint8Array(key)) : fail(error),
    );
  });
}
