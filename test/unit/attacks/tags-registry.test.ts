import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { encodeUtf8 } from "../../../src/core/bytes.ts";
import type { CountersignError } from "../../../src/core/errors.ts";
import { describe as descriptorOf } from "../../../src/core/oci/descriptor.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import {
  FILE_NAME_ANNOTATION,
  HEAD_TAG,
  METADATA_MEDIA_TYPE,
  TRUST_ARTIFACT_TYPE,
} from "../../../src/core/tags/names.ts";
import { resolveTarget } from "../../../src/ops/resolve.ts";
import type { Fault } from "../../../src/testbed/faults.ts";
import { type Registry, startRegistry } from "../../../src/testbed/registry.ts";
import { rejectedBy } from "../../support/codes.ts";
import { openTestStore } from "../../support/registry-client.ts";
import {
  daysLater,
  IMAGE,
  OTHER,
  type Question,
  TagRepository,
  type TagScene,
  tagScene,
} from "../../support/tag-repository.ts";

/** What a registry can do to signed tags that it stores, over the wire. */

interface Scene extends Omit<TagScene, "requests"> {
  readonly registry: Registry;
  /** Pushes what is in the repository in memory, all of it. */
  push(): void;
  /** Requests since the last time: `GET manifests/countersign-trust 304`. */
  requests(): readonly string[];
}

const NAME = "acme/app";

async function scene(t: TestContext): Promise<Scene> {
  const registry = await startRegistry();
  t.after(() => registry.close());
  const repo = new TagRepository({ gun: `${registry.address}/${NAME}` });
  const inMemory = await tagScene(t, repo);
  const push = () => {
    for (const bytes of repo.store.blobs.values()) registry.control.putBlob(NAME, bytes);
    for (const { bytes, mediaType } of repo.store.manifests.values()) {
      registry.control.putManifest(NAME, bytes, mediaType);
    }
    for (const [tag, digest] of repo.store.names) registry.control.moveTag(NAME, tag, digest);
  };
  push();
  const ask = async (question: Question = {}) => {
    const store = openTestStore(registry.address);
    try {
      return await inMemory.ask({ from: store, ...question });
    } finally {
      await store.close();
    }
  };
  const requests = () => {
    const seen = registry.requests.map(
      ({ method, path, status }) => `${method} ${path.slice(`/v2/${NAME}/`.length)} ${status}`,
    );
    registry.restart();
    return seen;
  };
  return { ...inMemory, registry, push, ask, requests };
}

const HEAD = `manifests/${HEAD_TAG}`;

function onHead({ registry }: Scene, fault: Fault): void {
  registry.faults.when(({ path }) => path.endsWith(HEAD), fault);
}

function onBlobs({ registry }: Scene, fault: Fault): void {
  registry.faults.when(({ path }) => path.includes("/blobs/"), fault);
}

/** So much that the head carries the timestamp alone. */
function grow({ repo, push }: Scene): void {
  for (let at = 0; at < 100; at++) repo.bind(`0.${at}`, digestOf(Buffer.from(`${at}`)));
  repo.release();
  push();
}

describe("requests for a signed tag", () => {
  it("are one for a small repository, and one without an answer to speak of after that", async (t) => {
    const { ask, requests } = await scene(t);
    await ask();
    assert.deepEqual(requests(), [`GET ${HEAD} 200`]);
    await ask();
    assert.deepEqual(requests(), [`GET ${HEAD} 304`]);
  });

  it("are one more for each file that is new where the head does not carry them", async (t) => {
    const scenario = await scene(t);
    grow(scenario);
    await scenario.ask();
    assert.deepEqual(
      scenario.requests().map((line) => line.replace(/sha256:[0-9a-f]+/, "FILE")),
      [`GET ${HEAD} 200`, ...Array.from({ length: 3 }, () => "GET blobs/FILE 200")],
    );
    scenario.repo.bind("2.0", OTHER).release();
    scenario.push();
    assert.equal((await scenario.ask({ tag: "2.0" })).signedTag?.binding.digest, OTHER);
    assert.deepEqual(
      scenario.requests().map((line) => line.replace(/sha256:[0-9a-f]+/, "FILE")),
      [`GET ${HEAD} 200`, "GET blobs/FILE 200", "GET blobs/FILE 200"],
    );
    scenario.repo.publish("timestamp").putHead();
    scenario.push();
    await scenario.ask();
    assert.deepEqual(scenario.requests(), [`GET ${HEAD} 200`]);
  });
});

describe("a registry that does not show the signed tags", () => {
  it("has lost them, or hides them: never unsigned where a root is pinned (3)", async (t) => {
    const { registry, ask } = await scene(t);
    await ask();
    registry.control.deleteTag(NAME, HEAD_TAG);
    const error = await rejectedBy(() => ask(), "signed-tags-vanished");
    assert.match(error.message, /have disappeared/);
    assert.match(error.wanted ?? "", /what was last verified at 2026-09-01T12:00:00Z, just now/);
    const anew = await rejectedBy(() => ask({ anew: true }), "signed-tags-vanished");
    assert.match(anew.wanted ?? "", /what starts from the pinned root sha256:/);
    assert.match(anew.next, /treat the registry as tampered with/);
  });

  it("denies access: nobody could look, and what is kept does not count for that (52)", async (t) => {
    const cases: readonly (readonly [Fault, ReasonCode])[] = [
      [{ kind: "status", status: 403 }, "denied"],
      [{ kind: "status", status: 401, challenge: 'Basic realm="x"' }, "credentials-missing"],
      [{ kind: "html" }, "not-a-registry"],
      [{ kind: "status", status: 400 }, "protocol-error"],
    ];
    for (const [fault, code] of cases) {
      const scenario = await scene(t);
      await scenario.ask();
      onHead(scenario, fault);
      const error = await rejectedBy(() => scenario.ask(), code);
      assert.notEqual(error.class, "refused", code);
      await rejectedBy(() => scenario.ask({ anew: true }), code);
    }
  });

  it("cannot be asked: what is kept counts while it has not expired, and that is said (52)", async (t) => {
    const cases: readonly (readonly [Fault, ReasonCode])[] = [
      [{ kind: "status", status: 429 }, "throttled"],
      [{ kind: "status", status: 500 }, "server-error"],
      [{ kind: "status", status: 503 }, "server-error"],
      [{ kind: "reset" }, "unreachable"],
    ];
    for (const [fault, code] of cases) {
      const scenario = await scene(t);
      const anew = () => scenario.ask({ anew: true });
      await scenario.ask();
      onHead(scenario, fault);
      const { signedTag } = await scenario.ask();
      assert.deepEqual([signedTag?.binding.digest, signedTag?.unheard?.code], [IMAGE, code]);
      await rejectedBy(anew, code);
      const late = await rejectedBy(() => scenario.ask({ now: daysLater(8) }), code);
      assert.match(late.found ?? "", /of what is kept: the timestamp of .* has expired$/);
      await rejectedBy(() => scenario.ask({ tag: "2.0" }), "tag-unlisted");
    }
  });

  it("keeps back a file of a new state: the old one counts while it has not expired", async (t) => {
    const scenario = await scene(t);
    const { repo, push, ask } = scenario;
    grow(scenario);
    await ask();
    repo.bind("1.0", OTHER).release();
    push();
    onBlobs(scenario, { kind: "status", status: 503 });
    const { signedTag } = await ask();
    assert.deepEqual([signedTag?.binding.digest, signedTag?.unheard?.code], [IMAGE, "server-error"]);
    await rejectedBy(() => ask({ now: daysLater(8) }), "frozen");
    scenario.registry.faults.clear();
    assert.equal((await ask()).signedTag?.binding.digest, OTHER);
  });

  it("has lost a file that the head names", async (t) => {
    const scenario = await scene(t);
    grow(scenario);
    onBlobs(scenario, { kind: "status", status: 404 });
    await rejectedBy(() => scenario.ask(), "not-found");
  });

  it("says for ever that nothing has changed: what is kept expires all the same", async (t) => {
    const scenario = await scene(t);
    await scenario.ask();
    onHead(scenario, { kind: "reply", reply: { status: 304, headers: {} } });
    assert.equal((await scenario.ask()).signedTag?.unheard, undefined);
    await rejectedBy(() => scenario.ask({ now: daysLater(7) }), "frozen");
    await rejectedBy(() => scenario.ask({ anew: true }), "protocol-error");
  });
});

describe("a registry that serves something else", () => {
  it("has other bytes under a file's digest, fewer, more, or without an end (36)", async (t) => {
    const cases: readonly (readonly [Fault, ReasonCode])[] = [
      [{ kind: "flip-bit" }, "digest-mismatch"],
      [{ kind: "lengthen" }, "limit-reached"],
      [{ kind: "shorten" }, "size-mismatch"],
      [{ kind: "endless" }, "limit-reached"],
    ];
    for (const [fault, code] of cases) {
      const scenario = await scene(t);
      grow(scenario);
      onBlobs(scenario, fault);
      await rejectedBy(() => scenario.ask(), code);
      scenario.registry.faults.clear();
      assert.equal((await scenario.ask()).signedTag?.binding.digest, IMAGE);
    }
  });

  it("has an endless head", async (t) => {
    const scenario = await scene(t);
    onHead(scenario, { kind: "endless" });
    await rejectedBy(() => scenario.ask(), "limit-reached");
  });

  it("has a head that is an image, another artifact or no manifest at all", async (t) => {
    const { registry, ask } = await scene(t);
    const config = descriptorOf(EMPTY_JSON, MEDIA_TYPES.ociEmpty);
    const image = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
    const put = (json: unknown) =>
      registry.control.putManifest(NAME, Buffer.from(JSON.stringify(json)), MEDIA_TYPES.ociManifest, HEAD_TAG);
    put(image);
    await rejectedBy(() => ask(), "metadata-malformed");
    put({ ...image, artifactType: "application/vnd.example" });
    await rejectedBy(() => ask(), "metadata-malformed");
    put({ ...image, artifactType: TRUST_ARTIFACT_TYPE });
    await rejectedBy(() => ask(), "pin-mismatch");
    put({ ...image, artifactType: TRUST_ARTIFACT_TYPE, layers: [config] });
    await rejectedBy(() => ask(), "metadata-malformed");
    put({ schemaVersion: 2 });
    await rejectedBy(() => ask(), "manifest-invalid");
  });

  it("has a head that carries other bytes than it describes, or a file twice", async (t) => {
    const { registry, repo, ask } = await scene(t);
    const head = repo.store.manifests.get(repo.head ?? IMAGE);
    const json = JSON.parse(Buffer.from(head?.bytes ?? []).toString()) as { layers: { data?: string }[] };
    const put = (layers: readonly unknown[]) =>
      registry.control.putManifest(
        NAME,
        Buffer.from(JSON.stringify({ ...json, layers })),
        MEDIA_TYPES.ociManifest,
        HEAD_TAG,
      );
    put(json.layers.map((layer) => ({ ...layer, data: Buffer.from("{}").toString("base64") })));
    const error: CountersignError = await rejectedBy(() => ask(), "metadata-malformed");
    assert.equal(error.found, "embedded data that its descriptor does not describe");
    put([...json.layers, ...json.layers]);
    await rejectedBy(() => ask(), "metadata-malformed");
    put([{ mediaType: METADATA_MEDIA_TYPE, digest: IMAGE, size: 1, annotations: { [FILE_NAME_ANNOTATION]: "../x" } }]);
    await rejectedBy(() => ask(), "metadata-malformed");
  });

  it("has other bytes under the signed digest, or bytes of another length than was signed (5, 6)", async (t) => {
    const { registry, repo, push, ask } = await scene(t);
    const image = encodeUtf8(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] }));
    const digest = registry.control.putManifest(NAME, image, MEDIA_TYPES.ociIndex);
    repo
      .bind("2.0", digest, { length: image.byteLength })
      .bind("3.0", digest, { length: image.byteLength + 1 })
      .release();
    push();
    const reach = async (tag: string) => {
      const store = openTestStore(registry.address);
      const bound = { ...(await ask({ tag })), isExempt: false };
      return await resolveTarget({ image: tag, store, tag, digest: undefined, bound }).finally(() => store.close());
    };
    assert.equal((await reach("2.0")).descriptor.digest, digest);
    const error = await rejectedBy(() => reach("3.0"), "size-mismatch");
    assert.match(error.message, /not as long as the publisher signed/);
    registry.control.replaceBytes(digest, encodeUtf8(Buffer.from(image).toString().replace("2", "2 ")));
    await rejectedBy(() => reach("2.0"), "digest-mismatch");
    registry.control.deleteManifest(NAME, digest);
    await rejectedBy(() => reach("2.0"), "not-found");
  });

  it("moves its own tag: nothing of that is believed", async (t) => {
    const { registry, ask } = await scene(t);
    const config = descriptorOf(EMPTY_JSON, MEDIA_TYPES.ociEmpty);
    const image = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
    const moved = registry.control.putManifest(
      NAME,
      Buffer.from(JSON.stringify(image)),
      MEDIA_TYPES.ociManifest,
      "1.0",
    );
    const { signedTag } = await ask({ checkTag: true });
    assert.deepEqual([signedTag?.binding.digest, signedTag?.registryDigest], [IMAGE, moved]);
  });
});
