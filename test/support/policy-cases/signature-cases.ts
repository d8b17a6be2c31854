import { LEGACY_ANNOTATIONS } from "../../../src/core/formats/legacy-material.ts";
import type { CaseSpec } from "./spec.ts";

const BY_ALICE = "{signature: {by: alice}}";

/** The image's own signature by keys. */
export const SIGNATURE_CASES: readonly CaseSpec[] = [
  {
    name: "signatures/by-the-wanted-key",
    about: "the wanted key signed the image",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.signed("alice")],
    expected: "accepted",
  },
  {
    name: "signatures/legacy-by-the-wanted-key",
    about: "cosign's older form counts as well, and names the repository",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.signed("alice", { legacy: true })],
    expected: "accepted",
  },
  {
    name: "signatures/by-a-key-inside-the-policy",
    about: "a key may stand in the policy itself",
    policy: (scene) => {
      const pem = scene.pem("alice").trimEnd().split("\n");
      return {
        require: BY_ALICE,
        identities: { alice: ["", "    key: |", ...pem.map((line) => `      ${line}`)].join("\n") },
      };
    },
    evidence: (scene) => [scene.signed("alice")],
    expected: "accepted",
  },
  {
    name: "signatures/none",
    about: "nobody signed it",
    policy: { require: BY_ALICE },
    expected: "refused unsigned",
  },
  {
    name: "signatures/by-another-key",
    about: "somebody else signed it",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.signed("mallory")],
    expected: "refused wrong-key",
  },
  {
    name: "signatures/claims-the-wanted-key",
    about: "a signature that names the wanted key and is not by it",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.signed("mallory", { hintOf: "alice" })],
    expected: "refused bad-signature",
  },
  {
    name: "signatures/copied-from-another-image",
    about: "the wanted key signed another image",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.signed("alice", { about: scene.other })],
    expected: "refused wrong-digest",
  },
  {
    name: "signatures/legacy-of-another-repository",
    about: "the same digest was signed in another repository: an old signature must not be replayed here",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.signed("alice", { legacy: true, repository: "registry.example.com/acme/old" })],
    expected: "refused wrong-repository",
  },
  {
    name: "signatures/an-attestation-is-none",
    about: "an attestation by the wanted key is not a signature of the image",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.attested("alice", "slsaprovenance1")],
    expected: "refused not-a-signature",
  },
  {
    name: "signatures/broken-bundle",
    about: "what is stored as a signature is none",
    policy: { require: BY_ALICE },
    evidence: () => [{ format: "bundle", origin: { via: "referrers-api" }, bytes: Buffer.from('{"bundle":true}') }],
    expected: "refused malformed-signature",
  },
  {
    name: "signatures/legacy-without-signature",
    about: "a layer of the tag that carries no signature",
    policy: { require: BY_ALICE },
    evidence: (scene) => {
      const signed = scene.signed("alice", { legacy: true });
      if (signed.format !== "cosign-legacy") throw new Error("another format");
      const { [LEGACY_ANNOTATIONS.signature]: _, ...annotations } = signed.annotations;
      return [{ ...signed, annotations }];
    },
    expected: "refused malformed-signature",
  },
  {
    name: "signatures/good-beside-junk",
    about: "junk beside a good signature changes nothing",
    policy: { require: BY_ALICE },
    evidence: (scene) => [
      scene.signed("mallory"),
      scene.signed("mallory", { hintOf: "alice" }),
      { format: "bundle", origin: { via: "referrers-api" }, bytes: Buffer.from("junk") },
      scene.signed("alice", { about: scene.other }),
      scene.signed("alice"),
    ],
    expected: "accepted",
  },
  {
    name: "signatures/all-that-can-be-wrong-at-once",
    about: "of several refusals the one that came nearest is told first",
    policy: { require: BY_ALICE },
    evidence: (scene) => [
      scene.signed("mallory"),
      scene.signed("mallory", { hintOf: "alice" }),
      scene.signed("alice", { about: scene.other }),
    ],
    expected: "refused wrong-digest, bad-signature, wrong-key",
  },
  {
    name: "signatures/with-the-annotation",
    about: "the signature carries the annotation that is asked for",
    policy: { require: "{signature: {by: alice, annotations: {env: prod}}}" },
    evidence: (scene) => [scene.signed("alice", { annotations: { env: "prod", more: "x" } })],
    expected: "accepted",
  },
  {
    name: "signatures/with-another-value",
    about: "the annotation has another value",
    policy: { require: "{signature: {by: alice, annotations: {env: prod}}}" },
    evidence: (scene) => [scene.signed("alice", { annotations: { env: "test" } })],
    expected: "refused wrong-annotations",
  },
  {
    name: "signatures/without-the-annotation",
    about: "the annotation is absent: that meets nothing",
    policy: { require: "{signature: {by: alice, annotations: {env: prod}}}" },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused wrong-annotations",
  },
  {
    name: "signatures/annotations-of-two-signatures",
    about: "two signatures with one annotation each are not one with both",
    policy: { require: "{signature: {by: alice, annotations: {env: prod, tier: web}}}" },
    evidence: (scene) => [
      scene.signed("alice", { annotations: { env: "prod" } }),
      scene.signed("alice", { annotations: { tier: "web" } }),
    ],
    expected: "refused wrong-annotations",
  },
  {
    name: "signatures/name-binding-met",
    about: "what was signed names the repository",
    policy: { require: "{signature: {by: alice, nameBinding: true}}" },
    evidence: (scene) => [scene.signed("alice", { legacy: true })],
    expected: "accepted",
  },
  {
    name: "signatures/name-binding-without-a-name",
    about: "a bundle that names no repository does not do where the name is bound",
    policy: { require: "{signature: {by: alice, nameBinding: true}}" },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused wrong-repository",
  },
  {
    name: "signatures/mirror-under-its-old-name",
    about: "a mirror of an image that was signed elsewhere",
    policy: { require: BY_ALICE, rule: ["signedAs: [registry.example.com/acme/old]"] },
    evidence: (scene) => [scene.signed("alice", { legacy: true, repository: "registry.example.com/acme/old" })],
    expected: "accepted",
  },
  {
    name: "signatures/mirror-by-prefix",
    about: "a whole mirror: the beginning of the name is exchanged",
    policy: {
      require: BY_ALICE,
      images: "mirror.example.com/",
      rule: ["signedAs: [{prefix: mirror.example.com/, signedPrefix: registry.example.com/}]"],
    },
    evidence: (scene) => ({
      repository: "mirror.example.com/acme/app",
      candidates: [scene.signed("alice", { legacy: true })],
    }),
    expected: "accepted",
  },
  {
    name: "signatures/mirror-of-another-image",
    about: "a mirror answers for the same image's name and no other",
    policy: {
      require: BY_ALICE,
      images: "mirror.example.com/",
      rule: ["signedAs: [{prefix: mirror.example.com/, signedPrefix: registry.example.com/}]"],
    },
    evidence: (scene) => ({
      repository: "mirror.example.com/acme/other",
      candidates: [scene.signed("alice", { legacy: true })],
    }),
    expected: "refused wrong-repository",
  },
  {
    name: "signatures/keyless-where-a-key-is-wanted",
    about: "a certificate is no key",
    policy: { require: BY_ALICE },
    evidence: (scene) => [scene.keyless({})],
    expected: "refused wrong-key",
  },
  {
    name: "signatures/key-where-a-certificate-is-wanted",
    about: "a bare key vouches for nobody whom an authority has to vouch for",
    policy: { require: "{signature: {by: erin}}" },
    evidence: (scene) => [scene.signed("alice")],
    expected: "refused wrong-key",
  },
];
