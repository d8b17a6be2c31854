import { explainFinding, formatName } from "../core/explain.ts";
import type { Digest } from "../core/oci/digest.ts";
import { printable } from "../core/printable.ts";
import type { SignedImage, SignOutcome } from "../core/results.ts";
import type { SignatureProof } from "../core/trust/material.ts";
import { describeSignedBy } from "../core/verify/verdict.ts";
import { findingMember, formatDocument, proofMember } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";
import { failureRows, formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

/** `failed` where something could not be finished, else what was done to any of its manifests. */
export function signedState(image: SignedImage): "failed" | "signed" | "would-sign" | "unchanged" {
  if (image.finding !== undefined) return "failed";
  const states = new Set(image.outcomes.map((outcome) => outcome.state));
  if (states.has("signed")) return "signed";
  return states.has("would-sign") ? "would-sign" : "unchanged";
}

/** How a report calls what was done. */
export interface Wording {
  /** What the heading says of an image that was signed. */
  readonly signed: string;
  readonly wouldSign: string;
  /** Why nothing was done: who "has …". */
  readonly already: string;
  /** The command that adds log entries later, but for the image. */
  readonly finish: string;
  /** What is the same for all images. */
  readonly rows: readonly Row[];
}

const SIGNING: Wording = {
  signed: "signed",
  wouldSign: "would sign",
  already: "signed it already, with the same annotations",
  finish: "countersign sign --finish",
  rows: [],
};

export function signedText(
  images: readonly SignedImage[],
  style: Style = PLAIN,
  wording: Partial<Wording> = {},
): string {
  return images.map((image) => imageText(image, style, { ...SIGNING, ...wording })).join("\n");
}

function imageText(image: SignedImage, style: Style, wording: Wording): string {
  const state = signedState(image);
  const paint = state === "failed" ? style.refused : style.accepted;
  const names = { signed: wording.signed, "would-sign": wording.wouldSign, unchanged: "unchanged", failed: "failed" };
  const heading = `${paint(names[state].padEnd(HEADING_WIDTH))}${printable(image.name)}`;
  const code = image.finding === undefined ? "" : `   ${style.heading(image.finding.code)}`;
  const rows = [...wording.rows, ...outcomeRows(image, wording), ...tagRows(image), ...failureRows(image.finding)];
  return formatBlock(heading + code, rows, style);
}

/** `1.4.2 means it, by releases`. */
function tagRows({ tagStatement }: SignedImage): readonly Row[] {
  if (tagStatement === undefined) return [];
  const { tag, roles, state } = tagStatement;
  return [["signed tag", `${tag} means it, by ${roles.join(" and ")}${state === "unchanged" ? ", as before" : ""}`]];
}

/** As whom it was signed, what was stored and where, and what is left to do. */
export function outcomeRows(
  image: Pick<SignedImage, "name" | "digest" | "outcomes">,
  wording: Pick<Wording, "already" | "finish">,
): readonly Row[] {
  return [
    ...identityRows(image.outcomes),
    ...image.outcomes.map((outcome) => outcomeRow(outcome, image.digest, wording)),
    ...postponedRows(image, wording.finish),
  ];
}

/** Who signed, where a certificate says it: whoever gave a key knows. */
function identityRows(outcomes: readonly SignOutcome[]): readonly Row[] {
  const names = outcomes.flatMap(({ signedBy }) => (signedBy?.kind === "identity" ? [describeSignedBy(signedBy)] : []));
  return [...new Set(names)].map((name): Row => ["signed as", name]);
}

const STATES: Readonly<Record<SignOutcome["state"], string>> = {
  signed: "stored",
  unchanged: "unchanged",
  "would-sign": "would store",
};

/** The platforms of an index are named; the image itself stands in the heading. */
function outcomeRow(outcome: SignOutcome, image: Digest | undefined, wording: Pick<Wording, "already">): Row {
  const { digest, format, manifest, tag, state, proof } = outcome;
  const subject = digest === image ? "" : ` of ${digest}`;
  const place = manifest === undefined ? "" : ` in ${manifest}`;
  const tagged = tag === undefined ? "" : `, tag ${tag}`;
  const why = state === "unchanged" ? unchangedBecause(outcome, wording) : "";
  return [STATES[state], `${formatName(format)}${subject}${place}${tagged}${describeProof(proof)}${why}`];
}

function unchangedBecause({ signedBy }: SignOutcome, { already }: Pick<Wording, "already">): string {
  const who = signedBy?.kind === "identity" ? "the same identity" : "the same key";
  return `: ${who} has ${already}`;
}

/** `, log entry 2938471 in rekor.sigstore.dev, time by sigstore-tsa`. */
export function describeProof(proof: SignatureProof | undefined): string {
  const entries = (proof?.logs ?? []).map(({ log, index }) => `log entry ${index} in ${log}`);
  const authorities = [...new Set((proof?.timestamps ?? []).map(({ authority }) => authority))];
  return [...entries, ...authorities.map((authority) => `time by ${authority}`)].map((each) => `, ${each}`).join("");
}

/** What is left to do, once for the image: it is done for all of it at once. */
function postponedRows({ name, outcomes }: Pick<SignedImage, "name" | "outcomes">, finish: string): readonly Row[] {
  const findings = outcomes.flatMap(({ postponed }) => (postponed === undefined ? [] : [explainFinding(postponed)]));
  if (findings.length === 0) return [];
  return [
    ...[...new Set(findings)].map((finding): Row => ["no log entry", finding]),
    ["next", `when the log answers: ${finish} ${name}`],
  ];
}

/** docs/schemas/sign.json. */
export function signedDocument(images: readonly SignedImage[]): string {
  return formatDocument("sign", {
    images: images.map((image) => ({
      image: image.image,
      name: image.name,
      digest: image.digest ?? null,
      state: signedState(image),
      signatures: image.outcomes.map(outcomeMember),
      tagStatement: image.tagStatement,
      finding: image.finding === undefined ? undefined : findingMember(image.finding),
    })),
  });
}

export function outcomeMember(outcome: SignOutcome): Readonly<Record<string, unknown>> {
  const { digest, format, state, manifest, tag, signedBy, proof, postponed } = outcome;
  return {
    digest,
    format,
    state,
    manifest,
    tag,
    signedBy,
    proof: proof === undefined ? undefined : proofMember(proof),
    postponed: postponed === undefined ? undefined : findingMember(postponed),
  };
}
