import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  DER,
  type DerValue,
  derParts,
  encodeDer,
  hasBit,
  readBoolean,
  readDer,
  readingDer,
  readOid,
  readSmallInteger,
  readTime,
  readWholeBits,
} from "../../../../src/core/crypto/der.ts";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { formatInstant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex, "hex"));

/** What a reader says is wrong with an encoding. */
function wrong(hex: string, read: (value: DerValue) => unknown = (value) => value): string {
  const read1 = () => readingDer("it", "trust-invalid", () => read(readDer(bytes(hex))));
  return thrownBy(read1, "trust-invalid").found ?? "";
}

function right<T>(hex: string, read: (value: DerValue) => T): T {
  return readingDer("it", "trust-invalid", () => read(readDer(bytes(hex))));
}

const time = (tag: string, text: string) =>
  `${tag}${text.length.toString(16).padStart(2, "0")}${Buffer.from(text).toString("hex")}`;
const utc = (text: string) => time("17", text);
const generalized = (text: string) => time("18", text);

describe("DER", () => {
  it("is read value by value, with its bytes", () => {
    const value = right("3006020101040161", (each) => each);
    assert.deepEqual(
      derParts(value, DER.sequence).map(({ tag }) => tag),
      [DER.integer, DER.octetString],
    );
    assert.equal(value.bytes.byteLength, 8);
  });

  it("is written as it is read, in the shortest form", () => {
    for (const size of [0, 127, 128, 255, 256, 70_000]) {
      const written = encodeDer(DER.octetString, new Uint8Array(size));
      assert.equal(readDer(written).content.byteLength, size);
    }
  });

  for (const [what, hex] of [
    ["nothing", ""],
    ["a tag alone", "30"],
    ["less than the length says", "300302"],
    ["something behind the end", "020101ff"],
    ["a length that ends too soon", "3082"],
    ["an indefinite length (X.690 §10.1)", "30800000"],
    ["a length in more bytes than it needs", "04810161"],
    ["a length with a leading nought", `04820080${"61".repeat(128)}`],
    ["a length of five bytes", "04850000000001"],
    ["a tag of more than one byte", "1f8101"],
  ] as const) {
    it(`refuses ${what}`, () => assert.notEqual(wrong(hex), ""));
  }

  it("refuses more parts than a certificate has", () => {
    const many = Buffer.from(encodeDer(DER.sequence, ...Array(LIMITS.derParts + 1).fill(bytes("0500")))).toString(
      "hex",
    );
    assert.match(
      wrong(many, (value) => derParts(value)),
      /too many/,
    );
  });

  it("keeps errors that say more, and calls anything else unreadable", () => {
    const inner = new CountersignError("limit-reached", "inner");
    const thrown = thrownBy(
      () =>
        readingDer("it", "trust-invalid", () => {
          throw inner;
        }),
      "limit-reached",
    );
    assert.equal(thrown, inner);
    const defect = () =>
      readingDer("it", "trust-invalid", () => {
        throw new TypeError("a defect");
      });
    assert.equal(thrownBy(defect, "trust-invalid").found, "what cannot be read");
  });
});

describe("DER's types", () => {
  it("truth is one byte, all or nothing (X.690 §11.1)", () => {
    assert.equal(right("0101ff", readBoolean), true);
    assert.equal(right("010100", readBoolean), false);
    for (const hex of ["010101", "0102ffff", "0100", "0201ff"]) wrong(hex, readBoolean);
  });

  it("small integers are not negative and have no needless noughts", () => {
    assert.equal(right("020100", readSmallInteger), 0);
    assert.equal(right("02020080", readSmallInteger), 128);
    for (const hex of ["0201ff", "0200", "02020001", "02050100000000", "040100"]) wrong(hex, readSmallInteger);
  });

  it("object identifiers are read in full, arcs beyond 32 bits included", () => {
    assert.equal(right("06082b06010505070303", readOid), "1.3.6.1.5.5.7.3.3");
    assert.equal(right("0603883703", readOid), "2.999.3");
    assert.equal(right("060b2a0903cdc4ffffffff7f03", readOid).startsWith("1.2.9.3."), true);
    for (const hex of ["0600", "060180", "06022a80", "06032a8001", "04012a", `0628${"2a".repeat(40)}`])
      wrong(hex, readOid);
  });

  it("bits are whole bytes, or named one by one", () => {
    assert.deepEqual(right("030300abcd", readWholeBits), bytes("abcd"));
    for (const hex of ["030201ab", "0300", "0402abcd"]) wrong(hex, readWholeBits);
    const usage = readDer(bytes("03020780"));
    assert.deepEqual([hasBit(usage, 0), hasBit(usage, 1), hasBit(usage, 9)], [true, false, false]);
    for (const hex of ["03020880", "030101", "0300"]) wrong(hex, (value) => hasBit(value, 0));
  });

  it("times are UTC to the second (RFC 5280 §4.1.2.5)", () => {
    assert.equal(formatInstant(right(utc("491231235959Z"), readTime)), "2049-12-31T23:59:59Z");
    assert.equal(formatInstant(right(utc("500101000000Z"), readTime)), "1950-01-01T00:00:00Z");
    assert.equal(formatInstant(right(generalized("99991231235959Z"), readTime)), "9999-12-31T23:59:59Z");
    assert.equal(right(generalized("20260601120000.1239Z"), readTime) % 1000, 123);
  });

  for (const [what, hex] of [
    ["a month that is none", utc("261301000000Z")],
    ["the 31st of February", generalized("20260231000000Z")],
    ["hour 24", generalized("20260101240000Z")],
    ["second 60", utc("260101000060Z")],
    ["a time of another zone", utc("260101000000+0100")],
    ["a time without seconds", utc("2601010000Z")],
    ["a fraction that ends in a nought (RFC 3161 §2.4.2)", generalized("20260101000000.10Z")],
    ["a comma", generalized("20260101000000,1Z")],
    ["the first century", generalized("00500101000000Z")],
    ["a time that is text", time("0c", "260101000000Z")],
  ] as const) {
    it(`times refuse ${what}`, () => assert.match(wrong(hex, readTime), /time/));
  }
});
