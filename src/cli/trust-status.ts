import { CountersignError, toFinding } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Instant } from "../core/time.ts";
import { parseTrustedRoot } from "../core/trust/root.ts";
import type { TrustStatus } from "../core/trust/status.ts";
import type { Configuration } from "../io/config/configuration.ts";
import type { Seed, TrustInstance, TufTrust } from "../io/config/instances.ts";
import { type Consulted, type ConsultOptions, consult, type TufRepository } from "../io/tuf/repository.ts";
import type { Context } from "./context.ts";
import {
  readTrustFile,
  repositoryOf,
  SIGNING_CONFIG,
  SIGNING_CONFIG_REKOR_V2,
  TRUSTED_ROOT,
  type TrustServices,
} from "./trust-instances.ts";

/** An instance's status, and the file itself where there is one. */
export interface Examined {
  readonly status: TrustStatus;
  readonly trustedRoot: Uint8Array | undefined;
}

type Description = Pick<TrustStatus, "name" | "origin" | "isDefault" | "source">;

/**
 * What an instance holds. `offline`: what is on this machine, nobody is asked. `now`: its repository is asked. What goes
 * wrong is a part of the status, but for interruptions and defects.
 */
export async function examine(
  context: Context,
  configuration: Configuration,
  instance: TrustInstance,
  wiring: TrustServices,
  mode: Extract<ConsultOptions["mode"], "offline" | "now">,
): Promise<Examined> {
  const description = describe(configuration, instance);
  try {
    const { source } = instance;
    if (source.kind === "tuf") return await examineRepository(context, { description, source, wiring, mode });
    const bytes = await readTrustFile(source.trustedRoot, LIMITS.trustedRootBytes);
    return withRoot({ ...description, state: "current", roles: [] }, bytes);
  } catch (thrown) {
    const problem = problemOf(thrown, instance.name, mode);
    return { status: { ...description, state: "unusable", roles: [], problem }, trustedRoot: undefined };
  }
}

function describe({ defaultInstance }: Configuration, { name, origin, source }: TrustInstance): Description {
  const isDefault = name === defaultInstance;
  if (source.kind === "file")
    return { name, origin, isDefault, source: { kind: "file", file: source.trustedRoot.label } };
  return { name, origin, isDefault, source: { kind: "tuf", mirror: source.mirror.href.replace(/\/$/, "") } };
}

interface Examination {
  readonly description: Description;
  readonly source: TufTrust;
  readonly wiring: TrustServices;
  readonly mode: "offline" | "now";
}

async function examineRepository(context: Context, examination: Examination): Promise<Examined> {
  const { description, source, wiring, mode } = examination;
  const now = context.referenceTime;
  const repository = await repositoryOf(context, source, wiring);
  try {
    const names = mode === "now" ? [TRUSTED_ROOT, SIGNING_CONFIG, SIGNING_CONFIG_REKOR_V2] : [TRUSTED_ROOT];
    const wishes = names.map((path) => ({ path, maxBytes: LIMITS.tufTargetBytes }));
    return fromRepository(description, await consult(repository, wishes, { now, mode, signal: context.signal }), now);
  } catch (thrown) {
    const seed = mode === "offline" ? await usableSeed(repository, source.seed, now) : undefined;
    if (seed === undefined) throw thrown;
    const bytes = (await seed.read(TRUSTED_ROOT)) ?? new Uint8Array();
    const { at, expires } = seed;
    return withRoot({ ...description, state: "seed", roles: [], refreshedAt: at, expires }, bytes);
  }
}

async function usableSeed(repository: TufRepository, seed: Seed | undefined, now: Instant): Promise<Seed | undefined> {
  if (seed === undefined || now >= seed.expires || (await repository.store.isKnown())) return undefined;
  return seed;
}

function fromRepository(description: Description, found: Consulted, now: Instant): Examined {
  const { roles, refreshedAt, expires, targets } = found;
  const bytes = targets.get(TRUSTED_ROOT)?.content;
  if (bytes === undefined) {
    throw new CountersignError("trust-invalid", `the trust repository of ${description.name} lists no ${TRUSTED_ROOT}`);
  }
  const state = now - refreshedAt < LIMITS.trustRefreshMs ? "current" : "due";
  return withRoot({ ...description, state, roles, refreshedAt, expires }, bytes);
}

function withRoot(status: TrustStatus, bytes: Uint8Array): Examined {
  return { status: { ...status, root: parseTrustedRoot(bytes) }, trustedRoot: bytes };
}

/** What was not asked for may only be old. */
function problemOf(thrown: unknown, name: string, mode: "offline" | "now"): NonNullable<TrustStatus["problem"]> {
  const isOurs = thrown instanceof CountersignError && thrown.class !== "interrupted" && thrown.code !== "internal";
  if (!isOurs) throw thrown;
  const isOld = mode === "offline" && thrown.code === "trust-stale";
  return isOld ? { ...toFinding(thrown), next: `countersign trusted-root update ${name}` } : toFinding(thrown);
}
