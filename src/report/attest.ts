import { describeType } from "../core/formats/predicates.ts";
import type { SignedImage, SignOutcome } from "../core/results.ts";
import { findingMember, formatDocument } from "./json.ts";
import { outcomeMember, signedState, signedText } from "./sign.ts";
import { PLAIN, type Style } from "./style.ts";

/** What was attested. `finish` is the command that adds log entries later, but for the image. */
export function attestedText(
  images: readonly SignedImage[],
  predicateType: string,
  style: Style = PLAIN,
  finish?: string,
): string {
  return signedText(images, style, {
    signed: "attested",
    wouldSign: "would attest",
    already: "attested the same already",
    rows: [["type", describeType(predicateType)]],
    ...(finish === undefined ? {} : { finish }),
  });
}

const STATES = { signed: "attested", "would-sign": "would-attest", unchanged: "unchanged", failed: "failed" } as const;

/** docs/schemas/attest.json. */
export function attestedDocument(images: readonly SignedImage[], predicateType: string): string {
  return formatDocument("attest", {
    predicateType,
    images: images.map((image) => ({
      image: image.image,
      name: image.name,
      digest: image.digest ?? null,
      state: STATES[signedState(image)],
      attestations: image.outcomes.map(attestationMember),
      finding: image.finding === undefined ? undefined : findingMember(image.finding),
    })),
  });
}

/** One attestation of any command's document. */
export function attestationMember(outcome: SignOutcome): Readonly<Record<string, unknown>> {
  return { ...outcomeMember(outcome), state: STATES[outcome.state] };
}
