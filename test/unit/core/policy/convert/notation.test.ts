import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../../src/core/bytes.ts";
import { importNotation } from "../../../../../src/core/policy/convert/notation-import.ts";
import { thrownBy } from "../../../../support/codes.ts";
import { exportRules } from "../../../../support/foreign-policies.ts";

const STRICT = {
  name: "prod",
  registryScopes: ["registry.example/acme/app"],
  signatureVerification: { level: "strict" },
  trustStores: ["ca:acme"],
  trustedIdentities: ["x509.subject: C=DE, ST=BE, O=Acme"],
};
const SKIP = { name: "free", registryScopes: ["registry.example/free"], signatureVerification: { level: "skip" } };

function policy(...trustPolicies: readonly object[]): string {
  return JSON.stringify({ version: "1.0", trustPolicies });
}

describe("a notation trust policy that is imported", () => {
  for (const level of ["strict", "permissive", "audit"]) {
    it(`is refused for what it asks at the level ${level}, and says so: its signatures are not read yet`, () => {
      const text = policy({ ...STRICT, signatureVerification: { level } });
      const { document, losses } = importNotation(encodeUtf8(text), "trustpolicy.json");
      assert.deepEqual(
        document.rules.map(({ require, mode }) => [require.kind, mode]),
        [["never", "enforce"]],
      );
      assert.deepEqual(
        losses.map(({ place, effect }) => [place, effect]),
        [["trustpolicy.json: trustPolicies[0]", "stricter"]],
      );
    });
  }

  it("lets through what is skipped, with a warning, and any registry by *", () => {
    const { document } = importNotation(encodeUtf8(policy(SKIP, { ...STRICT, registryScopes: ["*"] })), "t.json");
    assert.deepEqual(
      document.rules.map(({ images, mode }) => [images[0]?.text, mode]),
      [
        ["registry.example/free", "warn"],
        ["**/", "enforce"],
      ],
    );
  });

  const WRONG: readonly (readonly [string, string, RegExp])[] = [
    ["another version", JSON.stringify({ version: "2.0", trustPolicies: [STRICT] }), /2\.0/],
    ["no statement", policy(), /an empty list/],
    [
      "a misspelt member",
      policy({ ...STRICT, signatureVerification: { level: "strict", overide: {} } }),
      /overide: an unknown member/,
    ],
    ["an unknown level", policy({ ...STRICT, signatureVerification: { level: "loose" } }), /"loose"/],
    ["a name twice", policy(STRICT, { ...STRICT, registryScopes: ["a.example/x"] }), /prod a second time/],
    ["a scope twice", policy(STRICT, { ...STRICT, name: "other" }), /a second time/],
    ["* beside others", policy({ ...STRICT, registryScopes: ["*", "a.example/x"] }), /\* beside others/],
    ["a scope with a tag", policy({ ...STRICT, registryScopes: ["a.example/x:1"] }), /a\.example\/x:1/],
    ["a short name", policy({ ...STRICT, registryScopes: ["nginx"] }), /"nginx"/],
    ["a prefix", policy({ ...STRICT, registryScopes: ["a.example/x/*"] }), /\*/],
    ["skip for every registry", policy({ ...SKIP, registryScopes: ["*"] }), /skip for every registry/],
    ["skip with trust stores", policy({ ...SKIP, trustStores: ["ca:x"] }), /trustStores beside skip/],
    [
      "an override of skip",
      policy({ ...SKIP, signatureVerification: { level: "skip", override: {} } }),
      /override of skip/,
    ],
    ["no trust stores", policy({ ...STRICT, trustStores: [] }), /no trustStores/],
    [
      "an override of integrity",
      policy({ ...STRICT, signatureVerification: { level: "strict", override: { integrity: "log" } } }),
      /integrity/,
    ],
    ["something behind it", `${policy(STRICT)}{}`, /./],
  ];
  for (const [title, text, found] of WRONG) {
    it(`is refused for ${title}`, () => {
      assert.match(thrownBy(() => importNotation(encodeUtf8(text), "t.json"), "policy-invalid").found ?? "", found);
    });
  }
});

describe("a policy that is exported to notation", () => {
  const statements = (rules: string) => {
    const { files, losses } = exportRules(`rules:\n${rules}`, "notation");
    const { trustPolicies } = JSON.parse(files[0].content) as {
      readonly trustPolicies: readonly {
        readonly registryScopes: readonly string[];
        readonly signatureVerification: object;
      }[];
    };
    return { scopes: trustPolicies.flatMap(({ registryScopes }) => registryScopes), trustPolicies, losses };
  };
  const OPEN = "mode: warn, require: {never: nobody signs}";

  it("skips the repositories that a rule lets through, and no others", () => {
    const { scopes, losses } = statements(
      `  - {images: [a.example/x, a.example/y/], ${OPEN}}\n  - {images: a.example/z, require: {never: closed}}`,
    );
    assert.deepEqual(scopes, ["a.example/x"]);
    assert.deepEqual(
      losses.map(({ what }) => what),
      ["a.example/y/**"],
    );
  });

  it("has a statement about nothing where there is no other", () => {
    const { scopes, trustPolicies } = statements("  - {images: a.example/, require: {signature: {by: alice}}}");
    assert.deepEqual(scopes, ["registry.invalid/nothing"]);
    assert.deepEqual(trustPolicies[0]?.signatureVerification, { level: "strict" });
  });

  it("skips no repository of which a tag or a digest is asked for more, nor one that a rule would only warn about", () => {
    const tag = `  - {images: a.example/x, ${OPEN}}\n  - {images: "a.example/x:1", require: {never: closed}}`;
    assert.deepEqual(statements(tag).scopes, ["registry.invalid/nothing"]);
    assert.deepEqual(statements("  - {images: a.example/x, mode: warn, require: {signature: {by: alice}}}").scopes, [
      "registry.invalid/nothing",
    ]);
  });
});
