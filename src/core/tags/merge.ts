import { CountersignError, toFinding } from "../errors.ts";
import { digestOf } from "../oci/digest.ts";
import type { Instant } from "../time.ts";
import { binNames, binsBelow } from "./bins.ts";
import { isListed, parseFileName } from "./files.ts";
import type { HeadFiles } from "./head.ts";
import { checkCeiling, checkExpiry } from "./lifetimes.ts";
import type { Bins, RoleKeys, RootRole, SignedRole, TargetsRole, TufKey } from "./metadata.ts";
import { checkPlace } from "./place.ts";
import type { TrustView } from "./ports.ts";
import { readRole } from "./read.ts";
import type { TrustFinding } from "./trust-view.ts";
import { meetsThreshold, requireThreshold } from "./verify-role.ts";

/** What a head and the stages beside it come to together. */
export interface Merged extends Pick<TrustView, "targets" | "roles"> {
  /** Roles of which a staged file counts instead of the head's. */
  readonly taken: readonly string[];
  /** Staged files that count for nothing; those that are merely older are not among them. */
  readonly rejected: readonly TrustFinding[];
}

/**
 * Of each role the highest version that is valid: of the head's file and all staged ones. It does not matter in which order files
 * were staged, by whom, how often they are merged or whether a head was lost in between: whoever merges next heals it. A version
 * that a snapshot has listed stays what it was, and nothing goes below it.
 *
 * @param staged files by name, of as many stages as there are.
 */
export function mergeRoles(view: TrustView, staged: readonly HeadFiles[], now: Instant): Merged {
  return new Merge(view, staged, now).merge();
}

interface Candidate {
  readonly name: string;
  readonly bytes: Uint8Array;
}

type Targets = SignedRole<TargetsRole>;

class Merge {
  readonly #view: TrustView;
  readonly #now: Instant;
  readonly #root: RootRole | undefined;
  readonly #staged = new Map<string, Map<string, Candidate>>();
  readonly #read = new Map<string, readonly Targets[]>();
  readonly #taken: string[] = [];
  readonly #rejected: TrustFinding[] = [];

  constructor(view: TrustView, staged: readonly HeadFiles[], now: Instant) {
    this.#view = view;
    this.#now = now;
    this.#root = view.roots.at(-1)?.body;
    for (const [name, bytes] of staged.flatMap((files) => [...files])) {
      const role = parseFileName(name)?.role ?? name;
      const candidates = this.#staged.get(role) ?? new Map<string, Candidate>();
      this.#staged.set(role, candidates.set(digestOf(bytes), { name, bytes }));
    }
  }

  merge(): Merged {
    const { targets: own } = this.#view;
    const { keys = new Map<string, TufKey>(), roles } = this.#root ?? {};
    const targets = roles === undefined ? own : (this.#best("targets", own, keys, roles.targets) ?? own);
    const found = new Map<string, Targets>(this.#bins("targets", targets));
    for (const delegation of targets.body.delegations) {
      const { name } = delegation;
      const role = this.#best(name, this.#view.roles.get(name), targets.body.keys, delegation);
      if (role === undefined) continue;
      found.set(name, role);
      for (const [bin, file] of this.#bins(name, role)) found.set(bin, file);
    }
    return { targets, roles: found, taken: this.#taken, rejected: this.#rejected };
  }

  #bins(owner: string, { body }: Targets): readonly [string, Targets][] {
    const { bins, keys } = body;
    return binsBelow(owner, body).flatMap((name): [string, Targets][] => {
      const bin = bins && this.#best(name, this.#view.roles.get(name), keys, bins);
      return bin === undefined ? [] : [[name, bin]];
    });
  }

  /** The head's file, verified again since its keys may have changed, or a staged one that is newer. */
  #best(
    role: string,
    current: Targets | undefined,
    keys: ReadonlyMap<string, TufKey>,
    roleKeys: RoleKeys & Partial<Pick<Bins, "bitLength">>,
  ): Targets | undefined {
    const valid = (file: Targets) => {
      return this.#attempt(role, () => requireThreshold(file, keys, roleKeys, role)) !== undefined;
    };
    const kept = current !== undefined && valid(current) ? current : undefined;
    const newer = this.#candidates(role).filter((file) => this.#isNewer(role, file, kept) && valid(file));
    const usable = newer.filter((file) => this.#isUsable(role, file, kept, roleKeys.bitLength));
    const best = usable.sort((a, b) => b.body.version - a.body.version || compareBytes(a, b))[0];
    const twins = usable.filter(({ body }) => body.version === best?.body.version);
    if (twins.length > 1) this.#reject(role, forked(role, twins));
    if (best === undefined) return kept;
    this.#taken.push(role);
    return best;
  }

  #candidates(role: string): readonly Targets[] {
    const known = this.#read.get(role);
    if (known !== undefined) return known;
    const files = [...(this.#staged.get(role)?.values() ?? [])];
    const read = files.flatMap(({ name, bytes }) => {
      return this.#attempt(role, () => readRole(bytes, "targets", `the staged ${name}`, this.#now)) ?? [];
    });
    this.#read.set(role, read);
    return read;
  }

  /** Older ones are what a stage holds after it was published; the listed version is good where the head had lost it. */
  #isNewer(role: string, { body, bytes }: Targets, kept: Targets | undefined): boolean {
    const listed = this.#view.snapshot?.body.roles.get(role);
    const { version } = body;
    if (listed?.version === version && !isListed(bytes, listed)) {
      this.#reject(role, forked(role, [{ body }]));
      return false;
    }
    return version > (kept?.body.version ?? 0) && version >= (listed?.version ?? 0);
  }

  #isUsable(role: string, { body }: Targets, kept: Targets | undefined, bits: number | undefined): boolean {
    const ceilings = this.#root?.profile.ceilings;
    const checked = this.#attempt(role, () => {
      checkPlace(role, body, bits);
      checkExpiry(body, this.#now, `the staged metadata of ${role}`);
      if (ceilings !== undefined) checkCeiling(body, ceilings, this.#now, `the staged metadata of ${role}`);
      this.#requireBins(role, body, kept);
      return true;
    });
    return checked === true;
  }

  /**
   * A role whose bins are not there would hide all that it binds: each has to be known, and where the role had other bins or
   * none before, each has to come with it.
   */
  #requireBins(role: string, { bins, keys }: TargetsRole, kept: Targets | undefined): void {
    if (bins === undefined) return;
    const areNew = kept !== undefined && kept.body.bins?.bitLength !== bins.bitLength;
    const isThere = (name: string) => {
      const comes = this.#candidates(name).some((file) => {
        const isSigned = meetsThreshold(file, keys, bins) && file.body.binBits === bins.bitLength;
        return isSigned && this.#isNewer(name, file, this.#view.roles.get(name));
      });
      return comes || (!areNew && this.#isKnown(name));
    };
    const missing = binNames(role, bins.bitLength).find((name) => !isThere(name));
    if (missing === undefined) return;
    throw new CountersignError("metadata-malformed", `${role} is staged without its bins`, { wanted: missing });
  }

  #isKnown(role: string): boolean {
    return this.#view.roles.has(role) || this.#view.snapshot?.body.roles.has(role) === true;
  }

  #attempt<Result>(role: string, run: () => Result): Result | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof CountersignError)) throw error;
      this.#reject(role, error);
      return undefined;
    }
  }

  #reject(role: string, error: CountersignError): void {
    const finding = { role, ...toFinding(error) };
    const isSaid = this.#rejected.some(({ code, message, found }) => {
      return code === finding.code && message === finding.message && found === finding.found;
    });
    if (!isSaid) this.#rejected.push(finding);
  }
}

function forked(role: string, [file]: readonly Pick<Targets, "body">[]): CountersignError {
  return new CountersignError("forked", `two files of ${role} bear one version`, {
    found: `version ${file?.body.version}`,
    wanted: "one file",
    next: "find out who else signs with this role's key; sign again, which makes a version of its own",
  });
}

function compareBytes(a: Targets, b: Targets): number {
  return digestOf(a.bytes) < digestOf(b.bytes) ? -1 : 1;
}
