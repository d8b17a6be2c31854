import type { AuditedSigner, ImageFacts } from "../audit/audit.ts";
import { bounded, type Finding } from "../errors.ts";
import type { Digest } from "../oci/digest.ts";
import { reasonClass } from "../reasons.ts";
import type { Instant } from "../time.ts";
import type { VerdictStatus } from "../verify/verdict.ts";
import type { LockedImage, WaitingDigest } from "./lock.ts";
import type { PinGroup, Pinnable } from "./pinnable.ts";

/** What is known of a digest that may be pinned. */
export interface JudgedDigest {
  readonly digest: Digest;
  readonly status: VerdictStatus | "not verified";
  /** Empty where it is accepted or was not verified. */
  readonly reasons: readonly Finding[];
  /** By `linux/amd64`; empty for an image of one platform. */
  readonly platforms: Readonly<Record<string, Digest>>;
  readonly signers: readonly AuditedSigner[];
  /** In words, where it is accepted. */
  readonly because?: string | undefined;
  /** The policy's rule that decided: its name and place. */
  readonly rule?: ImageFacts["rule"];
  readonly warnings: readonly Finding[];
  /** The earliest time at which a counted signature is proven to have been there. */
  readonly signedAt?: Instant | undefined;
}

/** What was found out about a name. */
export interface Known {
  /** What its tag names now, or why nobody knows; absent where nobody asked. */
  readonly tag?: Digest | Finding | undefined;
  readonly judged: ReadonlyMap<Digest, JudgedDigest>;
}

export interface PinWish {
  /** Move pins to what their tags name now. */
  readonly update: boolean;
  /** How old what a pin moves to has to be, in milliseconds. */
  readonly coolDown?: number | undefined;
  readonly now: Instant;
}

/**
 * - `pinned`: it gets a digest; `moved`: another one; `kept`: it has the one it should have
 * - `held`: the tag names another digest, which is too new
 * - `refused`, `undetermined`: what stands there, or what the tag names now, is not accepted; nothing changes
 * - `fixed`: it would be pinned or moved, and cannot be at that place
 */
export type PinState = "pinned" | "moved" | "kept" | "held" | "refused" | "undetermined" | "fixed";

/** What becomes of one mention. */
export interface PinResult extends Pinnable {
  readonly state: PinState;
  /** Empty unless refused, undetermined or fixed. */
  readonly reasons: readonly Finding[];
  /** By which it is pinned afterwards, and what is known of that. */
  readonly judged?: JudgedDigest | undefined;
  /** It gets what the lock says since then; nobody asked what the tag names now, or that is held back. */
  readonly recalledFrom?: Instant | undefined;
  /** Where it moves: by which it was pinned before. */
  readonly from?: Digest | undefined;
  readonly held?: HeldDigest | undefined;
  /** It does not move to this digest, which the tag names now: for the reasons. */
  readonly offered?: Digest | undefined;
}

/** What the tag names, since when that is known to be accepted, and when it is old enough. */
export interface HeldDigest extends WaitingDigest {
  readonly until: number;
  /** The time is not proven: it has to be remembered. */
  readonly isRemembered: boolean;
}

/** What has to be found out first. */
export interface Missing {
  readonly tag: boolean;
  readonly digests: readonly Digest[];
}

export type Choice = { readonly missing: Missing } | { readonly results: readonly PinResult[] };

/** Accepted, or nobody wanted to know. */
export function isUsable({ status }: JudgedDigest): boolean {
  return status === "accepted" || status === "not verified";
}

/** What becomes of the mentions of one name. One name means one digest: all of them move to it, or none. */
export function choosePins(group: PinGroup, known: Known, wish: PinWish): Choice {
  const asked = new Questions(known);
  const goal = wish.update && !isByDigestAlone(group) ? updateOf(group, asked, wish) : { first: firstOf(group, asked) };
  // What stands there is asked about only where it stays.
  if (asked.missing !== undefined) return { missing: asked.missing };
  const recalled = goal.move === undefined && group.pinned.length === 0 ? group.locked : undefined;
  const results = group.pinnables.flatMap((pinnable) => resultOf(pinnable, { ...goal, recalled }, asked) ?? []);
  return asked.missing === undefined ? { results: oneDigest(results) } : { missing: asked.missing };
}

/** What is named without a tag does not say where another digest would come from. */
function isByDigestAlone({ name }: PinGroup): boolean {
  return name.includes("@");
}

/** Answers what is known, and collects what nobody has found out yet. */
class Questions {
  readonly #known: Known;
  readonly #digests = new Set<Digest>();
  #tag = false;

  constructor(known: Known) {
    this.#known = known;
  }

  tag(): Digest | Finding | undefined {
    if (this.#known.tag === undefined) this.#tag = true;
    return this.#known.tag;
  }

  judged(digest: Digest): JudgedDigest | undefined {
    const judged = this.#known.judged.get(digest);
    if (judged === undefined) this.#digests.add(digest);
    return judged;
  }

  get missing(): Missing | undefined {
    if (!this.#tag && this.#digests.size === 0) return undefined;
    return { tag: this.#tag, digests: [...this.#digests] };
  }
}

// --- what the mentions of a name are to get ---------------------------------------------------------------------------

interface Goal {
  /** What those get that are not pinned yet, or why they get nothing; absent where that is not known or not asked. */
  readonly first?: JudgedDigest | readonly Finding[] | undefined;
  /** Where what those get is the lock's word. */
  readonly recalled?: LockedImage | undefined;
  /** What those that are pinned move to. */
  readonly move?: JudgedDigest | undefined;
  /** Why they do not, although the tag names this other digest, or nobody knows which. */
  readonly still?: Still | undefined;
}

type Still =
  | { readonly state: "held"; readonly held: HeldDigest }
  | { readonly state: "fixed"; readonly digest: Digest }
  | {
      readonly state: "refused" | "undetermined";
      readonly reasons: readonly Finding[];
      /** What the tag names, where that is known. */
      readonly offered?: Digest | undefined;
    };

/** The digest that others of the name have, else the one in the lock, else what the tag names. */
function firstOf(group: PinGroup, asked: Questions): Goal["first"] {
  const { pinned, locked } = group;
  if (!group.pinnables.some(isPlaceable)) return undefined;
  if (pinned.length > 1) return [twoDigests(pinned)];
  const digest = pinned[0] ?? locked?.digest ?? asked.tag();
  if (digest === undefined) return undefined;
  if (typeof digest !== "string") return [digest];
  const judged = asked.judged(digest);
  return judged === undefined || isUsable(judged) ? judged : judged.reasons;
}

function isPlaceable({ mention, reference }: Pinnable): boolean {
  return reference.digest === undefined && mention.slot !== undefined;
}

function updateOf(group: PinGroup, asked: Questions, wish: PinWish): Goal {
  const tag = asked.tag();
  if (tag === undefined) return {};
  if (typeof tag !== "string") return notUsable([tag]);
  const judged = asked.judged(tag);
  if (judged === undefined) return {};
  if (!isUsable(judged)) return notUsable(judged.reasons, tag);
  if (group.pinnables.some((one) => isStuck(one, tag))) {
    return { first: firstOf(group, asked), still: { state: "fixed", digest: tag } };
  }
  const held = heldBack(group, judged, wish);
  if (held !== undefined) return { first: firstOf(group, asked), still: { state: "held", held } };
  return { first: judged, move: judged };
}

function notUsable(reasons: readonly Finding[], offered?: Digest): Goal {
  return { first: reasons, still: { state: stateOf(reasons), reasons, offered } };
}

/** Pinned to another digest, and not to be changed at that place. */
function isStuck({ mention, reference }: Pinnable, digest: Digest): boolean {
  return reference.digest !== undefined && reference.digest !== digest && mention.slot === undefined;
}

/** A first pin is not held back: what is not pinned runs what the tag names already. */
function heldBack(group: PinGroup, judged: JudgedDigest, { coolDown, now }: PinWish): HeldDigest | undefined {
  const { digest, signedAt } = judged;
  const { pinned, locked } = group;
  const before = pinned.length > 0 ? pinned : [locked?.digest ?? digest];
  if (coolDown === undefined || before.every((one) => one === digest)) return undefined;
  const since = signedAt ?? (locked?.waiting?.digest === digest ? locked.waiting.since : now);
  if (now - since >= coolDown) return undefined;
  return { digest, since, until: since + coolDown, isRemembered: signedAt === undefined };
}

/** Refused where one reason says so: what is seen to be wrong weighs more than what could not be looked at. */
function stateOf(reasons: readonly Finding[]): "refused" | "undetermined" {
  return reasons.some(({ code }) => reasonClass(code) === "refused") ? "refused" : "undetermined";
}

// --- what becomes of one of them --------------------------------------------------------------------------------------

function resultOf(pinnable: Pinnable, goal: Goal, asked: Questions): PinResult | undefined {
  const { digest } = pinnable.reference;
  return digest === undefined ? firstPin(pinnable, goal) : nextPin(pinnable, digest, goal, asked);
}

function firstPin(pinnable: Pinnable, { first, recalled, still }: Goal): PinResult | undefined {
  if (pinnable.mention.slot === undefined) return { ...pinnable, state: "fixed", reasons: [cannotBePinned(pinnable)] };
  if (first === undefined) return undefined;
  if ("digest" in first) {
    // It waits for the same: the lock remembers since when, whichever mention comes last.
    const held = still?.state === "held" ? still.held : undefined;
    const recalledFrom = recalled?.digest === first.digest ? recalled.at : undefined;
    return {
      ...pinnable,
      state: "pinned",
      reasons: [],
      judged: first,
      ...(held !== undefined && { held }),
      ...(recalledFrom !== undefined && { recalledFrom }),
    };
  }
  return { ...pinnable, state: stateOf(first), reasons: first };
}

function nextPin(pinnable: Pinnable, digest: Digest, goal: Goal, asked: Questions): PinResult | undefined {
  const { move, still } = goal;
  if (move !== undefined && move.digest !== digest) {
    return { ...pinnable, state: "moved", reasons: [], judged: move, from: digest };
  }
  const judged = asked.judged(digest);
  if (judged === undefined) return undefined;
  const result = { ...pinnable, judged, reasons: [] };
  if (!isUsable(judged)) return { ...result, state: stateOf(judged.reasons), reasons: judged.reasons };
  if (still?.state === "held") {
    return still.held.digest === digest ? { ...result, state: "kept" } : { ...result, ...still };
  }
  if (still?.state === "fixed") {
    if (!isStuck(pinnable, still.digest)) return { ...result, state: "kept" };
    return { ...result, state: "fixed", reasons: [cannotBeMoved(pinnable, still.digest)] };
  }
  return still === undefined ? { ...result, state: "kept" } : { ...result, ...still };
}

/** The lock holds one digest for a name, and nobody but a person can say which of two was meant. */
function oneDigest(results: readonly PinResult[]): readonly PinResult[] {
  const usable = results.flatMap(({ judged }) => (judged !== undefined && isUsable(judged) ? [judged.digest] : []));
  const digests = [...new Set(usable)];
  if (digests.length < 2) return results;
  const reasons = [twoDigests(digests)];
  return results.map((one) => (one.judged === undefined ? one : { ...one, state: "refused", reasons }));
}

// --- words ------------------------------------------------------------------------------------------------------------

function twoDigests(digests: readonly Digest[]): Finding {
  return bounded({
    code: "lock-drift",
    message: "one name is pinned to different digests",
    found: digests.join(" and "),
    wanted: "one digest for a name",
    next: "give all of them the digest that is meant, or let countersign pin --update move them together",
  });
}

/** Why a mention is not pinned where it stands. */
export function cannotBePinned({ mention }: Pinnable): Finding {
  return bounded({
    code: "unpinned",
    message: `the image is named by a tag alone, and cannot be pinned here: ${mention.fixed ?? "nothing says where"}`,
    found: mention.image,
    wanted: "a digest",
    next: "write the reference with its digest by hand, or so that it stands here in full",
  });
}

function cannotBeMoved({ mention }: Pinnable, digest: Digest): Finding {
  return bounded({
    code: "tag-moved",
    message: `the tag names another digest now, and the pin cannot be moved here: ${mention.fixed ?? "nothing says how"}`,
    found: mention.image,
    wanted: digest,
    next: "write the new digest by hand; until then the others of the same name stay as they are",
  });
}
