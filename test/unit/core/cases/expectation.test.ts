import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { encodeUtf8 } from "../../../../src/core/bytes.ts";
import {
  type Difference,
  differencesFrom,
  type Expectation,
  formatExpectation,
  parseExpectation,
} from "../../../../src/core/cases/expectation.ts";
import { CountersignError, type Finding } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { instant } from "../../../../src/core/time.ts";
import type { Verdict } from "../../../../src/core/verify/verdict.ts";
import { refusal } from "../../../support/scans.ts";

function parsed(text: string): Expectation {
  return parseExpectation(encodeUtf8(text), "case/expected.yaml");
}

function refuses(text: string, why: RegExp): void {
  const error = refusal(() => parsed(text));
  assert.equal(error.code, "configuration-invalid");
  assert.match(`${error.found}; wanted ${error.wanted}`, why);
  assert.match(error.found ?? "", /^case\/expected\.yaml/);
}

function findings(...codes: readonly ReasonCode[]): readonly Finding[] {
  return codes.map((code) => ({ code, message: code }));
}

function verdict(status: Verdict["status"], more: Partial<Verdict> = {}): Verdict {
  return {
    status,
    image: "app",
    name: "app",
    digest: undefined,
    reasons: [],
    signatures: [],
    checked: [],
    notChecked: [],
    weakened: [],
    judgedAt: instant(0),
    ...more,
  };
}

function differing(expected: string, actual: Verdict | CountersignError): readonly Difference["what"][] {
  return differencesFrom(parsed(expected).wanted, actual).map(({ what }) => what);
}

const RULE = {
  label: "p",
  digest: "sha256:0" as never,
  rule: { name: "acme", place: { label: "p", line: 1, column: 1 }, pattern: "r/acme/", mode: "enforce" },
} as const;

describe("an expectation", () => {
  it("names the files beside it where it does not say others", () => {
    const { policy, evidence, now, platform } = parsed("verdict: accepted");
    assert.deepEqual(
      { policy, evidence, now, platform },
      { policy: "policy.yaml", evidence: "evidence.json", now: undefined, platform: undefined },
    );
    const other = parsed(
      "verdict: accepted\npolicy: ../p.yaml\nevidence: e.json\nnow: 2026-01-01T00:00:00Z\nplatform: linux/arm/v7",
    );
    assert.deepEqual([other.policy, other.evidence, other.now], ["../p.yaml", "e.json", Date.UTC(2026, 0, 1)]);
    assert.equal(other.platform?.variant, "v7");
  });

  it("is refused with what it does not know, and where it says nothing or two things", () => {
    refuses("verdict: accepted\nverdicts: x", /unknown field verdicts/);
    refuses("verdict: fine", /fine; wanted accepted, refused, undetermined/);
    refuses("{}", /no verdict/);
    refuses("", /no verdict/);
    refuses("verdict: refused", /refused and no reason/);
    refuses("verdict: undetermined", /undetermined and no reason/);
    refuses("verdict: accepted\nreasons: [unsigned]", /a reason for an acceptance/);
    refuses("verdict: refused\nreason: unsigned\nreasons: [unsigned]", /reason and reasons/);
    refuses("verdict: refused\nreasons: []", /an empty list/);
    refuses("verdict: refused\nreasons: [made-up]", /made-up; wanted a code/);
    refuses("error: policy-invalid\nverdict: refused", /a verdict beside an error/);
    refuses("error: nothing", /nothing; wanted a code/);
    refuses("verdict: accepted\nnow: tomorrow", /tomorrow/);
    refuses("verdict: accepted\nplatform: here", /here; wanted os\/arch/);
    refuses("verdict: &a accepted", /anchor/);
    refuses(`verdict: accepted # ${"x".repeat(LIMITS.expectationBytes)}`, /bytes/);
  });

  it("is met by its verdict, its reasons in their order, its warnings in any, and its rule by name or pattern", () => {
    const refused = verdict("refused", { reasons: findings("wrong-digest", "wrong-key", "wrong-key"), policy: RULE });
    assert.deepEqual(differing("verdict: refused\nreasons: [wrong-digest, wrong-key]\nrule: acme", refused), []);
    assert.deepEqual(differing("verdict: refused\nreason: wrong-digest\nrule: r/acme/", refused), []);
    const warned = verdict("accepted", { warnings: findings("vulnerable", "unsigned") });
    assert.deepEqual(differing("verdict: accepted\nwarnings: [unsigned, vulnerable]", warned), []);
    assert.deepEqual(differing("error: policy-invalid", new CountersignError("policy-invalid", "no")), []);
  });

  it("is not met by another verdict, other reasons, another order, fewer, more, another rule or none", () => {
    const refused = verdict("refused", { reasons: findings("wrong-digest", "wrong-key"), policy: RULE });
    assert.deepEqual(differing("verdict: accepted", refused), ["verdict"]);
    assert.deepEqual(differing("verdict: undetermined\nreason: wrong-digest", refused), ["verdict"]);
    for (const reasons of ["wrong-key, wrong-digest", "wrong-digest", "wrong-digest, wrong-key, unsigned"]) {
      assert.deepEqual(differing(`verdict: refused\nreasons: [${reasons}]`, refused), ["reasons"]);
    }
    assert.deepEqual(differing("verdict: refused\nreason: wrong-key", refused), ["reason"]);
    assert.deepEqual(differing("verdict: refused\nreason: wrong-digest\nrule: other", refused), ["rule"]);
    assert.deepEqual(differing("verdict: accepted\nrule: acme", verdict("accepted")), ["rule"]);
    assert.deepEqual(differing("error: policy-invalid", refused), ["error"]);
    assert.deepEqual(differing("error: policy-invalid", new CountersignError("key-published", "no")), ["error"]);
    assert.deepEqual(differing("verdict: accepted", new CountersignError("policy-invalid", "no")), ["verdict"]);
  });

  it("warnings that nobody expects are a difference: an acceptance by an exception is no plain acceptance", () => {
    const warned = verdict("accepted", { warnings: findings("unsigned") });
    assert.deepEqual(differing("verdict: accepted", warned), ["warnings"]);
    assert.deepEqual(differing("verdict: accepted\nwarnings: [vulnerable]", warned), ["warnings"]);
    assert.deepEqual(differing("verdict: accepted\nwarnings: [unsigned]", verdict("accepted")), ["warnings"]);
  });

  it("that is written for a verdict is met by it", () => {
    const verdicts = [
      verdict("accepted"),
      verdict("accepted", { warnings: findings("unsigned"), policy: RULE }),
      verdict("refused", { reasons: findings("wrong-digest", "wrong-key", "wrong-digest") }),
      verdict("undetermined", { reasons: findings("throttled"), policy: RULE }),
    ];
    for (const one of verdicts) {
      const text = formatExpectation(one, {
        policy: "../policy.yaml",
        platform: { os: "linux", architecture: "arm64" },
      });
      const expectation = parseExpectation(text, "x");
      assert.deepEqual(differencesFrom(expectation.wanted, one), []);
      assert.deepEqual([expectation.policy, expectation.platform?.architecture], ["../policy.yaml", "arm64"]);
    }
  });
});
