import { bounded, type Finding } from "../errors.ts";
import type { Scan, Vulnerability } from "../formats/scans/scan.ts";
import type { Rating } from "../formats/scans/severity.ts";
import { LIMITS } from "../limits.ts";
import { formatInstant } from "../time.ts";
import { placeName, type VulnerabilityException } from "./document.ts";
import { bySeverity } from "./severity.ts";
import type { VexAnswer } from "./vex.ts";
import type { VulnerabilityDemands } from "./vulnerabilities.ts";

/** One that nothing answers for any more. */
export interface Refusing {
  readonly vulnerability: Vulnerability;
  /** Exceptions that it had. */
  readonly expired: readonly VulnerabilityException[];
}

/** One that is let through, on somebody's word. */
export interface Answered {
  readonly vulnerability: Vulnerability;
  readonly answer: VulnerabilityException | VexAnswer;
}

/** `3 too severe: CVE-2026-1 (critical) in openssl 3.0.1, fixed in 3.0.2; …`: the worst first. `unused`: VEX. */
export function vulnerableFinding(
  refusing: readonly Refusing[],
  { scanner }: Scan,
  { severityAtMost, fixableOnly }: VulnerabilityDemands,
  unused: readonly Finding[],
): Finding {
  const all = worstFirst(refusing.map(({ vulnerability }) => vulnerability));
  const ended = [...new Set(refusing.flatMap(({ expired }) => expired))];
  const expired = ended.length === 0 ? "" : `; exception-expired: ${listed(ended.map(describeEnd))}`;
  const program = [scanner.name, scanner.version ?? ""].join(" ").trim();
  return bounded({
    code: "vulnerable",
    message: `${all.length} too severe: ${listed(all.map(describe))}${expired}`,
    found: [`${countByRating(all)}, says ${program}`, ...unused.map(({ message }) => message)].join("; "),
    wanted: `nothing${fixableOnly ? " that can be fixed" : ""} above ${severityAtMost}`,
  });
}

/** What no version mends yet. */
export function unfixedWarning(unfixed: readonly Vulnerability[]): readonly Finding[] {
  if (unfixed.length === 0) return [];
  const all = worstFirst(unfixed);
  return [{ code: "vulnerable", message: "let through, since no fix is known", found: listed(all.map(describe)) }];
}

/** One warning for each exception, and for each signer of VEX. */
export function answeredWarnings(answered: readonly Answered[]): readonly Finding[] {
  const groups = Map.groupBy(answered, ({ answer }) => ("signer" in answer ? answer.signer : answer));
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined ? [] : [warn(first.answer, group)];
  });
}

function warn(answer: VulnerabilityException | VexAnswer, group: readonly Answered[]): Finding {
  if (!("signer" in answer)) {
    const { owner, reason, expires, place } = answer;
    const message = `let through until ${formatInstant(expires)} for ${owner}: ${reason}`;
    const all = worstFirst(group.map(({ vulnerability }) => vulnerability));
    return { code: "vulnerable", message, found: listed(all.map(describe)), place: placeName(place) };
  }
  const said = group.map((one) => `${describe(one.vulnerability)}: ${describeAnswer(one.answer)}`);
  return { code: "vulnerable", message: `let through by VEX of ${answer.signer}`, found: listed([...new Set(said)]) };
}

function describeAnswer(answer: VulnerabilityException | VexAnswer): string {
  if (!("signer" in answer)) return answer.reason;
  const { status, why, contradictedBy } = answer;
  const doubt = contradictedBy === undefined ? "" : `, though ${contradictedBy} has said otherwise since`;
  return `${status}${why === undefined ? "" : `, ${why}`}${doubt}`;
}

function describeEnd({ id, owner, expires, place }: VulnerabilityException): string {
  return `that for ${id} of ${owner} ended at ${formatInstant(expires)} (${placeName(place)})`;
}

function describe({ id, severity, package: vulnerable, fixedIn }: Vulnerability): string {
  const where = vulnerable === undefined ? "" : ` in ${vulnerable.name} ${vulnerable.version ?? ""}`.trimEnd();
  const fix = fixedIn.length === 0 ? "" : `, fixed in ${fixedIn.slice(0, LIMITS.vulnerabilitiesNamed).join(" or ")}`;
  return clip(`${id} (${severity === "unknown" ? "unknown severity" : severity})${where}${fix}`);
}

/** Names come from the scanner, and from the image: one long one must not hide the others. */
function clip(text: string): string {
  return text.length <= CLIPPED ? text : `${text.slice(0, CLIPPED).toWellFormed()}…`;
}

const CLIPPED = 120;

/** Each once, however many places of the image it is in. */
function worstFirst(vulnerabilities: readonly Vulnerability[]): readonly Vulnerability[] {
  const distinct = new Map(vulnerabilities.map((vulnerability) => [describe(vulnerability), vulnerability]));
  return [...distinct.values()].sort((a, b) => bySeverity(a.severity, b.severity) || (a.id < b.id ? -1 : 1));
}

function countByRating(vulnerabilities: readonly Vulnerability[]): string {
  const counts = Map.groupBy(vulnerabilities, ({ severity }): Rating => severity);
  return [...counts]
    .map(([rating, { length }]) => `${length} ${rating === "unknown" ? "of unknown severity" : rating}`)
    .join(", ");
}

function listed(parts: readonly string[]): string {
  const more = parts.length - LIMITS.vulnerabilitiesNamed;
  const shown = parts.slice(0, LIMITS.vulnerabilitiesNamed).join("; ");
  return more > 0 ? `${shown}; and ${more} more` : shown;
}
