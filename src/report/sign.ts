import type { Finding } from "../core/errors.ts";
import { formatName, nextStep } from "../core/explain.ts";
import type { Digest } from "../core/oci/digest.ts";
import { printable } from "../core/printable.ts";
import type { SignedImage, SignOutcome } from "../core/results.ts";
import { findingMember, formatDocument } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";
import { findingRows, formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

/** `failed` where something could not be finished, else what was done to any of its manifests. */
export function signedState(image: SignedImage): "failed" | "signed" | "would-sign" | "unchanged" {
  if (image.finding !== undefined) return "failed";
  const states = new Set(image.outcomes.map((outcome) => outcome.state));
  if (states.has("signed")) return "signed";
  return states.has("would-sign") ? "would-sign" : "unchanged";
}

export function signedText(images: readonly SignedImage[], style: Style = PLAIN): string {
  return images.map((image) => imageText(image, style)).join("\n");
}

function imageText(image: SignedImage, style: Style): string {
  const state = signedState(image);
  const paint = state === "failed" ? style.refused : style.accepted;
  const heading = `${paint(state.replace("-", " ").padEnd(HEADING_WIDTH))}${printable(image.name)}`;
  const code = image.finding === undefined ? "" : `   ${style.heading(image.finding.code)}`;
  const rows = image.outcomes.map((outcome) => outcomeRow(outcome, image.digest));
  return formatBlock(heading + code, [...rows, ...failureRows(image.finding)], style);
}

const STATES: Readonly<Record<SignOutcome["state"], string>> = {
  signed: "stored",
  unchanged: "unchanged",
  "would-sign": "would store",
};

/** The platforms of an index are named; the image itself stands in the heading. */
function outcomeRow(outcome: SignOutcome, image: Digest | undefined): Row {
  const subject = outcome.digest === image ? "" : ` of ${outcome.digest}`;
  const manifest = outcome.manifest === undefined ? "" : ` in ${outcome.manifest}`;
  const tag = outcome.tag === undefined ? "" : `, tag ${outcome.tag}`;
  const why = outcome.state === "unchanged" ? ": the same key has signed it already, with the same annotations" : "";
  return [STATES[outcome.state], `${formatName(outcome.format)}${subject}${manifest}${tag}${why}`];
}

function failureRows(finding: Finding | undefined): readonly Row[] {
  return finding === undefined ? [] : [...findingRows(finding), ["next", nextStep(finding)]];
}

/** docs/schemas/sign.json. */
export function signedDocument(images: readonly SignedImage[]): string {
  return formatDocument("sign", {
    images: images.map((image) => ({
      image: image.image,
      name: image.name,
      digest: image.digest ?? null,
      state: signedState(image),
      signatures: image.outcomes.map(({ digest, format, state, manifest, tag }) => ({
        digest,
        format,
        state,
        manifest,
        tag,
      })),
      finding: image.finding === undefined ? undefined : findingMember(image.finding),
    })),
  });
}
