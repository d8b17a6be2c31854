import assert from "node:assert/strict";
import { before, describe, it, type TestContext } from "node:test";
import { cosignKey, cosignSign } from "./cosign.ts";
import { containersEnvironment } from "./engines.ts";
import { type PushedImage, pushImage, pushIndex } from "./images.ts";
import { type Finished, without } from "./peers.ts";
import { type Scene, useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { KeyPair, Workplace } from "./workplace.ts";

/** containers-policy.json(5), `sigstoreSigned`: how podman, skopeo, buildah and CRI-O ask for a signature. */
interface Judge {
  readonly name: string;
  /** Fetches the image under the policy that is in force in the home. */
  readonly fetch: (work: Workplace, image: string) => Promise<Finished>;
}

const JUDGES: readonly Judge[] = [
  {
    name: "skopeo",
    fetch: (work, image) => {
      const configuration = ["--policy", work.path("policy.json"), "--registries.d", work.path("registries.d")];
      const to = `dir:${work.makeFolder("skopeo-out")}`;
      return work.run("skopeo", [...configuration, "copy", "--src-tls-verify=false", `docker://${image}`, to]);
    },
  },
  ...["podman", "podman5"].map((name) => ({
    name,
    fetch: (work: Workplace, image: string) => {
      const args = ["pull", "--signature-policy", work.path("policy.json"), "--tls-verify=false", image];
      return work.run(name, args, { env: containersEnvironment(work) });
    },
  })),
];

const REJECTED = /Source image rejected/;
/** Debian builds podman and skopeo without this check, hence podman5: every signature is refused, in these words. */
const SWITCHED_OFF = /sigstore disabled/;

for (const kind of REGISTRIES) {
  for (const judge of JUDGES) {
    const missing = kind.missing || without("cosign", judge.name);
    describe(`${judge.name} with a policy.json judges what countersign signs: ${kind.name}`, { skip: missing }, () => {
      const scene = useScene(kind);
      const { work } = scene;
      const [alice, eve] = [work.keyPair("alice"), work.keyPair("eve")];
      const sign = (key: KeyPair, image: PushedImage, ...flags: readonly string[]) =>
        work.expect(0, ["sign", "--key", key.secret, "-y", ...flags, image.tagged]);

      before(async () => {
        await work.makeKey("alice");
        await cosignKey(work, "eve");
        requireSignature(scene, alice);
      });

      /** What it says of an image; undefined, and a skip, where it was built without a say. */
      async function ask(t: TestContext, image: PushedImage): Promise<Finished | undefined> {
        const finished = await judge.fetch(work, image.tagged);
        if (!SWITCHED_OFF.test(finished.stderr)) return finished;
        t.skip(`this build of ${judge.name} checks no sigstore signatures`);
        return undefined;
      }

      async function accepts(t: TestContext, image: PushedImage): Promise<void> {
        const finished = await ask(t, image);
        if (finished !== undefined) assert.equal(finished.code, 0, finished.stderr);
      }

      async function refuses(t: TestContext, image: PushedImage): Promise<void> {
        const finished = await ask(t, image);
        if (finished === undefined) return;
        assert.notEqual(finished.code, 0);
        assert.match(finished.stderr, REJECTED);
      }

      it("accepts cosign's own legacy signature: the policy is in force and can be met", async (t) => {
        const image = await pushImage(scene.address, "policy/reference:1");
        await cosignSign(work, alice, image.pinned, { format: "legacy" });
        await accepts(t, image);
      });

      it("accepts the legacy form", async (t) => {
        const image = await pushImage(scene.address, "policy/legacy:1");
        await sign(alice, image, "--format", "cosign-legacy");
        await accepts(t, image);
      });

      it("accepts the legacy form beside a bundle and beside another signer's", async (t) => {
        const image = await pushImage(scene.address, "policy/both:1");
        await sign(eve, image, "--format", "cosign-legacy");
        await sign(alice, image, "--format", "bundle", "--format", "cosign-legacy");
        await accepts(t, image);
      });

      it("accepts a platform of an index after sign -r", async (t) => {
        const { index } = await pushIndex(scene.address, "policy/index:1");
        await sign(alice, index, "-r", "--format", "cosign-legacy");
        await accepts(t, index);
      });

      it("refuses without a signature", async (t) => {
        await refuses(t, await pushImage(scene.address, "policy/unsigned:1"));
      });

      it("refuses another key", async (t) => {
        const image = await pushImage(scene.address, "policy/eve:1");
        await sign(eve, image, "--format", "cosign-legacy");
        await refuses(t, image);
      });

      it("refuses when there is only a bundle, which it does not read", async (t) => {
        const image = await pushImage(scene.address, "policy/bundle:1");
        await sign(alice, image, "--format", "bundle");
        await refuses(t, image);
      });
    });
  }
}

/** Writes a policy that accepts nothing but this registry's images with a signature by this key. */
function requireSignature(scene: Scene, key: KeyPair): void {
  const { work, address } = scene;
  const signed = { type: "sigstoreSigned", keyPath: key.public, signedIdentity: { type: "matchRepository" } };
  const policy = { default: [{ type: "reject" }], transports: { docker: { [address]: [signed] } } };
  work.write("policy.json", JSON.stringify(policy));
  const attachments = `docker:\n  ${address}:\n    use-sigstore-attachments: true\n`;
  work.write("registries.d/interop.yaml", attachments);
  // Where podman, which has no flag for it, looks for the same in a home.
  work.write("home/.config/containers/registries.d/interop.yaml", attachments);
}
