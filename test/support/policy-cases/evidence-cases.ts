import { DAY, NOW } from "../sigstore/times.ts";
import { ERIN } from "./scene.ts";
import type { CaseSpec, PolicySpec } from "./spec.ts";

const SLSA = "{attestation: {type: slsaprovenance1, by: bob}}";
const EARLIER = NOW - 30 * DAY;

/** Bob's key, with what is said of it; an authority tells the time. */
function bobs(terms: string, more = ""): PolicySpec {
  return {
    require: `{signature: {by: bob${more}}}`,
    identities: { bob: `{keys: [{key: ../../keys/bob.pub${terms}}], trust: acme, proof: {logs: 0, timestamps: 1}}` },
  };
}

function where(condition: string): PolicySpec {
  return { require: `{attestation: {type: slsaprovenance1, by: bob, where: '${condition}'}}` };
}

const BUILT = { buildDefinition: { buildType: "https://example.com/build/v1", runs: [1, 2, 3] } };

/** When something was signed, and what was stated. */
export const EVIDENCE_CASES: readonly CaseSpec[] = [
  {
    name: "times/trusted-from",
    about: "signed after the key was trusted",
    policy: bobs(", trustedFrom: 2026-05-01T00:00:00Z"),
    evidence: (scene) => [scene.signed("bob", { provenAt: EARLIER })],
    expected: "accepted",
  },
  {
    name: "times/before-trusted-from",
    about: "signed before the key was trusted",
    policy: bobs(", trustedFrom: 2026-05-15T00:00:00Z"),
    evidence: (scene) => [scene.signed("bob", { provenAt: EARLIER })],
    expected: "refused signer-distrusted",
  },
  {
    name: "times/before-distrusted",
    about: "signed while the key was trusted; it no longer is",
    policy: bobs(", distrustedSince: 2026-05-15T00:00:00Z"),
    evidence: (scene) => [scene.signed("bob", { provenAt: EARLIER })],
    expected: "accepted",
  },
  {
    name: "times/after-distrusted",
    about: "signed when the key was trusted no more",
    policy: bobs(", distrustedSince: 2026-04-15T00:00:00Z"),
    evidence: (scene) => [scene.signed("bob", { provenAt: EARLIER })],
    expected: "refused signer-distrusted",
  },
  {
    name: "times/distrusted-and-no-time-proven",
    about: "nothing proves that it was signed before the key was distrusted",
    policy: {
      ...bobs(", distrustedSince: 2026-05-15T00:00:00Z"),
      identities: { bob: "{key: ../../keys/bob.pub, distrustedSince: 2026-05-15T00:00:00Z}" },
    },
    evidence: (scene) => [scene.signed("bob")],
    expected: "refused timestamp-missing",
  },
  {
    name: "times/distrusted-in-the-future",
    about: "a key that will be distrusted is trusted until then",
    policy: {
      require: "{signature: {by: bob}}",
      identities: { bob: "{key: ../../keys/bob.pub, distrustedSince: 2026-09-01T00:00:00Z}" },
    },
    evidence: (scene) => [scene.signed("bob")],
    expected: "accepted",
  },
  {
    name: "times/the-same-after-that-day",
    about: "the same image and policy, judged when that day has come",
    policy: { file: "../distrusted-in-the-future/policy.yaml" },
    now: "2026-09-02T00:00:00Z",
    evidence: (scene) => [scene.signed("bob")],
    expected: "refused timestamp-missing",
  },
  {
    name: "times/later-timestamp-for-an-old-signature",
    about: "the earliest proven time counts: a later one can be had for any old signature",
    policy: { require: "{signature: {by: erin, maxAge: 7d}}" },
    evidence: (scene) => [
      scene.keyless(ERIN, {
        at: EARLIER,
        timestampAuthorities: [scene.acme.timestampAuthority],
        timestamp: { at: EARLIER + 1000 },
      }),
    ],
    expected: "refused evidence-old",
  },
  {
    name: "times/young-enough",
    about: "signed a month ago, ninety days are allowed",
    policy: { require: "{signature: {by: erin, maxAge: 90d}}" },
    evidence: (scene) => [scene.keyless(ERIN, { at: EARLIER })],
    expected: "accepted",
  },
  {
    name: "times/too-old",
    about: "signed a month ago, a week is allowed",
    policy: { require: "{signature: {by: erin, maxAge: 7d}}" },
    evidence: (scene) => [scene.keyless(ERIN, { at: EARLIER })],
    expected: "refused evidence-old",
  },
  {
    name: "times/too-old-at-another-present",
    about: "what is young enough today is too old in a year",
    policy: { require: "{signature: {by: erin, maxAge: 90d}}" },
    evidence: (scene) => [scene.keyless(ERIN)],
    now: "2027-06-01T00:00:00Z",
    expected: "refused evidence-old",
  },
  {
    name: "times/age-without-a-time",
    about: "what proves no time is too old for any age",
    policy: { require: "{signature: {by: alice, maxAge: 90d}}" },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused timestamp-missing",
  },
  {
    name: "attestations/of-the-type",
    about: "an attestation of the type, by whom it has to be",
    policy: { require: SLSA },
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { predicate: BUILT })],
    expected: "accepted",
  },
  {
    name: "attestations/in-the-older-form",
    about: "cosign's tag of attestations is looked at too",
    policy: { require: SLSA },
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { predicate: BUILT, legacy: true })],
    expected: "accepted",
  },
  {
    name: "attestations/none",
    about: "there is no attestation",
    policy: { require: SLSA },
    expected: "refused unattested",
  },
  {
    name: "attestations/of-another-type",
    about: "an attestation of another type",
    policy: { require: SLSA },
    evidence: (scene) => [scene.attested("bob", "spdxjson")],
    expected: "refused unattested",
  },
  {
    name: "attestations/a-signature-is-none",
    about: "the image's signature attests nothing",
    policy: { require: SLSA },
    evidence: (scene) => [scene.signed("bob")],
    expected: "refused unattested",
  },
  {
    name: "attestations/by-another",
    about: "anybody can attest anything",
    policy: { require: SLSA },
    evidence: (scene) => [scene.attested("mallory", "slsaprovenance1", { predicate: BUILT })],
    expected: "refused wrong-key",
  },
  {
    name: "attestations/about-another-image",
    about: "an attestation that was copied from another image",
    policy: { require: SLSA },
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { about: scene.other })],
    expected: "refused wrong-digest",
  },
  {
    name: "attestations/any-of-two-types",
    about: "either type will do",
    policy: { require: "{attestation: {type: [slsaprovenance1, slsaprovenance02], by: bob}}" },
    evidence: (scene) => [scene.attested("bob", "slsaprovenance02")],
    expected: "accepted",
  },
  {
    name: "attestations/of-a-type-by-its-address",
    about: "a type of one's own",
    policy: { require: "{attestation: {type: 'https://example.com/review/v1', by: bob}}" },
    evidence: (scene) => [scene.attested("bob", "https://example.com/review/v1")],
    expected: "accepted",
  },
  {
    name: "attestations/of-a-longer-type",
    about: "a type is not the beginning of another",
    policy: { require: "{attestation: {type: 'https://example.com/review/v1', by: bob}}" },
    evidence: (scene) => [scene.attested("bob", "https://example.com/review/v1/evil")],
    expected: "refused unattested",
  },
  {
    name: "attestations/condition-true",
    about: "the statement says what is asked for",
    policy: where('predicate.buildDefinition.buildType == "https://example.com/build/v1"'),
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { predicate: BUILT })],
    expected: "accepted",
  },
  {
    name: "attestations/condition-false",
    about: "it says something else",
    policy: where('predicate.buildDefinition.buildType == "https://example.com/build/v2"'),
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { predicate: BUILT })],
    expected: "refused condition-not-met",
  },
  {
    name: "attestations/condition-on-what-is-not-there",
    about: "what the condition asks for is not there",
    policy: where('predicate.runDetails.builder.id == "x"'),
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { predicate: BUILT })],
    expected: "refused condition-not-met",
  },
  {
    name: "attestations/condition-that-is-no-truth",
    about: "a condition that comes to a list is not met",
    policy: where("predicate.buildDefinition.runs"),
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { predicate: BUILT })],
    expected: "refused condition-not-met",
  },
  {
    name: "attestations/condition-that-takes-too-long",
    about: "a condition that loops beyond what is allowed is not known to be false",
    policy: where("predicate.n.all(a, predicate.n.all(b, predicate.n.all(c, predicate.n.all(d, a + b + c + d >= 0))))"),
    evidence: (scene) => [
      scene.attested("bob", "slsaprovenance1", { predicate: { n: Array.from({ length: 64 }, (_, at) => at) } }),
    ],
    expected: "undetermined limit-reached",
  },
  {
    name: "attestations/two-conditions-in-two-statements",
    about: "two statements with half each are not one with both",
    policy: {
      require: "{attestation: {type: slsaprovenance1, by: bob, where: ['predicate.a == 1', 'predicate.b == 1']}}",
    },
    evidence: (scene) => [
      scene.attested("bob", "slsaprovenance1", { predicate: { a: 1, b: 2 } }),
      scene.attested("bob", "slsaprovenance1", { predicate: { a: 2, b: 1 } }),
    ],
    expected: "refused condition-not-met",
  },
  {
    name: "attestations/good-beside-bad",
    about: "an older attestation that says something else changes nothing",
    policy: where("predicate.a == 1"),
    evidence: (scene) => [
      scene.attested("bob", "slsaprovenance1", { predicate: { a: 2 } }),
      scene.attested("bob", "slsaprovenance1", { predicate: { a: 1 } }),
    ],
    expected: "accepted",
  },
  {
    name: "attestations/member-twice",
    about: "a statement that readers would read differently is none",
    policy: { require: SLSA },
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1", { predicate: '{"a":1,"a":2}' })],
    expected: "refused malformed-signature",
  },
];
