import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { describe, it } from "node:test";
import { parseLegacySignature } from "../../../src/core/formats/cosign-legacy.ts";
import { parseBundle } from "../../../src/core/formats/sigstore-bundle.ts";
import { FakeAuthority } from "../../support/sigstore/authority.ts";
import { FakeCertificateLog } from "../../support/sigstore/certificate-log.ts";
import { USAGES } from "../../support/sigstore/certificates.ts";
import { entryBody } from "../../support/sigstore/entry-bodies.ts";
import { digest, fakeKey } from "../../support/sigstore/keys.ts";
import { verifyByLibrary } from "../../support/sigstore/library-verifier.ts";
import { FakeLog } from "../../support/sigstore/log.ts";
import {
  bundleOf,
  fakeSigstore,
  legacyAttestation,
  legacyCandidate,
  legacyPayload,
  loggedFrom,
  type Signed,
  type SignOptions,
  signKeyless,
} from "../../support/sigstore/sign.ts";
import { DAY, FROM, MINUTE, NOW } from "../../support/sigstore/times.ts";
import { FakeTimestampAuthority } from "../../support/sigstore/timestamp-authority.ts";
import { trustedRoot } from "../../support/sigstore/trusted-root.ts";

const sigstore = fakeSigstore();
const { authority, certificateLog, log, log2, timestampAuthority } = sigstore;
const FILE = Buffer.from("what was signed");

function ask(signed: Signed, root = sigstore.trustedRoot, version: "0.1" | "0.2" | "0.3" = "0.3"): void {
  const file = signed.statement === undefined ? signed.signedBytes : undefined;
  verifyByLibrary({ bundle: bundleOf(signed, version), trustedRoot: root, file });
}

function sign(options: SignOptions = {}): Signed {
  return signKeyless(sigstore, options);
}

describe("what the fake Sigstore makes is accepted by @sigstore/verify", () => {
  for (const version of ["0.1", "0.2", "0.3"] as const) {
    it(`as a bundle v${version}, which our own reader takes too`, () => {
      ask(sign(), sigstore.trustedRoot, version);
      assert.equal(parseBundle(bundleOf(sign(), version)).version, version);
    });
  }

  const GOOD: Readonly<Record<string, SignOptions>> = {
    "a statement in Rekor 1, as hashedrekord 0.0.1": { entry: { kind: "hashedrekord" } },
    "a statement in Rekor 1, as intoto 0.0.2": { entry: { kind: "intoto" } },
    "a statement in Rekor 2 with a timestamp": { logs: [log2] },
    "a statement in Rekor 2, as the withdrawn dsse 0.0.2": { logs: [log2], entry: { kind: "dsse-v2" } },
    "a statement in both": { logs: [log, log2], timestampAuthorities: [timestampAuthority] },
    "a file in Rekor 1": { what: { file: FILE } },
    "a file in Rekor 2": { what: { file: FILE }, logs: [log2] },
    "a file by a P-384 key": { what: { file: FILE }, key: "p384" },
    "a file by a P-521 key": { what: { file: FILE }, key: "p521", logs: [log2] },
    "a statement by an RSA key": { key: "rsa2048" },
    "an entry cosigned by witnesses": { logs: [log2], entry: { witnesses: { before: ["a/1"], after: ["b/2"] } } },
    "a checkpoint with more lines": { entry: { extensionLines: ["something else"] } },
    "a user name": { certificate: { subject: { otherName: "dev!example.com" } } },
    "a timestamp without certificates": { logs: [log2], timestamp: { withCertificates: false } },
    "a timestamp by SHA-512": { logs: [log2], timestamp: { hash: "sha512" } },
  };
  for (const [what, options] of Object.entries(GOOD)) it(what, () => ask(sign(options)));

  it("the payload of a .sig layer, which our own reader takes whole", () => {
    const signed = sign({ what: { payload: legacyPayload() }, timestampAuthorities: [timestampAuthority] });
    ask(signed);
    const read = parseLegacySignature(legacyCandidate(signed));
    assert.deepEqual(
      [read.signature, read.signed],
      [new Uint8Array(signed.signature), { kind: "bytes", bytes: signed.signedBytes }],
    );
    assert.deepEqual(read.certificates.map(toHex), signed.certificates.map(toHex));
    assert.deepEqual(read.timestamps.map(toHex), signed.timestamps.map(toHex));
    assert.equal(toHex(read.logEntries[0]?.promise), toHex(signed.logEntries[0]?.promise));
  });

  for (const generation of [1, 2] as const) {
    for (const kind of ["p256", "p384"] as const) {
      it(`an entry of a log of generation ${generation} whose ${kind} key hashes with SHA-256`, () => {
        const instance = fakeSigstore({ log: new FakeLog({ generation, key: fakeKey(kind, "sha256") }) });
        const signed = signKeyless(instance, { timestampAuthorities: [instance.timestampAuthority] });
        ask(signed, instance.trustedRoot);
      });
    }
  }

  it("a certificate of an authority on P-256 without an intermediate", () => {
    const small = new FakeAuthority({ rootKey: "p256", withoutIntermediate: true, certificateLogs: [certificateLog] });
    const instance = fakeSigstore({ authority: small, certificateLog });
    ask(signKeyless(instance), instance.trustedRoot);
  });

  it("a bare key, where nothing else is asked for", () => {
    const signed = sign({ certificate: "none", logs: [] });
    const { signer } = parseBundle(bundleOf(signed));
    assert.equal(signer.kind, "public-key");
  });

  it("ten thousand entries, quickly", () => {
    const logged = loggedFrom(sign());
    const many = new FakeLog({ generation: 2 });
    const entries = Array.from({ length: 10_000 }, () => many.record(logged));
    assert.equal(entries.at(-1)?.logIndex, 10_004n);
  });
});

function toHex(bytes: Uint8Array | undefined): string | undefined {
  return bytes === undefined ? undefined : Buffer.from(bytes).toString("hex");
}

describe("what the fake Sigstore breaks is refused by @sigstore/verify", () => {
  const good = sign();
  const timed = sign({ logs: [log2] });
  const logged = loggedFrom(good);
  const other = fakeKey();
  const stamped = (options: Parameters<FakeTimestampAuthority["timestamp"]>[1]): Signed => ({
    ...timed,
    timestamps: [timestampAuthority.timestamp(timed.signature, options)],
  });
  const entered = (options: Parameters<FakeLog["record"]>[1]): Signed => ({
    ...good,
    logEntries: [log.record(logged, options)],
  });
  const [entry] = good.logEntries;
  assert.ok(entry?.proof);

  const BROKEN: Readonly<Record<string, readonly [Signed, RegExp]>> = {
    "another entry": [{ ...good, logEntries: sign().logEntries }, /signature mismatch/],
    "another entry's body": [
      { ...good, logEntries: [{ ...entry, body: entryBody("dsse", loggedFrom(sign())).body }] },
      /promise/,
    ],
    "another entry's body without a promise": [
      { ...timed, logEntries: timed.logEntries.map((each) => ({ ...each, body: entry.body })) },
      /root hash/,
    ],
    "a root hash that is not the tree's": [entered({ rootHash: entry.proof.hashes[0] ?? entry.body }), /root hash/],
    "a size that is not the tree's": [entered({ treeSize: 4n }), /invalid index/],
    "a checkpoint by another key": [entered({ checkpointKey: other }), /checkpoint signature/],
    "a checkpoint under another key's id": [
      entered({ checkpointKeyId: Buffer.of(1, 2, 3, 4) }),
      /checkpoint signature/,
    ],
    "a checkpoint under another name": [entered({ signerName: "evil.example.com" }), /checkpoint signature/],
    "a promise by another key": [entered({ promiseKey: other }), /promise/],
    "a promise over another body": [entered({ promiseOver: { body: Buffer.from("x") } }), /promise/],
    "a promise of another time": [entered({ promiseOver: { at: NOW - DAY } }), /promise/],
    "a promise of another place": [entered({ promiseOver: { logIndex: 1n } }), /promise/],
    "a promise in another log's name": [entered({ promiseOver: { logId: log2.logId } }), /promise/],
    "neither promise nor proof": [entered({ withoutPromise: true, withoutProof: true }), /invalid bundle/],
    "a log that is not in the trust root": [sign({ logs: [new FakeLog()] }), /promise|inclusion/],
    "an entry from after the certificate": [sign({ entry: { at: NOW + DAY } }), /certificate chain/],
    "no timestamp and no time": [{ ...timed, timestamps: [] }, /expected 1 timestamps/],
    "a timestamp over other bytes": [stamped({ imprintOf: FILE }), /timestamp could not be verified/],
    "a timestamp by another key": [stamped({ signer: other }), /timestamp could not be verified/],
    "a timestamp whose digest is of something else": [stamped({ messageDigestOf: FILE }), /timestamp could not/],
    "a timestamp of another kind of content": [stamped({ contentType: "1.2.840.113549.1.7.1" }), /timestamp could not/],
    "a timestamp from after the certificate": [stamped({ at: NOW + DAY }), /certificate chain/],
    "a timestamp by a stranger": [
      sign({ logs: [log2], timestampAuthorities: [new FakeTimestampAuthority()] }),
      /timestamp could not be verified/,
    ],
    "a certificate without SCT": [sign({ certificate: { sctBy: [] } }), /expected 1 SCTs/],
    "an SCT of an unknown log": [sign({ certificate: { sctBy: [new FakeCertificateLog()] } }), /SCT/],
    "an SCT for another issuer": [sign({ certificate: { sctIssuer: other.spki } }), /SCT/],
    "an SCT from before the log's window": [sign({ certificate: { sctAt: FROM - DAY } }), /SCT/],
    "a certificate that somebody else signed": [
      sign({ certificate: { signer: fakeKey("p384") } }),
      /certificate chain/,
    ],
    "a certificate of another authority": [
      sign({ certificate: new FakeAuthority().issue(other) }),
      /certificate chain/,
    ],
    "another signature": [{ ...good, signature: other.sign(good.signedBytes) }, /mismatch/],
    "another statement": [{ ...good, statement: Buffer.from("{}") }, /mismatch/],
  };
  for (const [what, [signed, reason]] of Object.entries(BROKEN)) {
    it(what, () => assert.throws(() => ask(signed), reason));
  }
});

describe("the trust root", () => {
  const signed = sign({ logs: [log, log2], timestampAuthorities: [timestampAuthority] });
  const parts = {
    authorities: [authority],
    logs: [log, log2],
    certificateLogs: [certificateLog],
    timestampAuthorities: [timestampAuthority],
  };

  for (const version of ["0.1", "v0.1"] as const) {
    it(`is read in version ${version}`, () => ask(signed, trustedRoot({ ...parts, version })));
  }

  it("has a key id of four bytes and operators in v0.2, which @sigstore/verify takes for the whole id", () => {
    const { tlogs, timestampAuthorities } = JSON.parse(
      Buffer.from(trustedRoot({ ...parts, version: "v0.2" })).toString(),
    );
    assert.equal(Buffer.from(tlogs[0].checkpointKeyId.keyId, "base64").length, 4);
    assert.equal(timestampAuthorities[0].operator, "example.com");
    assert.throws(() => ask(signed, trustedRoot({ ...parts, version: "v0.2" })));
  });

  const WINDOWS = {
    "a log's": { ...parts, logs: [{ of: log, validFor: { start: FROM, end: NOW - DAY } }, log2] },
    "an authority's": { ...parts, authorities: [{ of: authority, validFor: { start: NOW + DAY } }] },
    "a certificate log's": { ...parts, certificateLogs: [{ of: certificateLog, validFor: { start: NOW + DAY } }] },
    "a timestamp authority's": {
      ...parts,
      timestampAuthorities: [{ of: timestampAuthority, validFor: { end: FROM } }],
    },
  };
  for (const [whose, root] of Object.entries(WINDOWS)) {
    it(`has windows that close: ${whose}`, () => assert.throws(() => ask(signed, trustedRoot(root))));
  }

  it("leaves out a member that is set to undefined", () => {
    const text = Buffer.from(
      trustedRoot({ logs: [{ of: log, with: { logId: undefined, operator: "x" } }] }),
    ).toString();
    assert.deepEqual(Object.keys(JSON.parse(text).tlogs[0]), ["baseUrl", "hashAlgorithm", "publicKey", "operator"]);
  });
});

describe("certificates", () => {
  const { publicKey } = fakeKey();
  const read = (options: Omit<Parameters<FakeAuthority["issue"]>[0], "publicKey">) =>
    new X509Certificate(authority.issue({ publicKey, ...options }).leaf);

  it("chain up to the root", () => {
    const [leaf, intermediate, root] = authority.issue({ publicKey }).chain.map((der) => new X509Certificate(der));
    assert.ok(leaf && intermediate && root);
    assert.ok(leaf.checkIssued(intermediate) && leaf.verify(intermediate.publicKey));
    assert.ok(intermediate.checkIssued(root) && intermediate.verify(root.publicKey) && root.verify(root.publicKey));
    assert.deepEqual([leaf.ca, intermediate.ca, root.ca], [false, true, true]);
  });

  it("live for ten minutes unless told otherwise", () => {
    const { validFromDate, validToDate } = read({});
    assert.deepEqual([validFromDate.getTime(), validToDate.getTime()], [NOW, NOW + 10 * MINUTE]);
    assert.equal(read({ notBefore: FROM, notAfter: NOW }).validToDate.getTime(), NOW);
  });

  it("name nobody, one or several", () => {
    assert.equal(read({ subject: [] }).subjectAltName, undefined);
    assert.equal(read({ subject: { uri: "https://ci.example.com/a" } }).subjectAltName, "URI:https://ci.example.com/a");
    const both = [{ email: "a@example.com" }, { email: "b@example.com" }];
    assert.equal(read({ subject: both }).subjectAltName, "email:a@example.com, email:b@example.com");
  });

  it("are for what they are told to be for", () => {
    assert.deepEqual(read({}).keyUsage, [USAGES.codeSigning]);
    assert.equal(read({ extendedKeyUsage: [] }).keyUsage, undefined);
    assert.ok(read({ isCa: true }).ca);
  });

  it("carry Fulcio's claims, the old ones bare and the new ones as UTF8String", () => {
    const der = Buffer.from(
      authority.issue({
        publicKey,
        oldIssuer: "old",
        claims: { "github-workflow-ref": "r1", "source-repository-ref": "r2" },
      }).leaf,
    );
    assert.ok(der.includes(Buffer.from("\u0004\u0002r1")));
    assert.ok(der.includes(Buffer.from("\u0004\u0004\u000c\u0002r2")));
    assert.ok(der.includes(Buffer.from("\u0004\u0003old")));
  });
});

describe("legacy attestations", () => {
  it("are envelopes whose log entry hashes exactly what is stored", () => {
    const signed = sign();
    const layer = legacyAttestation(signed, "https://slsa.dev/provenance/v1");
    const { spec } = JSON.parse(Buffer.from(signed.logEntries[0]?.body ?? "").toString());
    assert.equal(spec.envelopeHash.value, digest(layer.envelope).toString("hex"));
    assert.equal(layer.annotations["dev.cosignproject.cosign/signature"], "");
  });
});
