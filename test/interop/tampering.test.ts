import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { startProxy } from "../../bench/proxy.ts";
import { cosignSign } from "./cosign.ts";
import { listTags, type PushedImage, pushImage, pushIndex } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";

const DISTRIBUTION = REGISTRIES.filter((kind) => !kind.hasReferrersApi);

for (const kind of DISTRIBUTION) {
  describe(`what is altered on the registry's own disk is refused: ${kind.name}`, { skip: kind.missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const [alice, eve] = [work.keyPair("alice"), work.keyPair("eve")];

    before(async () => {
      await work.makeKey("alice");
      await work.makeKey("eve");
    });

    async function signedImage(name: string, ...flags: readonly string[]): Promise<PushedImage> {
      const image = await pushImage(scene.address, name);
      await work.expect(0, ["sign", "--key", alice.secret, "-y", ...flags, image.tagged]);
      return image;
    }

    /** Pulls from a cold cache, and asserts that a refusal leaves nothing at the destination. */
    async function pull(code: number, reason: string, image: string): Promise<void> {
      const out = work.path("out");
      rmSync(out, { recursive: true, force: true });
      const args = ["pull", "--key", alice.public, "--to", `oci:${out}`, image];
      const finished = await work.expect(code, args, { env: { XDG_CACHE_HOME: work.path("cold") } });
      assert.match(`${finished.stdout}${finished.stderr}`, new RegExp(reason));
      assert.equal(existsSync(out), code === 0);
      rmSync(work.path("cold"), { recursive: true, force: true });
    }

    /** distribution's storage layout: blobs by digest, and one link file for each tag. */
    const blobFile = (digest: string) => {
      const hex = digest.replace("sha256:", "");
      return join(scene.storage, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
    };
    const tagLink = (repository: string, tag: string) =>
      join(scene.storage, "docker/registry/v2/repositories", repository, "_manifests/tags", tag, "current/link");

    function alter(file: string, change: (bytes: Buffer) => Buffer): void {
      writeFileSync(file, change(readFileSync(file)));
    }
    const flip = (bytes: Buffer) => {
      const copy = Buffer.from(bytes);
      copy.writeUInt8(copy.readUInt8(copy.length >> 1) ^ 1, copy.length >> 1);
      return copy;
    };

    it("pulls the image that nobody touched", async () => {
      await pull(0, "", (await signedImage("tamper/good:1")).tagged);
    });

    it("a bit of a layer is flipped", async () => {
      const image = await signedImage("tamper/layer:1");
      alter(blobFile(image.layers[0]?.digest ?? ""), flip);
      await pull(1, "digest-mismatch", image.tagged);
    });

    it("a layer is cut short", async () => {
      const image = await signedImage("tamper/short:1");
      alter(blobFile(image.layers[0]?.digest ?? ""), (bytes) => bytes.subarray(0, -1));
      await pull(1, "digest-mismatch|size-mismatch", image.tagged);
    });

    it("a layer is gone", async () => {
      const image = await signedImage("tamper/gone:1");
      rmSync(blobFile(image.layers[0]?.digest ?? ""));
      await pull(3, "not-found|server-error", image.tagged);
    });

    it("a bit of the manifest is flipped, asked for by digest", async () => {
      const image = await signedImage("tamper/manifest:1");
      alter(blobFile(image.digest), (bytes) =>
        Buffer.from(bytes.toString().replace("linux", "Linux").replace("gzip", "gziq")),
      );
      await pull(1, "digest-mismatch|manifest-invalid", image.pinned);
    });

    it("the manifest's bytes are swapped for those of an image that is not signed", async () => {
      const image = await signedImage("tamper/swapped:1");
      const unsigned = await pushImage(scene.address, "tamper/swapped:2");
      alter(blobFile(image.digest), () => readFileSync(blobFile(unsigned.digest)));
      await pull(1, "digest-mismatch|unsigned", image.tagged);
      await pull(1, "digest-mismatch", image.pinned);
    });

    it("the tag is moved to an image that is not signed", async () => {
      await signedImage("tamper/moved:1");
      const unsigned = await pushImage(scene.address, "tamper/moved:2");
      writeFileSync(tagLink("tamper/moved", "1"), unsigned.digest);
      await pull(1, "unsigned", `${scene.address}/tamper/moved:1`);
    });

    it("the signature is deleted", async () => {
      const image = await signedImage("tamper/stripped:1");
      const tag = image.digest.replace(":", "-");
      rmSync(join(tagLink("tamper/stripped", tag), "../.."), { recursive: true });
      assert.deepEqual(await listTags(scene.address, "tamper/stripped"), ["1"]);
      await pull(1, "unsigned", image.tagged);
    });

    it("the signatures of another image are put in its place: bundle and legacy", async () => {
      for (const [format, suffix] of [
        ["bundle", ""],
        ["cosign-legacy", ".sig"],
      ] as const) {
        const repository = `tamper/copied-${format}`;
        const signed = await signedImage(`${repository}:1`, "--format", format);
        const unsigned = await pushImage(scene.address, `${repository}:2`);
        await work.expect(0, ["sign", "--key", eve.secret, "--format", format, "-y", unsigned.tagged]);
        const [from, to] = [signed, unsigned].map((image) => `${image.digest.replace(":", "-")}${suffix}`);
        writeFileSync(tagLink(repository, to ?? ""), readFileSync(tagLink(repository, from ?? "")));
        await pull(1, "wrong-digest|wrong-key|unsigned", unsigned.tagged);
      }
    });

    it("a platform of a signed index is swapped for another image", async () => {
      const { index, platforms } = await pushIndex(scene.address, "tamper/index:1");
      await work.expect(0, ["sign", "--key", alice.secret, "-y", index.tagged]);
      const evil = await pushImage(scene.address, "tamper/index:evil");
      for (const image of platforms) alter(blobFile(image.digest), () => readFileSync(blobFile(evil.digest)));
      await pull(1, "digest-mismatch", index.tagged);
    });

    it("a bit of the signature itself is flipped", { skip: without("cosign") }, async () => {
      const image = await pushImage(scene.address, "tamper/signature:1");
      await cosignSign(work, alice, image.pinned, { format: "legacy" });
      const tag = `${image.digest.replace(":", "-")}.sig`;
      const manifest = readFileSync(tagLink("tamper/signature", tag), "utf8").trim();
      alter(blobFile(manifest), flip);
      await work.expect(1, ["verify", "--key", alice.public, image.tagged]);
    });
  });
}

for (const kind of REGISTRIES) {
  describe(`what cannot be looked at is undetermined, never "unsigned": ${kind.name}`, { skip: kind.missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const alice = work.keyPair("alice");

    before(async () => {
      await work.makeKey("alice");
    });

    for (const { status, verdict } of [
      { status: 429, verdict: "undetermined throttled" },
      { status: 500, verdict: "undetermined server-error" },
      { status: 503, verdict: "undetermined server-error" },
    ]) {
      it(`${status} on every place a signature can be`, async () => {
        const image = await pushImage(scene.address, `faults/status-${status}:1`);
        await work.expect(0, ["sign", "--key", alice.secret, "-y", image.tagged]);
        const faults = [{ pattern: /\/referrers\/|\/manifests\/sha256-/, status }];
        const proxy = await startProxy({ target: scene.address, delayMs: 0, faults });
        try {
          const reference = image.tagged.replace(scene.address, proxy.address);
          await work.judge(verdict, ["verify", "--retry", "0", "--key", alice.public, reference]);
          const out = work.path(`out-${status}`);
          const to = ["--to", `oci:${out}`];
          await work.expect(3, ["pull", "--retry", "0", "--key", alice.public, ...to, reference]);
          assert.equal(existsSync(out), false);
        } finally {
          await proxy.close();
        }
      });
    }

    it("no registry at all", async () => {
      const proxy = await startProxy({ target: scene.address, delayMs: 0 });
      await proxy.close();
      await work.judge("undetermined unreachable", [
        "verify",
        "--retry",
        "0",
        "--key",
        alice.public,
        `${proxy.address}/faults/gone:1`,
      ]);
    });

    it("no such image", async () => {
      await work.judge("undetermined not-found", ["verify", "--key", alice.public, `${scene.address}/faults/none:1`]);
    });
  });
}
