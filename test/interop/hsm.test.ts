import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { cosignAccepts, cosignVerify } from "./cosign.ts";
import { pushImage } from "./images.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import { SoftToken, withoutToken } from "./token.ts";
import type { KeyPair } from "./workplace.ts";

const [EMBEDDED] = REGISTRIES;
const SKIP = withoutToken() || without("cosign");

describe("a real token (SoftHSM 2)", {
  skip: EMBEDDED === undefined ? "no registry" : EMBEDDED.missing || SKIP,
}, () => {
  assert.ok(EMBEDDED !== undefined);
  const scene = useScene(EMBEDDED);
  const { work } = scene;
  const token = new SoftToken(work);

  before(async () => {
    await token.create("release");
    await token.create("other");
  });

  async function keyOf(reference: string, name: string): Promise<KeyPair> {
    const { stdout } = await work.expect(0, ["key", "public", reference], token.opened);
    return { secret: reference, public: work.write(`${name}.pub`, stdout) };
  }

  /** With which of the token's keys cosign verifies what we sign: it takes P-384 and P-521 only with flags of its own. */
  const ALGORITHMS = [
    { type: "EC:prime256v1", algorithm: "ecdsa-p256", flags: [] },
    { type: "EC:secp384r1", algorithm: "ecdsa-p384", flags: ["--signature-digest-algorithm", "sha384"] },
    { type: "EC:secp521r1", algorithm: "ecdsa-p521", flags: ["--signature-digest-algorithm", "sha512"] },
    { type: "EC:edwards25519", algorithm: "ed25519", flags: [] },
    { type: "rsa:2048", algorithm: "rsa", flags: [] },
  ];
  for (const [at, { type, algorithm, flags }] of ALGORITHMS.entries()) {
    it(`signs with ${algorithm}; countersign verifies by the token and by a file, cosign by the file`, async () => {
      await token.makeKey("release", type, algorithm, `1${at}`);
      const reference = `pkcs11:token=release;object=${algorithm}`;
      const key = await keyOf(reference, algorithm);
      const inspected = await work.expect(0, ["key", "inspect", reference, "-o", "json"], token.opened);
      assert.equal(JSON.parse(inspected.stdout).algorithm, algorithm);
      const image = await pushImage(scene.address, `hsm/${algorithm}:1`);
      await work.expect(0, ["sign", "--key", reference, "-y", image.pinned], token.opened);
      await work.judge("accepted", ["verify", "--key", key.public, image.pinned]);
      await work.judge("accepted", ["verify", "--key", reference, image.pinned], { env: token.environment });
      await cosignAccepts(work, key, image.pinned, { flags });
    });
  }

  it("signs with a key that wants the PIN for every signature, many images with one question", async () => {
    await token.makeKey("release", "EC:prime256v1", "always", "20", "--always-auth");
    const images = await Promise.all([1, 2, 3].map((tag) => pushImage(scene.address, `hsm/always:${tag}`)));
    const names = images.map(({ pinned }) => pinned);
    const reference = "pkcs11:token=release;id=%20";
    const asked = { env: { ...token.environment, COSIGN_PASSWORD: undefined }, input: "314159\n" };
    await work.expect(0, ["sign", "--key", reference, "-y", ...names], asked);
    const key = await keyOf(reference, "always");
    await work.judge("accepted", ["verify", "--key", key.public, ...names]);
  });

  it("signs in the legacy form as well, which cosign verifies", async () => {
    await token.makeKey("release", "EC:prime256v1", "legacy", "21");
    const reference = "pkcs11:token=release;object=legacy";
    const key = await keyOf(reference, "legacy");
    const image = await pushImage(scene.address, "hsm/legacy:1");
    await work.expect(0, ["sign", "--key", reference, "--format", "cosign-legacy", "-y", image.pinned], token.opened);
    await cosignAccepts(work, key, image.pinned, { format: "legacy" });
  });

  it("takes the public key of a certificate, where the token has no other", async () => {
    const file = work.write(
      "key.pem",
      await work.must("openssl", ["ecparam", "-name", "prime256v1", "-genkey", "-noout"]),
    );
    const certificate = ["req", "-x509", "-key", file, "-subj", "/CN=signing", "-days", "2"];
    await work.must("openssl", [...certificate, "-outform", "DER", "-out", work.path("certificate.der")]);
    await token.tool("release", "--write-object", file, "--type", "privkey", "--label", "certified", "--id", "22");
    const der = work.path("certificate.der");
    await token.tool("release", "--write-object", der, "--type", "cert", "--label", "certified", "--id", "22");
    const reference = "pkcs11:token=release;object=certified";
    const image = await pushImage(scene.address, "hsm/certified:1");
    await work.expect(0, ["sign", "--key", reference, "-y", image.pinned], token.opened);
    const derived = work.write("certified.pub", await work.must("openssl", ["ec", "-in", file, "-pubout"]));
    await work.judge("accepted", ["verify", "--key", derived, image.pinned]);
  });

  it("holds the root of signed tags, of which nothing is replaced without it", async () => {
    await token.makeKey("release", "EC:prime256v1", "root", "70");
    await token.makeKey("release", "rsa:2048", "rsa-root", "71");
    const passphrase = { COUNTERSIGN_KEY_PASSPHRASE: "example" };
    const opened = { ...token.opened, env: { ...token.opened.env, ...passphrase } };
    const image = await pushImage(scene.address, "hsm/tags:1");
    const repository = `${scene.address}/hsm/tags`;
    const init = (object: string) => ["trust", "init", "-y", "--root-key", `pkcs11:token=release;object=${object}`];
    const weak = await work.expect(2, [...init("rsa-root"), repository], opened);
    assert.match(weak.stderr, /\[key-weak\]/);
    await work.expect(0, [...init("root"), repository], opened);
    await work.expect(0, ["trust", "sign", image.tagged], { env: passphrase });
    await work.judge("accepted", ["verify", image.tagged]);
    const proposed = await work.expect(3, ["trust", "rotate", "online", "-y", repository], { env: passphrase });
    assert.match(proposed.stdout, /waiting +root, version 2: 1 more signature wanted/);
    const approve = ["trust", "approve", "-y", "--key", "pkcs11:token=release;object=root", repository];
    assert.match((await work.expect(0, approve, opened)).stdout, /published/);
    await work.judge("accepted", ["verify", image.tagged]);
  });

  it("refuses a signature of another key of the token, as cosign does", async () => {
    await token.makeKey("release", "EC:prime256v1", "mine", "23");
    await token.makeKey("release", "EC:prime256v1", "theirs", "24");
    const theirs = await keyOf("pkcs11:token=release;object=theirs", "theirs");
    const image = await pushImage(scene.address, "hsm/mine:1");
    await work.expect(0, ["sign", "--key", "pkcs11:token=release;object=mine", "-y", image.pinned], token.opened);
    await work.judge("refused wrong-key", ["verify", "--key", theirs.secret, image.pinned], token.opened);
    assert.notEqual((await cosignVerify(work, theirs, image.pinned)).code, 0);
  });

  it("counts one wrong PIN, and no more, for many images", async () => {
    await token.makeKey("other", "EC:prime256v1", "counted", "25");
    const images = await Promise.all([1, 2, 3].map((tag) => pushImage(scene.address, `hsm/counted:${tag}`)));
    const args = ["sign", "--key", "pkcs11:token=other;object=counted", "-y", ...images.map(({ pinned }) => pinned)];
    const wrong = { env: { ...token.environment, COSIGN_PKCS11_PIN: "000000" } };
    const finished = await work.expect(2, args, wrong);
    assert.match(finished.stderr, /CKR_PIN_INCORRECT.*\[key-password\]/);
    assert.doesNotMatch(finished.stderr, /000000/);
    await work.expect(0, args, token.opened);
  });

  const refused: readonly (readonly [string, string, RegExp])[] = [
    ["a token that is not there", "pkcs11:token=absent;object=mine", /"release".*\[key-invalid\]/],
    ["a key that is not there", "pkcs11:token=release;object=absent", /no private key.*\[key-invalid\]/],
    ["a URI without a key", "pkcs11:token=release", /neither object nor id/],
    ["a module that is none", "pkcs11:token=release;object=mine?module-path=/etc/passwd", /module cannot be loaded/],
    ["a module named from here", "pkcs11:token=release;object=mine?module-path=libsofthsm2.so", /current folder/],
  ];
  for (const [why, reference, said] of refused) {
    it(`does not sign with ${why}`, async () => {
      const image = await pushImage(scene.address, "hsm/refused:1");
      const finished = await work.expect(2, ["sign", "--key", reference, "-y", image.pinned], token.opened);
      assert.match(finished.stderr.replaceAll("\n", " "), said);
      assert.doesNotMatch(finished.stderr, /314159/);
    });
  }
});
