import assert from "node:assert/strict";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { before, describe, it } from "node:test";
import { type PushedImage, pushImage, pushIndex } from "./images.ts";
import { type Finished, type RunOptions, without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { Workplace } from "./workplace.ts";

const HEAD = "countersign-trust";
const PASSPHRASES = { COUNTERSIGN_KEY_PASSPHRASE: "interop" };
const REFRESHES = 100;

/** Somebody with a home of their own: keys, pins, what was seen. */
interface Person {
  readonly work: Workplace;
  readonly env: Readonly<Record<string, string>>;
}

function person(work: Workplace, name: string): Person {
  const home = work.path("people", name);
  return {
    work,
    env: {
      ...PASSPHRASES,
      HOME: home,
      XDG_CACHE_HOME: join(home, "cache"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_DATA_HOME: join(home, "data"),
      XDG_STATE_HOME: join(home, "state"),
    },
  };
}

function pinsOf({ env }: Person): string {
  return join(env["XDG_CONFIG_HOME"] ?? "", "countersign/pins.json");
}

/** Gives somebody the pins that another one has now, and nothing else. */
function givePins(from: Person, to: Person): void {
  mkdirSync(dirname(pinsOf(to)), { recursive: true });
  copyFileSync(pinsOf(from), pinsOf(to));
}

interface Pins {
  readonly pins: readonly { readonly root: string }[];
}

function readPins(who: Person): Pins {
  return JSON.parse(readFileSync(pinsOf(who), "utf8")) as Pins;
}

function changePins(who: Person, change: (pins: Pins) => object): void {
  writeFileSync(pinsOf(who), JSON.stringify(change(readPins(who))));
}

function run(
  { work, env }: Person,
  code: number,
  args: readonly string[],
  options: RunOptions = {},
): Promise<Finished> {
  return work.expect(code, args, { ...options, env: { ...env, ...options.env } });
}

/** Pulls, and asserts which image comes. */
async function pulls(who: Person, image: string, wanted: PushedImage): Promise<Finished> {
  const out = who.work.path("out");
  rmSync(out, { recursive: true, force: true });
  const finished = await run(who, 0, ["pull", "--to", `oci:${out}`, image]);
  assert.ok(existsSync(join(out, "blobs/sha256", wanted.digest.replace("sha256:", ""))), finished.stdout);
  return finished;
}

async function refused(who: Person, image: string, reason: RegExp, code = 1): Promise<void> {
  const out = who.work.path("out");
  rmSync(out, { recursive: true, force: true });
  const { stdout, stderr } = await run(who, code, ["pull", "--to", `oci:${out}`, image]);
  assert.match(`${stdout}${stderr}`, reason);
  assert.equal(existsSync(out), false);
}

/** A repository with a root, and a tag that is bound. */
async function published(alice: Person, address: string, repository: string): Promise<PushedImage> {
  const image = await pushImage(address, `${repository}:1`);
  await run(alice, 0, ["trust", "init", "-y", `${address}/${repository}`]);
  await run(alice, 0, ["trust", "sign", "-y", image.tagged]);
  return image;
}

for (const kind of REGISTRIES.filter(({ hasReferrersApi }) => !hasReferrersApi)) {
  describe(`garbage collection of ${kind.name}`, { skip: kind.missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const alice = person(work, "alice");

    /** distribution's own collector over its own storage; nobody writes meanwhile. */
    const collect = () =>
      work.must("docker-registry", ["garbage-collect", "--delete-untagged", join(scene.storage, "config.yml")]);
    const manifestsOf = (repository: string) =>
      readdirSync(join(scene.storage, "docker/registry/v2/repositories", repository, "_manifests/revisions/sha256"));

    it(`after ${REFRESHES} refreshes and new roots, who has only the first root pulls`, async () => {
      const image = await published(alice, scene.address, "gc/app");
      const bob = person(work, "bob");
      givePins(alice, bob);
      await run(alice, 0, ["trust", "rotate", "root", "-y", `${scene.address}/gc/app`]);
      for (let round = 0; round < REFRESHES; round++) {
        await run(alice, 0, ["trust", "refresh", "-y", "--single-writer", `${scene.address}/gc/app`]);
      }
      await run(alice, 0, ["trust", "rotate", "online", "-y", `${scene.address}/gc/app`]);
      assert.ok(manifestsOf("gc/app").length > REFRESHES);
      await collect();
      assert.ok(manifestsOf("gc/app").length < 10, "replaced heads are gone");
      await pulls(bob, image.tagged, image);
      const next = await pushImage(scene.address, "gc/app:2");
      await run(alice, 0, ["trust", "sign", "-y", next.tagged]);
      await pulls(bob, next.tagged, next);
    });

    it("takes nothing of a head that is an index: hash bins stay readable", async () => {
      const image = await published(alice, scene.address, "gc/many");
      const tags = Array.from({ length: 1800 }, (_, at) => `v${at}`);
      await run(alice, 0, ["trust", "sign", "-y", image.tagged, ...tags.flatMap((tag) => ["--also", tag])]);
      const head = JSON.parse(await work.must("crane", ["manifest", `${scene.address}/gc/many:${HEAD}`])) as {
        readonly manifests?: readonly unknown[];
      };
      assert.notEqual(head.manifests, undefined, "so many tags need the large form");
      await collect();
      const carol = person(work, "carol");
      givePins(alice, carol);
      await pulls(carol, image.tagged, image);
      for (const tag of ["v0", "v899", "v1799"]) await run(carol, 0, ["verify", `${scene.address}/gc/many:${tag}`]);
      for (const tag of ["v7", "v8", "v9"]) {
        const bound = `${scene.address}/gc/many:${tag}@${image.digest}`;
        await run(alice, 0, ["trust", "sign", "-y", "--single-writer", "--note", "again", bound]);
      }
      await collect();
      for (const tag of ["v7", "v1799"]) await run(carol, 0, ["verify", `${scene.address}/gc/many:${tag}`]);
      await run(alice, 0, ["trust", "audit", `${scene.address}/gc/many`]);
    });

    it("takes nothing of a mirror that was filled by our copy", async () => {
      const [origin, mirror] = [`${scene.address}/gc/many`, `${scene.address}/gc/mirror`];
      await run(alice, 0, ["copy", `${origin}:1`, `${mirror}:1`]);
      await collect();
      const dave = person(work, "dave");
      givePins(alice, dave);
      changePins(dave, (pins) => ({ ...pins, mirrors: { [mirror]: origin } }));
      for (const tag of ["1", "v7", "v1799"]) await run(dave, 0, ["verify", `${mirror}:${tag}`]);
    });
  });
}

for (const kind of REGISTRIES) {
  describe(`signed tags that other tools carry: ${kind.name}`, { skip: kind.missing || without("crane") }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const alice = person(work, "alice");
    const bob = person(work, "bob");
    let image: PushedImage;
    const at = (repository: string) => `${scene.address}/${repository}`;
    /** Bob's pins, with mirrors of the origin. */
    const mirrored = (...mirrors: readonly string[]) => {
      givePins(alice, bob);
      const named = Object.fromEntries(mirrors.map((mirror) => [at(mirror), at("origin/app")]));
      changePins(bob, (pins) => ({ ...pins, mirrors: named }));
    };

    before(async () => {
      image = await published(alice, scene.address, "origin/app");
    });

    it("crane copies head and image to a mirror, which is judged by the origin's root", async () => {
      await work.must("crane", ["copy", at("origin/app:1"), at("mirror/crane:1")]);
      await work.must("crane", ["copy", at(`origin/app:${HEAD}`), at(`mirror/crane:${HEAD}`)]);
      mirrored("mirror/crane");
      await pulls(bob, at("mirror/crane:1"), image);
    });

    it("a mirror without a mapping is another repository: its trust is nobody's", async () => {
      await work.must("crane", ["copy", at("origin/app:1"), at("mirror/alone:1")]);
      await work.must("crane", ["copy", at(`origin/app:${HEAD}`), at(`mirror/alone:${HEAD}`)]);
      mirrored();
      await refused(bob, at("mirror/alone:1"), /no-pin|usage|--key/, 2);
      const checksum = ["--root-checksum", rootOf(alice)];
      const pinned = await work.countersign(["trust", "pin", at("mirror/alone"), ...checksum], { env: bob.env });
      if (pinned.code === 0) await refused(bob, at("mirror/alone:1"), /root-of-another/);
      else assert.match(`${pinned.stdout}${pinned.stderr}`, /root-of-another/);
    });

    it("a mirror that has the image and not the head is refused: the trust that was pinned is gone", async () => {
      await work.must("crane", ["copy", at("origin/app:1"), at("mirror/headless:1")]);
      mirrored("mirror/headless");
      await refused(bob, at("mirror/headless:1"), /signed-tags-vanished/);
    });

    it("a mirror behind what was seen at the origin is a rollback", async () => {
      await work.must("crane", ["copy", at("origin/app:1"), at("mirror/behind:1")]);
      await work.must("crane", ["copy", at(`origin/app:${HEAD}`), at(`mirror/behind:${HEAD}`)]);
      mirrored("mirror/behind");
      const next = await pushImage(scene.address, "origin/app:next");
      await run(alice, 0, ["trust", "sign", "-y", next.tagged]);
      await pulls(bob, next.tagged, next);
      await refused(bob, at("mirror/behind:1"), /rollback/);
    });

    it("skopeo copies both, byte for byte", { skip: without("skopeo") }, async () => {
      for (const tag of ["1", HEAD]) {
        const [from, to] = [at(`origin/app:${tag}`), at(`mirror/skopeo:${tag}`)];
        const tls = ["--src-tls-verify=false", "--dest-tls-verify=false"];
        await work.must("skopeo", ["copy", "--insecure-policy", "--all", ...tls, `docker://${from}`, `docker://${to}`]);
      }
      mirrored("mirror/skopeo");
      await pulls(bob, at("mirror/skopeo:1"), image);
    });

    it("our copy carries the head with the image", async () => {
      await run(alice, 0, ["copy", at("origin/app:1"), at("mirror/ours:1")]);
      mirrored("mirror/ours");
      await pulls(bob, at("mirror/ours:1"), image);
    });

    it("a kit carries it into another registry, beside the signature that loading asks for", async () => {
      const kit = work.path("kit.tar");
      const key = await work.makeKey("kit");
      await work.expect(0, ["sign", "--key", key.secret, "-y", image.tagged]);
      mirrored("inside/origin/app");
      await run(bob, 0, ["save", "--to", kit, at("origin/app:1")]);
      await run(bob, 0, ["load", "--key", key.public, "--to", at("inside"), kit]);
      await pulls(bob, at("inside/origin/app:1"), image);
    });

    it("an index is bound as a whole: one platform of it is not the tag", async () => {
      const { index, platforms } = await pushIndex(scene.address, "origin/app:many");
      await run(alice, 0, ["trust", "sign", "-y", index.tagged]);
      mirrored();
      await pulls(bob, index.tagged, index);
      await refused(bob, `${index.tagged}@${platforms[0]?.digest}`, /binding-mismatch|digest-unlisted/);
    });
  });
}

function rootOf(who: Person): string {
  return readPins(who).pins[0]?.root ?? "";
}
