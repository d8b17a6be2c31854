import { CountersignError } from "../core/errors.ts";
import { type PredicateText, readPredicate } from "../core/formats/predicate-file.ts";
import { LIMITS } from "../core/limits.ts";
import { reasonClass } from "../core/reasons.ts";
import type { Instant } from "../core/time.ts";
import { type AttestOptions, attestImage } from "../ops/attest.ts";
import { mapConcurrently } from "../ops/concurrency.ts";
import { attestedDocument, attestedText } from "../report/attest.ts";
import { type AttestFlags, readAttestOptions } from "./attest-options.ts";
import { noteBound } from "./bound-notes.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { createdAt, openWiring } from "./images.ts";
import { readNamedFile, readStandardInput } from "./named-file.ts";
import { type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import {
  doneTo,
  finishCommand,
  isTarget,
  openForSigning,
  refuseTwoReaders,
  sayFailure,
  warnOfPostponed,
} from "./sign-action.ts";
import { openSignatory } from "./signatory.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
import { isSeenTwice } from "./verdicts.ts";

/** `countersign attest IMAGE…`: each image is attested whatever becomes of the others. */
export async function attest(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readAttestOptions(raw);
  refuseSecondReader(registry.passwordFromStdin, flags, context);
  refuseTwoReaders(registry.passwordFromStdin, flags.signatory, context);
  refuseRegistriesOffline(flags.signatory.trust, images);
  const created = createdAt(context);
  const predicate = await readPredicateFlag(context, flags, created);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const { predicateType, formats, annotations, recursive, dryRun, signAs, signatory: wish } = flags;
    const signatory = await openSignatory(context, output, wiring, { ...wish, dryRun }, images);
    const mode = dryRun ? "read" : "write";
    const { maxWorkers = AT_ONCE, platform } = registry;
    const opened = await mapConcurrently(images, AT_ONCE, (image) => openForSigning(wiring, image, mode, platform));
    const options: AttestOptions = {
      signatory,
      predicateType,
      predicate,
      formats,
      annotations,
      recursive,
      dryRun,
      signAs,
      logLater: wish.logLater,
      createdAt: created,
      now: context.referenceTime,
      cache: wiring.cache,
    };
    const attested = await mapConcurrently(opened, maxWorkers, async (one) =>
      isTarget(one) ? await attestImage(one, options) : one,
    );
    await output.result({
      text: (style) => attestedText(attested, predicateType, style, finishCommand(wish)),
      json: () => attestedDocument(attested, predicateType),
    });
    if (!isSeenTwice(context, output)) {
      for (const image of attested) {
        sayFailure(context, image);
        warnOfPostponed(output, image);
      }
    }
    await noteBound({ context, output, wiring }, raw, attested.flatMap(doneTo(opened)));
    const classes = attested.flatMap(({ finding }) => (finding === undefined ? [] : [reasonClass(finding.code)]));
    context.exitCode = exitCodeOfClasses(classes);
  } finally {
    await wiring.close();
  }
}

const AT_ONCE = 8;

async function readPredicateFlag(context: Context, flags: AttestFlags, at: Instant): Promise<PredicateText> {
  const wish = { flag: "--predicate", holds: "the predicate alone", maxBytes: LIMITS.statementBytes };
  const { predicate, type, predicateType } = flags;
  const file =
    predicate === "-" ? await readStandardInput(context, wish) : await readNamedFile(context, predicate, wish);
  return readPredicate(file, type, predicateType, at);
}

/** Standard input can hold one thing. */
function refuseSecondReader(passwordFromStdin: boolean, { predicate, signatory }: AttestFlags, context: Context): void {
  if (predicate !== "-") return;
  const { env, stdin } = context;
  const isKeyAsked = signatory.key !== undefined && env["COSIGN_PASSWORD"] === undefined && stdin.isTTY !== true;
  const second = passwordFromStdin
    ? "--registry-password-stdin"
    : signatory.identityToken === "-"
      ? "--identity-token -"
      : isKeyAsked
        ? "no COSIGN_PASSWORD for the key"
        : undefined;
  if (second === undefined) return;
  throw new CountersignError("usage", "standard input cannot hold the predicate and a secret", {
    found: `--predicate - and ${second}`,
    wanted: "the predicate in a file, or the secret elsewhere",
  });
}
