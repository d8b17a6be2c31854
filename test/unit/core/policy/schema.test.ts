import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parse } from "yaml";
import { POLICY_FIELDS } from "../../../../src/core/policy/parse.ts";
import {
  GITHUB_FIELDS,
  IDENTITY_FIELDS,
  KEY_FIELDS,
  KEYLESS_FIELDS,
  PROOF_FIELDS,
  TRUST_FIELDS,
} from "../../../../src/core/policy/parse-identities.ts";
import {
  ATTESTATION_FIELDS,
  EXCEPT_FIELDS,
  REQUIREMENTS,
  SIGNATURE_FIELDS,
  THRESHOLD_FIELDS,
  VEX_FIELDS,
  VULNERABILITIES_FIELDS,
} from "../../../../src/core/policy/parse-requirement.ts";
import {
  EXCEPTION_FIELDS,
  RULE_FIELDS,
  SIGNED_AS_FIELDS,
  WITHDRAWN_FIELDS,
} from "../../../../src/core/policy/parse-rules.ts";
import { CLAIMS } from "../../../../src/core/trust/identity.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";
import { HEAD, SAMPLE_DIGEST, SAMPLE_POLICY } from "../../../support/policy-sample.ts";
import { policyTrees } from "../../../support/policy-trees.ts";
import { property } from "../../../support/property.ts";

const SCHEMA: Schema = JSON.parse(
  readFileSync(new URL("../../../../docs/schemas/policy.json", import.meta.url), "utf8"),
);

function fits(text: string): boolean {
  return violations(parse(text, { version: "1.2", schema: "core" }), SCHEMA).length === 0;
}

/** The members that a part of the schema knows, in all of its alternatives. */
function membersOf(schema: unknown): readonly string[] {
  const { properties = {}, anyOf = [], $ref } = schema as { properties?: object; anyOf?: unknown[]; $ref?: string };
  const referred = $ref === undefined ? [] : membersOf(definition($ref.replace("#/$defs/", "")));
  return [...new Set([...Object.keys(properties), ...anyOf.flatMap(membersOf), ...referred])].sort();
}

function definition(name: string): unknown {
  const found = (SCHEMA["$defs"] as Record<string, unknown>)[name];
  assert.ok(found !== undefined, name);
  return found;
}

function memberOf(name: string, member: string): unknown {
  return (definition(name) as { properties: Record<string, unknown> }).properties[member];
}

const PARTS: readonly (readonly [what: string, schema: unknown, known: readonly string[]])[] = [
  ["a policy", SCHEMA, POLICY_FIELDS],
  ["an identity", definition("identity"), IDENTITY_FIELDS],
  ["a key", definition("keyReference"), KEY_FIELDS],
  ["who is vouched for", definition("keyless"), KEYLESS_FIELDS],
  ["a workflow", definition("github"), GITHUB_FIELDS],
  ["claims", definition("claims"), Object.keys(CLAIMS)],
  ["proof", definition("proof"), PROOF_FIELDS],
  ["a trust root", definition("trust"), TRUST_FIELDS],
  ["a list of withdrawn digests", definition("withdrawn"), WITHDRAWN_FIELDS],
  ["a rule", definition("rule"), RULE_FIELDS],
  ["a name that it was signed as", definition("signedAs"), SIGNED_AS_FIELDS],
  ["an exception", definition("exception"), EXCEPTION_FIELDS],
  ["a requirement", definition("requirement"), REQUIREMENTS],
  ["a threshold", definition("threshold"), THRESHOLD_FIELDS],
  ["a signature", definition("signature"), SIGNATURE_FIELDS],
  ["an attestation", definition("attestation"), ATTESTATION_FIELDS],
  ["vulnerabilities", definition("vulnerabilities"), VULNERABILITIES_FIELDS],
  ["statements about exploitability", memberOf("vulnerabilities", "vex"), VEX_FIELDS],
  ["an excepted vulnerability", (memberOf("vulnerabilities", "except") as { items: unknown }).items, EXCEPT_FIELDS],
];

describe("docs/schemas/policy.json", () => {
  for (const [what, schema, known] of PARTS) {
    it(`has of ${what} the members that are read, and no others`, () => {
      assert.deepEqual(membersOf(schema), [...known].sort());
    });
  }

  it("takes the policy that says everything that one can say", () => {
    assert.ok(fits(SAMPLE_POLICY));
  });

  property("takes every policy that can be used", [policyTrees()], (tree) => {
    assert.deepEqual(violations(tree, SCHEMA), []);
  });

  const refused: readonly (readonly [what: string, text: string])[] = [
    ["no version", "rules: []\n"],
    ["another version", "apiVersion: countersign/v2\nrules: []\n"],
    ["no rules", "apiVersion: countersign/v1\n"],
    ["an unknown field", `${HEAD}rules: []\nrule: []\n`],
    ["an unknown field of a rule", `${HEAD}rules: [{images: r.example/a, require: {never: x}, requires: 1}]\n`],
    ["a rule without images", `${HEAD}rules: [{require: {never: x}}]\n`],
    ["a requirement with two members", `${HEAD}rules: [{images: r.example/a, require: {never: x, any: []}}]\n`],
    ["a requirement with none", `${HEAD}rules: [{images: r.example/a, require: {}}]\n`],
    [
      "an exception without an end",
      `${HEAD}rules: [{images: r.example/a, require: {never: x}, exceptions: [{digest: "${SAMPLE_DIGEST}", owner: a, reason: b}]}]\n`,
    ],
    [
      "an age that is a number",
      `${HEAD}rules: [{images: r.example/a, require: {signature: {by: alice, maxAge: 7}}}]\n`,
    ],
    [
      "an identity of two kinds",
      HEAD.replace("{key: bob.pub}", "{key: bob.pub, github: {owner: acme}}").concat("rules: []\n"),
    ],
    [
      "an unknown claim",
      HEAD.replace("{repository: acme/app}", "{repository: acme/app, claims: {x: y}}").concat("rules: []\n"),
    ],
    [
      "an unknown severity",
      `${HEAD}rules: [{images: r.example/a, require: {vulnerabilities: {scannedBy: bob, maxAge: 1d, severityAtMost: moderate}}}]\n`,
    ],
  ];
  for (const [what, text] of refused) it(`refuses ${what}`, () => assert.ok(!fits(text)));
});
