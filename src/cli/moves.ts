import { CountersignError, type Finding, toFinding } from "../core/errors.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import { REASONS, reasonClass } from "../core/reasons.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import type { Target, VerifiedImage } from "../ops/verify.ts";
import { type MovedImage, type Movement, movedDocument, movedText } from "../report/transfer.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { concludeVerdicts } from "./verdicts.ts";

/** What pull, copy and push share: an accepted image on its way, and what is said at the end. */

/** The manifest that an acceptance is about: the image's own, or the one of its platform that was chosen. */
export async function acceptedManifest({ store }: Target, { root, selected }: VerifiedImage): Promise<Manifest> {
  if (root === undefined || selected === undefined)
    throw new CountersignError("internal", "accepted without a manifest");
  return selected.digest === root.descriptor.digest ? root : await store.manifest(selected);
}

/**
 * An accepted image that could not be moved is not accepted: what arrived was wrong (refused), or it did not arrive.
 * Whatever the error is, it is this image's result: what became of the others is still told.
 */
export function movedNot(verdicts: readonly Verdict[], error: unknown): MovedImage {
  const finding = resumable(toFinding(error));
  const status = reasonClass(finding.code) === "refused" ? "refused" : "undetermined";
  const [first, ...others] = verdicts;
  if (first === undefined) throw error;
  const failed: Verdict = { ...first, status, reasons: [finding], because: undefined, checked: [], notChecked: [] };
  return { verdicts: [failed, ...others] };
}

/** What arrived is kept out of sight for the next run. */
function resumable(finding: Finding): Finding {
  const { code, next } = finding;
  const general = (code === "interrupted" || code === "disk-error") && next === REASONS[code].next;
  return general ? { ...finding, next: `${next}: it resumes` } : finding;
}

export async function concludeMove(
  context: Context,
  output: Output,
  movement: Movement,
  images: readonly MovedImage[],
  exitCodes: "countersign" | "cosign",
): Promise<void> {
  const verdicts = images.flatMap((image) => image.verdicts);
  await concludeVerdicts(
    context,
    output,
    verdicts,
    { text: (style) => movedText(movement, images, style), json: () => movedDocument(movement, images) },
    exitCodes,
  );
}
