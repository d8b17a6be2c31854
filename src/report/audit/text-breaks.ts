import type { Audit } from "../../core/audit/audit.ts";
import { type Break, describeOwner, describeWorkload, whatBreaks } from "../../core/audit/breaks.ts";
import { printable } from "../../core/printable.ts";
import { plural } from "../amounts.ts";
import type { Style } from "../style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "../text.ts";
import { causesOf } from "./causes.ts";

/** Causes that are told one by one, the owners of each, and the workloads that are named for each owner. */
const CAUSES_SHOWN = 12;
const OWNERS_SHOWN = 6;
const WORKLOADS_SHOWN = 3;

/** What would stop if every image had to be accepted: by cause, whose it is, and what to do. Empty where nothing would. */
export function breaksText(audit: Audit, style: Style): string {
  const causes = causesOf(whatBreaks(audit));
  if (causes.length === 0) return "";
  const more = causes.length - CAUSES_SHOWN;
  const blocks = causes.slice(0, CAUSES_SHOWN).map((breaks) => causeText(breaks, style));
  const rest = more > 0 ? [`${more} more ${more === 1 ? "cause" : "causes"}, all of them with -o json\n`] : [];
  return `${style.heading("What stops if this is enforced")}\n\n${[...blocks, ...rest].join("")}`;
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
  const named = workloads.slice(0, WORKLOADS_SHOWN).map(describeWorkload);
  const more = workloads.length - named.length;
  const list = [...named, ...(more > 0 ? [`${more} more`] : [])].join(", ");
  const amount = `${plural(workloads.length, "workload")}, ${plural(images.length, "image")}`;
  return [verdict === "refused" ? "stops" : "in doubt", `${describeOwner(owner)}: ${amount}: ${list}`];
}
