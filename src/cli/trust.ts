import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import { LIMITS } from "../core/limits.ts";
import { describeAge, formatInstant, type Instant } from "../core/time.ts";
import { type Demands, PUBLIC_DEMANDS, type TrustMaterial } from "../core/trust/material.ts";
import type { Seed, TrustInstance, TufTrust } from "../io/config/instances.ts";
import type { Consulted, TufRepository } from "../io/tuf/repository.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import {
  chosenInstance,
  readTrustFile,
  repositoryOf,
  SIGNING_CONFIG,
  TRUSTED_ROOT,
  type TrustServices,
} from "./trust-instances.ts";
import type { TrustOptions } from "./trust-options.ts";

/** A file that says whom to believe, or where to sign. */
export interface TrustFile {
  readonly bytes: Uint8Array;
  /** As it is printed: `trusted_root.json`, `sigstore (refreshed 2 days ago)`. */
  readonly label: string;
  /** When it was last confirmed, where it is of a repository; of what is built in, when it was current. */
  readonly refreshedAt?: Instant | undefined;
  /** Until when it may be used without asking again. */
  readonly expires?: Instant | undefined;
}

/** A trust root, and what signatures that rest on it usually bring. */
export interface FoundTrust extends TrustFile {
  /** The name of the instance; undefined for a file that was named. */
  readonly instance: string | undefined;
  readonly demands: Demands;
}

/**
 * Whom to believe, by the flags: a file, else an instance of the configuration or of those that are built in.
 *
 * @throws CountersignError `trust-invalid`, `trust-stale`, `trust-rejected`, `usage`, `configuration-invalid`, `disk-error`,
 * and what the network throws.
 */
export async function openTrust(
  context: Context,
  output: Output,
  flags: TrustOptions,
  wiring: TrustServices,
): Promise<TrustMaterial> {
  const { bytes, label } = await findTrust(context, output, flags, wiring);
  const { loadTrustMaterial } = await import("../core/trust/load.ts");
  return await loadTrustMaterial(bytes, label);
}

/** The same as a `trusted_root.json`, not read yet. @throws CountersignError as `openTrust`. */
export async function findTrust(
  context: Context,
  output: Output,
  flags: TrustOptions,
  wiring: TrustServices,
): Promise<FoundTrust> {
  if (flags.trustedRoot !== undefined) {
    const file = { path: resolve(context.workingDirectory, flags.trustedRoot), label: flags.trustedRoot };
    const bytes = await readTrustFile(file, LIMITS.trustedRootBytes);
    return { bytes, label: flags.trustedRoot, instance: undefined, demands: PUBLIC_DEMANDS };
  }
  const instance = await chosenInstance(context, flags);
  const { name, source, demands } = instance;
  if (source.kind === "file") {
    const bytes = await readTrustFile(source.trustedRoot, LIMITS.trustedRootBytes);
    return { bytes, label: `${name} (${source.trustedRoot.label})`, instance: name, demands };
  }
  const file = await fetchFile(context, output, { instance, source, wiring, offline: flags.offline }, TRUSTED_ROOT);
  if (file !== undefined) return { ...file, instance: name, demands };
  throw new CountersignError("trust-invalid", `the trust repository of ${name} lists no ${TRUSTED_ROOT}`, {
    next: "ask whoever runs it",
  });
}

/**
 * Where to sign for those who believe the instance of the flags: its own file, else what its repository lists under
 * `target`. undefined where neither says: a trust root that was named as a file comes alone.
 *
 * @throws CountersignError as `openTrust`.
 */
export async function openSigningConfig(
  context: Context,
  output: Output,
  flags: TrustOptions,
  wiring: TrustServices,
  target: string = SIGNING_CONFIG,
): Promise<TrustFile | undefined> {
  if (flags.trustedRoot !== undefined) return undefined;
  const instance = await chosenInstance(context, flags);
  const { name, source, signingConfig } = instance;
  if (signingConfig !== undefined) {
    const bytes = await readTrustFile(signingConfig, LIMITS.signingConfigBytes);
    return { bytes, label: `${name} (${signingConfig.label})` };
  }
  if (source.kind === "file") return undefined;
  return await fetchFile(context, output, { instance, source, wiring, offline: flags.offline }, target);
}

interface Asked {
  readonly instance: TrustInstance;
  readonly source: TufTrust;
  readonly wiring: TrustServices;
  readonly offline: boolean;
}

/** A target of an instance's repository; undefined where it is not listed. */
async function fetchFile(
  context: Context,
  output: Output,
  asked: Asked,
  target: string,
): Promise<TrustFile | undefined> {
  const { instance, source, wiring, offline } = asked;
  const repository = await repositoryOf(context, source, wiring);
  const { consult } = await import("../io/tuf/repository.ts");
  const now = context.referenceTime;
  const mode = offline ? "offline" : "when-due";
  try {
    const wishes = [{ path: target, maxBytes: LIMITS.tufTargetBytes }];
    const found = await consult(repository, wishes, { now, mode, signal: context.signal });
    report(output, instance.name, found, now);
    const bytes = found.targets.get(target)?.content;
    if (bytes === undefined) return undefined;
    const label = `${instance.name} (refreshed ${describeAge(found.refreshedAt, now)})`;
    return { bytes, label, refreshedAt: found.refreshedAt, expires: found.expires };
  } catch (thrown) {
    if (!offline || !isStale(thrown)) throw thrown;
    return await fromSeed(output, { name: instance.name, repository, seed: source.seed, now, thrown }, target);
  }
}

/** What a person should know of how the material came about, and nobody has to. */
function report(
  output: Output,
  name: string,
  { unheard, unkept, refreshedAt, expires }: Consulted,
  now: Instant,
): void {
  if (unheard !== undefined) {
    const age = `what was confirmed ${describeAge(refreshedAt, now)} is used, valid until ${formatInstant(expires)}`;
    output.warn(`the trust material of ${name} could not be refreshed: ${explainBriefly(unheard)}; ${age}`);
  }
  if (unkept !== undefined) {
    output.note(`countersign: the trust material of ${name} cannot be kept: ${explainBriefly(unkept)}`);
  }
}

function isStale(thrown: unknown): thrown is CountersignError {
  return thrown instanceof CountersignError && thrown.code === "trust-stale";
}

interface WithoutNetwork {
  readonly name: string;
  readonly repository: TufRepository;
  readonly seed: Seed | undefined;
  readonly now: Instant;
  /** Why what is kept does not do. */
  readonly thrown: CountersignError;
}

/**
 * What came with the program, on a machine that knows nothing newer. A machine that has refreshed once does not go back to
 * it, whatever became of its cache.
 */
async function fromSeed(
  output: Output,
  { name, repository, seed, now, thrown }: WithoutNetwork,
  target: string,
): Promise<TrustFile | undefined> {
  const isNew = !(await repository.store.isKnown());
  if (seed === undefined || !isNew) throw stillWorking(thrown, name);
  if (now >= seed.expires) {
    throw stillWorking(
      new CountersignError("trust-stale", `the trust material of ${name} that is built in has expired`, {
        found: `valid until ${formatInstant(seed.expires)}, ${describeAge(seed.expires, now)}`,
        wanted: "a newer version of this program, or what it fetches",
      }),
      name,
    );
  }
  const bytes = await seed.read(target);
  if (bytes === undefined) return undefined;
  const age = describeAge(seed.at, now);
  output.warn(`the trust material of ${name} is what is built in, of ${age}: nothing newer was ever fetched here`);
  return { bytes, label: `${name} (built in, of ${age})`, refreshedAt: seed.at, expires: seed.expires };
}

function stillWorking({ code, message, found, wanted, cause }: CountersignError, name: string): CountersignError {
  const next = `countersign trusted-root update ${name} with a network; without one, --trusted-root FILE or --key KEY`;
  return new CountersignError(code, message, { found, wanted, next, cause });
}
