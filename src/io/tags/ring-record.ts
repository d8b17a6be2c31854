import { type PublicKey, parsePublicKey, publicKeyPem } from "../../core/crypto/public-key.ts";
import { CountersignError } from "../../core/errors.ts";
import { type JsonObject, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { keyIdOf, tufKeyOf } from "../../core/tags/tuf-key.ts";
import { formatInstant, type Instant, parseInstant } from "../../core/time.ts";

/** What is known of a role's key without its passphrase. */
export interface RingKey {
  readonly keyId: string;
  /** `root`, `targets`, `online` or a signer's name: what people and variables with passphrases call it. */
  readonly name: string;
  /** The repository that it was made for; undefined: any. */
  readonly gun: string | undefined;
  readonly publicKey: PublicKey;
  /** Where the private half is, as a `KEY` of the command line; undefined: in the ring. */
  readonly reference: string | undefined;
  readonly createdAt: Instant;
}

/** The JSON text beside a key. */
export function formatRingKey(key: RingKey): string {
  const record = {
    schemaVersion: 1,
    keyId: key.keyId,
    name: key.name,
    ...(key.gun !== undefined && { gun: key.gun }),
    ...(key.reference !== undefined && { reference: key.reference }),
    createdAt: formatInstant(key.createdAt),
    publicKey: publicKeyPem(key.publicKey),
  };
  return `${JSON.stringify(record, undefined, 2)}\n`;
}

/**
 * Reads it back. The key decides its id, not the record.
 *
 * @throws CountersignError `key-invalid` or `key-weak`.
 */
export function parseRingKey(bytes: Uint8Array, what: string): RingKey {
  const json = parseJsonObject(bytes, { what, code: "key-invalid", maxBytes: LIMITS.keyFileBytes });
  if (json["schemaVersion"] !== 1) throw broken(what, "schemaVersion", "1");
  const publicKey = parsePublicKey(text(json, "publicKey", what), what);
  const keyId = keyIdOf(tufKeyOf(publicKey));
  if (json["keyId"] !== keyId) throw broken(what, "keyId", `${keyId}, the id of its public key`);
  const createdAt = parseInstant(text(json, "createdAt", what));
  if (createdAt === undefined) throw broken(what, "createdAt", "a time as in RFC 3339");
  const name = text(json, "name", what);
  const [gun, reference] = [optional(json, "gun", what), optional(json, "reference", what)];
  return { keyId, name, gun, publicKey, reference, createdAt };
}

function text(json: JsonObject, member: string, what: string): string {
  const value = json[member];
  if (typeof value === "string" && value !== "") return value;
  throw broken(what, member, "a text");
}

function optional(json: JsonObject, member: string, what: string): string | undefined {
  return json[member] === undefined ? undefined : text(json, member, what);
}

function broken(what: string, member: string, wanted: string): CountersignError {
  return new CountersignError("key-invalid", `${what} does not describe a key`, {
    found: `another "${member}", or none`,
    wanted,
  });
}
