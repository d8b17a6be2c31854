import { decodeBase64 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../json.ts";

/** Readers of JSON members that peers wrote. `where` names the object in errors: "the bundle's dsseEnvelope". */

export function malformed(message: string, found?: string, wanted?: string): CountersignError {
  return new CountersignError("malformed-signature", message, { found, wanted });
}

export function requireObject(value: JsonValue | undefined, where: string): JsonObject {
  if (isObject(value)) return value;
  throw malformed(`${where} is not an object`, describeValue(value), "an object");
}

/** An object that has no members but these: an unknown one may carry a meaning that we would ignore. */
export function requireClosed(value: JsonValue | undefined, where: string, members: readonly string[]): JsonObject {
  const json = requireObject(value, where);
  const unknown = Object.keys(json).find((name) => !members.includes(name));
  if (unknown !== undefined) {
    throw malformed(`${where} has an unknown member`, JSON.stringify(unknown), members.join(", "));
  }
  return json;
}

export function requireString(json: JsonObject, name: string, where: string): string {
  const value = json[name];
  if (typeof value === "string") return value;
  throw malformed(`${where} has no string "${name}"`, describeValue(value), "a string");
}

/** Strict base64 of at least one byte. */
export function requireBase64(json: JsonObject, name: string, where: string): Uint8Array {
  const bytes = decodeBase64(requireString(json, name, where));
  if (bytes !== undefined && bytes.byteLength > 0) return bytes;
  throw malformed(`"${name}" of ${where} is not base64`, "lax or empty base64", "standard base64 with padding");
}

/** A list, empty where it is absent. More than `max` is a limit, not a broken format: nothing is cut silently. */
export function optionalList(json: JsonObject, name: string, where: string, max: number): readonly JsonValue[] {
  const value = json[name] ?? [];
  if (!Array.isArray(value)) throw malformed(`"${name}" of ${where} is not a list`, describeValue(value), "a list");
  if (value.length > max) {
    throw new CountersignError("limit-reached", `"${name}" of ${where} is too long`, {
      found: `${value.length} entries`,
      wanted: `at most ${max}`,
    });
  }
  return value as readonly JsonValue[];
}

/** Exactly one of these members is there; `null` counts as absent (ProtoJSON). */
export function requireOneOf<Name extends string>(json: JsonObject, names: readonly Name[], where: string): Name {
  const present = names.filter((name) => isPresent(json[name]));
  const [only] = present;
  if (only !== undefined && present.length === 1) return only;
  throw malformed(`${where} must have exactly one of ${names.join(", ")}`, present.join(" and ") || "none", "one");
}

export function isPresent(value: JsonValue | undefined): boolean {
  return value !== undefined && value !== null;
}

export function describeValue(value: JsonValue | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}
