import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../../src/core/oci/media-types.ts";
import { call, manifestOf, ok, pushImage, STORAGES, startStored } from "../client.ts";

for (const storage of STORAGES) {
  describe(`tampering with what is stored, in ${storage}`, () => {
    it("serves other bytes under the same digest, and heals when the right ones are pushed", async () => {
      const { registry, end } = await startStored(storage);
      const { address, control } = registry;
      const image = await pushImage(address, "app", "1");
      const layer = digestOf(Buffer.from("layer"));
      control.replaceBytes(layer, Buffer.from("evil layer"));
      control.replaceBytes(image.digest, Buffer.from("{}"));
      const blob = await ok(call(address, "GET", `/v2/app/blobs/${layer}`), 200);
      const manifest = await ok(call(address, "GET", "/v2/app/manifests/1"), 200);
      assert.equal(String(blob.body), "evil layer");
      assert.equal(String(manifest.body), "{}");
      assert.equal(manifest.headers["docker-content-digest"], image.digest);
      assert.equal(manifest.headers["content-length"], "2");
      await pushImage(address, "app", "1");
      assert.equal(String((await call(address, "GET", "/v2/app/manifests/1")).body), manifestOf({}));
      await end();
    });

    it("moves and deletes tags, manifests and blobs, and lists what there is", async () => {
      const { registry, end } = await startStored(storage);
      const { address, control } = registry;
      const one = await pushImage(address, "app", "1");
      const two = await pushImage(address, "app", "2", { layers: ["two"], subject: one });
      control.moveTag("app", "1", two.digest);
      assert.deepEqual(
        control.tags("app"),
        new Map([
          ["1", two.digest],
          ["2", two.digest],
        ]),
      );
      assert.equal((await call(address, "HEAD", "/v2/app/manifests/1")).headers["docker-content-digest"], two.digest);
      assert.deepEqual(control.repositories(), ["app"]);
      assert.deepEqual(
        control.manifests("app").map(({ digest }) => digest),
        [one.digest, two.digest],
      );
      assert.deepEqual(
        control.referrers("app", one.digest).map(({ digest }) => digest),
        [two.digest],
      );
      assert.equal(control.blobs("app").length, 3);
      assert.deepEqual(await control.read(digestOf(Buffer.from("two"))), new Uint8Array(Buffer.from("two")));
      control.deleteTag("app", "1");
      control.deleteManifest("app", two.digest);
      control.deleteBlob("app", digestOf(Buffer.from("two")));
      assert.deepEqual(control.tags("app"), new Map());
      assert.deepEqual(control.referrers("app", one.digest), []);
      assert.equal(await control.read(two.digest), undefined);
      assert.equal(await control.read(digestOf(Buffer.from("two"))), undefined);
      await end();
    });

    it("stores anything as a manifest, and reads as much of it as there is", async () => {
      const { registry, end } = await startStored(storage);
      const { address, control } = registry;
      const subject = await pushImage(address, "app", "1");
      for (const [tag, text] of [
        ["binary", "\u0000\u0001"],
        ["list", "[]"],
        ["wrong-subject", JSON.stringify({ subject: { digest: "sha256:abc" } })],
        ["wrong-type", JSON.stringify({ subject: 1, artifactType: 2, config: 3, annotations: 4 })],
      ] as const) {
        control.putManifest("app", Buffer.from(text), "application/vnd.example", tag);
        const answer = await ok(call(address, "GET", `/v2/app/manifests/${tag}`), 200);
        assert.equal(String(answer.body), text);
        assert.equal(answer.headers["content-type"], "application/vnd.example");
      }
      assert.deepEqual(control.referrers("app", subject.digest), []);
      const digest = control.putManifest("app", Buffer.from(manifestOf({ subject })), MEDIA_TYPES.ociManifest);
      assert.deepEqual(
        control.referrers("app", subject.digest).map((found) => found.digest),
        [digest],
      );
      await end();
    });

    it("a deletion of what is not there changes nothing", async () => {
      const { registry, end } = await startStored(storage);
      const { digest } = await pushImage(registry.address, "app", "1");
      const absent = digestOf(Buffer.from("absent"));
      registry.control.deleteTag("app", "absent");
      registry.control.deleteManifest("app", absent);
      registry.control.deleteBlob("other", digestOf(Buffer.from("layer")));
      await ok(call(registry.address, "GET", `/v2/app/manifests/${digest}`), 200);
      await ok(call(registry.address, "GET", `/v2/app/blobs/${digestOf(Buffer.from("layer"))}`), 200);
      await end();
    });
  });
}
