import { CountersignError } from "../../core/errors.ts";
import { describeJson, isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { MAX_METADATA_BYTES } from "../../core/tags/files.ts";
import type { Role } from "../../core/tags/metadata.ts";
import { type Instant, parseInstant } from "../../core/time.ts";
import { refuseSharedKeys } from "./keys.ts";

/** The four kinds of metadata; delegated roles are of the kind `targets` (TUF 1.0.34, 4). */
export type Kind = Role["kind"];

/** What one file says of another one: its version always, its size and hashes where they are given. */
export interface FileEntry {
  readonly version: number;
  readonly length: number | undefined;
  /** In hexadecimal digits, by algorithm. */
  readonly hashes: Readonly<Record<string, string>> | undefined;
}

/** Metadata that was read strictly. Nobody has looked at its signatures. */
export interface UntrustedMetadata {
  readonly kind: Kind;
  readonly version: number;
  readonly expires: Instant;
  readonly signed: JsonObject;
  /** Of a timestamp and a snapshot: the files that it lists. */
  readonly files: ReadonlyMap<string, FileEntry>;
}

export interface Reading {
  /** For messages: "the timestamp of tuf.example". */
  readonly what: string;
  /** The reason where it is malformed. */
  readonly code: ReasonCode;
  /** Names of delegated roles as TUF allows them: any text. Ours are tame (`ROLE_NAME`). */
  readonly anyRoleName?: boolean | undefined;
  /** Files that a snapshot may list; LIMITS.tufFiles where nothing is said. */
  readonly listedFiles?: number | undefined;
}

/**
 * Reads metadata before tuf-js does, and refuses what tuf-js takes in a way of its own or takes too long for: sizes and
 * counts, duplicate members, versions that are no counts, times in other forms than RFC 3339, one key under two names,
 * patterns with more than `*` and `?`, names that JavaScript has a meaning for.
 *
 * @throws CountersignError `reading.code` or `limit-reached`.
 */
export function readMetadata(bytes: Uint8Array, kind: Kind, reading: Reading): UntrustedMetadata {
  const { what, code } = reading;
  const json = parseJsonObject(bytes, { what, code, maxBytes: MAX_METADATA_BYTES[kind] });
  const reader = new Reader(reading);
  reader.signatures(json["signatures"]);
  const signed = reader.object(json["signed"], "its signed part");
  const type = reader.text(signed["_type"], "its type");
  if (type !== kind) reader.fail("is of another type", type, kind);
  reader.specVersion(signed["spec_version"]);
  const version = reader.count(signed["version"], "its version");
  const expires = reader.time(signed["expires"]);
  const files = BODIES[kind](reader, signed);
  return { kind, version, expires, signed, files };
}

const NO_FILES: ReadonlyMap<string, FileEntry> = new Map();

const BODIES: Readonly<Record<Kind, (reader: Reader, signed: JsonObject) => ReadonlyMap<string, FileEntry>>> = {
  root(reader, signed) {
    const keys = reader.keys(signed["keys"]);
    const roles = reader.object(signed["roles"], "its roles");
    for (const [name, role] of Object.entries(roles)) reader.role(role, `its role ${name}`, keys);
    const consistent = signed["consistent_snapshot"] ?? true;
    if (typeof consistent !== "boolean") reader.fail("is malformed", describeJson(consistent), "true or false");
    return NO_FILES;
  },
  timestamp: (reader, signed) => reader.files(signed["meta"]),
  snapshot: (reader, signed) => reader.files(signed["meta"]),
  targets(reader, signed) {
    reader.targets(signed["targets"]);
    if (signed["delegations"] !== undefined) reader.delegations(signed["delegations"]);
    return NO_FILES;
  },
};

const HASHES = { sha256: /^[0-9a-f]{64}$/, sha512: /^[0-9a-f]{128}$/ } as const;
/** Starts with a letter: JavaScript puts names that are numbers first, and order is priority. No separators, no case. */
const ROLE_NAME = /^[a-z][a-z0-9._-]{0,127}$/;
/** Literals, `*` and `?`. tuf-js hands patterns to minimatch, where all of these mean something (and a first `#` or `!`). */
const ODD_PATTERN = /^[#!]|[[\]{}()\\]/;

class Reader {
  readonly #reading: Reading;

  constructor(reading: Reading) {
    this.#reading = reading;
  }

  fail(message: string, found: string, wanted: string): never {
    throw new CountersignError(this.#reading.code, `${this.#reading.what} ${message}`, { found, wanted });
  }

  object(value: JsonValue | undefined, where: string): JsonObject {
    return isObject(value) ? value : this.fail("is malformed", `${where}: ${describeJson(value)}`, "an object");
  }

  text(value: JsonValue | undefined, where: string): string {
    return typeof value === "string"
      ? value
      : this.fail("is malformed", `${where}: ${describeJson(value)}`, "a string");
  }

  count(value: JsonValue | undefined, where: string, least = 1): number {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    return this.fail("is malformed", `${where}: ${describeJson(value)}`, `a whole number from ${least}`);
  }

  list(value: JsonValue | undefined, where: string, max: number): readonly JsonValue[] {
    if (!Array.isArray(value)) this.fail("is malformed", `${where}: ${describeJson(value)}`, "a list");
    this.#bound(value.length, where, max);
    return value;
  }

  #texts(value: JsonValue | undefined, where: string, max: number): readonly string[] {
    return this.list(value, where, max).map((item) => this.text(item, where));
  }

  #entries(value: JsonValue | undefined, where: string, max: number): readonly (readonly [string, JsonValue])[] {
    const entries = Object.entries(this.object(value, where));
    this.#bound(entries.length, where, max);
    return entries;
  }

  #bound(count: number, where: string, max: number): void {
    if (count <= max) return;
    throw new CountersignError("limit-reached", `${this.#reading.what} lists more than will be read`, {
      found: `${where}: ${count} entries`,
      wanted: `at most ${max}`,
    });
  }

  /** tuf-js takes any list of numbers; only the major version decides (TUF 1.0.34, 4.3). */
  specVersion(value: JsonValue | undefined): void {
    const version = this.text(value, "its spec_version");
    if (!/^1(?:\.[0-9]{1,9}){1,2}$/.test(version)) this.fail("is of another version of TUF", version, "1.0");
  }

  time(value: JsonValue | undefined): Instant {
    const text = this.text(value, "its expiry");
    const at = parseInstant(text);
    if (at !== undefined) return at;
    return this.fail("has an expiry that is no time", text, "RFC 3339, such as 2030-01-31T12:00:00Z");
  }

  /** One signature a key: "the keyid MUST be unique in the signatures array" (TUF 1.0.34, 4.2.1). */
  signatures(value: JsonValue | undefined): void {
    const ids = this.list(value, "its signatures", LIMITS.tufSignatures).map((item) => {
      const signature = this.object(item, "a signature");
      this.text(signature["sig"], "a signature's value");
      return this.text(signature["keyid"], "a signature's key id");
    });
    this.#distinct(ids, "two signatures by one key id", "one signature for each key");
    for (const id of ids) this.#notInherited(id, "a signature's key id");
  }

  /** The keys by their ids. */
  keys(value: JsonValue | undefined): ReadonlyMap<string, JsonObject> {
    const keys = this.#entries(value, "its keys", LIMITS.tufKeys).map(([id, item]): [string, JsonObject] => {
      const key = this.object(item, "a key");
      this.text(key["keytype"], "a key's type");
      this.text(key["scheme"], "a key's scheme");
      this.text(this.object(key["keyval"], "a key's value")["public"], "a public key");
      return [id, key];
    });
    return new Map(keys);
  }

  /** Whose signatures a role needs, and how many of them. */
  role(value: JsonValue | undefined, where: string, keys: ReadonlyMap<string, JsonObject>): JsonObject {
    const role = this.object(value, where);
    const ids = this.#texts(role["keyids"], `the keys of ${where}`, LIMITS.tufKeys);
    this.count(role["threshold"], `the threshold of ${where}`);
    this.#distinct(ids, `${where} lists a key twice`, "each key once");
    const known = ids.map((id) => keys.get(id)).filter((key) => key !== undefined);
    refuseSharedKeys(known, (found) => this.fail("counts one key twice", `${where}: ${found}`, "distinct keys"));
    return role;
  }

  files(value: JsonValue | undefined): ReadonlyMap<string, FileEntry> {
    const most = this.#reading.listedFiles ?? LIMITS.tufFiles;
    return new Map(
      this.#entries(value, "its files", most).map(([name, item]): [string, FileEntry] => {
        const entry = this.object(item, name);
        const length = entry["length"];
        return [
          name,
          {
            version: this.count(entry["version"], `the version of ${name}`),
            length: length === undefined ? undefined : this.count(length, `the length of ${name}`, 0),
            hashes: entry["hashes"] === undefined ? undefined : this.#hashes(entry["hashes"], name),
          },
        ];
      }),
    );
  }

  targets(value: JsonValue | undefined): void {
    for (const [name, item] of this.#entries(value, "its targets", LIMITS.tufFiles)) {
      const target = this.object(item, `the target ${name}`);
      this.count(target["length"], `the length of ${name}`, 0);
      this.#hashes(target["hashes"], name);
    }
  }

  /** At least one hash that proves something: tuf-js takes no hash at all for a match. */
  #hashes(value: JsonValue | undefined, name: string): Readonly<Record<string, string>> {
    const hashes = Object.entries(this.object(value, `the hashes of ${name}`)).map(([algorithm, hash]) => {
      const text = this.text(hash, `a hash of ${name}`);
      const form = algorithm === "sha256" || algorithm === "sha512" ? HASHES[algorithm] : undefined;
      if (form?.test(text) === false) this.fail("is malformed", `${algorithm} of ${name}: ${text}`, String(form));
      return [algorithm, text] as const;
    });
    if (hashes.some(([algorithm]) => Object.hasOwn(HASHES, algorithm))) return Object.fromEntries(hashes);
    const found = hashes.map(([algorithm]) => algorithm).join(", ") || "no hash";
    return this.fail("lacks a hash", `${name}: ${found}`, "sha256 or sha512");
  }

  delegations(value: JsonValue | undefined): void {
    const delegations = this.object(value, "its delegations");
    const keys = this.keys(delegations["keys"]);
    const { roles, succinct_roles: bins } = delegations;
    if (roles !== undefined && bins !== undefined) {
      this.fail("delegates in two ways", "roles and succinct_roles", "one of them");
    }
    if (bins !== undefined) this.#bins(bins, keys);
    if (roles === undefined) return;
    const names = this.list(roles, "its delegated roles", LIMITS.tufDelegations).map((role) =>
      this.#delegation(role, keys),
    );
    this.#distinct(names, "two delegated roles of one name", "distinct names");
  }

  /** Hash bins (TAP 15). */
  #bins(value: JsonValue, keys: ReadonlyMap<string, JsonObject>): void {
    const bins = this.role(value, "its hash bins", keys);
    if (this.count(bins["bit_length"], "the bit length of its hash bins") > 32) {
      this.fail("is malformed", "a bit length above 32", "1 to 32");
    }
    this.#roleName(`${this.text(bins["name_prefix"], "the prefix of its hash bins")}-0`);
  }

  #delegation(value: JsonValue, keys: ReadonlyMap<string, JsonObject>): string {
    const role = this.role(value, "a delegated role", keys);
    const name = this.text(role["name"], "the name of a delegated role");
    this.#roleName(name);
    const { terminating, paths, path_hash_prefixes: prefixes } = role;
    if (typeof terminating !== "boolean") {
      this.fail("is malformed", `terminating: ${describeJson(terminating)}`, "true or false");
    }
    if (paths !== undefined && prefixes !== undefined) {
      this.fail("delegates in two ways", "paths and path_hash_prefixes", "one of them");
    }
    for (const pattern of paths === undefined ? [] : this.#texts(paths, "delegated paths", LIMITS.tufPatterns)) {
      if (ODD_PATTERN.test(pattern)) {
        this.fail("has a pattern that clients read differently", pattern, "literals, * and ?");
      }
    }
    for (const prefix of prefixes === undefined ? [] : this.#texts(prefixes, "hash prefixes", LIMITS.tufPatterns)) {
      if (!/^[0-9a-f]{1,64}$/.test(prefix)) this.fail("is malformed", `hash prefix ${prefix}`, "hexadecimal digits");
    }
    return name;
  }

  #roleName(name: string): void {
    this.#notInherited(name, "a delegated role");
    if (this.#reading.anyRoleName === true ? !/^[0-9]+$/.test(name) : ROLE_NAME.test(name)) return;
    this.fail("delegates to a role whose name cannot be used", name, "lower-case letters, digits and ._-");
  }

  /** `constructor`, `toString`: tuf-js looks names up in plain objects, which have these from birth. */
  #notInherited(name: string, where: string): void {
    if (name in Object.prototype) this.fail("is malformed", `${where}: ${name}`, "another name");
  }

  #distinct(names: readonly string[], found: string, wanted: string): void {
    if (new Set(names).size !== names.length) this.fail("is malformed", found, wanted);
  }
}
