import assert from "node:assert/strict";
import fc from "fast-check";
import type { Finding } from "../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../src/core/formats/envelope.ts";
import { exactly } from "../../src/core/trust/identity.ts";
import { loadTrustMaterial } from "../../src/core/trust/load.ts";
import { PUBLIC_DEMANDS } from "../../src/core/trust/material.ts";
import { judge } from "../../src/core/verify/verify.ts";
import { property } from "../support/property.ts";
import { bundleOf, legacyOf, requirementOf, testSigner, testSubject } from "../support/signatures.ts";
import { bundleCandidate, fakeSigstore, signKeyless } from "../support/sigstore/sign.ts";

const [alice, bob, mallory] = [testSigner("alice.pub"), testSigner("bob.pub"), testSigner("mallory.pub")];
const subject = testSubject();
const { digest } = subject.descriptor;
const other = testSubject("other").descriptor.digest;

const sigstore = fakeSigstore();
const identities = [
  {
    condition: { subject: exactly("dev@example.com"), issuer: exactly("https://issuer.example.com"), claims: [] },
    trust: await loadTrustMaterial(sigstore.trustedRoot, "root"),
    demands: PUBLIC_DEMANDS,
  },
];
const signedBy = (email: string) => bundleCandidate(signKeyless(sigstore, { certificate: { subject: { email } } }));

/** Everything that may lie beside an image: good, somebody else's, about something else, junk. */
const CANDIDATES: readonly UntrustedCandidate[] = [
  bundleOf(alice, digest),
  bundleOf(alice, digest, { env: "prod" }),
  bundleOf(bob, digest),
  legacyOf(alice, digest),
  legacyOf(bob, digest, "registry.example.com/else/where"),
  bundleOf(mallory, digest),
  bundleOf(alice, other),
  legacyOf(mallory, other),
  signedBy("dev@example.com"),
  signedBy("eve@example.com"),
  bundleCandidate(signKeyless(fakeSigstore())),
  bundleCandidate(signKeyless(sigstore, { logs: [] })),
  { format: "bundle", origin: { via: "referrers-api" }, bytes: new TextEncoder().encode("{}") },
  { format: "bundle", origin: { via: "referrers-api" }, bytes: new Uint8Array([0xff, 0xfe]) },
];
const OBSTACLES: readonly Finding[] = [
  { code: "throttled", message: "on purpose" },
  { code: "limit-reached", message: "on purpose" },
  { code: "digest-mismatch", message: "on purpose" },
];

const candidates = fc.shuffledSubarray([...CANDIDATES]);
const obstacles = fc.subarray([...OBSTACLES]);
const requirement = fc.constantFrom(
  requirementOf([alice]),
  requirementOf([alice, bob]),
  requirementOf([alice, bob], { threshold: 2 }),
  requirementOf([alice], { annotations: { env: "prod" } }),
  requirementOf([testSigner("nobody.pub")]),
  requirementOf([], { identities }),
  requirementOf([alice], { identities, threshold: 2 }),
);

property(
  "removing evidence never turns a refusal into an acceptance",
  [candidates, obstacles, requirement, fc.nat()],
  (all, blocked, wanted, at) => {
    const whole = judge({ subject, candidates: all, obstacles: blocked }, wanted);
    const fewer = judge(
      { subject, candidates: all.filter((_, index) => index !== at % Math.max(1, all.length)), obstacles: blocked },
      wanted,
    );
    if (whole.status !== "accepted") assert.notEqual(fewer.status, "accepted");
  },
);

property(
  "adding evidence never turns an acceptance into anything else",
  [candidates, candidates, obstacles, requirement],
  (some, more, blocked, wanted) => {
    const before = judge({ subject, candidates: some, obstacles: [] }, wanted);
    const after = judge({ subject, candidates: [...more, ...some], obstacles: blocked }, wanted);
    if (before.status === "accepted") assert.equal(after.status, "accepted");
  },
);

property("the order of signatures does not matter", [candidates, obstacles, requirement], (all, blocked, wanted) => {
  const one = judge({ subject, candidates: all, obstacles: blocked }, wanted);
  const reversed = judge({ subject, candidates: all.toReversed(), obstacles: blocked }, wanted);
  assert.equal(one.status, reversed.status);
});

property("what could not be looked at is never called unsigned", [candidates, requirement], (all, wanted) => {
  const judgement = judge(
    { subject, candidates: all, obstacles: [{ code: "throttled", message: "on purpose" }] },
    wanted,
  );
  assert.notEqual(judgement.status, "refused");
});

property(
  "an acceptance has no reasons, and everything else has one",
  [candidates, obstacles, requirement],
  (all, blocked, wanted) => {
    const { status, reasons } = judge({ subject, candidates: all, obstacles: blocked }, wanted);
    assert.equal(reasons.length === 0, status === "accepted");
  },
);
