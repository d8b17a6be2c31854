import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Finding } from "../core/errors.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { parsePlatformName } from "../core/oci/platform.ts";
import { reasonClass } from "../core/reasons.ts";
import type { ImageScan, ScannedImage } from "../core/results.ts";
import { type Instant, instant } from "../core/time.ts";
import { layerDigesters } from "../io/disk/decompress.ts";
import { onDisk } from "../io/disk/errors.ts";
import { HOST } from "../io/layout/archive.ts";
import { grype } from "../io/scanners/grype.ts";
import { osvScanner } from "../io/scanners/osv.ts";
import { type Dialect, InstalledScanner } from "../io/scanners/scanner.ts";
import { trivy } from "../io/scanners/trivy.ts";
import { type Attest, type Examine, refusedFrom, scanImage } from "../ops/scan.ts";
import { readImageScan, scanAttester } from "../ops/scan-attestation.ts";
import type { TagJudging } from "../ops/verify.ts";
import { scannedDocument, scannedText } from "../report/scan.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { createdAt, openWiring } from "./images.ts";
import { type RawOptions, type RegistryOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { openProgress } from "./progress.ts";
import { type AttestWish, readScanOptions, type ScanFlags, type ScannerName } from "./scan-options.ts";
import { openScanProgress } from "./scan-progress.ts";
import { finishCommand, openForSigning, refuseTwoReaders, sayFailure, warnOfPostponed } from "./sign-action.ts";
import { openSignatory } from "./signatory.ts";
import { openSignedTags, readTagFlags } from "./signed-tags.ts";
import { refuseRegistriesOffline } from "./trust-options.ts";
import { isSeenTwice } from "./verdicts.ts";

const DIALECTS: Readonly<Record<ScannerName, Dialect>> = { trivy, grype, "osv-scanner": osvScanner };

/** `countersign scan IMAGE…`: one image after the other, each whatever becomes of the others. */
export async function scan(
  context: Context,
  output: Output,
  images: readonly string[],
  raw: RawOptions,
  isOnLine: (name: string) => boolean,
): Promise<void> {
  const registry = readRegistryOptions(raw);
  const flags = readScanOptions(raw, isOnLine);
  const { attest: wish } = flags;
  if (wish !== undefined) {
    refuseTwoReaders(registry.passwordFromStdin, wish.signatory, context);
    refuseRegistriesOffline(wish.signatory.trust, images);
  }
  const platform = registry.platform ?? parsePlatformName(HOST);
  const scanner = await openScanner(context, output, flags);
  const wiring = await openWiring(context, output, registry, images);
  try {
    const attest = wish && (await openAttester(context, output, wiring, wish, images));
    const accepted = await judgeFirst(context, output, wiring, images, flags, registry);
    const around = { context, output, wiring };
    const tags = flags.judged === undefined ? await openSignedTags(around, readTagFlags(raw)) : undefined;
    const { maxWorkers } = registry;
    const scanning = { context, output, wiring, scanner, flags, platform, maxWorkers, attest, tags };
    const scanned: ScannedImage[] = [];
    for (const [at, image] of images.entries()) scanned.push(...(await scanOne(scanning, image, accepted[at])));
    await conclude(context, output, scanned, wish);
  } finally {
    await wiring.close();
  }
}

/** Everything a scan of one image needs beside the image. */
interface Scanning {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly scanner: InstalledScanner;
  readonly flags: ScanFlags;
  readonly platform: Platform;
  readonly maxWorkers: number | undefined;
  readonly attest: Attest | undefined;
  /** undefined where images are judged first: what was accepted was reached through them. */
  readonly tags: TagJudging | undefined;
}

/** Where flags or a policy say what is to be accepted: by image, its digest, or why it is not scanned. */
async function judgeFirst(
  context: Context,
  output: Output,
  wiring: Wiring,
  images: readonly string[],
  { judged, recursive }: ScanFlags,
  { platform, maxWorkers }: RegistryOptions,
): Promise<readonly (Digest | ScannedImage)[]> {
  if (judged === undefined) return [];
  const { judgeImages, readJudging } = await import("./judging.ts");
  const narrowed = { ...judged, maxWorkers, platform: recursive ? undefined : platform };
  const judging = await readJudging({ context, output, wiring, images }, narrowed);
  const verified = await judgeImages(wiring, images, { ...judging, contentFollows: true });
  return verified.map(({ accepted, root, verdicts }, at) => {
    if (accepted && root !== undefined) return root.descriptor.digest;
    const [verdict] = verdicts.filter(({ status }) => status !== "accepted");
    const image = images[at] ?? "";
    return { image, name: verdict?.name ?? image, digest: verdict?.digest, finding: verdict?.reasons[0] ?? UNJUDGED };
  });
}

const UNJUDGED: Finding = { code: "internal", message: "the image was not judged" };

/** Before anything is fetched: a scanner that is not there needs no image. */
async function openScanner(context: Context, output: Output, flags: ScanFlags): Promise<InstalledScanner> {
  const { env, signal } = context;
  const onLine = output.debug ? (line: string) => output.warn(`${flags.scanner} says: ${line}`) : undefined;
  return await withFolder(async (folder) =>
    InstalledScanner.open(DIALECTS[flags.scanner], folder, { env, signal, timeoutMs: flags.timeoutMs, onLine }),
  );
}

async function openAttester(
  context: Context,
  output: Output,
  wiring: Wiring,
  { signatory: wish, reduced, annotations, signAs }: AttestWish,
  images: readonly string[],
): Promise<Attest> {
  const signatory = await openSignatory(context, output, wiring, wish, images);
  const created = createdAt(context);
  const clock = clockOf(context);
  const { cache } = wiring;
  // What is signed minutes after the start is judged by the time that it is then.
  return async (target, scans) => {
    const options = {
      signatory,
      annotations,
      signAs,
      logLater: wish.logLater,
      createdAt: created,
      now: clock(),
      cache,
    };
    return await scanAttester(options, reduced)(target, scans);
  };
}

async function scanOne(
  scanning: Scanning,
  image: string,
  accepted: Digest | ScannedImage | undefined,
): Promise<readonly ScannedImage[]> {
  if (typeof accepted === "object") return [accepted];
  const { context, output, wiring, flags, platform, maxWorkers, attest, tags } = scanning;
  const opened = await openForSigning(wiring, image, attest === undefined ? "read" : "write", undefined);
  if (!("store" in opened)) return [opened];
  const target = accepted === undefined ? opened : { ...opened, digest: accepted };
  const progress = openProgress(context, output);
  try {
    const scanned = await scanImage(target, {
      examine: examiner(scanning, () => progress.finish()),
      platform,
      recursive: flags.recursive,
      attest,
      tags,
      openLayerDigester: layerDigesters(),
      onTransfer: progress.onTransfer,
      maxWorkers,
    });
    const { failOn } = flags;
    return failOn === undefined ? scanned : scanned.map((one) => refusedFrom(one, failOn));
  } finally {
    progress.finish();
  }
}

/** A folder for one scan, that nobody else can look into; the scanner runs in it, and what it leaves there is removed. */
function examiner({ context, output, wiring, scanner, flags }: Scanning, onStored: () => void): Examine {
  const clock = clockOf(context);
  return async (store) =>
    await withFolder(async (folder): Promise<ImageScan> => {
      const image = scanner.form === "oci-layout" ? "image" : "image.tar";
      await store(await wiring.destination({ kind: scanner.form, path: join(folder, image) }, undefined));
      onStored();
      const progress = openScanProgress(context, output, `${scanner.name} ${scanner.version}`);
      try {
        const startedAt = clock();
        const { bytes, database, parameters } = await scanner.scan(folder, image, flags.scannerArguments);
        const { uri, version } = scanner;
        return readImageScan({ uri, version, database, parameters, startedAt, finishedAt: clock() }, bytes);
      } finally {
        progress.finish();
      }
    });
}

async function withFolder<Result>(work: (folder: string) => Promise<Result>): Promise<Result> {
  const folder = await onDisk("make a temporary folder", () => mkdtemp(join(tmpdir(), "countersign-")));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** A scan takes minutes: the time now, counted from the one that was read at the door. */
function clockOf({ referenceTime }: Context): () => Instant {
  const startedAt = performance.now();
  return () => instant(referenceTime + Math.floor(performance.now() - startedAt));
}

async function conclude(
  context: Context,
  output: Output,
  scanned: readonly ScannedImage[],
  wish: AttestWish | undefined,
): Promise<void> {
  const finish = wish && finishCommand(wish.signatory);
  await output.result({ text: (style) => scannedText(scanned, style, finish), json: () => scannedDocument(scanned) });
  if (!isSeenTwice(context, output)) {
    for (const { name, finding, attestation } of scanned) {
      sayFailure(context, { name, finding });
      if (attestation !== undefined) warnOfPostponed(output, { name, outcomes: attestation.outcomes }, finish);
    }
  }
  context.exitCode = exitCodeOfClasses(
    scanned.flatMap(({ finding }) => (finding === undefined ? [] : [reasonClass(finding.code)])),
  );
}
