import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { instant } from "../../../../src/core/time.ts";
import { auditTrust } from "../../../../src/ops/tags/audit.ts";
import { inspectTrust } from "../../../../src/ops/tags/inspect.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { dueNotices } from "../../../../src/ops/tags/summaries.ts";
import {
  initialised,
  publisherOf,
  released,
  TestRing,
  type TestTrust,
  wholeTrust,
} from "../../../support/tag-publisher.ts";

const DAY = 86_400_000;

function looking(trust: TestTrust) {
  const { store, gun, head, result, clock } = trust;
  return { store, gun, head, pin: result.pin, images: store, now: clock.now(), comparesRegistry: false };
}

describe("what is to be signed again soon", () => {
  it("is told alike by refresh, inspect and audit, and once for a role and its bins", async () => {
    const trust = await initialised();
    await released(trust, "v1");
    trust.clock.pass(306 * DAY);
    const alone = publisherOf(trust, new TestRing(trust.online), { allowsExpired: true });
    const { notices } = await refreshTrust(alone);
    const texts = notices.map(({ code, message }) => `${code}: ${message}`);
    assert.deepEqual(texts.toSorted(), [
      "trust-stale: the metadata of root is to be signed again soon",
      "trust-stale: the metadata of targets is to be signed again soon",
    ]);
    assert.deepEqual((await inspectTrust(looking(trust))).notices, notices);
    assert.deepEqual((await auditTrust(looking(trust))).notices, notices);
  });

  it("is what refresh fails for when it has expired, and what others read elsewhere", async () => {
    const trust = await initialised();
    const view = await wholeTrust(trust);
    const at = instant(trust.clock.now() + 400 * DAY);
    assert.deepEqual(dueNotices(view, at), []);
    assert.deepEqual(
      dueNotices(view, at, { tellsExpired: true }).map(({ code, message }) => `${code}: ${message}`),
      ["timestamp", "snapshot", "root", "targets"].map(
        (role) => `${role === "root" ? "root-expired" : "frozen"}: the metadata of ${role} has expired`,
      ),
    );
    assert.deepEqual(dueNotices(view, trust.clock.now(), { tellsExpired: true }), []);
  });
});
