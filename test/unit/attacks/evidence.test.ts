import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { makeStatement } from "../../../src/core/formats/intoto.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import { reasonClass } from "../../../src/core/reasons.ts";
import { pattern } from "../../../src/core/trust/pattern.ts";
import { checkRequirement } from "../../../src/core/verify/requirement.ts";
import { judge } from "../../../src/core/verify/verify.ts";
import { IMAGE_SUBJECT, judged, sigstore, wanting } from "../../support/attacks.ts";
import { property } from "../../support/property.ts";
import { legacyOf, testSigner } from "../../support/signatures.ts";
import {
  bundleCandidate,
  bundleOf,
  fakeSigstore,
  IMAGE,
  legacyAttestation,
  legacyCandidate,
  legacyPayload,
  type Signed,
  type SignOptions,
  signKeyless,
} from "../../support/sigstore/sign.ts";
import { DAY, MINUTE, NOW } from "../../support/sigstore/times.ts";

/** Evidence only adds: whatever lies beside a good signature, and in whatever order (formats/sigstore.md, 9.1, 8). */

const good = signKeyless(sigstore);
const GOOD = bundleCandidate(good);
const stranger = fakeSigstore();

const raw = (bytes: Uint8Array | string): UntrustedCandidate => ({
  format: "bundle",
  origin: { via: "referrers-api" },
  bytes: typeof bytes === "string" ? encodeUtf8(bytes) : bytes,
});
const by = (options: SignOptions, instance = sigstore): UntrustedCandidate =>
  bundleCandidate(signKeyless(instance, options));
const but = (change: Partial<Signed>): UntrustedCandidate => bundleCandidate({ ...good, ...change });
const legacy = legacyCandidate(signKeyless(sigstore, { what: { payload: legacyPayload() } }));
const noted = (annotations: Readonly<Record<string, string>>): UntrustedCandidate => ({
  ...legacy,
  annotations: { ...legacy.annotations, ...annotations },
});
const text = Buffer.from(bundleOf(good)).toString();
const [entry] = good.logEntries;
assert.ok(entry?.proof);
const attestation = signKeyless(sigstore, {
  what: { statement: encodeUtf8(Buffer.from(makeStatement(IMAGE)).toString().replace("cosign/sign/v1", "other")) },
});
const statement = (members: object): Uint8Array => encodeUtf8(JSON.stringify(members));

const JUNK: Readonly<Record<string, UntrustedCandidate>> = {
  nothing: raw(""),
  "an empty object": raw("{}"),
  "a list": raw("[]"),
  null: raw("null"),
  NULs: raw(new Uint8Array(1000)),
  "random bytes": raw(Buffer.from("c3ab00ffdeadbeef", "hex")),
  "a web page": raw("<!doctype html>"),
  "gzip of something": raw(Buffer.from("1f8b0800000000000003", "hex")),
  "nested lists": raw("[".repeat(100_000)),
  "too many bytes": raw(" ".repeat(5_000_000)),
  "half a bundle": raw(text.slice(0, text.length / 2)),
  "two bundles in one": raw(text + text),
  "a bundle of another version": raw(text.replace("v0.3", "v9.9")),
  "a prototype": raw(text.replace("{", '{"__proto__":{"mediaType":"x"},')),
  "10,000 entries": raw(text.replace('"tlogEntries":[', `"tlogEntries":[${Array(10_000).fill("{}").join(",")},`)),
  "the same bundle": GOOD,
  "the same with another entry's index": but({ logEntries: [{ ...entry, logIndex: 1n }] }),
  "the same without entries": but({ logEntries: [] }),
  "the same with its entry twice": but({ logEntries: [entry, entry] }),
  "the same with an entry that is broken": but({ logEntries: [{ ...entry, body: encodeUtf8("{") }] }),
  "the same with a broken proof": but({ logEntries: [{ ...entry, proof: { ...entry.proof, treeSize: 0n } }] }),
  "the same with an entry of an unknown log": but({ logEntries: [{ ...entry, logId: new Uint8Array(32) }] }),
  "the same with a timestamp of nothing": but({ timestamps: [Buffer.of(0x30, 0)] }),
  "the same with a timestamp of another": but({ timestamps: [sigstore.timestampAuthority.timestamp(encodeUtf8("x"))] }),
  "the same with a timestamp of a stranger": but({
    timestamps: [stranger.timestampAuthority.timestamp(good.signature)],
  }),
  "the same with another certificate": but({ certificates: signKeyless(sigstore).certificates }),
  "the same with no certificate in its place": but({ certificates: [Buffer.of(0x30, 0)] }),
  "the same with another signature": but({ signature: Buffer.alloc(70, 1) }),
  "the same with one bit changed": but({ signature: good.signature.map((byte, at) => (at === 10 ? byte ^ 1 : byte)) }),
  "the same with another statement": but({ statement: makeStatement(digestOf(encodeUtf8("another"))) }),
  "somebody else's": by({ certificate: { subject: { email: "eve@example.com" } } }),
  "somebody's of another issuer": by({ certificate: { issuer: "https://evil.example" } }),
  "nobody's": by({ certificate: { subject: [] } }),
  "two persons' in one": by({ certificate: { subject: [{ email: "dev@example.com" }, { email: "eve@example.com" }] } }),
  "an expired one": by({ certificate: { notBefore: NOW - DAY, notAfter: NOW - MINUTE } }),
  "one without SCT": by({ certificate: { sctBy: [] } }),
  "one of another instance": by({}, stranger),
  "one by a bare key": by({ certificate: "none" }),
  "one for another image": by({ what: { image: digestOf(encodeUtf8("another")) } }),
  "one of another type of payload": by({ what: { statement: makeStatement(IMAGE), payloadType: "text/plain" } }),
  "one over a file": raw(bundleOf(signKeyless(sigstore, { what: { file: encodeUtf8("file") } }))),
  "one over no statement": by({ what: { statement: encodeUtf8("{}") } }),
  "one over a statement about nothing": by({
    what: { statement: statement({ _type: "https://in-toto.io/Statement/v1", subject: [] }) },
  }),
  "one over too many subjects": by({
    what: {
      statement: statement({
        _type: "https://in-toto.io/Statement/v1",
        predicateType: "x",
        subject: Array(1025).fill({ digest: { sha256: IMAGE.slice(7) } }),
      }),
    },
  }),
  "an attestation": bundleCandidate(attestation),
  "an attestation in a layer": legacyAttestation(attestation, "https://sigstore.dev/cosign/sign/v1"),
  "a legacy signature of another repository": legacyCandidate(
    signKeyless(sigstore, { what: { payload: legacyPayload(IMAGE, "registry.example.com/other") } }),
  ),
  "a legacy signature by a bare key": legacyOf(testSigner(), IMAGE),
  "a legacy signature without one": noted({ "dev.cosignproject.cosign/signature": "" }),
  "a legacy signature with a broken entry": noted({ "dev.sigstore.cosign/bundle": "{" }),
  "a legacy signature with a broken timestamp": noted({ "dev.sigstore.cosign/rfc3161timestamp": "{}" }),
  "a legacy signature with a broken certificate": noted({ "dev.sigstore.cosign/certificate": "x" }),
  "a legacy signature with a chain of 17": noted({
    "dev.sigstore.cosign/chain": (legacy.annotations["dev.sigstore.cosign/certificate"] ?? "").repeat(17),
  }),
  "a legacy signature in another layer": { ...legacy, mediaType: "text/plain" },
};
const names = Object.keys(JUNK);

describe(`${names.length} kinds of junk`, () => {
  it("are enough of them", () => {
    assert.ok(names.length >= 50);
  });

  for (const [name, junk] of Object.entries(JUNK)) {
    it(`change nothing beside a good signature: ${name}`, () => {
      for (const candidates of [
        [GOOD, junk],
        [junk, GOOD],
        [junk, GOOD, junk],
      ]) {
        assert.equal(judged(candidates).status, "accepted");
      }
    });

    if (junk === GOOD) continue;
    it(`are no signature by themselves, and have a reason of their own: ${name}`, () => {
      const { status, reasons } = judged([junk]);
      const [reason] = reasons;
      assert.ok(reason);
      assert.notEqual(reason.code, "internal", reason.message);
      assert.notEqual(reason.code, "unsigned");
      assert.equal(status, reasonClass(reason.code) === "refused" ? "refused" : "undetermined");
    });
  }

  it("change nothing all together, before and behind", () => {
    const all = Object.values(JUNK).filter((each) => each !== GOOD);
    assert.equal(judged([...all, GOOD]).status, "accepted");
    assert.equal(judged([GOOD, ...all.toReversed()]).status, "accepted");
    assert.equal(judged(all).status, "undetermined");
  });
});

// --- properties -------------------------------------------------------------------------------------------------------

const condition = { subject: await pattern(".*"), issuer: await pattern("https://issuer[.]example[.]com"), claims: [] };
const requirements = [1, 2, 3].map((threshold) => wanting({ condition, more: { threshold } }));
for (const each of requirements) checkRequirement(each);
const POOL: readonly UntrustedCandidate[] = [
  GOOD,
  legacy,
  by({}),
  ...["eve", "Dev", "bob"].map((name) => by({ certificate: { subject: { email: `${name}@example.com` } } })),
  ...Object.values(JUNK).filter(({ format }, at) => format !== "bundle" || at % 2 === 0),
];

const subset = fc.shuffledSubarray(POOL as UntrustedCandidate[]);
const judgeBy = (candidates: readonly UntrustedCandidate[], at: number) => {
  const requirement = requirements[at];
  assert.ok(requirement);
  return judge({ subject: IMAGE_SUBJECT, candidates, obstacles: [] }, requirement);
};
const level = fc.integer({ min: 0, max: 2 });

property("taking evidence away never makes an acceptance", [subset, fc.nat(), level], (candidates, left, at) => {
  const all = judgeBy(candidates, at).status;
  const fewer = judgeBy(candidates.slice(0, left % (candidates.length + 1)), at).status;
  assert.ok(all === "accepted" || fewer !== "accepted");
});

property("the order of evidence changes neither status nor signers nor reasons", [subset, level], (candidates, at) => {
  const [one, other] = [judgeBy(candidates, at), judgeBy(candidates.toReversed(), at)];
  assert.equal(one.status, other.status);
  assert.equal(one.because, other.because);
  const codes = ({ reasons }: typeof one): readonly string[] => reasons.map(({ code }) => code).toSorted();
  assert.deepEqual(codes(one), codes(other));
  assert.equal(one.reasons[0]?.code, other.reasons[0]?.code);
});

property("repeating evidence makes no signer of it", [subset, level], (candidates, at) => {
  assert.equal(judgeBy(candidates, at).status, judgeBy([...candidates, ...candidates], at).status);
});

const bytes = bundleOf(good);
property(
  "a byte that is changed anywhere in a bundle never makes another signer, and never an error of ours",
  [fc.nat({ max: bytes.byteLength - 1 }), fc.integer({ min: 1, max: 255 })],
  (at, change) => {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ change;
    const { status, reasons, signatures } = judged([raw(changed)]);
    if (status !== "accepted") return assert.notEqual(reasons[0]?.code, "internal");
    const [report] = signatures;
    assert.ok(report?.signedBy?.kind === "identity");
    assert.equal(report.signedBy.identity.subject, "dev@example.com");
  },
);

property(
  "a piece that is cut out of a bundle, or repeated in it, never makes an acceptance",
  [fc.nat({ max: bytes.byteLength - 1 }), fc.integer({ min: 1, max: 400 }), fc.boolean()],
  (at, length, isRepeated) => {
    const piece = bytes.subarray(at, at + length);
    const rest = [bytes.subarray(0, at), ...(isRepeated ? [piece, piece] : []), bytes.subarray(at + length)];
    assert.notEqual(judged([raw(Buffer.concat(rest))]).status, "accepted");
  },
);
