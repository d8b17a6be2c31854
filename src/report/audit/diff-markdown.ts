import type { AuditedImage, AuditedSigner } from "../../core/audit/audit.ts";
import { decidingReason } from "../../core/audit/breaks.ts";
import { type AuditDiff, CHANGES, type ImageChange } from "../../core/audit/diff.ts";
import { describeWorkload } from "../../core/audit/workloads.ts";
import { formatInstant } from "../../core/time.ts";
import { plural } from "../amounts.ts";
import { CHANGE_TITLES, cautionsOf, describeDiff } from "./diff.ts";
import { codeSpan, folded, tableHead, tableRow } from "./markdown-text.ts";
import { shortImage } from "./view.ts";

/** Rows of a table: what GitHub takes as a comment is 65,536 characters, and a row may have nearly a thousand. */
const SHOWN = 40;
const WORKLOADS_SHOWN = 2;

/** From this one on, a change is news and no trouble. */
const FIRST_OF_NEWS = CHANGES.indexOf("pin-moved");

/** For a comment on a pull request: what got worse in a table, the rest folded. */
export function diffMarkdown(diff: AuditDiff): string {
  const [worse, rest] = [diff.images.filter(isTrouble), diff.images.filter((image) => !isTrouble(image))];
  const cautions = cautionsOf(diff).map((line) => `> **Careful:** ${line}.\n\n`);
  const problems = diff.problems.new.map(({ place, finding }) => [place.source, finding.message]);
  return [
    `### Audits compared: ${formatInstant(diff.old.at)} and ${formatInstant(diff.new.at)}\n\n`,
    ...cautions,
    `${describeDiff(diff)}.\n\n`,
    ...(worse.length === 0 ? [] : [`${imageTable(worse)}\n`]),
    ...(problems.length === 0 ? [] : [`${problemTable(problems)}\n`]),
    ...(rest.length === 0 ? [] : [folded(`${plural(rest.length, "other change")}`, imageTable(rest))]),
  ].join("");
}

function isTrouble({ changes: [worst] }: ImageChange): boolean {
  return worst !== undefined && CHANGES.indexOf(worst) < FIRST_OF_NEWS;
}

function imageTable(images: readonly ImageChange[]): string {
  const rows = images.slice(0, SHOWN).map(imageRow).join("");
  return `${tableHead(["what", "image", "then", "now", "where"])}${rows}${moreThan(SHOWN, images.length)}`;
}

function imageRow({ image, changes, before, after, workloads }: ImageChange): string {
  const where = workloads.slice(0, WORKLOADS_SHOWN).map((one) => codeSpan(describeWorkload(one)));
  const more = workloads.length > WORKLOADS_SHOWN ? [`${workloads.length - WORKLOADS_SHOWN} more`] : [];
  return tableRow([
    changes.map((change) => CHANGE_TITLES[change]).join(", "),
    codeSpan(shortImage(image)),
    stateCell(before, after),
    stateCell(after, before),
    [...where, ...more].join("<br>"),
  ]);
}

/** The verdict with its reason or its signers; the digest where it is another one in the other audit. */
function stateCell(image: AuditedImage | undefined, other: AuditedImage | undefined): string {
  if (image === undefined) return "";
  const { verdict, signers, digest } = image;
  const reason = decidingReason(image);
  const why = reason === undefined ? [...new Set(signers.map(signerName))] : [reason.code];
  const isOther = digest !== undefined && other?.digest !== undefined && digest !== other.digest;
  return [verdict, ...why.map(codeSpan), ...(isOther ? [codeSpan(shortImage(`@${digest}`))] : [])].join("<br>");
}

function signerName({ name }: AuditedSigner): string {
  return name;
}

function problemTable(problems: readonly (readonly string[])[]): string {
  const rows = problems.slice(0, SHOWN).map((cells) => tableRow(cells.map(codeSpan)));
  return `${tableHead(["newly unreadable", "why"])}${rows.join("")}${moreThan(SHOWN, problems.length)}`;
}

function moreThan(shown: number, all: number): string {
  return all > shown ? `\n${all - shown} more: they are in the JSON.\n` : "";
}
