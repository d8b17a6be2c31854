import { CountersignError } from "../errors.ts";
import type { JsonValue } from "../json.ts";
import { isObject } from "../json.ts";
import type { Annotations } from "../oci/descriptor.ts";

/**
 * A JSON string as Go writes it (encoding/json escapes what HTML would read): payloads come out byte for byte as
 * cosign's do.
 */
export function goString(text: string): string {
  return JSON.stringify(text).replace(/[<>&\u2028\u2029]/g, (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/**
 * A signer's annotations as a JSON object, its names in the order of their UTF-8 bytes as Go sorts them. Written by hand
 * because a JavaScript object would move names like "1" to the front.
 *
 * @throws CountersignError `usage` for a name or value that a strict reader would refuse.
 */
export function formatAnnotations(annotations: Annotations): string {
  const entries = Object.entries(annotations);
  for (const [name, value] of entries) {
    if (name === "__proto__" || !name.isWellFormed() || !value.isWellFormed()) {
      throw new CountersignError("usage", "not an annotation that can be signed", { found: JSON.stringify(name) });
    }
  }
  const sorted = entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return `{${sorted.map(([name, value]) => `${goString(name)}:${goString(value)}`).join(",")}}`;
}

/** The entries of a signed object whose values are strings; other tools put numbers and lists there too. */
export function readAnnotations(value: JsonValue | undefined): Annotations {
  if (!isObject(value)) return {};
  const strings = Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === "string");
  return Object.fromEntries(strings);
}
