import assert from "node:assert/strict";
import { after, before, describe, it, type TestContext } from "node:test";
import { PEERS } from "../../src/core/compat/peers.ts";
import { type RunningSigstore, startFakeSigstore } from "../support/sigstore/server.ts";
import { cosignAttest, cosignKey, cosignSign } from "./cosign.ts";
import { containersEnvironment } from "./engines.ts";
import {
  type Descriptor,
  digestOf,
  OCI_MANIFEST,
  type PushedImage,
  pushBlob,
  pushImage,
  pushIndex,
  pushManifest,
} from "./images.ts";
import { notationKey, notationSign, notationTrustsOther, notationVerify } from "./notation.ts";
import { type Finished, without } from "./peers.ts";
import { type Scene, useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { KeyPair, Workplace } from "./workplace.ts";

/**
 * What doctor predicts, and what the released programs then do: over everything that signs here, with every kind of key, in
 * both kinds of registry. A prediction that is wrong is a fact of `core/compat/peers.ts` that is wrong.
 */

interface Prediction {
  readonly peer: string;
  readonly versions: string;
  readonly verdict: "accepts" | "refuses" | "depends" | "unknown";
  readonly because: string;
}

/** A program, and the row of the table that its version belongs to. */
interface Judge {
  readonly peer: string;
  readonly versions: string;
  readonly program: string;
  readonly ask: (work: Workplace, image: string, who: readonly string[]) => Promise<Finished>;
}

function rowOf(peer: string, has: string): string {
  const row = PEERS.find(({ name, versions }) => name === peer && versions.includes(has));
  assert.ok(row, `${peer} ${has}`);
  return row.versions;
}

function cosignVerify(program: string): Judge["ask"] {
  return (work, image, who) =>
    work.run(program, ["verify", "--trusted-root", work.path("trusted_root.json"), ...who, image]);
}

/** containers-policy.json(5) in force in the home; podman keeps what it pulled, so each is asked once. */
const podmanPull: Judge["ask"] = (work, image) =>
  work.run("podman5", ["pull", "--signature-policy", work.path("policy.json"), "--tls-verify=false", image], {
    env: containersEnvironment(work),
  });

const COSIGN3: Judge = {
  peer: "cosign3",
  versions: rowOf("cosign3", "3.1"),
  program: "cosign",
  ask: cosignVerify("cosign"),
};
const COSIGN2: Judge = {
  peer: "cosign2",
  versions: rowOf("cosign2", "2.6.4"),
  program: "cosign2",
  ask: cosignVerify("cosign2"),
};
const PODMAN: Judge = { peer: "podman", versions: rowOf("podman", "5.36"), program: "podman5", ask: podmanPull };

const KEYS = [
  ["alice", "ecdsa-p256"],
  ["p384", "ecdsa-p384"],
  ["ed25519", "ed25519"],
  ["rsa", "rsa-3072"],
  ["eve", "ecdsa-p256"],
] as const;

/** Debian builds skopeo without the check: it refuses every signature, in these words. */
const SWITCHED_OFF = /sigstore disabled/;
const SKOPEO: Judge = {
  ...PODMAN,
  program: "skopeo",
  ask: (work, image) => {
    const configuration = ["--policy", work.path("policy.json"), "--registries.d", work.path("registries.d")];
    const to = `dir:${work.makeFolder("skopeo-out")}`;
    return work.run("skopeo", [...configuration, "copy", "--src-tls-verify=false", `docker://${image}`, to]);
  },
};

const WITHOUT_LOG = "--insecure-ignore-tlog=true";

for (const kind of REGISTRIES) {
  const missing = kind.missing || without("cosign");
  describe(`doctor predicts what others make of an image: ${kind.name}`, { skip: missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const keys: Record<string, KeyPair> = {};
    const key = (name: string): KeyPair => keys[name] ?? work.keyPair(name);
    let sigstore: RunningSigstore | undefined;
    before(async () => {
      sigstore = await startFakeSigstore();
      work.write("trusted_root.json", sigstore.trustedRoot);
      for (const [name, algorithm] of KEYS) {
        keys[name] = await work.makeKey(name, "--algorithm", algorithm);
      }
      keys["cosign"] = await cosignKey(work, "cosign");
    });
    after(async () => {
      await sigstore?.close();
    });

    const sign = (signer: KeyPair, image: string, ...flags: readonly string[]) =>
      work.expect(0, ["sign", "--key", signer.secret, "-y", ...flags, image]);

    /** Asks doctor, then every program that is here, and holds one against the other. */
    async function compare(
      t: TestContext,
      image: string,
      who: readonly string[],
      judges: readonly Judge[] = [COSIGN3, COSIGN2, PODMAN],
    ): Promise<readonly Prediction[]> {
      const flags = who.map((flag) => (flag === WITHOUT_LOG ? "--insecure-ignore-tlog" : flag));
      const { stdout } = await work.expect(0, ["doctor", ...flags, "-o", "json", image]);
      const { predictions } = JSON.parse(stdout) as { readonly predictions: readonly Prediction[] };
      for (const judge of judges) {
        if (without(judge.program) === false) await hold(judge, image, who, predictions);
        else t.diagnostic(`not asked, for it is not installed: ${judge.program}`);
      }
      return predictions;
    }

    async function hold(
      judge: Judge,
      image: string,
      who: readonly string[],
      all: readonly Prediction[],
    ): Promise<void> {
      const prediction = all.find(({ peer, versions }) => peer === judge.peer && versions === judge.versions);
      const { code, stdout, stderr } = await judge.ask(work, image, who);
      const found = `${judge.program} ended with ${code}; predicted: ${prediction?.verdict}, ${prediction?.because}\n`;
      assert.equal(code === 0 ? "accepts" : "refuses", prediction?.verdict, found + stdout + stderr);
    }

    /** The same for a key, whose policy podman is given; nobody asks for a log. */
    async function compareKey(t: TestContext, image: string, signer: KeyPair): Promise<readonly Prediction[]> {
      requireSignature(scene, signer);
      return await compare(t, image, ["--key", signer.public, WITHOUT_LOG]);
    }

    const push = (name: string): Promise<PushedImage> => pushImage(scene.address, `doctor/${name}:1`);

    it("of an image that is not signed at all", async (t) => {
      await compareKey(t, (await push("unsigned")).tagged, key("alice"));
    });

    for (const formats of [["bundle"], ["cosign-legacy"], ["bundle", "cosign-legacy"]]) {
      for (const [name, algorithm] of KEYS.filter(([signer]) => signer !== "eve")) {
        it(`signed here as ${formats.join(" and ")} with ${algorithm}`, async (t) => {
          const image = await push(`ours-${formats.join("-")}-${name}`);
          await sign(key(name), image.tagged, ...formats.flatMap((format) => ["--format", format]));
          await compareKey(t, image.tagged, key(name));
        });
      }
    }

    for (const format of ["bundle", "legacy"] as const) {
      for (const name of ["cosign", "ed25519", "p384", "rsa"]) {
        it(`signed by cosign 3 as ${format} with the key ${name}`, async (t) => {
          const image = await push(`cosign-${format}-${name}`);
          await cosignSign(work, key(name), image.pinned, { format });
          await compareKey(t, image.tagged, key(name));
        });
      }
    }

    it("signed by cosign 2", { skip: without("cosign2") }, async (t) => {
      for (const name of ["cosign", "p384"]) {
        const image = await push(`cosign2-${name}`);
        const args = ["sign", "--key", key(name).secret, "--tlog-upload=false", "-y", image.pinned];
        await work.must("cosign2", args);
        await compareKey(t, image.tagged, key(name));
      }
    });

    it("signed by somebody else, in both forms", async (t) => {
      const image = await push("eve");
      await sign(key("eve"), image.tagged, "--format", "bundle", "--format", "cosign-legacy");
      await compareKey(t, image.tagged, key("alice"));
    });

    it("signed for legacy readers, beside somebody else's bundle, which hides it from some", async (t) => {
      const image = await push("hidden");
      await sign(key("alice"), image.tagged, "--format", "cosign-legacy");
      await compareKey(t, image.tagged, key("alice"));
      await sign(key("eve"), image.tagged);
      const predictions = await compareKey(t, image.tagged, key("alice"));
      assert.equal(predictions[0]?.verdict, "refuses", "cosign 3 would not look at the legacy signature");
      await sign(key("alice"), image.tagged);
      await compareKey(t, image.tagged, key("alice"));
    });

    it("attested and not signed: cosign takes an attestation for a signature", async (t) => {
      const image = await push("attested");
      await cosignAttest(work, key("alice"), image.pinned);
      const predictions = await compareKey(t, image.tagged, key("alice"));
      assert.equal(predictions[0]?.verdict, "accepts");
    });

    it("signed for legacy readers, beside somebody else's attestation", async (t) => {
      const image = await push("attested-by-eve");
      await sign(key("alice"), image.tagged, "--format", "cosign-legacy");
      await cosignAttest(work, key("eve"), image.pinned);
      await compareKey(t, image.tagged, key("alice"));
    });

    it("beside junk that claims to be a bundle, and beside a bundle about another image", {
      skip: !kind.hasReferrersApi && "the registry lists nothing by itself",
    }, async (t) => {
      const image = await push("junk");
      await sign(key("alice"), image.tagged, "--format", "cosign-legacy");
      await attach(scene, "doctor/junk", image, Buffer.from("{}"));
      await compareKey(t, image.tagged, key("alice"));
      const other = await push("junk-other");
      await sign(key("alice"), other.tagged);
      await attach(scene, "doctor/junk", image, await fetchBundle(scene, "doctor/junk-other", other));
      const predictions = await compareKey(t, image.tagged, key("alice"));
      assert.equal(predictions[0]?.verdict, "refuses", "it is about another image, and hides the legacy signature");
    });

    it("mirrored under another name, with its signatures", { skip: without("crane") }, async (t) => {
      const image = await push("original");
      await sign(key("alice"), image.tagged, "--format", "cosign-legacy");
      const [original, mirror] = [`${scene.address}/doctor/original`, `${scene.address}/doctor/mirror`];
      for (const tag of ["1", `${image.digest.replace(":", "-")}.sig`]) {
        await work.must("crane", ["cp", `${original}:${tag}`, `${mirror}:${tag}`]);
      }
      const predictions = await compareKey(t, `${mirror}:1`, key("alice"));
      assert.equal(predictions.find(({ peer }) => peer === "podman")?.verdict, "refuses");
    });

    it("an index, signed itself and then with every platform", async (t) => {
      const { index, platforms } = await pushIndex(scene.address, "doctor/index:1");
      const forms = ["--format", "bundle", "--format", "cosign-legacy"];
      await sign(key("alice"), index.tagged, ...forms);
      const predictions = await compareKey(t, index.tagged, key("alice"));
      assert.equal(predictions.find(({ peer }) => peer === "podman")?.verdict, "refuses");
      await sign(key("alice"), index.tagged, "-r", ...forms);
      for (const image of [index, ...platforms]) await compareKey(t, image.pinned, key("alice"));
    });

    it("without a log entry, where verifiers are not told to do without", async (t) => {
      const image = await push("unlogged");
      await sign(key("alice"), image.tagged, "--format", "bundle", "--format", "cosign-legacy");
      await compare(t, image.tagged, ["--key", key("alice").public], [COSIGN3]);
    });

    it("as skopeo judges it", { skip: without("skopeo") }, async (t) => {
      const image = await push("skopeo");
      requireSignature(scene, key("alice"));
      for (const format of [undefined, "bundle", "cosign-legacy"]) {
        if (format !== undefined) await sign(key("alice"), image.tagged, "--format", format);
        const asked = await SKOPEO.ask(work, image.tagged, []);
        if (SWITCHED_OFF.test(asked.stderr)) return t.skip("this build of skopeo checks no sigstore signatures");
        await compare(t, image.tagged, ["--key", key("alice").public, WITHOUT_LOG], [SKOPEO]);
      }
    });

    it("written with --for, which keeps its word", async (t) => {
      for (const peers of ["podman", "cosign2", "cosign3", "podman,cosign2,cosign3"]) {
        const { index } = await pushIndex(scene.address, `doctor/for-${peers.replaceAll(",", "-")}:1`);
        await sign(key("alice"), index.tagged, "--for", peers);
        const predictions = await compareKey(t, index.tagged, key("alice"));
        const named = predictions.filter(({ peer }) => peers.split(",").includes(peer));
        assert.deepEqual([...new Set(named.map(({ verdict }) => verdict))], ["accepts"]);
      }
    });

    // --- keyless --------------------------------------------------------------------------------------------------------

    /** The public instance's services need a database; the tests' own stand in for them, and cosign reads what they give. */
    function services(...names: readonly string[]): readonly string[] {
      assert.ok(sigstore);
      const config = work.write("config.json", sigstore.signingConfig(names));
      const token = sigstore.token({ email: "alice@example.com" });
      const trust = ["--trusted-root", work.path("trusted_root.json")];
      return ["--signing-config", config, ...trust, "--identity-token", token];
    }

    const alice = () => {
      const who = ["--certificate-identity", "alice@example.com"];
      return [...who, "--certificate-oidc-issuer", sigstore?.url("oidc") ?? ""];
    };

    /** doctor is told whom to believe; the programs are told by themselves. */
    async function compareIdentity(
      image: string,
      who: readonly string[],
      judges: readonly Judge[] = [COSIGN3, COSIGN2],
    ): Promise<readonly Prediction[]> {
      const trusted = ["--trusted-root", work.path("trusted_root.json"), ...who];
      const { stdout } = await work.expect(0, ["doctor", ...trusted, "-o", "json", image]);
      const { predictions } = JSON.parse(stdout) as { readonly predictions: readonly Prediction[] };
      for (const judge of judges.filter(({ program }) => without(program) === false)) {
        await hold(judge, image, who, predictions);
      }
      return predictions;
    }

    it("signed by an identity, with a Rekor 1 log, in each form", async () => {
      for (const formats of [["bundle"], ["cosign-legacy"], ["bundle", "cosign-legacy"]]) {
        const image = await push(`keyless-1-${formats.join("-")}`);
        const flags = formats.flatMap((format) => ["--format", format]);
        await work.expect(0, ["sign", "-y", ...services("fulcio", "rekor1"), ...flags, image.tagged]);
        await compareIdentity(image.tagged, alice());
        const mallory = alice().map((text) => text.replace("alice@", "mallory@"));
        await compareIdentity(image.tagged, mallory);
      }
    });

    it("signed by a key, with a Rekor 1 log that verifiers believe, and then with one that they do not", async () => {
      const image = await push("logged");
      const flags = services("rekor1").slice(0, 4);
      for (const format of ["cosign-legacy", "bundle"]) {
        await sign(key("alice"), image.tagged, ...flags, "--format", format);
        const [believed] = await compareIdentity(image.tagged, ["--key", key("alice").public]);
        assert.equal(believed?.verdict, "accepts");
        const other = await startFakeSigstore();
        try {
          work.write("trusted_root.json", other.trustedRoot);
          const [disbelieved] = await compareIdentity(image.tagged, ["--key", key("alice").public]);
          assert.equal(disbelieved?.verdict, "refuses");
        } finally {
          work.write("trusted_root.json", sigstore?.trustedRoot ?? "");
          await other.close();
        }
      }
    });

    it("signed by an identity, with a Rekor 2 log and a timestamp", async () => {
      const image = await push("keyless-2");
      await work.expect(0, ["sign", "-y", ...services("fulcio", "rekor2", "tsa"), image.tagged]);
      const predictions = await compareIdentity(image.tagged, alice(), [COSIGN3]);
      const late = predictions.find(({ peer, versions }) => peer === "cosign2" && versions === COSIGN2.versions);
      assert.equal(late?.verdict, "depends");
      if (without("cosign2") !== false) return;
      assert.notEqual((await COSIGN2.ask(work, image.tagged, alice())).code, 0);
      const told = await COSIGN2.ask(work, image.tagged, [...alice(), "--use-signed-timestamps"]);
      assert.equal(told.code, 0, told.stderr);
    });

    // --- notation -------------------------------------------------------------------------------------------------------

    it("signed by notation: its trust store decides", { skip: without("notation") }, async () => {
      const image = await push("notation");
      const predicted = async (): Promise<string | undefined> => {
        const { stdout } = await work.expect(0, ["doctor", "-o", "json", image.tagged]);
        const { predictions } = JSON.parse(stdout) as { readonly predictions: readonly Prediction[] };
        return predictions.find(({ peer }) => peer === "notation")?.verdict;
      };
      await notationKey(work, "interop.example.com");
      assert.equal(await predicted(), "refuses");
      assert.notEqual((await notationVerify(work, image.pinned)).code, 0);
      await sign(key("alice"), image.tagged, "--format", "bundle", "--format", "cosign-legacy");
      assert.equal(await predicted(), "refuses");
      assert.notEqual((await notationVerify(work, image.pinned)).code, 0);
      for (const format of ["jws", "cose"]) {
        await notationSign(work, image.pinned, "--signature-format", format);
        assert.equal(await predicted(), "depends");
      }
      const { code, stderr } = await notationVerify(work, image.pinned);
      assert.equal(code, 0, stderr);
      await notationTrustsOther(work, "other.example.com");
      assert.notEqual((await notationVerify(work, image.pinned)).code, 0);
    });

    it("is not disturbed by a notation signature", { skip: without("notation") }, async (t) => {
      const image = await push("notation-beside");
      await notationKey(work, "beside.example.com");
      await notationSign(work, image.pinned);
      await compareKey(t, image.tagged, key("alice"));
      await sign(key("alice"), image.tagged, "--format", "cosign-legacy");
      await compareKey(t, image.tagged, key("alice"));
    });
  });
}

const BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json";

/** Stores bytes as if they were a bundle about the image. */
async function attach({ address }: Scene, repository: string, image: PushedImage, bytes: Buffer): Promise<void> {
  const config = await pushBlob(address, repository, "application/vnd.oci.empty.v1+json", Buffer.from("{}"));
  const layers = [await pushBlob(address, repository, BUNDLE, bytes)];
  const subject = image.descriptor;
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: BUNDLE, config, layers, subject };
  await pushManifest(address, repository, digestOf(Buffer.from(JSON.stringify(manifest))), manifest);
}

/** The bytes of the only bundle about an image. */
async function fetchBundle({ address }: Scene, repository: string, image: PushedImage): Promise<Buffer> {
  const read = async (path: string): Promise<Response> =>
    await fetch(`http://${address}/v2/${repository}/${path}`, { headers: { accept: "*/*" } });
  const listing = (await (await read(`referrers/${image.digest}`)).json()) as {
    readonly manifests: readonly Descriptor[];
  };
  const manifest = (await (await read(`manifests/${listing.manifests[0]?.digest}`)).json()) as {
    readonly layers: readonly Descriptor[];
  };
  return Buffer.from(await (await read(`blobs/${manifest.layers[0]?.digest}`)).arrayBuffer());
}

/** Writes a policy that accepts nothing but this registry's images with a signature by this key. */
function requireSignature({ work, address }: Scene, { public: keyPath }: KeyPair): void {
  const signed = { type: "sigstoreSigned", keyPath, signedIdentity: { type: "matchRepository" } };
  const policy = { default: [{ type: "reject" }], transports: { docker: { [address]: [signed] } } };
  work.write("policy.json", JSON.stringify(policy));
  const attachments = `docker:\n  ${address}:\n    use-sigstore-attachments: true\n`;
  for (const folder of ["registries.d", "home/.config/containers/registries.d"]) {
    work.write(`${folder}/interop.yaml`, attachments);
  }
}
