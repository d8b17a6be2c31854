import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { type JsonObject, kindOf, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ServiceAnswer } from "../http/service.ts";

/**
 * An answer's JSON object. What is wrong with one that is none is told without its words: what should have been a token
 * may be in them.
 *
 * @throws CountersignError `protocol-error`, `limit-reached`.
 */
export function jsonOf({ bytes, contentType }: Pick<ServiceAnswer, "bytes" | "contentType">, what: string): JsonObject {
  if (contentType === "text/html") throw notJson(what, "a web page");
  try {
    return parseJsonObject(bytes, { what, code: "protocol-error", maxBytes: LIMITS.tokenBytes });
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === "limit-reached") throw thrown;
    throw notJson(what, bytes.byteLength === 0 ? "an empty answer" : "something else");
  }
}

function notJson(what: string, found: string): CountersignError {
  return protocolError(`${what} is not a strict JSON object`, found, "JSON");
}

/** Something that the service's protocol does not allow. */
export function protocolError(message: string, found: string, wanted: string): CountersignError {
  const next = "try again; if that does not help, report it to the service's operator";
  return new CountersignError("protocol-error", message, { found, wanted, next });
}

/** A member that has to be a text. @throws CountersignError `protocol-error`, without the value. */
export function textIn(json: JsonObject, member: string, what: string): string {
  const value = optionalTextIn(json, member, what);
  if (value !== undefined && value !== "") return value;
  const found = value === "" ? "an empty string" : "nothing";
  throw protocolError(`${what} has no "${member}"`, found, "a string");
}

export function optionalTextIn(json: JsonObject, member: string, what: string): string | undefined {
  const value = json[member];
  if (value === undefined || typeof value === "string") return value;
  throw protocolError(`"${member}" of ${what} is not a string`, kindOf(value), "a string");
}

/** What goes with a form (RFC 6749, appendix B). */
export const formHeaders = { "content-type": "application/x-www-form-urlencoded", accept: "application/json" } as const;

export function formBody(members: Readonly<Record<string, string>>): Uint8Array {
  return encodeUtf8(new URLSearchParams(members).toString());
}
