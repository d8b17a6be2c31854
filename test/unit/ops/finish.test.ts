import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { POSTPONED_ANNOTATION, parseBundle } from "../../../src/core/formats/sigstore-bundle.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { RecordSignature, Signatory } from "../../../src/core/ports.ts";
import type { FinishedImage } from "../../../src/core/results.ts";
import { instant } from "../../../src/core/time.ts";
import { rekor } from "../../../src/io/sigstore/rekor.ts";
import { recorder } from "../../../src/io/sigstore/witness.ts";
import { type FinishOptions, finishImages } from "../../../src/ops/finish.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { type Target, verifyImage } from "../../../src/ops/verify.ts";

import { makeImage, makeIndex, pushImage } from "../../support/images.ts";
import { type KeylessWish, keyless } from "../../support/keyless-signing.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { testSigner } from "../../support/signatures.ts";
import { fakeSigstore } from "../../support/sigstore/sign.ts";
import { useSigstore } from "../../support/sigstore-clients.ts";

describe("a postponed log entry", () => {
  const scene = useSigstore();
  const now = () => instant(Date.now());

  async function target(image?: Awaited<ReturnType<typeof makeIndex>>): Promise<Target & { store: MemoryStore }> {
    const store = new MemoryStore();
    await pushImage(store, image ?? (await makeImage()), "1.0");
    return { image: "registry.example/app:1.0", store, tag: "1.0" };
  }

  async function sign(signatory: Signatory, where: Target, more: { recursive?: boolean } = {}) {
    const common = { formats: ["bundle"], annotations: {}, createdAt: instant(0), now: now(), logLater: true } as const;
    return await signImage(where, { ...common, signatory, ...more });
  }

  /** Signs while the log is out of order. */
  async function postpone(where: Target, wish: KeylessWish = {}, more: { recursive?: boolean } = {}): Promise<void> {
    const log = wish.log ?? "rekor2";
    scene.sigstore.fail(log, { status: 503 });
    const { signatory } = await keyless(scene, { ...wish, logLater: true });
    const { outcomes, finding } = await sign(signatory, where, more);
    assert.equal(finding, undefined);
    assert.ok(outcomes.every(({ state, postponed }) => state === "signed" && postponed?.code === "server-error"));
    scene.sigstore.heal(log);
  }

  async function options(wish: KeylessWish = {}, more: Partial<FinishOptions> = {}): Promise<FinishOptions> {
    const { trust, demands } = await keyless(scene, wish);
    return {
      record: recordAt(wish.log ?? "rekor2"),
      trust,
      demands,
      keys: [],
      createdAt: instant(0),
      now: now(),
      ...more,
    };
  }

  function recordAt(log: string): RecordSignature {
    return recorder({ clients: [rekor(scene.ask, scene.base(log), log === "rekor1" ? 1 : 2)], count: 1 });
  }

  async function finish(where: Target, using: FinishOptions): Promise<FinishedImage> {
    const [finished] = await finishImages([where], using);
    assert.ok(finished);
    return finished;
  }

  async function judge(where: Target, wish: KeylessWish = {}): Promise<string> {
    const { signatory } = await keyless(scene, wish);
    const wanted = await signatory.foresees?.();
    const acceptance = wanted ?? { keys: [], identities: [] };
    const requirement = { ...acceptance, threshold: 1, annotations: {}, signedAs: [], now: now() };
    const { verdicts } = await verifyImage(where, { requirement });
    return verdicts[0]?.reasons[0]?.code ?? "accepted";
  }

  const requests = (service: string) => scene.sigstore.server(service).requests.length;
  const manifestsIn = ({ store }: { store: MemoryStore }): readonly JsonObject[] =>
    [...store.manifests.values()].map(({ bytes }) => JSON.parse(Buffer.from(bytes).toString()));
  const isMarked = (json: JsonObject) => POSTPONED_ANNOTATION in Object(json["annotations"]);

  it("is missing where one is asked for, until it is added; then the signature is accepted", async () => {
    const where = await target();
    await postpone(where);
    assert.equal(await judge(where), "log-entry-missing");
    const finished = await finish(where, await options());
    const [outcome] = finished.outcomes;
    assert.equal(outcome?.state, "finished");
    assert.equal(outcome?.signedBy?.kind, "identity");
    assert.equal(outcome?.proof?.logs.length, 1);
    assert.equal(await judge(where), "accepted");
  });

  it("is noted on the manifest of the signature that lacks it, and on no other", async () => {
    const where = await target();
    await postpone(where);
    assert.equal(manifestsIn(where).filter(isMarked).length, 1);
    await finish(where, await options());
    assert.equal(manifestsIn(where).filter(isMarked).length, 1, "what is complete is not marked");
  });

  it("is added once: doing it again finds what is complete, asks no log and writes nothing", async () => {
    const where = await target();
    await postpone(where);
    const first = await finish(where, await options());
    const before = [requests("rekor2"), where.store.manifests.size];
    const again = await finish(where, await options());
    assert.deepEqual([requests("rekor2"), where.store.manifests.size], before);
    assert.equal(again.outcomes[0]?.state, "finished-before");
    assert.equal(again.outcomes[0]?.manifest, first.outcomes[0]?.manifest);
  });

  it("needs no identity, and of several signatures each is finished", async () => {
    const where = await target();
    for (const email of ["a@b.example", "c@d.example"]) await postpone(where, { token: scene.token({ email }) });
    const before = requests("fulcio");
    const { outcomes } = await finish(where, await options());
    assert.deepEqual(
      outcomes.map(({ state }) => state),
      ["finished", "finished"],
    );
    assert.equal(requests("fulcio"), before);
  });

  it("of an index and its platforms is added with recursive, of the index alone without", async () => {
    const where = await target(await makeIndex({}));
    await postpone(where, {}, { recursive: true });
    assert.equal((await finish(where, await options())).outcomes.length, 1);
    const { outcomes } = await finish(where, await options({}, { recursive: true }));
    assert.equal(outcomes.filter(({ state }) => state === "finished-before").length, 1);
    assert.equal(outcomes.filter(({ state }) => state === "finished").length, outcomes.length - 1);
  });

  it("of a Rekor 1 log comes without the log's time, at which the certificate would have expired", async () => {
    const where = await target();
    await postpone(where, { log: "rekor1" });
    await finish(where, await options({ log: "rekor1" }));
    const entries = [...where.store.blobs.values()]
      .filter((bytes) => Buffer.from(bytes).includes("verificationMaterial"))
      .flatMap((bytes) => parseBundle(bytes).logEntries);
    assert.equal(entries.length, 1);
    assert.equal(entries[0]?.integratedTime, undefined);
    assert.equal(entries[0]?.promise, undefined);
    assert.equal(await judge(where, { log: "rekor1" }), "accepted");
  });

  it("is added to a key's signature with the public key at hand", async () => {
    const where = await target();
    const signer = testSigner("release.pub");
    const { trust } = await keyless(scene);
    const demands = { logs: 1, timestamps: 0, certificateLogs: 0, times: 0, currentTime: false };
    const { witness } = (await keyless(scene, { logLater: true })).signatory;
    assert.ok(witness);
    scene.sigstore.fail("rekor2", { status: 503 });
    const check = { witness: { witness: witness.witness }, proof: { trust, demands } };
    const signed = await sign(keySignatory(signer, check), where);
    scene.sigstore.heal("rekor2");
    assert.equal(signed.outcomes[0]?.postponed?.code, "server-error", signed.finding?.message ?? "");
    const unknown = await finish(where, await options({}, { demands }));
    assert.equal(unknown.outcomes[0]?.finding?.code, "wrong-key");
    const { outcomes } = await finish(where, await options({}, { demands, keys: [signer.publicKey] }));
    assert.deepEqual([outcomes[0]?.state, outcomes[0]?.signedBy?.kind], ["finished", "key"]);
  });

  it("is shown and not added in a dry run", async () => {
    const where = await target();
    await postpone(where);
    const before = [requests("rekor2"), where.store.manifests.size];
    const { outcomes } = await finish(where, await options({}, { dryRun: true }));
    assert.equal(outcomes[0]?.state, "would-finish");
    assert.deepEqual([requests("rekor2"), where.store.manifests.size], before);
  });

  it("is not added where nothing was postponed, whatever else lacks one", async () => {
    const where = await target();
    const { signatory } = await keyless(scene, { log: "none" });
    await sign(signatory, where);
    const before = requests("rekor2");
    assert.deepEqual((await finish(where, await options())).outcomes, []);
    assert.equal(requests("rekor2"), before);
  });

  it("is not added to what cannot be proven, and no log is shown it", async () => {
    const where = await target();
    await postpone(where);
    const before = requests("rekor2");
    const { outcomes } = await finish(where, await options({ trustedRoot: fakeSigstore().trustedRoot }));
    assert.equal(outcomes[0]?.finding?.code, "certificate-untrusted");
    assert.equal(requests("rekor2"), before);
  });

  it("is not added to a signature that was copied from another image", async () => {
    const [from, to] = [await target(), await target(await makeIndex({}))];
    await postpone(from);
    const marked = manifestsIn(from).find(isMarked);
    const root = await to.store.resolve("1.0");
    assert.ok(marked && root);
    for (const [digest, bytes] of from.store.blobs) to.store.blobs.set(digest, bytes);
    const { mediaType, size, digest } = root.descriptor;
    to.store.addManifest({ ...marked, subject: { mediaType, size, digest } }, String(marked["mediaType"]));
    const before = requests("rekor2");
    const { outcomes } = await finish(to, await options());
    assert.equal(outcomes[0]?.finding?.code, "wrong-digest");
    assert.equal(requests("rekor2"), before);
  });

  for (const [fault, code] of [
    [{ status: 503 }, "server-error"],
    ["other-entry", "log-entry-invalid"],
    ["bad-root", "log-entry-invalid"],
    ["other-log", "log-entry-missing"],
    ["frozen", "trust-stale"],
  ] as const) {
    it(`stays missing, and nothing is stored, where the log fails: ${JSON.stringify(fault)}`, async () => {
      const where = await target();
      await postpone(where);
      const before = where.store.manifests.size;
      scene.sigstore.fail("rekor2", fault);
      const { outcomes } = await finish(where, await options());
      assert.deepEqual([outcomes[0]?.state, outcomes[0]?.finding?.code], ["failed", code]);
      assert.equal(where.store.manifests.size, before);
    });
  }

  it("is not looked for where the registry does not answer", async () => {
    const where = await target();
    await postpone(where);
    where.store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers ")) throw new CountersignError("throttled", "slow down");
      },
    };
    const finished = await finish(where, await options());
    assert.equal(finished.finding?.code, "throttled");
    assert.deepEqual(finished.outcomes, []);
  });

  it("of an image that is not there is no error of the others", async () => {
    const where = await target();
    await postpone(where);
    const gone = { image: "registry.example/app:gone", store: where.store, tag: "gone" };
    const [first, second] = await finishImages([gone, where], await options());
    assert.equal(first?.finding?.code, "not-found");
    assert.equal(second?.outcomes[0]?.state, "finished");
  });

  it("has junk beside it passed over", async () => {
    const where = await target();
    await postpone(where);
    const root = await where.store.resolve("1.0");
    const marked = manifestsIn(where).find(isMarked);
    assert.ok(root && marked);
    const { size, digest } = where.store.addBlob(Buffer.from("{}"), "application/vnd.dev.sigstore.bundle.v0.3+json");
    const layers = [{ mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", size, digest }];
    where.store.addManifest({ ...marked, layers }, String(marked["mediaType"]));
    const { outcomes } = await finish(where, await options());
    assert.deepEqual(
      outcomes.map(({ state }) => state),
      ["finished"],
    );
  });
});
