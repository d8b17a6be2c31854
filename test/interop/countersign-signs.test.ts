import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { cosignAccepts, cosignKey, cosignRefuses, cosignSign } from "./cosign.ts";
import { listTags, pushImage, pushIndex } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { KeyPair } from "./workplace.ts";

for (const kind of REGISTRIES) {
  describe(`cosign judges what countersign signs: ${kind.name}`, { skip: kind.missing || without("cosign") }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const keys: { alice: KeyPair; bob: KeyPair } = { alice: work.keyPair("alice"), bob: work.keyPair("bob") };
    const sign = (key: KeyPair, ...args: readonly string[]) =>
      work.expect(0, ["sign", "--key", key.secret, "-y", ...args]);

    before(async () => {
      await work.makeKey("alice");
      await cosignKey(work, "bob");
    });

    it("accepts a bundle, under the tag and under the digest, and refuses it for another key", async () => {
      const image = await pushImage(scene.address, "sign/bundle:1");
      await sign(keys.alice, image.tagged);
      for (const reference of [image.tagged, image.pinned]) {
        const [claim, ...more] = await cosignAccepts(work, keys.alice, reference);
        assert.equal(claim?.critical.image["docker-manifest-digest"], image.digest);
        assert.deepEqual(more, []);
      }
      await cosignRefuses(work, keys.bob, image.pinned);
    });

    it("finds the bundle where the distribution-spec says: referrers API, else the tag of the schema", async () => {
      const image = await pushImage(scene.address, "sign/where:1");
      await sign(keys.alice, image.pinned);
      const schemaTag = image.digest.replace(":", "-");
      const wanted = kind.hasReferrersApi ? ["1"] : ["1", schemaTag];
      assert.deepEqual([...(await listTags(scene.address, "sign/where"))].sort(), wanted);
    });

    it("accepts the legacy form, and refuses it for another key", async () => {
      const image = await pushImage(scene.address, "sign/legacy:1");
      await sign(keys.alice, "--format", "cosign-legacy", image.tagged);
      const [claim, ...more] = await cosignAccepts(work, keys.alice, image.pinned, { format: "legacy" });
      assert.equal(claim?.critical.image["docker-manifest-digest"], image.digest);
      assert.deepEqual(more, []);
      await cosignRefuses(work, keys.bob, image.pinned, { format: "legacy" });
    });

    it("accepts both forms when both are written in one call", async () => {
      const image = await pushImage(scene.address, "sign/both:1");
      await sign(keys.alice, "--format", "bundle", "--format", "cosign-legacy", image.tagged);
      await cosignAccepts(work, keys.alice, image.pinned);
      await cosignAccepts(work, keys.alice, image.pinned, { format: "legacy" });
    });

    for (const [format, flag] of [
      ["bundle", "bundle"],
      ["legacy", "cosign-legacy"],
    ] as const) {
      it(`sees the annotations of the ${format} form, and refuses a value that was not signed`, async () => {
        const image = await pushImage(scene.address, `sign/annotated-${format}:1`);
        const awkward = "ref=refs/heads/<main>&=ü";
        await sign(keys.alice, "--format", flag, "-a", "env=prod", "-a", awkward, image.tagged);
        const flags = ["-a", "env=prod", "-a", awkward];
        const [claim] = await cosignAccepts(work, keys.alice, image.pinned, { format, flags });
        assert.deepEqual(claim?.optional, { env: "prod", ref: "refs/heads/<main>&=ü" });
        await cosignRefuses(work, keys.alice, image.pinned, { format, flags: ["-a", "env=test"] });
        await cosignRefuses(work, keys.alice, image.pinned, { format, flags: ["-a", "absent=prod"] });
      });

      it(`accepts the index and every platform after sign -r in the ${format} form`, async () => {
        const { index, platforms } = await pushIndex(scene.address, `sign/recursive-${format}:1`);
        await sign(keys.alice, "-r", "--format", flag, index.tagged);
        for (const image of [index, ...platforms]) await cosignAccepts(work, keys.alice, image.pinned, { format });
      });

      it(`refuses a platform after sign without -r in the ${format} form: only the index is signed`, async () => {
        const { index, platforms } = await pushIndex(scene.address, `sign/index-${format}:1`);
        await sign(keys.alice, "--format", flag, index.tagged);
        await cosignAccepts(work, keys.alice, index.pinned, { format });
        for (const image of platforms) await cosignRefuses(work, keys.alice, image.pinned, { format });
      });

      it(`accepts each of several signers of the ${format} form, ours and its own, whoever was first`, async () => {
        const ours = await pushImage(scene.address, `sign/ours-first-${format}:1`);
        await sign(keys.alice, "--format", flag, ours.pinned);
        await cosignSign(work, keys.bob, ours.pinned, { format });
        const theirs = await pushImage(scene.address, `sign/theirs-first-${format}:1`);
        await cosignSign(work, keys.bob, theirs.pinned, { format });
        await sign(keys.alice, "--format", flag, theirs.pinned);
        for (const image of [ours, theirs]) {
          await cosignAccepts(work, keys.alice, image.pinned, { format });
          await cosignAccepts(work, keys.bob, image.pinned, { format });
          const both = ["--threshold", "2", "--key", keys.alice.public, "--key", keys.bob.public];
          await work.judge("accepted", ["verify", ...both, image.pinned]);
        }
      });

      it(`counts one signature after signing twice in the ${format} form`, async () => {
        const image = await pushImage(scene.address, `sign/twice-${format}:1`);
        await sign(keys.alice, "--format", flag, image.tagged);
        await sign(keys.alice, "--format", flag, image.tagged);
        assert.equal((await cosignAccepts(work, keys.alice, image.pinned, { format })).length, 1);
      });

      it(`finds every one of several signers of the ${format} form that signed at the same time`, async () => {
        const image = await pushImage(scene.address, `sign/at-once-${format}:1`);
        const signers = [
          keys.alice,
          keys.bob,
          await work.makeKey(`carol-${format}`),
          await work.makeKey(`dan-${format}`),
        ];
        await Promise.all(signers.map((key) => sign(key, "--format", flag, image.pinned)));
        for (const key of signers) await cosignAccepts(work, key, image.pinned, { format });
      });
    }

    it("accepts all images of one call", async () => {
      const images = await Promise.all(["1", "2", "3"].map((tag) => pushImage(scene.address, `sign/many:${tag}`)));
      await sign(keys.alice, ...images.map((image) => image.tagged));
      for (const image of images) await cosignAccepts(work, keys.alice, image.pinned);
    });

    it("finds nothing after --dry-run", async () => {
      const image = await pushImage(scene.address, "sign/dry:1");
      await sign(keys.alice, "--dry-run", image.tagged);
      await cosignRefuses(work, keys.alice, image.pinned);
      assert.deepEqual(await listTags(scene.address, "sign/dry"), ["1"]);
    });
  });
}
