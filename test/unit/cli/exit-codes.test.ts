import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cosignExitCodeOfVerdicts, exitCodeOfVerdicts } from "../../../src/cli/exit-codes.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { reasonClass } from "../../../src/core/reasons.ts";
import type { Verdict } from "../../../src/core/verify/verdict.ts";
import { verdict } from "../../support/verdicts.ts";

function because(...codes: readonly ReasonCode[]): Verdict {
  const status = codes.every((code) => reasonClass(code) === "refused") ? "refused" : "undetermined";
  return verdict({ status, reasons: codes.map((code) => ({ code, message: code })) });
}

const GOOD = verdict();

describe("the exit code of verdicts", () => {
  const cases: readonly (readonly [string, readonly Verdict[], number])[] = [
    ["is 0 where every image was accepted", [GOOD, GOOD], 0],
    ["is 2 for no image at all, never 0", [], 2],
    ["is 1 for one refusal among many", [GOOD, because("unsigned"), GOOD], 1],
    ["is 1 where something else could not be determined", [because("throttled"), because("wrong-key")], 1],
    ["is 3 where nothing was refused but something could not be determined", [GOOD, because("throttled")], 3],
    ["is 4 where credentials were missing", [GOOD, because("credentials-missing")], 4],
    ["is 4 before 3", [because("unreachable"), because("credentials-missing")], 4],
    ["is 2 before 4", [because("credentials-missing"), because("key-invalid")], 2],
    ["is 130 for an interruption", [because("interrupted"), because("unsigned")], 130],
    ["is 3 for an undetermined verdict that gives no reason", [verdict({ status: "undetermined" })], 3],
    [
      "is 3 for an undetermined verdict whose reasons are refusals",
      [{ ...because("unsigned"), status: "undetermined" }],
      3,
    ],
    ["is 1 for a refused verdict that gives no reason", [verdict({ status: "refused" })], 1],
  ];
  for (const [what, verdicts, code] of cases) it(what, () => assert.equal(exitCodeOfVerdicts(verdicts), code));
});

describe("cosign's exit codes", () => {
  const cases: readonly (readonly [string, readonly Verdict[], number])[] = [
    ["are 0 where every image was accepted", [GOOD], 0],
    ["are 10 where there is no signature", [because("unsigned")], 10],
    ["are 12 where none matches", [because("wrong-key")], 12],
    ["are 12 for a mixture", [because("unsigned"), because("wrong-digest")], 12],
    ["are 11 where the image is not there", [because("not-found")], 11],
    ["leave what could not be determined at 3", [because("throttled")], 3],
    ["leave missing credentials at 4", [because("credentials-missing")], 4],
    ["leave no image at all at 2", [], 2],
  ];
  for (const [what, verdicts, code] of cases) it(what, () => assert.equal(cosignExitCodeOfVerdicts(verdicts), code));
});
