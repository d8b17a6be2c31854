import assert from "node:assert/strict";
import { generateKeyPairSync, sign } from "node:crypto";
import { before, describe, it } from "node:test";
import { prepareDigests } from "../../../../src/core/crypto/digest-signature.ts";
import { publicKeyFrom } from "../../../../src/core/crypto/public-key.ts";
import type { UntrustedSignature } from "../../../../src/core/formats/envelope.ts";
import { instant } from "../../../../src/core/time.ts";
import type { Demands } from "../../../../src/core/trust/material.ts";
import { parseTrustedRoot } from "../../../../src/core/trust/root.ts";
import { SigstoreTrust } from "../../../../src/core/trust/sigstore.ts";
import { thrownBy } from "../../../support/codes.ts";
import { prove, unproven, untrusted } from "../../../support/prove.ts";
import { FakeAuthority, ISSUER, SUBJECT } from "../../../support/sigstore/authority.ts";
import { USAGES } from "../../../support/sigstore/certificates.ts";
import { entryBody } from "../../../support/sigstore/entry-bodies.ts";
import { digest, fakeKey, type Hash, type KeyKind } from "../../../support/sigstore/keys.ts";
import { fakeSigstore, loggedFrom, type Signed, signKeyless } from "../../../support/sigstore/sign.ts";
import { DAY, FROM, MINUTE, NOW } from "../../../support/sigstore/times.ts";
import { trustedRoot } from "../../../support/sigstore/trusted-root.ts";

const sigstore = fakeSigstore();
const FILE = Buffer.from("a file");
const signed = signKeyless(sigstore);

describe("a keyless signature", () => {
  it("proves whose it is, with which key, and what was proven beside it", () => {
    const proof = prove(sigstore, signed);
    assert.deepEqual(proof.identity, { subject: SUBJECT, subjectKind: "email", issuer: ISSUER, claims: {} });
    assert.deepEqual(proof.publicKey.spki, new Uint8Array(signed.key.spki));
    assert.deepEqual([proof.logs.length, proof.timestamps.length, proof.certificateLogs.length], [1, 0, 1]);
    assert.equal(proof.signedAt, NOW);
  });

  for (const key of ["p256", "p384", "p521", "rsa2048", "ed25519"] as const satisfies readonly KeyKind[]) {
    it(`is verified with a key of kind ${key} and its own hash`, () => {
      assert.equal(prove(sigstore, signKeyless(sigstore, { key })).logs.length, 1);
    });
  }

  for (const key of ["p384", "p521"] as const) {
    it(`is verified with a key of kind ${key} over SHA-256, as older tools signed`, () => {
      assert.equal(prove(sigstore, signKeyless(sigstore, { key, hash: "sha256" })).logs.length, 1);
    });
  }

  it("is refused over SHA-512 by a key that goes with SHA-256", () => {
    unproven(sigstore, signKeyless(sigstore, { key: "p256", hash: "sha512" }), "bad-signature");
    unproven(sigstore, signKeyless(sigstore, { key: "rsa2048", hash: "sha512" }), "bad-signature");
  });

  it("is refused over other content, even where no log holds it", () => {
    const demands = { logs: 0 };
    const unlogged = { ...signKeyless(sigstore, { logs: [sigstore.log2] }), logEntries: [] };
    assert.equal(prove(sigstore, unlogged, { demands }).logs.length, 0);
    unproven(sigstore, { ...unlogged, signedBytes: FILE }, "bad-signature", { demands });
  });

  it("is refused with somebody else's certificate", () => {
    const { certificates } = signKeyless(sigstore);
    const timestamps = [sigstore.timestampAuthority.timestamp(signed.signature)];
    const stolen = { ...signed, certificates, logEntries: [], timestamps };
    unproven(sigstore, stolen, "bad-signature", { demands: { logs: 0 } });
  });

  it("is refused without a certificate", () => {
    unproven(sigstore, { ...signed, certificates: [] }, "certificate-untrusted");
  });

  it("is refused with what is no certificate, or one with a weak key", () => {
    for (const certificate of [FILE, weakLeaf()]) {
      unproven(sigstore, { ...signed, certificates: [certificate] }, "certificate-untrusted");
    }
  });

  it("is refused with a certificate that names nobody, or two, once everything else is proven", () => {
    for (const subject of [[], [{ email: "a@example.com" }, { uri: "https://b.example.com" }]]) {
      unproven(sigstore, signKeyless(sigstore, { certificate: { subject } }), "certificate-untrusted");
    }
  });

  it("is refused with a certificate for another purpose", () => {
    const certificate = { extendedKeyUsage: [USAGES.serverAuth] };
    unproven(sigstore, signKeyless(sigstore, { certificate }), "certificate-untrusted");
  });

  it("is refused with a certificate of another instance, which is named with its key", () => {
    const { found, wanted } = unproven(sigstore, signKeyless(fakeSigstore()), "certificate-untrusted");
    assert.match(found ?? "", /^one by O=ca\.example\.com, CN=intermediate \(key [0-9a-f]{16}…\)$/);
    assert.match(wanted ?? "", /^O=ca\.example\.com, CN=intermediate \(key/);
    assert.notEqual(found, `one by ${wanted}`);
    const elsewhere = fakeSigstore({ authority: new FakeAuthority({ name: "elsewhere.example.com" }) });
    assert.equal(
      unproven(sigstore, signKeyless(elsewhere), "certificate-untrusted").wanted,
      "O=ca.example.com, CN=intermediate",
    );
    const none = trustedRoot({ logs: [sigstore.log] });
    assert.match(unproven(sigstore, signed, "certificate-untrusted", { root: none }).wanted ?? "", /has none/);
  });

  it("may bring the intermediate of a private authority whose root alone is trusted", () => {
    const { authority } = sigstore;
    const certificates = [{ rawBytes: Buffer.from(authority.root).toString("base64") }];
    const root = trustedRoot({
      authorities: [{ of: authority, with: { certChain: { certificates } } }],
      logs: [sigstore.log],
      certificateLogs: [sigstore.certificateLog],
    });
    unproven(sigstore, signed, "certificate-untrusted", { root });
    const whole = { ...untrusted(signed), certificates: signed.certificates };
    assert.equal(prove(sigstore, whole, { root }).identity.subject, SUBJECT);
    const junk = { ...whole, certificates: [...signed.certificates, FILE] };
    assert.equal(prove(sigstore, junk, { root }).identity.subject, SUBJECT);
  });
});

function weakLeaf(): Uint8Array {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 1024 });
  return sigstore.authority.issue({ publicKey, notBefore: NOW - MINUTE }).leaf;
}

describe("the time of a keyless signature", () => {
  const second = signKeyless(sigstore, { logs: [sigstore.log2] });

  it("has to be proven, whatever is demanded: an expired certificate proves nothing now", () => {
    const untimed = { ...second, timestamps: [] };
    for (const times of [0, 1]) unproven(sigstore, untimed, "timestamp-missing", { demands: { times } });
  });

  it("has to lie within the certificate's, by each witness", () => {
    const late = signKeyless(sigstore, { certificate: { notBefore: NOW - DAY } });
    const { found, wanted } = unproven(sigstore, late, "certificate-untrusted");
    assert.deepEqual(
      [found, wanted],
      ["the time 2026-06-01T12:00:00Z", "valid from 2026-05-31T12:00:00Z to 2026-05-31T12:10:00Z"],
    );
    const early = sigstore.timestampAuthority.timestamp(signed.signature, { at: NOW - DAY });
    unproven(sigstore, { ...signed, timestamps: [early] }, "certificate-untrusted");
  });

  it("may be demanded of two witnesses of either kind", () => {
    const demands = { times: 2 };
    unproven(sigstore, signed, "timestamp-missing", { demands });
    const timestamps = [sigstore.timestampAuthority.timestamp(signed.signature)];
    assert.equal(prove(sigstore, { ...signed, timestamps }, { demands }).timestamps.length, 1);
    const again = [timestamps[0] ?? FILE, sigstore.timestampAuthority.timestamp(second.signature, { at: NOW - 1000 })];
    unproven(sigstore, { ...second, timestamps: again.slice(1) }, "timestamp-missing", { demands });
  });

  it("is the present for a private authority, when that is said and nothing else is proven", () => {
    const untimed = { ...second, timestamps: [] };
    const demands: Partial<Demands> = { currentTime: true };
    const { signedAt, logs } = prove(sigstore, untimed, { demands });
    assert.deepEqual([signedAt, logs.length], [undefined, 1]);
    unproven(sigstore, untimed, "certificate-untrusted", { demands, now: instant(NOW + DAY) });
    unproven(sigstore, untimed, "certificate-untrusted", { demands, now: instant(NOW - DAY) });
    unproven(sigstore, untimed, "timestamp-missing", { demands: { ...demands, timestamps: 1 } });
  });

  it("is not the present where a time is proven", () => {
    const demands = { currentTime: true };
    assert.equal(prove(sigstore, signed, { demands, now: instant(NOW + DAY) }).signedAt, NOW);
    const late = signKeyless(sigstore, { certificate: { notBefore: NOW - DAY } });
    unproven(sigstore, late, "certificate-untrusted", { demands, now: instant(NOW - DAY) });
  });
});

describe("a signature over a digest alone", () => {
  before(prepareDigests);

  const over = (by: Signed, algorithm: Hash, bytes: Uint8Array = FILE): UntrustedSignature => ({
    ...untrusted(by),
    signed: { kind: "digest", algorithm, digest: digest(bytes, algorithm) },
  });

  for (const key of ["p256", "p384", "p521", "rsa2048", "ed25519ph"] as const satisfies readonly KeyKind[]) {
    it(`is verified with a key of kind ${key}`, () => {
      const by = signKeyless(sigstore, { key, what: { file: FILE } });
      assert.equal(prove(sigstore, over(by, by.hash)).logs.length, 1);
      assert.equal(prove(sigstore, by).logs.length, 1);
      const other = over(by, by.hash, Buffer.from("another file"));
      unproven(sigstore, other, "log-entry-invalid");
      const unlogged = { ...other, logEntries: [], timestamps: [sigstore.timestampAuthority.timestamp(by.signature)] };
      unproven(sigstore, unlogged, "bad-signature", { demands: { logs: 0 } });
    });
  }

  it("is refused with pure Ed25519, which signs the file and no digest", () => {
    const by = signKeyless(sigstore, { key: "ed25519", what: { file: FILE }, entry: { kind: "hashedrekord" } });
    assert.equal(prove(sigstore, by).logs.length, 1);
    unproven(sigstore, over(by, "sha512"), "bad-signature");
    const { wanted } = unproven(sigstore, { ...over(by, "sha256"), logEntries: [] }, "bad-signature", {
      demands: { logs: 0 },
    });
    assert.match(wanted ?? "", /pure Ed25519 signs the file/);
  });

  it("is refused where the digest is not the one that was signed or recorded", () => {
    const by = signKeyless(sigstore, { what: { file: FILE } });
    assert.match(unproven(sigstore, over(by, "sha512"), "log-entry-invalid").found ?? "", /sha256/);
    const unlogged = { ...over(by, "sha512"), logEntries: [] };
    assert.match(unproven(sigstore, unlogged, "bad-signature", { demands: { logs: 0 } }).wanted ?? "", /sha256/);
  });
});

describe("a bare key's signature in a log", () => {
  const key = fakeKey();
  const publicKey = publicKeyFrom(key.publicKey, "cosign.pub");
  const bare = signKeyless(sigstore, { key, certificate: "none" });
  const demands: Demands = { logs: 1, certificateLogs: 0, timestamps: 0, times: 0, currentTime: false };
  const proveKey = (by: Signed, asked: Partial<Demands> = {}) =>
    new SigstoreTrust(parseTrustedRoot(sigstore.trustedRoot), "it").proveKey(
      untrusted(by),
      publicKey,
      { ...demands, ...asked },
      instant(NOW),
    );

  it("is not proven by a log without a time whose window has ended (CVE-2026-54787)", () => {
    const untimed = signKeyless(sigstore, {
      key,
      certificate: "none",
      logs: [sigstore.log2],
      timestampAuthorities: [],
    });
    const log = { of: sigstore.log2, validFor: { start: FROM, end: NOW - 300 * DAY } };
    const root = parseTrustedRoot(trustedRoot({ logs: [log] }));
    const prove = () => new SigstoreTrust(root, "it").proveKey(untrusted(untimed), publicKey, demands, instant(NOW));
    thrownBy(prove, "log-entry-invalid");
  });

  it("is proven by one log entry, and needs no time", () => {
    assert.equal(proveKey(bare).logs.length, 1);
    const second = signKeyless(sigstore, { key, certificate: "none", logs: [sigstore.log2] });
    assert.equal(proveKey({ ...second, timestamps: [] }).signedAt, undefined);
    assert.equal(proveKey(second, { timestamps: 1, times: 1 }).signedAt, NOW);
  });

  it("is refused with no entry, another key's, or another content's", () => {
    thrownBy(() => proveKey({ ...bare, logEntries: [] }), "log-entry-missing");
    const others = entryBody("dsse", { ...loggedFrom(bare), verifier: { spki: fakeKey().spki } });
    const { message } = thrownBy(
      () => proveKey({ ...bare, logEntries: [sigstore.log.include(others)] }),
      "log-entry-invalid",
    );
    assert.match(message, /by another key/);
    const content = entryBody("dsse", { ...loggedFrom(bare), payload: FILE });
    thrownBy(() => proveKey({ ...bare, logEntries: [sigstore.log.include(content)] }), "log-entry-invalid");
  });

  it("may be recorded with a certificate for that key, and with no other", () => {
    const certified = signKeyless(sigstore, { key });
    assert.equal(proveKey(certified).logs.length, 1);
    const [certificate = FILE] = signKeyless(sigstore).certificates;
    const stranger = entryBody("dsse", { ...loggedFrom(certified), verifier: { certificate } });
    thrownBy(() => proveKey({ ...certified, logEntries: [sigstore.log.include(stranger)] }), "log-entry-invalid");
    const broken = entryBody("dsse", { ...loggedFrom(certified), verifier: { certificate: FILE } });
    thrownBy(() => proveKey({ ...certified, logEntries: [sigstore.log.include(broken)] }), "log-entry-invalid");
  });

  it("is verified once more: an entry proves nothing for a signature that does not hold", () => {
    const signature = new Uint8Array(sign("sha256", FILE, key.privateKey));
    thrownBy(() => proveKey({ ...bare, signature, logEntries: [] }, { logs: 0 }), "bad-signature");
  });

  it("lacks a time where one is demanded", () => {
    const second = signKeyless(sigstore, { key, certificate: "none", logs: [sigstore.log2] });
    thrownBy(() => proveKey({ ...second, timestamps: [] }, { times: 1 }), "timestamp-missing");
  });
});
