import { formatWithdrawn } from "../../../src/core/policy/withdrawn.ts";
import { type Instant, parseInstant } from "../../../src/core/time.ts";
import type { Person, Scene } from "./scene.ts";
import type { CaseSpec, PolicySpec } from "./spec.ts";

const BY_ALICE = "{signature: {by: alice}}";
const LIST: PolicySpec = {
  require: BY_ALICE,
  members: ["withdrawn:", "  - {file: withdrawn.json, by: scanner, maxAge: 7d}"],
};

/** A list in the folder of the case, and its bundle. */
function list(
  scene: Scene,
  { by = "scanner", issued = "2026-05-31T00:00:00Z", also = [] as readonly string[] }: Listing = {},
) {
  const digests = [scene.other, ...also].map((digest) => ({
    digest: digest as typeof scene.other,
    reason: "CVE-2026-1 in it",
  }));
  const bytes = formatWithdrawn({ issued: at(issued), digests });
  return { "withdrawn.json": bytes, "withdrawn.json.sigstore.json": scene.signedFile(by, bytes) };
}

interface Listing {
  readonly by?: Person;
  readonly issued?: string;
  readonly also?: readonly string[];
}

function at(text: string): Instant {
  const time = parseInstant(text);
  if (time === undefined) throw new Error(text);
  return time;
}

const signed: NonNullable<CaseSpec["evidence"]> = (scene) => [scene.signed("alice")];

/** A policy that is broken by a text. */
function broken(
  name: string,
  about: string,
  text: string,
  expected: CaseSpec["expected"] = "error policy-invalid",
): CaseSpec {
  return { name: `unusable/${name}`, about, policy: text, evidence: signed, expected };
}

function withRule(rule: string): string {
  return `apiVersion: countersign/v1\nidentities:\n  alice: {key: ../../keys/alice.pub}\nrules:\n  - ${rule}\n`;
}

const RULE = `{images: registry.example.com/acme/app, require: ${BY_ALICE}}`;

/** Digests that were taken back, and policies by which nothing can be judged. */
export const UNUSABLE_CASES: readonly CaseSpec[] = [
  {
    name: "withdrawn/another-digest",
    about: "a list that does not name this digest takes nothing from it",
    policy: LIST,
    evidence: signed,
    files: (scene) => list(scene),
    expected: "accepted",
  },
  {
    name: "withdrawn/this-digest",
    about: "a digest that was taken back is refused, whoever signed it",
    policy: LIST,
    evidence: signed,
    files: (scene) => list(scene, { also: [scene.digest] }),
    expected: "refused withdrawn",
  },
  {
    name: "withdrawn/this-digest-and-unsigned",
    about: "beside that, it would have been refused anyway",
    policy: LIST,
    files: (scene) => list(scene, { also: [scene.digest] }),
    expected: "refused withdrawn, unsigned",
  },
  {
    name: "withdrawn/no-exception-lifts-it",
    about: "an exception does not bring back what was taken back",
    policy: {
      ...LIST,
      rule: [
        "exceptions:",
        "  - {images: registry.example.com/acme/app, owner: bob@example.com, reason: old, expires: 2027-01-31T00:00:00Z}",
      ],
    },
    evidence: signed,
    files: (scene) => list(scene, { also: [scene.digest] }),
    expected: "refused withdrawn",
  },
  {
    name: "withdrawn/a-rule-that-warns-does-not-lift-it",
    about: "nor does a rule that only warns",
    policy: { ...LIST, rule: ["mode: warn"] },
    evidence: signed,
    files: (scene) => list(scene, { also: [scene.digest] }),
    expected: "refused withdrawn",
  },
  {
    name: "withdrawn/platform-of-the-index",
    about: "an index that lists what was taken back would run it",
    policy: LIST,
    evidence: (scene) => ({
      image: "index",
      candidates: [scene.signed("alice", { about: scene.index.descriptor.digest })],
    }),
    files: (scene) => list(scene, { also: [scene.index.manifests[1]?.digest ?? ""] }),
    expected: "refused withdrawn",
  },
  {
    name: "withdrawn/list-too-old",
    about: "a list that nobody has stood by for a month may be an old one that was put back",
    policy: LIST,
    evidence: signed,
    files: (scene) => list(scene, { issued: "2026-05-01T00:00:00Z" }),
    expected: "undetermined trust-stale",
  },
  {
    name: "withdrawn/list-by-another",
    about: "a list that is not signed by whom it has to be",
    policy: LIST,
    evidence: signed,
    files: (scene) => list(scene, { by: "mallory" }),
    expected: "error policy-untrusted",
  },
  {
    name: "withdrawn/list-changed",
    about: "a list that was changed after it was signed",
    policy: LIST,
    evidence: signed,
    files: (scene) => ({ ...list(scene, { also: [scene.digest] }), "withdrawn.json": list(scene)["withdrawn.json"] }),
    expected: "error policy-untrusted",
  },
  {
    name: "withdrawn/no-list",
    about: "a list that is not there",
    policy: LIST,
    evidence: signed,
    expected: "error policy-invalid",
  },
  broken("unknown-field", "a field that nobody knows", withRule(RULE).replace("rules:", "ruels: []\nrules:")),
  broken("another-version", "a language of the future", withRule(RULE).replace("v1", "v2")),
  broken(
    "another-kind",
    "another kind of document",
    withRule(RULE).replace("identities:", "kind: Kubernetes\nidentities:"),
  ),
  broken("duplicate-key", "a member that stands there twice", `${withRule(RULE)}rules: []\n`),
  broken("alias", "anchors and aliases are not for settings", withRule(RULE).replace("{key:", "&a {key:")),
  broken("tab", "a tab is no indentation", withRule(RULE).replace("  alice", "\talice")),
  broken("empty-file", "nothing at all", ""),
  broken("nobody", "somebody is asked for who is not named", withRule(RULE.replace("by: alice", "by: nobody"))),
  broken(
    "no-registry",
    "a pattern has to name the registry",
    withRule(RULE.replace("registry.example.com/acme/app", "acme/app")),
  ),
  broken("two-members", "a requirement is one thing", withRule(RULE.replace("by: alice}}", 'by: alice}, never: "x"}'))),
  broken(
    "nothing-required",
    "a requirement of nothing would be met by anything",
    withRule(RULE.replace(BY_ALICE, "{all: []}")),
  ),
  broken(
    "threshold-of-none",
    "a threshold of none would be met by nobody",
    withRule(RULE.replace("by: alice", "by: alice, threshold: 0")),
  ),
  broken(
    "threshold-too-high",
    "more people than there are",
    withRule(RULE.replace("by: alice", "by: alice, threshold: 2")),
  ),
  broken("ambiguous", "two rules that are equally specific for some image", withRule(`${RULE}\n  - ${RULE}`)),
  broken(
    "condition",
    "a condition that is none",
    withRule("{images: registry.example.com/, require: {attestation: {type: vuln, by: alice, where: 'predicate.('}}}"),
  ),
  broken(
    "condition-of-another-type",
    "a condition that can only come to a number",
    withRule("{images: registry.example.com/, require: {attestation: {type: vuln, by: alice, where: '1 + 1'}}}"),
  ),
  broken(
    "never-expires",
    "an exception without an end",
    withRule(
      `{images: registry.example.com/, require: ${BY_ALICE}, exceptions: [{images: registry.example.com/, owner: x, reason: y}]}`,
    ),
  ),
  broken("no-key-file", "a key that is not there", withRule(RULE).replace("alice.pub", "nobody.pub")),
  broken(
    "published-key",
    "a key whose private half everybody has",
    withRule(RULE).replace("../../keys/alice.pub", "../../../../keys-example/demo.pub"),
    "error key-published",
  ),
  broken(
    "key-elsewhere",
    "a policy chooses nothing that is run or read from the environment",
    withRule(RULE).replace("../../keys/alice.pub", "env://KEY"),
  ),
  broken(
    "pattern",
    "a pattern that is none",
    withRule(RULE).replace(
      "{key: ../../keys/alice.pub}",
      "{keyless: {subjectPattern: '(', issuer: https://login.example.com}}",
    ),
  ),
];
