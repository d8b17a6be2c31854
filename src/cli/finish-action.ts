import { CountersignError } from "../core/errors.ts";
import { reasonClass } from "../core/reasons.ts";
import type { FinishedImage } from "../core/results.ts";
import { loadPublicKey } from "../io/keys/load.ts";
import { recorder } from "../io/sigstore/witness.ts";
import { finishImages } from "../ops/finish.ts";
import type { Target } from "../ops/verify.ts";
import { finishedDocument, finishedText } from "../report/finish.ts";
import { requireConsent } from "./consent.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { createdAt, openWiring } from "./images.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { certificateDemands, readServices, type SigningServices, witnesses } from "./services.ts";
import { isTarget, openForSigning, sayFailure, type UnopenedImage } from "./sign-action.ts";
import { readFinishOptions } from "./sign-options.ts";
import { openTrust } from "./trust.ts";
import { isSeenTwice } from "./verdicts.ts";

/** `countersign sign --finish IMAGE…`: adds the log entries that were left out. */
export async function finish(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const { signatory: wish, recursive, dryRun } = readFinishOptions(raw);
  const created = createdAt(context);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const keys = wish.key === undefined ? [] : [await loadPublicKey(wish.key, context)];
    const services = await readServices(context, output, wiring, wish);
    requireLog(services);
    const trust = await openTrust(context, output, wish.trust, wiring);
    if (!dryRun) await requireConsent(context, { services, signer: "any" }, wish.yes);
    const mode = dryRun ? "read" : "write";
    const opened = await Promise.all(images.map((image) => openForSigning(wiring, image, mode, registry.platform)));
    const finished = await finishImages(opened.filter(isTarget), {
      record: recorder(witnesses(services, wiring.services).logs),
      trust,
      // Who vouches for the time was chosen when it was signed.
      demands: { ...certificateDemands(services, trust), timestamps: 0 },
      keys,
      recursive,
      dryRun,
      createdAt: created,
      now: context.referenceTime,
      cache: wiring.cache,
      maxWorkers: registry.maxWorkers,
    });
    const results = inOrder(opened, finished);
    await output.result({ text: (style) => finishedText(results, style), json: () => finishedDocument(results) });
    const failures = results.flatMap(failuresOf);
    if (!isSeenTwice(context, output)) for (const failure of failures) sayFailure(context, failure);
    context.exitCode = exitCodeOfClasses(failures.map(({ finding }) => reasonClass(finding.code)));
  } finally {
    await wiring.close();
  }
}

function requireLog({ logs }: SigningServices): void {
  if (logs.count > 0) return;
  throw new CountersignError("usage", "there is no log to add entries of", {
    found: "services without a transparency log",
    wanted: "a signing configuration with one, or --rekor-url URL",
  });
}

/** Results in the order of the images, those that could not be opened among them. */
function inOrder(
  opened: readonly (Target | UnopenedImage)[],
  finished: readonly FinishedImage[],
): readonly FinishedImage[] {
  const results = [...finished];
  return opened.flatMap((one) => (isTarget(one) ? results.splice(0, 1) : [one]));
}

function failuresOf({ name, finding, outcomes }: FinishedImage) {
  const findings = [finding, ...outcomes.map((outcome) => outcome.finding)];
  return findings.flatMap((each) => (each === undefined ? [] : [{ name, finding: each }]));
}
