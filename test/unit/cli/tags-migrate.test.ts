import assert from "node:assert/strict";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { digestHex } from "../../../src/core/oci/digest.ts";
import { parseReference } from "../../../src/core/oci/reference.ts";
import { type Instant, instant } from "../../../src/core/time.ts";
import { openRegistry } from "../../../src/io/registry/store.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { notaryServer, serverFiles } from "../../support/dct/notary-server.ts";
import {
  type DctMade,
  type DctTestKey,
  type DctWish,
  dctRepository,
  plainDctKey,
  rootDctKey,
  type SignedFor,
} from "../../support/dct/publisher.ts";
import { type WrittenKey, writeTrustFolder } from "../../support/dct/trust-folder.ts";
import { makeImage, pushImage } from "../../support/images.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { captureContext } from "../../support/session.ts";
import { DAY, NOW } from "../../support/sigstore/times.ts";
import { temporaryFolder } from "../../support/temp.ts";

const SCHEMA = JSON.parse(
  readFileSync(new URL("../../../docs/schemas/trust-migrate.json", import.meta.url), "utf8"),
) as Schema;

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A registry with one image that Docker Content Trust vouches for, and the machine of its publisher. */
class Scene {
  readonly folder: string;
  readonly gun: string;
  readonly image: Exclude<SignedFor, string>;
  readonly alice = plainDctKey();
  readonly targetsKey = plainDctKey();

  constructor(folder: string, gun: string, image: Exclude<SignedFor, string>) {
    this.folder = folder;
    this.gun = gun;
    this.image = image;
  }

  /** Docker's data, and the keys of it that are here. */
  published(root: DctTestKey, wish: DctWish = {}, roles: readonly string[] = ["root", "targets", "alice"]): DctMade {
    const { gun, image, targetsKey, alice } = this;
    const signers = [
      { name: "targets/alice", keys: [alice], tags: { "2.0": image } },
      { name: "targets/releases", keys: [alice], tags: { "2.0": image } },
    ];
    const made = dctRepository({ gun, root, targetsKey, tags: { "1.0": image }, signers, ...wish });
    const keys: readonly WrittenKey[] = [
      { key: root, role: "root", passphrase: "r" },
      { key: targetsKey, role: "targets", passphrase: "t" },
      { key: alice, role: "alice", passphrase: "t" },
    ];
    const here = keys.filter(({ role }) => roles.includes(role));
    writeTrustFolder(join(this.folder, ".docker", "trust"), made, here);
    return made;
  }

  async countersign(
    args: readonly string[],
    more: { at?: Instant; env?: Record<string, string>; input?: string } = {},
  ) {
    const { at = NOW, env = {}, input = "" } = more;
    const { context, stdout, stderr } = captureContext({
      env: { DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: "r", DOCKER_CONTENT_TRUST_REPOSITORY_PASSPHRASE: "t", ...env },
      input,
      workingDirectory: this.folder,
      homeDirectory: this.folder,
      referenceTime: at,
    });
    const code = await run(args, context);
    return { code, stdout: stdout(), stderr: stderr() } satisfies Outcome;
  }

  migrate(args: readonly string[] = [], more: Parameters<Scene["countersign"]>[1] = {}): Promise<Outcome> {
    const env = { COUNTERSIGN_KEY_PASSPHRASE_ONLINE: "o", ...more.env };
    return this.countersign(["trust", "migrate", this.gun, "--from-dct", ...args], { ...more, env });
  }
}

async function scene(t: TestContext): Promise<Scene> {
  const registry = await startRegistry();
  t.after(() => registry.close());
  const gun = `${registry.address}/acme/app`;
  const store = openRegistry(parseReference(gun), { env: {}, homeDirectory: "/nonexistent" });
  t.after(() => store.close());
  const { descriptor } = await pushImage(store, await makeImage({ name: "one" }), "1.0");
  await pushImage(store, await makeImage({ name: "one" }), "2.0");
  return new Scene(await temporaryFolder(t), gun, { hex: digestHex(descriptor.digest), length: descriptor.size });
}

function refused({ code, stderr, stdout }: Outcome, exit: number, about: RegExp): void {
  assert.equal(code, exit, stderr);
  assert.match(stderr, about);
  assert.equal(stdout, "");
}

describe("countersign trust migrate", () => {
  it("shows what it would do, in words and as a document, and writes nothing", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    const text = await it.migrate(["--dry-run"]);
    assert.equal(text.code, 0, text.stderr);
    assert.match(text.stdout, /planned.*\n.*from/);
    assert.match(text.stdout, /2\.0 is sha256:[0-9a-f]{64}, signed by alice/);
    const { stdout } = await it.migrate(["--dry-run", "-o", "json"]);
    assert.deepEqual(violations(JSON.parse(stdout), SCHEMA), []);
    assert.equal((await it.countersign(["trust", "inspect", it.gun])).code, 1);
    assert.equal(existsSync(join(it.folder, ".local")), false);
  });

  it("takes tags, signers and keys over, and the old root's machine goes over", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    const { code, stdout, stderr } = await it.migrate(["-y", "-o", "json"]);
    assert.equal(code, 0, stderr);
    const document = JSON.parse(stdout) as { signedTags: { hasContinuity: boolean; keys: object } };
    assert.deepEqual(violations(document, SCHEMA), []);
    assert.equal(document.signedTags.hasContinuity, true);
    assert.deepEqual(document.signedTags.keys, { root: "kept", targets: "kept", alice: "kept", online: "new" });
    const env = { XDG_CONFIG_HOME: join(it.folder, "consumer"), XDG_STATE_HOME: join(it.folder, "consumer") };
    const pinned = await it.countersign(["trust", "pin", it.gun, "--from-dct"], { env });
    assert.match(pinned.stdout, /vouched for by a root of Docker Content Trust/);
    for (const tag of ["1.0", "2.0"])
      assert.equal((await it.countersign(["verify", `${it.gun}:${tag}`], { env })).code, 0);
  });

  it("makes new keys on request, and the old root vouches for them", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    const env = { COUNTERSIGN_KEY_PASSPHRASE: "n" };
    const { stdout, stderr } = await it.migrate(["-y", "--new-keys", "-o", "json"], { env });
    const { signedTags } = JSON.parse(stdout) as { signedTags: { hasContinuity: boolean; keys: object } };
    assert.deepEqual(signedTags.keys, { root: "new", targets: "new", alice: "kept", online: "new" }, stderr);
    assert.equal(signedTags.hasContinuity, true);
  });

  it("makes a new root key where the old one is RSA, which vouches all the same", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun, "rsa2048"));
    const { stdout, stderr } = await it.migrate(["-y", "-o", "json"], { env: { COUNTERSIGN_KEY_PASSPHRASE: "n" } });
    const { signedTags } = JSON.parse(stdout) as { signedTags: { hasContinuity: boolean; keys: { root: string } } };
    assert.deepEqual([signedTags.keys.root, signedTags.hasContinuity], ["new", true], stderr);
  });

  it("does not set up without the old root's key unless that is asked for", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun), {}, ["targets"]);
    refused(await it.migrate(["-y"]), 2, /role-key-missing/);
    const env = { COUNTERSIGN_KEY_PASSPHRASE: "n" };
    const { stdout, stderr } = await it.migrate(["-y", "--allow-no-continuity"], { env });
    assert.match(stdout, /keys made {5}root online/, stderr);
    refused(await it.countersign(["trust", "pin", it.gun, "--from-dct", "--force"]), 1, /pin-mismatch/);
  });

  it("asks before it signs, and does nothing where nobody answers", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    refused(await it.migrate(), 2, /1\.0 is sha256:[\s\S]*consent-missing/);
  });

  it("takes the expired timestamp of a cache with a word, and other expired data only on request", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    const late = await it.migrate(["--dry-run"], { at: instant(NOW + 30 * DAY) });
    assert.match(late.stdout, /warning +timestamp expired at/);
    const at = instant(NOW + 1200 * DAY);
    refused(await it.migrate(["--dry-run"], { at }), 1, /frozen[\s\S]*targets expired at/);
    assert.equal((await it.migrate(["--dry-run", "--allow-expired"], { at })).code, 0);
  });

  it("takes what a publisher's Docker leaves behind: newer files than its timestamp, or none, which is said", async (t) => {
    const it = await scene(t);
    const root = rootDctKey(it.gun);
    const before = it.published(root, { tags: {} });
    const after = it.published(root);
    const trust = join(it.folder, ".docker", "trust");
    writeTrustFolder(trust, { ...after, listings: before.listings });
    const torn = await it.migrate(["--dry-run"]);
    assert.match(torn.stdout, /1\.0 is[\s\S]*warning +no snapshot says that these files are the newest/, torn.stderr);
    for (const name of ["timestamp", "snapshot"]) rmSync(join(trust, "tuf", it.gun, "metadata", `${name}.json`));
    assert.match((await it.migrate(["--dry-run"])).stdout, /1\.0 is[\s\S]*warning +no snapshot/);
  });

  it("is refused where Docker's cache lists no tag: it keeps what it has read, not what it has just pushed", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun), { tags: {}, signers: [] });
    refused(await it.migrate(["-y"]), 1, /signed-tags-missing[\s\S]*docker trust inspect/);
  });

  it("keeps Docker's passphrases, and takes others where they are named", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    await it.migrate(["-y"], { env: { COUNTERSIGN_KEY_PASSPHRASE_TARGETS: "other" } });
    const rotate = ["trust", "rotate", "targets", it.gun, "-y"];
    const env = { COUNTERSIGN_KEY_PASSPHRASE_ROOT: "wrong", COUNTERSIGN_KEY_PASSPHRASE: "other" };
    assert.match((await it.countersign(rotate, { env })).stderr, /key-password/);
    const right = { ...env, COUNTERSIGN_KEY_PASSPHRASE_ROOT: "r", COUNTERSIGN_KEY_PASSPHRASE_ONLINE: "o" };
    const rotated = await it.countersign(rotate, { env: right });
    assert.equal(rotated.code, 0, rotated.stderr);
  });

  it("is refused with a wrong passphrase of Docker's, which is not printed", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    const env = { DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE: "s3cret-and-wrong" };
    const outcome = await it.migrate(["-y"], { env });
    refused(outcome, 2, /key-password[\s\S]*DOCKER_CONTENT_TRUST_ROOT_PASSPHRASE/);
    assert.doesNotMatch(outcome.stderr, /s3cret/);
    assert.equal((await it.countersign(["trust", "inspect", it.gun])).code, 1);
  });

  it("is refused where a key file holds another key than its name says", async (t) => {
    const it = await scene(t);
    const root = rootDctKey(it.gun);
    it.published(root);
    const folder = join(it.folder, ".docker", "trust", "private");
    const other = readFileSync(join(folder, `${it.alice.plainId}.key`));
    writeFileSync(join(folder, `${it.targetsKey.plainId}.key`), other);
    refused(await it.migrate(["-y"]), 2, /key-invalid/);
  });

  const wrongCalls: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["no source", ["trust", "migrate", "registry.example/app"], /no source is named/],
    [
      "two sources",
      ["trust", "migrate", "registry.example/app", "--from-dct", "--from-notary", "https://n.example"],
      /two/,
    ],
    ["a tag", ["trust", "migrate", "registry.example/app:1", "--from-dct"], /it has a tag/],
    ["no address", ["trust", "migrate", "registry.example/app", "--from-notary", "https://"], /not the address/],
    [
      "an open address",
      ["trust", "migrate", "registry.example/app", "--from-notary", "http://n.example", "--tofu"],
      /https/,
    ],
  ];
  for (const [what, args, about] of wrongCalls) {
    it(`is wrong usage with ${what}`, async (t) => {
      const it = await scene(t);
      refused(await it.countersign(args), 2, about);
    });
  }

  it("is refused where Docker kept nothing of the repository", async (t) => {
    const it = await scene(t);
    refused(await it.migrate(), 1, /signed-tags-missing/);
    refused(await it.countersign(["trust", "pin", it.gun, "--from-dct"]), 1, /signed-tags-missing/);
  });
});

describe("countersign trust migrate --from-notary", () => {
  async function notary(t: TestContext, it: Scene, made: DctMade): Promise<readonly string[]> {
    const server = await notaryServer(it.gun, serverFiles(made));
    t.after(() => server.close());
    return ["trust", "migrate", it.gun, "--from-notary", `http://${server.host}`, "--dry-run"];
  }

  it("goes by the root that Docker trusted, one in a file, or the server's own where that is asked for", async (t) => {
    const it = await scene(t);
    const made = dctRepository({ gun: it.gun, tags: { "1.0": it.image } });
    const args = await notary(t, it, made);
    refused(await it.countersign(args), 2, /no-pin/);
    assert.match((await it.countersign([...args, "--tofu"])).stdout, /on first use/);
    const file = join(it.folder, "root.json");
    writeFileSync(file, made.roots[0] ?? "");
    assert.match((await it.countersign([...args, "--dct-root", "root.json"])).stdout, /the root in a file/);
    writeTrustFolder(join(it.folder, ".docker", "trust"), made);
    assert.match((await it.countersign(args)).stdout, /the root that Docker trusted here/);
  });

  it("is refused where the root that Docker trusted does not lead to the server's", async (t) => {
    const it = await scene(t);
    it.published(rootDctKey(it.gun));
    const args = await notary(t, it, dctRepository({ gun: it.gun }));
    refused(await it.countersign(args), 1, /forked/);
  });

  it("is refused where the server went back behind what Docker has seen", async (t) => {
    const it = await scene(t);
    const root = rootDctKey(it.gun);
    const version = (signed: object) => ({ ...signed, version: 5 });
    const made = it.published(root, { edit: { targets: version } });
    const keys = { gun: it.gun, root, targetsKey: it.targetsKey };
    const older = dctRepository(keys);
    const served = { ...older, roots: made.roots };
    refused(await it.countersign(await notary(t, it, served)), 1, /mix-and-match|signature-threshold|rollback/);
  });

  it("is refused where its data has expired, a timestamp too", async (t) => {
    const it = await scene(t);
    const made = dctRepository({ gun: it.gun });
    writeTrustFolder(join(it.folder, ".docker", "trust"), made);
    const args = await notary(t, it, made);
    refused(await it.countersign(args, { at: instant(NOW + 30 * DAY) }), 1, /timestamp expired at/);
  });
});
