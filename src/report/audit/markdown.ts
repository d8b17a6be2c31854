import type { Audit, AuditedImage, Use } from "../../core/audit/audit.ts";
import { type Break, describeOwner, describeWorkload, whatBreaks } from "../../core/audit/breaks.ts";
import type { Finding } from "../../core/errors.ts";
import { nextStep } from "../../core/explain.ts";
import type { SourcePlace, SourceProblem } from "../../core/sources/mention.ts";
import { formatInstant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import { fileLink } from "./files.ts";
import { codeBlock, codeLink, codeSpan, folded, tableHead, tableRow } from "./markdown-text.ts";
import type { AuditReportOptions } from "./options.ts";
import { auditTally, byState, cut, decidingCode, shortImage, useLine, workloadName } from "./view.ts";

/** What GitHub takes of a comment is 65,536 characters; what follows a section is kept free for what is said of its cut. */
const COMMENT_CHARACTERS = 65_000;
/** Shares of it: a section that is short leaves the rest to the next. */
const SHARES = { table: 24_000, details: 45_000, breaks: 54_000, changes: 60_000 } as const;
const REASONS_SHOWN = 4;
const USES_SHOWN = 8;
const LINE_CHARACTERS = 400;

type Options = Pick<AuditReportOptions, "files">;

/** For a comment on a pull request: what fails and where, the rest folded. */
export function auditMarkdown(audit: Audit, options: Options = {}): string {
  const groups = byState(audit.images);
  const failing = [...groups.refused, ...groups.undetermined];
  const page = new Page();
  page.add(heading(audit));
  page.list(SHARES.table, failing, failingRow(options), { head: tableHead(["", "image", "why", "where"]), tail: "\n" });
  page.list(SHARES.table, audit.problems, problemRow(options), {
    head: tableHead(["", "not read", "why"]),
    tail: "\n",
  });
  page.list(SHARES.details, failing, detailsOf, foldedParts("Why, and what to do"));
  page.list(SHARES.breaks, whatBreaks(audit), breakRow, {
    ...foldedParts("What stops if this is enforced"),
    head: `<details><summary>What stops if this is enforced</summary>\n\n${tableHead(["owner", "stops", "because", "next"])}`,
  });
  const changing = [...groups.drift, ...groups.unpinned];
  page.list(SHARES.changes, changing, changingRow(options), {
    ...foldedParts("Accepted"),
    head: `<details><summary>Accepted, and not pinned to what is behind the tag now (${changing.length})</summary>\n\n${tableHead(["image", "", "where"])}`,
  });
  return page.text;
}

/** Text that grows until a comment is full. */
class Page {
  text = "";

  add(part: string): void {
    this.text += part;
  }

  /** As many items as fit below a size, and how many do not. */
  list<Item>(until: number, items: readonly Item[], format: (item: Item) => string, { head, tail }: Frame): void {
    if (items.length === 0) return;
    this.text += head;
    let shown = 0;
    for (const item of items) {
      const part = format(item);
      if (this.text.length + part.length > Math.min(until, COMMENT_CHARACTERS)) break;
      this.text += part;
      shown += 1;
    }
    const left = items.length - shown;
    this.text +=
      left === 0 ? tail : `${left === items.length ? "" : "\n"}${left} more, all of them in \`-o json\`.\n${tail}`;
  }
}

interface Frame {
  readonly head: string;
  readonly tail: string;
}

function foldedParts(summary: string): Frame {
  const [head = "", tail = ""] = folded(summary, "\u0000").split("\u0000");
  return { head, tail };
}

function heading(audit: Audit): string {
  const tally = auditTally(audit);
  const counts = (["refused", "undetermined", "accepted"] as const).flatMap((verdict) =>
    tally[verdict] === 0 ? [] : `${tally[verdict]} ${verdict}`,
  );
  const { policy, wanted, weakened } = audit.standard;
  const lines = [
    `${plural(tally.images, "image")} in ${plural(tally.uses, "place")}, ${tally.unpinned} not pinned, ${tally.drift} behind a tag that has moved.`,
    policy === undefined
      ? `Wanted: ${codeSpan(wanted)}.`
      : `Policy ${codeSpan(policy.name)}, ${codeSpan(policy.digest)}.`,
    `As of ${formatInstant(audit.at)}.`,
    ...(weakened.length === 0 ? [] : [`**Weakened by** ${weakened.map(codeSpan).join(", ")}.`]),
    ...(audit.shard === undefined ? [] : [`Shard ${audit.shard.index} of ${audit.shard.count}: not all images.`]),
  ];
  return `### Images: ${counts.join(", ") || "none"}\n\n${lines.join(" ")}\n\n`;
}

const SIGNS = { refused: "❌ refused", undetermined: "⚠️ undetermined", accepted: "✅ accepted" } as const;

function failingRow({ files }: Options): (image: AuditedImage) => string {
  return (image) =>
    tableRow([
      SIGNS[image.verdict],
      codeSpan(shortImage(image.image)),
      codeSpan(decidingCode(image) ?? image.verdict),
      placesCell(image.uses, files),
    ]);
}

/** The first place, and how many more. */
function placesCell(uses: readonly Use[], files: string | undefined): string {
  const [first, ...more] = uses;
  if (first === undefined) return "";
  return `${placeLink(first.place, files)}${more.length === 0 ? "" : ` and ${more.length} more`}`;
}

function placeLink(place: SourcePlace, files: string | undefined): string {
  const { source, line } = place;
  return codeLink(line === undefined ? source : `${source}:${line}`, fileLink(files, place));
}

function problemRow({ files }: Options): (problem: SourceProblem) => string {
  return ({ place, finding }) =>
    tableRow(["⚠️ unread", placeLink(place, files), `${codeSpan(finding.code)} ${codeSpan(finding.message)}`]);
}

function detailsOf(image: AuditedImage): string {
  const uses = image.uses.slice(0, USES_SHOWN).map(useLine);
  const more = image.uses.length - uses.length;
  const lines = [
    `${image.verdict}: ${image.name}`,
    ...image.reasons.slice(0, REASONS_SHOWN).flatMap(findingLines),
    ...(image.rule === undefined ? [] : [`rule    ${image.rule.place} ${image.rule.name ?? ""}`]),
    ...uses.map((use) => `used    ${use}`),
    ...(more > 0 ? [`        and in ${more} more places`] : []),
  ];
  return `${codeBlock(lines.map((line) => cut(line, LINE_CHARACTERS)))}\n\n`;
}

function findingLines(finding: Finding): readonly string[] {
  const { code, message, found, wanted, place } = finding;
  return [
    `why     ${code}: ${message}`,
    ...(found === undefined ? [] : [`found   ${found}`]),
    ...(wanted === undefined ? [] : [`wanted  ${wanted}${place === undefined ? "" : `   ${place}`}`]),
    `next    ${nextStep(finding)}`,
  ];
}

function breakRow({ owner, workloads, code, next }: Break): string {
  const [first] = workloads;
  const more = workloads.length - 1;
  const named =
    first === undefined ? "" : ` ${codeSpan(describeWorkload(first))}${more > 0 ? ` and ${more} more` : ""}`;
  return tableRow([
    codeSpan(describeOwner(owner)),
    `${plural(workloads.length, "workload")}:${named}`,
    codeSpan(code),
    codeSpan(next),
  ]);
}

function changingRow({ files }: Options): (image: AuditedImage) => string {
  return (image) => {
    const what = image.drift ? "the tag has moved" : "not pinned";
    const [use] = image.uses;
    const workload = use?.workload === undefined ? "" : `, ${codeSpan(workloadName(use.workload))}`;
    return tableRow([codeSpan(shortImage(image.image)), what, `${placesCell(image.uses, files)}${workload}`]);
  };
}
