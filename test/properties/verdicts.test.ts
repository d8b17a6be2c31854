import assert from "node:assert/strict";
import fc from "fast-check";
import type { UntrustedCandidate } from "../../src/core/formats/envelope.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import type { Evidence } from "../../src/core/verify/evidence.ts";
import { judge } from "../../src/core/verify/verify.ts";
import { property } from "../support/property.ts";
import { bundleOf, legacyOf, requirementOf, testSigner, testSubject } from "../support/signatures.ts";

const wanted = testSigner("wanted.pub");
const second = testSigner("second.pub");
const stranger = testSigner("stranger.pub");
const subject = testSubject();
const { digest } = subject.descriptor;
const other = digestOf(new Uint8Array([1]));
const requirement = requirementOf([wanted, second], { annotations: { stage: "release" } });

const GOOD = [
  bundleOf(wanted, digest, { stage: "release" }),
  legacyOf(second, digest, undefined, { stage: "release" }),
];
const BAD = [
  bundleOf(stranger, digest, { stage: "release" }),
  legacyOf(stranger, digest, undefined, { stage: "release" }),
  bundleOf(wanted, other, { stage: "release" }),
  legacyOf(wanted, other, undefined, { stage: "release" }),
  bundleOf(wanted, digest, { stage: "test" }),
  legacyOf(second, digest, "registry.example.com/another/app", { stage: "release" }),
  bundleOf(second, digest),
];

const judgeAll = (candidates: readonly UntrustedCandidate[], threshold = 1) => {
  const evidence: Evidence = { subject, candidates, obstacles: [] };
  return judge(evidence, { ...requirement, threshold });
};

const noise: fc.Arbitrary<UntrustedCandidate> = fc.oneof(
  fc
    .uint8Array({ maxLength: 200 })
    .map((bytes) => ({ format: "bundle" as const, origin: { via: "file" as const }, bytes })),
  fc.record({
    format: fc.constant("cosign-legacy" as const),
    origin: fc.constant({ via: "sig-tag" as const }),
    payload: fc.uint8Array({ maxLength: 200 }),
    mediaType: fc.string(),
    annotations: fc.dictionary(fc.string(), fc.string()),
  }),
);
const candidates = fc.array(fc.oneof(fc.constantFrom(...GOOD, ...BAD), noise), { maxLength: 6 });
const thresholds = fc.constantFrom(1, 2);

/** The bytes of a candidate that can be altered: a bundle's, a legacy payload's, an envelope's. */
function flip(candidate: UntrustedCandidate, at: number): UntrustedCandidate {
  switch (candidate.format) {
    case "bundle":
      return { ...candidate, bytes: flipped(candidate.bytes, at) };
    case "cosign-legacy":
      return { ...candidate, payload: flipped(candidate.payload, at) };
    case "cosign-attestation":
      return { ...candidate, envelope: flipped(candidate.envelope, at) };
  }
}

function flipped(original: Uint8Array, at: number): Uint8Array {
  const bytes = Uint8Array.from(original);
  const place = at % (bytes.length * 8);
  bytes[place >> 3] = (bytes[place >> 3] ?? 0) ^ (1 << (place & 7));
  return bytes;
}

property("a flipped bit in a signed payload is never accepted", [fc.nat()], (at) => {
  const [, legacy] = GOOD;
  assert.ok(legacy !== undefined);
  assert.notEqual(judgeAll([flip(legacy, at)]).status, "accepted");
});

property("a flipped bit in a bundle is accepted only where nothing of what is reported changed", [fc.nat()], (at) => {
  const [bundle] = GOOD;
  assert.ok(bundle !== undefined);
  const [before] = judgeAll([bundle]).signatures;
  const after = judgeAll([flip(bundle, at)]);
  if (after.status === "accepted") assert.deepEqual(after.signatures[0], before);
});

property(
  "junk beside evidence never changes a verdict that was accepted",
  [candidates, fc.array(noise), thresholds],
  (some, junk, threshold) => {
    if (judgeAll(some, threshold).status !== "accepted") return;
    assert.equal(judgeAll([...junk, ...some, ...BAD], threshold).status, "accepted");
  },
);

property(
  "taking evidence away never turns a refusal into an acceptance",
  [candidates, fc.nat(), thresholds],
  (some, at, threshold) => {
    if (judgeAll(some, threshold).status === "accepted") return;
    assert.notEqual(judgeAll(some.toSpliced(at % (some.length + 1), 1), threshold).status, "accepted");
  },
);

property("the order of signatures does not matter", [candidates, fc.nat(), thresholds], (some, at, threshold) => {
  const turned = [...some.slice(at % (some.length + 1)), ...some.slice(0, at % (some.length + 1))].reverse();
  const [a, b] = [judgeAll(some, threshold), judgeAll(turned, threshold)];
  assert.deepEqual([a.status, a.reasons[0]?.code], [b.status, b.reasons[0]?.code]);
});

property(
  "the same signature any number of times is one signer",
  [fc.constantFrom(...GOOD), fc.integer({ min: 1, max: 5 })],
  (one, times) => {
    assert.equal(judgeAll(Array.from({ length: times }, () => one)).status, "accepted");
    assert.notEqual(
      judgeAll(
        Array.from({ length: times }, () => one),
        2,
      ).status,
      "accepted",
    );
  },
);

property(
  "what could not be looked at never becomes a refusal, and never an acceptance",
  [fc.array(fc.constantFrom(...BAD))],
  (bad) => {
    const obstacles = [{ code: "throttled" as const, message: "too many requests" }];
    assert.equal(judge({ subject, candidates: bad, obstacles }, requirement).status, "undetermined");
  },
);

property("noise alone is never accepted", [fc.array(noise, { maxLength: 5 })], (junk) => {
  assert.notEqual(judgeAll(junk).status, "accepted");
});
