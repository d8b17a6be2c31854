import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeBase64, decodeUtf8, encodeBase64, encodeHex, encodeUtf8, equalBytes } from "../../../src/core/bytes.ts";
import { thrownBy } from "../../support/codes.ts";

describe("base64 is the padded standard form alone (RFC 4648 §4, §3.5)", () => {
  for (const [text, bytes] of [
    ["", []],
    ["AA==", [0]],
    ["+/8=", [0xfb, 0xff]],
    ["aGk+", [0x68, 0x69, 0x3e]],
  ] as const) {
    it(`decodes ${JSON.stringify(text)}`, () => assert.deepEqual(decodeBase64(text), new Uint8Array(bytes)));
  }
  const refused = [
    "AA",
    "AA=",
    "AA===",
    "=AA=",
    "A",
    "-_8=",
    "AA==\n",
    " AA==",
    "A A==",
    "AB==",
    "AAB=",
    "AA==AA==",
    "Ä===",
    "AA\u0000=",
  ];
  for (const text of refused) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(decodeBase64(text), undefined));
  }
});

describe("UTF-8", () => {
  it("keeps a byte order mark, so that nothing is lost silently", () => {
    assert.equal(decodeUtf8(new Uint8Array([0xef, 0xbb, 0xbf, 0x61])), "\ufeffa");
  });
  it("refuses what is not UTF-8", () => {
    thrownBy(() => decodeUtf8(new Uint8Array([0xff])), "malformed-signature");
  });
  it("comes back as it went", () => assert.equal(decodeUtf8(encodeUtf8("é\u{1f600}")), "é\u{1f600}"));
});

describe("views into a larger buffer", () => {
  const view = new Uint8Array([9, 0xab, 0xcd, 9]).subarray(1, 3);
  it("are encoded without their surroundings", () => {
    assert.equal(encodeHex(view), "abcd");
    assert.equal(encodeBase64(view), "q80=");
  });
  it("are equal by content, and never to another length", () => {
    assert.ok(equalBytes(view, new Uint8Array([0xab, 0xcd])));
    assert.ok(!equalBytes(view, new Uint8Array([0xab, 0xce])));
    assert.ok(!equalBytes(view, new Uint8Array([0xab])));
    assert.ok(equalBytes(new Uint8Array(), new Uint8Array()));
  });
});
