import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Digest } from "../../../../src/core/oci/digest.ts";
import { parseHead } from "../../../../src/core/tags/head.ts";
import { HEAD_TAG } from "../../../../src/core/tags/names.ts";
import { auditTrust } from "../../../../src/ops/tags/audit.ts";
import { collectGarbage } from "../../../../src/ops/tags/gc.ts";
import { refreshTrust } from "../../../../src/ops/tags/refresh.ts";
import { initialised, publisherOf, type TestTrust } from "../../../support/tag-publisher.ts";

const DAY = 86_400_000;

function looking(trust: TestTrust) {
  const { store, gun, head, result, clock } = trust;
  return { store, gun, head, pin: result.pin, images: store, now: clock.now(), comparesRegistry: false };
}

describe("heads that were replaced, in an audit", () => {
  async function afterDays(days: number): Promise<TestTrust> {
    const trust = await initialised();
    for (let day = 0; day < days; day++) {
      trust.clock.pass(DAY);
      await refreshTrust(publisherOf(trust));
    }
    return trust;
  }

  async function historyOf(trust: TestTrust): Promise<readonly Digest[]> {
    const head = (await trust.store.resolve(HEAD_TAG)) ?? assert.fail();
    return parseHead(head).history;
  }

  it("are no finding where trust gc removed them: the oldest ones", async () => {
    const trust = await afterDays(8);
    for (const keep of [6, 3, 1]) {
      const { removed } = await collectGarbage({ ...looking(trust), keep, olderThanMs: 0, isDryRun: false });
      assert.ok(removed.length > 0);
      const { notices, findings } = await auditTrust(looking(trust));
      assert.deepEqual([notices, findings], [[], []]);
    }
    trust.clock.pass(DAY);
    await refreshTrust(publisherOf(trust));
    assert.deepEqual((await auditTrust(looking(trust))).notices, []);
  });

  it("are a notice where younger ones are gone than one that is there", async () => {
    const trust = await afterDays(6);
    const [first, second, third] = await historyOf(trust);
    for (const digest of [second, third]) trust.store.manifests.delete(digest ?? assert.fail());
    const { notices } = await auditTrust(looking(trust));
    assert.deepEqual(
      notices.map(({ code, found }) => [code, found]),
      [["not-found", "2 of 6"]],
    );
    trust.store.manifests.delete(first ?? assert.fail());
    assert.deepEqual((await auditTrust(looking(trust))).notices[0]?.found, "3 of 6");
  });

  it("are a notice where none is left: the next one to go may be the head", async () => {
    const trust = await afterDays(4);
    for (const digest of await historyOf(trust)) trust.store.manifests.delete(digest);
    const { notices } = await auditTrust(looking(trust));
    assert.deepEqual([notices.map(({ code }) => code), notices[0]?.found], [["not-found"], "4 of 4"]);
  });
});
