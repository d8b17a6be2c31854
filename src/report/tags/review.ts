import { explainFinding, findingMember } from "../../core/explain.ts";
import { printable } from "../../core/printable.ts";
import { type ReasonClass, reasonClass } from "../../core/reasons.ts";
import type { DiffResult, TrustAudit } from "../../core/tags/admin-results.ts";
import { plural } from "../amounts.ts";
import { formatDocument } from "../json.ts";
import { PLAIN, type Style } from "../style.ts";
import { failureRows, formatBlock, HEADING_WIDTH, type Row } from "../text.ts";
import { type FailedName, failedMember } from "./members.ts";
import { describeChange } from "./words.ts";

/** What is different between two states of a repository's signed tags, and what an audit of them finds. */

export function diffText({ gun, from, to, changes }: DiffResult, style: Style = PLAIN): string {
  const heading = `${style.heading("changes".padEnd(HEADING_WIDTH))}${printable(`${gun}: from ${from} to ${to}`)}`;
  if (changes.length === 0) return `${heading}\n  none\n`;
  return `${heading}\n${changes.map((change) => `  ${printable(describeChange(change))}\n`).join("")}`;
}

/** docs/schemas/trust-diff.json. */
export function diffDocument({ gun, from, to, changes }: DiffResult): string {
  return formatDocument("trust diff", { gun, from, to, changes });
}

type AuditVerdict = "passed" | "refused" | "undetermined";

/** `refused` where anything is wrong, `undetermined` where something could not be looked at. */
export function auditVerdict({ findings }: TrustAudit): AuditVerdict {
  const classes = new Set<ReasonClass>(findings.map(({ code }) => reasonClass(code)));
  if (classes.has("refused")) return "refused";
  return classes.size === 0 ? "passed" : "undetermined";
}

const PAINT = { passed: "accepted", refused: "refused", undetermined: "undetermined" } as const;

export function trustAuditText(audit: TrustAudit, style: Style = PLAIN): string {
  const { gun, location, head, roots, bindings, findings, notices } = audit;
  const verdict = auditVerdict(audit);
  const [first, ...others] = findings;
  const code = first === undefined ? "" : `   ${style.heading(first.code)}`;
  const rows: readonly Row[] = [
    ...(location === gun ? [] : [["kept in", location] as const]),
    ...(head === undefined ? [] : [["head", head] as const]),
    ["checked", `${plural(roots, "root")} from the first on, ${plural(bindings, "binding")}`],
    ...failureRows(first),
    ...others.map((finding): Row => ["also", explainFinding(finding)]),
    ...notices.map((finding): Row => ["warning", explainFinding(finding)]),
  ];
  const heading = `${style[PAINT[verdict]](verdict.padEnd(HEADING_WIDTH))}${printable(gun)}${code}`;
  return formatBlock(heading, rows, style);
}

export function trustAuditsText(audits: readonly TrustAudit[], style: Style = PLAIN): string {
  return audits.map((audit) => trustAuditText(audit, style)).join("\n");
}

/** docs/schemas/trust-audit.json. */
export function trustAuditsDocument(audits: readonly TrustAudit[], failed: readonly FailedName[] = []): string {
  return formatDocument("trust audit", {
    repositories: audits.map((audit) => {
      const { gun, location, head, roots, bindings, findings, notices } = audit;
      return {
        gun,
        location,
        head: head ?? null,
        verdict: auditVerdict(audit),
        roots,
        bindings,
        findings: findings.map(findingMember),
        notices: notices.map(findingMember),
      };
    }),
    failed: failed.map(failedMember),
  });
}
