import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import { publicKeyPem } from "../../../../src/core/crypto/public-key.ts";
import type { PolicyDocument } from "../../../../src/core/policy/document.ts";
import { parsePolicy } from "../../../../src/core/policy/parse.ts";
import { keyFilesOf, requireSelfContained, withKeysInside } from "../../../../src/core/policy/travel.ts";
import { thrownBy } from "../../../support/codes.ts";
import { testSigner } from "../../../support/signatures.ts";

const PEM = publicKeyPem(testSigner().publicKey);

function parse(text: string): PolicyDocument {
  return parsePolicy(encodeUtf8(text), "policy.yaml");
}

function inside(
  text: string,
  pems: Readonly<Record<string, string>> = { "alice.pub": PEM, "keys/bob.pub": PEM },
): string {
  return withKeysInside(text, keyFilesOf(parse(text)), new Map(Object.entries(pems)));
}

const RULES = "rules: []\n";
const HEAD = "apiVersion: countersign/v1\n";

describe("keys that a policy takes along", () => {
  const spellings: readonly (readonly [which: string, identities: string])[] = [
    ["in braces", "identities: {alice: {key: alice.pub}, bob: { key: keys/bob.pub }}\n"],
    ["in braces and quotes", `identities: {"alice": {"key":"alice.pub"}, bob: {key: 'keys/bob.pub'}}\n`],
    ["line by line", "identities:\n  alice:\n    key: alice.pub  # hers\n  bob:\n    key: keys/bob.pub\n"],
    [
      "as one of several",
      "identities:\n  alice:\n    keys:\n      - key: alice.pub\n        distrustedSince: 2026-01-01T00:00:00Z\n      - {key: keys/bob.pub}\n",
    ],
    ["after letters that take two units in memory", "# 🔑🔑\nidentities: {alice: {key: alice.pub}}   # 🔑\n"],
    ["with line ends of another system", "identities:\r\n  alice: {key: alice.pub}\r\n"],
  ];
  for (const [which, identities] of spellings) {
    it(`are put where their files were named: ${which}`, () => {
      const text = `${HEAD}${identities}${RULES}`;
      const travelling = inside(text);
      const document = parse(travelling);
      requireSelfContained(document);
      const names = [...parse(text).identities.keys()];
      assert.deepEqual([...document.identities.keys()], names);
      for (const identity of document.identities.values()) {
        assert.ok(identity.kind === "keys");
        for (const { source } of identity.keys) assert.deepEqual(source, { kind: "pem", pem: PEM });
      }
      assert.equal(travelling.split(JSON.stringify(PEM)).length - 1, text.match(/\.pub/g)?.length);
    });
  }

  it("leave all else as it was written, comments too", () => {
    const text = `${HEAD}# Who releases: alice.pub\nidentities:\n  alice: {key: alice.pub} # alice.pub\n${RULES}`;
    assert.equal(inside(text), text.replace("{key: alice.pub}", `{key: ${JSON.stringify(PEM)}}`));
  });

  it("are there already where they are PEM", () => {
    const text = `${HEAD}identities: {alice: {key: ${JSON.stringify(PEM)}}}\n${RULES}`;
    assert.equal(inside(text), text);
    requireSelfContained(parse(text));
  });

  it("are not put anywhere where the file's name is written in a way that is not found again", () => {
    for (const key of ['"alice\\x2epub"', ">-\n      alice.pub", "|-\n      alice.pub"]) {
      thrownBy(() => inside(`${HEAD}identities:\n  alice:\n    key: ${key}\n${RULES}`), "policy-invalid");
    }
  });

  it("are not put anywhere where one of them is missing", () => {
    thrownBy(() => inside(`${HEAD}identities: {alice: {key: alice.pub}}\n${RULES}`, {}), "policy-invalid");
  });
});

describe("a policy that is fetched", () => {
  const leading: readonly (readonly [which: string, text: string])[] = [
    ["a key file", `${HEAD}identities: {alice: {key: alice.pub}}\n${RULES}`],
    ["an absolute one", `${HEAD}identities: {alice: {key: /etc/keys/alice.pub}}\n${RULES}`],
    ["one above", `${HEAD}identities: {alice: {key: ../alice.pub}}\n${RULES}`],
    [
      "one of several keys",
      `${HEAD}identities: {alice: {keys: [{key: ${JSON.stringify(PEM)}}, {key: alice.pub}]}}\n${RULES}`,
    ],
    ["a trust root", `${HEAD}trust: {acme: {trustedRoot: acme.json}}\n${RULES}`],
    [
      "a list of withdrawn digests",
      `${HEAD}identities: {alice: {key: ${JSON.stringify(PEM)}}}\nwithdrawn: [{file: withdrawn.json, by: alice}]\n${RULES}`,
    ],
  ];
  for (const [which, text] of leading) {
    it(`may not name ${which} beside itself`, () => {
      const error = thrownBy(() => requireSelfContained(parse(text)), "policy-invalid");
      assert.match(error.found ?? "", /^policy\.yaml:\d+: the file /);
    });
  }

  it("may name instances and lists in registries", () => {
    const identities = `identities: {alice: {key: ${JSON.stringify(PEM)}}}\n`;
    const trust = "trust: {acme: {instance: acme}}\n";
    const withdrawn = "withdrawn: [{artifact: oci://registry.example/withdrawn:1, by: alice}]\n";
    requireSelfContained(parse(`${HEAD}${identities}${trust}${withdrawn}${RULES}`));
  });
});
