import { basename } from "node:path";
import { CountersignError } from "../core/errors.ts";
import type { KitTrust } from "../core/formats/kit.ts";
import { LIMITS } from "../core/limits.ts";
import { describeAge, formatInstant, type Instant } from "../core/time.ts";
import { endsOf } from "../core/trust/ends.ts";
import { parseTrustedRoot } from "../core/trust/root.ts";
import type { TufTrust } from "../io/config/instances.ts";
import type { Consulted, TufRepository } from "../io/tuf/repository.ts";
import type { BroughtTrust } from "../ops/kit.ts";
import type { KitContents } from "../ops/kit-contents.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";
import type { FindTrust } from "./signers.ts";
import { type FoundTrust, findTrust } from "./trust.ts";
import { chosenInstance, repositoryOf, TRUSTED_ROOT, type TrustServices } from "./trust-instances.ts";
import type { TrustOptions } from "./trust-options.ts";

/** Trust material that goes into a kit, and trust material that comes out of one. */

// --- into a kit -------------------------------------------------------------------------------------------------------

/** What was found, and by which flags. */
interface Used {
  readonly flags: TrustOptions;
  readonly found: FoundTrust;
}

/** Finds trust, and remembers what was found. */
export function rememberTrust(where: FindTrust = findTrust): {
  readonly find: FindTrust;
  readonly used: readonly Used[];
} {
  const used: Used[] = [];
  const find: FindTrust = async (context, output, flags, wiring) => {
    const found = await where(context, output, flags, wiring);
    used.push({ flags, found });
    return found;
  };
  return { find, used };
}

/**
 * Everything that was used, once each, for whoever shall verify with it elsewhere: with the metadata by which its repository
 * vouches for it, where that is kept on this machine.
 *
 * @throws CountersignError `write-conflict` where another process changes it meanwhile, and as `findTrust`.
 */
export async function bringTrust(
  context: Context,
  used: readonly Used[],
  wiring: TrustServices,
): Promise<readonly BroughtTrust[]> {
  const distinct = new Map(used.map((one) => [one.found.instance ?? "", one]));
  return await Promise.all([...distinct.values()].map((one) => bringOne(context, one, wiring)));
}

async function bringOne(context: Context, { flags, found }: Used, wiring: TrustServices): Promise<BroughtTrust> {
  const { bytes, demands, instance: name } = found;
  const { logs, certificateLogs, timestamps } = demands;
  const common = { name, trustedRoot: bytes, demands: { logs, certificateLogs, timestamps } };
  if (flags.trustedRoot !== undefined) return { ...common, ...asFile(flags.trustedRoot) };
  const { source } = await chosenInstance(context, flags);
  if (source.kind === "file") return { ...common, ...asFile(source.trustedRoot.path) };
  const kept = await readKept(context, source, wiring);
  const mirror = addressOf(source);
  const { refreshedAt: fetchedAt, expires } = kept ?? found;
  return {
    ...common,
    ...(kept === undefined ? {} : { trustedRoot: kept.trustedRoot }),
    source: { kind: "tuf", mirror },
    fetchedAt,
    expires,
    roles: kept?.roles ?? [],
    tuf: kept?.tuf,
  };
}

function asFile(path: string): Pick<BroughtTrust, "source" | "fetchedAt" | "expires" | "roles" | "tuf"> {
  // Where it lies is nobody else's business.
  const source = { kind: "file", file: basename(path) } as const;
  return { source, fetchedAt: undefined, expires: undefined, roles: [], tuf: undefined };
}

/** As a repository is known by. */
export function addressOf({ mirror }: Pick<TufTrust, "mirror">): string {
  return mirror.href.replace(/\/$/, "");
}

type Kept = Pick<Consulted, "refreshedAt" | "expires" | "roles"> & Pick<BroughtTrust, "trustedRoot" | "tuf">;

/** What is kept of a repository; undefined where nothing is: it came with the program, or could not be kept. */
async function readKept(context: Context, source: TufTrust, wiring: TrustServices): Promise<Kept | undefined> {
  const repository = await repositoryOf(context, source, wiring);
  const consulted = await consultKept(repository, context);
  const state = await repository.store.readState();
  const trustedRoot = consulted?.targets.get(TRUSTED_ROOT)?.content;
  if (consulted === undefined || state === undefined || trustedRoot === undefined) return undefined;
  const { refreshedAt, expires, roles } = consulted;
  const isSame =
    state.refreshedAt === refreshedAt &&
    Buffer.from(trustedRoot).equals(state.targets.get(TRUSTED_ROOT) ?? Buffer.of());
  if (isSame) return { refreshedAt, expires, roles, trustedRoot, tuf: { roots: state.roots, roles: state.metadata } };
  throw new CountersignError("write-conflict", "the trust material was refreshed by another process meanwhile", {
    found: repository.name,
    next: "run the same command again",
  });
}

/** What is kept of a repository, verified; undefined where nothing is, or it has expired. */
export async function consultKept(
  repository: TufRepository,
  { referenceTime, signal }: Context,
): Promise<Consulted | undefined> {
  const { consult } = await import("../io/tuf/repository.ts");
  try {
    return await consult(repository, WISHES, { now: referenceTime, mode: "offline", signal });
  } catch (thrown) {
    if (thrown instanceof CountersignError && thrown.code === "trust-stale") return undefined;
    throw thrown;
  }
}

export const WISHES = [{ path: TRUSTED_ROOT, maxBytes: LIMITS.tufTargetBytes }];

// --- out of a kit -----------------------------------------------------------------------------------------------------

/**
 * Finds trust in a kit and nowhere else: for a kit that the user has pinned by its digest.
 *
 * @throws CountersignError `usage` where it holds none, or several and none is named; `trust-stale`.
 */
export function findTrustIn(kit: KitContents): FindTrust {
  return async (context, _output, { instance }) => {
    const trust = chooseTrust(kit, instance);
    requireFresh(trust, context.referenceTime);
    const { name, demands, fetchedAt: refreshedAt, expires } = trust;
    const age = refreshedAt === undefined ? "" : `, fetched ${describeAge(refreshedAt, context.referenceTime)}`;
    const label = `${describeTrust(trust)} (from the kit${age})`;
    const bytes = await kit.readBlob(trust.trustedRoot);
    return {
      bytes,
      label,
      instance: name,
      refreshedAt,
      expires,
      demands: { ...demands, times: 1, currentTime: false },
    };
  };
}

function chooseTrust({ list }: KitContents, wanted: string | undefined): KitTrust {
  const [only, ...others] = wanted === undefined ? list.trust : list.trust.filter(({ name }) => name === wanted);
  if (only !== undefined && others.length === 0) return only;
  const names = list.trust.map(describeTrust).join(", ");
  throw new CountersignError("usage", "the kit has no trust material to choose", {
    found: names === "" ? "none at all" : names,
    wanted: only === undefined ? (wanted ?? "any") : "one of them, named with --trust NAME",
    next: "see what is in it with countersign load --list FILE",
  });
}

export function describeTrust({ name, source }: KitTrust): string {
  return name ?? (source.kind === "file" ? source.file : source.mirror);
}

/** @throws CountersignError `trust-stale`, also where it is from the future: one of two clocks is wrong then. */
function requireFresh(trust: KitTrust, now: Instant): void {
  const { fetchedAt, expires } = trust;
  const what = `the trust material of ${describeTrust(trust)} in the kit`;
  if (expires !== undefined && now >= expires) {
    throw new CountersignError("trust-stale", `${what} has expired`, {
      found: `valid until ${formatInstant(expires)}, ${describeAge(expires, now)}`,
      wanted: "a kit that was made later",
      next: "have a new kit made with countersign save, with fresh trust material",
    });
  }
  if (fetchedAt === undefined || fetchedAt <= now + LIMITS.clockSkewMs) return;
  throw new CountersignError("trust-stale", `${what} is not valid yet`, {
    found: `fetched at ${formatInstant(fetchedAt)}; here it is ${formatInstant(now)}`,
    wanted: "a time before the present",
    next: "set this machine's clock",
  });
}

// --- what is left of it -----------------------------------------------------------------------------------------------

/** Says that trust material is about to expire, and that it names nobody of a kind any longer after a time. */
export function warnOfEnds(output: Output, found: FoundTrust, now: Instant, advice: string = LOAD_NEWER): void {
  const { label, expires, bytes } = found;
  const instance = found.instance ?? label;
  warnOfExpiry(output, instance, expires, now, advice);
  for (const { kind, until } of endsOf(parseTrustedRoot(bytes))) {
    if (!isSoon(until, now)) continue;
    output.warn(`the ${kind} of ${instance} end at ${formatInstant(until)}: what is signed after that will be refused`);
  }
}

export function warnOfExpiry(
  output: Output,
  instance: string,
  expires: Instant | undefined,
  now: Instant,
  advice: string = LOAD_NEWER,
): void {
  if (expires === undefined || !isSoon(expires, now)) return;
  const end = `${formatInstant(expires)}, ${describeAge(expires, now)}`;
  output.warn(`the trust material of ${instance} expires at ${end}: ${advice}`);
}

const LOAD_NEWER = "load a newer kit with --update-trust before that";

function isSoon(end: Instant, now: Instant): boolean {
  return now < end && end - now <= LIMITS.trustWarningMs;
}
