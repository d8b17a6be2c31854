import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { before, describe, it } from "node:test";
import { installKms, newKey, writePrivateKey } from "../support/programs.ts";
import { cosignAccepts, cosignSign, cosignVerify } from "./cosign.ts";
import { pushImage } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { KeyPair } from "./workplace.ts";

const EMBEDDED = REGISTRIES.filter((kind) => kind.hasReferrersApi);

for (const kind of EMBEDDED) {
  describe("one plug-in for both: sigstore-kms-NAME", { skip: kind.missing || without("cosign") }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const plugged = { env: { PATH: `${work.path("bin")}:${process.env["PATH"]}` } };

    before(async () => {
      mkdirSync(work.path("bin"));
      await installKms(work.path("bin"), "test");
    });

    /** A key of the plug-in; it verifies as it signs. */
    async function keyOf(algorithm: string, name = algorithm): Promise<KeyPair> {
      const reference = `test://${await writePrivateKey(work.path(`${name}.pem`), newKey(algorithm))}`;
      return { secret: reference, public: reference };
    }

    for (const algorithm of ["ecdsa-p256", "rsa"]) {
      it(`what countersign signs with ${algorithm}, cosign verifies; and the reverse`, async () => {
        const key = await keyOf(algorithm);
        const ours = await pushImage(scene.address, `kms/${algorithm}:ours`);
        await work.expect(0, ["sign", "--key", key.secret, "-y", ours.pinned], plugged);
        await cosignAccepts(work, key, ours.pinned, plugged);
        const theirs = await pushImage(scene.address, `kms/${algorithm}:theirs`);
        await cosignSign(work, key, theirs.pinned, plugged);
        await work.judge("accepted", ["verify", "--key", key.public, theirs.pinned], plugged);
      });
    }

    it("both read the same public key from it", async () => {
      const key = await keyOf("ecdsa-p256", "public");
      const theirs = await work.must("cosign", ["public-key", "--key", key.secret], plugged);
      const ours = await work.expect(0, ["key", "public", key.secret], plugged);
      assert.equal(ours.stdout.trim(), theirs);
    });

    it("both refuse the signature of another key of it", async () => {
      const [mine, theirs] = [await keyOf("ecdsa-p256", "mine"), await keyOf("ecdsa-p256", "theirs")];
      const image = await pushImage(scene.address, "kms/other:1");
      await work.expect(0, ["sign", "--key", mine.secret, "-y", image.pinned], plugged);
      await work.judge("refused wrong-key", ["verify", "--key", theirs.public, image.pinned], plugged);
      assert.notEqual((await cosignVerify(work, theirs, image.pinned, plugged)).code, 0);
    });

    it("both fail where it is not installed, and ours names it", async () => {
      const image = await pushImage(scene.address, "kms/absent:1");
      const { stderr } = await work.expect(2, ["sign", "--key", "absent://key", "-y", image.pinned]);
      assert.match(stderr, /sigstore-kms-absent is not installed.*\[key-invalid\]/);
      assert.notEqual((await work.run("cosign", ["public-key", "--key", "absent://key"])).code, 0);
    });

    for (const mode of ["other-key", "other-message"]) {
      it(`nothing is stored where it signs wrongly: ${mode}`, async () => {
        const key = await keyOf("ecdsa-p256", mode);
        const image = await pushImage(scene.address, `kms/${mode}:1`);
        const env = { ...plugged.env, PLUGIN_MODE: mode };
        await work.expect(2, ["sign", "--key", key.secret, "-y", image.pinned], { env });
        await work.judge("refused unsigned", ["verify", "--key", key.public, image.pinned], plugged);
      });
    }
  });
}
