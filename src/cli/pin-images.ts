import { encodeUtf8 } from "../core/bytes.ts";
import { CountersignError } from "../core/errors.ts";
import { type Digest, digestOf } from "../core/oci/digest.ts";
import { formatReference, type Reference } from "../core/oci/reference.ts";
import type { PinResult } from "../core/pins/choose.ts";
import { formatLock, type Lock, type LockedImage } from "../core/pins/lock.ts";
import { lockedBy, withEntries } from "../core/pins/locking.ts";
import type { Pinnable } from "../core/pins/pinnable.ts";
import { type Rewriting, type RewrittenFile, rewriteFiles } from "../core/pins/rewrite.ts";
import { standardOf } from "../core/pins/standard.ts";
import { printable, printableLines } from "../core/printable.ts";
import type { SourceProblem } from "../core/sources/mention.ts";
import type { Instant } from "../core/time.ts";
import { DEFAULT_WORKERS } from "../ops/judging.ts";
import { decidePins } from "../ops/pin.ts";
import { openDigestFinder } from "../ops/pin-digests.ts";
import { unifiedDiff } from "../report/diff.ts";
import { explainPin, explainProblem, type PinReport, pinText, summaryLine } from "../report/pin.ts";
import { pinDocument } from "../report/pin-json.ts";
import type { Style } from "../report/style.ts";
import type { Context } from "./context.ts";
import { cosignExitCodeOfVerdicts, exitCodeOfVerdicts, type Outcome } from "./exit-codes.ts";
import { openWiring } from "./images.ts";
import { type Judging, readJudging } from "./judging.ts";
import { type RawOptions, type RegistryOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { type LockFile, writePins } from "./pin-files.ts";
import type { PinOptions } from "./pin-options.ts";
import { openSignedTags, readTagFlags, type TagFlags } from "./signed-tags.ts";
import { weakenings } from "./signer-options.ts";
import type { SourceFile, Sources } from "./sources.ts";
import { isSeenTwice } from "./verdicts.ts";
import { readTaggedOptions, type VerifyOptions } from "./verify-options.ts";

/** Of standard error; the result has all of it. */
const LINES_SHOWN = 20;

/** What is to be pinned. */
interface PinSources extends Pick<Sources, "problems" | "files" | "read"> {
  readonly pinnables: readonly Pinnable[];
}

/** Pins what is accepted, or shows what would be, and says what is not. */
export async function pinImages(
  context: Context,
  output: Output,
  lockFile: LockFile,
  sources: PinSources,
  wanted: Wanted,
): Promise<void> {
  const lock = lockFile.lock ?? new Map();
  const { results, standard } = await decide(context, output, sources.pinnables, lock, wanted);
  const rewriting = rewriteFiles(sources.files, results, sources.read);
  const entries = lockedBy(rewriting.pins, lock, { standard, at: context.referenceTime });
  if (wanted.options.mode === "pin") await write(context, output, lockFile, rewriting.files, entries);
  await conclude(
    context,
    output,
    toReport(sources, rewriting, entries, { ...wanted, lockFile, at: context.referenceTime }),
    wanted,
  );
}

// --- deciding ---------------------------------------------------------------------------------------------------------

/** What may be pinned, and how it is found out. */
export interface Wanted {
  readonly options: PinOptions;
  readonly registry: RegistryOptions;
  /** Absent with --no-verify. */
  readonly verify: VerifyOptions | undefined;
  /** How tags are resolved in any case. */
  readonly unverified: TagFlags;
  readonly weakened: readonly string[];
}

/** @throws CountersignError `usage`. */
export function readWanted(raw: RawOptions, options: PinOptions): Wanted {
  const registry = readRegistryOptions(raw);
  if (registry.platform !== undefined) {
    throw new CountersignError("usage", "an image is pinned with all of its platforms, and so judged as a whole", {
      found: "--platform",
      wanted: "no platform; --recursive to judge each of them",
    });
  }
  const verify = options.isVerified ? readTaggedOptions(raw) : undefined;
  const weakened = verify?.weakened ?? ["--no-verify", ...weakenings(raw)];
  return { options, registry, verify, unverified: readTagFlags(raw), weakened };
}

async function decide(
  context: Context,
  output: Output,
  pinnables: readonly Pinnable[],
  lock: Lock,
  { options, registry, verify, unverified }: Wanted,
): Promise<{ readonly results: readonly PinResult[]; readonly standard: Digest | undefined }> {
  if (verify === undefined) output.warn("--no-verify: nothing is verified, and nobody vouches for what is pinned");
  const images = [...new Set(pinnables.map(({ reference }) => formatReference(reference)))];
  const wiring = await openWiring(context, output, registry, images);
  try {
    const judging = verify && (await readJudging({ context, output, wiring, images }, { ...registry, ...verify }));
    const tags = judging?.tags ?? (await openSignedTags({ context, output, wiring }, unverified));
    const open = (reference: Reference) => wiring.registry(reference);
    const finder = openDigestFinder({ open, cache: wiring.cache, tags }, judging);
    const { update, coolDown } = options;
    const wish = { update, coolDown, now: context.referenceTime };
    const results = await decidePins(pinnables, lock, wish, finder, registry.maxWorkers ?? DEFAULT_WORKERS);
    await finder.close();
    return { results, standard: judging && standardOfJudging(judging) };
  } finally {
    await wiring.close();
  }
}

function standardOfJudging({ policy, requirement, recursive = false, weakened = [] }: Judging): Digest {
  if (policy !== undefined) return digestOf(policy.bytes);
  return standardOf({ requirement: "rulingOf" in requirement ? "signed-tag" : requirement, recursive, weakened });
}

// --- writing ----------------------------------------------------------------------------------------------------------

async function write(
  context: Context,
  output: Output,
  lockFile: LockFile,
  files: readonly RewrittenFile<SourceFile>[],
  entries: readonly LockedImage[],
): Promise<void> {
  const replacements = files.map(({ file, text }) => ({
    path: file.path,
    before: file.bytes,
    after: encodeUtf8(text),
  }));
  if (replacements.length + entries.length === 0) return;
  await writePins(context, output, lockFile, entries, replacements);
}

// --- telling ----------------------------------------------------------------------------------------------------------

function toReport(
  { problems }: PinSources,
  { files, pins }: Rewriting<SourceFile>,
  entries: readonly LockedImage[],
  { options, weakened, lockFile, at }: Wanted & { readonly lockFile: LockFile; readonly at: Instant },
): PinReport {
  const isDiff = options.mode === "diff";
  return {
    mode: isDiff ? "diff" : "pin",
    pins,
    problems,
    files: files.map(({ file }) => file.label),
    lock: { file: lockFile.label, changes: entries.length > 0 },
    diff: isDiff ? [...files.map(diffOf), lockDiff(lockFile, entries)].join("") : "",
    weakened,
    at,
  };
}

function diffOf({ file, text }: RewrittenFile<SourceFile>): string {
  return unifiedDiff(file.text, text, file.label);
}

function lockDiff({ label, lock }: LockFile, entries: readonly LockedImage[]): string {
  if (entries.length === 0) return "";
  return unifiedDiff(lock && formatLock(lock), formatLock(withEntries(lock ?? new Map(), entries)), label);
}

async function conclude(context: Context, output: Output, report: PinReport, { verify }: Wanted): Promise<void> {
  await output.result({ text: (style) => textOf(context, output, report, style), json: () => pinDocument(report) });
  const outcomes = [...report.pins.map(outcomeOfPin), ...report.problems.map(outcomeOfProblem)];
  if (report.mode === "diff" || !isSeenTwice(context, output)) {
    const refused = report.pins.filter(({ reasons }) => reasons.length > 0);
    sayLines(context, [...refused.map(explainPin), ...report.problems.map(explainProblem)]);
  }
  if (report.mode === "diff") output.note(summaryLine(report));
  const exitCode = verify?.exitCodes === "cosign" ? cosignExitCodeOfVerdicts : exitCodeOfVerdicts;
  context.exitCode = exitCode(outcomes);
}

/** Each once, and not more than anybody reads. */
function sayLines(context: Context, all: readonly string[]): void {
  const lines = [...new Set(all)];
  const more = lines.length - LINES_SHOWN;
  const said = [...lines.slice(0, LINES_SHOWN), ...(more > 0 ? [`${more} more, all of them in the result`] : [])];
  for (const line of said) context.stderr.stream.write(`countersign: ${printable(line)}\n`);
}

/** A difference is for a program, unless a person looks at it. */
function textOf(context: Context, { outputFile }: Output, report: PinReport, style: Style): string {
  if (report.mode === "pin") return pinText(report, style);
  return context.stdout.isTerminal && outputFile === undefined ? visible(report.diff) : report.diff;
}

function visible(text: string): string {
  return text.split("\t").map(printableLines).join("\t");
}

function outcomeOfPin({ state, reasons }: PinResult): Outcome {
  if (state === "fixed") return { status: "refused", reasons };
  return { status: state === "refused" || state === "undetermined" ? state : "accepted", reasons };
}

function outcomeOfProblem({ finding }: SourceProblem): Outcome {
  return { status: "undetermined", reasons: [finding] };
}
