import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ImageFacts, PlanItem } from "../../../src/core/audit/audit.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { type AuditProgress, type RunOptions, runAudit } from "../../../src/ops/audit.ts";
import { rejectedBy } from "../../support/codes.ts";

function itemsOf(count: number, registry = "registry.example"): readonly PlanItem[] {
  return Array.from({ length: count }, (_, at) => ({ image: `${registry}/app:${at}`, uses: [] }));
}

function factsOf(image: string, code?: ReasonCode, more: Partial<ImageFacts> = {}): ImageFacts {
  const reasons = code === undefined ? [] : [{ code, message: code }];
  const verdict = code === undefined ? "accepted" : code === "unsigned" ? "refused" : "undetermined";
  return { image, name: image, verdict, reasons, warnings: [], signers: [], checked: [], notChecked: [], ...more };
}

/** Answers as it is told, after a turn of the loop, and remembers what it was asked. */
class FakeAuditor {
  readonly asked: string[] = [];
  underWay = 0;
  most = 0;
  readonly #answer: (image: string, time: number) => ReasonCode | undefined;

  constructor(answer: (image: string, time: number) => ReasonCode | undefined = () => undefined) {
    this.#answer = answer;
  }

  async examine(image: string): Promise<ImageFacts> {
    this.asked.push(image);
    this.underWay++;
    this.most = Math.max(this.most, this.underWay);
    await turn();
    this.underWay--;
    return factsOf(image, this.#answer(image, this.timesAsked(image)));
  }

  timesAsked(image: string): number {
    return this.asked.filter((each) => each === image).length;
  }
}

async function run(
  items: readonly PlanItem[],
  auditor: FakeAuditor,
  options: Partial<RunOptions> = {},
): Promise<readonly string[]> {
  const facts = await runAudit(items, auditor, { workers: 8, ...options });
  assert.deepEqual(
    facts.map(({ image }) => image),
    items.map(({ image }) => image),
    "every image once, in the order of the plan",
  );
  return facts.map(({ verdict, reasons }) => reasons[0]?.code ?? verdict);
}

function tally(outcomes: readonly string[]): Readonly<Record<string, number>> {
  return Object.fromEntries([...Map.groupBy(outcomes, (each) => each)].map(([name, all]) => [name, all.length]));
}

describe("an audit", () => {
  it("asks for each image once, so many at a time, whatever becomes of the others", async () => {
    const auditor = new FakeAuditor((image) => (image.endsWith("3") ? "unsigned" : undefined));
    assert.deepEqual(tally(await run(itemsOf(100), auditor)), { accepted: 90, unsigned: 10 });
    assert.equal(auditor.asked.length, 100);
    assert.equal(auditor.most, 8);
  });

  it("asks all registries in turns: one that is slow keeps none waiting that comes after it", async () => {
    const auditor = new FakeAuditor();
    await run([...itemsOf(50, "a.example"), ...itemsOf(2, "b.example")], auditor, { workers: 1 });
    assert.deepEqual(
      auditor.asked.slice(0, 4).map((image) => image.split("/", 1)[0]),
      ["a.example", "b.example", "a.example", "b.example"],
    );
  });

  it("has nothing to do for a part without images", async () => {
    assert.deepEqual(await run([], new FakeAuditor()), []);
  });

  for (const code of ["throttled", "timeout", "server-error", "unreachable"] as const) {
    it(`tries again after the rest what was ${code}`, async () => {
      const auditor = new FakeAuditor((image, time) => (image.endsWith(":1") && time < 3 ? code : undefined));
      assert.deepEqual(tally(await run(itemsOf(20), auditor)), { accepted: 20 });
      assert.deepEqual(auditor.asked.slice(-2), Array(2).fill("registry.example/app:1"));
    });
  }

  for (const code of ["denied", "not-found", "credentials-missing", "limit-reached", "internal"] as const) {
    it(`does not try again what was ${code}: it would be the same`, async () => {
      const auditor = new FakeAuditor((image) => (image.endsWith(":1") ? code : undefined));
      assert.deepEqual(tally(await run(itemsOf(20), auditor)), { accepted: 19, [code]: 1 });
      assert.equal(auditor.asked.length, 20);
    });
  }

  it("ends when two rounds in a row bring nothing more", async () => {
    const auditor = new FakeAuditor((image, time) =>
      image.endsWith(":1") || (image.endsWith(":2") && time < 3) ? "throttled" : undefined,
    );
    assert.deepEqual(tally(await run(itemsOf(10), auditor)), { accepted: 9, throttled: 1 });
    assert.equal(auditor.timesAsked("registry.example/app:1"), 5);
    assert.equal(auditor.timesAsked("registry.example/app:2"), 3);
  });

  it("ends after so many rounds", async () => {
    let isOpen = true;
    const examine = async (image: string): Promise<ImageFacts> => {
      const facts = factsOf(image, isOpen ? undefined : "throttled");
      isOpen = false;
      return facts;
    };
    const pause = async (): Promise<boolean> => {
      isOpen = true;
      return true;
    };
    const facts = await runAudit(itemsOf(LIMITS.auditRounds + 5), { examine }, { workers: 1, pause });
    assert.equal(facts.filter(({ verdict }) => verdict === "accepted").length, LIMITS.auditRounds);
  });

  it("waits before each further round, and ends where there is no use in waiting", async () => {
    const rounds: number[] = [];
    const pause = async (round: number): Promise<boolean> => {
      rounds.push(round);
      return round < 4;
    };
    const auditor = new FakeAuditor((image, time) => (time <= Number(image.split(":")[1]) ? "throttled" : undefined));
    assert.deepEqual(tally(await run(itemsOf(6), auditor, { pause })), { accepted: 3, throttled: 3 });
    assert.deepEqual(rounds, [2, 3, 4]);
  });

  it("asks a registry that is down no longer than it takes to see that, and no other the less", async () => {
    const down = itemsOf(1000, "down.example");
    const auditor = new FakeAuditor((image) => (image.startsWith("down") ? "unreachable" : undefined));
    const outcomes = await run([...down, ...itemsOf(200, "up.example")], auditor);
    assert.deepEqual(tally(outcomes), { unreachable: 1000, accepted: 200 });
    const asked = auditor.asked.filter((image) => image.startsWith("down")).length;
    assert.ok(asked <= 3 * (LIMITS.auditMisses + 8), `${asked} requests`);
  });

  it("takes up a registry that was down for a while with all of its images", async () => {
    let isDown = true;
    const auditor = new FakeAuditor(() => (isDown ? "unreachable" : undefined));
    const pause = async (): Promise<boolean> => {
      isDown = false;
      return true;
    };
    assert.deepEqual(tally(await run(itemsOf(500), auditor, { pause })), { accepted: 500 });
  });

  it("is not stopped by failures that are not one after the other", async () => {
    const auditor = new FakeAuditor((image, time) =>
      Number(image.split(":")[1]) % 2 === 0 && time < 2 ? "throttled" : undefined,
    );
    assert.deepEqual(tally(await run(itemsOf(400), auditor)), { accepted: 400 });
  });

  it("tells every image of a registry that gave out why, though no pause is of use", async () => {
    const auditor = new FakeAuditor((image) => (Number(image.split(":")[1]) < 30 ? "throttled" : undefined));
    const outcomes = await run(itemsOf(100), auditor, { pause: async () => false });
    assert.equal(outcomes.length, 100);
    assert.equal(outcomes[0], "throttled");
  });

  it("keeps a verdict where only the tag could not be looked at, and asks for that again", async () => {
    const tagFinding = { code: "throttled", message: "429" } as const;
    const answers = [factsOf("a.example/app:1", undefined, { tagFinding }), factsOf("a.example/app:1", "throttled")];
    let asked = 0;
    const auditor = { examine: async () => answers[asked++] ?? assert.fail("asked once too often") };
    const [facts] = await runAudit([{ image: "a.example/app:1", uses: [] }], auditor, { workers: 1 });
    assert.deepEqual([facts?.verdict, facts?.tagFinding?.code, asked], ["accepted", "throttled", 2]);
  });

  it("ends with what nothing can be done about", async () => {
    for (const code of ["policy-invalid", "interrupted"] as const) {
      const auditor = { examine: () => Promise.reject(new CountersignError(code, "no")) };
      await rejectedBy(() => runAudit(itemsOf(10), auditor, { workers: 2 }), code);
    }
  });
});

describe("an audit with a journal", () => {
  it("does not ask for what is known, and keeps what is determined as soon as it is", async () => {
    const kept: string[] = [];
    const known = new Map(itemsOf(4).map(({ image }) => [image, factsOf(image, "unsigned")]));
    const auditor = new FakeAuditor((image) => (image.endsWith(":5") ? "denied" : undefined));
    const add = async (facts: ImageFacts): Promise<void> => void kept.push(facts.image);
    const outcomes = await run(itemsOf(8), auditor, { journal: { known, add } });
    assert.deepEqual(tally(outcomes), { unsigned: 4, accepted: 3, denied: 1 });
    assert.deepEqual(
      auditor.asked.map((image) => image.split(":")[1]),
      ["4", "5", "6", "7"],
    );
    assert.deepEqual(
      kept.map((image) => image.split(":")[1]),
      ["4", "6", "7"],
    );
  });

  it("has nothing to ask where all is known, and ends where it cannot be kept", async () => {
    const known = new Map(itemsOf(4).map(({ image }) => [image, factsOf(image)]));
    const auditor = new FakeAuditor();
    const add = (): Promise<void> => Promise.reject(new CountersignError("disk-error", "no space"));
    assert.deepEqual(tally(await run(itemsOf(4), auditor, { journal: { known, add } })), { accepted: 4 });
    assert.deepEqual(auditor.asked, []);
    await rejectedBy(() => run(itemsOf(5), auditor, { journal: { known, add } }), "disk-error");
  });
});

describe("the progress of an audit", () => {
  it("counts what is done, and never goes back or beyond", async () => {
    const events: AuditProgress[] = [];
    const auditor = new FakeAuditor((image, time) => (image.endsWith("7") && time < 3 ? "timeout" : undefined));
    const known = new Map(itemsOf(10).map(({ image }) => [image, factsOf(image)]));
    const journal = { known, add: async () => undefined };
    await run(itemsOf(100), auditor, { journal, onProgress: (event) => void events.push(event) });
    const done = events.map((event) => event.done);
    assert.deepEqual(
      done,
      done.toSorted((a, b) => a - b),
    );
    assert.deepEqual([done[0], done.at(-1)], [10, 100]);
    assert.deepEqual(new Set(events.map(({ round }) => round)), new Set([1, 2, 3]));
  });
});
