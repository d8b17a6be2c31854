import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { encodeUtf8 } from "../../../../../src/core/bytes.ts";
import { importKyverno } from "../../../../../src/core/policy/convert/kyverno-import.ts";
import { formatPolicy } from "../../../../../src/core/policy/format.ts";
import { thrownBy } from "../../../../support/codes.ts";
import { exportRules, pemOf } from "../../../../support/foreign-policies.ts";

const KEY = { name: "alice", cosign: { key: { data: pemOf("alice") }, ctlog: { insecureIgnoreTlog: true } } };
const BOB = { name: "bob", cosign: { key: { data: pemOf("bob") }, ctlog: { insecureIgnoreTlog: true } } };
const DANA = {
  name: "dana",
  cosign: { keyless: { identities: [{ issuer: "https://i.example", subject: "dana@example.com" }] } },
};
const SIGNED = "images.containers.map(image, verifyImageSignatures(image, [attestors.alice])).all(e, e > 0)";

function ivp(spec: object, more: object = {}): object {
  const whole = {
    matchImageReferences: [{ glob: "registry.example/*" }],
    attestors: [KEY, BOB, DANA],
    attestations: [{ name: "slsa", intoto: { type: "https://slsa.dev/provenance/v1" } }],
    validations: [{ expression: SIGNED }],
    ...spec,
  };
  return {
    apiVersion: "policies.kyverno.io/v1",
    kind: "ImageValidatingPolicy",
    metadata: { name: "acme" },
    spec: whole,
    ...more,
  };
}

function read(...policies: readonly object[]) {
  return importKyverno(encodeUtf8(policies.map((one) => stringify(one)).join("---\n")), "ivps.yaml");
}

function requirementOf(expression: string) {
  const { document, losses } = read(ivp({ validations: [{ expression }] }));
  return {
    text: formatPolicy(document)
      .replace(/^[\s\S]*require:\s*/, "")
      .trim(),
    losses,
  };
}

describe("ImageValidatingPolicies that are imported", () => {
  const EXPRESSIONS: readonly (readonly [string, string])[] = [
    [SIGNED, "{signature: {by: alice}}"],
    [
      "images.containers.all(image, verifyImageSignatures(image, [attestors.alice, attestors.bob]) > 0)",
      "{signature: {by: [alice, bob]}}",
    ],
    [
      "images.containers.map(i, verifyImageSignatures(i, [attestors.alice, attestors.bob])).all(e, e >= 2)",
      "{signature: {by: [alice, bob], threshold: 2}}",
    ],
    [
      'images.containers.map(image, verifyAttestationSignatures(image, attestations.slsa, [attestors["dana"]])).all(e, e > 0)',
      "{attestation: {type: https://slsa.dev/provenance/v1, by: dana}}",
    ],
    [
      "images.all(kind, images[kind].all(image, verifyImageSignatures(image, [attestors.alice]) > 0 || verifyImageSignatures(image, [attestors.dana]) > 0))",
      "{signature: {by: [alice, dana]}}",
    ],
  ];
  for (const [expression, wanted] of EXPRESSIONS) {
    it(`ask for ${wanted} where they say ${expression.slice(0, 40)}…`, () => {
      const { text, losses } = requirementOf(expression);
      assert.equal(text, wanted);
      assert.deepEqual(losses, []);
    });
  }

  const OTHER: readonly string[] = [
    "true",
    `${SIGNED} || true`,
    "images.containers.map(image, verifyImageSignatures(image, [attestors.alice])).all(e, e >= 0)",
    "images.containers.map(image, verifyImageSignatures(image, [attestors.alice])).exists(e, e > 0)",
    "images.containers.map(image, verifyImageSignatures(other, [attestors.alice])).all(e, e > 0)",
    "images.containers.map(image, verifyImageSignatures(image, [attestors.mallory])).all(e, e > 0)",
    "images.containers.map(image, verifyImageSignatures(image, attestors)).all(e, e > 0)",
    "images.containers.map(image, verifyAttestationSignatures(image, attestations.sbom, [attestors.alice])).all(e, e > 0)",
    "images.containers.map(image, extractPayload(image, attestations.slsa).predicate.x == 1).all(e, e)",
    "images.containers.map(image, verifyImageSignatures(image, [attestors.alice])).all(e, f > 0)",
    "images.containers.all(image, !verifyImageSignatures(image, [attestors.alice]) > 0)",
  ];
  for (const expression of OTHER) {
    it(`are refused for ${expression.slice(0, 90)}`, () => {
      const { text, losses } = requirementOf(expression);
      assert.match(text, /^\{never:/);
      assert.deepEqual(
        losses.map(({ what, effect }) => [what, effect]),
        [["validation", "stricter"]],
      );
    });
  }

  it("match more rather than less: what does not match is admitted there", () => {
    const globs = ["registry.example/app:*", "registry.example/a*", "nginx:*", "acme/app", "registry.example/x:1", "*"];
    const { document } = read(...globs.map((glob) => ivp({ matchImageReferences: [{ glob }] })));
    assert.deepEqual(document.rules.flatMap(({ images }) => images.map(({ text }) => text)).toSorted(), [
      "**/",
      "docker.io/acme/app",
      "docker.io/library/nginx",
      "registry.example/a**",
      "registry.example/app",
      "registry.example/x:1",
    ]);
  });

  it("ask all that match, refuse without validations, and warn where they deny nothing", () => {
    const { document } = read(
      ivp({}),
      ivp({ matchImageReferences: [{ glob: "registry.example/app*" }], validations: [] }),
      ivp({ matchImageReferences: [{ glob: "b.example/*" }], validationActions: ["Audit"] }),
    );
    const rules = new Map(document.rules.map((rule) => [rule.images[0]?.text, rule]));
    assert.equal(rules.get("registry.example/app**")?.require.kind, "never");
    assert.equal(rules.get("registry.example/")?.require.kind, "signature");
    assert.equal(rules.get("b.example/")?.mode, "warn");
  });

  it("want a log entry of keys unless they say otherwise", () => {
    const { document } = read(ivp({ attestors: [{ name: "alice", cosign: { key: KEY.cosign.key } }] }));
    assert.deepEqual(document.identities.get("alice")?.proof, { logs: 1 });
  });

  const NOBODY: readonly (readonly [string, object])[] = [
    ["notary", { name: "alice", notary: { certs: { value: "PEM" } } }],
    ["a certificate", { name: "alice", cosign: { certificate: { cert: { value: "PEM" } } } }],
    ["a KMS", { name: "alice", cosign: { key: { kms: "awskms:///x" } } }],
    ["an expression", { name: "alice", cosign: { key: { expression: "variables.key" } } }],
    ["another hash", { name: "alice", cosign: { key: { ...KEY.cosign.key, hashAlgorithm: "sha384" } } }],
    ["roots of its own", { name: "alice", cosign: { keyless: { ...DANA.cosign.keyless, roots: "PEM" } } }],
    ["TUF of its own", { name: "alice", cosign: { ...DANA.cosign, tuf: { mirror: "https://tuf.example" } } }],
    ["a log of its own", { name: "alice", cosign: { key: KEY.cosign.key, ctlog: { url: "https://rekor.example" } } }],
    ["a log's key", { name: "alice", cosign: { key: KEY.cosign.key, ctlog: { rekorPubKey: "PEM" } } }],
  ];
  for (const [title, attestor] of NOBODY) {
    it(`count nothing as signed by an attestor with ${title}`, () => {
      const { document, losses } = read(ivp({ attestors: [attestor] }));
      assert.deepEqual(
        document.rules.map(({ require }) => require.kind),
        ["never"],
      );
      assert.deepEqual(
        losses.map(({ what }) => what),
        ["attestor alice"],
      );
    });
  }

  const WRONG: readonly (readonly [string, object, RegExp])[] = [
    ["another version", ivp({}, { apiVersion: "policies.kyverno.io/v2" }), /v2/],
    ["an unknown member", ivp({ matchImages: [] }), /unknown field matchImages/],
    ["a glob beside an expression", ivp({ matchImageReferences: [{ glob: "*", expression: "true" }] }), /not one of/],
    [
      "a key and an identity",
      ivp({ attestors: [{ name: "a", cosign: { ...KEY.cosign, ...DANA.cosign } }] }),
      /not one of/,
    ],
    ["a key that is none", ivp({ attestors: [{ name: "a", cosign: { key: { data: "PEM" } } }] }), /ivps\.yaml/],
    ["an unknown action", ivp({ validationActions: ["Allow"] }), /"Allow"/],
    ["a validation without an expression", ivp({ validations: [{ message: "no" }] }), /no expression/],
  ];
  for (const [title, policy, found] of WRONG) {
    it(`are refused for ${title}`, () =>
      assert.match(thrownBy(() => read(policy), "policy-invalid").found ?? "", found));
  }
});

describe("a policy that is exported to Kyverno", () => {
  const exported = (rules: string) => {
    const { files, losses } = exportRules(`rules:\n${rules}`, "kyverno");
    const specs = parseAllDocuments(files[0].content).map(
      (document) =>
        (
          document.toJS() as {
            readonly spec: {
              readonly validationActions: readonly string[];
              readonly validations: readonly { readonly expression: string }[];
              readonly attestations?: readonly object[];
            };
          }
        ).spec,
    );
    return { specs, losses, text: files[0].content };
  };

  it("refuses what no rule is about with a policy of its own, also where there are no rules", () => {
    for (const rules of ["  []", "  - {images: a.example/, require: {signature: {by: alice}}}"]) {
      assert.equal(
        exported(rules).specs.at(-1)?.validations[0]?.expression,
        "images.all(kind, images[kind].all(image, false))",
      );
    }
  });

  it("asks for the statement of a signature: to verifyImageSignatures every statement is one", () => {
    const { specs } = exported("  - {images: a.example/, require: {signature: {by: alice}}}");
    assert.match(
      specs[0]?.validations[0]?.expression ?? "",
      /^images\.all\(kind, images\[kind\]\.all\(image, verifyAttestationSignatures\(image, attestations\.t1, \[attestors\.a1\]\) > 0\)\)$/,
    );
    assert.deepEqual(specs[0]?.attestations, [{ name: "t1", intoto: { type: "https://sigstore.dev/cosign/sign/v1" } }]);
  });

  it("warns where the rule does, and denies elsewhere", () => {
    const { specs } = exported(
      "  - {images: a.example/, mode: warn, require: {signature: {by: alice}}}\n  - {images: b.example/, require: {never: closed}}",
    );
    assert.deepEqual(
      specs.map(({ validationActions }) => validationActions),
      [["Warn", "Audit"], ["Deny"], ["Deny"]],
    );
  });

  it("asks of a tag what is asked of its repository too, and refuses a tag that alone has a rule", () => {
    const open = '{images: "a.example/x:1", mode: warn, require: {never: nobody signs}}';
    const { text, losses } = exported(`  - {images: a.example/x, require: {signature: {by: alice}}}\n  - ${open}`);
    const [repository = "", tag = "", others = ""] = text.match(/expression: .*ref\.matches.*/g) ?? [];
    assert.doesNotMatch(repository, /&& !/);
    assert.match(tag, /x:1/);
    assert.doesNotMatch(others, /x:1/);
    assert.deepEqual(
      losses.map(({ what, effect }) => [what, effect]),
      [["a.example/x:1", "stricter"]],
    );
  });

  const LOST: readonly (readonly [string, string])[] = [
    ["nameBinding", "{signature: {by: alice, nameBinding: true}}"],
    ["annotations", "{signature: {by: alice, annotations: {env: prod}}}"],
    ["where", "{attestation: {type: spdxjson, by: alice, where: 'predicate.x == 1'}}"],
    ["maxAge", "{attestation: {type: spdxjson, by: alice, maxAge: 7d}}"],
  ];
  for (const [what, requirement] of LOST) {
    it(`refuses what asks for ${what}, and says where`, () => {
      const { specs, losses } = exported(`  - {images: a.example/, require: ${requirement}}`);
      assert.match(specs[0]?.validations[0]?.expression ?? "", /false/);
      assert.equal(losses[0]?.what, what);
    });
  }

  it("is read back as it was, whatever the patterns are", () => {
    const images = [
      "a.example/x",
      "a.example/",
      "a.example/*/y",
      "**/z",
      "a.example/x:1",
      "a.example/x:latest",
      `a.example/x@sha256:${"a".repeat(64)}`,
      "*.example:*/",
      "[::1]:5000/x",
      "docker.io/library/nginx",
    ];
    const rules = images.map(
      (pattern) => `  - {images: ${JSON.stringify(pattern)}, require: {signature: {by: alice}}}`,
    );
    const { document, losses } = importKyverno(encodeUtf8(exported(rules.join("\n")).text), "ivps.yaml");
    assert.deepEqual(losses, []);
    const texts = document.rules.flatMap((rule) => rule.images.map(({ text }) => text));
    assert.deepEqual(texts.toSorted(), images.toSorted());
    assert.deepEqual(new Set(document.rules.map(({ require }) => require.kind)), new Set(["signature"]));
  });
});
