import { join } from "node:path";
import { CountersignError, toFinding } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { digestOf } from "../../core/oci/digest.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import type { Role, RootRole, SignedRole } from "../../core/tags/metadata.ts";
import { pinOf, type RootPin } from "../../core/tags/pin.ts";
import { checkPlace } from "../../core/tags/place.ts";
import { readRole } from "../../core/tags/read.ts";
import { describeAge, formatInstant, type Instant } from "../../core/time.ts";
import { marksOf, refuseOlder } from "../tuf/marks.ts";
import { TufUpdater } from "../tuf/updater.ts";
import type { SignedTagsOptions } from "./client.ts";
import { type ClientState, ClientStore, type KeptHead } from "./client-store.ts";
import { KEPT_FAULTS, SERVED_FAULTS } from "./faults.ts";
import { askForHead, HeadSource } from "./head-source.ts";
import { Keeper, Overtaken, type Roots, since, type Verified } from "./keeper.ts";
import { TrustSession } from "./session.ts";
import { checkRoot, type Expected, findAnchor } from "./verified-root.ts";

export interface SessionRequest {
  /** The name that trust is bound to. */
  readonly gun: string;
  /** undefined: the root that is served is pinned. */
  readonly pin: RootPin | undefined;
  readonly store: ContentStore;
  readonly options: SignedTagsOptions;
}

/**
 * A repository's signed tags, verified from the pinned root on, by what the registry serves now. Where it cannot be reached, by
 * what is kept and has not expired; never where it answered with something wrong.
 *
 * @throws CountersignError.
 */
export async function openSession(request: SessionRequest): Promise<TrustSession> {
  for (let round = 1; ; round++) {
    try {
      return await open(request);
    } catch (thrown) {
      // By what the other process has seen, this is either current by now or a rollback.
      if (!(thrown instanceof Overtaken)) throw thrown;
      if (round >= LIMITS.mergeRounds) throw alwaysOvertaken(request, thrown);
    }
  }
}

function alwaysOvertaken({ gun }: SessionRequest, cause: Overtaken): CountersignError {
  return new CountersignError("write-conflict", `other processes keep seeing newer signed tags of ${gun}`, { cause });
}

async function open(request: SessionRequest): Promise<TrustSession> {
  const { gun, pin, options } = request;
  const files = new ClientStore(gun, join(options.stateFolder, "tags"));
  const present = await files.read();
  checkClock(present, files, options.now);
  return await new Opening(request, files, present, since(present, pin?.root)).run();
}

/** A clock that was set back makes everything fresh that was expired. @throws CountersignError `clock-rollback`. */
function checkClock(present: ClientState | undefined, files: ClientStore, now: Instant): void {
  if (present === undefined || present.clock - now <= LIMITS.tagClockSlackMs) return;
  throw new CountersignError("clock-rollback", "this machine's clock was set back behind what was verified here", {
    found: `${formatInstant(now)} by the clock`,
    wanted: `${formatInstant(present.clock)} or later`,
    next: `set the clock right; if the later time was the wrong one, remove ${files.path}`,
  });
}

/** What was served, or kept, as far as it goes by itself. */
interface Given {
  readonly head: KeptHead;
  /** Why what is kept has to do; undefined where it was served. */
  readonly unheard: CountersignError | undefined;
}

class Opening {
  readonly #request: SessionRequest;
  readonly #keeper: Keeper;
  /** All that is kept, and what of it is of the trust that is pinned. */
  readonly #present: ClientState | undefined;
  readonly #before: ClientState | undefined;
  /** `registry.example/acme/app`; of a mirror with where it was read. */
  readonly #name: string;
  /** Those that count: also where nothing came after them. */
  #roots: Roots | undefined;

  constructor(
    request: SessionRequest,
    files: ClientStore,
    present: ClientState | undefined,
    before: ClientState | undefined,
  ) {
    const { gun, store, options } = request;
    const { signal, warn } = options;
    this.#request = request;
    this.#present = present;
    this.#before = before;
    this.#name = store.repository === gun ? gun : `${gun} (as ${store.location} serves it)`;
    this.#keeper = new Keeper(files, present, { name: this.#name, signal, warn });
  }

  async run(): Promise<TrustSession> {
    const given = this.#request.options.offline === true ? this.#kept() : await this.#ask();
    if (given.unheard !== undefined) return await this.#fallBack(given.head, given.unheard);
    try {
      return await this.#verify(given.head, undefined);
    } catch (thrown) {
      const head = this.#before?.head;
      if (!isUnheard(thrown) || head === undefined) throw thrown;
      return await this.#fallBack(head, thrown);
    }
  }

  #kept(): Given {
    const head = this.#before?.head;
    if (head !== undefined) return { head, unheard: undefined };
    throw new CountersignError("trust-stale", `the signed tags of ${this.#name} were never fetched to this machine`, {
      found: "nothing that is kept",
      next: "ask for the same reference once while the registry can be reached",
    });
  }

  async #ask(): Promise<Given> {
    const known = this.#before?.head;
    try {
      const head = await askForHead(this.#request.store, known);
      if (head === undefined) throw this.#gone();
      return { head, unheard: undefined };
    } catch (thrown) {
      if (!isUnheard(thrown) || known === undefined) throw thrown;
      return { head: known, unheard: thrown };
    }
  }

  /** There is no head. Where a root is pinned that is no accident: never "unsigned". */
  #gone(): CountersignError {
    const { pin, store } = this.#request;
    if (pin === undefined) {
      return new CountersignError("signed-tags-missing", `${this.#name} has no signed tags`, {
        found: `no trust metadata at ${store.location}`,
        wanted: "trust metadata of its publisher",
      });
    }
    // Of what is in no registry, a kit alone has a name.
    if (store.kind !== "registry") return notInKit(this.#name, pin);
    const seen = this.#before?.head === undefined ? undefined : this.#before.kept.refreshedAt;
    const { now } = this.#request.options;
    return new CountersignError("signed-tags-vanished", `the signed tags of ${this.#name} have disappeared`, {
      found: `no trust metadata at ${store.location}`,
      wanted:
        seen === undefined
          ? `what starts from the pinned root ${pin.root}`
          : `what was last verified at ${formatInstant(seen)}, ${describeAge(seen, now)}`,
    });
  }

  /** What is kept is as good as it was while it has not expired, by the roots that count now. */
  async #fallBack(head: KeptHead, unheard: CountersignError): Promise<TrustSession> {
    try {
      return await this.#verify(head, unheard);
    } catch (thrown) {
      if (!(thrown instanceof CountersignError) || thrown.class === "interrupted") throw thrown;
      const { code, message, next } = unheard;
      const found = [unheard.found, `of what is kept: ${thrown.message}`].filter((text) => text !== undefined);
      throw new CountersignError(code, message, {
        found: found.join("; "),
        wanted: unheard.wanted,
        next,
        cause: thrown,
      });
    }
  }

  async #verify(head: KeptHead, unheard: CountersignError | undefined): Promise<TrustSession> {
    const { store, options, pin } = this.#request;
    const isKept = unheard !== undefined || options.offline === true;
    const kept = this.#before?.kept;
    const source = new HeadSource({
      store,
      head,
      roots: this.#roots ?? kept?.roots ?? [],
      kept: kept?.metadata ?? new Map(),
      offline: options.offline,
    });
    const anchor = await findAnchor(source, pin, this.#name);
    const updater = new TufUpdater(new Map([...(kept?.metadata ?? []), ["root", anchor]]), {
      name: this.#name,
      now: options.now,
      source,
      faults: isKept ? KEPT_FAULTS : SERVED_FAULTS,
      inspect: (bytes, kind, what, role) => inspect(bytes, kind, what, role, options.now),
      allowUnlistedRoles: true,
      listedFiles: LIMITS.tagRoleFiles,
      rootSteps: LIMITS.tufRootSteps + (kept?.roots.length ?? 0),
    });
    const verified = await this.#refresh(updater, { anchor, head });
    const root = checkRoot(updater, this.#expected);
    if (!isKept) await this.#keeper.keep(verified, updater);
    const chosen = pin ?? (await this.#pinFirst(root));
    return new TrustSession({
      gun: this.#request.gun,
      name: this.#name,
      pin: chosen,
      root,
      now: options.now,
      updater,
      source,
      unheard: unheard === undefined ? undefined : toFinding(unheard),
      keep: () => (isKept ? Promise.resolve() : this.#keepMore(verified, updater)),
    });
  }

  async #refresh(
    updater: TufUpdater,
    { anchor, head }: { readonly anchor: Uint8Array; readonly head: KeptHead },
  ): Promise<Verified> {
    const { now } = this.#request.options;
    try {
      await updater.refresh();
      this.#roots = [anchor, ...updater.newRoots];
      const marks = this.#checkMarks(updater, since(this.#present, digestOf(anchor), this.#roots)?.marks);
      return { roots: this.#roots, head, marks, now };
    } catch (thrown) {
      await this.#keepRoots(updater, [anchor, ...updater.newRoots]);
      throw thrown;
    }
  }

  /** Against what was seen before: the timestamp as it was served too, since two of one version are two stories. */
  #checkMarks(updater: TufUpdater, seen: Verified["marks"] | undefined): Verified["marks"] {
    const called = { name: this.#name, faults: SERVED_FAULTS };
    const marks = marksOf((role) => updater.read(role));
    const served = marksOf((role) => (role === "timestamp" ? updater.servedTimestamp : undefined));
    refuseOlder(marks, seen, called);
    const both = { ...marks, roles: new Map([...marks.roles, ...served.roles]) };
    refuseOlder(both, seen, called);
    return marks;
  }

  async #keepRoots(updater: TufUpdater, roots: Roots): Promise<void> {
    if (this.#request.pin === undefined || roots.length <= (this.#before?.kept.roots.length ?? 1)) return;
    this.#roots = roots;
    const marks = marksOf((role) => (role === "root" ? updater.read(role) : undefined));
    await this.#keeper.keepRoots(roots, marks);
  }

  /** Only where somebody has asked for it: the newest root that is served counts from now on. */
  async #pinFirst(root: SignedRole<RootRole>): Promise<RootPin> {
    const { gun, options } = this.#request;
    const pin = pinOf(root, { gun, mode: "tofu", firstSeen: options.now });
    await options.pins.put(pin);
    options.onPinned?.(pin);
    return pin;
  }

  get #expected(): Expected {
    const { gun, options } = this.#request;
    return { gun, name: this.#name, now: options.now };
  }

  /** Where another process has seen something newer since, this run stays with what it has verified. */
  async #keepMore(verified: Verified, updater: TufUpdater): Promise<void> {
    try {
      await this.#keeper.keep(verified, updater);
    } catch (thrown) {
      if (!(thrown instanceof Overtaken)) throw thrown;
    }
  }
}

/** Whoever saved the kit had no pin, or somebody took them out. */
function notInKit(name: string, { root }: RootPin): CountersignError {
  return new CountersignError(
    "signed-tags-vanished",
    `the kit has no signed tags of ${name}, whose root is pinned here`,
    {
      found: "no trust metadata in the kit",
      wanted: `what starts from the pinned root ${root}`,
      next: "have the kit made where the root is pinned too: countersign save takes the signed tags along then",
    },
  );
}

/** What says that the registry could not be asked, as against that it answered. That access is denied is an answer. */
const UNHEARD: readonly ReasonCode[] = ["unreachable", "timeout", "throttled", "server-error"];

function isUnheard(thrown: unknown): thrown is CountersignError {
  return thrown instanceof CountersignError && UNHEARD.includes(thrown.code);
}

/** One profile, whoever reads it: publishers ask the same of every file (`readTrust`). */
function inspect(bytes: Uint8Array, kind: Role["kind"], what: string, role: string, now: Instant): void {
  const { body } = readRole(bytes, kind, what, now);
  if (body.kind === "targets") checkPlace(role, body);
}
