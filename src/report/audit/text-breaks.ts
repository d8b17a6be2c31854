import type { Audit } from "../../core/audit/audit.ts";
import { type Break, describeOwner, describeWorkload, whatBreaks } from "../../core/audit/breaks.ts";
import { describeFix, type FixAction, shortestFix } from "../../core/audit/fix.ts";
import { tallyWorkloads } from "../../core/audit/workloads.ts";
import { printable } from "../../core/printable.ts";
import { plural } from "../amounts.ts";
import type { Style } from "../style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "../text.ts";
import { causesOf } from "./causes.ts";
import { shortImage } from "./view.ts";

/** Causes that are told one by one, the owners of each, and steps of the shortest way. */
const CAUSES_SHOWN = 12;
const OWNERS_SHOWN = 6;
const FIXES_SHOWN = 5;
/** Of the workloads of an owner as many are named as fit on a line. */
const LIST_WIDTH = 100;

/** What would stop if every image had to be accepted: by cause, whose it is, and what to do. Empty where nothing would. */
export function breaksText(audit: Audit, style: Style): string {
  const causes = causesOf(whatBreaks(audit));
  if (causes.length === 0) return "";
  const more = causes.length - CAUSES_SHOWN;
  const blocks = causes.slice(0, CAUSES_SHOWN).map((breaks) => causeText(breaks, style));
  const rest = more > 0 ? [`${more} more ${more === 1 ? "cause" : "causes"}, all of them with -o json\n`] : [];
  return `${headingOf(audit, style)}\n\n${[...blocks, ...rest].join("")}`;
}

function headingOf(audit: Audit, style: Style): string {
  const { workloads, stopped, unknown } = tallyWorkloads(audit);
  const doubt = unknown === 0 ? "" : `, ${unknown} more in doubt`;
  return `${style.heading("What stops if this is enforced")}: ${stopped} of ${plural(workloads, "workload")}${doubt}`;
}

/** What to do first: each step with what it frees once it and all before it are done. Empty where nothing stops. */
export function fixText(audit: Audit, style: Style): string {
  const fixes = shortestFix(audit);
  if (fixes.length === 0) return "";
  const more = fixes.length - FIXES_SHOWN;
  const rows = fixes.slice(0, FIXES_SHOWN).flatMap(fixRows);
  const rest: readonly Row[] = more > 0 ? [["and", `${plural(more, "more step")}, all of them with -o json`]] : [];
  return formatBlock(style.heading("The shortest way"), [...rows, ...rest], style);
}

function fixRows(fix: FixAction, index: number): readonly Row[] {
  const owners = fix.owners.map(({ owner }) => describeOwner(owner));
  const whose = owners.length === 0 ? "" : ` of ${fitting(owners, LIST_WIDTH)}`;
  const frees = fix.frees === 0 ? "none alone" : `${plural(fix.frees, "workload")}${whose}`;
  return [
    [`${index + 1}.`, `${describeFix({ ...fix, image: shortImage(fix.image) })}   ${fix.code}`],
    ["frees", frees],
  ];
}

/** As many as fit, at least one, and how many more there are. */
function fitting(names: readonly string[], width: number): string {
  const [first = "", ...others] = names;
  let text = first;
  for (const [index, name] of others.entries()) {
    if (text.length + name.length + 2 > width) return `${text} and ${others.length - index} more`;
    text = `${text}, ${name}`;
  }
  return text;
}

function causeText(breaks: readonly [Break, ...Break[]], style: Style): string {
  const [{ verdict, code, message, wanted, place, next }] = breaks;
  const more = breaks.length - OWNERS_SHOWN;
  const at = place === undefined ? "" : `   ${place}`;
  const rows: readonly Row[] = [
    ["because", wanted === undefined ? `${message}${at}` : message],
    ...(wanted === undefined ? [] : [["wanted", `${wanted}${at}`] as const]),
    ...breaks.slice(0, OWNERS_SHOWN).map(ownerRow),
    ...(more > 0 ? [["and", `${plural(more, "more owner")}, all of them with -o json`] as const] : []),
    ["next", next],
  ];
  const heading = `${style[verdict](verdict.padEnd(HEADING_WIDTH))}${style.heading(printable(code))}`;
  return formatBlock(heading, rows, style);
}

function ownerRow({ owner, workloads, images, verdict }: Break): Row {
  const about = `${describeOwner(owner)}: ${plural(workloads.length, "workload")}, ${plural(images.length, "image")}: `;
  const list = fitting(workloads.map(describeWorkload), LIST_WIDTH - about.length);
  return [verdict === "refused" ? "stops" : "in doubt", `${about}${list}`];
}
