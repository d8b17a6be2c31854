import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { makeStandard, type PolicyMeaning } from "../../../../src/core/audit/standard.ts";
import { resolveType } from "../../../../src/core/formats/predicates.ts";
import { type Digest, digestOf } from "../../../../src/core/oci/digest.ts";
import { instant } from "../../../../src/core/time.ts";
import { exactly } from "../../../../src/core/trust/identity.ts";
import { PUBLIC_DEMANDS, type TrustMaterial } from "../../../../src/core/trust/material.ts";
import type { Criterion } from "../../../../src/core/verify/criterion.ts";
import type { IdentityRequirement, Requirement } from "../../../../src/core/verify/requirement.ts";
import { requirementOf, testSigner } from "../../../support/signatures.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");

function trustOf(label: string, content = label): TrustMaterial {
  const unused = (): never => assert.fail("nothing is proven here");
  const digest = digestOf(new TextEncoder().encode(content));
  return { label, digest, namesCertificateLogs: false, proveCertificate: unused, proveKey: unused };
}

function identity(subject: string, trust = trustOf("root"), demands = PUBLIC_DEMANDS): IdentityRequirement {
  const condition = { subject: exactly(subject), issuer: exactly("https://login.example"), claims: [] };
  return { condition, trust, demands };
}

function digest(
  asked: Requirement | PolicyMeaning,
  also: readonly string[] = [],
  weakened: readonly string[] = [],
): Digest {
  return makeStandard({ asked, also, weakened }).digest;
}

const BASE = requirementOf([alice, bob], { identities: [identity("dev@example.com")] });
const attestation = { predicateTypes: resolveType("slsaprovenance1"), conditions: [] };

describe("what flags require", () => {
  it("has one digest, whatever keys and roots are called, in which order they are named, and when it is", () => {
    const renamed = { ...alice.publicKey, label: "/other/place/alice.pub" };
    const again: Requirement = {
      ...BASE,
      keys: [bob.publicKey, renamed, alice.publicKey],
      identities: [identity("dev@example.com", trustOf("root, refreshed 2 days ago", "root"))],
      now: instant(Date.UTC(2027, 0, 1)),
    };
    assert.equal(digest(again), digest(BASE));
    assert.equal(
      digest({ ...BASE, annotations: { a: "1", b: "2" } }),
      digest({ ...BASE, annotations: { b: "2", a: "1" } }),
    );
  });

  const changes: Readonly<Record<string, Requirement>> = {
    "a key less": { ...BASE, keys: [alice.publicKey] },
    "another key of the same name": { ...BASE, keys: [testSigner("alice.pub").publicKey, bob.publicKey] },
    "what a key's signatures bring": { ...BASE, keyProof: { trust: trustOf("root"), demands: PUBLIC_DEMANDS } },
    "another identity": { ...BASE, identities: [identity("ops@example.com")] },
    "no identity": { ...BASE, identities: [] },
    "a trust root that was changed and kept its name": {
      ...BASE,
      identities: [identity("dev@example.com", trustOf("root", "changed"))],
    },
    "fewer logs": {
      ...BASE,
      identities: [identity("dev@example.com", trustOf("root"), { ...PUBLIC_DEMANDS, logs: 0 })],
    },
    "two signers": { ...BASE, threshold: 2 },
    "an annotation": { ...BASE, annotations: { env: "prod" } },
    "an annotation of another value": { ...BASE, annotations: { env: "staging" } },
    "another name that it was signed as": { ...BASE, signedAs: ["docker.io/acme/app"] },
    "an attestation": { ...BASE, attestation },
    "an attestation of another type": { ...BASE, attestation: { ...attestation, predicateTypes: resolveType("vuln") } },
    "a condition on it": {
      ...BASE,
      attestation: { ...attestation, conditions: [{ text: "predicate.a == 1", check: () => ({ met: true }) }] },
    },
    "an age": { ...BASE, maxAge: 1000 },
    "a name that has to be signed": { ...BASE, nameBinding: true },
  };

  for (const [what, requirement] of Object.entries(changes)) {
    it(`has another digest with ${what}`, () => {
      assert.notEqual(digest(requirement), digest(BASE));
    });
  }

  it("has as many digests as there are differences", () => {
    assert.equal(new Set(Object.values(changes).map((each) => digest(each))).size, Object.keys(changes).length);
  });

  it("has another digest with flags that decide beside it, and with those that weaken", () => {
    const digests = [
      digest(BASE),
      digest(BASE, ["on every platform too"]),
      digest(BASE, ["for linux/arm64"]),
      digest(BASE, [], ["--insecure-ignore-tlog"]),
      digest(BASE, ["--insecure-ignore-tlog"]),
    ];
    assert.equal(new Set(digests).size, digests.length);
    assert.equal(digest(BASE, ["a", "b"]), digest(BASE, ["b", "a"]));
  });

  it("has a digest of its own where signed tags alone decide, and says so", () => {
    const alone = (roots: string) => makeStandard({ asked: "signed-tag", also: [roots], weakened: [] });
    assert.notEqual(alone("a").digest, digest(BASE, ["a"]));
    assert.notEqual(alone("a").digest, alone("b").digest);
    assert.equal(alone("a").wanted, "what its publisher signed, a");
    assert.equal(alone("a").policy, undefined);
  });

  it("is said in words", () => {
    const words = (requirement: Requirement): string =>
      makeStandard({ asked: requirement, also: [], weakened: [] }).wanted.replaceAll(/SHA256:[0-9a-f]+…/g, "…");
    assert.equal(words(requirementOf([alice])), "a signature by alice.pub (…)");
    assert.equal(
      words(requirementOf([alice, bob], { threshold: 2, annotations: { env: "prod" } })),
      "signatures by 2 of alice.pub (…) or bob.pub (…), with env=prod",
    );
    assert.match(words(requirementOf([alice], { attestation })), /^an attestation \(.*slsa.*\) by alice\.pub \(…\)$/);
  });
});

describe("what a policy requires", () => {
  const evidence: Criterion = { kind: "evidence", requirement: requirementOf([alice]) };
  const withdrawn = digestOf(new TextEncoder().encode("withdrawn"));
  const finding = { code: "withdrawn", message: "taken back" } as const;
  const base: PolicyMeaning = {
    name: "policy.yaml",
    digest: digestOf(new TextEncoder().encode("policy")),
    rules: [
      { place: "9:3", criterion: evidence },
      { place: "12:3", criterion: { kind: "any", of: [evidence, { kind: "never", finding }] } },
    ],
    withdrawn: new Map([[withdrawn, finding]]),
  };

  it("has one digest, whatever the policy is called and in which order its rules were met", () => {
    assert.equal(digest({ ...base, name: "/etc/policy.yaml", rules: base.rules.toReversed() }), digest(base));
    assert.equal(makeStandard({ asked: base, also: [], weakened: [] }).wanted, "what policy.yaml requires");
  });

  it("has another digest where a file that it names was changed, and the policy was not", () => {
    const rekeyed: Criterion = { kind: "evidence", requirement: requirementOf([bob]) };
    const others: readonly PolicyMeaning[] = [
      base,
      { ...base, digest: withdrawn },
      { ...base, rules: [{ place: "9:3", criterion: rekeyed }, ...base.rules.slice(1)] },
      { ...base, rules: base.rules.slice(1) },
      { ...base, rules: [{ place: "9:3", criterion: { kind: "all", of: [evidence] } }, ...base.rules.slice(1)] },
      { ...base, withdrawn: new Map() },
      { ...base, withdrawn: { code: "trust-stale", message: "too old" } },
      { ...base, rules: [{ place: "9:3", criterion: { code: "trust-stale", message: "" } }, ...base.rules.slice(1)] },
    ];
    assert.equal(new Set(others.map((each) => digest(each))).size, others.length);
  });

  it("knows the scanners and the authors of statements about vulnerabilities", () => {
    const scans = (scanner: typeof alice, vex?: typeof alice): Criterion => ({
      kind: "vulnerabilities",
      scan: requirementOf([scanner]),
      vex: vex && requirementOf([vex]),
      demands: { maxAge: 1, severityAtMost: "high", fixableOnly: false, except: [] },
      assess: () => assert.fail("nothing is assessed here"),
    });
    const digests = [scans(alice), scans(bob), scans(alice, bob)].map((criterion) =>
      digest({ ...base, rules: [{ place: "9:3", criterion }] }),
    );
    assert.equal(new Set(digests).size, 3);
  });
});
