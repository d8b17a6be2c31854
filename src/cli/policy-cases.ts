import { type Dirent, existsSync } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { isAbsolute, join, resolve } from "node:path";
import { EVIDENCE_FILE, EXPECTATION_FILE, type Expectation, parseExpectation } from "../core/cases/expectation.ts";
import { parseRecorded } from "../core/cases/parse-recorded.ts";
import { type RecordedImage, trustFileName } from "../core/cases/recorded.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Platform } from "../core/oci/descriptor.ts";
import type { Instant } from "../core/time.ts";
import { type Demands, PUBLIC_DEMANDS } from "../core/trust/material.ts";
import type { Rulebook } from "../core/verify/criterion.ts";
import type { NamedFile } from "../io/config/instances.ts";
import { ifPresent, onDisk } from "../io/disk/errors.ts";
import { readNamedFile } from "../io/disk/named.ts";
import type { PolicyCase } from "../ops/policy-cases.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import { type OpenPolicy, openPolicy } from "./policy.ts";
import type { FindTrust } from "./signers.ts";
import { findTrust } from "./trust.ts";
import type { TrustServices } from "./trust-instances.ts";
import type { TrustOptions } from "./trust-options.ts";

/**
 * The cases below these folders, in the order of their names.
 *
 * @throws CountersignError `usage` where there are none, `limit-reached`, `disk-error`.
 */
export async function findCases(
  context: Context,
  output: Output,
  folders: readonly string[],
  policy: string | undefined,
): Promise<readonly PolicyCase[]> {
  const found: string[] = [];
  for (const folder of folders) await collectCases(resolve(context.workingDirectory, folder), folder, 0, found);
  const names = [...new Set(found)];
  if (names.length > 0) return names.map((name) => new CaseFolder(context, output, name, policy));
  throw new CountersignError("usage", "there is no case to test", {
    found: folders.join(", "),
    wanted: `folders with an ${EXPECTATION_FILE} in them`,
    next: "record one: countersign policy test --record IMAGE --policy FILE DIR",
  });
}

/** One case, whatever is expected of it. @throws CountersignError where it cannot be read. */
export async function openCase(
  context: Context,
  output: Output,
  folder: string,
  policy: string | undefined,
): Promise<{
  readonly recorded: RecordedImage;
  readonly policy: OpenPolicy;
  readonly platform: Platform | undefined;
}> {
  const one = new CaseFolder(context, output, folder, policy);
  const expectation = parseExpectation(await one.readExpectation(), join(folder, EXPECTATION_FILE));
  const { evidence, now, platform } = expectation;
  const recorded = parseRecorded(await one.readEvidence(evidence), join(folder, evidence));
  return { recorded, policy: await one.openPolicy(expectation, recorded, now ?? recorded.recordedAt), platform };
}

async function collectCases(path: string, name: string, depth: number, found: string[]): Promise<void> {
  const entries = await onDisk(`read ${name}`, () => ifPresent(() => readdir(path, { withFileTypes: true })));
  if (entries === undefined) {
    throw new CountersignError("usage", "there is no such folder", { found: name, wanted: "a folder with cases" });
  }
  const files = new Set(entries.map((entry) => entry.name));
  // A record that nobody expects anything of is a case that was forgotten, and is told as one that cannot be read.
  if (files.has(EXPECTATION_FILE) || files.has(EVIDENCE_FILE)) found.push(name);
  if (found.length > LIMITS.policyCases) throw tooMany(`more than ${LIMITS.policyCases} cases`, name);
  const inner = entries
    .filter(isFolder)
    .map((entry) => entry.name)
    .toSorted();
  if (inner.length > 0 && depth >= LIMITS.policyCaseDepth) throw tooMany("folders nested too deeply", name);
  for (const each of inner) await collectCases(join(path, each), join(name, each), depth + 1, found);
}

/** Links are not followed: they may lead around in a circle. */
function isFolder(entry: Dirent): boolean {
  return entry.isDirectory() && !entry.name.startsWith(".");
}

function tooMany(found: string, name: string): CountersignError {
  return new CountersignError("limit-reached", "there are more cases than are tested at once", {
    found: `${found} in ${name}`,
    next: "name the folders of fewer cases",
  });
}

/** A case as a folder. Only files are read: nothing in it can open a connection. */
export class CaseFolder implements PolicyCase {
  readonly name: string;
  readonly #path: string;
  readonly #context: Context;
  readonly #output: Output;
  readonly #policy: string | undefined;

  /** `policy`: judges in place of the case's own. */
  constructor(context: Context, output: Output, name: string, policy: string | undefined) {
    this.name = name;
    this.#path = resolve(context.workingDirectory, name);
    this.#context = context;
    this.#output = output;
    this.#policy = policy;
  }

  readExpectation(): Promise<Uint8Array> {
    return this.#read(EXPECTATION_FILE, LIMITS.expectationBytes);
  }

  readEvidence(file: string): Promise<Uint8Array> {
    return this.#read(file, LIMITS.recordedBytes);
  }

  async openRulebook(expectation: Expectation, recorded: RecordedImage, now: Instant): Promise<Rulebook> {
    const { rulebook } = await this.openPolicy(expectation, recorded, now);
    return rulebook;
  }

  /** @throws CountersignError `policy-invalid`. */
  async openPolicy(
    expectation: Pick<Expectation, "policy">,
    recorded: RecordedImage,
    now: Instant,
  ): Promise<OpenPolicy> {
    const own = isAbsolute(expectation.policy) ? expectation.policy : join(this.name, expectation.policy);
    const context = { ...this.#context, referenceTime: now };
    return await openPolicy(context, this.#output, NO_SERVICES, {
      file: this.#policy ?? own,
      trust: NO_TRUST,
      images: [recorded.repository ?? `oci:${this.name}`],
      find: trustBeside(this.#path, recorded),
    });
  }

  async #read(file: string, maxBytes: number): Promise<Uint8Array> {
    const label = join(this.name, file);
    const bytes = await readCaseFile({ path: resolve(this.#path, file), label }, maxBytes);
    if (bytes !== undefined) return bytes;
    throw new CountersignError("configuration-invalid", `the case has no ${file}`, {
      found: label,
      next: "add it, or take the folder away",
    });
  }
}

/** Cases come out of checkouts, where a pipe would be waited for without end. */
async function readCaseFile(file: NamedFile, maxBytes: number): Promise<Uint8Array | undefined> {
  const found = await onDisk(`read ${file.label}`, () => ifPresent(() => stat(file.path)));
  if (found === undefined || found.isFile()) return await readNamedFile(file, maxBytes);
  throw new CountersignError("configuration-invalid", "a case is made of files", {
    found: `${file.label}, which is something else`,
    next: "put a file there, or take the folder away",
  });
}

const NO_TRUST: TrustOptions = { trustedRoot: undefined, instance: undefined, offline: true, config: undefined };

const NO_SERVICES: TrustServices = {
  services: {
    ask: async () => {
      throw new CountersignError("unsupported", "a case opens no connection");
    },
  },
};

/**
 * Trust roots as files of the case: one for each instance, and one for everything that has no file of its own. What is on
 * this machine, or configured here, decides nothing.
 */
function trustBeside(folder: string, recorded: RecordedImage): FindTrust {
  return async (context, output, flags, wiring) => {
    if (flags.trustedRoot !== undefined) return await findTrust(context, output, flags, wiring);
    const name = [flags.instance, undefined].find((each) => existsSync(join(folder, trustFileName(each))));
    const label = trustFileName(name);
    const bytes = await readCaseFile({ path: join(folder, label), label }, LIMITS.trustedRootBytes);
    if (bytes === undefined) throw noTrust(flags.instance);
    const kept = recorded.trust.find((each) => each.name === name);
    const demands: Demands = { ...PUBLIC_DEMANDS, ...kept?.demands };
    return { bytes, label, instance: name, demands };
  };
}

function noTrust(instance: string | undefined): CountersignError {
  const file = trustFileName(instance);
  return new CountersignError("trust-invalid", "the case has no trust root", {
    found: `no ${file} beside it`,
    wanted: instance === undefined ? file : `${file} or ${trustFileName(undefined)}`,
    next: "put the trusted_root.json of the authority into the folder of the case",
  });
}
