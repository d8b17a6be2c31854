import type { Audit, AuditedImage } from "../../core/audit/audit.ts";
import { printable } from "../../core/printable.ts";
import type { Instant } from "../../core/time.ts";
import { PLAIN, type Style } from "../style.ts";
import { HEADING_WIDTH } from "../text.ts";
import {
  byState,
  cut,
  decidingCode,
  newestSignature,
  STATES,
  type State,
  shortAge,
  shortImage,
  signerName,
} from "./view.ts";

/** Lines of images that need something, of each kind; and of those that need nothing, beyond which they are counted. */
const SHOWN: Readonly<Record<State, number>> = { refused: 200, undetermined: 100, drift: 50, unpinned: 50, fine: 20 };

/** Columns: fits 120 with every column at its widest. */
const IMAGE_WIDTH = 50;
const WHY_WIDTH = 32;
const LINE_WIDTH = 112;
/** Beyond this a name is no name that a registry takes. */
const NAME_CHARACTERS = 300;

interface Line {
  readonly image: AuditedImage;
  readonly state: State;
  readonly name: string;
  readonly why: string;
  readonly pinned: string;
  readonly age: string;
  readonly uses: string;
}

/** One line for each image, what needs action first; what needs nothing is counted where there is much of it. */
export function auditTable(audit: Audit, style: Style = PLAIN): string {
  if (audit.images.length === 0) return "";
  const groups = byState(audit.images);
  const shown = STATES.flatMap((state) => shownOf(groups[state], state).map((image) => lineOf(image, state, audit.at)));
  const widths: Widths = {
    image: Math.max("image".length, ...shown.map(({ name }) => name.length).filter((length) => length <= IMAGE_WIDTH)),
    why: Math.max("why, or who signed".length, ...shown.map(({ why }) => why.length)),
  };
  const head =
    " ".repeat(HEADING_WIDTH) +
    style.label(layOut(["image", "why, or who signed", "pinned", "signed", "uses"], widths));
  const lines = shown.flatMap((line) => [...imageLines(line, widths, style), ...foundLine(line, style)]);
  const rest = STATES.flatMap((state) => restLine(groups[state], state, style));
  return `${[...(lines.length === 0 ? [] : [head]), ...lines, ...rest].join("\n")}\n`;
}

function shownOf(images: readonly AuditedImage[], state: State): readonly AuditedImage[] {
  if (state === "fine" && images.length > SHOWN.fine) return [];
  return images.slice(0, SHOWN[state]);
}

function lineOf(image: AuditedImage, state: State, now: Instant): Line {
  const signedAt = newestSignature(image.signers);
  return {
    image,
    state,
    name: cut(printable(shortImage(image.image)), NAME_CHARACTERS),
    why: cut(printable(whyOf(image)), WHY_WIDTH),
    pinned: image.drift ? "moved" : image.pinned ? "yes" : "no",
    age: signedAt === undefined ? "" : shortAge(signedAt, now),
    uses: String(image.uses.length),
  };
}

function whyOf(image: AuditedImage): string {
  const code = decidingCode(image);
  if (code !== undefined) return code;
  const [first, ...others] = image.signers;
  if (first === undefined) return image.because ?? "";
  return others.length === 0 ? signerName(first) : `${others.length + 1} signers, ${signerName(first)}`;
}

/** A name that is too long for its column has a line of its own: cut, it could not be copied. */
function imageLines({ image, name, why, pinned, age, uses }: Line, widths: Widths, style: Style): readonly string[] {
  const status = style[image.verdict](image.verdict.padEnd(HEADING_WIDTH));
  if (name.length <= widths.image) return [`${status}${layOut([name, why, pinned, age, uses], widths)}`];
  return [`${status}${name}`, " ".repeat(HEADING_WIDTH) + layOut(["", why, pinned, age, uses], widths)];
}

interface Widths {
  readonly image: number;
  readonly why: number;
}

type Cells = readonly [image: string, why: string, pinned: string, age: string, uses: string];

function layOut([image, why, pinned, age, uses]: Cells, widths: Widths): string {
  const columns = [
    image.padEnd(widths.image),
    why.padEnd(widths.why),
    pinned.padEnd(6),
    age.padStart(6),
    uses.padStart(4),
  ];
  return columns.join("  ");
}

/** What was found, where that says more than the code. */
function foundLine({ image, state }: Line, style: Style): readonly string[] {
  const [finding] = image.reasons;
  if (finding === undefined || (state !== "refused" && state !== "undetermined")) return [];
  const label = finding.found === undefined ? "because" : "found";
  const text = cut(printable(finding.found ?? finding.message), LINE_WIDTH - HEADING_WIDTH - 2);
  return [`  ${style.label(label.padEnd(HEADING_WIDTH))}${text}`];
}

const REST: Readonly<Record<State, string>> = {
  refused: "more",
  undetermined: "more",
  drift: "more whose tag has moved",
  unpinned: "more that are not pinned",
  fine: "pinned, and signed as wanted",
};

function restLine(images: readonly AuditedImage[], state: State, style: Style): readonly string[] {
  const rest = images.length - shownOf(images, state).length;
  if (rest === 0) return [];
  const verdict = state === "refused" || state === "undetermined" ? state : "accepted";
  return [`${style[verdict](verdict.padEnd(HEADING_WIDTH))}${rest} ${REST[state]}; all of them with -o json`];
}
