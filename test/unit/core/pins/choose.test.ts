import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../../../src/core/errors.ts";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { choosePins, type JudgedDigest, type PinResult, type PinWish } from "../../../../src/core/pins/choose.ts";
import type { LockedImage } from "../../../../src/core/pins/lock.ts";
import { groupPins, type Pinnable } from "../../../../src/core/pins/pinnable.ts";
import { instant } from "../../../../src/core/time.ts";
import {
  accepted,
  DAY,
  fixed,
  inWords,
  locked,
  lockOf,
  mentioned,
  NEW,
  NOW,
  OLD,
  OTHER,
  throttled,
  unsigned,
  WEB,
} from "../../../support/pins.ts";

/** What is there to be found out. */
interface World {
  readonly tag?: Digest | Finding;
  readonly judged?: readonly JudgedDigest[];
  readonly lock?: LockedImage;
}

const ACCEPTING = [OLD, NEW, OTHER].map((digest) => accepted(digest));

/** Answers what is asked for, and nothing else, until it is decided. */
function decide(pinnables: readonly Pinnable[], world: World, wish: Partial<PinWish> = {}) {
  const [group, ...others] = groupPins(pinnables, world.lock && lockOf(world.lock));
  assert.ok(group !== undefined && others.length === 0);
  const asked: string[] = [];
  let known: { tag?: Digest | Finding; judged: Map<Digest, JudgedDigest> } = { judged: new Map() };
  for (let round = 0; round < 4; round++) {
    const choice = choosePins(group, known, { update: false, now: NOW, ...wish });
    if ("results" in choice) return { results: choice.results, words: inWords(choice.results), asked };
    const { missing } = choice;
    if (missing.tag) asked.push("tag");
    asked.push(
      ...missing.digests
        .map((digest) => [OLD, NEW, OTHER].indexOf(digest))
        .map((at) => ["old", "new", "other"][at] ?? ""),
    );
    const found = (world.judged ?? ACCEPTING).filter(({ digest }) => missing.digests.includes(digest));
    known = {
      ...(missing.tag ? { tag: world.tag ?? NEW } : known.tag && { tag: known.tag }),
      judged: new Map([...known.judged, ...found.map((one) => [one.digest, one] as const)]),
    };
  }
  return assert.fail("it is never decided");
}

const gone: Finding = { code: "not-found", message: "there is no such tag" };
const UPDATE = { update: true };

function at(digest: Digest, line = 1): Pinnable {
  return mentioned(`${WEB}@${digest}`, line);
}

describe("what a mention without a digest gets", () => {
  it("is what its tag names, where that is accepted", () => {
    const { words, asked } = decide([mentioned(WEB)], { tag: NEW });
    assert.deepEqual([words, asked], [["pinned new"], ["tag", "new"]]);
  });

  it("is the same for all of the name, and found out once", () => {
    const { words, asked } = decide([mentioned(WEB, 1), mentioned(WEB, 2)], { tag: NEW });
    assert.deepEqual(
      [words, asked],
      [
        ["pinned new", "pinned new"],
        ["tag", "new"],
      ],
    );
  });

  it("is the digest that the lock has, whatever the tag names by now", () => {
    assert.deepEqual(decide([mentioned(WEB)], { lock: locked(OLD) }).asked, ["old"]);
    assert.deepEqual(decide([mentioned(WEB)], { lock: locked(OLD) }).words, ["pinned old"]);
  });

  it("is the digest that others of the name have, before the lock", () => {
    assert.deepEqual(decide([mentioned(WEB), at(OTHER)], { lock: locked(OLD) }).words, ["pinned other", "kept other"]);
  });

  it("is nothing where that is refused, and the lock's word does not count for it", () => {
    assert.deepEqual(decide([mentioned(WEB)], { judged: [unsigned(NEW)] }).words, ["refused: unsigned"]);
    const { words } = decide([mentioned(WEB)], { judged: [unsigned(OLD)], lock: locked(OLD) });
    assert.deepEqual(words, ["refused: unsigned"]);
  });

  it("is nothing where nobody could look", () => {
    assert.deepEqual(decide([mentioned(WEB)], { tag: gone }).words, ["undetermined: not-found"]);
    assert.deepEqual(decide([mentioned(WEB)], { judged: [throttled(NEW)] }).words, ["undetermined: throttled"]);
  });

  it("is nothing at a place that takes none, and nobody is asked for it", () => {
    const { words, asked } = decide([fixed(WEB)], {});
    assert.deepEqual([words, asked], [["fixed: unpinned"], []]);
    assert.deepEqual(decide([fixed(WEB), mentioned(WEB)], {}).words, ["fixed: unpinned", "pinned new"]);
  });

  it("is nothing where the others of the name have two digests", () => {
    const { words } = decide([mentioned(WEB), at(OLD), at(NEW)], {});
    assert.deepEqual(words, ["refused: lock-drift", "refused old: lock-drift", "refused new: lock-drift"]);
  });
});

describe("a digest that stands there", () => {
  it("is verified and stays, and the tag is not asked for", () => {
    const { words, asked } = decide([at(OLD)], {});
    assert.deepEqual([words, asked], [["kept old"], ["old"]]);
  });

  it("is verified where it cannot be changed, too", () => {
    assert.deepEqual(decide([fixed(`${WEB}@${OLD}`)], {}).words, ["kept old"]);
  });

  it("is refused where it is not accepted, whatever the lock says", () => {
    assert.deepEqual(decide([at(OLD)], { judged: [unsigned(OLD)], lock: locked(OLD) }).words, [
      "refused old: unsigned",
    ]);
  });

  it("of a name without a tag is verified and never moves", () => {
    const pinned = mentioned(`registry.example/acme/web@${OLD}`);
    assert.deepEqual(decide([pinned], {}, UPDATE), { ...decide([pinned], {}), asked: ["old"] });
    assert.deepEqual(decide([pinned], {}, UPDATE).words, ["kept old"]);
  });
});

describe("an update", () => {
  it("moves to what the tag names, where that is accepted, and asks about nothing else", () => {
    const { words, asked, results } = decide([at(OLD), mentioned(WEB)], { tag: NEW }, UPDATE);
    assert.deepEqual(
      [words, asked],
      [
        ["moved new", "pinned new"],
        ["tag", "new"],
      ],
    );
    assert.equal(results[0]?.from, OLD);
  });

  it("keeps a pin to what the tag names", () => {
    assert.deepEqual(decide([at(NEW)], { tag: NEW }, UPDATE).words, ["kept new"]);
  });

  it("moves two digests of one name together", () => {
    assert.deepEqual(decide([at(OLD), at(OTHER)], { tag: NEW }, UPDATE).words, ["moved new", "moved new"]);
  });

  it("refuses what is not accepted: the pin stays, and is verified", () => {
    const world = { tag: NEW, judged: [accepted(OLD), unsigned(NEW)] };
    assert.deepEqual(decide([at(OLD), mentioned(WEB)], world, UPDATE).words, [
      "refused old: unsigned",
      "refused: unsigned",
    ]);
  });

  it("does not move where nobody knows what the tag names", () => {
    assert.deepEqual(decide([at(OLD)], { tag: gone }, UPDATE).words, ["undetermined old: not-found"]);
    const world = { tag: NEW, judged: [accepted(OLD), throttled(NEW)] };
    assert.deepEqual(decide([at(OLD)], world, UPDATE).words, ["undetermined old: throttled"]);
  });

  it("says first that what stands there is refused", () => {
    const world = { tag: gone, judged: [unsigned(OLD)] };
    assert.deepEqual(decide([at(OLD)], world, UPDATE).words, ["refused old: unsigned"]);
  });

  it("moves none of a name where one cannot be moved", () => {
    const { words } = decide([fixed(`${WEB}@${OLD}`), at(OLD, 2), mentioned(WEB, 3)], { tag: NEW }, UPDATE);
    assert.deepEqual(words, ["fixed old: tag-moved", "kept old", "pinned old"]);
  });
});

describe("a cool-down", () => {
  const wish = { update: true, coolDown: 3 * DAY };
  const signed = (days: number) => ({
    tag: NEW,
    judged: [accepted(OLD), accepted(NEW, { signedAt: instant(NOW - days * DAY) })],
  });
  const held = (results: readonly PinResult[]) => results.map((one) => one.held);

  it("lets a pin move to what was signed long enough ago, by proof", () => {
    assert.deepEqual(decide([at(OLD)], signed(3), wish).words, ["moved new"]);
  });

  it("holds a pin back from what was signed too recently, and says until when", () => {
    const { words, results } = decide([at(OLD)], signed(1), wish);
    assert.deepEqual(words, ["held old"]);
    const [since, until] = [instant(NOW - DAY), NOW + 2 * DAY];
    assert.deepEqual(held(results), [{ digest: NEW, since, until, isRemembered: false }]);
  });

  it("holds back what was signed in the future", () => {
    assert.deepEqual(decide([at(OLD)], signed(-1), wish).words, ["held old"]);
  });

  it("counts from now where nothing proves a time, then from what the lock remembers", () => {
    const { results } = decide([at(OLD)], { tag: NEW }, wish);
    assert.deepEqual(held(results), [{ digest: NEW, since: NOW, until: NOW + 3 * DAY, isRemembered: true }]);
    const since = (days: number) => ({
      tag: NEW,
      lock: locked(OLD, { waiting: { digest: NEW, since: instant(NOW - days * DAY) } }),
    });
    assert.deepEqual(decide([at(OLD)], since(2), wish).words, ["held old"]);
    assert.deepEqual(decide([at(OLD)], since(3), wish).words, ["moved new"]);
  });

  it("counts for one digest: what was remembered of another is worth nothing", () => {
    const lock = locked(OLD, { waiting: { digest: OTHER, since: instant(0) } });
    assert.deepEqual(decide([at(OLD)], { tag: NEW, lock }, wish).words, ["held old"]);
  });

  it("does not hold back a first pin: what is not pinned runs that digest already", () => {
    assert.deepEqual(decide([mentioned(WEB)], signed(0), wish).words, ["pinned new"]);
  });

  it("gives a further mention what the lock has", () => {
    const world = { ...signed(0), lock: locked(OLD) };
    assert.deepEqual(decide([mentioned(WEB)], world, wish).words, ["pinned old"]);
    assert.deepEqual(decide([mentioned(WEB), at(OLD)], world, wish).words, ["pinned old", "held old"]);
  });

  it("does not take a refused pin for one that waits", () => {
    const world = { tag: NEW, judged: [unsigned(OLD), accepted(NEW)] };
    assert.deepEqual(decide([at(OLD)], world, wish).words, ["refused old: unsigned"]);
  });
});
