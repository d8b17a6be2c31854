import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { cosignKey } from "./cosign.ts";
import { pushImage, pushIndex } from "./images.ts";
import type { Finished } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import { useSigstack, withoutSigstack } from "./sigstack.ts";

const ALICE = "alice@example.com";
const WORKFLOW = "https://github.com/acme/app/.github/workflows/release.yml@refs/tags/v1";

for (const kind of REGISTRIES) {
  describe(`keyless signing with a real Sigstore: ${kind.name}`, { skip: kind.missing || withoutSigstack }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const stack = useSigstack(scene);

    // --- both programs, as a person or a workflow ---------------------------------------------------------------------

    const services = (): readonly string[] => {
      const { signingConfig, trustedRoot } = stack();
      return ["--signing-config", signingConfig, "--trusted-root", trustedRoot];
    };
    const person = (email = ALICE) => ["--identity-token", stack().people.emailToken(email)];
    const workflow = () => [
      "--identity-token",
      stack().workflows.workflowToken({ repository: "acme/app", ref: "refs/tags/v1" }),
    ];
    const identity = (subject = ALICE, issuer = stack().people.url) => [
      ...["--certificate-identity", subject, "--certificate-oidc-issuer", issuer],
    ];
    const trusted = () => ["--trusted-root", stack().trustedRoot];

    const sign = (...args: readonly string[]) => work.expect(0, ["sign", ...services(), ...args]);
    const accepts = (...args: readonly string[]) => work.judge("accepted", ["verify", ...trusted(), ...args]);
    const refuses = (reason: string, ...args: readonly string[]) =>
      work.judge(`refused ${reason}`, ["verify", ...trusted(), ...args]);

    const cosign = (verb: string, ...args: readonly string[]): Promise<Finished> => work.run("cosign", [verb, ...args]);
    async function cosignSigns(...args: readonly string[]): Promise<void> {
      const { code, stderr } = await cosign("sign", ...services(), "-y", ...args);
      assert.equal(code, 0, stderr);
    }
    async function cosignAccepts(...args: readonly string[]): Promise<void> {
      const { code, stderr } = await cosign("verify", ...trusted(), ...args);
      assert.equal(code, 0, stderr);
    }
    async function cosignRefuses(...args: readonly string[]): Promise<void> {
      const { code, stdout } = await cosign("verify", ...trusted(), ...args);
      assert.notEqual(code, 0, stdout);
    }

    // --- ours there ---------------------------------------------------------------------------------------------------

    it("makes what cosign accepts, by tag and by digest, and refuses as another person or by another issuer", async () => {
      const image = await pushImage(scene.address, "keyless/ours:1");
      await sign(...person(), image.tagged);
      for (const reference of [image.tagged, image.pinned]) await cosignAccepts(...identity(), reference);
      await cosignRefuses(...identity("mallory@example.com"), image.pinned);
      await cosignRefuses(...identity(ALICE, stack().workflows.url), image.pinned);
      await accepts(...identity(), image.pinned);
      await refuses("wrong-identity", ...identity("mallory@example.com"), image.pinned);
      await refuses("wrong-identity", ...identity(ALICE, stack().workflows.url), image.pinned);
    });

    it("signs as the workflow that GitHub's runner names, and cosign knows its repository", async () => {
      const image = await pushImage(scene.address, "keyless/workflow:1");
      const env = {
        ACTIONS_ID_TOKEN_REQUEST_URL: `${stack().workflows.url}/token?repository=acme/app&ref=refs/tags/v1`,
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: "a secret",
      };
      const signed = await work.expect(0, ["sign", ...services(), image.tagged], { env });
      assert.match(signed.stdout, /signed as +release\.yml of acme\/app at refs\/tags\/v1/);
      assert.doesNotMatch(signed.stdout + signed.stderr, /a secret|eyJ/);
      const wanted = identity(WORKFLOW, stack().workflows.url);
      await cosignAccepts(...wanted, "--certificate-github-workflow-repository", "acme/app", image.pinned);
      await cosignRefuses(...wanted, "--certificate-github-workflow-repository", "acme/other", image.pinned);
      await accepts(...wanted, "--certificate-github-workflow-repository", "acme/app", image.pinned);
      await refuses(
        "wrong-identity",
        ...wanted,
        "--certificate-github-workflow-repository",
        "acme/other",
        image.pinned,
      );
    });

    it("signs an index and its platforms with one certificate, with annotations", async () => {
      const { index, platforms } = await pushIndex(scene.address, "keyless/index:1");
      await sign(...person(), "-r", "--one-certificate", "-a", "env=prod", index.tagged);
      for (const image of [index, ...platforms]) {
        await cosignAccepts(...identity(), "-a", "env=prod", image.pinned);
        await cosignRefuses(...identity(), "-a", "env=test", image.pinned);
      }
    });

    it("changes nothing the second time, and cosign finds one signature", async () => {
      const image = await pushImage(scene.address, "keyless/twice:1");
      await sign(...person(), image.tagged);
      assert.match((await sign(...person(), image.tagged)).stdout, /^unchanged /);
      const { stdout } = await cosign("verify", ...trusted(), ...identity(), image.pinned);
      assert.equal((JSON.parse(stdout) as readonly unknown[]).length, 1);
    });

    it("proves the identity that a signed tag demands beside itself, and nobody else's will do (57)", async () => {
      const image = await pushImage(scene.address, "keyless/bound:1");
      const repository = `${scene.address}/keyless/bound`;
      const env = { COUNTERSIGN_KEY_PASSPHRASE: "example" };
      await work.expect(0, ["trust", "init", "-y", repository], { env });
      const demand = ["--require-identity", ALICE, "--require-issuer", stack().people.url];
      await work.expect(0, ["trust", "sign", ...demand, image.tagged], { env });
      await refuses("unsigned", image.tagged);
      await sign(...person("mallory@example.com"), image.tagged);
      await refuses("wrong-identity", image.tagged);
      await sign(...person(), image.tagged);
      await accepts(image.tagged);
      await refuses("wrong-identity", ...identity("bob@example.com"), image.tagged);
    });

    it("pushes an image under its tag when it is signed and verifies as its consumers will", async () => {
      const image = await pushImage(scene.address, "keyless/source:1");
      const target = `${scene.address}/keyless/pushed:1`;
      await work.expect(0, ["push", ...services(), ...person(), image.pinned, target]);
      await cosignAccepts(...identity(), target);
    });

    it("has services vouch for a key, as cosign asks by default", async () => {
      const key = await cosignKey(work, "vouched");
      const image = await pushImage(scene.address, "keyless/key:1");
      await sign("--key", key.secret, image.tagged);
      await cosignAccepts("--key", key.public, image.pinned);
      await accepts("--key", key.public, image.pinned);
      const bare = await pushImage(scene.address, "keyless/bare:1");
      await work.expect(0, ["sign", "--key", key.secret, bare.tagged]);
      await cosignRefuses("--key", key.public, bare.pinned);
      await refuses("log-entry-missing", "--key", key.public, bare.pinned);
    });

    for (const algorithm of ["ecdsa-p384", "rsa-3072"]) {
      it(`has the log take a key of ${algorithm}`, async () => {
        const key = await work.makeKey(algorithm, "--algorithm", algorithm);
        const image = await pushImage(scene.address, `keyless/${algorithm}:1`);
        await sign("--key", key.secret, image.tagged);
        await accepts("--key", key.public, image.pinned);
        if (algorithm !== "ecdsa-p384") await cosignAccepts("--key", key.public, image.pinned);
      });
    }

    it("says of an RSA key what became of the same signature again", async () => {
      const key = await work.makeKey("again", "--algorithm", "rsa-3072");
      const file = { name: "file", content: Buffer.from("the same twice") };
      const image = await pushImage(scene.address, "keyless/again:1", { file });
      const copy = await pushImage(scene.address, "keyless/again-elsewhere:1", { file });
      assert.equal(copy.digest, image.digest);
      await sign("--key", key.secret, image.tagged);
      const { stderr } = await work.expect(3, ["sign", ...services(), "--key", key.secret, copy.tagged]);
      assert.match(stderr, /has this signature already and gives no proof/);
    });

    it("refuses an Ed25519 key before anything is sent, and says why", async () => {
      const key = await work.makeKey("edwards", "--algorithm", "ed25519");
      const image = await pushImage(scene.address, "keyless/edwards:1");
      const { stderr } = await work.expect(2, ["sign", ...services(), "--key", key.secret, image.tagged]);
      assert.match(stderr, /logs see digests only/);
    });

    it("makes what cosign accepts in its older format and in the newer without a log, where a timestamp tells the time", async () => {
      const image = await pushImage(scene.address, "keyless/legacy:1");
      const config = ["--signing-config", stack().withoutLog, ...trusted()];
      const formats = ["--format", "cosign-legacy", "--format", "bundle"];
      await work.expect(0, ["sign", ...config, ...person(), ...formats, image.tagged]);
      const timed = ["--insecure-ignore-tlog", "--use-signed-timestamps"];
      for (const form of [["--new-bundle-format=false"], []]) {
        await cosignAccepts(...form, ...timed, ...identity(), image.pinned);
        await cosignRefuses(...form, ...timed, ...identity("mallory@example.com"), image.pinned);
      }
      await accepts(...timed, ...identity(), image.pinned);
      await refuses("log-entry-missing", ...identity(), image.pinned);
    });

    it("refuses to sign in the older format with a log whose entries it cannot hold", async () => {
      const image = await pushImage(scene.address, "keyless/legacy-log:1");
      const flags = ["sign", ...services(), ...person(), "--format", "cosign-legacy"];
      const { stderr } = await work.expect(2, [...flags, image.tagged]);
      assert.match(stderr, /cannot hold an entry of this log/);
    });

    // --- theirs here --------------------------------------------------------------------------------------------------

    it("accepts what cosign signs, as a person and as a workflow, and refuses it for others", async () => {
      const image = await pushImage(scene.address, "keyless/theirs:1");
      await cosignSigns(...person(), image.pinned);
      await cosignSigns(...workflow(), image.pinned);
      await accepts(...identity(), image.pinned);
      await accepts(...identity(WORKFLOW, stack().workflows.url), image.pinned);
      await refuses("wrong-identity", ...identity("mallory@example.com"), image.pinned);
      assert.match((await sign(...person(), image.pinned)).stdout, /^unchanged /, "cosign's signature is ours too");
    });

    it("accepts what cosign signs with a key and a log, and asks for the log", async () => {
      const key = await cosignKey(work, "theirs");
      const image = await pushImage(scene.address, "keyless/their-key:1");
      await cosignSigns("--key", key.secret, image.pinned);
      await accepts("--key", key.public, image.pinned);
    });

    it("accepts what cosign signs in its older format, where a timestamp tells the time", async () => {
      const image = await pushImage(scene.address, "keyless/their-legacy:1");
      const { fulcio, timestamps } = stack();
      const form = ["--new-bundle-format=false", "--use-signing-config=false", "--tlog-upload=false", "-y"];
      const urls = ["--fulcio-url", fulcio, "--timestamp-server-url", timestamps, ...trusted()];
      const { code, stderr } = await cosign("sign", ...form, ...urls, ...person(), image.pinned);
      assert.equal(code, 0, stderr);
      const timed = ["--insecure-ignore-tlog", "--use-signed-timestamps"];
      await accepts(...timed, ...identity(), image.pinned);
      await refuses("wrong-identity", ...timed, ...identity("mallory@example.com"), image.pinned);
    });

    // --- attestations -------------------------------------------------------------------------------------------------

    const PREDICATE = {
      buildDefinition: { buildType: "https://ci.example.com/build", externalParameters: {} },
      runDetails: { builder: { id: "https://ci.example.com" } },
    };
    const predicate = () => ["--predicate", work.write("predicate.json", JSON.stringify(PREDICATE))];
    const provenance = ["--type", "slsaprovenance1"];

    it("attests what cosign accepts, as a workflow, and refuses as another or of another type", async () => {
      const image = await pushImage(scene.address, "keyless/attested:1");
      await work.expect(0, ["attest", ...services(), ...workflow(), ...provenance, ...predicate(), image.tagged]);
      const wanted = identity(WORKFLOW, stack().workflows.url);
      const judged = (...args: readonly string[]) => cosign("verify-attestation", ...trusted(), ...args, image.pinned);
      const good = await judged(...provenance, ...wanted);
      assert.equal(good.code, 0, good.stderr);
      assert.notEqual((await judged(...provenance, ...identity())).code, 0);
      assert.notEqual((await judged("--type", "openvex", ...wanted)).code, 0);
      await accepts(...provenance, ...wanted, image.pinned);
      await refuses("wrong-identity", ...provenance, ...identity(), image.pinned);
      await refuses("not-a-signature", ...wanted, image.pinned);
    });

    it("accepts what cosign attests, and refuses it of another or of another type", async () => {
      const image = await pushImage(scene.address, "keyless/their-attested:1");
      const attested = await cosign(
        "attest",
        ...services(),
        ...person(),
        ...provenance,
        ...predicate(),
        "-y",
        image.pinned,
      );
      assert.equal(attested.code, 0, attested.stderr);
      await accepts(...provenance, ...identity(), image.pinned);
      await refuses("wrong-identity", ...provenance, ...identity("mallory@example.com"), image.pinned);
      await refuses("unattested", "--type", "openvex", ...identity(), image.pinned);
    });

    // --- outages ------------------------------------------------------------------------------------------------------

    it("leaves the log entry for later, which both refuse, and adds it, which both accept", async () => {
      const image = await pushImage(scene.address, "keyless/later:1");
      const config = JSON.parse(work.read("sigstack/signing_config.json"));
      config.rekorTlogUrls[0].url = "http://127.0.0.1:1";
      const down = ["--signing-config", work.write("down.json", JSON.stringify(config)), ...trusted(), "--retry", "0"];
      await work.expect(3, ["sign", ...down, ...person(), image.tagged]);
      const postponed = await work.expect(0, ["sign", ...down, ...person(), "--log-later", image.tagged]);
      assert.match(postponed.stdout, /countersign sign --finish/);
      await cosignRefuses(...identity(), image.pinned);
      await refuses("log-entry-missing", ...identity(), image.pinned);
      await work.expect(0, ["sign", "--finish", ...services(), image.tagged]);
      await cosignAccepts(...identity(), image.pinned);
      await accepts(...identity(), image.pinned);
      assert.match((await work.expect(0, ["sign", "--finish", ...services(), image.tagged])).stdout, /^unchanged /);
    });

    // --- refusals -----------------------------------------------------------------------------------------------------

    it("stores nothing where the authority refuses the token, and repeats none of it", async () => {
      const image = await pushImage(scene.address, "keyless/refused:1");
      const stranger = stack().workflows.emailToken(ALICE);
      const { stderr } = await work.expect(2, ["sign", ...services(), "--identity-token", stranger, image.tagged]);
      for (const part of stranger.split(".")) assert.ok(!stderr.includes(part.slice(0, 24)), stderr);
      await refuses("unsigned", ...identity(), image.pinned);
    });

    it("stores nothing where the trust root is another instance's", async () => {
      const image = await pushImage(scene.address, "keyless/untrusted:1");
      const root = JSON.parse(work.read("sigstack/trusted_root.json"));
      const other = work.write("other_root.json", JSON.stringify({ ...root, tlogs: [] }));
      const args = ["sign", "--signing-config", stack().signingConfig, "--trusted-root", other];
      const { stderr } = await work.expect(1, [...args, ...person(), image.tagged]);
      assert.match(stderr, /log-entry-missing/);
      await refuses("unsigned", ...identity(), image.pinned);
    });
  });
}
