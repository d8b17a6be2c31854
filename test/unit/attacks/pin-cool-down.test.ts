import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { choosePins } from "../../../src/core/pins/choose.ts";
import { lockedBy } from "../../../src/core/pins/locking.ts";
import { groupPins, type Pinnable } from "../../../src/core/pins/pinnable.ts";
import { instant } from "../../../src/core/time.ts";
import type { SignatureReport, Verdict } from "../../../src/core/verify/verdict.ts";
import { firstSigned } from "../../../src/ops/pin-digests.ts";
import { accepted, DAY, digestFor, locked, lockOf, mentioned, NEW, NOW, OLD, WEB } from "../../support/pins.ts";

function signature(daysAgo: number | undefined, accepted = true): SignatureReport {
  const signedAt = daysAgo === undefined ? undefined : instant(NOW - daysAgo * 86_400_000);
  const proof = { logs: [], timestamps: [], certificateLogs: [], signedAt };
  return { format: "bundle", origin: { via: "referrers-api" }, accepted, proof };
}

function verdict(...signatures: readonly SignatureReport[]): Verdict {
  const [image, digest] = ["registry.example/web:1", digestFor("web")];
  const told = { reasons: [], checked: [], notChecked: [], weakened: [], judgedAt: NOW };
  return { status: "accepted", image, name: image, digest, signatures, ...told };
}

function daysOf(...verdicts: readonly Verdict[]): number | undefined {
  const first = firstSigned(verdicts);
  return first === undefined ? undefined : (NOW - first) / 86_400_000;
}

describe("the age that a cool-down counts", () => {
  it("is that of the first signature that counts for an image", () => {
    assert.equal(daysOf(verdict(signature(2), signature(5), signature(undefined))), 5);
  });

  it("is not that of an old platform in an index that was signed today", () => {
    assert.equal(daysOf(verdict(signature(0)), verdict(signature(400)), verdict(signature(3))), 0);
  });

  it("is not proven where it is not for one of the platforms", () => {
    assert.equal(daysOf(verdict(signature(9)), verdict(signature(undefined))), undefined);
    assert.equal(daysOf(verdict(signature(9)), verdict(signature(9, false))), undefined);
    assert.equal(daysOf(), undefined);
  });
});

describe("what waits for its cool-down", () => {
  const [pinned, unpinned] = [mentioned(`${WEB}@${OLD}`), mentioned(WEB, 2)];
  const orders: Readonly<Record<string, readonly Pinnable[]>> = {
    "before it": [unpinned, pinned],
    "behind it": [pinned, unpinned],
    alone: [unpinned],
  };
  for (const [where, mentions] of Object.entries(orders)) {
    it(`is remembered where an image that is not pinned yet is named ${where}`, () => {
      const lock = lockOf(locked(OLD));
      const [group] = groupPins(mentions, lock);
      assert.ok(group !== undefined);
      const judged = new Map([OLD, NEW].map((digest) => [digest, accepted(digest)]));
      const choice = choosePins(group, { tag: NEW, judged }, { update: true, coolDown: 3 * DAY, now: NOW });
      assert.ok("results" in choice);
      const settled = choice.results.map((one) => ({ ...one, after: { ...one.reference, digest: OLD } }));
      const [entry] = lockedBy(settled, lock, { standard: undefined, at: NOW });
      assert.deepEqual([entry?.digest, entry?.waiting], [OLD, { digest: NEW, since: NOW }]);
    });
  }
});
