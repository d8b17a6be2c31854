import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { DER, derParts, readDer } from "../../../../src/core/crypto/der.ts";
import { parseBundle } from "../../../../src/core/formats/sigstore-bundle.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { parseTrustedRoot } from "../../../../src/core/trust/root.ts";
import { type ProvenTime, proveTimestamp } from "../../../../src/core/trust/times.ts";
import { thrownBy } from "../../../support/codes.ts";
import { prove, unproven } from "../../../support/prove.ts";
import { USAGES } from "../../../support/sigstore/certificates.ts";
import { element, integer, oid, sequence, utf8 } from "../../../support/sigstore/der.ts";
import { fakeKey } from "../../../support/sigstore/keys.ts";
import { fakeSigstore, type Signed, signKeyless } from "../../../support/sigstore/sign.ts";
import { DAY, FROM, MINUTE, NOW } from "../../../support/sigstore/times.ts";
import { FakeTimestampAuthority, type TimestampOptions } from "../../../support/sigstore/timestamp-authority.ts";
import { type TrustedRootParts, trustedRoot } from "../../../support/sigstore/trusted-root.ts";

const SIGNATURE = Buffer.from("a signature");
const authority = new FakeTimestampAuthority();

type Listed = NonNullable<TrustedRootParts["timestampAuthorities"]>;

function authorities(listed: Listed = [authority]) {
  return parseTrustedRoot(trustedRoot({ timestampAuthorities: listed })).timestampAuthorities;
}

function proven(token: Uint8Array, listed?: Listed): ProvenTime | undefined {
  return proveTimestamp(token, SIGNATURE, authorities(listed));
}

function refusal(token: Uint8Array, listed?: Listed): string {
  const { message, found, wanted } = thrownBy(() => proven(token, listed), "timestamp-invalid");
  assert.ok(found !== undefined && wanted !== undefined, message);
  return `${message} / ${found} / ${wanted}`;
}

/** A token that is wrong in one thing. */
const wrong = (options: TimestampOptions): string => refusal(authority.timestamp(SIGNATURE, options));

/** A token that a public authority made for a conformance case, and the certificates that it brought along. */
function stranger(): { token: Uint8Array; signature: Uint8Array; certificates: readonly Uint8Array[] } {
  const name = "rekor2-timestamp-untrusted-tsa-with-embedded-cert_fail";
  const path = new URL(`../../../vectors/sigstore-conformance/${name}/bundle.sigstore.json`, import.meta.url);
  const { content, timestamps } = parseBundle(new Uint8Array(readFileSync(path)));
  const [token] = timestamps;
  assert.ok(content.kind === "message" && token !== undefined);
  const [, contentInfo] = derParts(readDer(token));
  const [, holder] = contentInfo === undefined ? [] : derParts(contentInfo);
  const [signedData] = holder === undefined ? [] : derParts(holder);
  const certificates = signedData && derParts(signedData).find(({ tag }) => tag === DER.context[0]);
  assert.ok(certificates);
  return {
    token,
    signature: content.message.signature,
    certificates: derParts(certificates).map(({ bytes }) => bytes),
  };
}

describe("a timestamp (RFC 3161)", () => {
  it("proves the time by its authority", () => {
    const { at, authority: by } = proven(authority.timestamp(SIGNATURE)) ?? assert.fail("unknown");
    assert.deepEqual([at, by.operator], [NOW, "timestamp.example.com"]);
  });

  for (const hash of ["sha256", "sha384", "sha512"] as const) {
    it(`is taken over ${hash}, and without certificates of its own`, () => {
      assert.equal(proven(authority.timestamp(SIGNATURE, { hash, withCertificates: false }))?.at, NOW);
    });
  }

  for (const key of ["p256", "p384", "p521", "rsa2048", "ed25519"] as const) {
    it(`is taken by an authority with a key of kind ${key}, and not where another key signed`, () => {
      const by = new FakeTimestampAuthority({ key });
      assert.equal(proven(by.timestamp(SIGNATURE), [by])?.at, NOW);
      for (const kind of [key, "p256", "ed25519"] as const) {
        const forged = by.timestamp(SIGNATURE, { signer: fakeKey(kind) });
        thrownBy(() => proven(forged, [by]), "timestamp-invalid");
      }
    });
  }

  it("of another make is taken: RSA, SHA-512, a certificate named by its SHA-1 too", () => {
    const { token, signature, certificates } = stranger();
    const certChain = { certificates: certificates.map((der) => ({ rawBytes: Buffer.from(der).toString("base64") })) };
    const listed = authorities([{ of: authority, with: { certChain } }]);
    assert.equal(proveTimestamp(token, signature, authorities()), undefined);
    assert.equal(proveTimestamp(token, signature, listed)?.at, Date.UTC(2025, 7, 6, 19, 38, 49));
    thrownBy(() => proveTimestamp(token, SIGNATURE, listed), "timestamp-invalid");
  });

  it("of an authority that is not in the trust root is passed over, whatever is in it", () => {
    const stranger = new FakeTimestampAuthority({ name: "elsewhere.example.com" });
    assert.equal(proven(stranger.timestamp(SIGNATURE)), undefined);
    assert.equal(proven(stranger.timestamp(SIGNATURE, { imprintOf: Buffer.from("other") })), undefined);
    // Certificates inside a token are never believed, a known authority's beside them or not (CVE-2026-39984).
    const dressed = stranger.timestamp(SIGNATURE, { certificates: [...authority.chain, ...stranger.chain] });
    assert.equal(proven(dressed), undefined);
  });

  it("is judged by the window that fits, where an authority stands there twice", () => {
    const past = { of: authority, validFor: { start: FROM, end: NOW - DAY } };
    assert.equal(proven(authority.timestamp(SIGNATURE), [past, authority])?.at, NOW);
  });
});

describe("a timestamp that is refused", () => {
  it("is about another signature, or about the content instead", () => {
    assert.match(wrong({ imprintOf: Buffer.from("another signature") }), /about something else/);
    assert.match(wrong({ imprint: Buffer.alloc(32) }), /about something else/);
    assert.match(wrong({ imprint: Buffer.alloc(20) }), /about something else/);
  });

  it("hashes with SHA-1", () => {
    const token = authority.timestamp(SIGNATURE);
    const sha256 = oid("2.16.840.1.101.3.4.2.1");
    // The imprint's algorithm is the second time that the hash is named; the length stays, so that all else can be read.
    const hex = Buffer.from(token).toString("hex");
    const at = hex.indexOf(sha256.toString("hex"), hex.indexOf(sha256.toString("hex")) + 2) / 2;
    const changed = Buffer.from(token);
    changed.set(oid("2.16.840.1.101.3.4.2.4"), at);
    assert.match(refusal(changed), /hash 2\.16\.840\.1\.101\.3\.4\.2\.4/);
  });

  it("was not granted (PKIStatus)", () => {
    for (const status of [1, 2, 3, 4, 5]) {
      assert.match(wrong({ status, withToken: true }), new RegExp(`PKIStatus ${status}`));
    }
    assert.match(wrong({ withToken: false }), /without a token/);
    assert.match(wrong({ status: 2 }), /PKIStatus 2/);
  });

  it("is signed by another key in the authority's name", () => {
    assert.match(wrong({ signer: fakeKey() }), /signature of a timestamp does not hold/);
  });

  it("signs another content than it shows", () => {
    assert.match(wrong({ messageDigestOf: Buffer.from("other") }), /does not hold/);
    assert.match(wrong({ contentType: "1.2.840.113549.1.7.1" }), /no timestamp/);
  });

  it("names another certificate as its signer's, or none (RFC 5816)", () => {
    assert.match(wrong({ signingCertificate: authority.root }), /another certificate/);
    assert.match(wrong({ signingCertificate: "missing" }), /does not name its certificate/);
  });

  it("is of a time outside its authority's certificate, or of the trust root's window, ends included", () => {
    const short = new FakeTimestampAuthority({ leaf: { notBefore: NOW, notAfter: NOW + MINUTE } });
    const at = (time: number) => short.timestamp(SIGNATURE, { at: time });
    for (const time of [NOW, NOW + MINUTE]) assert.equal(proven(at(time), [short])?.at, time);
    for (const time of [NOW - 1000, NOW + MINUTE + 1000]) assert.match(refusal(at(time), [short]), /not valid/);
    const token = authority.timestamp(SIGNATURE);
    assert.equal(proven(token, [{ of: authority, validFor: { start: NOW, end: NOW } }])?.at, NOW);
    for (const validFor of [{ start: FROM, end: NOW - 1000 }, { start: NOW + 1000 }]) {
      assert.match(refusal(token, [{ of: authority, validFor }]), /believed from/);
    }
  });

  it("is by an authority whose root had expired", () => {
    const old = new FakeTimestampAuthority({ root: { notAfter: NOW - DAY } });
    assert.match(refusal(old.timestamp(SIGNATURE), [old]), /CN=root/);
  });

  it("is by a certificate for something else, or not for time stamping alone (RFC 3161 §2.3)", () => {
    for (const leaf of [
      { extendedKeyUsage: [USAGES.codeSigning] },
      { extendedKeyUsage: [] },
      { extendedKeyUsage: [USAGES.timeStamping, USAGES.codeSigning] },
      { extendedKeyUsage: [USAGES.any] },
      { isUsageCritical: false },
    ]) {
      const by = new FakeTimestampAuthority({ leaf });
      assert.match(refusal(by.timestamp(SIGNATURE), [by]), /of a wrong kind.*time stamping/);
    }
  });

  it("is by a certificate for something else, with one for time stamping beside it (CVE-2026-39984)", () => {
    const by = new FakeTimestampAuthority({ leaf: { extendedKeyUsage: [USAGES.codeSigning] } });
    const good = new FakeTimestampAuthority();
    assert.match(refusal(by.timestamp(SIGNATURE, { certificates: [...good.chain, ...by.chain] }), [by]), /wrong kind/);
  });

  it("is by an authority that the trust root lists without what issued it", () => {
    const certificates = [{ rawBytes: Buffer.from(authority.leaf).toString("base64") }];
    const alone = { of: authority, with: { certChain: { certificates } } };
    assert.match(refusal(authority.timestamp(SIGNATURE), [alone]), /does not lead to an authority/);
  });

  for (const [what, token] of [
    ["nothing", new Uint8Array()],
    ["text", Buffer.from("timestamp")],
    ["an answer of another form", sequence(integer(0))],
    ["a token of another form", sequence(sequence(integer(0)), sequence(oid("1.2.3"), utf8("x")))],
    ["a token with something behind it", Buffer.concat([authority.timestamp(SIGNATURE), Buffer.of(0)])],
    ["half a token", authority.timestamp(SIGNATURE).subarray(0, 200)],
  ] as const) {
    it(`is ${what}`, () => assert.match(refusal(token), /malformed/));
  }

  it("is larger than a timestamp (CVE-2025-66564)", () => {
    thrownBy(() => proven(element(0x30, Buffer.alloc(LIMITS.timestampAnswerBytes))), "limit-reached");
  });
});

describe("enough timestamps", () => {
  const sigstore = fakeSigstore();
  const second = new FakeTimestampAuthority({ name: "second.example.com", operator: "example.com" });
  const root = (version: "v0.1" | "v0.2") =>
    trustedRoot({
      authorities: [sigstore.authority],
      logs: [sigstore.log, sigstore.log2],
      certificateLogs: [sigstore.certificateLog],
      timestampAuthorities: [sigstore.timestampAuthority, second],
      version,
    });
  const signed = signKeyless(sigstore, { timestampAuthorities: [sigstore.timestampAuthority, second] });

  it("are counted by distinct authorities, and by operators where the trust root names them", () => {
    const demands = { timestamps: 2 };
    assert.equal(prove(sigstore, signed, { demands, root: root("v0.1") }).timestamps.length, 2);
    const { found } = unproven(sigstore, signed, "timestamp-missing", { demands, root: root("v0.2") });
    assert.equal(found, "example.com");
  });

  it("are not two of one authority, nor one twice", () => {
    const [token = SIGNATURE] = signed.timestamps;
    const demands = { timestamps: 2 };
    const twice = [token, sigstore.timestampAuthority.timestamp(signed.signature, { at: NOW - 1000 })];
    unproven(sigstore, { ...signed, timestamps: twice }, "timestamp-missing", { demands });
    unproven(sigstore, { ...signed, timestamps: [token, token] }, "malformed-signature");
  });

  it("are not the times of logs: an authority's can be demanded", () => {
    const logged = signKeyless(sigstore);
    assert.equal(prove(sigstore, logged).signedAt, NOW);
    const { wanted } = unproven(sigstore, logged, "timestamp-missing", { demands: { timestamps: 1 } });
    assert.equal(wanted, "1 timestamp authority of the trust root");
  });

  it("even unasked must be right where the trust root knows the authority", () => {
    const other = sigstore.timestampAuthority.timestamp(SIGNATURE);
    unproven(sigstore, { ...signKeyless(sigstore), timestamps: [other] }, "timestamp-invalid");
  });

  it("say that they are of unknown authorities", () => {
    const stranger = new FakeTimestampAuthority({ name: "elsewhere.example.com" });
    const only = (count: number): Signed => ({
      ...signed,
      timestamps: Array.from({ length: count }, (_, at) =>
        stranger.timestamp(signed.signature, { at: NOW + at * 1000 }),
      ),
    });
    const found = (count: number) =>
      unproven(sigstore, only(count), "timestamp-missing", { demands: { timestamps: 1 } }).found;
    assert.deepEqual(
      [found(1), found(2)],
      ["1 timestamp by an unknown authority", "2 timestamps by unknown authorities"],
    );
  });

  it("make the earliest time the one of signing", () => {
    const timestamps = [MINUTE, 0].map((later) =>
      sigstore.timestampAuthority.timestamp(signed.signature, { at: NOW + later }),
    );
    assert.equal(prove(sigstore, { ...signed, timestamps }).signedAt, instant(NOW));
  });
});
