import { ERIN, workflow } from "./scene.ts";
import type { CaseSpec } from "./spec.ts";

const ALL = "{all: [{signature: {by: alice}}, {attestation: {type: slsaprovenance1, by: bob}}]}";
const ANY = "{any: [{signature: {by: alice}}, {signature: {by: bob}}]}";
const TWO_OF_THREE = { file: "../two-of-three/policy.yaml" };
const MAINTAINERS = "roles: {maintainers: [alice, bob, carol]}";
const DISTINCT =
  "{threshold: {count: 2, of: [{signature: {by: [alice, bob]}}, {attestation: {type: test-result, by: [alice, bob]}}]}}";

/** Requirements within requirements, and who counts for whom. */
export const ALGEBRA_CASES: readonly CaseSpec[] = [
  {
    name: "algebra/all-met",
    about: "a signature by one and an attestation by another",
    policy: { require: ALL },
    evidence: (scene) => [scene.signed("alice"), scene.attested("bob", "slsaprovenance1")],
    expected: "accepted",
  },
  {
    name: "algebra/all-but-the-attestation",
    about: "one of two is missing",
    policy: { require: ALL },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused unattested",
  },
  {
    name: "algebra/all-but-the-signature",
    about: "the other one is missing",
    policy: { require: ALL },
    evidence: (scene) => [scene.attested("bob", "slsaprovenance1")],
    expected: "refused unsigned",
  },
  {
    name: "algebra/all-with-roles-exchanged",
    about: "each did what the other should have done",
    policy: { require: ALL },
    evidence: (scene) => [scene.signed("bob"), scene.attested("alice", "slsaprovenance1")],
    expected: "refused not-a-signature, unattested, wrong-key",
  },
  {
    name: "algebra/any-met",
    about: "either of two",
    policy: { require: ANY },
    evidence: (scene) => [scene.signed("bob")],
    expected: "accepted",
  },
  {
    name: "algebra/any-unmet",
    about: "neither of two",
    policy: { require: ANY },
    evidence: (scene) => [scene.signed("carol")],
    expected: "refused wrong-key",
  },
  {
    name: "algebra/any-of-all",
    about: "the second way is met wholly",
    policy: { require: `{any: [${ALL}, {signature: {by: carol}}]}` },
    evidence: (scene) => [scene.signed("alice"), scene.signed("carol")],
    expected: "accepted",
  },
  {
    name: "algebra/any-of-all-half-each",
    about: "half of one way and half of another are no way",
    policy: {
      require:
        "{any: [{all: [{signature: {by: alice}}, {signature: {by: bob}}]}, {all: [{signature: {by: alice}}, {signature: {by: carol}}]}]}",
    },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused wrong-key",
  },
  {
    name: "algebra/never-within-all",
    about: "nothing meets never, whatever stands beside it",
    policy: { require: '{all: [{signature: {by: alice}}, {never: "not yet"}]}' },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused forbidden",
  },
  {
    name: "algebra/never-within-any",
    about: "a way that is closed leaves the other open",
    policy: { require: '{any: [{never: "not this way"}, {signature: {by: alice}}]}' },
    evidence: (scene) => [scene.signed("alice")],
    expected: "accepted",
  },
  {
    name: "thresholds/two-of-three",
    about: "two of three maintainers signed; the policy and its keys are this folder's own",
    policy: {
      require: "{signature: {by: maintainers, threshold: 2}}",
      members: [MAINTAINERS],
      identities: { alice: "{key: alice.pub}", bob: "{key: bob.pub}", carol: "{key: carol.pub}" },
    },
    evidence: (scene) => [scene.signed("alice"), scene.signed("carol")],
    files: (scene) => ({
      "alice.pub": scene.pem("alice"),
      "bob.pub": scene.pem("bob"),
      "carol.pub": scene.pem("carol"),
    }),
    expected: "accepted",
  },
  {
    name: "thresholds/all-three",
    about: "more than enough",
    policy: TWO_OF_THREE,
    evidence: (scene) => [scene.signed("alice"), scene.signed("bob"), scene.signed("carol")],
    expected: "accepted",
  },
  {
    name: "thresholds/one-of-three",
    about: "one of three is too few",
    policy: TWO_OF_THREE,
    evidence: (scene) => [scene.signed("bob")],
    expected: "refused threshold-not-met",
  },
  {
    name: "thresholds/one-of-three-twice",
    about: "two signatures by one key are one signer",
    policy: TWO_OF_THREE,
    evidence: (scene) => [
      scene.signed("bob"),
      scene.signed("bob", { annotations: { n: "2" } }),
      scene.signed("bob", { legacy: true }),
    ],
    expected: "refused threshold-not-met",
  },
  {
    name: "thresholds/one-of-three-and-a-stranger",
    about: "somebody who is no maintainer does not count",
    policy: TWO_OF_THREE,
    evidence: (scene) => [scene.signed("bob"), scene.signed("mallory")],
    expected: "refused threshold-not-met, wrong-key",
  },
  {
    name: "thresholds/one-of-three-and-another-image",
    about: "the second maintainer signed another image",
    policy: TWO_OF_THREE,
    evidence: (scene) => [scene.signed("bob"), scene.signed("alice", { about: scene.other })],
    expected: "refused threshold-not-met, wrong-digest",
  },
  {
    name: "thresholds/none-of-three",
    about: "nobody signed",
    policy: TWO_OF_THREE,
    expected: "refused unsigned",
  },
  {
    name: "thresholds/two-keys-of-one-person",
    about: "who has two keys is still one person",
    policy: {
      require: "{signature: {by: [bob, carol], threshold: 2}}",
      identities: { bob: "{keys: [{key: ../../keys/bob.pub}, {key: ../../keys/bob-2026.pub}]}" },
    },
    evidence: (scene) => [scene.signed("bob"), scene.signed("bob-2026")],
    expected: "refused threshold-not-met",
  },
  {
    name: "thresholds/two-keys-of-one-person-and-another",
    about: "with somebody else it is two",
    policy: {
      require: "{signature: {by: [bob, carol], threshold: 2}}",
      identities: { bob: "{keys: [{key: ../../keys/bob.pub}, {key: ../../keys/bob-2026.pub}]}" },
    },
    evidence: (scene) => [scene.signed("carol"), scene.signed("bob-2026")],
    expected: "accepted",
  },
  {
    name: "thresholds/two-names-with-one-key",
    about: "two names that share a key are one person, and carol makes two",
    policy: {
      require: "{signature: {by: [alice, alias, carol], threshold: 2}}",
      identities: { alias: "{key: ../../keys/alice.pub}" },
    },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused threshold-not-met",
  },
  {
    name: "thresholds/one-workflow-at-two-tags",
    about: "a workflow that ran for two tags is one workflow",
    policy: { require: "{signature: {by: [release, alice], threshold: 2}}" },
    evidence: (scene) => [scene.keyless(workflow("refs/tags/v1")), scene.keyless(workflow("refs/tags/v2"))],
    expected: "refused threshold-not-met",
  },
  {
    name: "thresholds/one-address-in-two-cases",
    about: "an address in upper and lower case is one person",
    policy: {
      require: "{signature: {by: [team, alice], threshold: 2}}",
      identities: {
        team: "{keyless: {subjectPattern: '.*@example\\.com', issuer: https://login.example.com}, trust: acme}",
      },
    },
    evidence: (scene) => [scene.keyless(ERIN), scene.keyless({ ...ERIN, subject: { email: "ERIN@example.com" } })],
    expected: "refused threshold-not-met",
  },
  {
    name: "thresholds/a-pattern-met-by-two",
    about: "who meets a pattern counts for themselves",
    policy: {
      require: "{signature: {by: team, threshold: 2}}",
      identities: {
        team: "{keyless: {subjectPattern: '.*@example\\.com', issuer: https://login.example.com}, trust: acme}",
      },
    },
    evidence: (scene) => [scene.keyless(ERIN), scene.keyless({ ...ERIN, subject: { email: "frank@example.com" } })],
    expected: "accepted",
  },
  {
    name: "thresholds/a-key-and-a-certificate",
    about: "a key and an identity are two",
    policy: { require: "{signature: {by: [erin, alice], threshold: 2}}" },
    evidence: (scene) => [scene.keyless(ERIN), scene.signed("alice")],
    expected: "accepted",
  },
  {
    name: "thresholds/different-people-for-different-things",
    about: "one signs, another one attests",
    policy: { require: DISTINCT },
    evidence: (scene) => [scene.signed("alice"), scene.attested("bob", "test-result")],
    expected: "accepted",
  },
  {
    name: "thresholds/one-person-for-both-things",
    about: "who signs cannot be the one who attests",
    policy: { require: DISTINCT },
    evidence: (scene) => [scene.signed("alice"), scene.attested("alice", "test-result")],
    expected: "refused threshold-not-met",
  },
  {
    name: "thresholds/who-takes-which-part-is-found",
    about: "alice did both and bob one: bob takes that one, alice the other",
    policy: { require: DISTINCT },
    evidence: (scene) => [scene.attested("alice", "test-result"), scene.signed("alice"), scene.signed("bob")],
    expected: "accepted",
  },
];
