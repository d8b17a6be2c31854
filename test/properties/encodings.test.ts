import assert from "node:assert/strict";
import fc from "fast-check";
import { decodeBase64, decodeUtf8, encodeBase64, encodeUtf8 } from "../../src/core/bytes.ts";
import { CountersignError } from "../../src/core/errors.ts";
import { type JsonOptions, type JsonValue, parseJson } from "../../src/core/json.ts";
import {
  DigestStream,
  digestAlgorithm,
  digestHex,
  digestOf,
  isDigest,
  parseDigest,
} from "../../src/core/oci/digest.ts";
import { formatInstant, instant } from "../../src/core/time.ts";
import { property } from "../support/property.ts";

const OPTIONS: JsonOptions = { what: "the text", code: "manifest-invalid", maxBytes: 1_000_000 };
const bytes = fc.uint8Array({ maxLength: 300 });

/** The value, or undefined where it is refused; any other error than ours is a defect. */
function accepted(text: string): { readonly value: JsonValue } | undefined {
  try {
    return { value: parseJson(encodeUtf8(text), OPTIONS) };
  } catch (error) {
    if (error instanceof CountersignError) return undefined;
    throw error;
  }
}

/** Text that is nearly JSON: its tokens in any order, and what tools differ on. */
const nearlyJson = fc
  .array(
    fc.constantFrom(
      ..."{}[],: \n\t".split(""),
      '"a"',
      '"a":',
      '"b":',
      '"A":',
      '"__proto__":',
      '"\\u0061":',
      '"\\ud800"',
      '"',
      "\\",
      "1",
      "-0",
      "1e5",
      "1e999",
      "00",
      ".5",
      "true",
      "null",
      "nul",
      "NaN",
      "\u00a0",
      "\ufeff",
      "//",
    ),
    { maxLength: 24 },
  )
  .map((tokens) => tokens.join(""));

/** JSON with one character changed, left out or put in. */
const damagedJson = fc
  .tuple(fc.json({ maxDepth: 5 }), fc.nat(), fc.constantFrom("", '"', ",", "{", "]", "0", "\\", " ", "\u0000", "é"))
  .map(([text, at, put]) => text.slice(0, at % (text.length + 1)) + put + text.slice((at % (text.length + 1)) + 1));

for (const [what, texts] of [
  ["nearly JSON", nearlyJson],
  ["damaged JSON", damagedJson],
  ["any text", fc.string({ unit: "binary" })],
] as const) {
  property(`what strict JSON accepts of ${what} is what JSON.parse reads`, [texts], (text) => {
    const ours = accepted(text);
    if (ours !== undefined) assert.deepEqual(ours.value, JSON.parse(text));
  });
}

const wellFormed = fc.jsonValue({ maxDepth: 6, noUnicodeString: false });

property("strict JSON accepts what JSON.stringify writes, or has a reason that I-JSON knows", [wellFormed], (value) => {
  const text = JSON.stringify(value);
  if (accepted(text) !== undefined) return;
  assert.match(text, /__proto__|\\ud[89a-f]|\d{16}|e\+\d\d/i);
});

property(
  "a member that is repeated is refused wherever it stands",
  [fc.string(), wellFormed, wellFormed],
  (name, a, b) => {
    const member = JSON.stringify(name);
    const text = `{"x":[{${member}:${JSON.stringify(a)},"-y-":0,${member}:${JSON.stringify(b)}}]}`;
    assert.equal(accepted(text), undefined);
  },
);

property("random bytes end in a value or a CountersignError", [bytes], (input) => {
  try {
    parseJson(input, OPTIONS);
  } catch (error) {
    assert.ok(error instanceof CountersignError);
  }
});

property("base64 comes back as the bytes it was made of", [bytes], (input) => {
  assert.deepEqual(decodeBase64(encodeBase64(input)), input);
});

property("base64 that is accepted is written again as it was", [fc.base64String()], (text) => {
  const decoded = decodeBase64(text);
  if (decoded !== undefined) assert.equal(encodeBase64(decoded), text);
});

property("text is not base64 in two spellings", [fc.string({ unit: "binary-ascii" })], (text) => {
  const decoded = decodeBase64(text);
  if (decoded !== undefined) assert.equal(encodeBase64(decoded), text);
});

property("UTF-8 that is accepted is written again as it was", [bytes], (input) => {
  try {
    assert.deepEqual(encodeUtf8(decodeUtf8(input)), input);
  } catch (error) {
    assert.ok(error instanceof CountersignError);
  }
});

property(
  "a digest is put together again from its parts",
  [bytes, fc.constantFrom("sha256", "sha512")],
  (input, algorithm) => {
    const digest = digestOf(input, algorithm);
    assert.equal(parseDigest(`${digestAlgorithm(digest)}:${digestHex(digest)}`), digest);
  },
);

property("a digest does not depend on how the bytes are cut", [bytes, fc.nat({ max: 300 })], (input, at) => {
  const stream = new DigestStream("sha512");
  stream.update(input.subarray(0, at));
  stream.update(input.subarray(at));
  assert.equal(stream.finish(), digestOf(input, "sha512"));
});

property(
  "text with one character changed is no digest of the same bytes",
  [bytes, fc.nat({ max: 70 }), fc.string({ maxLength: 1 })],
  (input, at, put) => {
    const digest: string = digestOf(input);
    const changed = digest.slice(0, at) + put + digest.slice(at + 1);
    assert.ok(changed === digest || !isDigest(changed) || changed !== digestOf(input));
  },
);

property(
  "an instant is written as RFC 3339 and means the same second",
  [fc.integer({ min: -6e13, max: 2.5e14 })],
  (milliseconds) => {
    const text = formatInstant(instant(milliseconds));
    assert.match(text, /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/);
    assert.equal(Date.parse(text), Math.floor(milliseconds / 1000) * 1000);
  },
);
