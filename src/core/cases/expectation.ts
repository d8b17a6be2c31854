import { encodeUtf8 } from "../bytes.ts";
import type { CountersignError, Finding } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { Platform } from "../oci/descriptor.ts";
import { parsePlatformName, platformName } from "../oci/platform.ts";
import { REASONS, type ReasonCode } from "../reasons.ts";
import type { Instant } from "../time.ts";
import type { Verdict, VerdictStatus } from "../verify/verdict.ts";
import { readYaml, type YamlValue } from "../yaml.ts";

/** `expected.yaml`: what a policy has to say to recorded evidence, and what of it is judged. */
export interface Expectation {
  /** What the case shows, for whoever reads it. */
  readonly about?: string | undefined;
  /** Files, beside the expectation where nothing else is said. */
  readonly policy: string;
  readonly evidence: string;
  /** The present; when the evidence was recorded where nothing is said. */
  readonly now?: Instant | undefined;
  /** Of an index, as `--platform` chooses it. */
  readonly platform?: Platform | undefined;
  readonly wanted: WantedVerdict | WantedError;
}

export interface WantedVerdict {
  readonly kind: "verdict";
  readonly status: VerdictStatus;
  /** The first one alone, or all of them: each code once, nearest to acceptance first. */
  readonly reason?: ReasonCode | undefined;
  readonly reasons?: readonly ReasonCode[] | undefined;
  /** All of them, each code once, in any order; none where nothing is said. */
  readonly warnings: readonly ReasonCode[];
  /** The name of the rule that decided, or the pattern of it that matched. */
  readonly rule?: string | undefined;
}

/** The policy, or what it names, cannot be used. */
export interface WantedError {
  readonly kind: "error";
  readonly code: ReasonCode;
}

export const EXPECTATION_FILE = "expected.yaml";
export const POLICY_FILE = "policy.yaml";
export const EVIDENCE_FILE = "evidence.json";

const VERDICT = ["verdict", "reason", "reasons", "warnings", "rule"] as const;
const FIELDS = ["about", "policy", "evidence", "now", "platform", "error", ...VERDICT] as const;
type Fields = Readonly<Partial<Record<(typeof FIELDS)[number], YamlValue>>>;

/** @throws CountersignError `configuration-invalid` with the place. */
export function parseExpectation(bytes: Uint8Array, label: string): Expectation {
  const root = readYaml(bytes, { label, maxBytes: LIMITS.expectationBytes });
  const fields = root.fields(FIELDS);
  const { about, policy, evidence, now, platform } = fields;
  return {
    about: about?.text("what the case shows"),
    policy: policy?.text("a file") ?? POLICY_FILE,
    evidence: evidence?.text("a file") ?? EVIDENCE_FILE,
    now: now?.instant(),
    platform: platform && readPlatform(platform),
    wanted: fields.error === undefined ? readVerdict(root, fields) : readError(fields.error, fields),
  };
}

function readPlatform(value: YamlValue): Platform {
  const text = value.text(PLATFORM);
  try {
    return parsePlatformName(text);
  } catch {
    return value.fail(text, PLATFORM);
  }
}

const PLATFORM = "os/arch or os/arch/variant";

function readError(error: YamlValue, fields: Fields): WantedError {
  const beside = VERDICT.flatMap((name) => fields[name] ?? []);
  beside[0]?.fail("a verdict beside an error", "one of them: where there is an error, nothing was judged");
  return { kind: "error", code: readCode(error) };
}

const STATUSES: readonly VerdictStatus[] = ["accepted", "refused", "undetermined"];

function readVerdict(root: YamlValue, { verdict, reason, reasons, warnings, rule }: Fields): WantedVerdict {
  if (verdict === undefined) return root.fail("no verdict", `verdict: ${STATUSES.join(", ")}; or error: CODE`);
  const text = verdict.text(STATUSES.join(", "));
  const status = STATUSES.find((one) => one === text) ?? verdict.fail(text, STATUSES.join(", "));
  const given = reasons ?? reason;
  if (status === "accepted") given?.fail("a reason for an acceptance", "none: what would have refused is a warning");
  else if (given === undefined)
    verdict.fail(`${status} and no reason`, "reasons: [CODE], or reason: CODE for the first");
  if (reason !== undefined) reasons?.fail("reason and reasons", "one of them");
  return {
    kind: "verdict",
    status,
    reason: reason && readCode(reason),
    reasons: reasons?.oneOrMore("codes of reasons").map(readCode),
    warnings: warnings?.oneOrMore("codes of reasons").map(readCode) ?? [],
    rule: rule?.text("the name of a rule, or a pattern of it"),
  };
}

function readCode(value: YamlValue): ReasonCode {
  const text = value.text(CODES);
  return (Object.keys(REASONS) as ReasonCode[]).find((code) => code === text) ?? value.fail(text, CODES);
}

const CODES = "a code of countersign help reasons";

// --- held against a verdict -------------------------------------------------------------------------------------------

/** One thing in which a verdict is not the expected one. */
export interface Difference {
  readonly what: "verdict" | "reason" | "reasons" | "warnings" | "rule" | "error";
  readonly expected: string;
  readonly actual: string;
}

/** What came of a case: a verdict, or why the policy could not be used. */
export type Actual = Verdict | CountersignError;

export function differencesFrom(wanted: Expectation["wanted"], actual: Actual): readonly Difference[] {
  if (wanted.kind === "error") {
    const found = actual instanceof Error ? actual.code : actual.status;
    return differing("error", wanted.code, found);
  }
  if (actual instanceof Error) return [{ what: "verdict", expected: wanted.status, actual: actual.code }];
  const reasons = codesOf(actual.reasons);
  const rule = actual.policy?.rule;
  return [
    ...differing("verdict", wanted.status, actual.status),
    ...(wanted.reason === undefined ? [] : differing("reason", wanted.reason, reasons[0] ?? NONE)),
    ...(wanted.reasons === undefined ? [] : differing("reasons", listed(wanted.reasons), listed(reasons))),
    ...differing(
      "warnings",
      listed([...new Set(wanted.warnings)].toSorted()),
      listed(codesOf(actual.warnings ?? []).toSorted()),
    ),
    ...(wanted.rule === undefined || wanted.rule === rule?.name || wanted.rule === rule?.pattern
      ? []
      : [{ what: "rule", expected: wanted.rule, actual: rule?.name ?? rule?.pattern ?? NONE } as const]),
  ];
}

const NONE = "none";

function differing(what: Difference["what"], expected: string, actual: string): readonly Difference[] {
  return expected === actual ? [] : [{ what, expected, actual }];
}

function listed(codes: readonly string[]): string {
  return codes.length === 0 ? NONE : codes.join(", ");
}

/** Each once, in their order. */
function codesOf(findings: readonly Finding[]): readonly ReasonCode[] {
  return [...new Set(findings.map(({ code }) => code))];
}

// --- written ----------------------------------------------------------------------------------------------------------

/** The expectation that this verdict meets. */
export function formatExpectation(
  verdict: Verdict,
  { policy, platform }: Pick<Expectation, "policy" | "platform">,
): Uint8Array {
  const { status, reasons, warnings = [], policy: stamp } = verdict;
  const rule = stamp?.rule;
  const lines = [
    ...(policy === POLICY_FILE ? [] : [`policy: ${JSON.stringify(policy)}`]),
    ...(platform === undefined ? [] : [`platform: ${platformName(platform)}`]),
    `verdict: ${status}`,
    ...(reasons.length === 0 ? [] : [`reasons: [${codesOf(reasons).join(", ")}]`]),
    ...(warnings.length === 0 ? [] : [`warnings: [${codesOf(warnings).join(", ")}]`]),
    ...(rule === undefined ? [] : [`rule: ${JSON.stringify(rule.name ?? rule.pattern)}`]),
  ];
  return encodeUtf8(`${lines.join("\n")}\n`);
}
