import { explainFinding, nextStep } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import type { FinishedImage, FinishOutcome } from "../core/results.ts";
import { describeSignedBy } from "../core/verify/verdict.ts";
import { findingMember, formatDocument, proofMember } from "./json.ts";
import { describeProof } from "./sign.ts";
import { PLAIN, type Style } from "./style.ts";
import { failureRows, formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

type State = "failed" | "finished" | "would-finish" | "unchanged";

/** `failed` where anything could not be finished, else what was done to any of its signatures. */
export function finishedState({ finding, outcomes }: FinishedImage): State {
  const states = new Set(outcomes.map(({ state }) => state));
  if (finding !== undefined || states.has("failed")) return "failed";
  if (states.has("finished")) return "finished";
  return states.has("would-finish") ? "would-finish" : "unchanged";
}

export function finishedText(images: readonly FinishedImage[], style: Style = PLAIN): string {
  return images.map((image) => imageText(image, style)).join("\n");
}

function imageText(image: FinishedImage, style: Style): string {
  const state = finishedState(image);
  const paint = state === "failed" ? style.refused : style.accepted;
  const heading = `${paint(state.replace("-", " ").padEnd(HEADING_WIDTH))}${printable(image.name)}`;
  const finding = image.finding ?? image.outcomes.find((outcome) => outcome.finding !== undefined)?.finding;
  const code = finding === undefined ? "" : `   ${style.heading(finding.code)}`;
  return formatBlock(heading + code, [...outcomeRows(image), ...failureRows(image.finding)], style);
}

function outcomeRows({ outcomes, finding, digest }: FinishedImage): readonly Row[] {
  if (outcomes.length === 0 && finding === undefined) return [["unchanged", "no signature waits for its log entry"]];
  return outcomes.flatMap((outcome) => rowsOf(outcome, outcome.digest === digest ? "" : ` of ${outcome.digest}`));
}

function rowsOf({ state, postponed, manifest, signedBy, proof, finding }: FinishOutcome, of: string): readonly Row[] {
  const who = signedBy === undefined ? "" : ` by ${describeSignedBy(signedBy)}`;
  switch (state) {
    case "finished":
      return [["stored", `signature${of}${who} in ${manifest}${describeProof(proof)}; it replaces ${postponed}`]];
    case "finished-before":
      return [["unchanged", `signature${of} in ${postponed}: it is complete in ${manifest} already`]];
    case "would-finish":
      return [["would store", `signature${of}${who}, with the log entry that ${postponed} lacks`]];
    default:
      return [
        ["failed", `signature${of} in ${postponed}${finding === undefined ? "" : `: ${explainFinding(finding)}`}`],
        ...(finding === undefined ? [] : [["next", nextStep(finding)] as const]),
      ];
  }
}

/** docs/schemas/finish.json. */
export function finishedDocument(images: readonly FinishedImage[]): string {
  return formatDocument("sign --finish", {
    images: images.map((image) => ({
      image: image.image,
      name: image.name,
      digest: image.digest ?? null,
      state: finishedState(image),
      signatures: image.outcomes.map(outcomeMember),
      finding: image.finding === undefined ? undefined : findingMember(image.finding),
    })),
  });
}

function outcomeMember(outcome: FinishOutcome): Readonly<Record<string, unknown>> {
  const { proof, finding, ...rest } = outcome;
  return {
    ...rest,
    proof: proof === undefined ? undefined : proofMember(proof),
    finding: finding === undefined ? undefined : findingMember(finding),
  };
}
