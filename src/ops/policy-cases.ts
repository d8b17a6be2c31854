import type { CaseResult } from "../core/cases/case-result.ts";
import {
  type Actual,
  type Difference,
  differencesFrom,
  type Expectation,
  parseExpectation,
} from "../core/cases/expectation.ts";
import { parseRecorded } from "../core/cases/parse-recorded.ts";
import type { RecordedImage } from "../core/cases/recorded.ts";
import { CountersignError, type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import type { Instant } from "../core/time.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import { openRecorded } from "./recorded.ts";
import { verifyImage } from "./verify.ts";

/** A case of a policy: recorded evidence, and what has to be said to it. Nothing of it is on a network. */
export interface PolicyCase {
  /** The folder, as it is printed. */
  readonly name: string;
  /** `expected.yaml`. @throws CountersignError. */
  readExpectation(): Promise<Uint8Array>;
  /** @throws CountersignError where there is no such file. */
  readEvidence(file: string): Promise<Uint8Array>;
  /** @throws CountersignError of the policy, or of what it names. */
  openRulebook(expectation: Expectation, recorded: RecordedImage, now: Instant): Promise<Rulebook>;
}

/**
 * Runs cases one after the other: that is work for one processor.
 *
 * @throws CountersignError only `interrupted`.
 */
export async function runCases(cases: readonly PolicyCase[]): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const one of cases) results.push(await runCase(one));
  return results;
}

/** Judges the evidence of a case by its policy, and says where that is not what was expected. */
export async function runCase(one: PolicyCase): Promise<CaseResult> {
  const { name } = one;
  let about: string | undefined;
  try {
    const expectation = parseExpectation(await one.readExpectation(), `${name}/expected.yaml`);
    about = expectation.about;
    const recorded = parseRecorded(await one.readEvidence(expectation.evidence), `${name}/${expectation.evidence}`);
    const actual = await judgeCase(one, expectation, recorded);
    return conclude({ name, about }, expectation, actual);
  } catch (error) {
    return { name, about, outcome: "unreadable", finding: findingUnlessInterrupted(error), differences: [] };
  }
}

/** What came of it; of a policy that cannot be used, why. */
async function judgeCase(one: PolicyCase, expectation: Expectation, recorded: RecordedImage): Promise<Actual> {
  try {
    const requirement = await one.openRulebook(expectation, recorded, expectation.now ?? recorded.recordedAt);
    const { target, source } = openRecorded(recorded, one.name);
    const { platform } = expectation;
    const { verdicts } = await verifyImage(target, { requirement, sources: [source], platform });
    const [verdict] = verdicts;
    if (verdict === undefined) throw new Error("a case has no verdict");
    return verdict;
  } catch (error) {
    if (error instanceof CountersignError && error.class !== "interrupted") return error;
    throw error;
  }
}

function conclude(one: Pick<CaseResult, "name" | "about">, { wanted }: Expectation, actual: Actual): CaseResult {
  // What cannot be used was not tested, unless that is what the case is about.
  if (actual instanceof CountersignError && wanted.kind === "verdict") return unusable(one, actual);
  const differences: readonly Difference[] = differencesFrom(wanted, actual);
  const outcome = differences.length === 0 ? "passed" : "failed";
  const came = actual instanceof CountersignError ? { finding: findingOf(actual) } : { verdict: actual };
  return { ...one, outcome, differences, ...came };
}

function unusable(one: Pick<CaseResult, "name" | "about">, error: CountersignError): CaseResult {
  return { ...one, outcome: "unreadable", differences: [], finding: findingOf(error) };
}

function findingOf(error: CountersignError): Finding {
  return findingUnlessInterrupted(error);
}
