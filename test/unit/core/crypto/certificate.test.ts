import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  allowsUsage,
  type Certificate,
  describeCertificate,
  describeIssuer,
  describeName,
  EXTENSIONS,
  isSelfIssued,
  KEY_USAGE,
  mayHaveIssued,
  parseCertificate,
} from "../../../../src/core/crypto/certificate.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { thrownBy } from "../../../support/codes.ts";
import { FakeAuthority } from "../../../support/sigstore/authority.ts";
import { FakeCertificateLog } from "../../../support/sigstore/certificate-log.ts";
import {
  authorityKeyIdentifier,
  basicConstraints,
  type CertificateParts,
  certificate,
  type Extension,
  tbsCertificate,
  USAGES,
} from "../../../support/sigstore/certificates.ts";
import { bits, context, flag, integer, nothing, octets, oid, sequence, utf8 } from "../../../support/sigstore/der.ts";
import { fakeKey, signatureAlgorithm } from "../../../support/sigstore/keys.ts";
import { FROM, MINUTE, NOW, UNTIL } from "../../../support/sigstore/times.ts";

const key = fakeKey();
const authority = new FakeAuthority({ certificateLogs: [new FakeCertificateLog()] });
const { leaf } = authority.issue({ publicKey: key.publicKey });

const parse = (der: Uint8Array): Certificate => parseCertificate(der, "the certificate", "certificate-untrusted");

const parts = (extensions: readonly Extension[] = []): CertificateParts => ({
  serial: 1n,
  subject: { commonName: "it" },
  issuer: { commonName: "it" },
  notBefore: FROM,
  notAfter: UNTIL,
  spki: key.spki,
  signer: key,
  extensions,
});

const wrong = (der: Uint8Array): string => thrownBy(() => parse(der), "certificate-untrusted").found ?? "";

/** A certificate around other signed content than `tbsCertificate` makes. */
function around(body: Uint8Array, algorithm: Uint8Array = signatureAlgorithm(key)): Uint8Array {
  return sequence(body, algorithm, bits(key.sign(body)));
}

/** The parts of what is signed, to be put together in another way. */
function bodyWith(
  change: (parts: Uint8Array[]) => readonly Uint8Array[],
  extensions: readonly Extension[] = [],
): Uint8Array {
  const signed = parse(certificate(parts(extensions))).signedParts.map(({ bytes }) => bytes);
  return sequence(...change(signed));
}

describe("a certificate", () => {
  it("is read with its window, key, usage and extensions", () => {
    const read = parse(leaf);
    assert.deepEqual([read.notBefore, read.notAfter], [NOW, NOW + 10 * MINUTE]);
    assert.deepEqual(new Uint8Array(read.key.export({ type: "spki", format: "der" })), new Uint8Array(key.spki));
    assert.deepEqual([...(read.purposes ?? [])], [USAGES.codeSigning]);
    assert.equal(read.isCa, false);
    assert.equal(allowsUsage(read, KEY_USAGE.digitalSignature), true);
    assert.equal(allowsUsage(read, KEY_USAGE.certificateSigning), false);
    assert.ok(read.extensions.has(EXTENSIONS.certificateTimestamps));
  });

  it("knows its issuer by name and key, and checks the signature", () => {
    const [read, issuer, root] = [leaf, ...authority.chain].map(parse);
    assert.ok(read && issuer && root);
    assert.deepEqual([mayHaveIssued(issuer, read), mayHaveIssued(root, read)], [true, false]);
    assert.deepEqual([read.isSignedBy(issuer), read.isSignedBy(root)], [true, false]);
    assert.deepEqual([isSelfIssued(root), isSelfIssued(issuer)], [true, false]);
    assert.equal(issuer.pathLength, 0);
  });

  it("with another key of the same name is no issuer", () => {
    const read = parse(leaf);
    const namesake = parse(new FakeAuthority().intermediate ?? leaf);
    assert.deepEqual(namesake.subject, read.issuer);
    assert.equal(mayHaveIssued(namesake, read), false);
  });

  it("without key identifiers is known by its name", () => {
    const [own, other] = [certificate(parts()), certificate(parts([authorityKeyIdentifier(fakeKey().spki)]))].map(
      parse,
    );
    assert.ok(own && other);
    assert.equal(mayHaveIssued(own, own), true);
    assert.equal(mayHaveIssued(own, other), true);
  });

  it("is described by its name and key, and one without a name by its number", () => {
    const issuer = parse(authority.intermediate ?? leaf);
    assert.match(describeCertificate(issuer), /^O=ca\.example\.com, CN=intermediate \(key [0-9a-f]{16}…\)$/);
    assert.equal(describeIssuer(parse(leaf)), describeCertificate(issuer));
    assert.match(describeCertificate(parse(leaf)), /^certificate [0-9a-f]+$/);
    assert.equal(describeName(sequence()), "a certificate without a name");
  });

  for (const kind of ["p256", "p384", "p521", "ed25519", "rsa2048"] as const) {
    it(`is read when it was signed with ${kind}`, () => {
      const signer = fakeKey(kind);
      const read = parse(certificate({ ...parts(), spki: signer.spki, signer }));
      assert.equal(read.isSignedBy(read), true);
    });
  }
});

describe("what is no certificate", () => {
  for (const [what, der] of [
    ["nothing", new Uint8Array()],
    ["something behind the end", Buffer.concat([leaf, Buffer.of(0)])],
    ["half of one", leaf.subarray(0, leaf.byteLength / 2)],
    ["a key", key.spki],
    ["four parts", sequence(tbsCertificate(parts()), signatureAlgorithm(key), bits(Buffer.of(0)), nothing())],
  ] as const) {
    it(`is ${what}`, () => assert.notEqual(wrong(der), ""));
  }

  it("is more than a certificate needs", () => {
    thrownBy(() => parse(new Uint8Array(LIMITS.certificateBytes + 1)), "limit-reached");
  });

  it("is of version 1, which says nothing of its use", () => {
    assert.match(wrong(around(bodyWith(([, ...rest]) => [context(0, integer(0)), ...rest]))), /version 1 or 2/);
    wrong(around(bodyWith(([, ...rest]) => rest)));
  });

  it("has one algorithm inside and another outside", () => {
    assert.match(wrong(around(tbsCertificate(parts()), signatureAlgorithm(key, "sha512"))), /two signature algorithms/);
  });

  it("was signed over SHA-1, which can be forged", () => {
    const sha1 = sequence(oid("1.2.840.10045.4.1"));
    const body = bodyWith(([version, serial, , ...rest]) => [version ?? sha1, serial ?? sha1, sha1, ...rest]);
    assert.match(wrong(around(body, sha1)), /algorithm 1\.2\.840\.10045\.4\.1/);
  });

  it("has an extension twice (RFC 5280 §4.2)", () => {
    assert.match(wrong(certificate(parts([basicConstraints(true), basicConstraints(false)]))), /2\.5\.29\.19 twice/);
  });

  it("has extensions of another form", () => {
    const extensions = (...list: readonly Uint8Array[]) =>
      around(bodyWith((all) => [...all.slice(0, -1), context(3, ...list)], [basicConstraints(true)]));
    const one = sequence(oid("1.2.3"), octets(nothing()));
    parse(extensions(sequence(one)));
    for (const list of [
      [sequence(one), sequence(one)],
      [sequence(sequence(oid("1.2.3"), flag(false), octets(nothing())))],
      [sequence(sequence(oid("1.2.3"), flag(true), octets(nothing()), nothing()))],
      [sequence(sequence(oid("1.2.3")))],
      [sequence(sequence(oid("1.2.3"), utf8("text")))],
    ]) {
      assert.notEqual(wrong(extensions(...list)), "");
    }
  });

  it("has unique identifiers beside its extensions", () => {
    const body = bodyWith(
      (all) => [...all.slice(0, -1), context(1, nothing()), ...all.slice(-1)],
      [basicConstraints(true)],
    );
    assert.match(wrong(around(body)), /unique identifiers/);
  });

  it("has basic constraints, usage or key identifiers that cannot be read", () => {
    for (const id of ["2.5.29.19", "2.5.29.37", "2.5.29.14", "2.5.29.35"]) {
      assert.notEqual(wrong(certificate(parts([{ id, value: Buffer.from("0c0161", "hex") }]))), "");
    }
    const extra = { id: "2.5.29.19", value: sequence(flag(true), integer(0), integer(0)) };
    assert.match(wrong(certificate(parts([extra]))), /basic constraints/);
    const signed = { id: "2.5.29.19", value: sequence(flag(true), Buffer.from("0201ff", "hex")) };
    assert.match(wrong(certificate(parts([signed]))), /negative/);
  });

  it("has a key that OpenSSL does not take", () => {
    const spki = sequence(sequence(oid("1.2.3")), bits(Buffer.of(1)));
    const read = () => parse(certificate({ ...parts(), spki })).key;
    thrownBy(read, "certificate-untrusted");
  });
});
