import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { CountersignError } from "../../src/core/errors.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import type { Signer } from "../../src/core/ports.ts";
import { findBinding } from "../../src/core/tags/lookup.ts";
import { HEAD_TAG, pathOfTag } from "../../src/core/tags/names.ts";
import type { TrustView } from "../../src/core/tags/ports.ts";
import type { Publisher } from "../../src/ops/tags/publisher.ts";
import { refreshTrust } from "../../src/ops/tags/refresh.ts";
import { signTags } from "../../src/ops/tags/sign.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { addImage, becomesSigner, type PublishingScene, publishingScene } from "../support/publishing.ts";
import { KILLED, SimulatedClock, SimulatedStore, type Weather, World } from "../support/simulated-registry.ts";
import { roleSigner, TestPublisherClock, TestRing, wholeTrust } from "../support/tag-publisher.ts";

/**
 * A model of publishers who know nothing of each other, over a registry without compare-and-swap: whatever they do at the same
 * time, no binding that one of them was told is published may be lost without a word.
 */

/** How long each property looks; `COUNTERSIGN_PUBLISHERS_MS` lets it look longer. */
const TIME_BOX_MS = 1_000;
const SEED = Number(process.env["COUNTERSIGN_SEED"] ?? Date.now() % 0x7fffffff);
const BOX = Number(process.env["COUNTERSIGN_PUBLISHERS_MS"] ?? TIME_BOX_MS);

/** Somebody who signs one tag. */
interface Plan {
  readonly name: string;
  readonly signer: Signer;
  readonly tag: string;
  readonly startMs: number;
  readonly aheadMs: number;
  readonly writers: Publisher["writers"];
}

interface Outcome {
  readonly plan: Plan;
  readonly digest: Digest;
  readonly state: "published" | "staged" | "failed" | "killed";
}

/** A small generator of its own for each store: the same seed is the same weather. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 12), 0x297a2d39) >>> 0;
    mixed = (mixed ^ (mixed >>> 15)) >>> 0;
    return mixed / 2 ** 32;
  };
}

/** Mostly quick, now and then slow; each way by itself. */
function usualWeather(random: () => number, slowMs: number): () => Weather {
  const way = () => (random() < 0.02 ? random() * slowMs : 5 + random() * 150);
  return () => ({ there: way(), back: way() });
}

class Model {
  readonly scene: PublishingScene;
  readonly world: World;

  constructor(scene: PublishingScene) {
    this.scene = scene;
    this.world = new World(scene.clock.now());
  }

  /** Each plan as a publisher of its own, with its weather; afterwards what became of each. */
  async run(plans: readonly Plan[], weather: (at: number) => (call: string) => Weather): Promise<readonly Outcome[]> {
    const { scene, world } = this;
    const digests = plans.map(({ tag }) => scene.image(tag, `image of ${tag}`));
    const tasks = plans.map(async (plan, at): Promise<Outcome> => {
      await world.delay(plan.startMs);
      const store = new SimulatedStore(world, scene.store, weather(at));
      const clock = new SimulatedClock(world, plan.aheadMs, randomOf(at + 1));
      const ring = new TestRing(plan.signer, scene.online);
      const publisher = scene.publisher({ store, clock, ring, writers: plan.writers });
      const digest = digests[at] as Digest;
      try {
        const { publication } = await signTags(publisher, { images: store, tags: [plan.tag] });
        return { plan, digest, state: publication.state === "published" ? "published" : "staged" };
      } catch (thrown) {
        if (thrown === KILLED) return { plan, digest, state: "killed" };
        if (thrown instanceof CountersignError && thrown.code !== "internal") return { plan, digest, state: "failed" };
        throw thrown;
      }
    });
    const ended = await world.run(tasks);
    scene.clock.at = world.now;
    return ended.map((each) => {
      if (each.status === "rejected") throw each.reason;
      return each.value;
    });
  }

  async view(): Promise<TrustView> {
    return await wholeTrust(this.scene);
  }
}

function copyOf(scene: PublishingScene): PublishingScene {
  const store = new MemoryStore();
  for (const [digest, bytes] of scene.store.blobs) store.blobs.set(digest, bytes);
  for (const [digest, stored] of scene.store.manifests) store.manifests.set(digest, stored);
  for (const [name, digest] of scene.store.names) store.names.set(name, digest);
  const clock = new TestPublisherClock(scene.clock.at);
  const publisher: PublishingScene["publisher"] = (more) => scene.publisher({ store, clock, ...more });
  return { ...scene, store, clock, publisher, image: (tag, content = tag) => addImage(store, tag, content) };
}

/** In usual weather nobody gives up. */
function assertPublished(outcomes: readonly Outcome[]): void {
  assert.deepEqual(
    outcomes.filter(({ state }) => state !== "published").map(({ plan, state }) => [plan.tag, state]),
    [],
  );
}

function assertBound(view: TrustView, { plan, digest }: Outcome): void {
  const { found } = findBinding(view, pathOfTag(plan.tag));
  assert.equal(found?.binding.digest, digest, `${plan.tag} of ${plan.name} is lost`);
}

interface Cast {
  readonly model: Model;
  readonly signers: readonly Signer[];
}

const casts = new Map<string, Promise<PublishingScene>>();
const people = Array.from({ length: 20 }, (_, at) => roleSigner(`signer-${at}`));

/** A fresh copy of a repository with so many signers, each of whom has that many keys. */
async function castOf(count: number): Promise<Cast> {
  const key = String(count);
  const scene = casts.get(key) ?? setUp(count);
  casts.set(key, scene);
  return { model: new Model(copyOf(await scene)), signers: people.slice(0, count) };
}

async function setUp(count: number): Promise<PublishingScene> {
  const scene = await publishingScene();
  for (const [at, signer] of people.slice(0, count).entries()) await becomesSigner(scene, nameOf(at), [signer]);
  return scene;
}

function nameOf(at: number): string {
  return `signer-${at}`;
}

function holds<Values>(
  title: string,
  arbitrary: fc.Arbitrary<Values>,
  predicate: (values: Values) => Promise<void>,
): void {
  test(title, async (context: TestContext) => {
    context.diagnostic(`COUNTERSIGN_SEED=${SEED}`);
    let runs = 0;
    const tried = fc.asyncProperty(arbitrary, async (values) => {
      runs++;
      await predicate(values);
    });
    await fc.assert(tried, { seed: SEED, numRuns: 1 });
    await fc.assert(tried, {
      seed: SEED,
      numRuns: 100_000,
      interruptAfterTimeLimit: BOX,
      markInterruptAsFailure: false,
      reporter: (run) => {
        if (run.failed && !(run.interrupted && run.counterexamplePath === null)) {
          throw new Error(fc.defaultReportMessage(run), { cause: run.errorInstance });
        }
      },
    });
    context.diagnostic(`${runs} runs`);
  });
}

const start = fc.integer({ min: 0, max: 1500 });
const ahead = fc.integer({ min: -3000, max: 3000 });
const someone = fc.record({ startMs: start, aheadMs: ahead });
const weatherSeed = fc.integer({ min: 1, max: 2 ** 31 });

holds(
  "signers of different roles who publish in the same second lose nothing, without waiting for each other",
  fc.tuple(fc.array(someone, { minLength: 2, maxLength: 5 }), weatherSeed),
  async ([several, seed]) => {
    const { model, signers } = await castOf(several.length);
    const plans = several.map((person, at): Plan => {
      return { ...person, name: nameOf(at), signer: signers[at] as Signer, tag: `of-${at}`, writers: "unknown" };
    });
    const outcomes = await model.run(plans, (at) => usualWeather(randomOf(seed + at), 4_000));
    const view = await model.view();
    assertPublished(outcomes);
    for (const outcome of outcomes) assertBound(view, outcome);
  },
);

holds(
  "jobs that sign with one key and say so lose nothing",
  fc.tuple(fc.array(someone, { minLength: 2, maxLength: 4 }), weatherSeed),
  async ([several, seed]) => {
    const { model, signers } = await castOf(1);
    const plans = several.map((person, at): Plan => {
      return { ...person, name: nameOf(0), signer: signers[0] as Signer, tag: `of-${at}`, writers: "several" };
    });
    const outcomes = await model.run(plans, (at) => usualWeather(randomOf(seed + at), 4_000));
    const view = await model.view();
    assertPublished(outcomes);
    for (const outcome of outcomes) assertBound(view, outcome);
  },
);

holds(
  "two jobs that sign with one key and do not know it lose nothing",
  fc.tuple(someone, someone, weatherSeed),
  async ([first, second, seed]) => {
    const { model, signers } = await castOf(1);
    const plans = [first, second].map((person, at): Plan => {
      return { ...person, name: nameOf(0), signer: signers[0] as Signer, tag: `of-${at}`, writers: "unknown" };
    });
    const outcomes = await model.run(plans, (at) => usualWeather(randomOf(seed + at), 4_000));
    const view = await model.view();
    assertPublished(outcomes);
    for (const outcome of outcomes) assertBound(view, outcome);
  },
);

holds(
  "whoever is killed between any two requests takes nothing of the others along, and what was staged is published by the next refresh",
  fc.tuple(
    fc.array(someone, { minLength: 2, maxLength: 4 }),
    weatherSeed,
    fc.nat(40),
    fc.constantFrom("before", "after"),
  ),
  async ([several, seed, at, when]) => {
    const { model, signers } = await castOf(several.length);
    const plans = several.map((person, n): Plan => {
      return { ...person, name: nameOf(n), signer: signers[n] as Signer, tag: `of-${n}`, writers: "unknown" };
    });
    let isStaged = false;
    const outcomes = await model.run(plans, (n) => {
      const usual = usualWeather(randomOf(seed + n), 4_000);
      if (n > 0) return usual;
      let requests = 0;
      return (call) => {
        const isHit = requests++ === at;
        if (call.startsWith("pushManifest countersign-trust.role.") && !(isHit && when === "before")) isStaged = true;
        return isHit ? { ...usual(), lost: when as "before" | "after" } : usual();
      };
    });
    await refreshTrust(model.scene.publisher());
    const view = await model.view();
    for (const outcome of outcomes) if (outcome.state === "published") assertBound(view, outcome);
    const [victim] = outcomes;
    if (victim?.state === "killed" && isStaged) assertBound(view, victim);
  },
);

holds(
  "a head that lands long after its writer gave up costs no binding once somebody refreshes",
  fc.tuple(fc.array(someone, { minLength: 2, maxLength: 4 }), weatherSeed, fc.integer({ min: 2_000, max: 40_000 })),
  async ([several, seed, late]) => {
    const { model, signers } = await castOf(several.length);
    const plans = several.map((person, at): Plan => {
      return { ...person, name: nameOf(at), signer: signers[at] as Signer, tag: `of-${at}`, writers: "unknown" };
    });
    const outcomes = await model.run(plans, (at) => {
      const random = randomOf(seed + at);
      const usual = usualWeather(random, 4_000);
      return (call) => {
        const isLate = call === `pushManifest ${HEAD_TAG}` && random() < 0.3;
        return isLate ? { ...usual(), late } : usual();
      };
    });
    await refreshTrust(model.scene.publisher());
    const view = await model.view();
    for (const outcome of outcomes) if (outcome.state !== "failed") assertBound(view, outcome);
  },
);
