import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Finding } from "../../src/core/errors.ts";
import type { UntrustedCandidate, UntrustedSignature } from "../../src/core/formats/envelope.ts";
import { mostSeated } from "../../src/core/policy/matching.ts";
import { instant } from "../../src/core/time.ts";
import { exactly } from "../../src/core/trust/identity.ts";
import type { TrustMaterial } from "../../src/core/trust/material.ts";
import { pattern } from "../../src/core/trust/pattern.ts";
import type { Criterion, Leaf, RuledException, Ruling } from "../../src/core/verify/criterion.ts";
import type { Evidence } from "../../src/core/verify/evidence.ts";
import type { Believed } from "../../src/core/verify/exhibit.ts";
import { Hearing } from "../../src/core/verify/hearing.ts";
import type { Requirement } from "../../src/core/verify/requirement.ts";
import type { Judgement } from "../../src/core/verify/verify.ts";
import { attestedBy, believing, JUDGED_AT, witnessedKey } from "../support/policies.ts";
import { property } from "../support/property.ts";
import { bundleOf, legacyOf, requirementOf, testSigner, testSubject } from "../support/signatures.ts";
import { bundleCandidate, fakeSigstore, signKeyless } from "../support/sigstore/sign.ts";
import { DAY, NOW } from "../support/sigstore/times.ts";

const subject = testSubject();
const { digest } = subject.descriptor;
const other = testSubject("another image").descriptor.digest;
const sigstore = fakeSigstore();
const believed = remembering(await believing(sigstore));

/** The same proofs, each worked out once: thousands of hearings ask for them. */
function remembering({ trust, demands }: Believed): Believed {
  const known = new Map<string, () => unknown>();
  const once = <Value>(parts: readonly unknown[], work: () => Value): Value => {
    const key = JSON.stringify(parts);
    const settled = known.get(key) ?? settle(work);
    known.set(key, settled);
    return settled() as Value;
  };
  const bytes = ({ signature }: UntrustedSignature) => Buffer.from(signature).toString("hex");
  const remembered: TrustMaterial = {
    label: trust.label,
    digest: trust.digest,
    namesCertificateLogs: trust.namesCertificateLogs,
    proveCertificate: (signature, wanted, now) =>
      once(["certificate", bytes(signature), wanted], () => trust.proveCertificate(signature, wanted, now)),
    proveKey: (signature, key, wanted, now) =>
      once([key.fingerprint, bytes(signature), wanted], () => trust.proveKey(signature, key, wanted, now)),
  };
  return { trust: remembered, demands };
}

function settle(work: () => unknown): () => unknown {
  try {
    const value = work();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

// --- who ----------------------------------------------------------------------------------------------------------------

const [alice, alice2, bob, mallory] = [
  testSigner("alice.pub"),
  testSigner("alice2.pub"),
  testSigner("bob.pub"),
  testSigner("mallory.pub"),
];
const rotated = witnessedKey(sigstore, "rotated.pub");
const keyOf = (key: Requirement["keys"][number], person: string, window = {}): Requirement["keys"][number] => {
  const proof = { trust: believed.trust, demands: { ...believed.demands, logs: 0, times: 0, certificateLogs: 0 } };
  return { ...key, terms: { name: person, person, window }, proof };
};
const issuer = exactly("https://issuer.example.com");
const KEYS = [
  keyOf(alice.publicKey, "alice"),
  keyOf(alice2.publicKey, "alice"),
  keyOf(bob.publicKey, "bob"),
  keyOf(rotated.publicKey, "rotated", { until: instant(NOW - DAY) }),
];
const IDENTITIES: Requirement["identities"] = [
  {
    condition: { subject: exactly("dev@example.com"), issuer, claims: [] },
    ...believed,
    terms: { name: "dev", window: {} },
  },
  {
    condition: { subject: await pattern(".*@example\\.com"), issuer, claims: [] },
    ...believed,
    terms: { name: "anybody", window: {} },
  },
];

// --- evidence -----------------------------------------------------------------------------------------------------------

const TESTED = "https://in-toto.io/attestation/test-result/v0.1";
const signed = (email: string): UntrustedCandidate =>
  bundleCandidate(signKeyless(sigstore, { certificate: { subject: { email } } }));

const GOOD: readonly UntrustedCandidate[] = [
  bundleOf(alice, digest),
  bundleOf(alice2, digest, { env: "prod" }),
  bundleOf(bob, digest),
  legacyOf(bob, digest),
  attestedBy(alice, digest, TESTED, { result: "PASSED" }),
  attestedBy(bob, digest, TESTED, { result: "FAILED" }),
  rotated.sign({ at: NOW - 2 * DAY }),
  rotated.sign({ at: NOW }),
  rotated.sign({ logs: [], timestampAuthorities: [] }),
  signed("dev@example.com"),
  signed("eve@example.com"),
];
/** What no requirement here can be met by. */
const JUNK: readonly UntrustedCandidate[] = [
  bundleOf(mallory, digest),
  legacyOf(mallory, digest),
  bundleOf(alice, other),
  attestedBy(bob, other, TESTED),
  legacyOf(alice, digest, "registry.example.com/else/where"),
  signed("mallory@example.org"),
  bundleCandidate(signKeyless(fakeSigstore())),
  { format: "bundle", origin: { via: "referrers-api" }, bytes: new TextEncoder().encode("{}") },
  { format: "bundle", origin: { via: "referrers-api" }, bytes: new Uint8Array([0xff, 0xfe]) },
];
const OBSTACLES: readonly Finding[] = [
  { code: "throttled", message: "on purpose" },
  { code: "limit-reached", message: "on purpose" },
];

// --- trees --------------------------------------------------------------------------------------------------------------

const passed = {
  text: "passed",
  check: (statement: unknown) => ({ met: JSON.stringify(statement).includes("PASSED") }),
};
const attestation = fc.constantFrom(
  { predicateTypes: [{ uri: TESTED, hasVersions: false }], conditions: [] },
  { predicateTypes: [{ uri: TESTED, hasVersions: false }], conditions: [passed] },
);

function leafOf(threshold: fc.Arbitrary<number>): fc.Arbitrary<Leaf> {
  return fc
    .record({
      keys: fc.subarray(KEYS, { minLength: 1 }),
      identities: fc.subarray([...IDENTITIES]),
      threshold,
      annotations: fc.constantFrom({}, {}, {}, { env: "prod" }),
      attestation: fc.option(attestation, { nil: undefined }),
      maxAge: fc.constantFrom(undefined, undefined, undefined, DAY),
      nameBinding: fc.constantFrom(undefined, undefined, undefined, true),
    })
    .map((more) => ({ kind: "evidence", requirement: requirementOf([], { ...more, now: JUDGED_AT }) }));
}

/** A scan that is acceptable by what it says of itself: the order in which scans are heard must not matter. */
const scans: fc.Arbitrary<Leaf> = fc.constant({
  kind: "vulnerabilities",
  scan: requirementOf([], {
    keys: KEYS,
    attestation: { predicateTypes: [{ uri: TESTED, hasVersions: false }], conditions: [] },
  }),
  vex: requirementOf([], {
    keys: KEYS,
    attestation: { predicateTypes: [{ uri: TESTED, hasVersions: false }], conditions: [] },
  }),
  demands: { maxAge: DAY, severityAtMost: "low", fixableOnly: false, except: [] },
  assess: ({ statement }, vex) => {
    const isGood = JSON.stringify(statement).includes("PASSED") || vex.some((each) => each.signer.startsWith("alice"));
    return isGood
      ? { acceptable: true, scannedAt: NOW, warnings: [] }
      : { acceptable: false, scannedAt: NOW, finding: { code: "vulnerable", message: "on purpose" } };
  },
});

const { tree } = fc.letrec<{ tree: Criterion; inner: Criterion }>((tie) => ({
  tree: fc.oneof({ depthSize: "small" }, leafOf(fc.constantFrom(1, 2)), tie("inner")),
  inner: fc.oneof(
    fc.record({
      kind: fc.constantFrom("all" as const, "any" as const),
      of: fc.array(tie("tree"), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({
      kind: fc.constant("threshold" as const),
      count: fc.integer({ min: 1, max: 3 }),
      of: fc.array(fc.oneof(leafOf(fc.constant(1)), scans), { minLength: 1, maxLength: 4 }),
    }),
    scans,
    fc.constant({ kind: "never" as const, finding: { code: "forbidden" as const, message: "on purpose" } }),
  ),
}));

const evidence = fc.shuffledSubarray([...GOOD]);
const junk = fc.shuffledSubarray([...JUNK]);
const obstacles = fc.subarray([...OBSTACLES]);

const PLACE = { label: "policy.yaml", line: 1, column: 1 };
const stamp = (mode: "enforce" | "warn"): Pick<Ruling, "policy"> => ({
  policy: { label: "policy.yaml", digest, rule: { place: PLACE, pattern: "registry.example.com/", mode } },
});

function judge(criterion: Criterion, parts: Partial<Evidence>, more: Partial<Ruling> = {}): Judgement {
  const ruling: Ruling = { criterion, platforms: "index", exceptions: [], withdrawn: new Map(), ...more };
  const hearing = new Hearing(ruling, subject, JUDGED_AT);
  hearing.add({ candidates: parts.candidates ?? [], obstacles: parts.obstacles ?? [] });
  return hearing.judgement();
}

function mirrored(criterion: Criterion): Criterion {
  if (criterion.kind === "threshold") return { ...criterion, of: criterion.of.toReversed() };
  if (criterion.kind !== "all" && criterion.kind !== "any") return criterion;
  return { ...criterion, of: criterion.of.toReversed().map(mirrored) };
}

// --- what holds -----------------------------------------------------------------------------------------------------------

property(
  "no order matters: not of requirements, not of evidence, not of the parts it comes in",
  [tree, evidence, obstacles, fc.nat()],
  (criterion, candidates, blocked, at) => {
    const one = judge(criterion, { candidates, obstacles: blocked });
    const reversed = judge(mirrored(criterion), {
      candidates: candidates.toReversed(),
      obstacles: blocked.toReversed(),
    });
    assert.equal(reversed.status, one.status);
    assert.deepEqual(new Set(reversed.reasons.map(({ code }) => code)), new Set(one.reasons.map(({ code }) => code)));
    const hearing = new Hearing(
      { criterion, platforms: "index", exceptions: [], withdrawn: new Map() },
      subject,
      JUDGED_AT,
    );
    const half = at % (candidates.length + 1);
    hearing.add({ candidates: candidates.slice(0, half), obstacles: blocked });
    hearing.judgement();
    hearing.add({ candidates: candidates.slice(half), obstacles: [] });
    assert.deepEqual(hearing.judgement(), one);
  },
);

property(
  "what means nothing changes nothing",
  [tree, evidence, junk, obstacles],
  (criterion, candidates, more, blocked) => {
    const before = judge(criterion, { candidates, obstacles: blocked });
    const after = judge(criterion, { candidates: [...more, ...candidates], obstacles: blocked });
    assert.equal(after.status, before.status);
  },
);

property(
  "removing evidence never accepts",
  [tree, evidence, obstacles, fc.nat()],
  (criterion, candidates, blocked, at) => {
    const whole = judge(criterion, { candidates, obstacles: blocked });
    const fewer = judge(criterion, {
      candidates: candidates.filter((_, index) => index !== at % candidates.length),
      obstacles: blocked,
    });
    if (whole.status !== "accepted") assert.notEqual(fewer.status, "accepted");
  },
);

property(
  "adding evidence never refuses what was accepted, whatever could not be looked at",
  [tree, evidence, evidence, obstacles],
  (criterion, some, more, blocked) => {
    const before = judge(criterion, { candidates: some });
    const after = judge(criterion, { candidates: [...more, ...some], obstacles: blocked });
    assert.equal(judge(criterion, { candidates: [...some, ...some] }).status, before.status, "the same again");
    if (before.status === "accepted") assert.equal(after.status, "accepted");
  },
);

property(
  "what could not be looked at never accepts, and only ever makes a refusal undetermined",
  [tree, evidence, obstacles],
  (criterion, candidates, blocked) => {
    const clear = judge(criterion, { candidates });
    const blurred = judge(criterion, { candidates, obstacles: blocked });
    if (blurred.status === "refused") assert.equal(clear.status, "refused");
    assert.equal(clear.status === "accepted", blurred.status === "accepted");
    for (const { status, reasons } of [clear, blurred]) assert.equal(reasons.length === 0, status === "accepted");
  },
);

property(
  "a rule that only warns accepts and says what would have refused, and an exception until it ends: never what was withdrawn",
  [tree, evidence, obstacles],
  (criterion, candidates, blocked) => {
    const parts = { candidates, obstacles: blocked };
    const withdrawn = new Map([[digest, { code: "withdrawn", message: "on purpose" } as const]]);
    const strict = judge(criterion, parts, stamp("enforce"));
    for (const more of [stamp("warn"), { ...stamp("enforce"), exceptions: [until(DAY)] }]) {
      const lax = judge(criterion, parts, more);
      assert.equal(lax.status, "accepted");
      assert.equal(judge(criterion, parts, { ...more, withdrawn }).reasons[0]?.code, "withdrawn");
      const warned = lax.warnings?.slice(0, strict.reasons.length).map(({ code }) => code) ?? [];
      assert.deepEqual(warned, strict.status === "accepted" ? [] : strict.reasons.map(({ code }) => code));
    }
    assert.equal(judge(criterion, parts, { ...stamp("enforce"), exceptions: [until(0)] }).status, strict.status);
  },
);

function until(milliseconds: number): RuledException {
  const expires = instant(JUDGED_AT + milliseconds);
  return {
    digests: [digest],
    coversName: false,
    owner: "ops@example.com",
    reason: "on purpose",
    expires,
    place: PLACE,
  };
}

// --- thresholds over people ---------------------------------------------------------------------------------------------

/** By trying every way of seating them. */
function mostByTrying(seats: readonly (readonly string[])[], taken: ReadonlySet<string> = new Set()): number {
  const [first, ...rest] = seats;
  if (first === undefined) return 0;
  const seated = first
    .filter((person) => !taken.has(person))
    .map((person) => 1 + mostByTrying(rest, new Set([...taken, person])));
  return Math.max(mostByTrying(rest, taken), ...seated);
}

const people = fc.subarray(["a", "b", "c", "d", "e", "f"]);

property(
  "as many are seated as can be, by the count of one who tries every way",
  [fc.array(people, { maxLength: 6 })],
  (seats) => {
    assert.equal(mostSeated(seats), mostByTrying(seats));
  },
);

test("seats that all want one another's people are filled by asking them on", () => {
  const size = 500;
  const seats = Array.from({ length: size }, (_, n) => [`p${n}`, `p${n + 1}`]);
  assert.equal(mostSeated([...seats, ["p0"]]), size + 1);
  assert.equal(mostSeated([...seats, ["p0"], ["p0"]]), size + 1);
});
