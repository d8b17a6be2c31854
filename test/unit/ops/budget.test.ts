import assert from "node:assert/strict";
import { test } from "node:test";
import { LIMITS } from "../../../src/core/limits.ts";
import { Budget } from "../../../src/ops/budget.ts";
import { inspectImage } from "../../../src/ops/inspect.ts";
import { verifyImage } from "../../../src/ops/verify.ts";
import { makeImage, makeReferrer, pushImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const alice = testSigner("alice.pub");

/** An image with many large manifests attached that call themselves bundles. */
async function burdened(): Promise<{ store: MemoryStore; junk: number }> {
  const store = new MemoryStore();
  const image = await pushImage(store, await makeImage(), "1.0");
  const filler = "x".repeat(LIMITS.manifestBytes - 4096);
  const junk = Math.ceil(LIMITS.candidateBytes / filler.length) + 20;
  for (let at = 0; at < junk; at++) {
    const referrer = makeReferrer(image, { artifactType: BUNDLE, annotations: { at: String(at), filler } });
    await store.pushManifest(referrer.manifest);
  }
  store.calls.length = 0;
  return { store, junk };
}

function manifestsRead(store: MemoryStore): number {
  return store.calls.filter((call) => call.startsWith("manifest ")).length;
}

test("manifests count towards LIMITS.candidateBytes: large junk is undetermined, and most of it is not read", async () => {
  const { store, junk } = await burdened();
  const requirement = requirementOf([alice]);
  const { verdicts } = await verifyImage({ image: "registry.example/app:1.0", store, tag: "1.0" }, { requirement });
  assert.equal(verdicts[0]?.status, "undetermined");
  assert.ok(verdicts[0]?.reasons.some(({ code }) => code === "limit-reached"));
  assert.ok(manifestsRead(store) < junk);
});

test("inspect reads no more of what is attached than LIMITS.candidateBytes, and says that it is incomplete", async () => {
  const { store, junk } = await burdened();
  const { incomplete } = await inspectImage({ image: "registry.example/app:1.0", store, tag: "1.0" });
  assert.equal(incomplete, true);
  assert.ok(manifestsRead(store) < junk);
});

test("all the platforms of one index share LIMITS.indexCandidates and LIMITS.indexCandidateBytes", () => {
  const within = new Budget({ items: 5, bytes: 100 });
  const [one, other] = [new Budget({ items: 4, bytes: 80, within }), new Budget({ items: 4, bytes: 80, within })];
  assert.equal(one.take(9), 4);
  assert.equal(other.take(9), 1);
  one.spend(80);
  assert.throws(() => other.spend(21), { code: "limit-reached" });
  assert.throws(() => one.spend(1), { code: "limit-reached" });
});
