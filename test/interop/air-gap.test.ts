import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { CONNECTED, offlineHome, removeHome, runGuarded, SIGNER } from "../support/offline.ts";
import { cosignAccepts, cosignAttest, cosignKey, cosignRefuses, cosignSign } from "./cosign.ts";
import { listTags, pushImage, pushIndex } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import { useSigstack, withoutSigstack } from "./sigstack.ts";

for (const kind of REGISTRIES) {
  describe(`a kit, into ${kind.name}`, { skip: kind.missing || without("cosign") }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const alice = work.keyPair("alice");
    const save = (kit: string, ...args: readonly string[]) =>
      work.expect(0, ["save", "--key", alice.public, "--to", work.path(kit), ...args]);
    const load = (kit: string, to: string, ...args: readonly string[]) =>
      work.expect(0, ["load", "--key", alice.public, "--to", to, ...args, work.path(kit)]);

    before(async () => {
      await cosignKey(work, "alice");
      await work.makeKey("bob");
    });

    it("brings cosign's bundles, its older signatures and its attestations: cosign accepts them there", async () => {
      const { index, platforms } = await pushIndex(scene.address, "kits/app:1");
      const image = await pushImage(scene.address, "kits/db:9");
      const signed = [index, ...platforms, image];
      for (const { pinned } of signed) await cosignSign(work, alice, pinned);
      await cosignSign(work, alice, image.pinned, { format: "legacy" });
      await cosignAttest(work, alice, index.pinned);
      await save("kit.tar", index.tagged, image.tagged);
      await load("kit.tar", `${scene.address}/inside`);
      for (const { digest, pinned } of signed) {
        const there = pinned.replace("/kits/", "/inside/kits/");
        const [claim] = await cosignAccepts(work, alice, there);
        assert.equal(claim?.critical.image["docker-manifest-digest"], digest);
        await cosignRefuses(work, work.keyPair("bob"), there);
      }
      await cosignAccepts(work, alice, image.pinned.replace("/kits/", "/inside/kits/"), { format: "legacy" });
      await work.must("cosign", [
        ...["verify-attestation", "--key", alice.public, "--insecure-ignore-tlog=true", "--type", "slsaprovenance1"],
        index.pinned.replace("/kits/", "/inside/kits/"),
      ]);
      assert.ok((await listTags(scene.address, "inside/kits/app")).includes("1"));
    });

    it("is read by skopeo and crane as the archive that it is", { skip: without("skopeo", "crane") }, async () => {
      const image = await pushImage(scene.address, "read/app:1.4.2");
      const { index } = await pushIndex(scene.address, "read/many:2");
      for (const { pinned } of [image, index]) await cosignSign(work, alice, pinned);
      await save("read.tar", image.tagged, index.tagged);
      const source = `oci-archive:${work.path("read.tar")}`;
      const inspected = JSON.parse(await work.must("skopeo", ["inspect", `${source}:1.4.2`])) as {
        readonly Digest: string;
      };
      assert.equal(inspected.Digest, image.digest);
      const to = `docker://${scene.address}/skopeo/many:2`;
      await work.must("skopeo", ["copy", "--insecure-policy", "--all", "--dest-tls-verify=false", `${source}:2`, to]);
      assert.equal(await work.must("crane", ["digest", `${scene.address}/skopeo/many:2`]), index.digest);
      const layout = work.makeFolder("unpacked");
      await work.must("tar", ["-xf", work.path("read.tar"), "-C", layout]);
      await work.must("crane", ["push", "--index", layout, `${scene.address}/crane/kit:1`]);
      await work.must("crane", ["validate", "--remote", `${scene.address}/crane/kit:1`]);
    });

    it("packed anew by tar is the same kit", async () => {
      const image = await pushImage(scene.address, "tar/app:1");
      await cosignSign(work, alice, image.pinned);
      const { stdout } = await save("packed.tar", image.tagged);
      const digest = /digest +(sha256:\S+)\n +made/.exec(stdout)?.[1] ?? "";
      const folder = work.makeFolder("packed");
      await work.must("tar", ["-xf", work.path("packed.tar"), "-C", folder]);
      await work.must("tar", ["-czf", work.path("packed.tar.gz"), "-C", folder, "."]);
      await load("packed.tar.gz", `oci:${work.path("packed-out")}`, "--digest", digest);
    });

    it("with a byte that is another one is refused, and the registry has nothing of it", async () => {
      const image = await pushImage(scene.address, "broken/app:1");
      await cosignSign(work, alice, image.pinned);
      await save("broken.tar", image.tagged);
      const path = work.path("broken.tar");
      const bytes = readFileSync(path);
      const at = bytes.indexOf("dsseEnvelope");
      bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
      writeFileSync(path, bytes);
      await work.expect(1, ["load", "--key", alice.public, "--to", `${scene.address}/broken-inside`, path]);
      assert.deepEqual(await listTags(scene.address, "broken-inside/broken/app"), []);
    });
  });

  describe(`a kit of keyless signatures, into ${kind.name}`, { skip: kind.missing || withoutSigstack }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const stack = useSigstack(scene);

    it("is judged by the trust root, and cosign accepts what arrives", async () => {
      const { people, trustedRoot, signingConfig } = stack();
      const image = await pushImage(scene.address, "keyless/app:1");
      const services = ["--signing-config", signingConfig, "--trusted-root", trustedRoot];
      const token = ["--identity-token", people.emailToken("alice@example.com")];
      await work.must("cosign", ["sign", ...services, ...token, "-y", image.pinned]);
      const identity = (who: string) => [
        ...["--trusted-root", trustedRoot, "--certificate-identity", who, "--certificate-oidc-issuer", people.url],
      ];
      const [kit, to] = [work.path("keyless.tar"), `${scene.address}/inside`];
      await work.expect(1, ["save", ...identity("eve@example.com"), "--to", kit, image.tagged]);
      const { stdout } = await work.expect(0, ["save", ...identity("alice@example.com"), "--to", kit, image.tagged]);
      await work.expect(1, ["load", ...identity("eve@example.com"), "--to", to, kit]);
      assert.deepEqual(await listTags(scene.address, "inside/keyless/app"), []);
      const digest = /digest +(sha256:\S+)\n +made/.exec(stdout)?.[1] ?? "";
      const believed = ["--trust-kit", "--digest", digest, ...identity("alice@example.com").slice(2)];
      await work.expect(0, ["load", ...believed, "--to", to, kit]);
      const there = image.pinned.replace("/keyless/", "/inside/keyless/");
      await work.must("cosign", ["verify", ...identity("alice@example.com"), there]);
      const refused = await work.run("cosign", ["verify", ...identity("eve@example.com"), there]);
      assert.notEqual(refused.code, 0);
    });
  });
}

/** A namespace of its own, in which there is no network at all, not even loopback (unshare(1), util-linux). */
const ALONE = ["unshare", "--map-root-user", "--net"];
const [unshare = "", ...flags] = ALONE;
const isPossible = spawnSync(unshare, [...flags, "true"]).status === 0;

describe("a kit where there is no network", { skip: isPossible ? false : "no network namespaces here" }, () => {
  it("is listed, updates the trust material, and is loaded; and the guard would have seen a connection", async () => {
    const home = await offlineHome();
    try {
      const trusted = ["--trust", "acme", ...SIGNER];
      const alone = (...argv: readonly string[]) => runGuarded(home, argv, ALONE);
      const saved = await alone("save", "--offline", ...trusted, "--to", "kit.tar", "oci:app:1");
      assert.equal(saved.code, 0, saved.stderr);
      for (const line of [
        ["load", "--list", "kit.tar"],
        ["load", "--update-trust", "kit.tar"],
        ["load", "--update-trust", ...trusted, "--to", "oci:out", "kit.tar"],
        ["verify", "--offline", ...trusted, "oci:out:1"],
      ]) {
        const { code, stderr } = await alone(...line);
        assert.equal(code, 0, `${line.join(" ")}\n${stderr}`);
        const guarded = line.includes("oci:out") ? line.map((word) => word.replace("oci:out", "oci:guarded")) : line;
        assert.notEqual((await runGuarded(home, guarded)).code, CONNECTED);
      }
      const registry = ["load", ...trusted, "--to", "127.0.0.1:5000/a", "kit.tar"];
      assert.equal((await runGuarded(home, registry)).code, CONNECTED);
    } finally {
      await removeHome(home);
    }
  });
});
