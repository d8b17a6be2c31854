import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { CountersignError } from "../../src/core/errors.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import type { Manifest } from "../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import type { OnTransfer } from "../../src/core/ports.ts";
import { layerDigesters } from "../../src/io/disk/decompress.ts";
import { layoutDestination } from "../../src/io/layout/destination.ts";
import { openLayout } from "../../src/io/layout/open.ts";
import { openRegistry } from "../../src/io/registry/store.ts";
import { copyImage } from "../../src/ops/copy.ts";
import { taggedDestination } from "../../src/ops/destination.ts";
import { type PullResult, pullImage } from "../../src/ops/pull.ts";
import { type Registry, startRegistry } from "../../src/testbed/registry.ts";
import { rejectedBy } from "../support/codes.ts";
import { MemoryStore } from "../support/memory-store.ts";
import { openTestStore } from "../support/registry-client.ts";
import { addImage, addIndex, gzipLayer, plainLayer, type SampleLayer } from "../support/sample-image.ts";
import { temporaryFolder } from "../support/temp.ts";

const REPOSITORY = "acme/app";
const TEST_SURROUNDINGS = { env: {}, homeDirectory: "/nonexistent", certificateFolders: [] };
const run = promisify(execFile);

interface Scene {
  readonly registry: Registry;
  readonly folder: string;
  readonly layout: string;
}

async function scene(t: TestContext): Promise<Scene> {
  const registry = await startRegistry();
  t.after(() => registry.close());
  const folder = await temporaryFolder(t);
  return { registry, folder, layout: join(folder, "out") };
}

/** Moves what a memory store holds into the registry, unchecked: also what is wrong. */
function publish({ registry }: Scene, store: MemoryStore, tag: string): void {
  for (const bytes of store.blobs.values()) registry.control.putBlob(REPOSITORY, bytes);
  for (const { bytes, mediaType } of store.manifests.values()) {
    registry.control.putManifest(REPOSITORY, bytes, mediaType, tag);
  }
}

function publishImage(on: Scene, layers: readonly SampleLayer[]): Manifest {
  const store = new MemoryStore();
  const root = addImage(store, layers);
  publish(on, store, "1");
  return root;
}

interface PullOptions {
  readonly signal?: AbortSignal;
  readonly onTransfer?: OnTransfer;
  readonly maxWorkers?: number;
}

async function pull(t: TestContext, on: Scene, options: PullOptions = {}): Promise<PullResult> {
  const source = openTestStore(on.registry.address, { signal: options.signal });
  t.after(() => source.close());
  const root = await source.resolve("1");
  assert.ok(root !== undefined);
  const location = { kind: "oci-layout", path: on.layout } as const;
  const destination = await layoutDestination(location, { signal: options.signal });
  return pullImage({ ...options, source, root, destination, openLayerDigester: layerDigesters() });
}

describe("A pull from a registry into a layout", () => {
  it("brings an index with all its platforms, and the copy back into a registry is the same", async (t) => {
    const on = await scene(t);
    const store = new MemoryStore();
    const children = [addImage(store, [gzipLayer(randomBytes(300_000)), plainLayer()]), addImage(store, [gzipLayer()])];
    const root = addIndex(store, children);
    publish(on, store, "1");
    const result = await pull(t, on);
    assert.equal(result.root.digest, root.descriptor.digest);
    const layout = await openLayout({ kind: "oci-layout", path: on.layout }, { mode: "read" });
    t.after(() => layout.close());
    const second = await startRegistry();
    t.after(() => second.close());
    const target = openTestStore(second.address);
    t.after(() => target.close());
    const read = await layout.resolve(root.descriptor.digest);
    assert.ok(read !== undefined);
    await copyImage({ source: layout, root: read, destination: taggedDestination(target, "2") });
    assert.equal(second.control.tags(REPOSITORY).get("2"), root.descriptor.digest);
    assert.deepEqual(new Set(second.control.blobs(REPOSITORY)), new Set(on.registry.control.blobs(REPOSITORY)));
  });

  it("within one registry is a mount: a layer never comes here", async (t) => {
    const on = await scene(t);
    const large = gzipLayer(randomBytes(300_000));
    const layer = digestOf(large.bytes);
    const root = publishImage(on, [large]);
    const source = openTestStore(on.registry.address);
    const target = openRegistry(parseReference(`${on.registry.address}/mirror/app:1`), TEST_SURROUNDINGS);
    t.after(async () => {
      await source.close();
      await target.close();
    });
    await copyImage({ source, root, destination: taggedDestination(target, "1") });
    assert.equal(on.registry.control.tags("mirror/app").get("1"), root.descriptor.digest);
    const fetched = on.registry.requests.filter(({ method, path }) => method === "GET" && path.endsWith(layer));
    assert.deepEqual(fetched, []);
  });

  it("leaves nothing at all of an image with a wrong diff_id", async (t) => {
    const on = await scene(t);
    publishImage(on, [gzipLayer(), { ...gzipLayer(randomBytes(200_000)), diffId: digestOf(Buffer.from("other")) }]);
    await rejectedBy(() => pull(t, on), "layer-invalid");
    assert.deepEqual(await readdir(on.folder), []);
  });

  it("leaves nothing at all of an image with an altered layer", async (t) => {
    const on = await scene(t);
    const layer = gzipLayer(randomBytes(200_000));
    publishImage(on, [gzipLayer(), layer]);
    const altered = Buffer.from(layer.bytes);
    altered[100_000] = (altered[100_000] ?? 0) ^ 4;
    on.registry.control.replaceBytes(digestOf(layer.bytes), altered);
    await rejectedBy(() => pull(t, on), "digest-mismatch");
    assert.deepEqual(await readdir(on.folder), []);
  });

  it("interrupted, is resumed: whole blobs are not fetched again, and a half one from where it stopped", async (t) => {
    const on = await scene(t);
    const whole = gzipLayer(randomBytes(2_000_000));
    const half = gzipLayer(randomBytes(1_900_000));
    publishImage(on, [whole, half]);
    const abort = new AbortController();
    const [wholeDigest, halfDigest] = [digestOf(whole.bytes), digestOf(half.bytes)];
    const interrupted = pull(t, on, {
      signal: abort.signal,
      maxWorkers: 1,
      onTransfer: ({ digest, bytes }) => {
        if (digest === halfDigest && bytes > 900_000) abort.abort(new CountersignError("interrupted", "on purpose"));
      },
    });
    await rejectedBy(() => interrupted, "interrupted");
    assert.deepEqual(await readdir(on.folder), [".out.countersign-partial"]);
    on.registry.restart();
    await pull(t, on);
    assert.deepEqual(await readdir(on.folder), ["out"]);
    const blobRequests = on.registry.requests.filter(({ path }) => path.includes("/blobs/"));
    assert.equal(blobRequests.filter(({ path }) => path.endsWith(wholeDigest)).length, 0);
    const [resumed, ...others] = blobRequests.filter(({ path }) => path.endsWith(halfDigest));
    assert.deepEqual(others, []);
    assert.match(String(resumed?.headers.range), /^bytes=[1-9][0-9]+-/);
    assert.equal(resumed?.status, 206);
  });

  it("that was resumed still checks the diff_id of what came in two parts", async (t) => {
    const on = await scene(t);
    const layer = { ...gzipLayer(randomBytes(1_900_000)), diffId: digestOf(Buffer.from("other")) };
    publishImage(on, [layer]);
    const abort = new AbortController();
    const interrupted = pull(t, on, {
      signal: abort.signal,
      onTransfer: ({ what, bytes }) => {
        if (what === "layer" && bytes > 900_000) abort.abort(new CountersignError("interrupted", "on purpose"));
      },
    });
    await rejectedBy(() => interrupted, "interrupted");
    await rejectedBy(() => pull(t, on), "layer-invalid");
    assert.deepEqual(await readdir(on.folder), []);
  });

  it("reports a disk that fails under it, and the next pull works", async (t) => {
    const on = await scene(t);
    publishImage(on, [gzipLayer(randomBytes(900_000)), gzipLayer()]);
    const failing = pull(t, on, {
      maxWorkers: 1,
      // At once: nobody waits for what this starts. A file that is just being made there is removed by another try.
      onTransfer: ({ state }) => {
        if (state !== "progress") return;
        rmSync(join(on.folder, ".out.countersign-partial"), {
          recursive: true,
          force: true,
          maxRetries: 5,
          retryDelay: 10,
        });
      },
    });
    await rejectedBy(() => failing, "disk-error");
    await rm(join(on.folder, ".out.countersign-partial"), { recursive: true, force: true });
    await pull(t, on);
    assert.deepEqual(await readdir(on.folder), ["out"]);
  });

  it("refuses a destination that exists, and leaves it alone", async (t) => {
    const on = await scene(t);
    publishImage(on, [gzipLayer()]);
    await pull(t, on);
    const before = await readdir(on.layout, { recursive: true });
    await rejectedBy(() => pull(t, on), "destination-exists");
    assert.deepEqual(await readdir(on.layout, { recursive: true }), before);
  });

  it("needs less memory than the layer is large", { timeout: 60_000 }, async (t) => {
    const on = await scene(t);
    const size = 300 << 20;
    const tar = Buffer.alloc(size, randomBytes(1 << 20));
    const layer = { bytes: gzipSync(tar, { level: 0 }), mediaType: MEDIA_TYPES.ociLayerGzip, diffId: digestOf(tar) };
    publishImage(on, [layer]);
    const script = fileURLToPath(new URL("../support/pull-once.ts", import.meta.url));
    const args = ["--max-old-space-size=64", script, on.registry.address, "1", on.layout];
    const { stdout } = await run(process.execPath, args);
    const { movedBytes, peakBytes } = JSON.parse(stdout) as { movedBytes: number; peakBytes: number };
    assert.ok(movedBytes > size);
    assert.ok(peakBytes < 256 << 20, `${peakBytes >> 20} MiB`);
  });
});
