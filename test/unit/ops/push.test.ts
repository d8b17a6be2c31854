import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import type { Manifest } from "../../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import type { ContentStore } from "../../../src/core/ports.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import { instant } from "../../../src/core/time.ts";
import type { Verdict } from "../../../src/core/verify/verdict.ts";
import { layerDigesters } from "../../../src/io/disk/decompress.ts";
import { taggedDestination } from "../../../src/ops/destination.ts";
import { sourceOf } from "../../../src/ops/prepare-signature.ts";
import { type PushRequest, type PushResult, pushImage } from "../../../src/ops/push.ts";
import { rejectedBy } from "../../support/codes.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { addImage, gzipLayer } from "../../support/sample-image.ts";

const SIGNED = Buffer.from("a signature");

interface Scene {
  readonly source: MemoryStore;
  readonly target: MemoryStore;
  /** What the tag named before. */
  readonly before: Manifest;
  readonly root: Manifest;
  readonly steps: string[];
}

function scene(): Scene {
  const [source, target] = [new MemoryStore("oci-layout"), new MemoryStore("registry", "registry.example/app")];
  const before = addImage(target, [gzipLayer()], { tag: "1.4" });
  target.calls.length = 0;
  return { source, target, before, root: addImage(source, [gzipLayer()]), steps: [] };
}

function push(on: Scene, changes: Partial<PushRequest> = {}): Promise<PushResult> {
  const { source, target, root } = on;
  return pushImage({
    source,
    root,
    destination: taggedDestination(target, "1.4"),
    openLayerDigester: layerDigesters(),
    sign: async (store, image) => {
      on.steps.push("sign");
      await attachSignature(store, image);
    },
    verify: judge(on),
    ...changes,
  });
}

/** Accepts what a signature is attached to. */
function judge(on: Scene): PushRequest["verify"] {
  return async (store, image) => {
    on.steps.push(store === on.target ? "verify" : "verify source");
    const { descriptors } = await store.referrers(image.descriptor.digest);
    return [verdict(descriptors.length > 0 ? undefined : "unsigned")];
  };
}

async function attachSignature(store: ContentStore, subject: Manifest): Promise<void> {
  const memory = new MemoryStore();
  const blob = memory.addBlob(SIGNED, MEDIA_TYPES.sigstoreBundle);
  const config = memory.addBlob(Buffer.from("{}"), MEDIA_TYPES.ociEmpty);
  await store.pushBlob(blob, sourceOf(SIGNED));
  await store.pushBlob(config, sourceOf(Buffer.from("{}")));
  const json = { schemaVersion: 2, config, layers: [blob], subject: subject.descriptor };
  await store.pushManifest(memory.addManifest(json, MEDIA_TYPES.ociManifest));
}

function verdict(reason?: ReasonCode): Verdict {
  return {
    status: reason === undefined ? "accepted" : "refused",
    image: "image",
    name: "image",
    digest: undefined,
    reasons: reason === undefined ? [] : [{ code: reason, message: "on purpose" }],
    signatures: [],
    checked: [],
    notChecked: [],
    weakened: [],
    judgedAt: instant(Date.UTC(2026, 0, 1)),
  };
}

function assertTagUnmoved({ target, before }: Scene): void {
  assert.equal(target.names.get("1.4"), before.descriptor.digest);
}

describe("Pushing an image", () => {
  it("stores it by digest, signs, verifies as the consumer will, and moves the tag last", async () => {
    const on = scene();
    const result = await push(on);
    assert.equal(result.isNamed, true);
    assert.deepEqual(on.steps, ["sign", "verify"]);
    const pushed = on.target.callsOf("pushManifest");
    assert.equal(pushed[0], on.root.descriptor.digest);
    assert.equal(pushed.at(-1), `${on.root.descriptor.digest} 1.4`);
    assert.equal(on.target.names.get("1.4"), on.root.descriptor.digest);
  });

  it("without a key takes the signatures of the source along, where they are accepted", async () => {
    const on = scene();
    await attachSignature(on.source, on.root);
    const result = await push(on, { sign: undefined });
    assert.deepEqual([result.isNamed, result.copied?.attached], [true, 1]);
    assert.deepEqual(on.steps, ["verify source", "verify"]);
  });

  it("without a key sends nothing where the source is not accepted", async () => {
    const on = scene();
    const result = await push(on, { sign: undefined });
    assert.deepEqual([result.isNamed, result.copied], [false, undefined]);
    assert.equal(result.verdicts[0]?.reasons[0]?.code, "unsigned");
    assert.deepEqual(on.target.calls, []);
    assertTagUnmoved(on);
  });

  it("resumes: what an earlier run stored is not sent again", async () => {
    const on = scene();
    await rejectedBy(
      () => push(on, { sign: () => Promise.reject(new CountersignError("key-password", "wrong")) }),
      "key-password",
    );
    assertTagUnmoved(on);
    on.target.calls.length = 0;
    await push(on);
    const blobs = on.target.callsOf("write");
    assert.deepEqual(new Set(blobs), new Set([digestOf(SIGNED), digestOf(Buffer.from("{}"))]));
  });
});

describe("Pushing an image whose tag is signed too", () => {
  const binding = (on: Scene, changes: Partial<PushRequest> = {}): Promise<PushResult> => {
    const bind = async () => {
      on.steps.push("bind");
    };
    const verify: PushRequest["verify"] = async (store, image, stage) => {
      on.steps.push(`as ${stage}`);
      return await judge({ ...on, steps: [] })(store, image, stage);
    };
    return push(on, { bind, verify, ...changes });
  };

  it("signs the tag once the image would be accepted, and moves it when consumers get it by that", async () => {
    const on = scene();
    assert.equal((await binding(on)).isNamed, true);
    assert.deepEqual(on.steps, ["sign", "as unbound", "bind", "as published"]);
    assert.equal(on.target.names.get("1.4"), on.root.descriptor.digest);
  });

  it("signs no tag for what is not accepted", async () => {
    const on = scene();
    const result = await binding(on, { sign: async () => {} });
    assert.deepEqual([result.isNamed, on.steps], [false, ["as unbound"]]);
    assertTagUnmoved(on);
  });

  it("leaves the tag where it was when the binding is not published, or does not reach consumers", async () => {
    const staged = scene();
    const bind = () => Promise.reject(new CountersignError("publish-staged", "it waits for the online key"));
    await rejectedBy(() => binding(staged, { bind }), "publish-staged");
    assertTagUnmoved(staged);
    const lost = scene();
    const verify: PushRequest["verify"] = async (_store, _image, stage) => [
      verdict(stage === "published" ? "binding-mismatch" : undefined),
    ];
    assert.equal((await binding(lost, { verify })).isNamed, false);
    assertTagUnmoved(lost);
  });
});

describe("The tag stays where it was", () => {
  it("when the verification after signing does not accept", async () => {
    const on = scene();
    const result = await push(on, { verify: async () => [verdict("wrong-key")] });
    assert.equal(result.isNamed, false);
    assert.equal(result.verdicts[0]?.reasons[0]?.code, "wrong-key");
    assertTagUnmoved(on);
  });

  it("when one of several verdicts does not accept", async () => {
    const on = scene();
    assert.equal((await push(on, { verify: async () => [verdict(), verdict("unsigned")] })).isNamed, false);
    assertTagUnmoved(on);
  });

  it("when nothing was judged at all", async () => {
    const on = scene();
    assert.equal((await push(on, { verify: async () => [] })).isNamed, false);
    assertTagUnmoved(on);
  });

  it("when a layer is not what the configuration says", async () => {
    const on = scene();
    const root = addImage(on.source, [{ ...gzipLayer(), diffId: digestOf(Buffer.from("other")) }]);
    await rejectedBy(() => push({ ...on, root }), "layer-invalid");
    assertTagUnmoved(on);
    assert.deepEqual(on.steps, []);
  });

  it("whichever request fails before the last", async () => {
    const clean = scene();
    await push(clean);
    for (let at = 0; at < clean.target.calls.length; at++) {
      const on = scene();
      let count = 0;
      on.target.misbehaviour = {
        before: () => {
          if (count++ === at) throw new CountersignError("unreachable", "on purpose");
        },
      };
      await rejectedBy(() => push(on), "unreachable");
      assertTagUnmoved(on);
      on.target.misbehaviour = {};
      assert.equal((await push(on)).isNamed, true, "and the next push succeeds");
    }
  });
});
