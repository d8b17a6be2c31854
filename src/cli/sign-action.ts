import { CountersignError, type Finding, findingUnlessInterrupted, toFinding } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import { printable } from "../core/printable.ts";
import { reasonClass } from "../core/reasons.ts";
import type { SignedImage } from "../core/results.ts";
import { mapConcurrently } from "../ops/concurrency.ts";
import { remembering, type SignOptions, signImage } from "../ops/sign.ts";
import type { Target } from "../ops/verify.ts";
import { signedDocument, signedText } from "../report/sign.ts";
import type { Wiring } from "../wire.ts";
import { type DoneTo, noteBound } from "./bound-notes.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { prepareFor, warnOfRefusals } from "./for-peers.ts";
import { createdAt, narrowTarget, openWiring } from "./images.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readSigningOptions } from "./sign-options.ts";
import { openSignatory } from "./signatory.ts";
import type { SignatoryOptions } from "./signatory-options.ts";
import { openTagStatement, readTagStatements, type StateTag } from "./tag-statement.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
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
  refuseTwoReaders(registry.passwordFromStdin, flags.signatory, context);
  refuseRegistriesOffline(flags.signatory.trust, images);
  const statesTags = readTagStatements(raw, images) && !flags.dryRun;
  const created = createdAt(context);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const { formats, annotations, recursive, dryRun, signAs, choice } = flags;
    const wish = { ...flags.signatory, formats, dryRun };
    const signatory = remembering(await openSignatory(context, output, wiring, wish, images));
    if (choice !== undefined) await prepareFor(output, choice, signatory, flags);
    const mode = flags.dryRun ? "read" : "write";
    const opened = await mapConcurrently(images, AT_ONCE, (image) =>
      openForSigning(wiring, image, mode, registry.platform),
    );
    const stateTag = statesTags ? await openTagStatement({ context, output, wiring, raw }) : undefined;
    const { maxWorkers } = registry;
    const { cache } = wiring;
    const options: SignOptions = {
      signatory,
      formats,
      annotations,
      recursive,
      dryRun,
      signAs,
      logLater: flags.signatory.logLater,
      createdAt: created,
      now: context.referenceTime,
      maxWorkers,
      cache,
    };
    const attempts = await mapConcurrently(opened, maxWorkers ?? AT_ONCE, async (one) =>
      isTarget(one) ? await signImage(one, options) : one,
    );
    const signed = stateTag === undefined ? attempts : await stateTags(attempts, opened, stateTag);
    await output.result({
      text: (style) => signedText(signed, style, { finish: finishCommand(flags.signatory) }),
      json: () => signedDocument(signed),
    });
    if (!isSeenTwice(context, output)) {
      for (const image of signed) {
        sayFailure(context, image);
        warnOfPostponed(output, image);
      }
    }
    if (stateTag === undefined) await noteBound({ context, output, wiring }, raw, signed.flatMap(doneTo(opened)));
    if (choice !== undefined && !dryRun) {
      const seen = { acceptance: signatory.accepted(), cache, now: context.referenceTime };
      await warnOfRefusals(output, choice.peers, signed.flatMap(withTarget(opened)), seen);
    }
    context.exitCode = exitCodeOfClasses(signed.flatMap(({ finding }) => (finding ? [reasonClass(finding.code)] : [])));
  } finally {
    await wiring.close();
  }
}

const AT_ONCE = 8;

/** One after the other: each publish builds on the one before. What could not be signed gets no tag. */
async function stateTags(
  signed: readonly (SignedImage | UnopenedImage)[],
  opened: readonly (Target | UnopenedImage)[],
  stateTag: StateTag,
): Promise<readonly SignedImage[]> {
  const stated: SignedImage[] = [];
  for (const [at, image] of signed.entries()) {
    const target = opened[at];
    const isSigned = target !== undefined && isTarget(target) && image.finding === undefined;
    stated.push(isSigned ? await stateOne(image, target, stateTag) : image);
  }
  return stated;
}

async function stateOne(image: SignedImage, { store }: Target, stateTag: StateTag): Promise<SignedImage> {
  const { digest } = image;
  if (digest === undefined) return image;
  try {
    return { ...image, tagStatement: await stateTag(image.image, store, digest) };
  } catch (error) {
    return { ...image, finding: findingUnlessInterrupted(error) };
  }
}

/** By which tag an image was named, and its digest where that was signed. */
export function doneTo(
  opened: readonly (Target | UnopenedImage)[],
): (image: Pick<SignedImage, "digest" | "finding">, at: number) => readonly DoneTo[] {
  return ({ digest, finding }, at) => {
    const target = opened[at];
    const isDone = finding === undefined && digest !== undefined;
    return target !== undefined && isTarget(target) && isDone ? [{ target, digest }] : [];
  };
}

/** What was signed and where it is: nothing else is asked what others make of it. */
function withTarget(
  opened: readonly (Target | UnopenedImage)[],
): (image: SignedImage, at: number) => readonly Target[] {
  return ({ digest, finding }, at) => {
    const one = opened[at];
    return one === undefined || !isTarget(one) || finding !== undefined
      ? []
      : [{ ...one, digest: digest ?? one.digest }];
  };
}

/** An image that cannot be looked at: the result of whatever was to be done with it. */
export interface UnopenedImage {
  readonly image: string;
  readonly name: string;
  readonly outcomes: readonly never[];
  readonly finding: Finding;
}

/** An image, or why it cannot be signed. @throws CountersignError where the call itself is wrong, and `interrupted`. */
export async function openForSigning(
  wiring: Wiring,
  image: string,
  mode: "read" | "write",
  platform: Platform | undefined,
): Promise<Target | UnopenedImage> {
  try {
    return await narrowTarget(await wiring.target(image, mode), platform);
  } catch (error) {
    const finding = toFinding(error);
    if (["usage", "interrupted"].includes(reasonClass(finding.code))) throw error;
    return { image, name: image, outcomes: [], finding };
  }
}

export function isTarget(one: Target | UnopenedImage): one is Target {
  return "store" in one;
}

export function sayFailure(context: Context, { name, finding }: Pick<SignedImage, "name" | "finding">): void {
  if (finding === undefined) return;
  context.stderr.stream.write(`countersign: ${printable(`${name}: ${explainBriefly(finding)}`)}\n`);
}

/** What adds log entries later, with the services of this call. A bundle does not hold the key of its signer. */
export function finishCommand({ key, services, trust: { trustedRoot, instance } }: SignatoryOptions): string {
  const { file, log } = { file: undefined, log: undefined, ...services };
  return [
    "countersign sign --finish",
    ...(key === undefined ? [] : ["--key PUBLIC_KEY"]),
    ...(file === undefined ? [] : [`--signing-config ${file}`]),
    ...(log === undefined ? [] : [`--rekor-url ${log.href}`]),
    ...(trustedRoot === undefined ? [] : [`--trusted-root ${trustedRoot}`]),
    ...(instance === undefined ? [] : [`--trust ${instance}`]),
  ].join(" ");
}

/** A release goes on without its log entry; whoever runs it has to know. */
export function warnOfPostponed(
  output: Output,
  { name, outcomes }: Pick<SignedImage, "name" | "outcomes">,
  finish?: string,
): void {
  const finding = outcomes.find(({ postponed }) => postponed !== undefined)?.postponed;
  if (finding === undefined) return;
  const later = finish === undefined ? "" : `; when the log answers: ${finish} ${name}`;
  const why = explainBriefly(finding);
  output.warn(`${name} has no log entry yet, and verifiers that ask for one refuse it: ${why}${later}`);
}

/** Standard input can hold the registry's password, the key's, or an identity token, and only one of them. */
export function refuseTwoReaders(
  passwordFromStdin: boolean,
  { key, identityToken }: SignatoryOptions,
  { env, stdin }: Context,
): void {
  if (!passwordFromStdin) return;
  if (identityToken === "-") {
    throw new CountersignError("usage", "standard input cannot hold a password and a token", {
      found: "--registry-password-stdin and --identity-token -",
      wanted: "the token in a file",
    });
  }
  if (key === undefined || env["COSIGN_PASSWORD"] !== undefined || stdin.isTTY === true) return;
  throw new CountersignError("usage", "standard input cannot hold two passwords", {
    found: "--registry-password-stdin, and no COSIGN_PASSWORD for the key",
    wanted: "the key's password in COSIGN_PASSWORD (it may be empty)",
  });
}
