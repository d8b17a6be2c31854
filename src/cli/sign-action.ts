import { refusePublishedKeys } from "../core/crypto/published.ts";
import { CountersignError, toFinding } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import { printable } from "../core/printable.ts";
import { reasonClass } from "../core/reasons.ts";
import type { SignedImage } from "../core/results.ts";
import { loadSigner } from "../io/keys/load.ts";
import { mapConcurrently } from "../ops/concurrency.ts";
import { keySignatory, type SignOptions, signImage } from "../ops/sign.ts";
import type { Target } from "../ops/verify.ts";
import { signedDocument, signedText } from "../report/sign.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { createdAt, narrowTarget, openWiring, placesOf } from "./images.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readSigningOptions } from "./sign-options.ts";
import { isSeenTwice } from "./verdicts.ts";

/** `countersign sign IMAGE…`: each image is signed whatever becomes of the others. */
export async function sign(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readSigningOptions(raw);
  refuseTwoReaders(registry.passwordFromStdin, context);
  const created = createdAt(context);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const signer = await loadSigner(flags.key, { ...context, warn: output.warn });
    refusePublishedKeys([signer.publicKey], placesOf(images));
    const mode = flags.dryRun ? "read" : "write";
    const opened = await mapConcurrently(images, AT_ONCE, (image) =>
      openForSigning(wiring, image, mode, registry.platform),
    );
    const { formats, annotations, recursive, dryRun, signAs } = flags;
    const { maxWorkers } = registry;
    const { cache } = wiring;
    const options: SignOptions = {
      signatory: keySignatory(signer),
      formats,
      annotations,
      recursive,
      dryRun,
      signAs,
      createdAt: created,
      now: context.referenceTime,
      maxWorkers,
      cache,
    };
    const signed = await mapConcurrently(opened, maxWorkers ?? AT_ONCE, async (one) =>
      isTarget(one) ? await signImage(one, options) : one,
    );
    await output.result({ text: (style) => signedText(signed, style), json: () => signedDocument(signed) });
    if (!isSeenTwice(context, output)) for (const image of signed) sayFailure(context, image);
    context.exitCode = exitCodeOfClasses(signed.flatMap(({ finding }) => (finding ? [reasonClass(finding.code)] : [])));
  } finally {
    await wiring.close();
  }
}

const AT_ONCE = 8;

/** An image, or why it cannot be signed. @throws CountersignError where the call itself is wrong, and `interrupted`. */
async function openForSigning(
  wiring: Wiring,
  image: string,
  mode: "read" | "write",
  platform: Platform | undefined,
): Promise<Target | SignedImage> {
  try {
    return await narrowTarget(await wiring.target(image, mode), platform);
  } catch (error) {
    const finding = toFinding(error);
    if (["usage", "interrupted"].includes(reasonClass(finding.code))) throw error;
    return { image, name: image, outcomes: [], finding };
  }
}

function isTarget(one: Target | SignedImage): one is Target {
  return "store" in one;
}

function sayFailure(context: Context, { name, finding }: SignedImage): void {
  if (finding === undefined) return;
  context.stderr.stream.write(`countersign: ${printable(`${name}: ${explainBriefly(finding)}`)}\n`);
}

/** Standard input can hold the registry's password or the key's, not both. */
export function refuseTwoReaders(passwordFromStdin: boolean, { env, stdin }: Context): void {
  if (!passwordFromStdin || env["COSIGN_PASSWORD"] !== undefined || stdin.isTTY === true) return;
  throw new CountersignError("usage", "standard input cannot hold two passwords", {
    found: "--registry-password-stdin, and no COSIGN_PASSWORD for the key",
    wanted: "the key's password in COSIGN_PASSWORD (it may be empty)",
  });
}
