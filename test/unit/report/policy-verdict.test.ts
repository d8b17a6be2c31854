import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Outcome, PolicyStamp } from "../../../src/core/verify/criterion.ts";
import { outcomeMember, verdictsDocument } from "../../../src/report/json.ts";
import { ANSI } from "../../../src/report/style.ts";
import { verdictText } from "../../../src/report/text.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { digest, keylessSignature, signature, verdict } from "../../support/verdicts.ts";

const PLACE = { label: "policy.yaml", line: 12, column: 5 };
const POLICY: PolicyStamp = {
  label: "policy.yaml",
  digest: digest("5"),
  rule: {
    name: "acme images come from their release workflow",
    place: PLACE,
    pattern: "registry.example/acme/",
    mode: "enforce",
  },
};
const WARNING = { code: "vulnerable", message: "a newer scan", found: "CVE-2026-1", place: "policy.yaml:14" } as const;
const REFUSED = verdict({
  status: "refused",
  policy: POLICY,
  reasons: [
    {
      code: "wrong-identity",
      message: "the signature is by another identity",
      found: "f",
      wanted: "w",
      place: "policy.yaml:14",
    },
  ],
});

describe("the text of a verdict by a policy", () => {
  it("names rule and policy, and whoever signed as the policy does", () => {
    const signed = keylessSignature();
    const signedBy = signed.signedBy && { ...signed.signedBy, terms: { name: "release" } };
    const text = verdictText(
      verdict({ policy: POLICY, because: 'policy.yaml:12 "acme"', signatures: [keylessSignature({ signedBy })] }),
    );
    assert.match(
      text,
      /^ {2}signed by {5}release\.yml of acme\/app at refs\/tags\/v1\.4\.2 \(GitHub Actions\) as release, 3 days ago/m,
    );
    assert.match(text, /^ {2}because {7}policy\.yaml:12 "acme"$/m);
    assert.match(text, /^ {2}policy {8}policy\.yaml \(sha256:5{64}\)$/m);
  });

  it("does not say a name twice", () => {
    const fingerprint = `SHA256:${"ab".repeat(32)}`;
    const key = signature({ signedBy: { kind: "key", label: "alice", fingerprint, terms: { name: "alice" } } });
    assert.doesNotMatch(verdictText(verdict({ policy: POLICY, signatures: [key] })), / as alice/);
  });

  it("says where in the policy stands what was wanted (CLI.md, How a verdict reads)", () => {
    const text = verdictText(REFUSED);
    assert.match(text, /^ {2}wanted {8}w {3}policy\.yaml:14$/m);
    assert.match(text, /^ {2}rule {10}policy\.yaml:12 "acme images come from their release workflow"$/m);
    assert.match(text, /^ {2}policy {8}policy\.yaml /m);
  });

  it("says where a rule stands that wants nothing that could be found", () => {
    const forbidden = { code: "forbidden", message: "closed", place: "policy.yaml:14" } as const;
    const text = verdictText(verdict({ status: "refused", policy: POLICY, reasons: [forbidden, WARNING] }));
    assert.match(text, /^ {2}because {7}closed {3}policy\.yaml:14$/m);
    assert.match(text, /^ {2}also {10}a newer scan: found CVE-2026-1 \(policy\.yaml:14\) \[vulnerable\]$/m);
  });

  it("is loud about warnings, and counts those that are too many", () => {
    const text = verdictText(verdict({ policy: POLICY, warnings: Array.from({ length: 12 }, () => WARNING) }), ANSI);
    assert.match(text, /\u001b\[33mwarning {7}\u001b\[39ma newer scan: found CVE-2026-1 /);
    assert.equal(text.match(/warning/g)?.length, 9);
    assert.match(text, /4 more, all of them with -o json/);
  });

  it("names the policy that has no rule for an image", () => {
    const { rule: _, ...policy } = POLICY;
    const text = verdictText(
      verdict({ status: "refused", policy, reasons: [{ code: "no-policy", message: "no rule" }] }),
    );
    assert.doesNotMatch(text, /^ {2}rule/m);
    assert.match(text, /^ {2}policy /m);
  });

  it("escapes what a policy holds", () => {
    const rule = {
      name: "a\u202eb\u001b[2J",
      place: { ...PLACE, label: "p\n.yaml" },
      pattern: "x/",
      mode: "warn",
    } as const;
    const text = verdictText(
      verdict({ status: "refused", policy: { ...POLICY, label: "p\n.yaml", rule }, reasons: [WARNING] }),
    );
    assert.match(text, /^ {2}rule {10}p\\n\.yaml:12 "a\\u\{202e\}b\\u001b\[2J"$/m);
    assert.match(text, /^ {2}policy {8}p\\n\.yaml /m);
  });
});

describe("the JSON of a verdict by a policy", () => {
  const SCHEMA = JSON.parse(
    readFileSync(new URL("../../../docs/schemas/verdicts.json", import.meta.url), "utf8"),
  ) as Schema;
  const signedBy = {
    kind: "key",
    label: "alice.pub",
    fingerprint: `SHA256:${"ab".repeat(32)}`,
    terms: { name: "alice", person: "x" },
  } as const;
  const cases = [
    REFUSED,
    verdict({ policy: POLICY, because: "b", warnings: [WARNING], signatures: [signature({ signedBy })] }),
    verdict({ policy: { label: "oci://registry.example/policies/prod", digest: digest("5") } }),
  ];
  const images = JSON.parse(verdictsDocument("verify", cases)).images;

  it("fits its schema", () => {
    assert.deepEqual(violations(JSON.parse(verdictsDocument("verify", cases)), SCHEMA), []);
  });

  it("names policy, rule, mode and places", () => {
    assert.deepEqual(images[0].policy, {
      name: "policy.yaml",
      digest: digest("5"),
      rule: {
        name: "acme images come from their release workflow",
        place: "policy.yaml:12",
        pattern: "registry.example/acme/",
        mode: "enforce",
      },
    });
    assert.equal(images[0].reasons[0].place, "policy.yaml:14");
    assert.equal(images[1].warnings[0].code, "vulnerable");
    assert.equal(images[2].policy.rule, undefined);
  });

  it("names whoever signed as the policy does, and not who they count as", () => {
    assert.deepEqual(images[1].signatures[0].signedBy, {
      kind: "key",
      label: "alice.pub",
      fingerprint: signedBy.fingerprint,
      name: "alice",
    });
  });

  it("says nothing of policies where flags decide", () => {
    const [image] = JSON.parse(verdictsDocument("verify", [verdict()])).images;
    assert.deepEqual([image.policy, image.warnings], [undefined, undefined]);
  });

  it("says of each requirement what became of it", () => {
    const leaf: Outcome = {
      kind: "evidence",
      status: "refused",
      reasons: [WARNING],
      wanted: "w",
      metBy: [],
      of: [],
      place: PLACE,
    };
    const outcome: Outcome = {
      kind: "all",
      status: "refused",
      reasons: [WARNING],
      wanted: "all of these",
      metBy: [],
      of: [leaf],
    };
    const member = JSON.parse(JSON.stringify(outcomeMember(outcome)));
    assert.deepEqual([member.kind, member.of[0].kind, member.of[0].place], ["all", "evidence", "policy.yaml:12"]);
    assert.equal(member.of[0].reasons[0].code, "vulnerable");
  });
});
