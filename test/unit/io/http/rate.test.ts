import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type Answer, waitAskedFor } from "../../../../src/io/http/allowance.ts";
import { HostBudget, HostBudgets, type Turn } from "../../../../src/io/http/rate.ts";
import { TestClock } from "../../../support/registry-client.ts";

function answer(status: number, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, header: (name) => headers[name] };
}

const FINE = answer(200);
const THROTTLED = answer(429, { "retry-after": "1" });

/** How many of `wanted` requests may be under way at once: those that have their turn without anybody ending his. */
async function underWay(budget: HostBudget, wanted: number): Promise<readonly Turn[]> {
  const turns: Turn[] = [];
  for (let at = 0; at < wanted; at++) void budget.enter().then((turn) => turns.push(turn));
  await new Promise((resolve) => setImmediate(resolve));
  return turns;
}

function endAll(turns: readonly Turn[], each: Answer = FINE): void {
  for (const turn of turns) {
    turn.answered(each);
    turn.end();
  }
}

describe("the budget of a host", () => {
  it("lets everybody in who comes, until the host has asked for less", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    assert.equal((await underWay(budget, 1000)).length, 1000);
  });

  it("halves once for all that was under way when the host asked to slow down, not once for each", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    endAll(await underWay(budget, 32), THROTTLED);
    assert.equal((await underWay(budget, 32)).length, 16);
  });

  it("halves again for a refusal that came after, down to one and no further", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    for (const wanted of [8, 4, 2, 1, 1, 1]) {
      const turns = await underWay(budget, wanted);
      assert.equal(turns.length, wanted);
      endAll(turns, THROTTLED);
    }
    assert.equal((await underWay(budget, 5)).length, 1);
  });

  it("grows by one with every round that the host bears, and those who wait are let in", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    endAll(await underWay(budget, 4), THROTTLED);
    endAll(await underWay(budget, 2));
    const turns = await underWay(budget, 50);
    assert.equal(turns.length, 3);
    for (let round = 0; round < 100; round++) {
      const [turn] = turns;
      turn?.answered(FINE);
    }
    await new Promise((resolve) => setImmediate(resolve));
    assert.ok(turns.length > 10, `${turns.length} under way`);
  });

  it("has no bound again when it has grown to as many as there are connections", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    endAll(await underWay(budget, 8), THROTTLED);
    const [turn] = await underWay(budget, 1);
    for (let at = 0; at < LIMITS.connections ** 2; at++) turn?.answered(FINE);
    assert.equal((await underWay(budget, 500)).length, 500);
  });

  it("is not cut by failures of another kind, and not raised by them", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    endAll(await underWay(budget, 8), answer(500));
    assert.equal((await underWay(budget, 100)).length, 100);
  });

  it("takes a 503 that says when to come back for the same as a 429", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    endAll(await underWay(budget, 8), answer(503, { "retry-after": "2" }));
    assert.equal((await underWay(budget, 100)).length, 4);
  });

  it("gives places on to those who wait, in their order", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    endAll(await underWay(budget, 2), THROTTLED);
    const order: number[] = [];
    const first = await budget.enter();
    const noted = async (name: number): Promise<Turn> => {
      const turn = await budget.enter();
      order.push(name);
      return turn;
    };
    const second = noted(2);
    const third = noted(3);
    first.end();
    (await second).end();
    (await third).end();
    assert.deepEqual(order, [2, 3]);
  });

  it("lets nobody wait for ever when the command is stopped", async () => {
    const controller = new AbortController();
    const budget = new HostBudget({ clock: new TestClock(), signal: controller.signal });
    endAll(await underWay(budget, 2), THROTTLED);
    await budget.enter();
    const waiting = [budget.enter(), budget.enter()];
    controller.abort();
    for (const each of [...waiting, budget.enter()]) {
      await assert.rejects(each, (thrown) => thrown instanceof CountersignError && thrown.code === "interrupted");
    }
  });

  it("spreads requests evenly at the rate that the user allows, and says how long each was held", async () => {
    const clock = new TestClock();
    const budget = new HostBudget({ clock, maxRate: 4 });
    const began = clock.now();
    const times: number[] = [];
    for (let at = 0; at < 5; at++) {
      (await budget.enter()).end();
      times.push(clock.now() - began);
    }
    assert.deepEqual(times, [0, 250, 500, 750, 1000]);
  });

  it("remembers for whoever comes back later how long a host that was given up on wants to be left alone", async () => {
    const clock = new TestClock();
    const budgets = new HostBudgets({ clock });
    assert.equal(budgets.askedMs, 0);
    budgets.of("a").leaveAlone(90_000);
    budgets.of("b").leaveAlone(1000);
    await clock.sleep(20_000);
    assert.equal(budgets.askedMs, 70_000);
    await clock.sleep(100_000);
    assert.equal(budgets.askedMs, 0);
  });

  it("is one for each host, and the same one each time", () => {
    const budgets = new HostBudgets({ clock: new TestClock() });
    assert.equal(budgets.of("a"), budgets.of("a"));
    assert.notEqual(budgets.of("a"), budgets.of("b"));
  });
});

describe("what answers say of what is left", () => {
  it("closes the host until there is more, where nothing is left and it says when", async () => {
    const clock = new TestClock();
    for (const headers of [
      { "ratelimit-remaining": "0", "ratelimit-reset": "7" },
      { ratelimit: '"default";r=0;t=7' },
      { "x-ratelimit-remaining": "0", "x-ratelimit-reset": String(clock.now() / 1000 + 7) },
    ]) {
      const own = new TestClock();
      const budget = new HostBudget({ clock: own });
      endAll([await budget.enter()], answer(200, headers));
      await budget.pass();
      assert.deepEqual(own.slept, [7250], JSON.stringify(headers));
    }
  });

  it("keeps no more requests under way than are left (Docker Hub's form: with the window behind it)", async () => {
    const budget = new HostBudget({ clock: new TestClock() });
    const [first, ...others] = await underWay(budget, 20);
    first?.answered(answer(200, { "ratelimit-limit": "100;w=21600", "ratelimit-remaining": "3;w=21600" }));
    endAll([...(first === undefined ? [] : [first]), ...others], answer(500));
    assert.equal((await underWay(budget, 20)).length, 3);
  });

  it("does not wait for hours, nor for what is no number", async () => {
    for (const headers of [
      { "ratelimit-remaining": "0", "ratelimit-reset": "21600" },
      { "ratelimit-remaining": "0;w=21600" },
      { "ratelimit-remaining": "-1", "ratelimit-reset": "5" },
      { "ratelimit-remaining": "none", "ratelimit-reset": "5" },
      { "ratelimit-remaining": "1e3", "ratelimit-reset": "5" },
      { ratelimit: "r=0;t=5" },
    ]) {
      const clock = new TestClock();
      const budget = new HostBudget({ clock });
      endAll([await budget.enter()], answer(200, headers));
      await budget.pass();
      assert.deepEqual(clock.slept, [], JSON.stringify(headers));
    }
  });

  it("is told to those who ask the same host from other machines, by its name and for as long as it wants", () => {
    const told: unknown[] = [];
    const onAsked = (host: string, milliseconds: number): void => void told.push([host, milliseconds]);
    const budgets = new HostBudgets({ clock: new TestClock(), onAsked });
    budgets.of("one.example").close(4000);
    budgets.of("two.example").leaveAlone(600_000);
    assert.deepEqual(told, [
      ["one.example", 4000],
      ["two.example", 600_000],
    ]);
  });

  it("is how long a refusal asks to wait where it has no Retry-After, which counts first", () => {
    const now = Date.UTC(2026, 0, 1);
    const left = { "ratelimit-remaining": "0", "ratelimit-reset": "30" };
    assert.equal(waitAskedFor(answer(429, left), now), 30_000);
    assert.equal(waitAskedFor(answer(429, { "x-ratelimit-reset": String(now / 1000 + 9) }), now), 9000);
    assert.equal(waitAskedFor(answer(429, { ...left, "retry-after": "2" }), now), 2000);
    assert.equal(waitAskedFor(answer(429), now), undefined);
    assert.equal(waitAskedFor(answer(429, { ...left, "ratelimit-remaining": "5" }), now), undefined);
    assert.equal(waitAskedFor(answer(500, left), now), undefined);
    assert.equal(waitAskedFor(answer(503, { "retry-after": "4" }), now), 4000);
  });
});
