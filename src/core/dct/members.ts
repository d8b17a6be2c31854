import { decodeBase64 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { describeJson, isObject, type JsonObject, type JsonValue } from "../json.ts";
import { type Instant, parseInstant } from "../time.ts";

/** Readers of the members of Docker Content Trust's metadata. `where` names what holds them: "root.json". */

export function malformed(where: string, found: string, wanted: string): CountersignError {
  return new CountersignError("metadata-malformed", `${where} is not metadata of Docker Content Trust`, {
    found,
    wanted,
    next: "take the data from another place: the Notary server, or another machine's ~/.docker/trust",
  });
}

export function objectOf(value: JsonValue | undefined, name: string, where: string): JsonObject {
  if (isObject(value)) return value;
  throw malformed(where, `${name} is ${describeJson(value)}`, "an object");
}

export function listOf(value: JsonValue | undefined, name: string, most: number, where: string): readonly JsonValue[] {
  if (!Array.isArray(value)) throw malformed(where, `${name} is ${describeJson(value)}`, "a list");
  return bounded(value as readonly JsonValue[], name, most, where);
}

/** The members of an object that is a table, no more than `most`. */
export function tableOf(
  value: JsonValue | undefined,
  name: string,
  most: number,
  where: string,
): readonly (readonly [string, JsonValue])[] {
  return bounded(Object.entries(objectOf(value, name, where)), name, most, where);
}

function bounded<T>(items: readonly T[], name: string, most: number, where: string): readonly T[] {
  if (items.length <= most) return items;
  throw new CountersignError("limit-reached", `${name} of ${where} is too long`, {
    found: `${items.length} entries`,
    wanted: `at most ${most}`,
  });
}

export function textOf(value: JsonValue | undefined, name: string, where: string): string {
  if (typeof value === "string") return value;
  throw malformed(where, `${name} is ${describeJson(value)}`, "a text");
}

export function wholeNumberOf(value: JsonValue | undefined, name: string, least: number, where: string): number {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
  throw malformed(where, `${name} is ${describeJson(value)}`, `a whole number of ${least} or more`);
}

/** Go's `[]byte`: base64. */
export function base64Of(value: JsonValue | undefined, name: string, where: string): Uint8Array {
  const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
  if (bytes !== undefined && bytes.byteLength > 0) return bytes;
  throw malformed(where, `${name} is ${describeJson(value)}`, "base64");
}

/** Go's `time.Time`: RFC 3339 with up to nine digits of a second, read to the millisecond. */
export function timeOf(value: JsonValue | undefined, name: string, where: string): Instant {
  const at = typeof value === "string" ? parseInstant(value) : undefined;
  if (at !== undefined) return at;
  throw malformed(where, `${name} is ${describeJson(value)}`, "a time as RFC 3339 writes it");
}
