import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { SIGNATURE_PREDICATE } from "../../../../src/core/formats/envelope.ts";
import { makeStatement, readStatement } from "../../../../src/core/formats/intoto.ts";
import { bundleSignedBytes } from "../../../../src/core/formats/sigstore-bundle.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { parseDigest } from "../../../../src/core/oci/digest.ts";
import { thrownBy } from "../../../support/codes.ts";

const HEX = "ab".repeat(32);
const DIGEST = parseDigest(`sha256:${HEX}`);

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

function statement(change: Readonly<Record<string, unknown>>): Uint8Array {
  const base = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ digest: { sha256: HEX } }],
    predicateType: SIGNATURE_PREDICATE,
    predicate: {},
  };
  return encodeUtf8(JSON.stringify({ ...base, ...change }));
}

describe("the statement that signs an image", () => {
  it("is 213 bytes and has the known hash, and so has its encoding for signing", () => {
    const made = makeStatement(DIGEST);
    assert.equal(made.byteLength, 213);
    assert.equal(sha256(made), "8668904439b8c72869dd74a857d59639eaa1ab1f84e77da934f29e4900e4260c");
    const signed = bundleSignedBytes(made);
    assert.ok(Buffer.from(signed).toString().startsWith("DSSEv1 28 application/vnd.in-toto+json 213 {"));
    assert.equal(sha256(signed), "cc06fe7b0e6205ac2e84b149fd7dc7d5d18afcab2d875569c1b9872ff2761c5b");
  });

  it("carries annotations on its subject, and no such member where there are none", () => {
    assert.ok(!Buffer.from(makeStatement(DIGEST, {})).includes("annotations"));
    const text = Buffer.from(makeStatement(DIGEST, { b: "2", a: "1" })).toString();
    assert.ok(text.includes(`"subject":[{"digest":{"sha256":"${HEX}"},"annotations":{"a":"1","b":"2"}}]`));
  });

  it("names a sha512 digest by its algorithm", () => {
    const digest = parseDigest(`sha512:${"cd".repeat(64)}`);
    assert.deepEqual(readStatement(makeStatement(digest)).subjects, [digest]);
  });

  it("is read back as it was made", () => {
    const made = makeStatement(DIGEST, { env: "prod" });
    const { statement: whole, ...claim } = readStatement(made);
    assert.deepEqual(claim, { predicateType: SIGNATURE_PREDICATE, subjects: [DIGEST], annotations: { env: "prod" } });
    assert.equal(JSON.stringify(whole), Buffer.from(made).toString());
  });
});

describe("reading a statement (in-toto attestation, spec/v1/statement.md)", () => {
  it("takes version 0.1, which cosign attest writes", () => {
    const claim = readStatement(statement({ _type: "https://in-toto.io/Statement/v0.1", predicateType: "urn:x" }));
    assert.equal(claim.predicateType, "urn:x");
  });

  it("leaves digests of algorithms that images do not have", () => {
    const subject = [{ name: "app", digest: { gitCommit: "00", sha256: HEX, sha1: "junk" } }];
    assert.deepEqual(readStatement(statement({ subject })).subjects, [DIGEST]);
  });

  it("collects the digests of all subjects", () => {
    const other = `sha256:${"cd".repeat(32)}`;
    const subject = [{ digest: { sha256: HEX } }, { digest: { sha256: "cd".repeat(32) } }];
    assert.deepEqual(readStatement(statement({ subject })).subjects, [DIGEST, other]);
  });

  it("reports only what is said of every subject alike: one must not speak for another", () => {
    const subject: readonly Readonly<Record<string, unknown>>[] = [
      { digest: { sha256: HEX }, annotations: { env: "prod", team: "a", only: "x" } },
      { digest: { sha256: "cd".repeat(32) }, annotations: { env: "test", team: "a", toString: "x" } },
    ];
    assert.deepEqual(readStatement(statement({ subject })).annotations, { team: "a" });
    const second = [subject[1], { digest: { sha256: HEX } }];
    assert.deepEqual(readStatement(statement({ subject: second })).annotations, {});
  });

  it("takes as many subjects and digests as the limits say, and not one more", () => {
    const subjects = (count: number): Uint8Array =>
      statement({ subject: Array.from({ length: count }, () => ({ digest: { sha256: HEX } })) });
    const digests = (count: number): Uint8Array =>
      statement({
        subject: [{ digest: Object.fromEntries(Array.from({ length: count }, (_, at) => [`a${at}`, "0"])) }],
      });
    assert.equal(readStatement(subjects(LIMITS.statementSubjects)).subjects.length, LIMITS.statementSubjects);
    thrownBy(() => readStatement(subjects(LIMITS.statementSubjects + 1)), "limit-reached");
    readStatement(digests(LIMITS.subjectDigests));
    thrownBy(() => readStatement(digests(LIMITS.subjectDigests + 1)), "limit-reached");
  });

  it("refuses more bytes than the limit before it parses them", () => {
    thrownBy(() => readStatement(new Uint8Array(LIMITS.signatureBytes + 1)), "limit-reached");
  });

  const bad: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ["an unknown version", { _type: "https://in-toto.io/Statement/v1.1" }],
    ["a version with something after it", { _type: "https://in-toto.io/Statement/v1/" }],
    ["a predicate type that is no string", { predicateType: ["urn:x"] }],
    ["no predicate type", { predicateType: undefined }],
    ["subjects that are null", { subject: null }],
    ["subjects that are a string", { subject: "x" }],
    ["a subject that is a string", { subject: [DIGEST] }],
    ["a subject whose digest is a string", { subject: [{ digest: DIGEST }] }],
    ["a digest that is a number", { subject: [{ digest: { sha256: 1 } }] }],
    ["a digest with its algorithm before it", { subject: [{ digest: { sha256: DIGEST } }] }],
    ["a broken second subject", { subject: [{ digest: { sha256: HEX } }, { digest: { sha512: HEX } }] }],
    ["a subject with a member that Go reads as digest", { subject: [{ digest: { sha256: HEX }, Digest: {} }] }],
    ["a member that Go reads as _type", { _TYPE: "x" }],
    ["a member that Go reads as subject", { Subject: [] }],
  ];
  for (const [what, change] of bad) {
    it(`refuses ${what}`, () => void thrownBy(() => readStatement(statement(change)), "malformed-signature"));
  }

  for (const text of ["", "null", "[]", '"x"', "{", "{}{}"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      thrownBy(() => readStatement(encodeUtf8(text)), "malformed-signature");
    });
  }
});
