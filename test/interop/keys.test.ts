import assert from "node:assert/strict";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import { type CosignFormat, cosignAccepts, cosignKey, cosignSign, cosignVerify } from "./cosign.ts";
import { pushImage } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import { type KeyPair, PASSWORD, Workplace } from "./workplace.ts";

const EMBEDDED = REGISTRIES.filter((kind) => kind.hasReferrersApi);

for (const kind of EMBEDDED) {
  describe("keys cross over between cosign and countersign", { skip: kind.missing || without("cosign") }, () => {
    const scene = useScene(kind);
    const { work } = scene;

    /**
     * Each tool signs with this key, each verifies what the other signed. There are keys with which cosign 3.1 cannot
     * verify what it signed itself (P-384, Ed25519): of those, ours need be no better than its own.
     */
    async function worksInBoth(key: KeyPair, repository: string, formats: readonly CosignFormat[]): Promise<void> {
      for (const format of formats) {
        const ours = await pushImage(scene.address, `${repository}:ours-${format}`);
        const flag = format === "legacy" ? "cosign-legacy" : "bundle";
        await work.expect(0, ["sign", "--key", key.secret, "--format", flag, "-y", ours.pinned]);
        await work.judge("accepted", ["verify", "--key", key.public, ours.pinned]);
        const theirs = await pushImage(scene.address, `${repository}:theirs-${format}`);
        await cosignSign(work, key, theirs.pinned, { format });
        await work.judge("accepted", ["verify", "--key", key.public, theirs.pinned]);
        const judged = await cosignVerify(work, key, ours.pinned, { format });
        const itself = await cosignVerify(work, key, theirs.pinned, { format });
        assert.ok(judged.code === 0 || itself.code !== 0, judged.stderr);
      }
    }

    async function publicHalves(key: KeyPair): Promise<readonly string[]> {
      const theirs = await work.must("cosign", ["public-key", "--key", key.secret]);
      const ours = (await work.expect(0, ["key", "public", key.secret])).stdout;
      return [theirs, ours, readFileSync(key.public, "utf8")].map((pem) => pem.trim());
    }

    it("a key that cosign generated", async () => {
      const key = await cosignKey(work, "from-cosign");
      assert.equal(new Set(await publicHalves(key)).size, 1);
      await worksInBoth(key, "keys/from-cosign", ["bundle", "legacy"]);
      await cosignAccepts(work, key, `${scene.address}/keys/from-cosign:ours-bundle`);
    });

    for (const algorithm of ["ecdsa-p256", "ecdsa-p384", "ed25519", "rsa-3072"]) {
      it(`an ${algorithm} key that countersign generated`, async () => {
        const key = await work.makeKey(`from-countersign-${algorithm}`, "--algorithm", algorithm);
        assert.equal(new Set(await publicHalves(key)).size, 1);
        await worksInBoth(key, `keys/${algorithm}`, ["bundle", "legacy"]);
      });
    }

    it("a key whose password is empty, made by either", async () => {
      const env = { COSIGN_PASSWORD: "" };
      await work.must("cosign", ["generate-key-pair", "--output-key-prefix", work.path("empty-1")], { env });
      await work.expect(0, ["key", "generate", "--output-key-prefix", work.path("empty-2")], { env });
      await work.expect(0, ["key", "public", work.keyPair("empty-1").secret], { env });
      await work.must("cosign", ["public-key", "--key", work.keyPair("empty-2").secret], { env });
    });

    it("a key whose password is not ASCII, made by either", async () => {
      const env = { COSIGN_PASSWORD: "пароль-鍵-🔑" };
      await work.must("cosign", ["generate-key-pair", "--output-key-prefix", work.path("wide-1")], { env });
      await work.expect(0, ["key", "generate", "--output-key-prefix", work.path("wide-2")], { env });
      await work.expect(0, ["key", "public", work.keyPair("wide-1").secret], { env });
      await work.must("cosign", ["public-key", "--key", work.keyPair("wide-2").secret], { env });
    });

    it("with another password neither opens the other's key, and countersign prints no password", async () => {
      const env = { COSIGN_PASSWORD: "not the password" };
      const theirs = await cosignKey(work, "locked-1");
      const ours = await work.makeKey("locked-2");
      assert.notEqual((await work.run("cosign", ["public-key", "--key", ours.secret], { env })).code, 0);
      for (const key of [theirs, ours]) {
        const finished = await work.expect(2, ["key", "public", key.secret], { env });
        assert.match(finished.stderr, /key-password/);
        assert.ok(![PASSWORD, env.COSIGN_PASSWORD].some((secret) => finished.stderr.includes(secret)));
      }
    });

    it("the password comes from standard input where no variable and no terminal is there", async () => {
      const key = await cosignKey(work, "piped");
      const image = await pushImage(scene.address, "keys/piped:1");
      const options = { env: { COSIGN_PASSWORD: undefined }, input: PASSWORD };
      await work.expect(0, ["sign", "--key", key.secret, "-y", image.pinned], options);
      await cosignAccepts(work, key, image.pinned);
    });

    for (const { name, pem } of importable()) {
      it(`a key imported from ${name}, by either`, async () => {
        const slug = name.toLowerCase().replace(/[^a-z0-9]/g, "");
        const file = work.write(`${slug}.pem`, pem);
        const [ours, theirs] = [`ours-${slug}`, `theirs-${slug}`];
        await work.expect(0, ["key", "import", file, "--output-key-prefix", work.path(ours)]);
        await work.must("cosign", ["import-key-pair", "--key", file, "--output-key-prefix", work.path(theirs)]);
        const halves = [...(await publicHalves(work.keyPair(ours))), ...(await publicHalves(work.keyPair(theirs)))];
        assert.equal(new Set(halves).size, 1);
        await worksInBoth(work.keyPair(ours), `keys/import-${slug}`, ["bundle"]);
        await cosignAccepts(work, work.keyPair(theirs), `${scene.address}/keys/import-${slug}:ours-bundle`);
      });
    }

    it("a P-384 signature by cosign is not accepted for another P-384 key", async () => {
      const key = await work.makeKey("p384", "--algorithm", "ecdsa-p384");
      const other = await work.makeKey("other-p384", "--algorithm", "ecdsa-p384");
      const image = await pushImage(scene.address, "keys/other-p384:1");
      await cosignSign(work, key, image.pinned);
      await work.judge("refused wrong-key", ["verify", "--key", other.public, image.pinned]);
      assert.notEqual((await cosignVerify(work, other, image.pinned)).code, 0);
    });
  });
}

describe("keys made by openssl", { skip: without("openssl", "sh") }, () => {
  const work = new Workplace();
  before(() => void work.open());
  after(() => work.remove());

  for (const { name, command } of [
    { name: "SEC1", command: "openssl ecparam -name prime256v1 -genkey -noout" },
    { name: "SEC1 after its parameters", command: "openssl ecparam -name prime256v1 -genkey" },
    { name: "PKCS#8", command: "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256" },
    { name: "PKCS#8 of Ed25519", command: "openssl genpkey -algorithm ED25519" },
    { name: "PKCS#1", command: "openssl genrsa -traditional 3072" },
    {
      name: "encrypted PKCS#8",
      command: `openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -aes256 -pass 'pass:${PASSWORD}'`,
    },
  ]) {
    it(`imports ${name}, with the public half that openssl derives`, async () => {
      const file = work.write("openssl.pem", await work.must("sh", ["-c", `${command} 2>/dev/null`]));
      await work.expect(0, ["key", "import", file, "--output-key-prefix", work.path("imported"), "--force"]);
      const derived = await work.must("openssl", ["pkey", "-in", file, "-pubout", "-passin", `pass:${PASSWORD}`]);
      assert.equal(work.read("imported.pub").trim(), derived);
    });
  }

  for (const { name, command } of [
    { name: "RSA of 1024 bits", command: "openssl genrsa -traditional 1024" },
    { name: "a curve that signs no images", command: "openssl ecparam -name secp256k1 -genkey -noout" },
    { name: "X25519, which signs nothing", command: "openssl genpkey -algorithm X25519" },
    { name: "a certificate", command: "openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=x" },
  ]) {
    it(`does not import ${name}`, async () => {
      const file = work.write("openssl.pem", await work.must("sh", ["-c", `${command} 2>/dev/null`]));
      await work.expect(2, ["key", "import", file, "--output-key-prefix", work.path("not-imported")]);
      assert.throws(() => work.read("not-imported.key"), { code: "ENOENT" });
    });
  }
});

/** Private keys in the three forms that both tools import, made by Node's OpenSSL. */
function importable(): readonly { readonly name: string; readonly pem: string }[] {
  const ec = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const rsa = generateKeyPairSync("rsa", { modulusLength: 3072 }).privateKey;
  const pem = (key: KeyObject, type: "pkcs1" | "pkcs8" | "sec1") => key.export({ format: "pem", type }).toString();
  return [
    { name: "SEC1", pem: pem(ec, "sec1") },
    { name: "PKCS#8 (ECDSA)", pem: pem(ec, "pkcs8") },
    { name: "PKCS#1", pem: pem(rsa, "pkcs1") },
    { name: "PKCS#8 (RSA)", pem: pem(rsa, "pkcs8") },
  ];
}
