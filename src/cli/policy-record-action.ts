import { mkdir } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { EVIDENCE_FILE, EXPECTATION_FILE, formatExpectation } from "../core/cases/expectation.ts";
import { formatRecorded, type RecordedImage, trustFileName } from "../core/cases/recorded.ts";
import { CountersignError } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { writeFileAtomic } from "../io/disk/atomic.ts";
import { onDisk } from "../io/disk/errors.ts";
import { removeAll } from "../io/disk/files.ts";
import { refuseExisting, Staging } from "../io/disk/staging.ts";
import { runCase } from "../ops/policy-cases.ts";
import { openRecorded, reachRecordable, recordImage } from "../ops/recorded.ts";
import { verifyImage } from "../ops/verify.ts";
import { recordedDocument, recordedText } from "../report/policy-cases.ts";
import { readCaseOptions } from "./case-options.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { nameAs, readJudging } from "./judging.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { CaseFolder } from "./policy-cases.ts";
import { isPublishedPolicy } from "./policy-pin-options.ts";
import type { FindTrust } from "./signers.ts";
import { type FoundTrust, findTrust } from "./trust.ts";
import type { TrustOptions } from "./trust-options.ts";

/** `countersign policy test --record IMAGE --policy FILE DIR`: a new case of what the policy says of an image now. */
export async function recordCase(
  context: Context,
  output: Output,
  image: string,
  folder: string,
  raw: RawOptions,
): Promise<void> {
  const destination = resolve(context.workingDirectory, folder);
  await refuseExisting(destination);
  const made = await makeCase(context, output, image, destination, raw);
  await writeCase(context, output, folder, made);
  await output.result({
    text: (style) => recordedText(folder, made.recorded, made.verdict, style),
    json: () => recordedDocument(folder, made.recorded, made.verdict),
  });
}

interface NewCase {
  readonly recorded: RecordedImage;
  readonly verdict: Verdict;
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** Absolute. */
  readonly policy: string;
}

async function makeCase(
  context: Context,
  output: Output,
  image: string,
  destination: string,
  raw: RawOptions,
): Promise<NewCase> {
  const flags = readCaseOptions(raw);
  const file = requireFile(flags.policy?.file ?? "");
  const kept = new Map<string | undefined, FoundTrust>();
  const find = keeping(kept, flags.signers.trust);
  const wiring = await openWiring(context, output, flags, [image]);
  try {
    // The record has whole seconds: what is judged at its time is judged at the same time again.
    const now = { ...context, referenceTime: wholeSeconds(context) };
    const judging = await readJudging({ context: now, output, wiring, images: [image], find }, flags);
    const target = await reachRecordable(nameAs(await wiring.target(image), judging), judging);
    const found = await recordImage(target, { now: now.referenceTime, sources: judging.sources, cache: wiring.cache });
    const verdict = await judge(found, image, judging);
    const recorded = { ...found, trust: [...kept].map(([name, { demands }]) => ({ name, demands })) };
    const policy = resolve(context.workingDirectory, file);
    const expectation = formatExpectation(verdict, {
      policy: relative(destination, policy),
      platform: judging.platform,
    });
    const files = new Map([
      [EVIDENCE_FILE, formatRecorded(recorded)],
      [EXPECTATION_FILE, expectation],
      ...[...kept].map(([name, { bytes }]) => [trustFileName(name), bytes] as const),
    ]);
    return { recorded, verdict, files, policy };
  } finally {
    await wiring.close();
  }
}

function requireFile(file: string): string {
  if (!isPublishedPolicy(file)) return file;
  throw new CountersignError("usage", "a case is judged by a policy in a file", {
    found: file,
    wanted: "--policy FILE: a test opens no connection",
  });
}

function wholeSeconds({ referenceTime }: Context): Context["referenceTime"] {
  return (referenceTime - (referenceTime % 1000)) as Context["referenceTime"];
}

async function judge(
  recorded: RecordedImage,
  image: string,
  { requirement, platform }: Awaited<ReturnType<typeof readJudging>>,
): Promise<Verdict> {
  const { target, source } = openRecorded(recorded, image);
  const { verdicts } = await verifyImage(target, { requirement, platform, sources: [source] });
  const [verdict] = verdicts;
  if (verdict === undefined) throw new Error("an image has no verdict");
  return verdict;
}

/** Keeps every trust root that is looked up, but for those that the policy has in files of its own. */
function keeping(kept: Map<string | undefined, FoundTrust>, usual: TrustOptions): FindTrust {
  return async (context, output, flags, wiring) => {
    const found = await findTrust(context, output, flags, wiring);
    const isUsual = flags.trustedRoot === usual.trustedRoot && flags.instance === usual.instance;
    if (isUsual) kept.set(undefined, found);
    else if (flags.instance !== undefined) kept.set(flags.instance, found);
    return found;
  };
}

/** All of it or nothing, once the case has said of itself what it is to say. Never overwrites. */
async function writeCase(context: Context, output: Output, folder: string, made: NewCase): Promise<void> {
  const destination = resolve(context.workingDirectory, folder);
  await onDisk(`write ${folder}`, () => mkdir(dirname(destination), { recursive: true }));
  const staging = await Staging.open(destination, { signal: context.signal });
  try {
    // What a run left that was killed is not of this one.
    await removeAll(staging.content);
    await onDisk(`write ${folder}`, () => mkdir(staging.content));
    for (const [name, bytes] of made.files) {
      await writeFileAtomic(join(staging.content, name), bytes, { mode: 0o666, signal: context.signal });
    }
    const { outcome, finding, differences } = await runCase(
      new CaseFolder(context, output, staging.content, made.policy),
    );
    if (outcome !== "passed") {
      const differing = differences
        .map(({ what, expected, actual }) => `${what} ${actual}, not ${expected}`)
        .join("; ");
      throw new CountersignError("internal", "what was recorded is not judged as the image was", {
        found: finding === undefined ? differing : explainFinding(finding),
      });
    }
    await staging.commitFolder(destination);
  } catch (error) {
    await staging.discard();
    throw error;
  }
}
