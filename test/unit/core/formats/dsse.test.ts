import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { preAuthEncoding, readDsse } from "../../../../src/core/formats/dsse.ts";
import type { JsonValue } from "../../../../src/core/json.ts";
import { thrownBy } from "../../../support/codes.ts";

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString();
}

describe("DSSE's pre-authentication encoding (protocol.md, PAE)", () => {
  it("is the specification's example, byte for byte", () => {
    const encoded = preAuthEncoding("http://example.com/HelloWorld", encodeUtf8("hello world"));
    assert.equal(text(encoded), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
  });

  it("counts bytes, not characters", () => {
    assert.equal(text(preAuthEncoding("ü", encodeUtf8("ä€"))), "DSSEv1 2 ü 5 ä€");
  });

  it("encodes an empty payload", () => {
    assert.equal(text(preAuthEncoding("t", new Uint8Array())), "DSSEv1 1 t 0 ");
  });
});

const GOOD = { payload: "aGVsbG8=", payloadType: "t", signatures: [{ sig: "AAE=" }] };

describe("reading a DSSE envelope (envelope.md)", () => {
  it("gives payload, type and the signature", () => {
    const envelope = readDsse(GOOD, "it");
    assert.equal(envelope.payloadType, "t");
    assert.equal(text(envelope.payload), "hello");
    assert.deepEqual([...envelope.signature], [0, 1]);
  });

  it("does not read the keyid, which is unauthenticated, but lets it be there", () => {
    readDsse({ ...GOOD, signatures: [{ sig: "AAE=", keyid: "x" }] }, "it");
  });

  const bad: readonly (readonly [string, JsonValue | undefined])[] = [
    ["nothing", undefined],
    ["a string", "x"],
    ["a list", [GOOD]],
    ["null", null],
    ["no payload", { payloadType: "t", signatures: [{ sig: "AAE=" }] }],
    ["no payload type", { payload: "aGVsbG8=", signatures: [{ sig: "AAE=" }] }],
    ["a payload that is a number", { ...GOOD, payload: 1 }],
    ["no signatures", { payload: "aGVsbG8=", payloadType: "t" }],
    ["null for the signatures", { ...GOOD, signatures: null }],
    ["signatures as an object", { ...GOOD, signatures: { sig: "AAE=" } }],
    ["a signature that is a string", { ...GOOD, signatures: ["AAE="] }],
    ["a signature without sig", { ...GOOD, signatures: [{ keyid: "x" }] }],
    ["a signature with an unknown member", { ...GOOD, signatures: [{ sig: "AAE=", cert: "x" }] }],
    ["an unknown member", { ...GOOD, extra: true }],
  ];
  for (const [what, value] of bad) {
    it(`refuses ${what}`, () => void thrownBy(() => readDsse(value, "it"), "malformed-signature"));
  }
});
