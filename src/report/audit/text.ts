import type { Audit } from "../../core/audit/audit.ts";
import { placeName, type SourceProblem } from "../../core/sources/mention.ts";
import { formatInstant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import type { Style } from "../style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "../text.ts";
import type { AuditReportOptions } from "./options.ts";
import { auditTable } from "./table.ts";
import { breaksText, fixText } from "./text-breaks.ts";
import { auditTally } from "./view.ts";

/** What could not be read and is listed; the rest is counted. */
const PROBLEMS_SHOWN = 50;

/** For people at a terminal: what needs action, what would stop, what could not be read, and one line that sums it up. */
export function auditText(audit: Audit, { style }: Pick<AuditReportOptions, "style">): string {
  const parts = [
    auditTable(audit, style),
    breaksText(audit, style),
    fixText(audit, style),
    problemsText(audit.problems, style),
  ];
  return [...parts.filter((part) => part !== ""), summaryText(audit, style)].join("\n");
}

function problemsText(problems: readonly SourceProblem[], style: Style): string {
  if (problems.length === 0) return "";
  const more = problems.length - PROBLEMS_SHOWN;
  const rows = problems.slice(0, PROBLEMS_SHOWN).flatMap(problemRows);
  const heading = `${style.undetermined("unread".padEnd(HEADING_WIDTH))}${style.heading(
    `${plural(problems.length, "place")} in which nobody knows which images are named`,
  )}`;
  const rest: readonly Row[] = more > 0 ? [["and", `${more} more, all of them with -o json`]] : [];
  return formatBlock(heading, [...rows, ...rest], style);
}

function problemRows({ place, finding: { code, message, found, next } }: SourceProblem): readonly Row[] {
  return [
    ["in", `${placeName(place)}   ${code}`],
    ["because", found === undefined ? message : `${message}: ${found}`],
    ...(next === undefined ? [] : [["next", next] as const]),
  ];
}

function summaryText(audit: Audit, style: Style): string {
  const tally = auditTally(audit);
  const { policy, wanted, weakened } = audit.standard;
  const rows: readonly Row[] = [
    ["images", `${tally.images}, named in ${plural(tally.uses, "place")}${pinnedPart(tally)}`],
    ["wanted", policy === undefined ? wanted : `${policy.name} (${policy.digest})`],
    ["as of", formatInstant(audit.at)],
    ...(audit.shard === undefined
      ? []
      : [["shard", `${audit.shard.index} of ${audit.shard.count}: not all images`] as const]),
    ...(weakened.length === 0 ? [] : [["weakened by", weakened.join(", ")] as const]),
  ];
  return formatBlock(`${"audit".padEnd(HEADING_WIDTH)}${verdictPart(tally, style)}`, rows, style);
}

type Tally = ReturnType<typeof auditTally>;

function verdictPart(tally: Tally, style: Style): string {
  const counts = (["refused", "undetermined", "accepted"] as const).flatMap((verdict) =>
    tally[verdict] === 0 ? [] : style[verdict](`${tally[verdict]} ${verdict}`),
  );
  const unread = tally.problems === 0 ? [] : style.undetermined(`${plural(tally.problems, "place")} unread`);
  return [...counts, unread].flat().join(", ") || "no images";
}

function pinnedPart({ unpinned, drift }: Tally): string {
  const parts = [
    unpinned === 0 ? [] : `${unpinned} not pinned`,
    drift === 0 ? [] : `${drift} behind a tag that has moved`,
  ].flat();
  return parts.length === 0 ? "" : `; ${parts.join(", ")}`;
}
