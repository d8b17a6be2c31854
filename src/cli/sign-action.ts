import { CountersignError } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import { reasonClass } from "../core/reasons.ts";
import { loadSigner } from "../io/keys/load.ts";
import { type SignedImage, signImages } from "../ops/sign.ts";
import { signedDocument, signedText } from "../report/sign.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { createdAt, narrowTarget, openWiring, refusePublishedKeys, wantedPlatform } from "./images.ts";
import { type RawOptions, readRegistryOptions, readSigningOptions } from "./options.ts";
import type { Output } from "./output.ts";

/** `countersign sign IMAGE…`. */
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
  const platform = wantedPlatform(context, registry);
  await using wiring = await openWiring(context, output, registry, images);
  const signer = await loadSigner(flags.key, { ...context, warn: output.warn });
  refusePublishedKeys([signer.publicKey], images);
  const opened = await Promise.all(images.map((image) => wiring.target(image, flags.dryRun ? "read" : "write")));
  const targets = await Promise.all(opened.map((target) => narrowTarget(target, platform)));
  const { formats, annotations, recursive, dryRun } = flags;
  const { maxWorkers } = registry;
  const options = {
    signer,
    formats,
    annotations,
    recursive,
    dryRun,
    createdAt: created,
    maxWorkers,
    cache: wiring.cache,
  };
  const signed = await signImages(targets, options);
  await output.result({ text: (style) => signedText(signed, style), json: () => signedDocument(signed) });
  for (const image of signed) if (image.finding !== undefined) sayFailure(context, image);
  context.exitCode = exitCodeOfClasses(signed.flatMap(({ finding }) => (finding ? [reasonClass(finding.code)] : [])));
}

function sayFailure(context: Context, { name, finding }: SignedImage): void {
  if (finding === undefined) return;
  context.stderr.stream.write(`countersign: ${printable(`${name}: ${explainFinding(finding)}`)}\n`);
}

/** Standard input can hold the registry's password or the key's, not both. */
export function refuseTwoReaders(passwordFromStdin: boolean, { env, stdin }: Context): void {
  if (!passwordFromStdin || env["COSIGN_PASSWORD"] !== undefined || stdin.isTTY === true) return;
  throw new CountersignError("usage", "standard input cannot hold two passwords", {
    found: "--registry-password-stdin, and no COSIGN_PASSWORD for the key",
    wanted: "the key's password in COSIGN_PASSWORD (it may be empty)",
  });
}
