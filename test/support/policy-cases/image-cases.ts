import type { CaseSpec } from "./spec.ts";

/** Rules by what the image is called: each accepts by alice, or says in its name why not. */
function rules(...patterns: readonly (readonly [images: string, who: string])[]): string {
  return [
    "apiVersion: countersign/v1",
    "identities:",
    "  alice: {key: ../../keys/alice.pub}",
    "  bob: {key: ../../keys/bob.pub}",
    "rules:",
    ...patterns.flatMap(([images, who]) => [
      `  - images: ${JSON.stringify(images)}`,
      `    require: {signature: {by: ${who}}}`,
    ]),
    "",
  ].join("\n");
}

const APP = "registry.example.com/acme/app";
const signed: CaseSpec["evidence"] = (scene) => [scene.signed("alice")];

/** Which rule an image falls under. */
export const IMAGE_CASES: readonly CaseSpec[] = [
  {
    name: "images/exact-before-prefix",
    about: "the repository itself is more specific than what it is in",
    policy: rules(["registry.example.com/acme/", "bob"], [APP, "alice"], ["registry.example.com/", "bob"]),
    evidence: signed,
    expected: "accepted",
    rule: APP,
  },
  {
    name: "images/order-decides-nothing",
    about: "a rule that stands first and says less is not the one",
    policy: rules(["registry.example.com/", "alice"], ["registry.example.com/acme/", "bob"]),
    evidence: signed,
    expected: "refused wrong-key",
    rule: "registry.example.com/acme/",
  },
  {
    name: "images/prefix",
    about: "everything below a prefix",
    policy: rules(["registry.example.com/acme/", "alice"]),
    evidence: signed,
    expected: "accepted",
    rule: "registry.example.com/acme/",
  },
  {
    name: "images/prefix-ends-at-a-slash",
    about: "a prefix is no beginning of a word",
    policy: rules(["registry.example.com/ac/", "alice"]),
    evidence: signed,
    expected: "refused no-policy",
  },
  {
    name: "images/star-in-a-segment",
    about: "a star stands for a part of a name between slashes",
    policy: rules(["registry.example.com/*/app", "alice"]),
    evidence: signed,
    expected: "accepted",
    rule: "registry.example.com/*/app",
  },
  {
    name: "images/star-not-across-slashes",
    about: "one star does not go across a slash",
    policy: rules(["registry.example.com/*", "alice"]),
    evidence: signed,
    expected: "refused no-policy",
  },
  {
    name: "images/stars-across-slashes",
    about: "two stars do",
    policy: rules(["registry.example.com/**", "alice"]),
    evidence: signed,
    expected: "accepted",
  },
  {
    name: "images/tag-before-repository",
    about: "a rule for a tag wins over the one for its repository",
    policy: rules([APP, "bob"], [`${APP}:1.4.2`, "alice"]),
    evidence: signed,
    expected: "accepted",
    rule: `${APP}:1.4.2`,
  },
  {
    name: "images/another-tag",
    about: "a rule for another tag is not asked",
    policy: rules([APP, "bob"], [`${APP}:1.4.3`, "alice"]),
    evidence: signed,
    expected: "refused wrong-key",
    rule: APP,
  },
  {
    name: "images/only-another-tag",
    about: "where only another tag is named, nothing is",
    policy: rules([`${APP}:1.4.3`, "alice"]),
    evidence: signed,
    expected: "refused no-policy",
  },
  {
    name: "images/another-digest",
    about: "a rule for another digest is not asked",
    policy: rules([`${APP}@sha256:${"0".repeat(64)}`, "alice"]),
    evidence: signed,
    expected: "refused no-policy",
  },
  {
    name: "images/no-rule",
    about: "what no rule names is not accepted, whoever signed it",
    policy: rules(["registry.example.com/other/", "alice"]),
    evidence: signed,
    expected: "refused no-policy",
  },
  {
    name: "images/another-registry",
    about: "the registry is part of the name",
    policy: rules(["registry.example.net/acme/app", "alice"]),
    evidence: signed,
    expected: "refused no-policy",
  },
  {
    name: "images/empty-policy",
    about: "a policy without rules accepts nothing",
    policy: "apiVersion: countersign/v1\nrules: []\n",
    evidence: signed,
    expected: "refused no-policy",
  },
  {
    name: "images/without-a-name",
    about: "an image in a folder that nobody gave a name falls under no rule",
    policy: rules(["registry.example.com/**", "alice"]),
    evidence: (scene) => ({ repository: "none", candidates: [scene.signed("alice")] }),
    expected: "refused no-policy",
  },
  {
    name: "images/forbidden",
    about: "a rule may accept nothing, and say why",
    policy: {
      require: '{never: "this registry was closed"}',
    },
    evidence: signed,
    expected: "refused forbidden",
  },
  {
    name: "images/forbidden-within-what-is-allowed",
    about: "the more specific rule closes what the other opens",
    policy: [
      rules(["registry.example.com/**", "alice"]).trimEnd(),
      "  - images: registry.example.com/acme/",
      '    name: "acme is closed"',
      '    require: {never: "acme has moved"}',
      "",
    ].join("\n"),
    evidence: signed,
    expected: "refused forbidden",
    rule: "acme is closed",
  },
];
