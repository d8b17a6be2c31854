import assert from "node:assert/strict";
import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { Wiring } from "../../src/wire.ts";
import { pushImage } from "./images.ts";
import { type Scene, useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";

interface Listed {
  readonly images: readonly string[];
  readonly codes: readonly string[];
  readonly notes: readonly string[];
}

async function list(scene: Scene, path: string): Promise<Listed> {
  const [images, codes, notes]: [string[], string[], string[]] = [[], [], []];
  const wiring = new Wiring({
    env: {},
    homeDirectory: scene.work.path("home"),
    workingDirectory: scene.work.folder,
    warn: (line) => notes.push(line),
  });
  for await (const { mentions, problems } of wiring.listRegistry(`registry://${scene.address}${path}`)) {
    images.push(...mentions.map(({ image }) => image.replace(`${scene.address}/`, "")));
    codes.push(...problems.map(({ finding }) => finding.code));
  }
  await wiring.close();
  return { images: images.sort(), codes, notes };
}

for (const kind of REGISTRIES) {
  describe(`what a registry holds: ${kind.name}`, { skip: kind.missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;

    before(async () => {
      await work.makeKey("alice");
      for (const name of ["acme/app:1", "acme/app:2", "acme/application:1", "other:1"])
        await pushImage(scene.address, name);
      const image = `${scene.address}/acme/app:1`;
      await work.expect(0, ["sign", "--key", work.keyPair("alice").secret, "-y", image]);
      await work.expect(0, ["sign", "--key", work.keyPair("alice").secret, "-y", "--format", "cosign-legacy", image]);
    });

    it("is every tag of every repository, without those of signatures", async () => {
      const { images, codes, notes } = await list(scene, "");
      assert.deepEqual([images, codes], [["acme/app:1", "acme/app:2", "acme/application:1", "other:1"], []]);
      assert.match(notes.join("\n"), /left out [12] tags? of signatures/);
    });

    it("is what lies at and below a path, by whole segments", async () => {
      assert.deepEqual((await list(scene, "/acme/app")).images, ["acme/app:1", "acme/app:2"]);
      assert.deepEqual((await list(scene, "/acme")).images, ["acme/app:1", "acme/app:2", "acme/application:1"]);
      assert.deepEqual((await list(scene, "/acm")).codes, ["not-found"]);
    });

    // What the embedded one holds is no folder that could be copied.
    if (kind.hasReferrersApi) return;
    it("is seen over more pages than one", {
      skip: kind.hasReferrersApi && "its content is no folder to copy",
    }, async () => {
      const repositories = join(scene.storage, "docker", "registry", "v2", "repositories");
      assert.ok(existsSync(join(repositories, "other")));
      for (let at = 0; at < 1500; at++) {
        cpSync(join(repositories, "other"), join(repositories, "many", `r${at}`), { recursive: true });
      }
      const { images, codes } = await list(scene, "/many");
      assert.equal(new Set(images).size, 1500);
      assert.deepEqual([images.length, codes], [1500, []]);
    });
  });
}
