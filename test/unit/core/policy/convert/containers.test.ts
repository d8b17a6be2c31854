import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../../src/core/bytes.ts";
import { LIMITS } from "../../../../../src/core/limits.ts";
import { importContainers } from "../../../../../src/core/policy/convert/containers-import.ts";
import { formatPolicy } from "../../../../../src/core/policy/format.ts";
import { thrownBy } from "../../../../support/codes.ts";
import { exportRules, pemOf } from "../../../../support/foreign-policies.ts";

const keyData = (name: string) => Buffer.from(pemOf(name)).toString("base64");
const OWN = { type: "matchRepository" };
const signedBy = (name: string, more: object = {}) => ({
  type: "sigstoreSigned",
  keyData: keyData(name),
  signedIdentity: OWN,
  ...more,
});

function docker(scopes: object, fallback: readonly object[] = [{ type: "reject" }]): object {
  return { default: fallback, transports: { docker: scopes } };
}

function read(policy: object | string) {
  const text = typeof policy === "string" ? policy : JSON.stringify(policy);
  const { document, losses } = importContainers(encodeUtf8(text), "policy.json");
  return { document, losses, rules: formatPolicy(document).replace(/^[\s\S]*?\nrules:/, "rules:") };
}

function refused(policy: object | string): string {
  const text = typeof policy === "string" ? policy : JSON.stringify(policy);
  return thrownBy(() => importContainers(encodeUtf8(text), "policy.json"), "policy-invalid").found ?? "";
}

function written(rules: string) {
  const { files, losses, notes } = exportRules(`rules:\n${rules}`, "containers");
  const policy = JSON.parse(files[0].content) as {
    readonly default: unknown;
    readonly transports?: { readonly docker: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> };
  };
  return { policy, scopes: policy.transports?.docker ?? {}, attachments: files[1]?.content ?? "", losses, notes };
}

describe("a policy.json that is imported", () => {
  it("becomes a rule for a repository and all below it", () => {
    const { document, losses } = read(docker({ "registry.example/acme/app": [signedBy("alice")] }));
    const [rule] = document.rules;
    assert.deepEqual(
      rule?.images.map(({ text }) => text),
      ["registry.example/acme/app", "registry.example/acme/app/"],
    );
    assert.equal(rule?.require.kind === "signature" && rule.require.nameBinding, true);
    assert.deepEqual(losses, []);
  });

  it("asks all of several requirements, and any of several keys", () => {
    const several = { type: "sigstoreSigned", keyDatas: [keyData("alice"), keyData("bob")], signedIdentity: OWN };
    const { rules } = read(docker({ "registry.example": [several, signedBy("carol")] }));
    assert.match(
      rules,
      /all:\n\s+- signature: \{by: \[key, key-2\], nameBinding: true\}\n\s+- signature: \{by: key-3, nameBinding: true\}/,
    );
  });

  it("keeps keys in files where they are, and names their holders after them", () => {
    const { document } = read(
      docker({
        "registry.example": [{ type: "sigstoreSigned", keyPath: "/etc/keys/release.pub", signedIdentity: OWN }],
      }),
    );
    const identity = document.identities.get("release");
    assert.deepEqual(identity?.kind === "keys" && identity.keys.map(({ source }) => source), [
      { kind: "file", path: "/etc/keys/release.pub" },
    ]);
  });

  it("lets through what accepts anything, with a warning in every verdict, and says so", () => {
    const { document, losses } = read(docker({ "": [{ type: "insecureAcceptAnything" }] }));
    assert.equal(document.rules[0]?.mode, "warn");
    assert.equal(document.rules[0]?.require.kind, "never");
    assert.deepEqual(
      losses.map(({ effect }) => effect),
      ["dropped"],
    );
  });

  it("takes the default of the transport before the one of the file", () => {
    const { document } = read(docker({ "": [signedBy("alice")] }, [{ type: "insecureAcceptAnything" }]));
    assert.deepEqual(
      document.rules.map(({ mode }) => mode),
      ["enforce"],
    );
  });

  it("has one holder for a key that is named twice", () => {
    const { document } = read(docker({ "a.example": [signedBy("alice")], "b.example": [signedBy("alice")] }));
    assert.deepEqual([...document.identities.keys()], ["key"]);
  });

  it("takes a folder of Docker Hub for one", () => {
    const { document } = read(
      docker({ "docker.io/library": [signedBy("alice")], "docker.io/acme/app": [signedBy("bob")] }),
    );
    const texts = document.rules.map(({ images }) => images.map(({ text }) => text));
    assert.deepEqual(texts, [["docker.io/library/"], ["docker.io/acme/app", "docker.io/acme/app/"]]);
  });

  const CANNOT: readonly (readonly [string, object, string])[] = [
    ["OpenPGP keys", { type: "signedBy", keyType: "GPGKeys", keyPath: "/k.gpg" }, "signedBy"],
    ["base layers", { type: "signedBaseLayer", baseLayerIdentity: OWN }, "signedBaseLayer"],
    ["a log's key", signedBy("alice", { rekorPublicKeyPath: "/rekor.pub" }), "rekorPublicKey"],
    [
      "Fulcio",
      {
        type: "sigstoreSigned",
        fulcio: { caPath: "/ca", oidcIssuer: "https://i.example", subjectEmail: "a@example.com" },
        rekorPublicKeyPath: "/r",
        signedIdentity: OWN,
      },
      "fulcio",
    ],
    [
      "a PKI",
      { type: "sigstoreSigned", pki: { caRootsPath: "/ca", subjectEmail: "a@example.com" }, signedIdentity: OWN },
      "pki",
    ],
    ["no signedIdentity, which compares tags", { type: "sigstoreSigned", keyData: keyData("alice") }, "signedIdentity"],
    ["matchExact", signedBy("alice", { signedIdentity: { type: "matchExact" } }), "signedIdentity"],
    [
      "exactReference",
      signedBy("alice", { signedIdentity: { type: "exactReference", dockerReference: "a.example/x:1" } }),
      "signedIdentity",
    ],
    [
      "exactRepository of another",
      signedBy("alice", { signedIdentity: { type: "exactRepository", dockerRepository: "a.example/x" } }),
      "signedIdentity",
    ],
    [
      "remapIdentity",
      signedBy("alice", { signedIdentity: { type: "remapIdentity", prefix: "a.example", signedPrefix: "b.example" } }),
      "signedIdentity",
    ],
  ];
  for (const [title, requirement, what] of CANNOT) {
    it(`refuses what asks for ${title}, and says so`, () => {
      const { document, losses } = read(docker({ "registry.example/app": [requirement] }));
      assert.deepEqual(
        document.rules.map(({ require, mode }) => [require.kind, mode]),
        [["never", "enforce"]],
      );
      assert.deepEqual(
        losses.map((loss) => [loss.what, loss.effect]),
        [[what, "stricter"]],
      );
      assert.equal(losses[0]?.place, 'policy.json: transports.docker."registry.example/app"[0]');
    });
  }

  it("refuses a scope with a digest: here it would be about these bytes under any tag", () => {
    const scope = `registry.example/app@sha256:${"a".repeat(64)}`;
    const { document } = read(
      docker({ [scope]: [{ type: "insecureAcceptAnything" }], "registry.example/app": [signedBy("alice")] }),
    );
    assert.equal(document.rules.find(({ images }) => images[0]?.text === scope)?.require.kind, "never");
  });

  it("says that other transports are gone, and reads them all the same", () => {
    const { losses } = read({
      default: [{ type: "reject" }],
      transports: { "docker-daemon": { "": [{ type: "insecureAcceptAnything" }] } },
    });
    assert.deepEqual(
      losses.map(({ what }) => what),
      ["transport docker-daemon"],
    );
    assert.match(refused({ default: [{ type: "reject" }], transports: { dir: { "": [{ type: "sure" }] } } }), /"sure"/);
  });

  const WRONG: readonly (readonly [string, object | string, RegExp])[] = [
    ["no default", {}, /no default/],
    ["an unknown member", { default: [{ type: "reject" }], extra: 1 }, /extra: an unknown member/],
    [
      "an unknown member of a requirement",
      { default: [{ type: "reject", keyPath: "/k" }] },
      /keyPath: an unknown member/,
    ],
    [
      "an unknown member of an identity",
      docker({ "a.example": [signedBy("alice", { signedIdentity: { type: "matchRepository", x: 1 } })] }),
      /signedIdentity\.x/,
    ],
    ["an unknown type", { default: [{ type: "accept" }] }, /"accept"/],
    ["no type", { default: [{}] }, /no type/],
    ["no requirements", { default: [] }, /an empty list/],
    ["a requirement that is a text", { default: ["reject"] }, /a string/],
    ["two kinds of keys", docker({ "a.example": [signedBy("alice", { keyPath: "/k" })] }), /2 of them/],
    ["no key", docker({ "a.example": [{ type: "sigstoreSigned", signedIdentity: OWN }] }), /none of them/],
    [
      "an empty list of keys",
      docker({ "a.example": [{ type: "sigstoreSigned", keyDatas: [], signedIdentity: OWN }] }),
      /an empty list/,
    ],
    [
      "base64 that is none",
      docker({ "a.example": [{ type: "sigstoreSigned", keyData: "!!", signedIdentity: OWN }] }),
      /not base64/,
    ],
    [
      "base64 of no key",
      docker({ "a.example": [{ type: "sigstoreSigned", keyData: "aGFsbG8=", signedIdentity: OWN }] }),
      /keyData/,
    ],
    [
      "two of Rekor's keys",
      docker({ "a.example": [signedBy("alice", { rekorPublicKeyPath: "/a", rekorPublicKeyData: "YQ==" })] }),
      /several members/,
    ],
    [
      "fulcio without a log",
      docker({ "a.example": [{ type: "sigstoreSigned", fulcio: {}, signedIdentity: OWN }] }),
      /fulcio without/,
    ],
    ["a scope that is a short name", docker({ busybox: [{ type: "reject" }] }), /"busybox"/],
    ["a scope with two wildcards", docker({ "a*.*.example": [{ type: "reject" }] }), /a\*/],
    [
      "a key type that is none",
      docker({ "a.example": [{ type: "signedBy", keyType: "PGP", keyPath: "/k" }] }),
      /"PGP"/,
    ],
  ];
  for (const [title, policy, found] of WRONG) {
    it(`is refused for ${title}, as the tools refuse it`, () => assert.match(refused(policy), found));
  }

  it("is refused for a member that is there twice, a comment, and something behind it", () => {
    assert.match(refused('{"default":[{"type":"reject"}],"default":[{"type":"insecureAcceptAnything"}]}'), /./);
    assert.match(refused('{"default":[{"type":"reject"}] /* all */}'), /./);
    assert.match(refused('{"default":[{"type":"reject"}]} {}'), /./);
  });

  it("is read up to a size", () => {
    const large = `${" ".repeat(LIMITS.foreignPolicyBytes)}{}`;
    thrownBy(() => importContainers(encodeUtf8(large), "policy.json"), "limit-reached");
  });
});

describe("a policy that is exported to policy.json", () => {
  it("rejects everything where it has no rules", () => {
    assert.deepEqual(written("  []").policy, { default: [{ type: "reject" }] });
  });

  it("asks for all keys of a clause in one requirement, and for the attachments to be read", () => {
    const { scopes, attachments, losses } = written(
      "  - {images: [a.example/x, a.example/x/], require: {signature: {by: [alice, bob]}}}",
    );
    assert.deepEqual(scopes["a.example/x"], [
      { type: "sigstoreSigned", keyDatas: [keyData("alice"), keyData("bob")], signedIdentity: OWN },
    ]);
    assert.equal(attachments, "docker:\n  a.example/x: {use-sigstore-attachments: true}\n");
    assert.deepEqual(losses, []);
  });

  it("names one key so that older versions read it, and says where several are named", () => {
    const one = written("  - {images: a.example/, require: {signature: {by: alice}}}");
    assert.deepEqual(Object.keys(one.scopes["a.example"]?.[0] ?? {}), ["type", "keyData", "signedIdentity"]);
    const two = written("  - {images: a.example/, require: {signature: {by: [alice, bob]}}}");
    assert.equal(two.notes.length, one.notes.length + 1);
  });

  it("writes a threshold out as any of every pair that is left", () => {
    const { scopes } = written(
      "  - {images: a.example/, require: {signature: {by: [alice, bob, carol], threshold: 2}}}",
    );
    assert.deepEqual(
      scopes["a.example"]?.map(({ keyDatas }) => keyDatas),
      [
        [keyData("alice"), keyData("bob")],
        [keyData("alice"), keyData("carol")],
        [keyData("bob"), keyData("carol")],
      ],
    );
  });

  it("wants what is signed as a repository, and as the one that it is in, where the rule is for one repository", () => {
    const { scopes, losses } = written("  - {images: a.example/x, require: {signature: {by: alice}}}");
    assert.deepEqual(
      scopes["a.example/x"]?.map(({ signedIdentity }) => signedIdentity),
      [{ type: "exactRepository", dockerRepository: "a.example/x" }, OWN],
    );
    assert.deepEqual(
      losses.map(({ effect }) => effect),
      ["dropped"],
    );
  });

  it("lets everything through only where the rule is for a repository and all below it", () => {
    const open = "mode: warn, require: {never: nobody signs}";
    assert.deepEqual(written(`  - {images: [a.example/x, a.example/x/], ${open}}`).scopes["a.example/x"], [
      { type: "insecureAcceptAnything" },
    ]);
    assert.deepEqual(written(`  - {images: a.example/x, ${open}}`).scopes["a.example/x"], [{ type: "reject" }]);
    assert.deepEqual(written(`  - {images: a.example/x/, ${open}}`).scopes["a.example/x"], [{ type: "reject" }]);
  });

  it("rejects a repository of which one digest is forbidden: under a tag the scope of the digest is not looked at", () => {
    const rules = [
      "  - {images: [a.example/x, a.example/x/], require: {signature: {by: alice}}}",
      `  - {images: "a.example/x@sha256:${"a".repeat(64)}", require: {never: broken}}`,
    ];
    assert.deepEqual(written(rules.join("\n")).scopes["a.example/x"], [{ type: "reject" }]);
  });

  it("asks of a folder what a glob in it is asked for", () => {
    const rules = [
      "  - {images: a.example/, require: {signature: {by: alice}}}",
      "  - {images: a.example/*/x, require: {signature: {by: bob}}}",
    ];
    assert.deepEqual(
      written(rules.join("\n")).scopes["a.example"]?.map((one) => one["keyData"]),
      [keyData("alice"), keyData("bob")],
    );
  });

  const LOST: readonly (readonly [string, string])[] = [
    ["maxAge", "{signature: {by: alice, maxAge: 7d}}"],
    ["annotations", "{signature: {by: alice, annotations: {env: prod}}}"],
    ["an attestation", "{attestation: {type: spdxjson, by: alice}}"],
    ["dana", "{signature: {by: dana}}"],
    ["vulnerabilities", "{vulnerabilities: {scannedBy: alice, maxAge: 7d, severityAtMost: low}}"],
    ["a threshold", "{threshold: {count: 2, of: [{signature: {by: alice}}, {signature: {by: [alice, bob]}}]}}"],
  ];
  for (const [what, requirement] of LOST) {
    it(`rejects what asks for ${what}, and says where`, () => {
      const { scopes, losses } = written(`  - {images: a.example/, require: ${requirement}}`);
      assert.deepEqual(scopes["a.example"], [{ type: "reject" }]);
      assert.equal(
        losses.some(
          (loss) => loss.what === what && loss.effect === "stricter" && /^policy\.yaml:\d+$/.test(loss.place),
        ),
        true,
        JSON.stringify(losses),
      );
    });
  }

  it("enforces what only warns, rejects what asks every platform, and forgets exceptions: each is said", () => {
    const warns = written("  - {images: a.example/, mode: warn, require: {signature: {by: alice}}}");
    assert.equal(warns.scopes["a.example"]?.[0]?.["type"], "sigstoreSigned");
    assert.deepEqual(
      warns.losses.map(({ what }) => what),
      ["mode: warn"],
    );
    const each = written("  - {images: a.example/, platforms: each, require: {signature: {by: alice}}}");
    assert.deepEqual(each.scopes["a.example"], [{ type: "reject" }]);
    const exception = `exceptions: [{digest: "sha256:${"a".repeat(64)}", owner: o@example.com, reason: r, expires: 2027-01-31}]`;
    assert.match(
      written(`  - {images: a.example/, require: {signature: {by: alice}}, ${exception}}`).losses[0]?.what ?? "",
      /exception/,
    );
  });

  it("rejects what asks for a signed tag, alone or beside a signature, and says so", () => {
    for (const terms of ["signedTag: required", "signedTag: required, require: {signature: {by: alice}}"]) {
      const { scopes, losses } = written(`  - {images: a.example/, ${terms}}`);
      assert.deepEqual(scopes["a.example"], [{ type: "reject" }]);
      assert.match(losses[0]?.what ?? "", /^(a signed tag|signedTag: required)$/);
    }
    const optional = written("  - {images: a.example/, signedTag: optional, require: {signature: {by: alice}}}");
    assert.equal(optional.scopes["a.example"]?.[0]?.["type"], "sigstoreSigned");
  });
});
