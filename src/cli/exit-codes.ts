import { type ReasonClass, reasonClass } from "../core/reasons.ts";
import type { Verdict } from "../core/verify/verdict.ts";

/** Exit codes are part of the contract (`countersign help exit-codes`); scripts rely on them. */
export const EXIT_CODES = {
  done: 0,
  refused: 1,
  usage: 2,
  undetermined: 3,
  credentials: 4,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** One sentence each, as `countersign help exit-codes` prints them. */
export const EXIT_CODE_MEANINGS: Readonly<Record<keyof typeof EXIT_CODES, string>> = {
  done: "done; every image was accepted",
  refused: "at least one image was refused",
  usage: "wrong usage, no image at all, or a key or configuration that cannot be used; nothing was checked",
  undetermined: "nothing was refused, but something could not be determined: unreachable, throttled, denied, not found",
  credentials: "the registry wants credentials and none were found",
  interrupted: "interrupted by a signal; nothing half-written is left",
};

const OF_CLASS: Readonly<Record<ReasonClass, ExitCode>> = {
  refused: EXIT_CODES.refused,
  undetermined: EXIT_CODES.undetermined,
  usage: EXIT_CODES.usage,
  credentials: EXIT_CODES.credentials,
  interrupted: EXIT_CODES.interrupted,
};

export function exitCodeOf(reason: ReasonClass): ExitCode {
  return OF_CLASS[reason];
}

/** The first of these classes that occurs decides. */
const PRECEDENCE: readonly ReasonClass[] = ["interrupted", "refused", "usage", "credentials", "undetermined"];

/** What decides the exit code, of a verdict or of what stands for one. */
export type Outcome = Pick<Verdict, "status" | "reasons">;

/** The exit code of a call from the verdicts on its images; no image at all is wrong usage, never a success. */
export function exitCodeOfVerdicts(verdicts: readonly Outcome[]): ExitCode {
  return verdicts.length === 0 ? EXIT_CODES.usage : exitCodeOfClasses(verdicts.flatMap(classesOf));
}

/** The exit code of a call in which all of these went wrong; 0 where nothing did. */
export function exitCodeOfClasses(classes: readonly ReasonClass[]): ExitCode {
  const decisive = PRECEDENCE.find((candidate) => classes.includes(candidate));
  return decisive === undefined ? EXIT_CODES.done : exitCodeOf(decisive);
}

/** A verdict that is not an acceptance never counts as one, whatever its reasons are. */
function classesOf(verdict: Outcome): readonly ReasonClass[] {
  if (verdict.status === "accepted") return [];
  if (verdict.status === "refused") return ["refused"];
  const classes = verdict.reasons.map((finding) => reasonClass(finding.code));
  const telling = classes.filter((candidate) => candidate !== "refused");
  return telling.length === 0 ? ["undetermined"] : telling;
}

/** cosign's codes for a refusal: 10 no signature, 12 none that matches; 11 where the image itself is not there. */
const COSIGN = { noSignature: 10, noImage: 11, noMatch: 12 } as const;

/** As `exitCodeOfVerdicts`, refusals spelled as cosign spells them (`--exit-codes cosign`). */
export function cosignExitCodeOfVerdicts(verdicts: readonly Outcome[]): number {
  const code = exitCodeOfVerdicts(verdicts);
  const codes = new Set(verdicts.flatMap((verdict) => verdict.reasons.map((finding) => finding.code)));
  if (code === EXIT_CODES.refused)
    return codes.size === 1 && codes.has("unsigned") ? COSIGN.noSignature : COSIGN.noMatch;
  if (code === EXIT_CODES.undetermined && codes.size === 1 && codes.has("not-found")) return COSIGN.noImage;
  return code;
}
