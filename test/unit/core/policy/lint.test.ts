import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parsePublicKey } from "../../../../src/core/crypto/public-key.ts";
import { type LintFinding, type LintOptions, lintPolicy } from "../../../../src/core/policy/lint.ts";
import { LINTS, type LintCode } from "../../../../src/core/policy/lint-codes.ts";
import { instant } from "../../../../src/core/time.ts";
import { policyOf, SAMPLE_DIGEST } from "../../../support/policy-sample.ts";
import { processorTime } from "../../../support/processor-time.ts";

const NOW = instant(Date.UTC(2026, 10, 1));

/** A policy that nothing is to be said about. */
const CLEAN = `apiVersion: countersign/v1
identities:
  alice: {key: alice.pub}
  bob: {key: bob.pub}
  release: {github: {repository: acme/app, workflow: release.yml}}
  dana: {keyless: {subject: dana@acme.example, issuer: https://login.acme.example}, trust: lab}
  builds: {keyless: {subjectPattern: 'https://ci\\.acme\\.example/builds/.*', issuer: https://ci.acme.example}}
roles: {team: [alice, bob]}
trust: {lab: {instance: lab}}
withdrawn: [{file: withdrawn.json, by: dana, maxAge: 7d}]
rules:
  - images: registry.example/acme/
    require:
      all:
        - signature: {by: team, threshold: 2}
        - attestation: {type: slsaprovenance1, by: [release, builds], maxAge: 90d}
  - images: registry.example/acme/app
    require: {signature: {by: release}}
    exceptions: [{digest: "${SAMPLE_DIGEST}", owner: dana, reason: why, expires: 2027-01-31}]
`;

function findingsOf(text: string, options: Partial<LintOptions> = {}): readonly LintFinding[] {
  return lintPolicy(policyOf(text), { now: NOW, instances: ["sigstore", "github", "lab"], ...options });
}

function codesOf(text: string, options: Partial<LintOptions> = {}): readonly LintCode[] {
  return findingsOf(text, options).map(({ code }) => code);
}

/** The same policy with one text in place of another. */
function changed(from: string, to: string): string {
  assert.ok(CLEAN.includes(from), from);
  return CLEAN.replace(from, () => to);
}

const subject = (pattern: string): string => changed("{subject: dana@acme.example,", `{subjectPattern: '${pattern}',`);
const image = (pattern: string): string => changed("images: registry.example/acme/\n", `images: "${pattern}"\n`);

const FOUND: readonly (readonly [code: LintCode, what: string, text: string])[] = [
  [
    "time-unproven",
    "an age of a key's signature that nothing proves",
    changed("{by: team, threshold: 2}", "{by: team, maxAge: 7d}"),
  ],
  [
    "time-unproven",
    "a key's window that nothing proves",
    changed("{key: alice.pub}", "{key: alice.pub, distrustedSince: 2027-01-01}"),
  ],
  [
    "time-unproven",
    "the age of a VEX statement by a key",
    changed(
      "{signature: {by: release}}",
      "{vulnerabilities: {scannedBy: dana, maxAge: 7d, severityAtMost: low, vex: {by: alice, maxAge: 7d}}}",
    ),
  ],
  ["trust-unknown", "an instance that nobody set up", changed("{instance: lab}", "{instance: other}")],
  [
    "trust-unknown",
    "an identity's instance that nobody set up",
    changed("trust: lab}", "trust: other}").replace("trust: {lab: {instance: lab}}\n", ""),
  ],
  ["pattern-open", "a pattern that everybody meets", subject(".*")],
  ["pattern-open", "another", subject("(?i)^[^ ]+$")],
  ["pattern-open", "one more", subject("(.+)|\\S{1,}")],
  ["pattern-unanchored", "a pattern that other owners meet", subject("https://github\\.com/acme.*")],
  ["pattern-unanchored", "the same with dots as they are", subject("https://github.com/acme.*")],
  ["pattern-unanchored", "a pattern that other hosts meet", subject("https://ci\\.acme.*")],
  [
    "pattern-unanchored",
    "a pattern that begins with anything",
    subject(".*/acme/app/\\.github/workflows/release\\.yml@refs/heads/main"),
  ],
  ["pattern-dot", "a dot that stands for anything", subject("https://ci.acme\\.example/builds/.*")],
  ["pattern-dot", "a dot in an address", subject("[a-z]+@acme.example")],
  [
    "issuer-pattern",
    "an issuer that is a pattern",
    changed("issuer: https://login.acme.example}", "issuerPattern: 'https://(a|b)\\.acme\\.example'}"),
  ],
  ["host-open", "any registry", image("**")],
  ["host-open", "a registry whose name goes on", image("registry.example*/acme/**")],
  ["host-open", "a registry in any domain", image("registry.*/acme/**")],
  ["tag-escaped", "a tag whose image another rule is for by its digest", image("registry.example/acme/app:1.4")],
  [
    "warn-mode",
    "a rule that only warns",
    changed("require: {signature: {by: release}}\n", "require: {signature: {by: release}}\n    mode: warn\n"),
  ],
  ["exception-expired", "an exception that has expired", changed("2027-01-31", "2026-10-31")],
  ["exception-expired", "one that expires now", changed("2027-01-31", "2026-11-01")],
  [
    "exception-expired",
    "an excepted vulnerability",
    changed(
      "{signature: {by: release}}",
      "{vulnerabilities: {scannedBy: dana, maxAge: 7d, severityAtMost: low, except: [{id: CVE-1, owner: a, reason: b, expires: 2026-01-01}]}}",
    ),
  ],
  ["exception-long", "an exception that lasts longer than a year", changed("2027-01-31", "2027-11-05")],
  [
    "exception-elsewhere",
    "an exception for other images",
    changed(`{digest: "${SAMPLE_DIGEST}",`, "{images: registry.example/acme/db,"),
  ],
  ["list-ageless", "a list of withdrawn digests that may be of any age", changed("by: dana, maxAge: 7d}", "by: dana}")],
  ["no-rules", "no rules", "apiVersion: countersign/v1\nrules: []\n"],
  [
    "pattern-shadowed",
    "a pattern that another has all of",
    changed("images: registry.example/acme/\n", "images: [registry.example/acme/, registry.example/acme/db]\n"),
  ],
  [
    "pattern-shadowed",
    "a pattern twice",
    changed("images: registry.example/acme/app\n", "images: [registry.example/acme/app, registry.example/acme/app]\n"),
  ],
  [
    "deny-overruled",
    "a closed place that another rule opens",
    changed(
      "    require:\n      all:\n        - signature: {by: team, threshold: 2}\n        - attestation: {type: slsaprovenance1, by: [release, builds], maxAge: 90d}\n",
      "    require: {never: closed}\n",
    ),
  ],
  [
    "same-person",
    "somebody in two roles that are counted",
    changed("roles: {team: [alice, bob]}", "roles: {team: [alice, bob], other: [alice]}").replace(
      "{by: team, threshold: 2}",
      "{by: [team, other], threshold: 2}",
    ),
  ],
  [
    "same-person",
    "somebody in two parts of a threshold",
    changed(
      "{signature: {by: release}}",
      "{threshold: {count: 2, of: [{signature: {by: team}}, {attestation: {type: vsa, by: team}}]}}",
    ),
  ],
  ["unused", "an identity", changed("[release, builds]", "release")],
  ["unused", "a role", changed("{by: team, threshold: 2}", "{by: [alice, bob], threshold: 2}")],
  ["unused", "a trust root", changed("{lab: {instance: lab}}", "{lab: {instance: lab}, acme: {trustedRoot: a.json}}")],
];

describe("what to look at in a policy", () => {
  it("is nothing where there is nothing", () => {
    assert.deepEqual(findingsOf(CLEAN), []);
  });

  for (const [code, what, text] of FOUND) {
    it(`is ${what}: ${code}`, () => {
      const finding = findingsOf(text).find((one) => one.code === code);
      assert.ok(finding !== undefined, codesOf(text).join());
      assert.equal(finding.severity, LINTS[code].severity);
      assert.ok(finding.place.line >= 1);
      assert.notEqual(finding.next, "");
    });
  }

  it("is a key that is published as an example, where keys were read", () => {
    const published = parsePublicKey(readFileSync("keys-example/demo.pub"), "demo.pub");
    assert.deepEqual(codesOf(CLEAN, { keys: new Map([["alice", [published]]]) }), ["key-published"]);
    assert.equal(LINTS["key-published"].severity, "error");
  });

  it("is a threshold of people with the same key, where keys were read", () => {
    const same = { fingerprint: "SHA256:1" };
    const keys = new Map([
      ["alice", [same]],
      ["bob", [{ fingerprint: "SHA256:2" }, same]],
    ]);
    assert.deepEqual(codesOf(CLEAN, { keys }), ["threshold-unmeetable", "same-person"]);
    assert.deepEqual(
      codesOf(CLEAN, {
        keys: new Map([
          ["alice", [same]],
          ["bob", [{ fingerprint: "SHA256:2" }]],
        ]),
      }),
      [],
    );
  });

  it("is that there are more image patterns than can be compared: it takes seconds at most", () => {
    const images = Array.from({ length: 4_000 }, (_, at) => `registry.example/*a${at}b*`).join(", ");
    const started = processorTime();
    const codes = codesOf(changed("images: registry.example/acme/\n", `images: [${images}]\n`));
    assert.ok(codes.includes("patterns-uncompared"));
    assert.ok(processorTime() - started < 20_000);
  });

  it("has every code of the list in one of these tests", () => {
    const reached = new Set<LintCode>([
      ...FOUND.map(([code]) => code),
      "key-published",
      "threshold-unmeetable",
      "patterns-uncompared",
    ]);
    assert.deepEqual(
      Object.keys(LINTS).filter((code) => !reached.has(code as LintCode)),
      [],
    );
  });

  it("is in the order of the file", () => {
    const lines = findingsOf(subject(".*").replace("2027-01-31", "2020-01-01")).map(({ place }) => place.line);
    assert.deepEqual(
      lines,
      [...lines].sort((a, b) => a - b),
    );
    assert.ok(lines.length > 1);
  });
});

describe("what not to look at", () => {
  const quiet: readonly (readonly [what: string, text: string])[] = [
    ["an instance, where nobody found out which there are", changed("{instance: lab}", "{instance: other}")],
    ["a pattern of one organization's addresses", subject(".*@acme\\.example")],
    ["a pattern of one repository's workflows", subject("https://github\\.com/acme/app/\\.github/workflows/.*")],
    ["a dot in a class of characters", subject("https://ci\\.acme\\.example/[a-z.0-9]+")],
    ["a registry below a domain", image("*.registry.example/acme/**")],
    ["a registry at any port", image("registry.example:*/acme/**")],
    ["a tag that no other rule is for", image("registry.example/other/app:1.4")],
    [
      "everything else that is closed",
      changed("rules:\n", 'rules:\n  - {images: "**", require: {never: no rule is for it}}\n'),
    ],
    [
      "a pattern that another rule comes between",
      changed(
        "images: registry.example/acme/\n",
        "images: [registry.example/acme/, registry.example/acme/*-db]\n",
      ).replace("images: registry.example/acme/app\n", "images: registry.example/acme/*\n"),
    ],
    ["an exception that lasts a year", changed("2027-01-31", "2027-11-01")],
  ];
  for (const [what, text] of quiet) {
    it(`is ${what}`, () => {
      const instances = /instance/.test(what) ? undefined : ["sigstore", "github", "lab"];
      assert.deepEqual(codesOf(text, { instances }), []);
    });
  }
});
