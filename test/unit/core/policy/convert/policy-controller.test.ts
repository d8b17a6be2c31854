import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseAllDocuments, stringify } from "yaml";
import { encodeUtf8 } from "../../../../../src/core/bytes.ts";
import { importPolicyController } from "../../../../../src/core/policy/convert/policy-controller-import.ts";
import { thrownBy } from "../../../../support/codes.ts";
import { exportRules, pemOf } from "../../../../support/foreign-policies.ts";

const KEY = { name: "alice", key: { data: pemOf("alice") } };
const KEYLESS = {
  name: "dana",
  keyless: {
    url: "https://fulcio.sigstore.dev",
    identities: [{ issuer: "https://i.example", subject: "dana@example.com" }],
  },
};

function cip(spec: object, more: object = {}): object {
  const whole = { images: [{ glob: "registry.example/**" }], authorities: [KEY], ...spec };
  return {
    apiVersion: "policy.sigstore.dev/v1beta1",
    kind: "ClusterImagePolicy",
    metadata: { name: "acme" },
    spec: whole,
    ...more,
  };
}

function read(...policies: readonly object[]) {
  return importPolicyController(encodeUtf8(policies.map((one) => stringify(one)).join("---\n")), "cips.yaml");
}

function written(rules: string) {
  const { files, losses } = exportRules(`rules:\n${rules}`, "policy-controller");
  const all = parseAllDocuments(files[0].content).map(
    (document) => document.toJS() as Readonly<Record<string, unknown>>,
  );
  const specs = all.flatMap(({ kind, spec }) =>
    kind === "ClusterImagePolicy"
      ? [
          spec as {
            readonly images: readonly { readonly glob: string }[];
            readonly authorities: readonly Readonly<Record<string, unknown>>[];
            readonly mode: string;
          },
        ]
      : [],
  );
  return { all, specs, losses };
}

describe("ClusterImagePolicies that are imported", () => {
  it("become rules with their keys in them", () => {
    const { document, losses } = read(cip({}));
    assert.deepEqual(
      document.rules.map(({ images }) => images.map(({ text }) => text)),
      [["registry.example/"]],
    );
    assert.deepEqual(
      document.rules.map(({ require }) => require.kind),
      ["signature"],
    );
    assert.deepEqual(losses, []);
  });

  it("want a log entry of keys where they name Sigstore's public log", () => {
    const { document } = read(cip({ authorities: [{ ...KEY, ctlog: { url: "https://rekor.sigstore.dev" } }] }));
    const [identity] = document.identities.values();
    assert.deepEqual([identity?.trust, identity?.proof], ["sigstore", { logs: 1 }]);
  });

  it("match patterns of identities where a part of them does", () => {
    const identities = [{ issuerRegExp: "^https://i\\.example$", subjectRegExp: "@example\\.com" }];
    const { document } = read(cip({ authorities: [{ name: "a", keyless: { identities } }] }));
    const [identity] = document.identities.values();
    assert.deepEqual(identity?.kind === "keyless" && [identity.issuer.text, identity.subject.text], [
      "https://i\\.example",
      "(?s:.*)@example\\.com(?s:.*)",
    ]);
  });

  const PATTERNS: readonly (readonly [string, string])[] = [
    ["^a$", "a"],
    ["^a", "a(?s:.*)"],
    ["a$", "(?s:.*)a"],
    ["a\\$", "(?s:.*)a\\$(?s:.*)"],
    ["^a|b$", "(?s:.*)(?:^a|b$)(?s:.*)"],
    ["^(a)$", "(?s:.*)(?:^(a)$)(?s:.*)"],
  ];
  for (const [theirs, ours] of PATTERNS) {
    it(`write ${theirs} as ${ours}`, () => {
      const identities = [{ issuer: "https://i.example", subjectRegExp: theirs }];
      const { document } = read(cip({ authorities: [{ name: "a", keyless: { identities } }] }));
      const [identity] = document.identities.values();
      assert.equal(identity?.kind === "keyless" && identity.subject.text, ours);
    });
  }

  it("ask for any of their authorities, and for all attestations of one", () => {
    const attestations = ["https://slsa.dev/provenance/v1", "vuln"].map((predicateType, at) => ({
      name: `a${at}`,
      predicateType,
    }));
    const { document } = read(cip({ authorities: [{ ...KEY, attestations }, KEYLESS] }));
    const [rule] = document.rules;
    assert.equal(rule?.require.kind, "any");
    assert.deepEqual(rule?.require.kind === "any" && rule.require.of.map(({ kind }) => kind), ["all", "signature"]);
  });

  it("are all asked where several match, and warn only where none of them is enforced", () => {
    const { document } = read(
      cip({}),
      cip({ images: [{ glob: "registry.example/app*" }], authorities: [KEYLESS], mode: "warn" }),
      cip({ images: [{ glob: "other.example/*" }], mode: "warn" }),
      cip({ images: [{ glob: "registry.example/app*" }], authorities: [KEYLESS] }),
    );
    const rules = new Map(document.rules.map((rule) => [rule.images[0]?.text, rule]));
    assert.equal(rules.get("registry.example/app*")?.require.kind, "all");
    assert.equal(rules.get("registry.example/app*")?.mode, "enforce");
    assert.equal(rules.get("registry.example/")?.require.kind, "signature");
    assert.equal(rules.get("other.example/*")?.mode, "warn");
  });

  it("let through what a static authority lets through, with a warning", () => {
    const { document } = read(cip({ authorities: [{ name: "pass", static: { action: "pass" } }] }));
    assert.deepEqual(
      document.rules.map(({ mode, require }) => [mode, require.kind]),
      [["warn", "never"]],
    );
  });

  it("are read from a List, from v1alpha1, and beside other objects, which are said", () => {
    const list = {
      apiVersion: "v1",
      kind: "List",
      items: [
        cip({}, { apiVersion: "policy.sigstore.dev/v1alpha1" }),
        { apiVersion: "v1", kind: "Secret", metadata: { name: "s" } },
      ],
    };
    const { document, losses } = read(list);
    assert.equal(document.rules.length, 1);
    assert.deepEqual(
      losses.map(({ what, effect }) => [what, effect]),
      [["Secret s", "dropped"]],
    );
  });

  const CANNOT: readonly (readonly [string, object, string])[] = [
    ["a policy in CUE", { policy: { type: "cue", data: "x: 1" } }, "policy"],
    [
      "a policy of an attestation",
      {
        authorities: [
          { ...KEY, attestations: [{ name: "a", predicateType: "vuln", policy: { type: "rego", data: "x" } }] },
        ],
      },
      "policy of an attestation",
    ],
    [
      "a type that is none",
      { authorities: [{ ...KEY, attestations: [{ name: "a", predicateType: "no type" }] }] },
      "predicateType",
    ],
    ["some kinds of objects", { match: [{ resource: "pods", version: "v1" }] }, "match"],
    ["a key in a secret", { authorities: [{ name: "a", key: { secretRef: { name: "s" } } }] }, "an authority"],
    ["a key in a KMS", { authorities: [{ name: "a", key: { kms: "awskms:///alias/x" } }] }, "an authority"],
    ["another hash", { authorities: [{ name: "a", key: { ...KEY.key, hashAlgorithm: "sha512" } }] }, "an authority"],
    ["a log of its own", { authorities: [{ ...KEY, ctlog: { url: "https://rekor.example" } }] }, "an authority"],
    [
      "a timestamp authority",
      { authorities: [{ ...KEY, rfc3161timestamp: { trustRootRef: "mine" } }] },
      "an authority",
    ],
    [
      "an authority of its own",
      { authorities: [{ name: "a", keyless: { ...KEYLESS.keyless, url: "https://fulcio.example" } }] },
      "an authority",
    ],
    [
      "a trust root",
      { authorities: [{ name: "a", keyless: { ...KEYLESS.keyless, trustRootRef: "mine" } }] },
      "an authority",
    ],
    ["a glob that no digest matches", { images: [{ glob: "registry.example/app" }] }, "registry.example/app"],
    ["a glob with a tag", { images: [{ glob: "registry.example/app:1" }] }, "registry.example/app:1"],
  ];
  for (const [title, spec, what] of CANNOT) {
    it(`are refused for ${title}, and it is said`, () => {
      const { document, losses } = read(cip(spec));
      assert.deepEqual(
        document.rules.map(({ require, mode }) => [require.kind, mode]),
        [["never", "enforce"]],
      );
      assert.ok(
        losses.some((loss) => loss.what === what && loss.effect === "stricter" && /^cips\.yaml:\d+$/.test(loss.place)),
        JSON.stringify(losses),
      );
    });
  }

  it("ask what a glob that is no pattern asks for all images of the file", () => {
    const { document, losses } = read(cip({}), cip({ images: [{ glob: "reg*.example/**" }], authorities: [KEYLESS] }));
    assert.deepEqual(
      document.rules.map(({ require }) => require.kind),
      ["all"],
    );
    assert.equal(losses[0]?.what, "reg*.example/**");
  });

  it("say in which line of which document something is wrong", () => {
    const text = `${stringify(cip({}))}---\n${stringify(cip({}))}`.replace(/mode: .*\n/g, "");
    const wrong = `${text}---\napiVersion: policy.sigstore.dev/v1beta1\nkind: ClusterImagePolicy\nspec:\n  imagse: []\n`;
    const line = wrong.split("\n").findIndex((one) => one.includes("imagse")) + 1;
    const { found } = thrownBy(() => importPolicyController(encodeUtf8(wrong), "cips.yaml"), "policy-invalid");
    assert.match(found ?? "", new RegExp(`^cips\\.yaml:${line}:3: the unknown field imagse`));
  });

  const WRONG: readonly (readonly [string, object, RegExp])[] = [
    ["another version", cip({}, { apiVersion: "policy.sigstore.dev/v2" }), /v2/],
    ["an unknown member", cip({ image: [] }), /unknown field image/],
    ["an unknown member beside spec", cip({}, { specs: {} }), /unknown field specs/],
    ["no images", cip({ images: [] }), /no images/],
    ["a glob with other characters", cip({ images: [{ glob: "a.example/[ab]" }] }), /a\.example/],
    ["an unknown mode", cip({ mode: "audit" }), /"audit"/],
    ["a key and an identity", cip({ authorities: [{ ...KEY, ...KEYLESS }] }), /2 of key/],
    ["an authority of nothing", cip({ authorities: [{ name: "a" }] }), /0 of key/],
    ["a key that is none", cip({ authorities: [{ name: "a", key: { data: "PEM" } }] }), /cips\.yaml:/],
    ["no identities", cip({ authorities: [{ name: "a", keyless: { identities: [] } }] }), /no identities/],
    [
      "a subject twice",
      cip({
        authorities: [{ name: "a", keyless: { identities: [{ issuer: "i", subject: "s", subjectRegExp: "s" }] } }],
      }),
      /subject and subjectRegExp/,
    ],
    [
      "an identity without an issuer",
      cip({ authorities: [{ name: "a", keyless: { identities: [{ subject: "s" }] } }] }),
      /no issuer/,
    ],
    ["an unknown static action", cip({ authorities: [{ name: "a", static: { action: "warn" } }] }), /"warn"/],
  ];
  for (const [title, policy, found] of WRONG) {
    it(`are refused for ${title}`, () =>
      assert.match(thrownBy(() => read(policy), "policy-invalid").found ?? "", found));
  }

  it("are refused for a key that is there twice, an alias, and what is no YAML", () => {
    for (const text of ["a: 1\na: 2\n", "a: &x 1\nb: *x\n", "kind: [\n"]) {
      thrownBy(() => importPolicyController(encodeUtf8(text), "cips.yaml"), "policy-invalid");
    }
  });
});

describe("a policy that is exported to policy-controller", () => {
  it("refuses what no policy is about, and takes no attestations unverified", () => {
    assert.deepEqual(
      written("  []").all.map(({ kind, data }) => [kind, data]),
      [["ConfigMap", { "no-match-policy": "deny", "enable-oci11": "false" }]],
    );
  });

  it("compares repository@digest, and Docker Hub's by its other name", () => {
    const { specs } = written(
      '  - {images: [docker.io/library/nginx, a.example/x/, "a.example/*/y"], require: {signature: {by: dana}}}',
    );
    assert.deepEqual(
      specs[0]?.images.map(({ glob }) => glob),
      ["index.docker.io/library/nginx@*", "a.example/x/**@*", "a.example/*/y@*"],
    );
  });

  it("asks for signatures of keyless signers in bundles, as statements of their own type", () => {
    const { specs, losses } = written("  - {images: a.example/, require: {signature: {by: dana}}}");
    const [authority] = specs[0]?.authorities ?? [];
    assert.equal(authority?.["signatureFormat"], "bundle");
    assert.deepEqual(authority?.["attestations"], [
      { name: "statement", predicateType: "https://sigstore.dev/cosign/sign/v1" },
    ]);
    assert.deepEqual(losses, []);
  });

  it("has a policy for each part that has to be met", () => {
    const { specs } = written(
      "  - {images: a.example/, require: {all: [{signature: {by: dana}}, {attestation: {type: spdxjson, by: [alice, dana]}}]}}",
    );
    assert.deepEqual(
      specs.map(({ authorities }) => authorities.length),
      [1, 2],
    );
  });

  it("fails for image signatures of keys, which it would take whatever repository they name", () => {
    const { specs, losses } = written("  - {images: a.example/, require: {signature: {by: alice}}}");
    assert.deepEqual(
      specs.map(({ authorities }) => authorities[0]?.["static"] !== undefined),
      [true],
    );
    assert.equal(losses[0]?.what, "image signatures by alice");
  });

  it("asks of a repository what one of its tags is asked for: it compares digests alone", () => {
    const { specs, losses } = written(
      '  - {images: a.example/x, require: {signature: {by: dana}}}\n  - {images: "a.example/x:1", require: {never: closed}}',
    );
    assert.deepEqual(
      specs.map(({ images, authorities }) => [images[0]?.glob, authorities[0]?.["static"] !== undefined]),
      [["a.example/x@*", true]],
    );
    assert.deepEqual(
      losses.map(({ what }) => what),
      ["a.example/x:1"],
    );
  });

  it("says where two policies would both be asked, and keeps warnings warnings", () => {
    const { specs, losses } = written(
      "  - {images: a.example/, require: {signature: {by: dana}}}\n  - {images: a.example/x, mode: warn, require: {signature: {by: dana}}}",
    );
    assert.deepEqual(
      specs.map(({ mode }) => mode),
      ["enforce", "warn"],
    );
    assert.deepEqual(
      losses.map(({ what, place }) => [what, place]),
      [["a.example/x", "policy.yaml:9"]],
    );
  });
});
