import type { PublicKey } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Members } from "./members.ts";
import type { RoleKeys, TufKey } from "./metadata.ts";
import { keyIdOf, publicKeyOf, tufKeyOf } from "./tuf-key.ts";

/**
 * Keys by their ids. Each id has to be the hash of its key and each key to be there once, however it is written: clients count
 * ids, and one key under two would make two signers of one.
 */
export function readKeys(value: JsonValue | undefined, members: Members): ReadonlyMap<string, TufKey> {
  const keys = members
    .entries(value, "keys", LIMITS.tufKeys)
    .map(([id, item]) => [id, readKey(item, members)] as const);
  const loaded = keys.map(([id, key]) => ({ id, key, material: load(key, id, members) }));
  refuseTwins(loaded, members);
  for (const { id, key, material } of loaded) {
    const wanted = keyIdOf(key);
    if (id !== wanted) members.refuse("the id of a key is not the hash of the key", id, wanted, "keyid-mismatch");
    const usual = tufKeyOf(material);
    if (usual.keyval.public !== key.keyval.public) {
      members.refuse("a key is written in an unusual way", key.keyval.public, usual.keyval.public);
    }
  }
  return new Map(keys);
}

function refuseTwins(keys: readonly { readonly id: string; readonly material: PublicKey }[], members: Members): void {
  const seen = new Map<string, string>();
  for (const { id, material } of keys) {
    const other = seen.get(material.fingerprint);
    if (other !== undefined) members.refuse("one key is listed twice", `${id} and ${other}`, "one id", "duplicate-key");
    seen.set(material.fingerprint, id);
  }
}

const SCHEMES: Readonly<Record<TufKey["scheme"], TufKey["keytype"]>> = {
  ed25519: "ed25519",
  "ecdsa-sha2-nistp256": "ecdsa",
  "ecdsa-sha2-nistp384": "ecdsa",
};

function readKey(value: JsonValue, members: Members): TufKey {
  const json = members.exactly(value, "a key", ["keytype", "scheme", "keyval"]);
  const keyval = members.exactly(json["keyval"], "a key's value", ["public"]);
  const scheme = members.text(json["scheme"], "a key's scheme");
  if (!isScheme(scheme) || json["keytype"] !== SCHEMES[scheme]) {
    return members.refuse("a kind of key that is not accepted", scheme, Object.keys(SCHEMES).join(", "));
  }
  return { keytype: SCHEMES[scheme], scheme, keyval: { public: members.text(keyval["public"], "a public key") } };
}

function isScheme(text: string): text is TufKey["scheme"] {
  return Object.hasOwn(SCHEMES, text);
}

function load(key: TufKey, id: string, members: Members): PublicKey {
  try {
    return publicKeyOf(key, `key ${id}`);
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    return members.refuse(error.message, error.found ?? "another key", error.wanted ?? key.scheme);
  }
}

/** Whose signatures a role needs: known keys, each once, and not more of them than there are. */
export function readRoleKeys(
  json: { readonly [name: string]: JsonValue },
  where: string,
  keys: ReadonlyMap<string, TufKey>,
  members: Members,
): RoleKeys {
  const keyids = members.texts(json["keyids"], `the keys of ${where}`, LIMITS.tufKeys);
  if (new Set(keyids).size !== keyids.length) {
    members.refuse(`${where} lists a key twice`, keyids.join(", "), "each key once", "duplicate-key");
  }
  const unknown = keyids.find((id) => !keys.has(id));
  if (unknown !== undefined) members.refuse(`${where} has a key that is not given`, unknown, "the id of a key in keys");
  return { keyids, threshold: members.count(json["threshold"], `the threshold of ${where}`, 1, keyids.length) };
}
