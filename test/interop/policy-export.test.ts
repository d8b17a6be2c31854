import assert from "node:assert/strict";
import { before, describe, it, type TestContext } from "node:test";
import { containersEnvironment } from "./engines.ts";
import { type PushedImage, pushImage } from "./images.ts";
import { type Finished, without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES } from "./servers.ts";
import type { Workplace } from "./workplace.ts";

/**
 * `policy export`: whether those for whom a policy is written accept what we accept by it, and refuse what we refuse. The
 * two that run here are asked; of the clusters' two, a model in test/properties is.
 */

interface Judge {
  readonly name: string;
  /** Fetches the image by the policy that was exported into this folder. */
  readonly fetch: (work: Workplace, image: string, folder: string) => Promise<Finished>;
}

const JUDGES: readonly Judge[] = [
  {
    name: "skopeo",
    fetch: (work, image, folder) => {
      const exported = [
        "--policy",
        work.path(folder, "policy.json"),
        "--registries.d",
        work.path(folder, "registries.d"),
      ];
      const to = `dir:${work.makeFolder("skopeo-out")}`;
      return work.run("skopeo", [...exported, "copy", "--src-tls-verify=false", `docker://${image}`, to]);
    },
  },
  ...["podman", "podman5"].map((name) => ({
    name,
    // Where signatures are looked for it reads in the home, and there is no flag for another place.
    fetch: (work: Workplace, image: string, folder: string) => {
      const exported = ["--signature-policy", work.path(folder, "policy.json")];
      return work.run(name, ["pull", ...exported, "--tls-verify=false", image], { env: containersEnvironment(work) });
    },
  })),
];

const REJECTED = /Source image rejected|rejected by policy/;
/** Debian's builds check no sigstore signatures: all of them are refused, in these words. */
const SWITCHED_OFF = /sigstore disabled/;
/** Older ones do not know a requirement with several keys, and refuse the whole policy for it. */
const TOO_OLD = /invalid policy|Unknown key "keyDatas"/i;

const [kind] = REGISTRIES;

for (const judge of JUDGES) {
  const missing = kind === undefined ? "no registry" : kind.missing || without(judge.name);
  describe(`${judge.name} does by an exported policy.json what the policy says`, { skip: missing }, () => {
    if (kind === undefined) return;
    const scene = useScene(kind);
    const { work } = scene;

    before(async () => {
      for (const name of ["alice", "bob", "eve"]) await work.makeKey(name);
      work.write("single.yaml", policy(scene.address));
      work.write("several.yaml", policy(scene.address, severalSigners(scene.address)));
      await exportTo("single", "single");
      await exportTo("several", "several");
      await exportTo("several", "home/.config/containers");
    });

    const exportTo = (name: string, to: string) =>
      work.expect(0, [
        "policy",
        "export",
        "--as",
        "containers",
        "--policy",
        work.path(`${name}.yaml`),
        "--to",
        work.path(to),
      ]);

    const sign = (name: string, image: PushedImage, ...flags: readonly string[]) =>
      work.expect(0, [
        "sign",
        "--key",
        work.keyPair(name).secret,
        "-y",
        "--format",
        "cosign-legacy",
        ...flags,
        image.tagged,
      ]);

    const ours = (wanted: string, image: PushedImage) =>
      work.judge(wanted, ["verify", "--policy", work.path("several.yaml"), image.tagged]);

    async function ask(t: TestContext, image: PushedImage, folder: string): Promise<Finished | undefined> {
      const finished = await judge.fetch(work, image.tagged, folder);
      if (!SWITCHED_OFF.test(finished.stderr) && !TOO_OLD.test(finished.stderr)) return finished;
      t.skip(`this build of ${judge.name} checks no sigstore signatures, or knows no requirement with several keys`);
      return undefined;
    }

    async function bothAccept(t: TestContext, image: PushedImage, folder = "single"): Promise<void> {
      await ours("accepted", image);
      const finished = await ask(t, image, folder);
      if (finished !== undefined) assert.equal(finished.code, 0, finished.stderr);
    }

    async function bothRefuse(t: TestContext, image: PushedImage, reason: string, folder = "single"): Promise<void> {
      await ours(`refused ${reason}`, image);
      const finished = await ask(t, image, folder);
      if (finished === undefined) return;
      assert.notEqual(finished.code, 0);
      assert.match(finished.stderr, REJECTED);
    }

    it("accepts what the wanted key signed, and what is below the repository", async (t) => {
      for (const name of ["acme/app:1", "acme/app/part:1"]) {
        const image = await pushImage(scene.address, name);
        await sign("alice", image);
        await bothAccept(t, image);
      }
    });

    it("refuses what nobody signed", async (t) => {
      await bothRefuse(t, await pushImage(scene.address, "acme/app:unsigned"), "unsigned");
    });

    it("refuses what another key signed", async (t) => {
      const image = await pushImage(scene.address, "acme/app:eve");
      await sign("eve", image);
      await bothRefuse(t, image, "wrong-key");
    });

    it("refuses what was signed as another repository", { skip: without("crane") }, async (t) => {
      const image = await pushImage(scene.address, "other/app:1");
      await sign("alice", image);
      const copied = `${scene.address}/acme/app`;
      const signature = image.digest.replace(":", "-");
      for (const tag of ["1", `${signature}.sig`]) {
        await work.must("crane", [
          "copy",
          "--insecure",
          `${scene.address}/other/app:${tag}`,
          `${copied}:${tag === "1" ? "copied" : tag}`,
        ]);
      }
      const moved = { ...image, tagged: `${copied}:copied`, pinned: `${copied}@${image.digest}` };
      await bothRefuse(t, moved, "wrong-repository");
    });

    it("refuses a repository that no rule is about, whoever signed it", async (t) => {
      const image = await pushImage(scene.address, "elsewhere/app:1");
      await sign("alice", image);
      await bothRefuse(t, image, "no-policy");
    });

    it("refuses what a rule forbids", async (t) => {
      const image = await pushImage(scene.address, "closed/app:1");
      await sign("alice", image);
      await bothRefuse(t, image, "forbidden");
    });

    it("lets through unsigned what a rule lets through", async (t) => {
      await bothAccept(t, await pushImage(scene.address, "free:1"));
    });

    it("wants both of two", async (t) => {
      const image = await pushImage(scene.address, "both/app:1");
      await sign("alice", image);
      await bothRefuse(t, image, "wrong-key");
      await sign("bob", image);
      await bothAccept(t, image);
    });

    it("takes any of several", async (t) => {
      const image = await pushImage(scene.address, "any/app:1");
      await bothRefuse(t, image, "unsigned", "several");
      await sign("bob", image);
      await bothAccept(t, image, "several");
    });

    it("counts to a threshold as the policy does", async (t) => {
      const image = await pushImage(scene.address, "two/app:1");
      await sign("eve", image);
      await bothRefuse(t, image, "threshold-not-met", "several");
      await sign("bob", image);
      await bothAccept(t, image, "several");
    });

    it("prefers the rule of a tag", async (t) => {
      const image = await pushImage(scene.address, "acme/app:closed");
      await sign("alice", image);
      await bothRefuse(t, image, "forbidden");
    });
  });
}

/** Rules for folders of one registry; a scope of policy.json is a repository together with all below it. */
function policy(address: string, more: readonly string[] = []): string {
  const identities = ["alice", "bob", "eve"].map((name) => `  ${name}: {key: ${name}.pub}`);
  return [
    "apiVersion: countersign/v1",
    "identities:",
    ...identities,
    "rules:",
    `  - {images: ["${address}/acme/app", "${address}/acme/app/"], require: {signature: {by: alice}}}`,
    `  - {images: "${address}/closed/", require: {never: closed}}`,
    `  - {images: ["${address}/free", "${address}/free/"], mode: warn, require: {never: nobody signs these}}`,
    `  - {images: "${address}/both/", require: {all: [{signature: {by: alice}}, {signature: {by: bob}}]}}`,
    `  - {images: "${address}/acme/app:closed", require: {never: closed}}`,
    ...more,
    "",
  ].join("\n");
}

/** Requirements with several keys, which older versions do not read. */
function severalSigners(address: string): readonly string[] {
  return [
    `  - {images: "${address}/any/", require: {signature: {by: [alice, bob]}}}`,
    `  - {images: "${address}/two/", require: {signature: {by: [alice, bob, eve], threshold: 2}}}`,
  ];
}

describe("notation does by an exported trust policy what the policy says", {
  skip: kind === undefined ? "no registry" : kind.missing || without("notation"),
}, () => {
  if (kind === undefined) return;
  const scene = useScene(kind);
  const { work } = scene;

  before(async () => {
    for (const name of ["alice", "bob", "eve"]) await work.makeKey(name);
  });

  const verify = (image: PushedImage) => work.run("notation", ["verify", "--insecure-registry", image.pinned]);

  async function importExported(content: string): Promise<void> {
    work.write("policy.yaml", content);
    await work.expect(0, [
      "policy",
      "export",
      "--as",
      "notation",
      "--policy",
      work.path("policy.yaml"),
      "--to",
      work.path("trustpolicy.json"),
      "--force",
    ]);
    await work.must("notation", ["policy", "import", "--force", work.path("trustpolicy.json")]);
  }

  it("takes the file, lets through what the policy lets through, and refuses all else", async () => {
    await importExported(policy(scene.address));
    const free = await verify(await pushImage(scene.address, "free:1"));
    assert.equal(free.code, 0, free.stderr);
    assert.match(free.stdout + free.stderr, /skip/);
    for (const name of ["free/part:1", "acme/app:1", "closed/app:1", "elsewhere/app:1"]) {
      const image = await pushImage(scene.address, name);
      await work.expect(0, ["sign", "--key", work.keyPair("alice").secret, "-y", image.tagged]);
      const refused = await verify(image);
      assert.equal(refused.code, 1, `${name}: ${refused.stdout}`);
      assert.match(refused.stderr, /no applicable.*trust policy|trust policy/i);
    }
  });

  it("takes the file of a policy that accepts nothing, and refuses everything", async () => {
    await importExported("apiVersion: countersign/v1\nrules: []\n");
    const refused = await verify(await pushImage(scene.address, "free:2"));
    assert.equal(refused.code, 1, refused.stdout);
  });
});
