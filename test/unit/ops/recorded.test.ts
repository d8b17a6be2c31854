import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseRecorded } from "../../../src/core/cases/parse-recorded.ts";
import { formatRecorded, type RecordedImage } from "../../../src/core/cases/recorded.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { resolveType } from "../../../src/core/formats/predicates.ts";
import { instant } from "../../../src/core/time.ts";
import type { Requirement } from "../../../src/core/verify/requirement.ts";
import { openRecorded, recordImage } from "../../../src/ops/recorded.ts";
import { keySignatory, signImage } from "../../../src/ops/sign.ts";
import { type Target, verifyImage } from "../../../src/ops/verify.ts";
import { makeImage, makeIndex, pushImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { requirementOf, testSigner } from "../../support/signatures.ts";

const alice = testSigner("alice.pub");
const bob = testSigner("bob.pub");
const now = instant(Date.UTC(2026, 0, 1, 12, 0, 0, 123));

function again(recorded: RecordedImage): ReturnType<typeof openRecorded> {
  return openRecorded(parseRecorded(formatRecorded(recorded), "evidence.json"), "case");
}

/** What a judge says of an image as it lies in a store, and of what was recorded of it. */
async function bothVerdicts(target: Target, requirement: Requirement) {
  const [live] = (await verifyImage(target, { requirement })).verdicts;
  const { target: copy, source } = again(await recordImage(target, { now }));
  const [recorded] = (await verifyImage(copy, { requirement, sources: [source] })).verdicts;
  const essence = ({ status, reasons }: NonNullable<typeof live>) => ({ status, reasons });
  assert.ok(live !== undefined && recorded !== undefined);
  return [essence(live), essence(recorded)] as const;
}

async function signed(by = [alice], format: "bundle" | "cosign-legacy" = "bundle"): Promise<Target> {
  const store = new MemoryStore();
  await pushImage(store, await makeImage(), "1");
  for (const signer of by) {
    const target = { image: "app:1", store, tag: "1" };
    await signImage(target, {
      signatory: keySignatory(signer),
      formats: [format],
      annotations: {},
      createdAt: now,
      now,
    });
  }
  return { image: "app:1", store, tag: "1" };
}

describe("evidence that was recorded", () => {
  it("is judged as the image itself: signed, by another, by too few, in either form, not at all", async () => {
    const targets = [
      await signed(),
      await signed([bob]),
      await signed([alice, bob]),
      await signed([]),
      await signed([alice], "cosign-legacy"),
    ];
    const requirements = [
      requirementOf([alice]),
      requirementOf([alice, bob], { threshold: 2 }),
      requirementOf([alice], { annotations: { env: "prod" } }),
      requirementOf([alice], { attestation: { predicateTypes: resolveType("slsaprovenance1"), conditions: [] } }),
    ];
    const seen = new Set<string>();
    for (const target of targets) {
      for (const requirement of requirements) {
        const [live, recorded] = await bothVerdicts(target, requirement);
        assert.deepEqual(recorded, live);
        seen.add(live.status);
      }
    }
    assert.deepEqual([...seen].toSorted(), ["accepted", "refused"]);
  });

  it("that could not be read stays what could not be read: undetermined, never unsigned", async () => {
    const target = await signed();
    (target.store as MemoryStore).misbehaviour = {
      before: (call) => {
        if (call.startsWith("referrers ")) throw new Error("broken");
      },
    };
    const [live, recorded] = await bothVerdicts(target, requirementOf([alice]));
    assert.equal(live.status, "undetermined");
    assert.equal(recorded.status, "undetermined");
    assert.deepEqual(recorded.reasons, live.reasons);
  });

  it("is the same record in whatever order a store answers", async () => {
    const target = await signed([alice, bob]);
    const one = await recordImage(target, { now });
    const store = target.store as MemoryStore;
    const turned = new MemoryStore();
    for (const [digest, manifest] of [...store.manifests].toReversed()) turned.manifests.set(digest, manifest);
    for (const [digest, blob] of store.blobs) turned.blobs.set(digest, blob);
    for (const [name, digest] of store.names) turned.names.set(name, digest);
    const other = await recordImage({ ...target, store: turned }, { now });
    assert.deepEqual(Buffer.from(formatRecorded(other)), Buffer.from(formatRecorded(one)));
  });

  it("is of whole seconds, as the file says it", async () => {
    assert.equal((await recordImage(await signed(), { now })).recordedAt % 1000, 0);
  });

  it("has a subject for every manifest of an index, and only the index where that is enough", async () => {
    const store = new MemoryStore();
    await pushImage(store, await makeIndex(), "1");
    const target = { image: "app:1", store, tag: "1" };
    assert.equal((await recordImage(target, { now })).subjects.length, 4);
    assert.equal((await recordImage(target, { now, isShallow: true })).subjects.length, 1);
  });

  it("of a manifest that was not recorded is an obstacle, never an absence", async () => {
    const store = new MemoryStore();
    await pushImage(store, await makeIndex(), "1");
    const recorded = await recordImage({ image: "app:1", store, tag: "1" }, { now, isShallow: true });
    const { target, source } = again(recorded);
    const options = { requirement: requirementOf([alice]), sources: [source], recursive: true };
    const verdicts = (await verifyImage(target, options)).verdicts;
    assert.deepEqual(
      verdicts.map(({ status, reasons: [reason] }) => `${status} ${reason?.code}`),
      ["refused unsigned", ...Array.from({ length: 3 }, () => "undetermined not-found")],
    );
  });

  it("falls under the rules of its name: a tag that was given beside a digest is not kept", async () => {
    const target = await signed();
    const digest = (await target.store.resolve("1"))?.descriptor.digest;
    assert.equal((await recordImage(target, { now })).tag, "1");
    assert.equal((await recordImage({ ...target, digest }, { now })).tag, undefined);
    const named = { ...target, ruledAs: { repository: "registry.example.com/other", tag: "2" } };
    const { repository, tag } = await recordImage(named, { now });
    assert.deepEqual([repository, tag], ["registry.example.com/other", "2"]);
  });

  it("can be written to in no way, and has no content", async () => {
    const { target } = again(await recordImage(await signed(), { now }));
    const manifest = await target.store.resolve("1");
    assert.ok(manifest?.kind === "image");
    const [layer] = manifest.layers;
    assert.ok(layer);
    await assert.rejects(target.store.pushManifest(manifest), { code: "unsupported" });
    await assert.rejects(target.store.readBlob(layer, 1), { code: "not-found" });
    assert.equal(await target.store.resolve("another"), undefined);
    assert.equal(await target.store.hasBlob(layer), false);
  });

  it("candidates that are junk are kept as they are", async () => {
    const recorded = await recordImage(await signed(), { now });
    const junk: UntrustedCandidate = { format: "bundle", origin: { via: "file" }, bytes: Uint8Array.of(0, 255) };
    const [first] = recorded.subjects;
    assert.ok(first);
    const { source } = again({ ...recorded, subjects: [{ ...first, candidates: [junk] }] });
    for await (const page of source.look(first.digest)) assert.deepEqual(page.candidates, [junk]);
  });
});
