import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { parseRetryAfter, waitAskedFor } from "../../../../src/io/http/allowance.ts";
import { TransientError } from "../../../../src/io/http/failures.ts";
import { Retrier } from "../../../../src/io/http/retry.ts";
import { failure, TestClock } from "../../../support/registry-client.ts";

function throttled(retryAfterMs?: number): TransientError {
  return new TransientError("throttled", "slow down", { found: "429 on the list of referrers", retryAfterMs });
}

function failing(times: number, error: Error): { calls: number; work: () => Promise<string> } {
  const state = { calls: 0, work: async () => (++state.calls <= times ? Promise.reject(error) : "done") };
  return state;
}

describe("retries", () => {
  it("end with the first success, after waits that grow and are drawn by lot", async () => {
    const clock = new TestClock();
    const { work } = failing(3, new TransientError("server-error", "failed", {}));
    assert.equal(await new Retrier({ clock }).run("h", work), "done");
    assert.deepEqual(clock.slept, [250, 500, 1000]);
  });

  it("end after LIMITS.tries, and say how many there were, how long it took and when to come back", async () => {
    const clock = new TestClock();
    const state = failing(99, throttled(4000));
    const error = await failure("throttled", new Retrier({ clock, tries: 4 }).run("h", state.work));
    assert.equal(state.calls, 4);
    assert.equal(error.found, "429 on the list of referrers, 4 tries in 12 s; retry after 4 s");
    assert.match(error.next, /^try again in 4 s; until then the image counts as not verified$/);
    assert.ok(!(error instanceof TransientError), "it is final, and no outer loop starts again");
  });

  it("do not wait longer in all than LIMITS.retryAfterMs", async () => {
    const clock = new TestClock();
    const state = failing(99, throttled(LIMITS.retryAfterMs + 1));
    await failure("throttled", new Retrier({ clock }).run("h", state.work));
    assert.deepEqual([state.calls, clock.slept], [1, []]);
  });

  it("are not made each for itself at a host where one has tried in vain as often as it may", async () => {
    const clock = new TestClock();
    const retrier = new Retrier({ clock });
    const first = failing(99, throttled(50_000));
    await failure("throttled", retrier.run("h", first.work));
    const [second, elsewhere] = [failing(99, throttled(50_000)), failing(1, throttled(1000))];
    await failure("throttled", retrier.run("h", second.work));
    assert.deepEqual([first.calls, second.calls], [3, 1]);
    assert.equal(await retrier.run("other", elsewhere.work), "done");
    await retrier.run("h", async () => "it answers again");
    assert.equal(await retrier.run("h", failing(1, throttled(1000)).work), "done");
  });

  it("go on where others got through while one tried in vain", async () => {
    const clock = new TestClock();
    const retrier = new Retrier({ clock });
    const unlucky = async () => {
      await retrier.run("h", async () => "somebody else's");
      throw throttled(50_000);
    };
    await failure("throttled", retrier.run("h", unlucky));
    assert.equal(await retrier.run("h", failing(1, throttled(1000)).work), "done");
  });

  it("end once the tries themselves took LIMITS.idleMs: a host that stalls and then breaks off stays one", async () => {
    const clock = new TestClock();
    let calls = 0;
    const work = async () => {
      calls++;
      await clock.sleep(LIMITS.idleMs - 10_000);
      throw new TransientError("unreachable", "broken off", {});
    };
    await failure("unreachable", new Retrier({ clock }).run("h", work));
    assert.equal(calls, 2);
  });

  it("are made after a long upload that broke off: its bytes were moving", async () => {
    const clock = new TestClock();
    let calls = 0;
    await new Retrier({ clock }).run("h", async (attempts) => {
      await clock.sleep(2 * LIMITS.idleMs);
      attempts.moved();
      if (++calls < 3) throw new TransientError("unreachable", "broken off", {});
    });
    assert.equal(calls, 3);
  });

  it("try a refused connection twice and no more", async () => {
    const state = failing(99, new TransientError("unreachable", "refused", { cure: "once" }));
    await failure("unreachable", new Retrier({ clock: new TestClock() }).run("h", state.work));
    assert.equal(state.calls, 2);
  });

  it("are not made for anything that is not transient", async () => {
    for (const error of [new CountersignError("denied", "no"), new Error("defect")]) {
      const state = failing(99, error);
      await assert.rejects(new Retrier({ clock: new TestClock() }).run("h", state.work), (thrown) => thrown === error);
      assert.equal(state.calls, 1);
    }
  });

  it("hold everybody back who asks the same host while one was told to wait, and nobody else", async () => {
    let now = 0;
    const slept: number[] = [];
    const pass = Promise.withResolvers<void>();
    const sleep = (milliseconds: number) => (slept.push(milliseconds) === 1 ? Promise.resolve() : pass.promise);
    const retrier = new Retrier({ clock: { now: () => now, random: () => 0, sleep } });
    await retrier.attempts("h").failed(throttled(7000));
    assert.deepEqual(slept, [7000], "the one who was told");
    const waiting = retrier.attempts("h").pass();
    await retrier.attempts("other").pass();
    assert.deepEqual(slept, [7000, 7000], "another worker, and nobody for another host");
    now = 7000;
    pass.resolve();
    await waiting;
    await retrier.attempts("h").pass();
    assert.equal(slept.length, 2);
  });

  it("take no time to come back that is further off than any quota is renewed", () => {
    const now = Date.UTC(2026, 0, 1);
    const asked = (name: string, value: string) =>
      waitAskedFor({ status: 429, header: (header) => (header === name ? value : undefined) }, now);
    assert.equal(asked("retry-after", String(LIMITS.retryAfterSaneMs / 1000)), LIMITS.retryAfterSaneMs);
    for (const far of [String(LIMITS.retryAfterSaneMs / 1000 + 1), "999999999999", "Wed, 21 Oct 2999 07:28:00 GMT"]) {
      assert.equal(asked("retry-after", far), undefined, far);
    }
    assert.equal(asked("ratelimit-reset", "900000000"), undefined);
  });

  it("do not say to try again in 0 s", async () => {
    const state = failing(99, throttled(0));
    const error = await failure("throttled", new Retrier({ clock: new TestClock(), tries: 1 }).run("h", state.work));
    assert.doesNotMatch(`${error.found} ${error.next}`, /after 0 s|again in/);
  });

  it("read Retry-After as seconds and as a date (RFC 9110 §10.2.3), and nothing else", () => {
    const now = Date.UTC(2026, 0, 1);
    assert.equal(parseRetryAfter("40", now), 40_000);
    assert.equal(parseRetryAfter(" 0 ", now), 0);
    assert.equal(parseRetryAfter("Thu, 01 Jan 2026 00:01:00 GMT", now), 60_000);
    assert.equal(parseRetryAfter("Thu, 01 Jan 2015 00:01:00 GMT", now), 0);
    for (const junk of [undefined, "", "soon", "-1", "1.5", "1e9", "9999999999999"]) {
      assert.equal(parseRetryAfter(junk, now), undefined, String(junk));
    }
  });
});
