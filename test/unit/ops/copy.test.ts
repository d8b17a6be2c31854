import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { type Digest, digestOf } from "../../../src/core/oci/digest.ts";
import type { ImageManifest, Manifest } from "../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { cosignTag } from "../../../src/core/oci/referrers.ts";
import type { Destination } from "../../../src/core/ports.ts";
import { type CopyResult, copyImage } from "../../../src/ops/copy.ts";
import { taggedDestination } from "../../../src/ops/destination.ts";
import { rejectedBy } from "../../support/codes.ts";
import { MemoryDestination, MemoryStore } from "../../support/memory-store.ts";
import { addImage, addIndex, gzipLayer } from "../../support/sample-image.ts";

interface Scene {
  readonly source: MemoryStore;
  readonly target: MemoryStore;
  readonly destination: Destination;
}

function scene(kind: MemoryStore["kind"] = "registry"): Scene {
  const target = new MemoryStore(kind, "mirror.example/copies/app");
  const destination = kind === "registry" ? taggedDestination(target, "1.4") : new MemoryDestination(target, "1.4");
  return { source: new MemoryStore("registry", "registry.example/acme/app"), target, destination };
}

function copy({ source, destination }: Scene, root: Manifest): Promise<CopyResult> {
  return copyImage({ source, root, destination });
}

/** Attaches an artifact to a manifest, as an OCI 1.1 referrer. */
function attach(store: MemoryStore, subject: Manifest, text = "a bundle"): Manifest {
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: MEDIA_TYPES.sigstoreBundle,
    config: store.addBlob(Buffer.from("{}"), MEDIA_TYPES.ociEmpty),
    layers: [store.addBlob(Buffer.from(text), MEDIA_TYPES.sigstoreBundle)],
    subject: subject.descriptor,
  };
  return store.addManifest(json, MEDIA_TYPES.ociManifest);
}

/** Keeps payloads under a cosign tag of a digest. */
function attachTag(store: MemoryStore, subject: Digest, suffix: "sig" | "att" | "sbom", payloads: string[]): Manifest {
  const json = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: store.addBlob(Buffer.from(`{"of":${JSON.stringify(payloads)}}`), MEDIA_TYPES.ociConfig),
    layers: payloads.map((payload) => ({
      ...store.addBlob(Buffer.from(payload), MEDIA_TYPES.simpleSigning),
      annotations: { "dev.cosignproject.cosign/signature": `of ${payload}` },
    })),
  };
  return store.addManifest(json, MEDIA_TYPES.ociManifest, cosignTag(subject, suffix));
}

function assertSameContent({ source, target }: Scene): void {
  assert.deepEqual(new Set(target.manifests.keys()), new Set(source.manifests.keys()));
  assert.deepEqual(new Set(target.blobs.keys()), new Set(source.blobs.keys()));
}

describe("Copying an image", () => {
  for (const kind of ["registry", "oci-layout"] as const) {
    it(`takes everything attached along, to every depth and for every platform, into a ${kind}`, async () => {
      const on = scene(kind);
      const children = [addImage(on.source, [gzipLayer()]), addImage(on.source, [gzipLayer()])] as const;
      const root = addIndex(on.source, children);
      const sbom = attach(on.source, root, "an sbom");
      attach(on.source, sbom, "its signature");
      attach(on.source, children[1], "a platform's signature");
      attachTag(on.source, root.descriptor.digest, "sig", ["legacy"]);
      attachTag(on.source, children[0].descriptor.digest, "att", ["attestation"]);
      const tagged = attachTag(on.source, children[1].descriptor.digest, "sbom", ["sbom"]);
      attachTag(on.source, tagged.descriptor.digest, "sig", ["of the sbom"]);
      const result = await copy(on, root);
      assertSameContent(on);
      assert.equal(result.attached, 7);
      assert.deepEqual(result.skipped, []);
      for (const [tag, digest] of on.source.names) assert.equal(on.target.names.get(tag), digest);
      assert.equal(on.target.names.get("1.4"), root.descriptor.digest);
    });
  }

  it("names it last, stores the root after its signatures, and everything after its blobs", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    const signature = attach(on.source, root);
    const legacy = attachTag(on.source, root.descriptor.digest, "sig", ["legacy"]);
    await copy(on, root);
    const pushed = on.target.callsOf("pushManifest");
    assert.deepEqual(pushed.slice(-2), [root.descriptor.digest, `${root.descriptor.digest} 1.4`]);
    const tag = cosignTag(root.descriptor.digest, "sig");
    assert.deepEqual(
      new Set(pushed.slice(0, -2)),
      new Set([signature.descriptor.digest, `${legacy.descriptor.digest} ${tag}`]),
    );
  });

  it("stores no manifest before the blobs it names, though many share one", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    for (let at = 0; at < 12; at++) attach(on.source, root, `bundle ${at}`);
    on.target.misbehaviour = {
      before: async (call) => {
        if (call.startsWith("write ")) await new Promise((resolve) => setTimeout(resolve, 2));
        const pushed = call.startsWith("pushManifest ") ? call.split(" ")[1] : undefined;
        const manifest = pushed === undefined ? undefined : await on.source.resolve(pushed);
        if (manifest?.kind !== "image") return;
        for (const blob of [manifest.config, ...manifest.layers]) assert.ok(on.target.blobs.has(blob.digest));
      },
    };
    await copy(on, root);
    assertSameContent(on);
  });

  it("a second time sends nothing again", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    attach(on.source, root);
    attachTag(on.source, root.descriptor.digest, "sig", ["legacy"]);
    await copy(on, root);
    on.target.calls.length = 0;
    const again = await copy(on, root);
    assert.equal(again.movedBytes, 0);
    assert.deepEqual([again.attached, again.attachedBefore], [2, 2]);
    assert.deepEqual(on.target.callsOf("write"), []);
    assert.deepEqual(on.target.callsOf("pushManifest"), [`${root.descriptor.digest} 1.4`]);
  });

  it("brings what was attached since the last time", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    attach(on.source, root);
    await copy(on, root);
    const late = attach(on.source, root, "late");
    const again = await copy(on, root);
    assert.deepEqual([again.attached, again.attachedBefore], [2, 1]);
    assert.ok(on.target.manifests.has(late.descriptor.digest));
  });

  it("within one registry has the registry mount the blobs", async () => {
    const on = scene();
    const source = new MemoryStore("registry", "mirror.example/acme/app");
    on.target.neighbours.set("acme/app", source);
    const root = addImage(source, [gzipLayer()]);
    const result = await copy({ ...on, source }, root);
    assert.equal(result.movedBytes, root.bytes.byteLength);
    assert.deepEqual(source.callsOf("openBlob"), []);
  });

  it("between registries never offers a mount", async () => {
    const on = scene();
    on.target.neighbours.set("acme/app", on.source);
    const root = addImage(on.source, [gzipLayer()]);
    await copy(on, root);
    assert.equal(on.source.callsOf("openBlob").length, 2);
  });

  it("says under which name legacy signatures are to be verified", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    attach(on.source, root);
    assert.deepEqual((await copy(on, root)).notes, []);
    attachTag(on.source, root.descriptor.digest, "sig", ["legacy"]);
    assert.match((await copy(on, root)).notes.join(), /registry\.example\/acme\/app.*--signed-as/);
  });
});

describe("Legacy tags at the destination", () => {
  const payloadsOf = (store: MemoryStore, tag: string): readonly string[] => {
    const stored = store.manifests.get(store.names.get(tag) ?? ("" as Digest));
    const { layers } = JSON.parse(Buffer.from(stored?.bytes ?? "{}").toString()) as { layers: { digest: Digest }[] };
    return layers.map((layer) => Buffer.from(store.blobs.get(layer.digest) ?? []).toString());
  };

  it("keep the signatures of others, and get ours", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    const { digest } = root.descriptor;
    attachTag(on.source, digest, "sig", ["shared", "ours"]);
    attachTag(on.target, digest, "sig", ["theirs", "shared"]);
    await copy(on, root);
    assert.deepEqual(payloadsOf(on.target, cosignTag(digest, "sig")), ["theirs", "shared", "ours"]);
    const again = await copy(on, root);
    assert.equal(again.attachedBefore, 1);
  });

  it("keep what another writer adds while we write", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    const { digest } = root.descriptor;
    const tag = cosignTag(digest, "sig");
    attachTag(on.source, digest, "sig", ["ours"]);
    let isRaced = false;
    on.target.misbehaviour = {
      before: (call) => {
        if (!call.startsWith("resolve") || !on.target.names.has(tag) || isRaced) return;
        isRaced = true;
        attachTag(on.target, digest, "sig", ["theirs, written over ours"]);
      },
    };
    await copy(on, root);
    assert.deepEqual(payloadsOf(on.target, tag), ["theirs, written over ours", "ours"]);
  });

  it("take our SBOM in the place of another, as cosign does", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    const { digest } = root.descriptor;
    attachTag(on.source, digest, "sbom", ["ours"]);
    attachTag(on.target, digest, "sbom", ["older"]);
    await copy(on, root);
    assert.deepEqual(payloadsOf(on.target, cosignTag(digest, "sbom")), ["ours"]);
  });

  it("that name the image itself are no signatures (GitLab, oras#2148)", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    on.source.names.set(cosignTag(root.descriptor.digest, "sig"), root.descriptor.digest);
    assert.equal((await copy(on, root)).attached, 0);
  });
});

describe("Junk beside a good signature is skipped, and said", () => {
  const junk: Readonly<Record<string, (store: MemoryStore, root: Manifest) => void>> = {
    "a referrer whose blob is missing": (store, root) => {
      const bad = attach(store, root, "missing") as ImageManifest;
      for (const layer of bad.layers) store.blobs.delete(layer.digest);
    },
    "a referrer whose blob is altered": (store, root) => {
      const bad = attach(store, root, "altered") as ImageManifest;
      for (const layer of bad.layers) store.blobs.set(layer.digest, Buffer.from("ALTERED"));
    },
    "a referrer whose manifest is missing": (store, root) => {
      const real = store.referrers.bind(store);
      const ghost = { ...root.descriptor, digest: digestOf(Buffer.from("ghost")) };
      store.referrers = async (subject) => {
        const listing = await real(subject);
        return subject === root.descriptor.digest
          ? { ...listing, descriptors: [ghost, ...listing.descriptors] }
          : listing;
      };
    },
    "a listed manifest that is about another image": (store, root) => {
      const other = attach(store, addImage(store, [gzipLayer()]), "of another");
      const real = store.referrers.bind(store);
      store.referrers = async (subject) => {
        const listing = await real(subject);
        return subject === root.descriptor.digest
          ? { ...listing, descriptors: [other.descriptor, ...listing.descriptors] }
          : listing;
      };
    },
  };
  for (const [name, add] of Object.entries(junk)) {
    it(name, async () => {
      const on = scene();
      const root = addImage(on.source, [gzipLayer()]);
      add(on.source, root);
      const good = attach(on.source, root, "good");
      const result = await copy(on, root);
      assert.equal(result.skipped.length, 1);
      assert.equal(result.attached, 1);
      assert.ok(on.target.manifests.has(good.descriptor.digest));
    });
  }
});

it("A signature is copied though another manifest's listing claims it first", async () => {
  const on = scene();
  const child = addImage(on.source, [gzipLayer()]);
  const root = addIndex(on.source, [child]);
  const signature = attach(on.source, root);
  const real = on.source.referrers.bind(on.source);
  on.source.referrers = async (subject) => {
    const listing = await real(subject);
    return subject === child.descriptor.digest ? { ...listing, descriptors: [signature.descriptor] } : listing;
  };
  const result = await copy(on, root);
  assert.equal(result.skipped.length, 1);
  assert.equal(result.attached, 1);
  assert.ok(on.target.manifests.has(signature.descriptor.digest));
});

describe("A copy that cannot look for signatures does not name anything", () => {
  for (const [name, prefix, code] of [
    ["the list of referrers is throttled", "referrers ", "throttled"],
    ["a legacy tag is denied", "resolve sha256-", "denied"],
    ["a signature's blob cannot be reached", "openBlob ", "unreachable"],
  ] as const) {
    it(name, async () => {
      const on = scene();
      const root = addImage(on.source, [gzipLayer()]);
      attach(on.source, root);
      on.source.misbehaviour = {
        before: (call) => {
          if (call.startsWith(prefix)) throw new CountersignError(code, "on purpose");
        },
      };
      await rejectedBy(() => copy(on, root), code);
      assert.equal(on.target.names.has("1.4"), false);
      assert.equal(on.target.manifests.has(root.descriptor.digest), false);
    });
  }

  it("the destination refuses a signature", async () => {
    const on = scene("oci-layout");
    const root = addImage(on.source, [gzipLayer()]);
    const signature = attach(on.source, root);
    on.target.misbehaviour = {
      before: (call) => {
        if (call === `pushManifest ${signature.descriptor.digest}`) throw new CountersignError("denied", "on purpose");
      },
    };
    await rejectedBy(() => copy(on, root), "denied");
    assert.deepEqual((on.destination as MemoryDestination).ends, ["suspend"]);
    assert.equal(on.target.names.has("1.4"), false);
  });

  it("what is attached is nested beyond the limit", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    let last = root;
    for (let depth = 0; depth < LIMITS.attachedDepth; depth++) last = attach(on.source, last, `level ${depth}`);
    await copy(on, root);
    attach(on.source, last, "one more");
    await rejectedBy(() => copy(on, root), "limit-reached");
  });

  it("more is listed as attached than is read", async () => {
    const on = scene();
    const root = addImage(on.source, [gzipLayer()]);
    const many = Array.from({ length: LIMITS.referrerEntries + 1 }, (_, at) => ({
      ...root.descriptor,
      digest: digestOf(Buffer.from(`${at}`)),
    }));
    on.source.referrers = async () => ({ descriptors: many, via: "referrers-api" });
    await rejectedBy(() => copy(on, root), "limit-reached");
  });
});
