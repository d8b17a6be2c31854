import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { LIMITS } from "../../../../src/core/limits.ts";
import { decompressSnappy } from "../../../../src/io/github/snappy.ts";
import { thrownBy } from "../../../support/codes.ts";
import { property } from "../../../support/property.ts";

const MAX = 1_000_000;

/** A block from its hexadecimal digits; blanks set its parts apart. */
function block(text: string): Uint8Array {
  return Buffer.from(text.replaceAll(" ", ""), "hex");
}

function text(hex: string): string {
  return Buffer.from(decompressSnappy(block(hex), MAX)).toString("latin1");
}

/** Literals of up to 60 bytes: the simplest that any compressor could write. */
function literals(bytes: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [size(bytes.byteLength)];
  for (let at = 0; at < bytes.byteLength; at += 60) {
    const part = bytes.subarray(at, at + 60);
    parts.push(Uint8Array.of((part.byteLength - 1) << 2), part);
  }
  return Buffer.concat(parts);
}

function size(count: number): Uint8Array {
  const bytes: number[] = [];
  let rest = count;
  do {
    bytes.push((rest % 128) + (rest >= 128 ? 128 : 0));
    rest = Math.floor(rest / 128);
  } while (rest > 0);
  return Uint8Array.from(bytes);
}

/** Written by hand from google/snappy, format_description.txt. */
describe("a Snappy block", () => {
  it("of nothing is its size alone", () => assert.equal(text("00"), ""));

  it("has literals whose length is in the tag", () => assert.equal(text("05 10 68656c6c6f"), "hello"));

  it("has literals whose length is in one, two, three or four bytes behind the tag", () => {
    const a = (count: number): string => "61".repeat(count);
    assert.equal(text(`3d f0 3c ${a(61)}`), "a".repeat(61));
    assert.equal(text(`05 f4 0400 ${a(5)}`), "aaaaa");
    assert.equal(text(`05 f8 040000 ${a(5)}`), "aaaaa");
    assert.equal(text(`05 fc 04000000 ${a(5)}`), "aaaaa");
  });

  it("has copies with an offset of eleven bits, of two bytes and of four", () => {
    assert.equal(text("09 10 68656c6c6f 01 05"), "hellohell");
    assert.equal(text("09 10 68656c6c6f 0e 0500"), "hellohell");
    assert.equal(text("09 10 68656c6c6f 0f 05000000"), "hellohell");
    // An offset of 300: its upper three bits are in the tag.
    assert.ok(text(`b002 f4 2b01 62 ${"61".repeat(299)} 21 2c`).endsWith("abaaa"));
  });

  it("has copies that reach into what they write, which repeats it", () => {
    assert.equal(text("0a 00 61 15 01"), "aaaaaaaaaa");
    assert.equal(text("0a 04 6162 11 02"), "ababababab");
  });

  property("of literals comes out as what went in", [fc.uint8Array({ maxLength: 500 })], (bytes) => {
    assert.deepEqual(Buffer.from(decompressSnappy(literals(bytes), MAX)), Buffer.from(bytes));
  });

  const BROKEN: readonly (readonly [string, string])[] = [
    ["nothing at all", ""],
    ["a size without an end", "ff ff ff ff ff"],
    ["a size that is cut", "80"],
    ["a size of more than 32 bits", "80 80 80 80 10"],
    ["a literal that is cut", "05 10 6865"],
    ["a literal whose length is cut", "05 f4 04"],
    ["a copy that is cut", "09 10 68656c6c6f 01"],
    ["a copy whose offset is cut", "09 10 68656c6c6f 0f 0500"],
    ["a copy before anything", "04 01 01"],
    ["a copy from before the beginning", "09 10 68656c6c6f 01 06"],
    ["a copy from nowhere", "09 10 68656c6c6f 01 00"],
    ["a copy from far away", "09 10 68656c6c6f 0f ffffffff"],
    ["more than it says", "04 10 68656c6c6f"],
    ["a copy beyond what it says", "07 10 68656c6c6f 01 05"],
    ["less than it says", "06 10 68656c6c6f"],
    ["nothing where it says something", "01"],
    ["something where it says nothing", "00 00 61"],
    ["JSON", Buffer.from('{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json"}').toString("hex")],
    ["a Snappy frame, which is another format", "ff 06 00 00 73 4e 61 50 70 59"],
  ];
  for (const [what, hex] of BROKEN) {
    it(`is refused with ${what}`, () => {
      thrownBy(() => decompressSnappy(block(hex), MAX), "protocol-error");
    });
  }

  it("is refused by the size that it says, before anything is allocated", () => {
    thrownBy(() => decompressSnappy(block("ff ff ff ff 0f 00 61"), LIMITS.signatureBytes), "limit-reached");
    const exact = Buffer.concat([size(100), ...Array<Uint8Array>(100).fill(Uint8Array.of(0, 0x61))]);
    assert.equal(decompressSnappy(exact, 100).byteLength, 100);
    thrownBy(() => decompressSnappy(exact, 99), "limit-reached");
  });

  property("of any bytes ends in bytes of the size that it says, or in an error", [fc.uint8Array()], (bytes) => {
    try {
      decompressSnappy(bytes, MAX);
    } catch (error) {
      assert.match(String((error as { code?: unknown }).code), /^(?:protocol-error|limit-reached)$/);
    }
  });
});
