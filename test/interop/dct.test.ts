import assert from "node:assert/strict";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { before, describe, it } from "node:test";
import { DockerHome, OLD_PASSPHRASES } from "./dct-publisher.ts";
import { type PushedImage, pushImage } from "./images.ts";
import { missingNotary, type Notary, startNotary } from "./notary.ts";
import { useScene } from "./scene.ts";
import { startDistribution } from "./servers.ts";

/** Where a user's own pins, keys and memory are. */
function machine(folder: string): Readonly<Record<string, string>> {
  return {
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_DATA_HOME: join(folder, "data"),
    XDG_STATE_HOME: join(folder, "state"),
    XDG_CACHE_HOME: join(folder, "cache"),
  };
}

describe("a repository that Notary's own client publishes", { skip: missingNotary }, () => {
  const scene = useScene({ start: (folder) => startDistribution(folder) });
  const { work } = scene;
  let notary: Notary;
  let publisher: DockerHome;
  let gun: string;
  const images = new Map<string, PushedImage>();

  before(async () => {
    notary = await startNotary(work);
    scene.stopAtEnd(notary);
    publisher = new DockerHome(work, notary, "publisher");
    gun = `${scene.address}/acme/app`;
    for (const tag of ["1.0", "2.0", "moved"]) images.set(tag, await pushImage(scene.address, `acme/app:${tag}`));
    await publisher.init(gun);
    const [, id] =
      /keyID: ([0-9a-f]{64})/.exec(await publisher.notary(["key", "generate", "ecdsa", "--role", "alice"])) ?? [];
    const key = join(publisher.trustFolder, "private", `${id}.key`);
    const pem = await work.expect(0, ["key", "public", key], { env: { COSIGN_PASSWORD: "the old repository" } });
    await publisher.addSigner(gun, "alice", work.write("alice.pub", pem.stdout));
    await publisher.sign(gun, "1.0", image("1.0"));
    await publisher.sign(gun, "moved", image("moved"));
    await publisher.sign(gun, "2.0", image("2.0"), "targets/alice", "targets/releases");
    await pushImage(scene.address, "acme/app:moved");
  });

  function image(tag: string): PushedImage {
    const found = images.get(tag);
    if (found === undefined) throw new Error(`no image ${tag}`);
    return found;
  }

  const url = (): string => `https://${notary.address}`;
  const environment = (name: string, home = publisher): Readonly<Record<string, string>> => ({
    ...machine(work.path(name)),
    ...OLD_PASSPHRASES,
    DOCKER_CONFIG: home.folder,
    COUNTERSIGN_KEY_PASSPHRASE_ONLINE: "online",
  });

  it("is shown before anything is written: tags, signers, and what the registry says otherwise", async () => {
    const args = ["trust", "migrate", gun, "--from-notary", url(), "--dry-run", "-o", "json"];
    const { stdout } = await work.expect(0, args, { env: environment("dry") });
    const { tags, signers, notices, isDryRun } = JSON.parse(stdout) as {
      readonly tags: readonly { tag: string; digest: string; state: string; signers: readonly string[] }[];
      readonly signers: readonly { name: string }[];
      readonly notices: readonly { code: string }[];
      readonly isDryRun: boolean;
    };
    assert.equal(isDryRun, true);
    assert.deepEqual(
      tags.map(({ tag, digest, state, signers: by }) => [tag, digest, state, ...by]),
      [
        ["1.0", image("1.0").digest, "same"],
        ["2.0", image("2.0").digest, "same", "alice"],
        ["moved", image("moved").digest, "moved"],
      ],
    );
    assert.deepEqual(
      signers.map(({ name }) => name),
      ["alice"],
    );
    assert.deepEqual(
      notices.map(({ code }) => code),
      ["tag-moved"],
    );
    await work.expect(1, ["trust", "inspect", gun], { env: environment("dry") });
  });

  it("is taken over with its keys; who trusted the old root goes over, and pulls what was signed", async () => {
    const consumer = new DockerHome(work, notary, "consumer");
    await consumer.notary(["list", gun]);
    await publisher.notary(["key", "rotate", gun, "root"], { input: "yes\nyes\n" });
    const ours = environment("publisher");
    await work.expect(0, ["trust", "migrate", gun, "--from-notary", url(), "-y"], { env: ours });
    const env = environment("consumer", consumer);
    await work.expect(0, ["trust", "pin", gun, "--from-dct"], { env });
    for (const tag of ["1.0", "2.0", "moved"]) {
      const [judged] = await work.judge("accepted", ["verify", `${gun}:${tag}`], { env });
      assert.equal(judged?.digest, image(tag).digest, tag);
    }
    await work.judge("refused tag-unlisted", ["verify", `${gun}:3.0`], { env });
    const shown = await work.expect(0, ["trust", "inspect", "--dct", gun], { env });
    const [{ SignedTags }] = JSON.parse(shown.stdout) as [{ SignedTags: readonly object[] }];
    assert.deepEqual(
      SignedTags,
      ["1.0", "2.0", "moved"].map((tag) => ({
        SignedTag: tag,
        Digest: image(tag).digest.slice("sha256:".length),
        Signers: [tag === "2.0" ? "alice" : "Repo Admin"],
      })),
    );
  });

  it("goes on with the signer's old key", async () => {
    const next = await pushImage(scene.address, "acme/app:2.0");
    const env = environment("publisher");
    const passphrases = { ...env, COUNTERSIGN_KEY_PASSPHRASE: "the old repository" };
    await work.expect(0, ["trust", "sign", "-y", "--signer", "alice", `${gun}:2.0`], { env: passphrases });
    const [judged] = await work.judge("accepted", ["verify", `${gun}:2.0`], { env });
    assert.equal(judged?.digest, next.digest);
  });

  it("is not set up a second time", async () => {
    const args = ["trust", "migrate", gun, "--from-notary", url(), "-y"];
    const again = await work.expect(2, args, { env: environment("again") });
    assert.match(again.stderr, /destination-exists/);
  });

  it("is taken over from the client's folder alone, when the server is gone", async () => {
    const other = `${scene.address}/acme/cached`;
    const signed = await pushImage(scene.address, "acme/cached:1.0");
    await publisher.init(other);
    await publisher.sign(other, "1.0", signed);
    await publisher.notary(["list", other]);
    notary.way.answer = () => "nothing";
    const env = environment("cached");
    const gone = await work.expect(1, ["trust", "migrate", other, "--from-notary", url(), "-y"], {
      env,
    });
    assert.match(gone.stderr, /signed-tags-missing/);
    await work.expect(0, ["trust", "migrate", other, "--from-dct", "--new-keys", "-y"], {
      env: { ...env, COUNTERSIGN_KEY_PASSPHRASE: "new" },
    });
    notary.way.answer = undefined;
    rmSync(join(work.path("cached"), "config"), { recursive: true });
    await work.expect(0, ["trust", "pin", other, "--from-dct"], { env });
    const [judged] = await work.judge("accepted", ["verify", `${other}:1.0`], { env });
    assert.equal(judged?.digest, signed.digest);
  });

  it("is refused without a root that was trusted, unless trust on first use is asked for", async () => {
    const env = environment("stranger", new DockerHome(work, notary, "stranger"));
    const args = ["trust", "migrate", gun, "--from-notary", url(), "--dry-run"];
    assert.match((await work.expect(2, args, { env })).stderr, /no-pin/);
    await work.expect(0, [...args, "--tofu"], { env });
  });

  it("is refused where the server is older than what Docker had seen", async () => {
    const seen = new DockerHome(work, notary, "seen");
    const path = `${gun}/_trust/tuf/timestamp.json`;
    const old = await notary.way.original(path);
    await publisher.sign(gun, "4.0", image("1.0"));
    await seen.notary(["list", gun]);
    notary.way.answer = (asked) => (asked === path ? old : undefined);
    const args = ["trust", "migrate", gun, "--from-notary", url(), "--dry-run"];
    const { stderr } = await work.expect(1, args, { env: environment("seen", seen) });
    notary.way.answer = undefined;
    assert.match(stderr, /rollback/);
  });

  it("is refused where another repository's data is served for it", async () => {
    const other = `${scene.address}/acme/other`;
    const env = environment("mixed");
    notary.way.answer = (asked) => notary.way.original(asked.replace("acme/other", "acme/app"));
    const home = new DockerHome(work, notary, "mixed");
    cpSync(join(publisher.trustFolder, "tuf", gun), join(home.trustFolder, "tuf", other), { recursive: true });
    const args = ["trust", "migrate", other, "--from-notary", url(), "--dry-run"];
    const { stderr } = await work.expect(1, args, { env: { ...env, DOCKER_CONFIG: home.folder } });
    notary.way.answer = undefined;
    assert.match(stderr, /root-of-another/);
  });

  it("is refused with a wrong passphrase, and nothing is written", async () => {
    const other = `${scene.address}/acme/cached`;
    const env = { ...environment("wrong"), DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: "wrong" };
    const args = ["trust", "migrate", other, "--from-dct", "-y"];
    const { stderr } = await work.expect(2, args, { env });
    assert.match(stderr, /key-password/);
    assert.doesNotMatch(stderr, /the old/);
  });
});
