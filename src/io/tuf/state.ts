import { decodeBase64, encodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { describeJson, isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { formatInstant, type Instant, parseInstant } from "../../core/time.ts";

/**
 * What is kept of a repository between two runs. All of it is in one file, so that there is one state or the other and no
 * mixture. Nothing in it is believed: every use verifies it again, from the start root on.
 */
export interface StoredState {
  /** When the repository last confirmed that this is how it stands. */
  readonly refreshedAt: Instant;
  /** One version after the other, the first one that a run started from. */
  readonly roots: readonly Uint8Array[];
  /** The other roles. */
  readonly metadata: ReadonlyMap<string, Uint8Array>;
  /** Targets by their paths. */
  readonly targets: ReadonlyMap<string, Uint8Array>;
}

const FORMAT = 1;

export function formatState(location: string, state: StoredState): Uint8Array {
  return encodeUtf8(JSON.stringify(stateJson(location, state)));
}

export function stateJson(location: string, state: StoredState): JsonObject {
  const { refreshedAt, roots, metadata, targets } = state;
  return {
    format: FORMAT,
    location,
    refreshedAt: formatInstant(refreshedAt),
    roots: roots.map(encodeBase64),
    metadata: formatMap(metadata),
    targets: formatMap(targets),
  };
}

/** @throws CountersignError `disk-error` for a file that was not written here, or was damaged since. */
export function parseState(location: string, bytes: Uint8Array): StoredState {
  const what = "what is kept of the trust repository";
  return readState(location, parseJsonObject(bytes, { what, code: "disk-error", maxBytes: LIMITS.tufStateBytes }));
}

/** @throws as `parseState`. */
export function readState(location: string, json: JsonObject): StoredState {
  if (json["format"] !== FORMAT || json["location"] !== location) throw damaged(describeJson(json["location"]));
  return {
    refreshedAt: readTime(json["refreshedAt"]),
    roots: readList(json, "roots").map(readBytes),
    metadata: readMap(json, "metadata"),
    targets: readMap(json, "targets"),
  };
}

/** Names are values here and not members: they are anybody's. */
function formatMap(map: ReadonlyMap<string, Uint8Array>): readonly (readonly [string, string])[] {
  return [...map].map(([name, bytes]) => [name, encodeBase64(bytes)]);
}

function readMap(json: JsonObject, name: string): ReadonlyMap<string, Uint8Array> {
  return new Map(
    readList(json, name).map((pair): [string, Uint8Array] => {
      const [key, bytes] = Array.isArray(pair) ? (pair as readonly JsonValue[]) : [];
      if (typeof key !== "string") throw damaged(`a name in ${name}`);
      return [key, readBytes(bytes)];
    }),
  );
}

function readList(json: JsonObject, name: string): readonly JsonValue[] {
  const value = json[name];
  if (!Array.isArray(value)) throw damaged(name);
  return value as readonly JsonValue[];
}

export function readBytes(value: JsonValue | undefined): Uint8Array {
  const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
  if (bytes === undefined) throw damaged("not base64");
  return bytes;
}

export function readTime(value: JsonValue | undefined): Instant {
  const at = typeof value === "string" ? parseInstant(value) : undefined;
  if (at !== undefined) return at;
  throw damaged("refreshedAt");
}

function damaged(found: string): CountersignError {
  return new CountersignError("disk-error", "what is kept of the trust repository is damaged", { found });
}

// --- marks ------------------------------------------------------------------------------------------------------------

/** How far a role was seen. */
export interface Mark {
  readonly version: number;
  /** Of what is signed, however often: another content under the same version is a fork. */
  readonly content: string;
}

/**
 * How far a repository was seen, kept apart from the cache: who clears the cache, or puts back an older one, does not open
 * the way back for the repository.
 */
export interface Marks {
  readonly roles: ReadonlyMap<MarkedRole, Mark>;
  /**
   * Whose signatures the timestamp and the snapshot needed. With new keys, versions may start again: that is how a
   * repository recovers from a thief who had the old ones and counted far ahead (TUF 1.0.34, 5.3.11).
   */
  readonly freshnessKeys: string;
}

export const MARKED_ROLES = ["root", "timestamp", "snapshot", "targets"] as const;
export type MarkedRole = (typeof MARKED_ROLES)[number];

export function formatMarks(location: string, marks: Marks): Uint8Array {
  return encodeUtf8(JSON.stringify(marksJson(location, marks)));
}

export function marksJson(location: string, { roles, freshnessKeys }: Marks): JsonObject {
  const versions = [...roles].map(([role, { version, content }]) => [role, { version, content }] as const);
  return { format: FORMAT, location, freshnessKeys, roles: Object.fromEntries(versions) };
}

/** @throws CountersignError `disk-error` for a file that was not written here, or was damaged since. */
export function parseMarks(location: string, bytes: Uint8Array): Marks {
  const options = { what: VERSIONS_SEEN, code: "disk-error", maxBytes: LIMITS.tufMarksBytes } as const;
  return readMarks(location, parseJsonObject(bytes, options));
}

const VERSIONS_SEEN = "the record of the versions seen";

/** @throws as `parseMarks`. */
export function readMarks(location: string, json: JsonObject): Marks {
  const { format, location: written, freshnessKeys, roles } = json;
  if (format !== FORMAT || written !== location || typeof freshnessKeys !== "string" || !isObject(roles)) {
    throw new CountersignError("disk-error", `${VERSIONS_SEEN} is damaged`, { found: describeJson(written) });
  }
  const marks = MARKED_ROLES.flatMap((role): [MarkedRole, Mark][] => {
    const mark = roles[role];
    if (!isObject(mark)) return [];
    const { version, content } = mark;
    if (typeof version === "number" && typeof content === "string") return [[role, { version, content }]];
    throw new CountersignError("disk-error", `${VERSIONS_SEEN} is damaged`, { found: role });
  });
  return { freshnessKeys, roles: new Map(marks) };
}
