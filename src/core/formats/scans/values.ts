import { CountersignError } from "../../errors.ts";
import { describeJson, isObject, type JsonObject, type JsonValue, refuseCaseVariants } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import { type Instant, parseInstant } from "../../time.ts";
import { describeValue, isPresent } from "../members.ts";

/** Readers of members of scans and VEX documents. `where` names the object in errors: "match 3 of the result". */

export function invalid(message: string, found?: string, wanted?: string): CountersignError {
  return new CountersignError("scan-invalid", message, { found, wanted });
}

export function objectIn(value: JsonValue | undefined, where: string): JsonObject {
  if (isObject(value)) return value;
  throw invalid(`${where} is not an object`, describeValue(value), "an object");
}

/** An object in which a member that is not there has a meaning: one of nearly the same name must not stand in for it. */
export function exactObjectIn(value: JsonValue | undefined, where: string, members: ReadonlySet<string>): JsonObject {
  const json = objectIn(value, where);
  refuseCaseVariants(json, members, { what: where, code: "scan-invalid", maxBytes: LIMITS.signatureBytes });
  return json;
}

/** A list that has to be there: where it is not, nothing is known, and that is not the same as an empty one. */
export function listIn(json: JsonObject, name: string, where: string, most: number): readonly JsonValue[] {
  const value = json[name];
  if (!Array.isArray(value)) throw invalid(`${where} has no list "${name}"`, describeValue(value), "a list");
  if (value.length > most) throw tooLong(name, where, value.length, most);
  return value as readonly JsonValue[];
}

/** The same, empty where it is absent or null, as Go writes an empty one. */
export function listIfAny(json: JsonObject, name: string, where: string, most: number): readonly JsonValue[] {
  return isPresent(json[name]) ? listIn(json, name, where, most) : [];
}

export function tooLong(name: string, where: string, length: number, most: number): CountersignError {
  return new CountersignError("limit-reached", `"${name}" of ${where} is too long`, {
    found: `${length} entries`,
    wanted: `at most ${most}`,
  });
}

/** A text that is not empty. */
export function textIn(json: JsonObject, name: string, where: string): string {
  const value = json[name];
  if (typeof value === "string" && value.trim() !== "") return value;
  throw invalid(`${where} has no "${name}"`, value === "" ? "an empty text" : describeValue(value), "a text");
}

/** undefined where it is absent, null or empty, as Go writes what is not set. */
export function textIfAny(json: JsonObject, name: string, where: string): string | undefined {
  const value = json[name];
  return isPresent(value) && value !== "" ? textIn(json, name, where) : undefined;
}

export function textsIfAny(json: JsonObject, name: string, where: string, most: number): readonly string[] {
  return listIfAny(json, name, where, most).map((value) => {
    if (typeof value === "string") return value;
    throw invalid(`"${name}" of ${where} holds something else than texts`, describeValue(value), "texts");
  });
}

/** A time as RFC 3339 writes it; undefined where none is given. */
export function timeIfAny(json: JsonObject, name: string, where: string): Instant | undefined {
  const value = json[name];
  if (!isPresent(value) || value === "") return undefined;
  const at = typeof value === "string" ? parseInstant(value) : undefined;
  if (at !== undefined) return at;
  throw invalid(`"${name}" of ${where} is not a time`, describeJson(value), "a time as RFC 3339 writes it");
}

/** Go writes a time that nobody has set so. */
const GO_ZERO = parseInstant("0001-01-01T00:00:00Z");

/** The same for what is told and decides nothing by itself: a time that nobody has set is none. */
export function setTimeIfAny(json: JsonObject, name: string, where: string): Instant | undefined {
  const at = timeIfAny(json, name, where);
  return at === GO_ZERO ? undefined : at;
}

/** The digests that names of images and package URLs carry: `registry.example/app@sha256:…`, `pkg:oci/app@sha256%3A…`. */
export function digestsIn(texts: readonly string[]): readonly string[] {
  return texts.flatMap((text) => {
    const [, algorithm, hex] = NAMED_DIGEST.exec(text) ?? [];
    return algorithm === undefined ? [] : [`${algorithm}:${hex}`];
  });
}

const NAMED_DIGEST = /(?:^|@)(sha256|sha512)(?::|%3[Aa])([0-9a-f]{64}|[0-9a-f]{128})(?=$|[?#])/;
