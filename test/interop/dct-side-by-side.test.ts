import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { HEAD_TAG } from "../../src/core/tags/names.ts";
import { type DctMade, dctRepository } from "../support/dct/publisher.ts";
import { DAY } from "../support/sigstore/times.ts";
import { expiredTrust } from "./dct-our-faults.ts";
import { DockerHome, REPOSITORY_PASSPHRASE } from "./dct-publisher.ts";
import { type PushedImage, pushImage } from "./images.ts";
import { NOTARY_PEERS, type Notary, startNotary } from "./notary.ts";
import { type Finished, without } from "./peers.ts";
import { copyHead, deleteTag, readTag, restoreTag } from "./registry-tags.ts";
import { useScene } from "./scene.ts";
import { startDistribution, startDockerd } from "./servers.ts";

/**
 * The same scenarios for Docker with content trust, against a real Notary, and for signed tags: what each consumer said and how
 * it ended. The table in docs/dct-side-by-side.md is what this run prints; UPDATE_GOLDEN=1 writes it.
 */

const DOCUMENT = fileURLToPath(new URL("../../docs/dct-side-by-side.md", import.meta.url));

/** A table that lacks some of them is none. */
const SCENARIOS = 14;

interface Row {
  readonly scenario: string;
  readonly docker: string;
  readonly ours: string;
}

describe("Docker Content Trust and signed tags, side by side", {
  skip: without(...NOTARY_PEERS, "docker", "dockerd"),
}, () => {
  const scene = useScene({ start: (folder) => startDistribution(folder) });
  const { work } = scene;
  const rows: Row[] = [];
  let notary: Notary;
  let engine: string;
  let publisher: DockerHome;
  /** Consumers who have pulled before, and the repository that they pulled from. */
  let seen: DockerHome;
  let gun: string;
  let signed: PushedImage;
  let second: PushedImage;

  const ours = { ...machine("ours-publisher"), COUNTERSIGN_KEY_PASSPHRASE: "pw" };
  const consumer = machine("ours-consumer");

  function machine(name: string): Readonly<Record<string, string>> {
    const folder = work.path(name);
    return {
      XDG_CONFIG_HOME: join(folder, "config"),
      XDG_DATA_HOME: join(folder, "data"),
      XDG_STATE_HOME: join(folder, "state"),
      XDG_CACHE_HOME: join(folder, "cache"),
    };
  }

  const trust = (...args: readonly string[]): Promise<Finished> => work.expect(0, ["trust", ...args], { env: ours });

  before(async () => {
    notary = await startNotary(work);
    scene.stopAtEnd(notary);
    engine = scene.stopAtEnd(await startDockerd(work.path("dockerd"))).address;
    gun = `${scene.address}/acme/app`;
    publisher = new DockerHome(work, notary, "publisher");
    seen = new DockerHome(work, notary, "seen", engine);
    signed = await publish("acme/app:1.0");
    await work.expect(0, ["trust", "pin", gun, "--root-checksum", await rootOf(gun)], { env: consumer });
  });

  after(() => {
    if (rows.length < SCENARIOS) return;
    const text = document(rows);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(DOCUMENT, text);
    else assert.equal(readFileSync(DOCUMENT, "utf8"), text, "UPDATE_GOLDEN=1 writes the table of this run");
  });

  /** A repository that is set up in both kinds of trust, with one image that is signed in both. */
  async function publish(name: string): Promise<PushedImage> {
    const [repository = "", tag = ""] = name.split(":");
    const where = `${scene.address}/${repository}`;
    const image = await pushImage(scene.address, name);
    await publisher.init(where);
    await publisher.sign(where, tag, image);
    await trust("init", "-y", where);
    await trust("sign", "-y", `${where}:${tag}`);
    return image;
  }

  async function rootOf(where: string): Promise<string> {
    const { stdout } = await work.expect(0, ["trust", "inspect", where, "-o", "json"], { env: ours });
    const { repositories } = JSON.parse(stdout) as { repositories: readonly { pin: { root: string } }[] };
    return repositories[0]?.pin.root ?? "";
  }

  /** Pulls with both, and notes how it ended. */
  async function compare(
    scenario: string,
    reference: string,
    options: {
      readonly home?: DockerHome;
      readonly env?: Readonly<Record<string, string>>;
      /** What is signed; the first image where nothing is said. */
      readonly image?: PushedImage;
      /** Exit codes. */
      readonly wanted: readonly [number, number];
    },
  ): Promise<void> {
    const { home = seen, env = consumer, image = signed, wanted } = options;
    const docker = await home.docker(["pull", reference]);
    const mine = await work.countersign(["verify", reference, "-o", "json"], { env });
    rows.push({ scenario, docker: ofDocker(docker, image), ours: ofOurs(mine, image) });
    assert.deepEqual([docker.code, mine.code], wanted, `${scenario}\n${docker.stderr}\n${mine.stdout}${mine.stderr}`);
  }

  function ofDocker({ code, stdout, stderr }: Finished, wanted: PushedImage): string {
    if (code === 0) {
      const warning = /level=warning msg="?([^"\n]*)/.exec(stderr)?.[1];
      const digest = /@(sha256:[0-9a-f]{64})/.exec(stdout)?.[1];
      return `pulled ${named(digest, wanted)}${warning === undefined ? "" : `; warns: ${plain(warning)}`}`;
    }
    const said = stderr.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("Tagging"));
    return `refused: ${plain(said.at(-1) ?? "")}`;
  }

  function ofOurs({ code, stdout, stderr }: Finished, wanted: PushedImage): string {
    if (code === 2) {
      const said = /^countersign: (.*\[[a-z-]+\])$/m.exec(stderr)?.[1] ?? stderr;
      return `refused: ${plain(said.replace(/^undetermined: \S+: /, ""))}`;
    }
    const [image] = (JSON.parse(stdout) as { images: readonly Judged[] }).images;
    if (image?.verdict === "accepted") return `accepted ${named(image.digest ?? undefined, wanted)}`;
    const [reason] = image?.reasons ?? [];
    return `${image?.verdict}: ${plain(reason?.message ?? "")} [${reason?.code}]`;
  }

  function named(digest: string | undefined, wanted: PushedImage): string {
    return digest === wanted.digest ? "the signed digest" : "what nobody signed";
  }

  interface Judged {
    readonly verdict: string;
    readonly digest: string | null;
    readonly reasons: readonly { readonly code: string; readonly message: string }[];
  }

  /** Without what differs from run to run. */
  function plain(text: string): string {
    return text
      .replaceAll(scene.address, "registry.example")
      .replaceAll(`https://${notary.address}`, "the Notary")
      .replaceAll(notary.address, "the Notary")
      .replace(/[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ [\d:]+ \S+ \d{4}/g, "DATE")
      .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "DATE")
      .replace(/^(?:Error: |Error response from daemon: )+/, "")
      .replaceAll("|", "\\|")
      .trim();
  }

  it("a signed tag", async () => {
    await compare("A signed tag", `${gun}:1.0`, { wanted: [0, 0] });
  });

  it("a tag that the registry moved", async () => {
    await pushImage(scene.address, "acme/app:1.0");
    await compare("The registry moves the tag to another image", `${gun}:1.0`, { wanted: [0, 0] });
  });

  it("a tag that nobody signed", async () => {
    await pushImage(scene.address, "acme/app:unsigned");
    await compare("A tag that nobody signed", `${gun}:unsigned`, { wanted: [1, 1] });
  });

  it("a first use", async () => {
    const home = new DockerHome(work, notary, "first", engine);
    const env = { ...machine("ours-first"), DOCKER_CONTENT_TRUST: "1" };
    await compare("A first use, nothing known of the publisher", `${gun}:1.0`, { home, env, wanted: [0, 2] });
  });

  it("an image by its digest that nobody signed", async () => {
    const image = await pushImage(scene.address, "acme/app:sneaked");
    await compare("An image by digest, which nobody signed", image.pinned, { wanted: [0, 1] });
  });

  it("a rollback", async () => {
    const path = `${gun}/_trust/tuf/timestamp.json`;
    const [old, head] = [await notary.way.original(path), await readTag(scene.address, "acme/app", HEAD_TAG)];
    second = await pushImage(scene.address, "acme/app:2.0");
    await publisher.sign(gun, "2.0", second);
    await trust("sign", "-y", `${gun}:2.0`);
    await seen.docker(["pull", `${gun}:2.0`]);
    await work.expect(0, ["verify", `${gun}:2.0`], { env: consumer });
    const newest = await readTag(scene.address, "acme/app", HEAD_TAG);
    notary.way.answer = (asked) => (asked === path ? old : undefined);
    await restoreTag(scene.address, "acme/app", HEAD_TAG, head);
    await compare("Rollback: older metadata, not expired, to who has seen newer", `${gun}:2.0`, { wanted: [1, 1] });
    notary.way.answer = undefined;
    await restoreTag(scene.address, "acme/app", HEAD_TAG, newest);
  });

  it("an expired timestamp", async () => {
    const where = `${scene.address}/acme/stale`;
    const image = await pushImage(scene.address, "acme/stale:1.0");
    const now = Date.now();
    serveInstead(where, dctOf(where, image, { root: now + DAY, timestamp: now - DAY }));
    const env = await expiredTrust(work, where, image, { timestampLivesMs: 7 * DAY, signedAt: now - 10 * DAY });
    const home = new DockerHome(work, notary, "stale", engine);
    await compare("Freeze: the newest timestamp has expired", `${where}:1.0`, { home, env, image, wanted: [1, 1] });
    notary.way.answer = undefined;
  });

  it("a timestamp without an end", async () => {
    const where = `${scene.address}/acme/endless`;
    const image = await pushImage(scene.address, "acme/endless:1.0");
    const now = Date.now();
    serveInstead(where, dctOf(where, image, { root: now + 3650 * DAY, timestamp: now + 3650 * DAY }));
    const env = await expiredTrust(work, where, image, { timestampLivesMs: 3650 * DAY, signedAt: now });
    const home = new DockerHome(work, notary, "endless", engine);
    const scenario = "A stolen timestamp key signs a timestamp for ten years";
    await compare(scenario, `${where}:1.0`, { home, env, image, wanted: [0, 1] });
    notary.way.answer = undefined;
  });

  it("the trust data of another repository", async () => {
    const where = `${scene.address}/acme/copied`;
    await pushImage(scene.address, "acme/copied:1.0");
    await copyHead(scene.address, "acme/app", "acme/copied", HEAD_TAG);
    notary.way.answer = (asked) =>
      asked.startsWith(`${where}/`) ? notary.way.original(asked.replace("acme/copied", "acme/app")) : undefined;
    const home = new DockerHome(work, notary, "copied", engine);
    const env = machine("ours-copied");
    const pinned = (await work.countersign(["trust", "pin", where, "--root-checksum", await rootOf(gun)], { env }))
      .code;
    assert.equal(pinned, 1);
    const tofu = { ...env, DOCKER_CONTENT_TRUST: "1" };
    const docker = await home.docker(["pull", `${where}:1.0`]);
    const mine = await work.countersign(["verify", `${where}:1.0`, "--tofu", "-o", "json"], { env: tofu });
    rows.push({
      scenario: "Another repository's trust data is served",
      docker: ofDocker(docker, signed),
      ours: ofOurs(mine, signed),
    });
    assert.deepEqual([docker.code, mine.code], [1, 1], `${docker.stderr}\n${mine.stdout}${mine.stderr}`);
    notary.way.answer = undefined;
  });

  it("the root is rotated", async () => {
    await publisher.notary(["key", "rotate", gun, "root"], { input: "yes\nyes\n" });
    await trust("rotate", "root", gun, "-y");
    await compare("The publisher rotates the root key", `${gun}:2.0`, { image: second, wanted: [0, 0] });
  });

  it("a tag is taken back", async () => {
    await publisher.notary(["remove", "-p", gun, "2.0"]);
    await trust("revoke", "-y", `${gun}:2.0`, "--reason", "it leaks secrets");
    await compare("The publisher takes the tag back", `${gun}:2.0`, { wanted: [1, 1] });
  });

  it("a signer, and the same signer removed", async () => {
    const where = `${scene.address}/acme/signers`;
    const image = await publish("acme/signers:1.0");
    await work.expect(0, ["trust", "pin", where, "--root-checksum", await rootOf(where)], { env: consumer });
    const made = await publisher.notary(["key", "generate", "ecdsa", "--role", "alice"]);
    const key = join(publisher.trustFolder, "private", `${/keyID: ([0-9a-f]{64})/.exec(made)?.[1]}.key`);
    const pem = await work.expect(0, ["key", "public", key], { env: { COSIGN_PASSWORD: REPOSITORY_PASSPHRASE } });
    await publisher.addSigner(where, "alice", work.write("alice.pub", pem.stdout));
    await publisher.sign(where, "2.0", image, "targets/alice", "targets/releases");
    const alice = { ...machine("ours-alice"), COUNTERSIGN_KEY_PASSPHRASE: "pw" };
    await work.expect(0, ["trust", "key", "generate", "alice", "--dir", work.makeFolder("alice")], { env: alice });
    await trust("signer", "add", "-y", "--key", work.path("alice", "alice.pub"), "alice", where);
    await work.expect(0, ["trust", "pin", where, "--root-checksum", await rootOf(where)], { env: alice });
    await pushTag(image, "2.0");
    // Staged by the signer, published by who holds the online key.
    await work.countersign(["trust", "sign", "-y", `${where}:2.0`], { env: alice });
    await trust("refresh", where);
    await compare("A signer's tag", `${where}:2.0`, { image, wanted: [0, 0] });
    await publisher.notary(["delegation", "purge", "-p", where, "--key", keyIdIn(key)]);
    await trust("signer", "remove", "-y", "alice", where);
    await pushTag(image, "3.0");
    const late = ["-p", where, "3.0", String(image.descriptor.size), "--sha256", image.digest.slice(7)];
    await assert.rejects(publisher.notary(["addhash", ...late, "-r", "targets/releases"]));
    await work.countersign(["trust", "sign", "-y", `${where}:3.0`], { env: alice });
    await trust("refresh", where);
    await compare("A removed signer signs one more tag", `${where}:3.0`, { image, wanted: [1, 1] });
  });

  async function pushTag(image: PushedImage, tag: string): Promise<void> {
    const manifest = await readTag(scene.address, "acme/signers", image.digest);
    await restoreTag(scene.address, "acme/signers", tag, manifest);
  }

  function keyIdIn(path: string): string {
    return path.slice(-"0".repeat(64).length - ".key".length, -".key".length);
  }

  it("the trust data disappears", async () => {
    notary.way.answer = () => "nothing";
    const head = await readTag(scene.address, "acme/app", HEAD_TAG);
    await deleteTag(scene.address, "acme/app", HEAD_TAG);
    await compare("The trust data disappears, and was there before", `${gun}:1.0`, { wanted: [0, 1] });
    notary.way.answer = undefined;
    await restoreTag(scene.address, "acme/app", HEAD_TAG, head);
  });

  /** Data as Docker's publisher would have made it, with these ends. */
  function dctOf(where: string, image: PushedImage, expires: Readonly<Record<string, number>>): DctMade {
    const { digest, size } = image.descriptor;
    const tags = { "1.0": { hex: digest.slice("sha256:".length), length: size } };
    const later = Date.now() + 365 * DAY;
    return dctRepository({ gun: where, tags, expires: { targets: later, snapshot: later, ...expires } });
  }

  function serveInstead(where: string, made: DctMade): void {
    const files = new Map<string, Uint8Array>([
      ["root", made.roots[0] ?? new Uint8Array()],
      ["timestamp", made.listings.timestamp],
      ["snapshot", made.listings.snapshot],
      ...made.targets,
    ]);
    notary.way.answer = (asked) => {
      if (!asked.startsWith(`${where}/_trust/tuf/`)) return undefined;
      const name = asked.slice(`${where}/_trust/tuf/`.length).replace(/(?:\.[0-9a-f]{64})?\.json$/, "");
      return files.get(name.replace(/^1\./, "")) ?? "nothing";
    };
  }
});

function document(rows: readonly Row[]): string {
  const lines = rows.map(({ scenario, docker, ours }) => `| ${scenario} | ${docker} | ${ours} |`);
  return [
    "# Docker Content Trust and signed tags, side by side",
    "",
    "The same scenarios on one machine: Docker's command line with `DOCKER_CONTENT_TRUST=1`, against Notary's server and signer,",
    "and `countersign verify` with a pinned root, on the same registry. This page is written by the test that runs them,",
    "`test/interop/dct-side-by-side.test.ts`; words are the programs' own, with names and dates replaced.",
    "",
    "| scenario | Docker with Notary | signed tags |",
    "|---|---|---|",
    ...lines,
    "",
  ].join("\n");
}
