import { explainBriefly, explainFinding } from "../core/explain.ts";
import { formatReference } from "../core/oci/reference.ts";
import type { Drift } from "../core/pins/check.ts";
import { type HeldDigest, isUsable, type PinState } from "../core/pins/choose.ts";
import type { SettledPin } from "../core/pins/locking.ts";
import type { Pinnable } from "../core/pins/pinnable.ts";
import { printable } from "../core/printable.ts";
import { placeName, type SourcePlace, type SourceProblem } from "../core/sources/mention.ts";
import { describeAge, formatInstant, type Instant, instant } from "../core/time.ts";
import { plural } from "./amounts.ts";
import { PLAIN, type Style } from "./style.ts";
import { failureRows, formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

/** What a call of `pin` comes to. */
export interface PinReport {
  readonly mode: "pin" | "diff";
  /** In the order of the mentions. */
  readonly pins: readonly SettledPin[];
  readonly problems: readonly SourceProblem[];
  /** Files whose text changes, by their labels. */
  readonly files: readonly string[];
  readonly lock: { readonly file: string; readonly changes: boolean };
  /** What would change, in mode `diff`. */
  readonly diff: string;
  readonly weakened: readonly string[];
  readonly at: Instant;
}

/** Places that are listed of one image, and signers. */
const PLACES_SHOWN = 12;
const SIGNERS_SHOWN = 8;

/** How a state reads at the head of a block. */
export const STATE_NAMES: Readonly<Record<PinState, string>> = {
  pinned: "pinned",
  moved: "moved",
  kept: "kept",
  held: "held back",
  refused: "refused",
  undetermined: "undetermined",
  fixed: "not pinnable",
};

/** What was pinned and what was not, an image a block; what stays as it should is counted. */
export function pinText(report: PinReport, style: Style = PLAIN): string {
  const blocks = [...Map.groupBy(report.pins, blockKey).values()];
  const shown = blocks.filter(([first]) => first?.state !== "kept").map((pins) => pinBlock(pins, report, style));
  const problems = report.problems.map((problem) => problemBlock(problem, style));
  return [...shown, ...problems, `${summaryLine(report)}\n`].join("\n");
}

function blockKey({ state, after, from, held, offered, reasons }: SettledPin): string {
  return JSON.stringify([state, formatReference(after), from, held?.digest, offered, reasons]);
}

function pinBlock(pins: readonly SettledPin[], { at, weakened, lock }: PinReport, style: Style): string {
  const [first] = pins;
  if (first === undefined) return "";
  const { state, after, reasons, judged, from, held, recalledFrom } = first;
  const code = reasons[0] === undefined ? "" : `   ${style.heading(reasons[0].code)}`;
  const subject = subjectOf(first);
  const stays = subject === formatReference(after) ? undefined : after.digest;
  const isGood = state === "pinned" || state === "moved";
  const rows: readonly Row[] = [
    ...placeRows(pins.map(({ mention }) => mention.place)),
    ...(from === undefined ? [] : [["before", from] as const]),
    ...(recalledFrom === undefined ? [] : [["chosen by", recallOf(recalledFrom, lock)] as const]),
    ...(stays === undefined ? [] : [["stays", stays] as const]),
    ...(isGood && judged !== undefined ? wordRows(judged, at) : []),
    ...(held === undefined ? [] : heldRows(held, at)),
    ...failureRows(reasons[0]),
    ...reasons.slice(1, PLACES_SHOWN).map((finding): Row => ["also", explainFinding(finding)]),
    ...(judged?.warnings ?? []).map((finding): Row => ["warning", explainFinding(finding)]),
    ...(weakened.length === 0 || !isGood ? [] : [["weakened by", weakened.join(", ")] as const]),
  ];
  return formatBlock(
    `${paint(state, style)(STATE_NAMES[state].padEnd(HEADING_WIDTH))}${printable(subject)}${code}`,
    rows,
    style,
  );
}

function recallOf(since: Instant, { file }: PinReport["lock"]): string {
  return `${file}, as of ${formatInstant(since)}; the tag may name another now: --update`;
}

/** What the reasons are about: what is pinned, or what the tag names in its place. */
function subjectOf({ state, after, offered, reasons, judged }: SettledPin): string {
  const isOfTag = (state === "refused" || state === "undetermined") && judged !== undefined && isUsable(judged);
  if (!isOfTag || reasons[0]?.code === "lock-drift") return formatReference(after);
  return formatReference({ ...after, digest: offered });
}

function paint(state: PinState, style: Style): (text: string) => string {
  if (state === "refused" || state === "fixed") return style.refused;
  return state === "undetermined" || state === "held" ? style.undetermined : style.accepted;
}

/** Aliases of YAML are several mentions in one place. */
function placeRows(all: readonly SourcePlace[]): readonly Row[] {
  const places = [...new Set(all.map(placeName))];
  const more = places.length - PLACES_SHOWN;
  const shown = places.slice(0, PLACES_SHOWN).map((place): Row => ["in", place]);
  return more > 0 ? [...shown, ["in", `${plural(more, "more place")}, all of them with -o json`]] : shown;
}

function wordRows({ signers, because, rule, status }: NonNullable<SettledPin["judged"]>, now: Instant): readonly Row[] {
  if (status === "not verified") return [["signed by", "nobody knows: it was not verified"]];
  const lines = signers.map(({ name, as, signedAt }) => {
    const known = as === undefined || name.startsWith(`${as} `) ? "" : ` as ${as}`;
    return `${name}${known}${signedAt === undefined ? "" : `, ${describeAge(signedAt, now)}`}`;
  });
  return [
    ...lines.slice(0, SIGNERS_SHOWN).map((line): Row => ["signed by", line]),
    ...(because === undefined ? [] : [["because", because] as const]),
    ...(rule === undefined
      ? []
      : [["rule", [rule.place, rule.name && `"${rule.name}"`].filter(Boolean).join(" ")] as const]),
  ];
}

function heldRows({ digest, since, until, isRemembered }: HeldDigest, now: Instant): readonly Row[] {
  const known = isRemembered ? "first seen accepted" : "signed";
  return [
    ["waits", digest],
    [
      "because",
      `${known} ${describeAge(since, now)}; old enough ${describeAge(instant(until), now)}, at ${formatInstant(instant(until))}`,
    ],
  ];
}

function problemBlock({ place, finding }: SourceProblem, style: Style): string {
  const heading = `${style.undetermined("unread".padEnd(HEADING_WIDTH))}${printable(placeName(place))}`;
  return formatBlock(`${heading}   ${style.heading(finding.code)}`, failureRows(finding), style);
}

const ORDER = Object.keys(STATE_NAMES) as readonly PinState[];

/** `2 pinned, 12 kept, 1 refused; 2 files and countersign.lock written`. */
export function summaryLine({ mode, pins, problems, files, lock }: PinReport): string {
  const counts = ORDER.flatMap((state) => {
    const count = pins.filter((pin) => pin.state === state).length;
    return count === 0 ? [] : [`${count} ${STATE_NAMES[state]}`];
  });
  const unread = problems.length === 0 ? [] : [`${plural(problems.length, "place")} unread`];
  const changed = [files.length === 0 ? [] : plural(files.length, "file"), lock.changes ? lock.file : []].flat();
  const written =
    changed.length === 0
      ? "nothing to write"
      : `${changed.join(" and ")} ${mode === "pin" ? "written" : "would change"}`;
  return printable(`${[...counts, ...unread].join(", ") || "no images"}; ${written}`);
}

/** `refused: deploy/web.yaml:12:16: nginx:1.27: why`: one line for a mention that is not pinned to what is accepted. */
export function explainPin(pin: SettledPin): string {
  const [first] = pin.reasons;
  const why = first === undefined ? "" : `: ${explainBriefly(first)}`;
  return `${STATE_NAMES[pin.state]}: ${placeName(pin.mention.place)}: ${subjectOf(pin)}${why}`;
}

export function explainProblem({ place, finding }: SourceProblem): string {
  return `${placeName(place)}: ${explainBriefly(finding)}`;
}

// --- check ------------------------------------------------------------------------------------------------------------

/** What `pin --check` comes to. */
export interface CheckReport {
  readonly drifts: readonly Drift[];
  readonly problems: readonly SourceProblem[];
  /** All that was looked at. */
  readonly pinnables: readonly Pinnable[];
  readonly lock: string;
}

/** `file:line:column: message`, as compilers write it and editors, terminals and pre-commit make links of it. */
export function checkText({ drifts, problems, pinnables, lock }: CheckReport): string {
  const lines = [
    ...problems.map(explainProblem),
    ...drifts.map(({ mention, finding }) => `${placeName(mention.place)}: ${explainBriefly(finding)}`),
  ];
  if (lines.length === 0) return `${plural(pinnables.length, "image")} pinned, as ${printable(lock)} says\n`;
  return [...new Set(lines)].map((line) => `${printable(line)}\n`).join("");
}
