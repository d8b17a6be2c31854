import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checkPins, unverifiedPins } from "../../../../src/core/pins/check.ts";
import type { Lock } from "../../../../src/core/pins/lock.ts";
import type { Pinnable } from "../../../../src/core/pins/pinnable.ts";
import { fixed, locked, lockOf, mentioned, NEW, OLD, WEB } from "../../../support/pins.ts";

function found(pinnables: readonly Pinnable[], lock: Lock | undefined): readonly string[] {
  return checkPins(pinnables, lock, "countersign.lock").map(
    ({ mention, finding }) => `${mention.place.line} ${finding.code}: ${finding.message}`,
  );
}

const PINNED = `${WEB}@${OLD}`;

describe("a check of pins", () => {
  it("finds nothing where everything is pinned to what the lock says", () => {
    const lock = lockOf(locked(OLD), locked(NEW, { name: `registry.example/acme/db@${NEW}` }));
    assert.deepEqual(
      found([mentioned(PINNED), fixed(PINNED, 2), mentioned(`registry.example/acme/db@${NEW}`)], lock),
      [],
    );
  });

  it("does not mind what the lock has for other files", () => {
    assert.deepEqual(
      found([mentioned(PINNED)], lockOf(locked(OLD), locked(NEW, { name: "docker.io/library/nginx:1" }))),
      [],
    );
  });

  it("finds tags without a digest, in the order of the file, and why one cannot have any", () => {
    const lock = lockOf(locked(OLD));
    assert.deepEqual(found([mentioned(WEB, 1), mentioned(PINNED, 2), fixed(WEB, 3)], lock), [
      "1 unpinned: the image is named by a tag alone",
      "3 unpinned: the image is named by a tag alone, and cannot be pinned here: the tag comes from the variable TAG",
    ]);
  });

  it("finds a digest that is not the lock's", () => {
    assert.deepEqual(found([mentioned(PINNED)], lockOf(locked(NEW))), [
      "1 lock-drift: the image is pinned to another digest than countersign.lock says",
    ]);
  });

  it("finds a digest that the lock does not know, by name or without a tag", () => {
    const message = "the image is pinned, but countersign.lock does not know it";
    assert.deepEqual(found([mentioned(PINNED)], lockOf()), [`1 lock-drift: ${message}`]);
    assert.deepEqual(found([mentioned(`registry.example/acme/web@${NEW}`)], lockOf(locked(OLD))), [
      `1 lock-drift: ${message}`,
    ]);
  });

  it("finds pins without a lock file", () => {
    assert.deepEqual(found([mentioned(PINNED)], undefined), [
      "1 lock-drift: the image is pinned, and there is no lock file",
    ]);
  });

  it("finds one name with two digests, whether the lock knows it or not", () => {
    const both = [mentioned(PINNED, 1), mentioned(`${WEB}@${NEW}`, 2)];
    assert.equal(found(both, lockOf(locked(OLD))).length, 1);
    assert.deepEqual(found(both, lockOf()), [
      "1 lock-drift: the image is pinned, but countersign.lock does not know it, and it is pinned differently elsewhere",
      "2 lock-drift: the image is pinned, but countersign.lock does not know it, and it is pinned differently elsewhere",
    ]);
  });

  it("tells for which of them nobody vouches", () => {
    const lock = lockOf(locked(OLD, { standard: undefined, signers: [] }));
    assert.deepEqual(unverifiedPins([mentioned(PINNED)], lock), [WEB]);
    assert.deepEqual(unverifiedPins([mentioned(PINNED)], lockOf(locked(OLD))), []);
    assert.deepEqual(unverifiedPins([mentioned(PINNED)], undefined), []);
  });
});
