import { canonicalize } from "@tufjs/canonical-json";
import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { isObject, type JsonValue } from "../json.ts";

/**
 * The bytes that are signed and hashed: the OLPC dialect of canonical JSON (TUF 1.0.34, 4.1), by the very code that tuf-js
 * verifies with.
 *
 * @throws CountersignError `metadata-malformed` for what the dialect cannot write: numbers that are no integers.
 */
export function canonicalJson(value: JsonValue): Uint8Array {
  refuseFractions(value);
  return encodeUtf8(canonicalize(value));
}

function refuseFractions(value: JsonValue): void {
  if (typeof value === "number" && !Number.isSafeInteger(value)) {
    throw new CountersignError("metadata-malformed", "trust metadata holds a number that cannot be signed", {
      found: String(value),
      wanted: "whole numbers",
    });
  }
  if (Array.isArray(value)) for (const item of value) refuseFractions(item);
  else if (isObject(value)) for (const member of Object.values(value)) refuseFractions(member);
}
