import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { kitTargets } from "../../../src/cli/kit-images.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { HEAD_TAG } from "../../../src/core/tags/names.ts";
import { requiringBinding } from "../../../src/core/verify/criterion.ts";
import { openSignedTags } from "../../../src/io/tags/client.ts";
import { loadKit } from "../../../src/ops/kit.ts";
import { readKit } from "../../../src/ops/kit-contents.ts";
import { parsePrefix, registryPlace } from "../../../src/ops/kit-place.ts";
import { carryTags, readHead } from "../../../src/ops/tags/carry.ts";
import { signTags } from "../../../src/ops/tags/sign.ts";
import { verifyImages } from "../../../src/ops/verify.ts";
import { rejectedBy } from "../../support/codes.ts";
import { makeImage, pushImage } from "../../support/images.ts";
import { entryOf, makeKit, openKit } from "../../support/kit.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { initialised, publisherOf, type TestTrust } from "../../support/tag-publisher.ts";
import { temporaryFolder } from "../../support/temp.ts";

const MIRROR = parsePrefix("mirror.example");

async function release(trust: TestTrust, tag: string): Promise<Manifest> {
  const image = await makeImage({ name: tag });
  await pushImage(trust.store, image, tag);
  await signTags(publisherOf(trust), { images: trust.store, tags: [tag] });
  trust.clock.pass(1000);
  return image.manifest;
}

async function headOf(trust: TestTrust): Promise<Manifest> {
  const head = await readHead(trust.store);
  assert.ok(head);
  return head;
}

/** A kit of one release, and the signed tags as they were then. */
async function kitOf(t: TestContext, trust: TestTrust, root: Manifest, tag: string) {
  const entries = [entryOf(trust.store, root, tag), entryOf(trust.store, await headOf(trust), HEAD_TAG)];
  const { path } = await makeKit(t, entries);
  return await readKit(await openKit(t, path));
}

/** By the real client, on a machine with a memory of its own. */
async function machine(t: TestContext, trust: TestTrust, more: { readonly location?: string } = {}) {
  const verify = await verifier(t, trust, more);
  return async (targets: ReturnType<typeof kitTargets>) => {
    const judged = await verify(targets);
    return judged.map(([verdict]) => [verdict?.status, ...(verdict?.reasons ?? []).map(({ code }) => code)]);
  };
}

async function verifier(t: TestContext, trust: TestTrust, more: { readonly location?: string } = {}) {
  const stateFolder = await temporaryFolder(t);
  return async (targets: ReturnType<typeof kitTargets>) => {
    const now = trust.clock.now();
    const pins = {
      find: async (gun: string) => (gun === trust.gun ? { ...trust.result.pin, ...more } : undefined),
      put: async () => {},
      originOf: async (name: string) => name,
    };
    const tags = {
      signedTags: openSignedTags({ pins, stateFolder, now, open: () => assert.fail("a registry was asked") }),
      isRequired: false,
      signedBy: () => Promise.reject(new Error("no binding asks for signatures here")),
    };
    const judged = await verifyImages(targets, { requirement: requiringBinding(now), tags });
    return judged.map(({ verdicts }) => verdicts);
  };
}

describe("a kit of images that were reached by signed tags", () => {
  it("holds what proves them, and is judged by it without a registry", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    const kit = await kitOf(t, trust, await release(trust, "1.0"), "1.0");
    const targets = kitTargets(kit.entries);
    assert.deepEqual(
      targets.map(({ image }) => image),
      ["registry.example/app:1.0"],
    );
    trust.store.calls.length = 0;
    const judge = await machine(t, trust);
    assert.deepEqual(await judge(targets), [["accepted"]]);
    assert.deepEqual(trust.store.calls, []);
  });

  it("asks no registry where the pin names another repository for the metadata: the kit has it", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    const kit = await kitOf(t, trust, await release(trust, "1.0"), "1.0");
    const judge = await machine(t, trust, { location: "registry.example/app-trust" });
    assert.deepEqual(await judge(kitTargets(kit.entries)), [["accepted"]]);
    const { path } = await makeKit(t, [entryOf(trust.store, await release(trust, "1.1"), "1.1")]);
    const without = await readKit(await openKit(t, path));
    assert.deepEqual(await judge(kitTargets(without.entries)), [["refused", "signed-tags-vanished"]]);
  });

  it("is refused without them where a root is pinned, and no registry is blamed for it", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    const { path } = await makeKit(t, [entryOf(trust.store, await release(trust, "1.0"), "1.0")]);
    const { entries } = await readKit(await openKit(t, path));
    const [[verdict = assert.fail()] = []] = await (await verifier(t, trust))(kitTargets(entries));
    const [reason = assert.fail()] = verdict.reasons;
    assert.deepEqual([verdict.status, reason.code], ["refused", "signed-tags-vanished"]);
    assert.match(reason.message, /^the kit has no signed tags of registry\.example\/app/);
    assert.match(reason.next ?? "", /countersign save/);
  });

  it("is a rollback where a newer one was there before, also for what it has not got", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    const first = await release(trust, "1.0");
    const old = await kitOf(t, trust, first, "1.0");
    const newer = await kitOf(t, trust, await release(trust, "1.1"), "1.1");
    const judge = await machine(t, trust);
    assert.deepEqual(await judge(kitTargets(newer.entries)), [["accepted"]]);
    assert.deepEqual(await judge(kitTargets(old.entries)), [["refused", "rollback"]]);
  });

  it("is refused where it lacks the metadata, or has an image that no tag was signed for", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    const root = await release(trust, "1.0");
    const { path } = await makeKit(t, [entryOf(trust.store, root, "1.0")]);
    const bare = await readKit(await openKit(t, path));
    const judge = await machine(t, trust);
    assert.deepEqual(await judge(kitTargets(bare.entries)), [["refused", "signed-tags-vanished"]]);
    const other = await makeImage({ name: "something else" });
    await pushImage(trust.store, other, "1.0");
    const swapped = await kitOf(t, trust, other.manifest, "1.0");
    assert.deepEqual(await judge(kitTargets(swapped.entries)), [["refused", "binding-mismatch"]]);
  });

  it("brings the metadata to the registry that it is loaded to, and takes nobody back", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    const kit = await kitOf(t, trust, await release(trust, "1.0"), "1.0");
    const mirror = new MemoryStore("registry", "mirror.example/app");
    const images = kit.entries.map(({ image }) => image);
    const load = () => loadKit({ entries: kit.entries, place: registryPlace(MIRROR, images, async () => mirror) });
    await load();
    // The metadata first: an image gets its name where it can be reached by it.
    assert.deepEqual([...mirror.names.keys()], [HEAD_TAG, "1.0"]);
    assert.equal((await readHead(mirror))?.descriptor.digest, (await headOf(trust)).descriptor.digest);
    await release(trust, "1.1");
    await carryTags({ source: trust.store, target: mirror });
    const again = await load();
    assert.equal((await readHead(mirror))?.descriptor.digest, (await headOf(trust)).descriptor.digest);
    const notes = again.filter((_, at) => kit.entries[at]?.image.tag === "1.0").flatMap((copy) => copy.notes);
    assert.match(notes.join(), /the signed tags of registry.example\/app stayed behind: .* has newer ones/);
  });

  it("brings no metadata of a repository of which it has no image: nothing would prove it before it is there", async (t) => {
    const trust = await initialised({ store: new MemoryStore("registry", "registry.example/app") });
    const head = entryOf(trust.store, await headOf(trust), HEAD_TAG);
    const other = new MemoryStore("registry", "registry.example/other");
    const image = await makeImage({ name: "another repository's" });
    await pushImage(other, image, "1.0");
    await rejectedBy(() => makeKit(t, [entryOf(other, image.manifest, "1.0"), head]), "layout-invalid");
    await rejectedBy(() => makeKit(t, [head]), "layout-invalid");
  });
});
