import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { parsePolicy, readPolicy } from "../../../../src/core/policy/parse.ts";
import { thrownBy } from "../../../support/codes.ts";
import {
  HEAD,
  policyOf,
  policyWith,
  SAMPLE_DIGEST,
  SAMPLE_POLICY,
  samplePolicy,
} from "../../../support/policy-sample.ts";
import { processorTime } from "../../../support/processor-time.ts";

const DAY = 86_400_000;

describe("a policy", () => {
  const sample = samplePolicy();

  it("is known by the digest of its bytes and by what the user calls it", () => {
    assert.equal(sample.digest, digestOf(Buffer.from(SAMPLE_POLICY)));
    assert.equal(sample.label, "policy.yaml");
  });

  it("names people with one key, with several, in words of an authority, and workflows", () => {
    const kinds = [...sample.identities.values()].map(({ name, kind }) => [name, kind]);
    assert.deepEqual(kinds, [
      ["alice", "keys"],
      ["bob", "keys"],
      ["inline", "keys"],
      ["release", "github"],
      ["anything-of-acme", "github"],
      ["dana", "keyless"],
      ["builders", "keyless"],
    ]);
    const release = sample.identities.get("release");
    assert.ok(release?.kind === "github");
    assert.deepEqual(
      [release.owner, release.repository, release.workflow, release.ref],
      ["acme", "app", "release.yml", "refs/tags/*"],
    );
  });

  it("tells a key in a file from one that is written down", () => {
    const [alice, inline] = ["alice", "inline"].map((name) => sample.identities.get(name));
    assert.ok(alice?.kind === "keys" && inline?.kind === "keys");
    assert.deepEqual(alice.keys[0]?.source, { kind: "file", path: "alice.pub" });
    assert.equal(inline.keys[0]?.source.kind, "pem");
  });

  it("says from when and until when somebody is believed: a day is its beginning, in UTC", () => {
    const alice = sample.identities.get("alice");
    assert.ok(alice?.kind === "keys");
    assert.deepEqual(alice.keys[0]?.window, { from: Date.UTC(2026, 0, 1), until: Date.UTC(2027, 0, 1) });
  });

  it("knows of everything where it stands", () => {
    const [first, second] = sample.rules;
    assert.equal(sample.identities.get("bob")?.place.line, 5);
    assert.deepEqual(first?.place, { label: "policy.yaml", line: 38, column: 5 });
    assert.deepEqual(first?.images[1]?.place, { label: "policy.yaml", line: 39, column: 41 });
    assert.equal(first?.require.place.line, 41);
    assert.equal(second?.mode, "warn");
  });

  it("holds durations in milliseconds", () => {
    const [first] = sample.rules;
    assert.ok(first?.require.kind === "all");
    const [signature, , , attestation] = first.require.of;
    assert.ok(signature?.kind === "signature" && attestation?.kind === "attestation");
    assert.equal(signature.maxAge, 90 * DAY);
    assert.equal(attestation.maxAge, 1.5 * DAY);
    assert.equal(sample.withdrawn[0]?.maxAge, 7 * DAY);
  });

  it("asks for the least where nothing is said", () => {
    const [rule] = policyWith("  - {images: registry.example/a, require: {signature: {by: alice}}}\n").rules;
    assert.ok(rule?.require.kind === "signature");
    assert.deepEqual([rule.mode, rule.platforms, rule.signedAs, rule.exceptions], ["enforce", "index", [], []]);
    assert.deepEqual([rule.require.threshold, rule.require.nameBinding, rule.require.annotations], [1, false, {}]);
  });

  it("may have no rule: it accepts nothing", () => {
    assert.deepEqual(policyOf("apiVersion: countersign/v1\nrules: []\n").rules, []);
  });

  it("keeps conditions as they are written", () => {
    const rule =
      "  - images: registry.example/a\n    require:\n      attestation: {type: vsa, by: bob, where: 'a  ==  1'}\n";
    const [first] = policyWith(rule).rules;
    assert.ok(first?.require.kind === "attestation");
    assert.deepEqual(first.require.where, [
      { text: "a  ==  1", place: { label: "policy.yaml", line: 10, column: 48 } },
    ]);
  });

  it("may name the instances of a configuration, which it does not know", () => {
    const text = HEAD.replace("{key: alice.pub}", "{key: alice.pub, trust: private-lab}");
    assert.equal(policyOf(`${text}rules: []\n`).identities.get("alice")?.trust, "private-lab");
  });
});

// --- refused ----------------------------------------------------------------------------------------------------------

const RULE = "  - {images: registry.example/a, require: {signature: {by: alice}}}\n";
const identity = (text: string): string => `apiVersion: countersign/v1\nidentities:\n  alice: ${text}\nrules: []\n`;
const rule = (text: string): string => `${HEAD}rules:\n  - ${text}\n`;
const requiring = (text: string): string => rule(`images: registry.example/a\n    require: ${text}`);
const withImages = (text: string): string => rule(`images: ${text}\n    require: {signature: {by: alice}}`);
const more = (text: string): string => `${HEAD}${text}\nrules: []\n`;
const excepting = (text: string): string =>
  rule(`images: registry.example/a\n    require: {signature: {by: alice}}\n    exceptions: [${text}]`);

const ACCOUNT = "owner: a, reason: b, expires: 2027-01-01";
const PRIVATE = "-----BEGIN PRIVATE KEY-----\n      AAAA\n      -----END PRIVATE KEY-----";

type Refused = readonly (readonly [what: string, text: string, found: RegExp])[];

const DOCUMENTS: Refused = [
  ["nothing", "", /^policy\.yaml:1:1: no apiVersion/],
  ["a text", "policy\n", /:1:1: a single value|"policy"/],
  ["no version", "rules: []\n", /:1:1: no apiVersion/],
  ["another version", "apiVersion: countersign/v2\nrules: []\n", /:1:13: apiVersion countersign\/v2/],
  ["another kind", "apiVersion: countersign/v1\nkind: Configuration\nrules: []\n", /:2:7: kind Configuration/],
  ["no rules", "apiVersion: countersign/v1\n", /:1:1: no rules/],
  ["rules that say nothing", "apiVersion: countersign/v1\nrules:\n", /:2:1: nothing/],
  ["rules by name", "apiVersion: countersign/v1\nrules: {a: 1}\n", /:2:8: a mapping/],
  ["an unknown field", "apiVersion: countersign/v1\nrule: []\n", /:2:1: the unknown field rule/],
  ["a merge", "apiVersion: countersign/v1\n<<: {}\nrules: []\n", /:2:1: the unknown field <</],
];

const IDENTITIES: Refused = [
  ["nothing said of somebody", identity("{}"), /:3:10: alice, of whom nothing is said/],
  ["a key and keys", identity("{key: a, keys: [{key: b}]}"), /key and keys/],
  ["an unknown kind", identity("{password: a}"), /:3:11: the unknown field password/],
  ["a kind that is not there yet: notation", identity("{notation: {}}"), /the kind notation, which is not there yet/],
  ["a kind that is not there yet: pgp", identity("{pgp: {}}"), /the kind pgp, which is not there yet/],
  ["a key of the environment", identity("{key: env://KEY}"), /:3:16: env:\/\/KEY/],
  ["a key in a KMS", identity("{key: 'awskms:///alias/a'}"), /awskms/],
  ["a key in a token", identity("{key: 'pkcs11:token=a'}"), /pkcs11:token=a/],
  ["a key at an address", identity("{key: https://a.example/key.pub}"), /https:/],
  ["a file's name on two lines", identity('{key: "a\\nb"}'), /"a\\nb"/],
  ["a number for a key", identity("{key: 1}"), /:3:16: 1$/],
  ["an empty key", identity("{key: ''}"), /""/],
  ["a private key", identity(`\n    key: |\n      ${PRIVATE}`), /:4:10: the key holds a private key/],
  [
    "a PEM block of no key",
    identity("\n    key: |\n      -----BEGIN PUBLIC KEY-----\n      AAAA\n      -----END PUBLIC KEY-----"),
    /not a public key|PEM/,
  ],
  ["no keys", identity("{keys: []}"), /:3:17: an empty list/],
  ["keys that are no list", identity("{keys: {key: a}}"), /a mapping/],
  ["a key among keys that says nothing", identity("{keys: [{trustedFrom: 2026-01-01}]}"), /no key/],
  [
    "a window for several keys",
    identity("{keys: [{key: a}], trustedFrom: 2026-01-01}"),
    /trustedFrom beside several keys/,
  ],
  [
    "a window that ends before it begins",
    identity("{key: a, trustedFrom: 2026-01-02, distrustedSince: 2026-01-01}"),
    /ends before/,
  ],
  ["a window of no time", identity("{key: a, trustedFrom: 2026-01-01, distrustedSince: 2026-01-01}"), /ends before/],
  ["a day that never was", identity("{key: a, trustedFrom: 2026-02-30}"), /:3:32: "2026-02-30"/],
  ["a time without a zone", identity("{key: a, trustedFrom: '2026-02-01T00:00:00'}"), /2026-02-01T00/],
  [
    "proof of a key that no root gives",
    identity("{key: a, proof: {timestamps: 1}}"),
    /timestamps beside a key's signature/,
  ],
  ["too much proof", identity("{key: a, trust: sigstore, proof: {logs: 17}}"), /:3:50: 17/],
  ["a negative proof", identity("{key: a, trust: sigstore, proof: {logs: -1}}"), /: -1/],
  ["a trust root of an impossible name", identity("{key: a, trust: 'A B'}"), /the unknown trust A B/],
  ["no subject", identity("{keyless: {issuer: a}}"), /no subject/],
  ["no issuer", identity("{keyless: {subject: a}}"), /no issuer/],
  ["an empty subject", identity("{keyless: {subject: '', issuer: a}}"), /""/],
  [
    "a subject and a pattern",
    identity("{keyless: {subject: a, subjectPattern: b, issuer: c}}"),
    /subject and subjectPattern/,
  ],
  [
    "a pattern that is too long",
    identity(`{keyless: {subjectPattern: ${"a".repeat(LIMITS.patternCharacters + 1)}, issuer: c}}`),
    /a pattern of 4097/,
  ],
  [
    "an unknown claim",
    identity("{keyless: {subject: a, issuer: b, claims: {source-repository-reff: c}}}"),
    /the unknown claim source-repository-reff/,
  ],
  ["a claim that is no text", identity("{keyless: {subject: a, issuer: b, claims: {build-trigger: 1}}}"), /: 1$/],
  [
    "a claim whose pattern is nothing",
    identity("{keyless: {subject: a, issuer: b, claims: {build-trigger: {}}}}"),
    /nothing/,
  ],
  ["an owner and a repository", identity("{github: {owner: acme, repository: acme/app}}"), /repository and owner/],
  ["neither an owner nor a repository", identity("{github: {workflow: a.yml}}"), /neither repository nor owner/],
  ["a repository without an owner", identity("{github: {repository: app}}"), /not a repository of GitHub: app/],
  ["an owner that is a path", identity("{github: {owner: acme/app}}"), /not an owner on GitHub/],
  ["a workflow that is a path", identity("{github: {owner: acme, workflow: ../a.yml}}"), /\.\.\/a\.yml/],
  ["a workflow that is no workflow", identity("{github: {owner: acme, workflow: release}}"), /: release$/],
  ["a branch that is no ref", identity("{github: {owner: acme, ref: main}}"), /: main$/],
  ["a ref with three stars", identity("{github: {owner: acme, ref: refs/***}}"), /refs\/\*\*\*/],
  ["a name with a blank", more("").replace("  bob:", "  bob x:"), /the name bob x/],
  ["a name that begins with underscores", more("").replace("  bob:", "  __proto__:"), /the name __proto__/],
  ["a name that is a number", more("").replace("  bob:", "  12:"), /: 12$/],
];

const ROLES: Refused = [
  [
    "an identity's name",
    more("").replace("roles: {team:", "roles: {alice:"),
    /:6:9: alice, which is an identity already/,
  ],
  ["nobody", more("").replace("[alice, bob]", "[]"), /:6:15: an empty list/],
  ["a stranger", more("").replace("[alice, bob]", "[alice, bobb]"), /:6:23: the unknown name bobb/],
  ["a role", more("").replace("{team: [alice, bob]}", "{team: [alice], all: [team]}"), /the unknown name team/],
  ["somebody twice", more("").replace("[alice, bob]", "[alice, alice]"), /alice a second time/],
  [
    "more than can be counted",
    more("").replace("[alice, bob]", `[${"alice, ".repeat(LIMITS.policyMembers + 1)}]`),
    /1001 names/,
  ],
];

const TRUST: Refused = [
  ["a name that is built in", more("trust: {sigstore: {instance: a}}"), /:7:9: the name sigstore, which is built in/],
  ["neither a root nor an instance", more("trust: {acme: {logs: 1}}"), /neither trustedRoot nor instance/],
  ["both", more("trust: {acme: {trustedRoot: a, instance: b}}"), /trustedRoot and instance/],
  ["a root at an address", more("trust: {acme: {trustedRoot: https://a.example/root.json}}"), /https:/],
  ["too much", more("trust: {acme: {instance: b, timestamps: 17}}"), /: 17$/],
  ["a name with a blank", more("trust: {a b: {instance: c}}"), /the name a b/],
];

const WITHDRAWN: Refused = [
  ["no source", more("withdrawn: [{by: alice}]"), /neither file nor artifact/],
  ["two sources", more("withdrawn: [{file: a, artifact: 'oci://r.example/a', by: alice}]"), /file and artifact/],
  ["nobody who signs it", more("withdrawn: [{file: a}]"), /nobody: no by/],
  ["a stranger", more("withdrawn: [{file: a, by: zoe}]"), /the unknown name zoe/],
  ["an artifact without its scheme", more("withdrawn: [{artifact: r.example/a, by: alice}]"), /r\.example\/a$/],
  [
    "an artifact that is no reference",
    more("withdrawn: [{artifact: 'oci://R/A:', by: alice}]"),
    /not an image reference/,
  ],
  ["a mapping for the list", more("withdrawn: {file: a, by: alice}"), /:7:12: a mapping/],
];

const RULES: Refused = [
  ["no images", rule("require: {signature: {by: alice}}"), /:8:5: no images/],
  ["no requirement", rule("images: registry.example/a"), /:8:5: no require/],
  ["an empty list of images", withImages("[]"), /:8:13: an empty list/],
  ["a number for an image", withImages("[1]"), /:8:14: 1/],
  ["an image without its registry", withImages("nginx"), /names no registry: nginx/],
  ["an image of Docker Hub without its registry", withImages("acme/app"), /names no registry/],
  ["an image that none is called", withImages("registry.example/Acme/"), /not a path/],
  ["a glob that none is called", withImages("registry.example/a..*"), /which no image is called/],
  ["another mode", rule("{images: registry.example/a, require: {never: x}, mode: audit}"), /: audit$/],
  ["other platforms", rule("{images: registry.example/a, require: {never: x}, platforms: all}"), /: all$/],
  [
    "another word for signed tags",
    rule("{images: registry.example/a, require: {never: x}, signedTag: yes}"),
    /yes|true/,
  ],
  [
    "an age of bindings where none is required",
    rule("{images: registry.example/a, require: {never: x}, maxBindingAge: 90d}"),
    /maxBindingAge where no signed tag is required/,
  ],
  [
    "an age of bindings that is none",
    rule("{images: registry.example/a, signedTag: required, maxBindingAge: soon}"),
    /"soon"/,
  ],
  ["an optional signed tag and nothing else", rule("{images: registry.example/a, signedTag: optional}"), /no require/],
  [
    "digests of which nothing is required",
    rule("{images: registry.example/a, signedTag: required, digestPulls: any}"),
    /any, where nothing else is required of a digest/,
  ],
  [
    "another word for references by digest",
    rule("{images: registry.example/a, require: {never: x}, digestPulls: all}"),
    /: all$/,
  ],
  ["an empty name", rule("{images: registry.example/a, require: {never: x}, name: ''}"), /""/],
  ["an unknown field", rule("{images: registry.example/a, requires: {never: x}}"), /the unknown field requires/],
  [
    "signedAs with a tag",
    rule("{images: registry.example/a, require: {never: x}, signedAs: docker.io/a/b:1}"),
    /it has a tag/,
  ],
  [
    "a prefix that ends in the middle of a name",
    rule("{images: r.example/a, require: {never: x}, signedAs: [{prefix: m.example/acme, signedPrefix: docker.io/}]}"),
    /m\.example\/acme/,
  ],
  [
    "a prefix alone",
    rule("{images: r.example/a, require: {never: x}, signedAs: [{prefix: m.example/}]}"),
    /no signedPrefix/,
  ],
  [
    "the same pattern in two rules",
    `${HEAD}rules:\n${RULE}${RULE}`,
    /:9:14: registry\.example\/a, as specific as registry\.example\/a at policy\.yaml:8/,
  ],
  [
    "patterns between which nothing decides",
    `${HEAD}rules:\n  - {images: r.example/a-*, require: {never: x}}\n  - {images: r.example/*-a, require: {never: x}}\n  - {images: r.example/b-*, require: {never: x}}\n  - {images: r.example/*b-, require: {never: x}}\n`,
    /r\.example\/\*b-, which no image is called/,
  ],
];

const EXCEPTIONS: Refused = [
  ["nothing excepted", excepting(`{${ACCOUNT}}`), /neither digests nor images/],
  ["nobody who answers for it", excepting(`{digest: "${SAMPLE_DIGEST}", reason: b, expires: 2027-01-01}`), /no owner/],
  ["no reason", excepting(`{digest: "${SAMPLE_DIGEST}", owner: a, expires: 2027-01-01}`), /no reason/],
  ["no end", excepting(`{digest: "${SAMPLE_DIGEST}", owner: a, reason: b}`), /no end/],
  [
    "an end that never comes",
    excepting(`{digest: "${SAMPLE_DIGEST}", owner: a, reason: b, expires: never}`),
    /"never"/,
  ],
  ["a short digest", excepting(`{digest: "sha256:abc", ${ACCOUNT}}`), /sha256:abc/],
  ["an empty list of digests", excepting(`{digests: [], ${ACCOUNT}}`), /an empty list/],
  ["an image without its registry", excepting(`{images: nginx, ${ACCOUNT}}`), /names no registry/],
];

const SCAN = "scannedBy: alice, maxAge: 7d, severityAtMost: low";
const REQUIREMENTS: Refused = [
  ["nothing", requiring("{}"), /:9:14: a requirement that says nothing/],
  ["an absent one", requiring(""), /a requirement that says nothing/],
  ["two members", requiring("{signature: {by: alice}, never: x}"), /never and signature/],
  ["a list", requiring("[{signature: {by: alice}}]"), /a list/],
  ["an unknown member", requiring("{signed: {by: alice}}"), /the unknown field signed/],
  ["none of none", requiring("{all: []}"), /:9:20: an empty list, which nothing has to meet/],
  ["any of none", requiring("{any: []}"), /an empty list/],
  ["a denial without a reason", requiring("{never: true}"), /: true$/],
  ["nobody", requiring("{signature: {}}"), /nobody: no by/],
  ["an empty list of names", requiring("{signature: {by: []}}"), /:9:31: an empty list/],
  ["a stranger", requiring("{signature: {by: alicia}}"), /:9:31: the unknown name alicia/],
  ["somebody twice", requiring("{signature: {by: [bob, bob]}}"), /bob a second time/],
  ["a threshold of none", requiring("{signature: {by: alice, threshold: 0}}"), /0, which everybody meets/],
  ["a threshold that is no number", requiring("{signature: {by: alice, threshold: two}}"), /"two"/],
  [
    "a threshold above how many there are",
    requiring("{signature: {by: [alice, bob], threshold: 3}}"),
    /3 of alice, bob/,
  ],
  [
    "a threshold above how many a role has",
    requiring("{signature: {by: [team, alice], threshold: 3}}"),
    /3 of team, alice/,
  ],
  ["an age that is none", requiring("{signature: {by: alice, maxAge: 90}}"), /: 90$/],
  ["an age in no unit", requiring("{signature: {by: alice, maxAge: 3mo}}"), /"3mo"/],
  ["no age at all", requiring("{signature: {by: alice, maxAge: 0d}}"), /"0d"/],
  ["an annotation that is no text", requiring("{signature: {by: alice, annotations: {a: true}}}"), /: true$/],
  [
    "an annotation that no payload can have",
    requiring("{signature: {by: alice, annotations: {__proto__: a}}}"),
    /__proto__/,
  ],
  ["a name binding that is a text", requiring("{signature: {by: alice, nameBinding: 'yes'}}"), /"yes"/],
  ["conditions on a signature", requiring("{signature: {by: alice, where: 'true'}}"), /the unknown field where/],
  ["no type", requiring("{attestation: {by: alice}}"), /no type/],
  ["an unknown type", requiring("{attestation: {type: slsa, by: alice}}"), /not a type of attestation: slsa/],
  ["an empty list of conditions", requiring("{attestation: {type: vsa, by: alice, where: []}}"), /an empty list/],
  [
    "a condition that is too long",
    requiring(`{attestation: {type: vsa, by: alice, where: "${"a".repeat(LIMITS.conditionCharacters + 1)}"}}`),
    /a condition of 4097/,
  ],
  ["no count", requiring("{threshold: {of: [{signature: {by: alice}}]}}"), /no count/],
  ["no choice", requiring("{threshold: {count: 1}}"), /no of/],
  ["a choice among none", requiring("{threshold: {count: 1, of: []}}"), /a count of 1/],
  ["a count of none", requiring("{threshold: {count: 0, of: [{signature: {by: alice}}]}}"), /a count of 0/],
  ["a count above the choice", requiring("{threshold: {count: 2, of: [{signature: {by: alice}}]}}"), /a count of 2/],
  [
    "two things of one person",
    requiring("{threshold: {count: 2, of: [{signature: {by: alice}}, {attestation: {type: vsa, by: alice}}]}}"),
    /a count of 2/,
  ],
  [
    "a threshold in a threshold",
    requiring("{threshold: {count: 1, of: [{signature: {by: team, threshold: 2}}]}}"),
    /a threshold inside a threshold/,
  ],
  [
    "a tree in a threshold",
    requiring("{threshold: {count: 1, of: [{any: [{signature: {by: alice}}]}]}}"),
    /the unknown field any/,
  ],
  ["a denial in a threshold", requiring("{threshold: {count: 1, of: [{never: x}]}}"), /the unknown field never/],
  [
    "more than can be matched",
    requiring(`{threshold: {count: 1, of: [${"{signature: {by: alice}}, ".repeat(LIMITS.policyAlternatives + 1)}]}}`),
    /65 requirements/,
  ],
  [
    "requirements without end",
    requiring(`${"{all: [".repeat(LIMITS.policyDepth)}{never: x}${"]}".repeat(LIMITS.policyDepth)}`),
    /requirements nested without end/,
  ],
  ["a scan by nobody", requiring("{vulnerabilities: {maxAge: 7d, severityAtMost: low}}"), /nobody: no scannedBy/],
  ["a scan of any age", requiring("{vulnerabilities: {scannedBy: alice, severityAtMost: low}}"), /no maxAge/],
  ["a scan that may say anything", requiring("{vulnerabilities: {scannedBy: alice, maxAge: 7d}}"), /no severityAtMost/],
  [
    "an unknown severity",
    requiring("{vulnerabilities: {scannedBy: alice, maxAge: 7d, severityAtMost: moderate}}"),
    /moderate/,
  ],
  ["VEX by nobody", requiring(`{vulnerabilities: {${SCAN}, vex: {maxAge: 1d}}}`), /nobody: no by/],
  ["a vulnerability without a name", requiring(`{vulnerabilities: {${SCAN}, except: [{${ACCOUNT}}]}}`), /no id/],
  [
    "a vulnerability excepted for ever",
    requiring(`{vulnerabilities: {${SCAN}, except: [{id: CVE-1, owner: a, reason: b}]}}`),
    /no end/,
  ],
  [
    "a vulnerability's name with a blank",
    requiring(`{vulnerabilities: {${SCAN}, except: [{id: "CVE 1", ${ACCOUNT}}]}}`),
    /CVE 1/,
  ],
];

for (const [title, cases] of [
  ["a policy", DOCUMENTS],
  ["an identity", IDENTITIES],
  ["a role", ROLES],
  ["a trust root", TRUST],
  ["a list of withdrawn digests", WITHDRAWN],
  ["a rule", RULES],
  ["an exception", EXCEPTIONS],
  ["a requirement", REQUIREMENTS],
] as const) {
  describe(`${title} that cannot be used`, () => {
    for (const [what, text, found] of cases) {
      it(`says where, and what is wrong: ${what}`, () => {
        const error = thrownBy(() => policyOf(text), "policy-invalid");
        assert.match(error.found ?? "", found);
        assert.match(error.found ?? "", /^policy\.yaml:\d+:\d+: /);
        assert.notEqual(error.wanted ?? "", "");
      });
    }
  });
}

describe("several things that are wrong with a policy", () => {
  const text = `${HEAD}trust: {acme: {}}\nwithdrawn: [{by: alice}]\nrules:\n  - {images: nginx, require: {never: x}}\n${RULE}  - {require: {}}\n`;

  it("are all said, in the order of the file", () => {
    const { problems } = readPolicy(Buffer.from(text), "policy.yaml");
    assert.deepEqual(
      problems.map(({ at }) => at?.line),
      [7, 8, 10, 12],
    );
  });

  it("do not make a second problem out of the first: who names a broken identity is right to", () => {
    const broken = identity("{keyless: {}}").replace("rules: []", `rules:\n${RULE}`);
    assert.equal(readPolicy(Buffer.from(broken), "policy.yaml").problems.length, 1);
    const brokenRole = `${HEAD.replace("[alice, bob]", "[zoe]")}rules:\n  - {images: r.example/a, require: {signature: {by: team, threshold: 2}}}\n`;
    assert.equal(readPolicy(Buffer.from(brokenRole), "policy.yaml").problems.length, 1);
  });

  it("are the first of them where only one can be", () => {
    assert.match(thrownBy(() => policyOf(text), "policy-invalid").found ?? "", /^policy\.yaml:7:/);
  });
});

describe("limits of policies", () => {
  it("say a hundred problems and no more, however many there are", () => {
    const rules = "  - {images: r.example/a, require: {signature: {by: zoe}}}\n".repeat(LIMITS.policyProblems + 1);
    assert.equal(readPolicy(Buffer.from(`${HEAD}rules:\n${rules}`), "p").problems.length, LIMITS.policyProblems);
  });

  it("keep thousands of unknown names among thousands of known ones from taking minutes", () => {
    const people = Array.from({ length: 15_000 }, (_, at) => `  n${at}: {key: k}\n`).join("");
    const rules = Array.from(
      { length: 5_000 },
      (_, at) => `  - {images: r${at}.example/a, require: {signature: {by: x${at}}}}\n`,
    );
    const started = processorTime();
    thrownBy(
      () => policyOf(`apiVersion: countersign/v1\nidentities:\n${people}rules:\n${rules.join("")}`),
      "policy-invalid",
    );
    assert.ok(processorTime() - started < 10_000);
  });

  it("refuse one byte more than a policy may have, and ten million", () => {
    const head = "apiVersion: countersign/v1\nrules: []\n#";
    const fits = Buffer.from(head + "x".repeat(LIMITS.policyBytes - head.length));
    assert.equal(parsePolicy(fits, "p").rules.length, 0);
    const over = Buffer.concat([fits, Buffer.from("x")]);
    assert.match(thrownBy(() => parsePolicy(over, "p"), "policy-invalid").found ?? "", /1048577 bytes/);
    thrownBy(() => parsePolicy(Buffer.alloc(10_000_000, "a"), "p"), "policy-invalid");
  });

  it("allow as many names, keys, alternatives and levels as they say", () => {
    const keys = Array.from({ length: LIMITS.policyMembers }, (_, at) => `{key: k${at}}`);
    policyOf(identity(`{keys: [${keys.join(", ")}]}`));
    const error = thrownBy(() => policyOf(identity(`{keys: [${keys.join(", ")}, {key: k}]}`)), "policy-invalid");
    assert.match(error.found ?? "", /1001 keys/);
    policyOf(
      requiring(`{threshold: {count: 1, of: [${"{signature: {by: alice}}, ".repeat(LIMITS.policyAlternatives)}]}}`),
    );
    const levels = LIMITS.policyDepth - 1;
    policyOf(requiring(`${"{all: [".repeat(levels)}{never: x}${"]}".repeat(levels)}`));
  });
});

describe("different people", () => {
  it("are not those who share a key, or are one subject of one issuer", () => {
    const two = (alice: string, bob: string): string =>
      `apiVersion: countersign/v1\nidentities:\n  alice: ${alice}\n  bob: ${bob}\nrules:\n` +
      "  - {images: r.example/a, require: {signature: {by: [alice, bob], threshold: 2}}}\n";
    policyOf(two("{key: a.pub}", "{key: b.pub}"));
    thrownBy(() => policyOf(two("{key: a.pub}", "{key: a.pub}")), "policy-invalid");
    thrownBy(() => policyOf(two("{keys: [{key: a.pub}, {key: b.pub}]}", "{key: b.pub}")), "policy-invalid");
    const dana = "{keyless: {subject: dana, issuer: i}}";
    thrownBy(() => policyOf(two(dana, dana)), "policy-invalid");
    policyOf(two(dana, "{keyless: {subject: dana, issuer: j}}"));
  });

  it("may be any number who meet a pattern, or run a workflow", () => {
    policyWith("  - {images: r.example/a, require: {signature: {by: release, threshold: 5}}}\n");
  });
});
