import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import type { Context } from "../../../src/cli/context.ts";
import { openOutput } from "../../../src/cli/output.ts";
import { findCases, openCase } from "../../../src/cli/policy-cases.ts";
import type { ExplainedRequirement, Explanation } from "../../../src/core/review/explanation.ts";
import { instant } from "../../../src/core/time.ts";
import { explainRecorded } from "../../../src/ops/explain.ts";
import { runCases } from "../../../src/ops/policy-cases.ts";
import { ASCII_MARKS, explanationText, UNICODE_MARKS } from "../../../src/report/explain.ts";
import { explanationDocument } from "../../../src/report/explain-json.ts";
import { casesDocument, casesText } from "../../../src/report/policy-cases.ts";
import { PLAIN } from "../../../src/report/style.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { CASES } from "../../support/policy-cases/make.ts";

const ROOT = join(import.meta.dirname, "../../..");
const FOLDER = join(ROOT, "test/policy-cases");

function schema(name: string): Schema {
  return JSON.parse(readFileSync(join(ROOT, "docs/schemas", `${name}.json`), "utf8"));
}

const silent = { stream: new PassThrough(), isTerminal: false };
const context: Context = {
  env: {},
  workingDirectory: FOLDER,
  homeDirectory: join(FOLDER, "no-home"),
  stdin: new PassThrough(),
  stdout: silent,
  stderr: silent,
  referenceTime: instant(Date.UTC(2031, 0, 1)),
  signal: new AbortController().signal,
  exitCode: 0,
};
const output = openOutput(context, {
  format: "text",
  outputFile: undefined,
  quiet: true,
  debug: false,
  progress: false,
});

async function explained(name: string): Promise<Explanation> {
  const { recorded, policy, platform } = await openCase(context, output, name, undefined);
  return await explainRecorded(recorded, name, policy, { platform });
}

/** The cases in which something is judged. */
const judged = CASES.filter(({ expected }) => !expected.startsWith("error") && !expected.includes("platform-missing"));

function leaves(part: ExplainedRequirement): readonly ExplainedRequirement[] {
  return part.of.length === 0 ? [part] : part.of.flatMap(leaves);
}

describe("an explanation of every case", () => {
  const document = schema("explanation");
  for (const { name, expected } of judged.filter(({ expected: said }) => !said.includes("trust-stale"))) {
    it(`${name}: says what verify says, and fits docs/schemas/explanation.json`, async () => {
      const explanation = await explained(name);
      assert.equal(explanation.verdict.status, expected.split(" ", 1)[0]);
      assert.deepEqual(violations(JSON.parse(explanationDocument(explanation)), document), []);
      for (const marks of [UNICODE_MARKS, ASCII_MARKS]) {
        assert.match(explanationText(explanation, PLAIN, marks), /\nevidence\n[\s\S]*\nrequirement\n/);
      }
      assert.doesNotMatch(explanationText(explanation, PLAIN, ASCII_MARKS), /[✓✗├└│]/u);
    });
  }
});

describe("the nearest evidence", () => {
  const nearest: readonly (readonly [name: string, field: string, found: RegExp, wanted: RegExp])[] = [
    ["signatures/by-another-key", "key", /by key SHA256:f82c/, /alice\.pub/],
    ["signatures/copied-from-another-image", "digest", /sha256:/, /sha256:1f5a/],
    ["signatures/legacy-of-another-repository", "repository", /acme\/old/, /acme\/app/],
    ["signatures/with-another-value", "annotation", /env=test/, /env=prod/],
    ["signatures/an-attestation-is-none", "type of statement", /slsa/, /cosign\/sign/],
    ["keyless/another-subject", "subject", /mallory/, /erin/],
    ["keyless/another-issuer", "issuer", /example\.net/, /example\.com/],
    ["keyless/claim-has-another-value", "claim source-repository-ref", /maine$/, /main$/],
    ["keyless/claim-is-absent", "claim source-repository-ref", /^nothing$/, /pattern/],
    ["keyless/workflow-at-a-branch", "ref", /^refs\/heads\/main$/, /^refs\/tags\/\*$/],
    ["keyless/another-workflow", "workflow", /^build\.yml$/, /^release\.yml$/],
    ["keyless/workflow-of-another-repository", "repository", /acme\/app-fork/, /^acme\/app$/],
    ["keyless/another-owner", "repository", /acme-evil/, /^acme$/],
    ["keyless/not-logged", "log entry", /./, /./],
    ["times/too-old", "time of signing", /30 days ago/, /at most 7 days ago/],
    ["times/after-distrusted", "time of signing", /bob/, /before 2026-04-15/],
    ["attestations/condition-false", "condition", /build\/v1/, /build\/v2/],
    ["vulnerabilities/more-severe", "vulnerabilities", /1 high/, /medium/],
    ["vulnerabilities/too-old", "time of the scan", /30 days ago/, /7d/],
  ];
  for (const [name, field, found, wanted] of nearest) {
    it(`${name}: differs in its ${field}`, async () => {
      const [subject] = (await explained(name)).subjects;
      assert.ok(subject);
      const [leaf] = leaves(subject.requirement);
      assert.equal(leaf?.nearest?.field, field);
      assert.match(leaf.nearest.found ?? "", found);
      assert.match(leaf.nearest.wanted ?? "", wanted);
      assert.match(leaf.nearest.place ?? "", /policy\.yaml:\d+$/);
    });
  }

  it("there is none where there is no evidence, and none where the requirement is met", async () => {
    for (const name of ["signatures/none", "signatures/by-the-wanted-key"]) {
      const [subject] = (await explained(name)).subjects;
      assert.equal(subject?.requirement.nearest, undefined);
    }
  });

  it("is of the kind that is wanted, where something else comes as near", async () => {
    const [subject] = (await explained("algebra/all-with-roles-exchanged")).subjects;
    const [signature] = subject?.requirement.of ?? [];
    const kind = subject?.evidence[(signature?.nearest?.evidence ?? 0) - 1]?.carried;
    assert.ok(kind !== undefined && "claim" in kind);
  });
});

describe("evidence in an explanation", () => {
  it("is said to be by somebody only where that is proven; else it is said what it claims", async () => {
    const texts = new Map<string, string>();
    for (const name of ["keyless/by-another-authority", "signatures/claims-the-wanted-key", "keyless/exact"]) {
      texts.set(name, explanationText(await explained(name)));
    }
    assert.match(texts.get("keyless/by-another-authority") ?? "", /claims to be by erin@example\.com .*not proven: /);
    assert.doesNotMatch(texts.get("keyless/by-another-authority") ?? "", /proven by/);
    assert.match(texts.get("signatures/claims-the-wanted-key") ?? "", /claims to be by key SHA256:039a.*not proven/);
    assert.match(
      texts.get("keyless/exact") ?? "",
      /1 counts .*signature by erin@example\.com .*proven by .*acme-root\.json/,
    );
  });

  it("is by whom the policy names elsewhere, though the rule does not want them", async () => {
    const text = explanationText(await explained("algebra/all-but-the-signature"));
    assert.match(text, /attestation slsaprovenance1 .* by .*bob\.pub .*bob of the policy/);
  });

  it("that is about another image says so", async () => {
    const text = explanationText(await explained("signatures/copied-from-another-image"));
    assert.match(text, /about another image: sha256:/);
  });

  it("is listed in the same order in whatever order it is stored", async () => {
    const { recorded, policy } = await openCase(context, output, "signatures/good-beside-junk", undefined);
    const [first] = recorded.subjects;
    assert.ok(first);
    const turned = { ...recorded, subjects: [{ ...first, candidates: first.candidates.toReversed() }] };
    const texts = await Promise.all([recorded, turned].map((each) => explainRecorded(each, "image", policy)));
    const [one = "", other] = texts.map((each) => explanationText(each).replace(/bundle":true|junk/g, ""));
    assert.equal(one.split("\n").length, other?.split("\n").length);
    assert.match(one, /1 counts .*alice\.pub/);
  });

  it("control characters that a peer wrote are not printed raw", async () => {
    const { recorded, policy } = await openCase(context, output, "undetermined/throttled", undefined);
    const [first] = recorded.subjects;
    assert.ok(first);
    const obstacles = [{ code: "throttled", message: "a\u001b[31mred\u202e" } as const];
    const text = explanationText(
      await explainRecorded({ ...recorded, subjects: [{ ...first, obstacles }] }, "x", policy),
    );
    assert.doesNotMatch(text, /[\u001b\u202e]/u);
  });
});

describe("reports of cases", () => {
  it("fit docs/schemas/policy-test.json, whatever became of them", async () => {
    const found = await findCases(context, output, ["images", "unusable"], "signatures/none/policy.yaml");
    const results = await runCases(found);
    assert.ok(results.some(({ outcome }) => outcome === "passed"));
    assert.ok(results.some(({ outcome }) => outcome === "failed"));
    assert.deepEqual(violations(JSON.parse(casesDocument(results)), schema("policy-test")), []);
    assert.match(
      casesText(results),
      /FAILED {6}images\/forbidden: .*\n {2}verdict {3}expected refused\n {12}actual {3}accepted/,
    );
  });

  it("evidence of every case fits docs/schemas/recorded.json", () => {
    const recorded = schema("recorded");
    for (const { name } of CASES) {
      const json = JSON.parse(readFileSync(join(FOLDER, name, "evidence.json"), "utf8"));
      assert.deepEqual(violations(json, recorded), [], name);
    }
  });
});
