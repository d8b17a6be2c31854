import type { AuditedImage, AuditedSigner, AuditStandard } from "../../core/audit/audit.ts";
import { decidingReason } from "../../core/audit/breaks.ts";
import { type AuditDiff, type AuditSide, CHANGES, type Change, type ImageChange } from "../../core/audit/diff.ts";
import { type AffectedWorkload, describeWorkload } from "../../core/audit/workloads.ts";
import type { Finding } from "../../core/errors.ts";
import { printable } from "../../core/printable.ts";
import { placeName } from "../../core/sources/mention.ts";
import { formatInstant } from "../../core/time.ts";
import { PLAIN, type Style } from "../style.ts";
import { findingRows, formatBlock, formatRows, type Row } from "../text.ts";

/** Images that are shown of one kind of change, and workloads of one image; all of them are in the JSON. */
const SHOWN = 20;
const WORKLOADS_SHOWN = 5;
const TITLE_WIDTH = 20;

/** What each change is called. */
export const CHANGE_TITLES: Readonly<Record<Change, string>> = {
  refused: "newly refused",
  undetermined: "newly undetermined",
  "signer-lost": "signer lost",
  "signer-changed": "signer changed",
  unpinned: "pin lost",
  "tag-moved": "tag moved",
  drift: "new drift",
  unseen: "not seen",
  "pin-moved": "pin moved",
  new: "new",
  gone: "gone",
  accepted: "newly accepted",
  "signer-new": "signer new",
  "pin-new": "newly pinned",
};

/** What became of each image, the worst first; then what could not be read; then how much there is of what. */
export function diffText(diff: AuditDiff, style: Style = PLAIN): string {
  const groups = Map.groupBy(diff.images, ({ changes: [worst] }) => worst);
  const blocks = CHANGES.flatMap((change) => groupBlocks(change, groups.get(change) ?? [], style));
  return `${[headText(diff, style), ...blocks, ...problemBlocks(diff, style)].join("\n")}\n${describeDiff(diff)}\n`;
}

function headText(diff: AuditDiff, style: Style): string {
  const { old, new: now, sameStandard, sameSources } = diff;
  const differing = (label: string, of: (side: AuditSide) => string): readonly Row[] => [
    [`${label} then`, of(old)],
    [`${label} now`, of(now)],
  ];
  const rows: readonly Row[] = [
    ["then", describeSide(old)],
    ["now", describeSide(now)],
    ...(sameStandard ? [] : differing("asked", ({ standard }) => describeStandard(standard))),
    ...(sameSources ? [] : differing("sources", ({ sources }) => sources.join(" "))),
  ];
  const cautions = cautionsOf(diff).map((line) => `${style.undetermined(line)}\n`);
  return `${cautions.join("")}${formatBlock("two audits", rows, style)}`;
}

/** What makes a comparison say less than it seems to. */
export function cautionsOf(diff: AuditDiff): readonly string[] {
  return [
    ...(diff.sameStandard ? [] : ["the audits asked for different things: a verdict may differ for that alone"]),
    ...(diff.sameSources ? [] : ["the audits looked at different sources: an image may be new or gone for that alone"]),
    ...(diff.old.at <= diff.new.at ? [] : ["the first audit is the newer one: what is called new was there before"]),
  ];
}

function describeSide({ at, images }: AuditSide): string {
  return `${formatInstant(at)}, ${images} ${images === 1 ? "image" : "images"}`;
}

function describeStandard({ policy, wanted, digest }: AuditStandard): string {
  return `${policy === undefined ? wanted : `${policy.name} (${policy.digest})`}; everything that decides: ${digest}`;
}

/** `2 newly refused, 1 with a signer lost, 3 new`: an image counts for each of its changes. */
export function describeDiff({ images, problems }: AuditDiff, of: Iterable<Change> = CHANGES): string {
  const wanted = new Set(of);
  const counts = CHANGES.filter((change) => wanted.has(change)).flatMap((change) => {
    const count = images.filter(({ changes }) => changes.includes(change)).length;
    return count === 0 ? [] : [`${count} ${COUNTED[change]}`];
  });
  const isTold = wanted.has("undetermined") && problems.new.length > 0;
  const all = isTold ? [...counts, `${problems.new.length} newly unreadable`] : counts;
  return all.length === 0 ? "nothing is different" : all.join(", ");
}

/** As they are counted: of one image and of many. */
const COUNTED: Readonly<Record<Change, string>> = {
  ...CHANGE_TITLES,
  "signer-lost": "with a signer lost",
  "signer-changed": "with other signers",
  unpinned: "with the pin lost",
  "tag-moved": "with the tag moved",
  drift: "newly drifting",
  "pin-moved": "with the pin moved",
  "signer-new": "with a signer more",
};

// --- images -----------------------------------------------------------------------------------------------------------

function groupBlocks(change: Change, images: readonly ImageChange[], style: Style): readonly string[] {
  const shown = images.slice(0, SHOWN).map((image) => imageBlock(change, image, style));
  const more = images.length - shown.length;
  const rest = `${CHANGE_TITLES[change].padEnd(TITLE_WIDTH)}${more} more, all of them with -o json\n`;
  return more > 0 ? [...shown, rest] : shown;
}

function imageBlock(change: Change, image: ImageChange, style: Style): string {
  const title = paintOf(change, style)(CHANGE_TITLES[change].padEnd(TITLE_WIDTH));
  const reason = reasonOf(image);
  const code = reason === undefined ? "" : `   ${style.heading(reason.code)}`;
  const name = image.after?.name ?? image.before?.name ?? image.image;
  return formatBlock(`${title}${printable(name)}${code}`, rowsOf(image), style);
}

/** By what the change means for whoever runs the image. */
function paintOf(change: Change, style: Style): (text: string) => string {
  if (change === "refused" || change === "signer-lost" || change === "unpinned") return style.refused;
  if (change === "accepted" || change === "pin-new") return style.accepted;
  return CHANGES.indexOf(change) <= CHANGES.indexOf("unseen") ? style.undetermined : style.heading;
}

function rowsOf(image: ImageChange): readonly Row[] {
  const { before, after, signersLost, signersNew, changes } = image;
  const [, ...others] = changes;
  const reason = reasonOf(image);
  return [
    ...(before === undefined ? [] : [["was", describeState(before)] as const]),
    ...(after === undefined || reason !== undefined ? [] : [["is", describeState(after)] as const]),
    ...(reason === undefined ? [] : findingRows(reason)),
    ...signersLost.map((signer): Row => ["signer lost", describeSigner(signer)]),
    ...signersNew.map((signer): Row => ["signer new", describeSigner(signer)]),
    ...digestRows(before, after),
    ...(others.length === 0 ? [] : [["also", others.map((one) => CHANGE_TITLES[one]).join(", ")] as const]),
    ...workloadRows(image.workloads),
  ];
}

/** Why it is not accepted, where it was, or was for another reason. */
function reasonOf({ after, changes }: ImageChange): Finding | undefined {
  const isNews = changes.includes("refused") || changes.includes("undetermined");
  return isNews && after !== undefined ? decidingReason(after) : undefined;
}

function describeState(image: AuditedImage): string {
  const { verdict, signers } = image;
  const reason = decidingReason(image);
  if (reason !== undefined) return `${verdict}: ${reason.message}`;
  const names = [...new Set(signers.map(describeSigner))];
  return names.length === 0 ? verdict : `${verdict}, signed by ${names.join(" and ")}`;
}

function describeSigner({ name, as }: AuditedSigner): string {
  return as === undefined || as === name ? name : `${name} as ${as}`;
}

function digestRows(before: AuditedImage | undefined, after: AuditedImage | undefined): readonly Row[] {
  if (after === undefined) return [];
  const drift: readonly Row[] =
    after.drift && after.tagDigest !== undefined ? [["the tag is", after.tagDigest] as const] : [];
  if (before?.digest === undefined || after.digest === undefined || before.digest === after.digest) return drift;
  return [["digest was", before.digest], ["digest is", after.digest], ...drift];
}

function workloadRows(workloads: readonly AffectedWorkload[]): readonly Row[] {
  const shown = workloads.slice(0, WORKLOADS_SHOWN).map((one): Row => ["runs in", workloadLine(one)]);
  const more = workloads.length - shown.length;
  return more > 0 ? [...shown, ["runs in", `${more} more`]] : shown;
}

function workloadLine(workload: AffectedWorkload): string {
  return workload.kind === undefined ? workload.source : `${describeWorkload(workload)} (${workload.source})`;
}

function problemBlocks({ problems }: AuditDiff, style: Style): readonly string[] {
  const shown = problems.new.slice(0, SHOWN);
  if (shown.length === 0) return [];
  const rows = shown.map(({ place, finding }): Row => ["at", `${placeName(place)}: ${finding.message}`]);
  const more = problems.new.length - shown.length;
  const rest: readonly Row[] = more > 0 ? [["and", `${more} more, all of them with -o json`]] : [];
  return [`${style.undetermined("newly unreadable")}\n${formatRows([...rows, ...rest], style)}`];
}
