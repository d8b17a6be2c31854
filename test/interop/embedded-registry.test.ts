import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { ARCHITECTURE, fetchConfigDigest, listTags, pushImage, pushIndex } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES, startDockerd } from "./servers.ts";

/** `countersign registry serve` is a registry like any other: released clients push to it and pull from it. */
for (const kind of REGISTRIES.filter(({ hasReferrersApi }) => hasReferrersApi)) {
  describe(`released clients write to and read from the ${kind.name}`, { skip: kind.missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const alice = work.keyPair("alice");

    before(async () => {
      await work.makeKey("alice");
    });

    /** What another client wrote is signed, judged and pulled like anything else. */
    async function signsAndPulls(reference: string, name: string): Promise<void> {
      await work.judge("refused unsigned", ["verify", "--key", alice.public, reference]);
      await work.expect(0, ["sign", "--key", alice.secret, "-y", reference]);
      const out = work.path(`out-${name}`);
      await work.expect(0, ["pull", "--key", alice.public, "--to", `oci:${out}`, reference]);
    }

    it("crane pushes, copies, tags, lists, validates and deletes", { skip: without("crane") }, async () => {
      const { index } = await pushIndex(scene.address, "crane/source:1");
      const target = `${scene.address}/crane/copied`;
      await work.must("crane", ["copy", index.tagged, `${target}:1`]);
      await work.must("crane", ["tag", `${target}:1`, "2"]);
      assert.deepEqual((await work.must("crane", ["ls", target])).split("\n"), ["1", "2"]);
      await work.must("crane", ["validate", "--remote", `${target}:2`]);
      await signsAndPulls(`${target}:1`, "crane");
      await work.must("crane", ["delete", `${target}@${index.digest}`]);
      assert.deepEqual(await listTags(scene.address, "crane/copied"), []);
    });

    it("skopeo copies in, out and between repositories, and lists", { skip: without("skopeo") }, async () => {
      const image = await pushImage(scene.address, "skopeo/source:1");
      const target = `${scene.address}/skopeo/copied`;
      const plain = ["--insecure-policy", "--src-tls-verify=false", "--dest-tls-verify=false"];
      const copy = (from: string, to: string) => work.must("skopeo", ["copy", ...plain, from, to]);
      await copy(`docker://${image.tagged}`, `docker://${target}:1`);
      await copy(`docker://${target}:1`, `dir:${work.makeFolder("skopeo-dir")}`);
      await copy(`dir:${work.path("skopeo-dir")}`, `docker://${target}:2`);
      const list = await work.must("skopeo", ["list-tags", "--tls-verify=false", `docker://${target}`]);
      assert.deepEqual((JSON.parse(list) as { readonly Tags: readonly string[] }).Tags, ["1", "2"]);
      await signsAndPulls(`${target}:2`, "skopeo");
    });

    it("docker pulls and pushes", { skip: without("dockerd", "docker") }, async () => {
      const image = await pushImage(scene.address, "docker/source:1");
      const daemon = scene.stopAtEnd(await startDockerd(work.path("dockerd")));
      const env = { DOCKER_HOST: daemon.address };
      const target = `${scene.address}/docker/pushed:1`;
      await work.must("docker", ["pull", "--platform", `linux/${ARCHITECTURE}`, image.tagged], { env });
      await work.must("docker", ["tag", image.tagged, target], { env });
      await work.must("docker", ["push", target], { env });
      await signsAndPulls(target, "docker");
      const id = await work.must("docker", ["image", "inspect", "--format", "{{.Id}}", target], { env });
      assert.equal(id, await fetchConfigDigest(scene.address, image));
    });
  });
}
