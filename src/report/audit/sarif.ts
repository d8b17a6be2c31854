import type { Audit } from "../../core/audit/audit.ts";
import { printable, printableJson } from "../../core/printable.ts";
import { REASONS, type ReasonCode, reasonClass } from "../../core/reasons.ts";
import { formatInstant } from "../../core/time.ts";
import type { AuditReportOptions } from "./options.ts";
import { findingsOf, RESULTS, type SarifFinding } from "./sarif-findings.ts";
import { fingerprintsOf, locationsOf } from "./sarif-places.ts";

/** The OASIS standard with its errata; what `version` says is what it is read by. */
const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/**
 * SARIF 2.1.0 (OASIS), for code scanning: what is refused, what could not be determined, what is not pinned, tags that have
 * moved, and what could not be read, each where it is named.
 */
export function auditSarif(audit: Audit, { version }: Pick<AuditReportOptions, "version">): string {
  const all = findingsOf(audit);
  const findings = all.slice(0, RESULTS);
  const codes = [...new Set(findings.map(({ code }) => code))].toSorted();
  const count = occurrences();
  const run = {
    tool: { driver: { name: "countersign", version, semanticVersion: version, rules: codes.map(ruleOf) } },
    columnKind: "utf16CodeUnits",
    originalUriBaseIds: { "%SRCROOT%": { description: { text: "The folder in which the audit ran." } } },
    invocations: [invocationOf(all.length - findings.length)],
    results: findings.map((finding) => resultOf(finding, codes, count)),
    properties: propertiesOf(audit),
  };
  return `${printableJson({ $schema: SCHEMA, version: "2.1.0", runs: [run] })}\n`;
}

/** A rule for each reason (3.49): what it means, and what to do. */
function ruleOf(code: ReasonCode) {
  const { meaning, next } = REASONS[code];
  return {
    id: code,
    name: code.replace(/(?:^|-)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    shortDescription: { text: meaning },
    fullDescription: { text: meaning },
    help: { text: `${meaning} Next: ${next}.`, markdown: `${meaning}\n\n**Next:** ${next}.` },
    defaultConfiguration: { level: levelOf(code) },
    properties: { tags: ["security", "supply-chain"], precision: "very-high" },
  };
}

/** What was refused stops a merge; what could not be looked at, or may change tomorrow, warns. */
function levelOf(code: ReasonCode): "error" | "warning" {
  const isHeldAgainst = reasonClass(code) === "refused" && code !== "unpinned" && code !== "tag-moved";
  return isHeldAgainst ? "error" : "warning";
}

function resultOf(finding: SarifFinding, codes: readonly ReasonCode[], count: (key: string) => number) {
  const { code, text, subject, places } = finding;
  const { locations, left } = locationsOf(places);
  const more = left === 0 ? "" : ` It is named in ${left} more places.`;
  return {
    ruleId: code,
    ruleIndex: codes.indexOf(code),
    level: finding.level ?? levelOf(code),
    kind: "fail",
    message: { text: messageText(`${text}${more}`) },
    locations,
    partialFingerprints: fingerprintsOf(finding, count),
    ...(subject !== undefined && { properties: subject }),
  };
}

/** In a message, `[text](target)` is a link (3.11.6): nobody's words become one. */
function messageText(text: string): string {
  return printable(text).replaceAll("](", "\\](");
}

/** How often something was seen before. */
function occurrences(): (key: string) => number {
  const seen = new Map<string, number>();
  return (key) => {
    const before = seen.get(key) ?? 0;
    seen.set(key, before + 1);
    return before;
  };
}

/** A cut is said where tools say what went wrong (3.20.21), never silent. */
function invocationOf(left: number) {
  const text = `${left} results were left out: code scanning takes ${RESULTS} of a run. All of them are in -o json.`;
  const notification = { level: "warning", descriptor: { id: "limit-reached" }, message: { text } };
  return { executionSuccessful: true, ...(left > 0 && { toolExecutionNotifications: [notification] }) };
}

function propertiesOf({ at, sources, plan, standard, shard }: Audit) {
  const { policy, wanted, digest, weakened } = standard;
  return { at: formatInstant(at), sources, plan, standard: { policy, wanted, digest, weakened }, shard };
}
