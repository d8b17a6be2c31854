import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { printable, printableJson, printableLines } from "../../../src/core/printable.ts";

const HOSTILE: readonly (readonly [string, string, string])[] = [
  ["an escape sequence that clears the screen", "\u001b[2J", "\\x1b[2J"],
  ["a carriage return that overwrites the line", "refused\raccepted", "refused\\raccepted"],
  ["a line break that forges a second line", "a\naccepted", "a\\naccepted"],
  ["a C1 control that starts a sequence in one byte", "\u009b31m", "\\x9b31m"],
  ["a null byte", "a\u0000b", "a\\x00b"],
  ["delete", "\u007f", "\\x7f"],
  ["a right-to-left override (CVE-2021-42574)", "\u202egnp.exe", "\\u{202e}gnp.exe"],
  ["an isolate", "\u2066x\u2069", "\\u{2066}x\\u{2069}"],
  ["a zero-width space", "ad\u200bmin", "ad\\u{200b}min"],
  ["a byte order mark", "\ufeffx", "\\u{feff}x"],
  ["a line separator", "a\u2028b", "a\\u{2028}b"],
  ["a soft hyphen", "a\u00adb", "a\\xadb"],
  ["a tag character", "\u{e0041}", "\\u{e0041}"],
  ["a variation selector", "a\ufe0f", "a\\u{fe0f}"],
  ["half of a surrogate pair", "a\ud800b", "a\\u{d800}b"],
  ["the other half", "a\udc00b", "a\\u{dc00}b"],
];

describe("printable", () => {
  for (const [what, text, escaped] of HOSTILE) {
    it(`writes ${what} as an escape`, () => assert.equal(printable(text), escaped));
  }

  it("leaves letters of every script, signs and emoji alone", () => {
    for (const text of ["registry.example/acme/app:1.4", "größe", "签名", "עברית", "€", "🔑", "a…b"]) {
      assert.equal(printable(text), text);
    }
  });

  it("does not touch backslashes: an escape is for people, not to be read back", () => {
    assert.equal(printable("\\x1b"), "\\x1b");
  });
});

describe("printableLines", () => {
  it("keeps line breaks and nothing else", () => assert.equal(printableLines("a\u001b\nb\r\n"), "a\\x1b\nb\\r\n"));
});

describe("printableJson", () => {
  for (const [what, text] of HOSTILE) {
    it(`escapes ${what} and reads back as it was`, () => {
      const json = printableJson({ [text]: text });
      assert.doesNotMatch(json, /[^\n\P{Cc}]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/u);
      assert.deepEqual(JSON.parse(json), { [text]: text });
    });
  }
});
