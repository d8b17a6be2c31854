import type { Finding } from "../core/errors.ts";
import { explainFinding, tallyOf } from "../core/explain.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { formatBytes, plural } from "./amounts.ts";
import { findingMember, formatDocument, verdictMember } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatRows, type Row, verdictText } from "./text.ts";

/** What a pull, copy or push moved. */
export interface TransferSummary {
  readonly manifests: number;
  readonly blobs: number;
  readonly movedBytes: number;
  readonly presentBytes: number;
  readonly notChecked: readonly string[];
  /** Signatures and other things attached to the image that went along. */
  readonly attached?: number | undefined;
  readonly skipped?: readonly Finding[] | undefined;
  readonly notes?: readonly string[] | undefined;
}

/** One image of such a call: judged, and moved if it was accepted. A move that failed is a verdict that is not accepted. */
export interface MovedImage {
  readonly verdicts: readonly Verdict[];
  /** Where it is now, as one would name it; undefined where nothing arrived. */
  readonly destination?: string | undefined;
  readonly summary?: TransferSummary | undefined;
}

export type Movement = "pull" | "copy" | "push" | "save" | "load";

const DONE: Readonly<Record<Movement, string>> = {
  pull: "pulled to",
  copy: "copied to",
  push: "pushed to",
  save: "saved as",
  load: "loaded to",
};

export function movedText(movement: Movement, images: readonly MovedImage[], style: Style = PLAIN): string {
  return images.map((image) => imageText(movement, image, style)).join("\n");
}

function imageText(movement: Movement, image: MovedImage, style: Style): string {
  const verdicts = image.verdicts.map((verdict) => verdictText(verdict, style)).join("\n");
  return verdicts + formatRows(summaryRows(movement, image), style);
}

function summaryRows(movement: Movement, { destination, summary }: MovedImage): readonly Row[] {
  if (destination === undefined) return [];
  if (summary === undefined) return [[DONE[movement], destination]];
  const { manifests, blobs, movedBytes, presentBytes } = summary;
  const present = presentBytes === 0 ? "" : `, ${formatBytes(presentBytes)} were there already`;
  const amount = `${plural(manifests, "manifest")} and ${plural(blobs, "blob")}, ${formatBytes(movedBytes)}${present}`;
  return [
    [DONE[movement], destination],
    ["moved", amount],
    ...attachedRow(summary.attached ?? 0),
    ...(summary.skipped ?? []).map((finding): Row => ["left out", explainFinding(finding)]),
    ...summary.notChecked.map((what): Row => ["not checked", what]),
    ...(summary.notes ?? []).map((note): Row => ["note", note]),
  ];
}

function attachedRow(count: number): readonly Row[] {
  if (count === 0) return [];
  return [["attached", `${plural(count, "manifest")} went along: signatures and whatever else refers to the image`]];
}

/** docs/schemas/transfer.json. */
export function movedDocument(movement: Movement, images: readonly MovedImage[]): string {
  return formatDocument(movement, movedMembers(images));
}

export function movedMembers(images: readonly MovedImage[]): Readonly<Record<string, unknown>> {
  return {
    summary: tallyOf(images.flatMap((image) => image.verdicts)),
    images: images.flatMap((image) =>
      image.verdicts.map((verdict, at) => ({ ...verdictMember(verdict), ...(at === 0 ? movementMember(image) : {}) })),
    ),
  };
}

/** Stands with the image itself; the further verdicts of `-r` are about its platforms. */
function movementMember({ destination, summary }: MovedImage): Readonly<Record<string, unknown>> {
  return {
    destination: destination ?? null,
    transfer: summary === undefined ? undefined : summaryMember(summary),
  };
}

function summaryMember(summary: TransferSummary): Readonly<Record<string, unknown>> {
  const { manifests, blobs, movedBytes, presentBytes, notChecked, attached, skipped, notes } = summary;
  return {
    manifests,
    blobs,
    movedBytes,
    presentBytes,
    notChecked,
    attached,
    skipped: skipped?.map(findingMember),
    notes,
  };
}
