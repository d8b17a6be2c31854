import { encodeHex } from "../bytes.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import { type DctKey, type DctSignature, readDctKey } from "./keys.ts";
import { base64Of, listOf, malformed, objectOf, tableOf, textOf, timeOf, wholeNumberOf } from "./members.ts";

/**
 * Metadata of Docker Content Trust as Notary writes it (tuf/data): TUF before 1.0. `_type` begins with a capital letter, there
 * is no `spec_version`, the snapshot lists hashes and no versions, and root keys are certificates.
 */
export interface DctFile<Body> {
  readonly body: Body;
  readonly version: number;
  readonly expires: Instant;
  readonly signed: JsonObject;
  readonly signatures: readonly DctSignature[];
  readonly bytes: Uint8Array;
}

export interface DctRoleKeys {
  readonly keyIds: readonly string[];
  readonly threshold: number;
}

export interface DctRoot {
  readonly keys: ReadonlyMap<string, DctKey>;
  readonly roles: Readonly<Record<DctTopLevel, DctRoleKeys>>;
}

export const DCT_TOP_LEVEL = ["root", "targets", "snapshot", "timestamp"] as const;
export type DctTopLevel = (typeof DCT_TOP_LEVEL)[number];

/** Names become addresses and paths: no segment is empty or made of dots. */
const BELOW_TARGETS = /^targets(?:\/(?!\.+(?:\/|$))[-a-z0-9._]+)+$/;

function isBelowTargets(name: string): boolean {
  return name.length < 256 && BELOW_TARGETS.test(name);
}

function isRoleName(name: string): boolean {
  return (DCT_TOP_LEVEL as readonly string[]).includes(name) || isBelowTargets(name);
}

/** Length and hash of a file, by the name of its role: `targets/releases`. */
export interface DctListed {
  readonly length: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export type DctListing = ReadonlyMap<string, DctListed>;

/** What a role says a tag means. */
export interface DctTarget {
  readonly digest: Digest;
  readonly length: number;
}

export interface DctDelegation extends DctRoleKeys {
  /** `targets/alice` */
  readonly name: string;
  /** Beginnings of the tags it may sign; an empty text is all of them. */
  readonly paths: readonly string[];
}

export interface DctTargets {
  readonly targets: ReadonlyMap<string, DctTarget>;
  readonly keys: ReadonlyMap<string, DctKey>;
  readonly delegations: readonly DctDelegation[];
}

/** @throws CountersignError `metadata-malformed`, `keyid-mismatch`, `limit-reached`, `key-weak`. */
export function readDctRoot(bytes: Uint8Array, what = "root.json"): DctFile<DctRoot> {
  return readFile(bytes, "Root", what, (signed) => {
    const keys = readKeys(signed["keys"], what);
    const roles = objectOf(signed["roles"], "roles", what);
    const role = (name: DctTopLevel): DctRoleKeys => readRoleKeys(objectOf(roles[name], name, what), keys, name, what);
    return {
      keys,
      roles: {
        root: role("root"),
        targets: role("targets"),
        snapshot: role("snapshot"),
        timestamp: role("timestamp"),
      },
    };
  });
}

/** @throws CountersignError as `readDctRoot`. */
export function readDctTimestamp(bytes: Uint8Array): DctFile<DctListing> {
  return readFile(bytes, "Timestamp", "timestamp.json", (signed) => readListing(signed, "timestamp.json"));
}

/** @throws CountersignError as `readDctRoot`. */
export function readDctSnapshot(bytes: Uint8Array): DctFile<DctListing> {
  return readFile(bytes, "Snapshot", "snapshot.json", (signed) => readListing(signed, "snapshot.json"));
}

/** `targets`, or a role below it. @throws CountersignError as `readDctRoot`. */
export function readDctTargets(bytes: Uint8Array, role: string): DctFile<DctTargets> {
  const what = `${role}.json`;
  return readFile(bytes, "Targets", what, (signed) => {
    const delegations = objectOf(signed["delegations"] ?? {}, "delegations", what);
    const keys = readKeys(delegations["keys"] ?? {}, what);
    const roles = listOf(delegations["roles"] ?? [], "roles", LIMITS.dctRoles, what);
    return {
      targets: readTargets(signed["targets"], what),
      keys,
      delegations: roles.map((value) => readDelegation(value, keys, what)),
    };
  });
}

function readFile<Body>(
  bytes: Uint8Array,
  type: string,
  what: string,
  readBody: (signed: JsonObject) => Body,
): DctFile<Body> {
  const json = parseJsonObject(bytes, { what, code: "metadata-malformed", maxBytes: LIMITS.dctFileBytes });
  const signed = objectOf(json["signed"], "signed", what);
  if (signed["_type"] !== type) throw malformed(what, `type ${textOf(signed["_type"], "_type", what)}`, `type ${type}`);
  return {
    body: readBody(signed),
    version: wholeNumberOf(signed["version"], "version", 1, what),
    expires: timeOf(signed["expires"], "expires", what),
    signed,
    signatures: listOf(json["signatures"], "signatures", LIMITS.tufSignatures, what).map((value) =>
      readSignature(value, what),
    ),
    bytes,
  };
}

function readSignature(value: JsonValue, what: string): DctSignature {
  const json = objectOf(value, "a signature", what);
  return {
    keyId: textOf(json["keyid"], "keyid", what),
    method: textOf(json["method"], "method", what),
    signature: base64Of(json["sig"], "sig", what),
  };
}

function readKeys(value: JsonValue | undefined, what: string): ReadonlyMap<string, DctKey> {
  return new Map(tableOf(value, "keys", LIMITS.dctKeys, what).map(([id, key]) => [id, readDctKey(id, key, what)]));
}

/** Notary never made a threshold above 1; one that asks for more is held to it. */
function readRoleKeys(json: JsonObject, keys: ReadonlyMap<string, DctKey>, role: string, what: string): DctRoleKeys {
  const keyIds = listOf(json["keyids"], "keyids", LIMITS.dctKeys, what).map((id) => textOf(id, "a key id", what));
  const missing = keyIds.find((id) => !keys.has(id));
  if (missing !== undefined) throw malformed(what, `key ${missing} of ${role} is not in it`, "all the keys it names");
  return { keyIds, threshold: wholeNumberOf(json["threshold"], "threshold", 1, what) };
}

function readListing(signed: JsonObject, what: string): DctListing {
  const files = tableOf(signed["meta"], "meta", LIMITS.dctRoles, what);
  const stranger = files.find(([name]) => !isRoleName(name));
  if (stranger !== undefined) throw malformed(what, `a file called ${stranger[0]}`, "the name of a role");
  return new Map(files.map(([name, value]) => [name, readListed(value, name, what)]));
}

/** Notary lists SHA-256 always, and SHA-512 beside it. */
function readListed(value: JsonValue, name: string, what: string): DctListed {
  const json = objectOf(value, name, what);
  const hash = base64Of(objectOf(json["hashes"], "hashes", what)["sha256"], `sha256 of ${name}`, what);
  if (hash.byteLength !== SHA256_BYTES) throw malformed(what, `a hash of ${hash.byteLength} bytes`, "32 bytes");
  return { length: wholeNumberOf(json["length"], `length of ${name}`, 0, what), sha256: encodeHex(hash) };
}

const SHA256_BYTES = 32;

function readTargets(value: JsonValue | undefined, what: string): ReadonlyMap<string, DctTarget> {
  const targets = tableOf(value, "targets", LIMITS.dctTags, what);
  return new Map(
    targets.map(([name, target]) => {
      const { length, sha256 } = readListed(target, name, what);
      return [name, { length, digest: parseDigest(`sha256:${sha256}`) }];
    }),
  );
}

function readDelegation(value: JsonValue, keys: ReadonlyMap<string, DctKey>, what: string): DctDelegation {
  const json = objectOf(value, "a role", what);
  const name = textOf(json["name"], "the name of a role", what);
  if (!isBelowTargets(name)) throw malformed(what, `a role called ${name}`, "a name below targets/");
  const paths = listOf(json["paths"] ?? [], "paths", LIMITS.tufPatterns, what).map((path) =>
    textOf(path, "a path", what),
  );
  return { name, paths, ...readRoleKeys(json, keys, name, what) };
}
