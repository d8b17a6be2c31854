import assert from "node:assert/strict";
import { chmodSync, existsSync } from "node:fs";
import { delimiter } from "node:path";
import { after, before, describe, it } from "node:test";
import { cosignAccepts, cosignSign } from "./cosign.ts";
import { type PushedImage, pushImage } from "./images.ts";
import { type Finished, without } from "./peers.ts";
import { type Server, startDistribution } from "./servers.ts";
import { startTokenRegistry } from "./token-registry.ts";
import { Workplace } from "./workplace.ts";

const USER = "publisher";
const SECRET = "s3cret:with:colons";
const WRONG = "wr0ng-password";

/** CNCF distribution with one way to ask who someone is. */
interface GuardedRegistry {
  readonly name: string;
  readonly missing: string | false;
  readonly start: (work: Workplace, folder: string) => Promise<Server>;
}

const GUARDED: readonly GuardedRegistry[] = [
  {
    name: "htpasswd (basic)",
    missing: without("docker-registry", "htpasswd"),
    start: async (work, folder) => {
      const file = work.write("htpasswd", `${await work.must("htpasswd", ["-Bbn", USER, SECRET])}\n`);
      return startDistribution(folder, `auth: {htpasswd: {realm: interop, path: ${JSON.stringify(file)}}}\n`);
    },
  },
  {
    name: "token server (bearer)",
    missing: without("docker-registry", "openssl"),
    start: (_work, folder) => startTokenRegistry(folder, { [USER]: SECRET }),
  },
];

for (const kind of GUARDED) {
  describe(`a registry that wants credentials: ${kind.name}`, { skip: kind.missing }, () => {
    const work = new Workplace();
    const alice = work.keyPair("alice");
    const scene = {} as { registry: Server; signed: PushedImage; unsigned: PushedImage };

    before(async () => {
      work.open();
      await work.makeKey("alice");
      const storage = work.path("registry");
      const open = await startDistribution(storage);
      const images = [await pushImage(open.address, "guarded/app:1"), await pushImage(open.address, "guarded/app:2")];
      await open.stop();
      scene.registry = await kind.start(work, storage);
      const [signed, unsigned] = images.map((image) => movedTo(image, scene.registry.address));
      assert.ok(signed !== undefined && unsigned !== undefined);
      Object.assign(scene, { signed, unsigned });
      await work.expect(0, ["sign", "--key", alice.secret, "-y", signed.tagged], login(SECRET));
    });
    after(async () => {
      await scene.registry.stop();
      work.remove();
    });

    /** A Docker configuration with these credentials for the registry, for one call. */
    function login(password: string) {
      const folder = work.makeFolder(`docker-${password.length}`);
      const auth = Buffer.from(`${USER}:${password}`).toString("base64");
      work.write(
        `docker-${password.length}/config.json`,
        JSON.stringify({ auths: { [scene.registry.address]: { auth } } }),
      );
      return { env: { DOCKER_CONFIG: folder } };
    }

    function saysNoSecret(finished: Finished): void {
      const text = `${finished.stdout}${finished.stderr}`;
      for (const password of [SECRET, WRONG]) {
        const forms = [password, encodeURIComponent(password), Buffer.from(`${USER}:${password}`).toString("base64")];
        for (const form of forms) assert.ok(!text.includes(form), "a secret was printed");
      }
      assert.doesNotMatch(text, /Bearer [A-Za-z0-9_-]{20}|eyJ[A-Za-z0-9_-]{20}/, "a token was printed");
    }

    const verify = () => ["verify", "--key", alice.public, scene.signed.tagged];

    it("signs, verifies and pulls with the credentials of DOCKER_CONFIG", async () => {
      await work.judge("accepted", verify(), login(SECRET));
      await work.judge("refused unsigned", ["verify", "--key", alice.public, scene.unsigned.tagged], login(SECRET));
      const out = work.path("out");
      await work.expect(0, ["pull", "--key", alice.public, "--to", `oci:${out}`, scene.signed.tagged], login(SECRET));
      assert.ok(existsSync(`${out}/index.json`));
    });

    it("agrees with cosign through the same credentials", { skip: without("cosign") }, async () => {
      const { env } = login(SECRET);
      await cosignAccepts(work, alice, scene.signed.pinned, { env });
      await cosignSign(work, alice, scene.unsigned.pinned, { format: "legacy", env });
      await work.judge("accepted", ["verify", "--key", alice.public, scene.unsigned.pinned], { env });
    });

    it("takes them from podman's auth.json, from a credential helper, and from the command line", async () => {
      const { address } = scene.registry;
      const auth = Buffer.from(`${USER}:${SECRET}`).toString("base64");
      const file = work.write("auth.json", JSON.stringify({ auths: { [address]: { auth } } }));
      await work.judge("accepted", verify(), { env: { REGISTRY_AUTH_FILE: file } });

      const answer = JSON.stringify({ ServerURL: address, Username: USER, Secret: SECRET });
      chmodSync(work.write("bin/docker-credential-interop", `#!/bin/sh\ncat >/dev/null\necho '${answer}'\n`), 0o755);
      work.write("helped/config.json", JSON.stringify({ credHelpers: { [address]: "interop" } }));
      const PATH = `${work.path("bin")}${delimiter}${process.env["PATH"] ?? ""}`;
      await work.judge("accepted", verify(), { env: { DOCKER_CONFIG: work.path("helped"), PATH } });

      const flags = ["--registry-username", USER, "--registry-password-stdin"];
      await work.judge("accepted", [...verify(), ...flags], { input: `${SECRET}\n` });
    });

    for (const [verb, args] of [
      ["verify", () => verify()],
      ["pull", () => ["pull", "--key", alice.public, "--to", `oci:${work.path("never")}`, scene.signed.tagged]],
      ["sign", () => ["sign", "--key", alice.secret, "-y", scene.signed.tagged]],
    ] as const) {
      it(`${verb}: exit 4 without credentials, exit 3 with wrong ones, and neither prints a secret`, async () => {
        const missing = await work.expect(4, [...args(), "--debug"]);
        assert.match(`${missing.stdout}${missing.stderr}`, /credentials-missing/);
        const denied = await work.expect(3, [...args(), "--debug"], login(WRONG));
        assert.match(`${denied.stdout}${denied.stderr}`, /denied/);
        for (const finished of [missing, denied]) saysNoSecret(finished);
        assert.equal(existsSync(work.path("never")), false);
      });
    }

    it("sends the credentials of one registry to no other", async () => {
      const { env } = login(SECRET);
      const other = await kind.start(work, work.path("other-registry"));
      try {
        const elsewhere = scene.signed.tagged.replace(scene.registry.address, other.address);
        saysNoSecret(await work.expect(4, ["verify", "--key", alice.public, elsewhere], { env }));
      } finally {
        await other.stop();
      }
    });

    it("prints no secret when all goes well", async () => {
      saysNoSecret(await work.expect(0, [...verify(), "--debug"], login(SECRET)));
    });
  });
}

/** The same content at another address: the storage folder is the same. */
function movedTo(image: PushedImage, address: string): PushedImage {
  const move = (reference: string) => `${address}${reference.slice(reference.indexOf("/"))}`;
  return { ...image, tagged: move(image.tagged), pinned: move(image.pinned) };
}
