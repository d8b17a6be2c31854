import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import type { PinResult } from "../../../../src/core/pins/choose.ts";
import type { LockedImage } from "../../../../src/core/pins/lock.ts";
import { lockedBy, type SettledPin, withEntries } from "../../../../src/core/pins/locking.ts";
import { instant } from "../../../../src/core/time.ts";
import {
  accepted,
  DAY,
  digestFor,
  locked,
  lockOf,
  mentioned,
  NEW,
  NOW,
  OLD,
  unsigned,
  WEB,
} from "../../../support/pins.ts";

const POLICY = digestFor("policy");
const LATER = instant(NOW + DAY);
const ALICE = { kind: "key", name: "alice.pub", id: "SHA256:alice", format: "bundle" } as const;

function settled(digest: typeof OLD, more: Partial<PinResult> = {}): SettledPin {
  const judged = accepted(digest, { signers: [ALICE], platforms: { "linux/amd64": digestFor("amd64") } });
  const pin = { ...mentioned(WEB), state: "pinned" as const, reasons: [], judged, ...more };
  return { ...pin, after: parseReference(`${WEB}@${digest}`) };
}

function lockedAfter(
  pins: readonly SettledPin[],
  before: readonly LockedImage[],
  standard: typeof OLD | undefined = POLICY,
) {
  return lockedBy(pins, lockOf(...before), { standard, at: LATER });
}

describe("what the lock gets", () => {
  it("is the digest, its platforms, who signed, by what it was judged and when", () => {
    assert.deepEqual(lockedAfter([settled(NEW), settled(NEW)], []), [
      {
        name: WEB,
        digest: NEW,
        platforms: { "linux/amd64": digestFor("amd64") },
        signers: ["SHA256:alice"],
        standard: POLICY,
        at: LATER,
        waiting: undefined,
      },
    ]);
  });

  it("is nothing of what is refused, undetermined or not pinned", () => {
    const { judged: _judged, ...unjudged } = settled(NEW);
    assert.deepEqual(lockedAfter([settled(NEW, { judged: unsigned(NEW), state: "refused" }), unjudged], []), []);
    const tagged = { ...settled(NEW), after: parseReference(WEB) };
    assert.deepEqual(lockedAfter([tagged], []), []);
  });

  it("is a pin that stays and is accepted, although the tag names something refused", () => {
    const pin = settled(OLD, { state: "refused", reasons: [{ code: "unsigned", message: "" }] });
    assert.deepEqual(
      lockedAfter([pin], []).map(({ digest }) => digest),
      [OLD],
    );
  });

  it("does not change where digest and standard are the same: who signed beside them is told as it was then", () => {
    assert.deepEqual(lockedAfter([settled(OLD)], [locked(OLD, { signers: ["SHA256:bob"] })]), []);
  });

  it("changes with the standard, and with the digest", () => {
    assert.equal(lockedAfter([settled(OLD)], [locked(OLD, { standard: digestFor("other") })])[0]?.at, LATER);
    assert.equal(lockedAfter([settled(NEW)], [locked(OLD)])[0]?.digest, NEW);
  });

  it("keeps somebody's word for a digest that is pinned again without asking anybody", () => {
    assert.deepEqual(lockedBy([settled(OLD)], lockOf(locked(OLD)), { standard: undefined, at: LATER }), []);
  });

  it("has nobody's word for a digest that nobody was asked about", () => {
    const judged = { ...accepted(NEW), status: "not verified" as const };
    const [entry] = lockedBy([settled(NEW, { judged })], lockOf(locked(OLD)), { standard: undefined, at: LATER });
    assert.deepEqual([entry?.digest, entry?.signers, entry?.standard], [NEW, [], undefined]);
  });

  it("remembers since when something waits, where nothing proves it, and forgets it when it was taken", () => {
    const held = { digest: NEW, since: NOW, until: NOW + DAY, isRemembered: true };
    const [waiting] = lockedAfter([settled(OLD, { state: "held", held })], [locked(OLD)]);
    assert.deepEqual(waiting, locked(OLD, { waiting: { digest: NEW, since: NOW } }));
    assert.deepEqual(lockedAfter([settled(OLD, { state: "held", held })], waiting ? [waiting] : []), []);
    assert.equal(lockedAfter([settled(NEW, { state: "moved" })], waiting ? [waiting] : [])[0]?.waiting, undefined);
    const proven = { ...held, isRemembered: false };
    assert.deepEqual(lockedAfter([settled(OLD, { state: "held", held: proven })], [locked(OLD)]), []);
  });

  it("forgets nothing that waits when pins are only looked at again", () => {
    const entry = locked(OLD, { waiting: { digest: NEW, since: NOW } });
    assert.deepEqual(lockedAfter([settled(OLD, { state: "kept" })], [entry]), []);
  });

  it("is put beside what other files have", () => {
    const other = locked(OLD, { name: "docker.io/library/nginx:1" });
    const lock = withEntries(lockOf(other, locked(OLD)), [locked(NEW)]);
    assert.deepEqual(
      [...lock.values()].map(({ name, digest }) => [name, digest]),
      [
        [other.name, OLD],
        [WEB, NEW],
      ],
    );
  });
});
