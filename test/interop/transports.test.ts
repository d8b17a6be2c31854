import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { cosignAccepts, cosignSign } from "./cosign.ts";
import { type PushedImage, pushImage, pushIndex } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES, startDockerd, startEmbedded } from "./servers.ts";

for (const kind of REGISTRIES) {
  describe(`other tools read what countersign writes: ${kind.name}`, { skip: kind.missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const alice = work.keyPair("alice");
    const signed = {} as { image: PushedImage; index: PushedImage };

    before(async () => {
      await work.makeKey("alice");
      signed.image = await pushImage(scene.address, "source/image:1");
      signed.index = (await pushIndex(scene.address, "source/index:1")).index;
      const images = [signed.image.tagged, signed.index.tagged];
      await work.expect(0, ["sign", "--key", alice.secret, "-y", ...images]);
    });

    const pull = (image: string, to: string, ...flags: readonly string[]) =>
      work.expect(0, ["pull", "--key", alice.public, "--to", to, ...flags, image]);

    /** The digest that crane computes over a layout, and over the image it makes when it pushes that layout. */
    async function craneReads(layout: string, name: string): Promise<string> {
      await work.must("crane", ["push", layout, `${scene.address}/${name}`]);
      await work.must("crane", ["validate", "--remote", `${scene.address}/${name}`]);
      return work.must("crane", ["digest", `${scene.address}/${name}`]);
    }

    it("crane reads an image pulled to oci:, to the same digest", { skip: without("crane") }, async () => {
      const layout = work.path("image-layout");
      await pull(signed.image.tagged, `oci:${layout}`);
      assert.equal(await craneReads(layout, "back/image:1"), signed.image.digest);
    });

    it("crane reads an index pulled to oci: with all its platforms", { skip: without("crane") }, async () => {
      const layout = work.path("index-layout");
      await pull(signed.index.tagged, `oci:${layout}`);
      assert.equal(await craneReads(layout, "back/index:1"), signed.index.digest);
    });

    it("skopeo reads a layout and an archive, to the same digest", { skip: without("skopeo") }, async () => {
      await pull(signed.image.tagged, `oci:${work.path("for-skopeo")}`);
      await pull(signed.image.tagged, `oci-archive:${work.path("for-skopeo.tar")}`);
      for (const source of [`oci:${work.path("for-skopeo")}`, `oci-archive:${work.path("for-skopeo.tar")}`]) {
        const inspected = JSON.parse(await work.must("skopeo", ["inspect", source])) as { readonly Digest: string };
        assert.equal(inspected.Digest, signed.image.digest);
        await work.must("skopeo", ["copy", "--insecure-policy", source, `dir:${work.makeFolder("skopeo-dir")}`]);
      }
    });

    it("crane and skopeo read a docker-archive:", { skip: without("crane", "skopeo") }, async () => {
      const file = work.path("docker.tar");
      await pull(signed.image.tagged, `docker-archive:${file}`);
      await work.must("crane", ["validate", "--tarball", file]);
      await work.must("skopeo", ["inspect", `docker-archive:${file}`]);
    });

    it("docker loads a docker-archive: under the name it had", { skip: without("dockerd", "docker") }, async () => {
      const file = work.path("docker-load.tar");
      await pull(signed.image.tagged, `docker-archive:${file}`);
      const daemon = await startDockerd(work.path("dockerd"));
      try {
        const env = { DOCKER_HOST: daemon.address };
        await work.must("docker", ["load", "-i", file], { env });
        await work.must("docker", ["image", "inspect", signed.image.tagged], { env });
      } finally {
        await daemon.stop();
      }
    });

    it("crane and cosign read what copy carried to another registry", {
      skip: without("crane", "cosign"),
    }, async () => {
      const other = await startEmbedded(work.path("other"));
      try {
        for (const image of [signed.image, signed.index]) {
          const name = image.tagged.slice(scene.address.length);
          const target = `${other.address}/mirror${name}`;
          await work.expect(0, ["copy", "--key", alice.public, image.tagged, target]);
          assert.equal(await work.must("crane", ["digest", target]), image.digest);
          await work.must("crane", ["validate", "--remote", target]);
          await cosignAccepts(work, alice, target);
        }
      } finally {
        await other.stop();
      }
    });

    it("copy carries cosign's own signatures of both forms along", { skip: without("cosign") }, async () => {
      const image = await pushImage(scene.address, "source/cosigned:1");
      await cosignSign(work, alice, image.pinned);
      await cosignSign(work, alice, image.pinned, { format: "legacy" });
      const target = `${scene.address}/copied/cosigned:1`;
      const signedAs = ["--signed-as", `${scene.address}/source/cosigned`];
      await work.expect(0, ["copy", "--key", alice.public, image.tagged, target]);
      await cosignAccepts(work, alice, target);
      await cosignAccepts(work, alice, target, { format: "legacy" });
      await work.judge("accepted", ["verify", "--key", alice.public, ...signedAs, target]);
    });

    it("copy leaves nothing of an unsigned image at its target", { skip: without("crane") }, async () => {
      const image = await pushImage(scene.address, "source/unsigned:1");
      const target = `${scene.address}/copied/unsigned:1`;
      await work.expect(1, ["copy", "--key", alice.public, image.tagged, target]);
      assert.notEqual((await work.run("crane", ["manifest", target])).code, 0);
    });

    it("crane and cosign read what push published from a layout", { skip: without("crane", "cosign") }, async () => {
      const layout = work.path("to-publish");
      await pull(signed.index.tagged, `oci:${layout}`);
      const target = `${scene.address}/published/index:1`;
      await work.expect(0, ["push", "--key", alice.secret, "-y", `oci:${layout}`, target]);
      assert.equal(await work.must("crane", ["digest", target]), signed.index.digest);
      await work.must("crane", ["validate", "--remote", target]);
      await cosignAccepts(work, alice, target);
    });

    it("push publishes what crane saved as a docker archive", { skip: without("crane", "cosign") }, async () => {
      const file = work.path("crane.tar");
      await work.must("crane", ["pull", signed.image.tagged, file]);
      const target = `${scene.address}/published/from-crane:1`;
      await work.expect(0, ["push", "--key", alice.secret, "-y", `docker-archive:${file}`, target]);
      await work.must("crane", ["validate", "--remote", target]);
      await cosignAccepts(work, alice, target);
    });

    it("push publishes what crane saved as a layout, digest unchanged", { skip: without("crane") }, async () => {
      const layout = work.path("crane-layout");
      await work.must("crane", ["pull", "--format=oci", signed.image.tagged, layout]);
      const target = `${scene.address}/published/from-crane-layout:1`;
      await work.expect(0, ["push", "--key", alice.secret, "-y", `oci:${layout}`, target]);
      assert.equal(await work.must("crane", ["digest", target]), signed.image.digest);
    });

    it("signatures made in a layout that skopeo wrote are kept and found", { skip: without("skopeo") }, async () => {
      const layout = work.path("skopeo-layout");
      const from = ["--insecure-policy", "--src-tls-verify=false", `docker://${signed.image.tagged}`];
      await work.must("skopeo", ["copy", ...from, `oci:${layout}:1`]);
      await work.judge("refused unsigned", ["verify", "--key", alice.public, `oci:${layout}:1`]);
      await work.expect(0, ["sign", "--key", alice.secret, "-y", `oci:${layout}:1`]);
      await work.judge("accepted", ["verify", "--key", alice.public, `oci:${layout}:1`]);
      const index = JSON.parse(readFileSync(`${layout}/index.json`, "utf8")) as { readonly manifests: unknown[] };
      assert.notEqual(index.manifests.length, 0);
      await work.must("skopeo", ["inspect", `oci:${layout}:1`]);
    });
  });
}
