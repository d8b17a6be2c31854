import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import { type ImageManifest, type Manifest, parseManifest } from "../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import type { TransferEvent } from "../../../src/core/ports.ts";
import { layerDigesters } from "../../../src/io/disk/decompress.ts";
import { type PullResult, pullImage } from "../../../src/ops/pull.ts";
import { rejectedBy } from "../../support/codes.ts";
import { MemoryDestination, MemoryStore } from "../../support/memory-store.ts";
import { addImage, addIndex, gzipLayer, plainLayer, type SampleLayer } from "../../support/sample-image.ts";

interface Scene {
  readonly source: MemoryStore;
  readonly destination: MemoryDestination;
  readonly events: TransferEvent[];
}

function scene(): Scene {
  return { source: new MemoryStore(), destination: new MemoryDestination(), events: [] };
}

function pull({ source, destination, events }: Scene, root: Manifest, maxWorkers?: number): Promise<PullResult> {
  return pullImage({
    source,
    root,
    destination,
    openLayerDigester: layerDigesters(),
    onTransfer: (event) => events.push(event),
    maxWorkers,
  });
}

function image(manifest: Manifest): ImageManifest {
  assert.ok(manifest.kind === "image");
  return manifest;
}

/** The only layer of an image. */
function layerOf(manifest: Manifest): Digest {
  const [layer] = image(manifest).layers;
  assert.ok(layer !== undefined);
  return layer.digest;
}

function assertNothingLeft({ destination }: Scene): void {
  assert.deepEqual(destination.ends, ["discard"]);
  assert.equal(destination.store.blobs.size + destination.store.manifests.size, 0);
}

describe("Pulling an image", () => {
  it("brings its manifest, configuration and layers, the manifest last, and commits once", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer(), plainLayer()]);
    const result = await pull(on, root);
    assert.deepEqual(on.destination.ends, ["commit"]);
    assert.deepEqual(new Set(on.destination.store.blobs.keys()), new Set(on.source.blobs.keys()));
    assert.deepEqual(on.destination.store.manifests.get(root.descriptor.digest)?.bytes, root.bytes);
    const writes = on.destination.store.calls.filter((call) => call.startsWith("push"));
    assert.equal(writes.at(-1), `pushManifest ${root.descriptor.digest}`);
    assert.deepEqual([result.blobs, result.manifests, result.notChecked], [3, 1, []]);
  });

  it("asks the source by digest only, each thing once", async () => {
    const on = scene();
    const shared = gzipLayer();
    const root = addIndex(on.source, [
      addImage(on.source, [shared, gzipLayer(), shared]),
      addImage(on.source, [shared, gzipLayer()]),
    ]);
    on.source.calls.length = 0;
    await pull(on, root);
    assert.deepEqual(on.source.callsOf("resolve"), []);
    assert.equal(on.source.callsOf("manifest").length, 2);
    assert.equal(on.source.callsOf("openBlob").length, 5);
    assert.equal(new Set(on.source.calls).size, on.source.calls.length);
  });

  it("stores the manifests of an index before the index, however they are nested", async () => {
    const on = scene();
    const [first, second] = [addImage(on.source, [gzipLayer()]), addImage(on.source, [gzipLayer()])];
    const inner = addIndex(on.source, [first, second]);
    const root = addIndex(on.source, [second, inner]);
    await pull(on, root);
    const order = on.destination.store.callsOf("pushManifest");
    assert.deepEqual(new Set(order.slice(0, 2)), new Set([first.descriptor.digest, second.descriptor.digest]));
    assert.deepEqual(order.slice(2), [inner.descriptor.digest, root.descriptor.digest]);
  });

  it("reports progress that ends at the total of every blob", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer(randomBytes(300_000))]);
    await pull(on, root);
    const layer = on.events.filter((event) => event.digest === layerOf(root));
    assert.equal(layer[0]?.state, "started");
    assert.equal(layer.at(-1)?.state, "done");
    assert.equal(layer.at(-1)?.bytes, layer.at(-1)?.total);
    const bytes = layer.filter((event) => event.state === "progress").map((event) => event.bytes);
    assert.deepEqual(
      bytes,
      bytes.toSorted((a, b) => a - b),
    );
  });

  it("takes an image without layers, whose configuration lists null as Go writes it", async () => {
    const on = scene();
    const config = { architecture: "amd64", os: "linux", rootfs: { type: "layers", diff_ids: null } };
    await pull(on, addImage(on.source, [], { config }));
    assert.deepEqual(on.destination.ends, ["commit"]);
  });

  it("takes user labels that differ only in case, in the configuration", async () => {
    const on = scene();
    const layer = gzipLayer();
    const labels = { Rootfs: "x", rootfs: "y", ROOTFS: "z" };
    const config = { config: { Labels: labels }, rootfs: { type: "layers", diff_ids: [layer.diffId] } };
    await pull(on, addImage(on.source, [layer], { config }));
    assert.deepEqual(on.destination.ends, ["commit"]);
  });

  it("says that an artifact's layers have no diff_ids", async () => {
    const on = scene();
    const layer = { ...plainLayer(), mediaType: "application/vnd.example.chart" };
    const result = await pull(on, addImage(on.source, [layer], { configType: "application/vnd.example.config+json" }));
    assert.deepEqual(result.notChecked, ["layer contents (an artifact has no diff_ids)"]);
  });

  it("says which layers of an image it cannot read", async () => {
    const on = scene();
    const encrypted = { ...plainLayer(), mediaType: `${MEDIA_TYPES.ociLayerGzip}+encrypted` };
    const result = await pull(on, addImage(on.source, [gzipLayer(), encrypted]));
    assert.deepEqual(result.notChecked, [`contents of ${encrypted.mediaType}`]);
  });

  it("says that layers were not opened where no digester was handed in", async () => {
    const on = scene();
    const root = addImage(on.source, [{ ...gzipLayer(), diffId: digestOf(Buffer.from("another")) }]);
    const result = await pullImage({ source: on.source, root, destination: on.destination });
    assert.deepEqual(result.notChecked, ["layer contents (diff_ids)"]);
  });

  it("takes zstd layers of several frames and gzip layers of several members", async () => {
    const on = scene();
    const parts = [randomBytes(90_000), randomBytes(90_000)];
    const diffId = digestOf(Buffer.concat(parts));
    const zstd = Buffer.concat(parts.map((part) => zstdCompressSync(part)));
    const gzip = Buffer.concat(parts.map((part) => gzipSync(part)));
    const layers = [
      { bytes: zstd, mediaType: MEDIA_TYPES.ociLayerZstd, diffId },
      { bytes: gzip, mediaType: MEDIA_TYPES.dockerLayerGzip, diffId },
    ];
    await pull(on, addImage(on.source, layers));
    assert.deepEqual(on.destination.ends, ["commit"]);
  });

  it("moves at most as many blobs at a time as it is told", async () => {
    for (const workers of [1, 3]) {
      const on = scene();
      const root = addImage(
        on.source,
        Array.from({ length: 9 }, () => gzipLayer()),
      );
      let [running, most] = [0, 0];
      on.source.misbehaviour = {
        async *chunks(_digest, chunks) {
          most = Math.max(most, ++running);
          yield* chunks;
          running--;
        },
      };
      await pull(on, root, workers);
      assert.equal(most, workers);
    }
  });
});

describe("What arrives altered is refused and leaves nothing behind", () => {
  const flip = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) {
      const copy = Buffer.from(chunk);
      copy[Math.floor(copy.byteLength / 2)] = (copy[Math.floor(copy.byteLength / 2)] ?? 0) ^ 1;
      yield copy;
    }
  };
  const truncate = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for await (const chunk of chunks) yield chunk.subarray(0, -1);
  };
  const extend = async function* (chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    yield* chunks;
    yield new Uint8Array(1);
  };

  for (const [name, change, code] of [
    ["flipped", flip, "digest-mismatch"],
    ["truncated", truncate, "size-mismatch"],
    ["extended", extend, "size-mismatch"],
  ] as const) {
    for (const what of ["layer", "config"] as const) {
      it(`a ${name} ${what}: ${code}, though it does not decompress either`, async () => {
        const on = scene();
        const root = addImage(on.source, [gzipLayer(), gzipLayer()]);
        const altered = what === "layer" ? image(root).layers[1]?.digest : image(root).config.digest;
        on.source.misbehaviour = { chunks: (digest, chunks) => (digest === altered ? change(chunks) : chunks) };
        await rejectedBy(() => pull(on, root), code);
        assertNothingLeft(on);
      });
    }
  }

  it("a manifest in an index that is not the one that the index names", async () => {
    const on = scene();
    const [child, other] = [addImage(on.source, [gzipLayer()]), addImage(on.source, [gzipLayer()])];
    const root = addIndex(on.source, [child]);
    on.source.manifests.set(child.descriptor.digest, {
      bytes: other.bytes,
      mediaType: MEDIA_TYPES.ociManifest,
    });
    await rejectedBy(() => pull(on, root), "digest-mismatch");
    assertNothingLeft(on);
  });
});

describe("A layer that is not what the configuration says is refused", () => {
  const tar = randomBytes(200_000);
  const diffId = digestOf(tar);
  const gzip = gzipSync(tar);
  const layers: Readonly<Record<string, SampleLayer>> = {
    "gzip that decompresses to something else": { ...gzipLayer(), diffId },
    "zstd that decompresses to something else": {
      bytes: zstdCompressSync(randomBytes(10)),
      mediaType: MEDIA_TYPES.ociLayerZstd,
      diffId,
    },
    "uncompressed and something else": { ...plainLayer(), diffId },
    "gzip with something behind it": {
      bytes: Buffer.concat([gzip, Buffer.from("more")]),
      mediaType: MEDIA_TYPES.ociLayerGzip,
      diffId,
    },
    "gzip cut short by the publisher": { bytes: gzip.subarray(0, -20), mediaType: MEDIA_TYPES.ociLayerGzip, diffId },
    "a plain tar under the type of gzip": { bytes: tar, mediaType: MEDIA_TYPES.ociLayerGzip, diffId },
    "gzip under the type of a plain tar": { bytes: gzip, mediaType: MEDIA_TYPES.ociLayer, diffId },
    "the first of two zstd frames only": {
      bytes: Buffer.concat([zstdCompressSync(tar), zstdCompressSync("hidden")]),
      mediaType: MEDIA_TYPES.ociLayerZstd,
      diffId,
    },
  };
  for (const [name, layer] of Object.entries(layers)) {
    it(name, async () => {
      const on = scene();
      await rejectedBy(() => pull(on, addImage(on.source, [gzipLayer(), layer])), "layer-invalid");
      assertNothingLeft(on);
    });
  }

  it("in any of an index's manifests", async () => {
    const on = scene();
    const children = [addImage(on.source, [gzipLayer()]), addImage(on.source, [{ ...gzipLayer(), diffId }])];
    await rejectedBy(() => pull(on, addIndex(on.source, children)), "layer-invalid");
    assertNothingLeft(on);
  });

  it("when it was at the destination already", async () => {
    const on = scene();
    const layer = { ...gzipLayer(), diffId };
    on.destination.store.addBlob(layer.bytes, layer.mediaType);
    await rejectedBy(() => pull(on, addImage(on.source, [layer])), "layer-invalid");
  });

  it("when only its end was fetched, the rest being there from an earlier run", async () => {
    const on = scene();
    const layer = { ...gzipLayer(randomBytes(50_000)), diffId };
    on.destination.store.partial.set(digestOf(layer.bytes), layer.bytes.subarray(0, 20_000));
    await rejectedBy(() => pull(on, addImage(on.source, [layer])), "layer-invalid");
  });

  it("when two images give one blob different contents", async () => {
    const on = scene();
    const layer = gzipLayer();
    const children = [addImage(on.source, [layer]), addImage(on.source, [{ ...layer, diffId }])];
    await rejectedBy(() => pull(on, addIndex(on.source, children)), "layer-invalid");
    assertNothingLeft(on);
  });

  it("a bomb ends at its limit", async () => {
    const on = scene();
    const bomb = zstdCompressSync(Buffer.alloc(64 << 20));
    const layer = { bytes: bomb, mediaType: MEDIA_TYPES.ociLayerZstd, diffId };
    await rejectedBy(() => pull(on, addImage(on.source, [layer])), "decompression-bomb");
    assertNothingLeft(on);
  });

  for (const count of [0, 2]) {
    it(`a configuration of ${count} layers for a manifest of one`, async () => {
      const on = scene();
      const config = { rootfs: { type: "layers", diff_ids: Array.from({ length: count }, () => diffId) } };
      await rejectedBy(() => pull(on, addImage(on.source, [gzipLayer()], { config })), "layer-invalid");
      assert.deepEqual(on.destination.ends, ["discard"]);
    });
  }
});

describe("A configuration that tools could read in two ways is refused", () => {
  const layer = gzipLayer();
  const good = { type: "layers", diff_ids: [layer.diffId] };
  for (const [name, config] of Object.entries({
    "no rootfs": { os: "linux" },
    "a second rootfs in another case": { rootfs: good, RootFS: good },
    "diff_ids in another case": { rootfs: { ...good, Diff_IDs: [] } },
    "another kind of rootfs": { rootfs: { ...good, type: "layers+base" } },
    "diff_ids that are no list": { rootfs: { ...good, diff_ids: layer.diffId } },
    "a diff_id that is no digest": { rootfs: { ...good, diff_ids: ["sha256:abc"] } },
    "a diff_id that is no text": { rootfs: { ...good, diff_ids: [1] } },
    "no object": [],
  })) {
    it(name, async () => {
      const on = scene();
      await rejectedBy(() => pull(on, addImage(on.source, [layer], { config })), "manifest-invalid");
      assertNothingLeft(on);
    });
  }

  it("a configuration beyond the limit is not read", async () => {
    const on = scene();
    const root = addImage(on.source, [layer]);
    const json = JSON.parse(Buffer.from(root.bytes).toString());
    json.config.size = LIMITS.configBytes + 1;
    await rejectedBy(() => pull(on, on.source.addManifest(json, MEDIA_TYPES.ociManifest)), "limit-reached");
    assertNothingLeft(on);
  });

  it("one digest described with two sizes", async () => {
    const on = scene();
    const json = JSON.parse(Buffer.from(addImage(on.source, [layer, layer]).bytes).toString());
    json.layers[1].size++;
    await rejectedBy(() => pull(on, on.source.addManifest(json, MEDIA_TYPES.ociManifest)), "manifest-invalid");
    assertNothingLeft(on);
  });
});

describe("What is missing or fails on the way", () => {
  it("a missing layer is not-found, and nothing is committed", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer(), gzipLayer()]);
    on.source.blobs.delete(layerOf(root));
    await rejectedBy(() => pull(on, root), "not-found");
    assert.deepEqual(on.destination.ends, ["suspend"]);
  });

  it("a missing child of an index is not-found", async () => {
    const on = scene();
    const child = addImage(on.source, [gzipLayer()]);
    const root = addIndex(on.source, [child]);
    on.source.manifests.delete(child.descriptor.digest);
    await rejectedBy(() => pull(on, root), "not-found");
  });

  it("a non-distributable layer is looked for in the registry and nowhere else", async () => {
    const on = scene();
    const type = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
    const held = addImage(on.source, [{ ...gzipLayer(), mediaType: type }]);
    await pull(on, held);
    assert.deepEqual(on.destination.ends, ["commit"]);
    on.source.blobs.delete(layerOf(held));
    on.destination.store.blobs.clear();
    const error = await rejectedBy(() => pull(on, held), "not-found");
    assert.match(error.message, /may not be distributed/);
  });

  for (const code of ["unreachable", "timeout", "throttled", "interrupted", "credentials-missing"] as const) {
    it(`${code} keeps what there is for the next run`, async () => {
      const on = scene();
      const root = addImage(on.source, [gzipLayer()]);
      on.source.misbehaviour = {
        before: (call) => {
          if (call.startsWith(`openBlob ${layerOf(root)}`)) throw new CountersignError(code, "on purpose");
        },
      };
      await rejectedBy(() => pull(on, root), code);
      assert.deepEqual(on.destination.ends, ["suspend"]);
    });
  }

  it("a full disk is not kept full", async () => {
    const on = scene();
    const layers = [gzipLayer(randomBytes(400_000)), gzipLayer(randomBytes(300_000))];
    const root = addImage(on.source, layers);
    const last = image(root).layers[1]?.digest;
    on.destination.store.misbehaviour = {
      before: (call) => {
        if (call === `write ${last}`) throw new CountersignError("disk-error", "no space left on the disk");
      },
    };
    await rejectedBy(() => pull(on, root, 1), "disk-error");
    assertNothingLeft(on);
  });

  it("a defect keeps nothing, and is reported as it is", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    on.source.misbehaviour = {
      before: () => {
        throw new TypeError("a defect");
      },
    };
    await assert.rejects(pull(on, root), TypeError);
    assertNothingLeft(on);
  });

  it("an interrupted pull is resumed and fetches only what is missing", async () => {
    const on = scene();
    const layers = [gzipLayer(randomBytes(400_000)), gzipLayer(randomBytes(300_000)), gzipLayer(randomBytes(200_000))];
    const root = addImage(on.source, layers);
    const [first, second] = image(root).layers.map((layer) => layer.digest);
    let writes = 0;
    on.destination.store.misbehaviour = {
      before: (call) => {
        if (call === `write ${second}` && ++writes === 3) throw new CountersignError("interrupted", "on purpose");
      },
    };
    await rejectedBy(() => pull(on, root, 1), "interrupted");
    assert.deepEqual(on.destination.ends, ["suspend"]);
    on.destination.store.misbehaviour = {};
    on.source.calls.length = 0;
    await pull(on, root, 1);
    assert.deepEqual(on.destination.ends, ["suspend", "commit"]);
    assert.deepEqual(
      on.source.callsOf("openBlob").filter((call) => call.startsWith(`${first}`)),
      [],
    );
    assert.ok(on.source.callsOf("openBlob").includes(`${second} ${2 * on.source.chunkBytes}`));
    assert.ok(on.events.some((event) => event.digest === second && event.state === "resumed"));
  });

  it("a failing commit leaves nothing committed", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    on.destination.store.misbehaviour = {
      before: (call) => {
        if (call.startsWith("commit")) throw new CountersignError("destination-exists", "on purpose");
      },
    };
    await rejectedBy(() => pull(on, root), "destination-exists");
    assertNothingLeft(on);
  });

  it("a cleanup that fails too does not hide what went wrong first", async () => {
    const on = scene();
    const root = addImage(on.source, [{ ...gzipLayer(), diffId: digestOf(randomBytes(3)) }]);
    on.destination.discard = async () => {
      throw new CountersignError("disk-error", "on purpose");
    };
    await rejectedBy(() => pull(on, root), "layer-invalid");
  });

  it("one worker's failure ends the others at once, even those whose source is stuck", {
    timeout: 30_000,
  }, async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer(randomBytes(300_000)), gzipLayer(randomBytes(200_000))]);
    const [stuck, broken] = image(root).layers.map((layer) => layer.digest);
    on.source.misbehaviour = {
      async *chunks(digest, chunks) {
        for await (const chunk of chunks) {
          yield chunk;
          if (digest === stuck) await new Promise<void>(() => {});
          if (digest === broken) throw new CountersignError("unreachable", "on purpose");
        }
      },
    };
    await rejectedBy(() => pull(on, root), "unreachable");
    assert.deepEqual(on.destination.ends, ["suspend"]);
  });
});

describe("Bounds", () => {
  it("20,000 layers are beyond the limit", () => {
    const layer = { mediaType: MEDIA_TYPES.ociLayerGzip, digest: digestOf(Buffer.from("x")), size: 1 };
    const json = { schemaVersion: 2, config: layer, layers: Array.from({ length: 20_000 }, () => layer) };
    const bytes = Buffer.from(JSON.stringify(json));
    assert.throws(() => parseManifest(bytes, MEDIA_TYPES.ociManifest), { code: "limit-reached" });
  });

  it(`${LIMITS.layers} layers are not`, async () => {
    const on = scene();
    const layer = gzipLayer();
    await pull(
      on,
      addImage(
        on.source,
        Array.from({ length: LIMITS.layers }, () => layer),
      ),
    );
    assert.equal(on.source.callsOf("openBlob").length, 2);
  });

  it("indexes nested to the limit are read, one more is refused", async () => {
    const on = scene();
    let root = addImage(on.source, [gzipLayer()]);
    for (let depth = 0; depth <= LIMITS.indexDepth; depth++) root = addIndex(on.source, [root]);
    await pull(on, root);
    await rejectedBy(() => pull(on, addIndex(on.source, [root])), "limit-reached");
  });

  it("a chain of indexes is refused though the root lists every one of them", async () => {
    const on = scene();
    const chain: Manifest[] = [addImage(on.source, [gzipLayer()])];
    for (let at = 0; at < 1000; at++) chain.push(addIndex(on.source, chain.slice(-1)));
    await rejectedBy(() => pull(on, addIndex(on.source, chain)), "limit-reached");
    await rejectedBy(() => pull(on, addIndex(on.source, chain.toReversed())), "limit-reached");
    assert.deepEqual(on.destination.ends, ["discard", "discard"]);
  });

  it("the manifests of one image are bounded together, before they are fetched", async () => {
    const on = scene();
    const child = addImage(on.source, [gzipLayer()]);
    const entries = Array.from({ length: 20 }, (_, at) => ({
      ...child.descriptor,
      digest: digestOf(Buffer.from([at])),
      size: LIMITS.manifestBytes - 1,
    }));
    const root = on.source.addManifest({ schemaVersion: 2, manifests: entries }, MEDIA_TYPES.ociIndex);
    await rejectedBy(() => pull(on, root), "limit-reached");
    assert.deepEqual(on.source.callsOf("manifest"), []);
  });

  it("an entry of an index that is no manifest travels as a blob", async () => {
    const on = scene();
    const blob = on.source.addBlob(Buffer.from("notes"), "text/plain");
    await pull(on, on.source.addManifest({ schemaVersion: 2, manifests: [blob] }, MEDIA_TYPES.ociIndex));
    assert.ok(on.destination.store.blobs.has(blob.digest));
  });
});
