import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { type RunningSigstore, startFakeSigstore } from "../support/sigstore/server.ts";
import { cosignKey } from "./cosign.ts";
import { pushImage } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { startEmbedded } from "./servers.ts";

const ALICE = "alice@example.com";

/**
 * The public instance's log is a Rekor 1, which needs a database server; the tests' own instance stands in for it. What
 * cosign accepts of it, it accepts by its own reading of entries, promises and proofs.
 */
describe("cosign judges what a Rekor 1 log has recorded", { skip: without("cosign") }, () => {
  const scene = useScene({ start: startEmbedded });
  const { work } = scene;
  let sigstore: RunningSigstore | undefined;
  before(async () => {
    sigstore = await startFakeSigstore();
  });
  after(async () => {
    await sigstore?.close();
  });

  function services(...names: readonly string[]): readonly string[] {
    assert.ok(sigstore);
    const root = work.write("trusted_root.json", sigstore.trustedRoot);
    return ["--signing-config", work.write("config.json", sigstore.signingConfig(names)), "--trusted-root", root];
  }

  async function sign(...args: readonly string[]): Promise<void> {
    const token = sigstore?.token({ email: ALICE }) ?? "";
    const who = args.includes("--key") ? [] : ["--identity-token", token];
    await work.expect(0, ["sign", ...who, ...args]);
  }

  async function cosign(...args: readonly string[]): Promise<number | null> {
    const trusted = ["--trusted-root", work.path("trusted_root.json")];
    const { code, stderr } = await work.run("cosign", ["verify", ...trusted, ...args]);
    if (code !== 0 && !args.includes("mallory@example.com")) assert.fail(stderr);
    return code;
  }

  const identity = (name = ALICE) => [
    ...["--certificate-identity", name, "--certificate-oidc-issuer", sigstore?.url("oidc") ?? ""],
  ];

  for (const names of [
    ["fulcio", "rekor1"],
    ["fulcio", "rekor1", "tsa"],
  ] as const) {
    it(`accepts bundles and legacy signatures by ${names.join(", ")}, and refuses them as another`, async () => {
      const image = await pushImage(scene.address, `rekor1/${names.length}:1`);
      await sign(...services(...names), "--format", "bundle", "--format", "cosign-legacy", image.tagged);
      for (const form of [[], ["--new-bundle-format=false"]]) {
        assert.equal(await cosign(...form, ...identity(), image.pinned), 0);
        assert.notEqual(await cosign(...form, ...identity("mallory@example.com"), image.pinned), 0);
      }
    });
  }

  it("accepts a key's bundle and legacy signature", async () => {
    const key = await cosignKey(work, "rekor1");
    const image = await pushImage(scene.address, "rekor1/key:1");
    await sign(
      ...services("rekor1"),
      "--key",
      key.secret,
      "--format",
      "bundle",
      "--format",
      "cosign-legacy",
      image.tagged,
    );
    for (const form of [[], ["--new-bundle-format=false"]]) {
      assert.equal(await cosign(...form, "--key", key.public, image.pinned), 0);
    }
  });

  it("accepts a signature whose entry was added later, without the log's time", async () => {
    const image = await pushImage(scene.address, "rekor1/later:1");
    const flags = services("fulcio", "rekor1", "tsa");
    sigstore?.fail("rekor1", { status: 503 });
    await sign(...flags, "--log-later", "--retry", "0", image.tagged);
    sigstore?.heal("rekor1");
    await work.expect(0, ["sign", "--finish", ...flags, image.tagged]);
    assert.equal(await cosign("--use-signed-timestamps", ...identity(), image.pinned), 0);
  });
});
