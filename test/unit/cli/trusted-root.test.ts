import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { type Instant, instant } from "../../../src/core/time.ts";
import { httpServer, type TestServer } from "../../support/http-server.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { captureContext } from "../../support/session.ts";
import { fakeSigstore } from "../../support/sigstore/sign.ts";
import { temporaryFolder } from "../../support/temp.ts";
import { later, NOW, sha256, TestRepository } from "../../support/tuf-repository.ts";

const ROOT = Buffer.from(fakeSigstore().trustedRoot);
const LATELY = instant(Date.parse("2026-11-22T00:00:00Z"));
const schema: Schema = JSON.parse(
  await readFile(new URL("../../../docs/schemas/trusted-root.json", import.meta.url), "utf8"),
);

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Scene {
  readonly folder: string;
  readonly tuf: TestRepository;
  readonly server: TestServer;
  readonly mirror: string;
  run(line: string, now?: Instant): Promise<Outcome>;
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const tuf = new TestRepository().addTarget("trusted_root.json", ROOT).publishTargets();
  const server = await httpServer(tuf.handler());
  t.after(() => server.close());
  await writeFile(join(folder, "root.json"), tuf.startRoot);
  return {
    folder,
    tuf,
    server,
    mirror: `http://${server.host}`,
    run: async (line, now = NOW) => {
      const { context, stdout, stderr } = captureContext({
        workingDirectory: folder,
        homeDirectory: folder,
        referenceTime: now,
      });
      const code = await run(line.split(" "), context);
      return { code, stdout: stdout(), stderr: stderr() };
    },
  };
}

function instancesOf({ stdout }: Outcome): readonly Record<string, unknown>[] {
  const document = JSON.parse(stdout) as { instances: Record<string, unknown>[] };
  assert.deepEqual(violations(document, schema), []);
  return document.instances;
}

describe("trusted-root show", () => {
  it("shows what is built in on a machine that has fetched nothing", async (t) => {
    const place = await scene(t);
    const [sigstore, github] = instancesOf(await place.run("trusted-root show -o json", LATELY));
    assert.deepEqual([sigstore?.["state"], sigstore?.["default"], sigstore?.["daysLeft"]], ["seed", true, 151]);
    assert.deepEqual([github?.["state"], github?.["default"]], ["seed", false]);
    assert.deepEqual(await place.run("trusted-root show nobody"), {
      code: 2,
      stdout: "",
      stderr:
        "countersign: there is no trust instance of this name: found nobody, wanted sigstore, github [usage]\n" +
        "  next  name one of these, or set one up with countersign trusted-root init\n",
    });
  });

  it("says in words how old it is, how long it does, and whom it names", async (t) => {
    const { stdout, code } = await (await scene(t)).run("trusted-root show sigstore", LATELY);
    assert.equal(code, 0);
    assert.match(stdout, /^sigstore {2}https:\/\/tuf-repo-cdn\.sigstore\.dev \(default\)$/m);
    assert.match(stdout, /^ {2}built in {4}30 days ago$/m);
    assert.match(stdout, /^ {2}valid {7}until 2027-04-22T19:27:31Z, 151 days left$/m);
    assert.match(stdout, /^ {2}logs {8}rekor\.sigstore\.dev, since 2021-01-12$/m);
  });

  it("prints the file itself, as it was fetched", async (t) => {
    const { run: cli, mirror } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    assert.equal((await cli("trusted-root show acme -o trusted-root")).stdout, ROOT.toString());
    assert.equal((await cli("trusted-root show -o trusted-root")).code, 2);
  });

  it("ends with 3 once something has expired, and says what", async (t) => {
    const { run: cli, mirror } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    assert.equal((await cli("trusted-root show acme", later(6))).code, 0);
    const { code, stdout, stderr } = await cli("trusted-root show acme", later(8));
    assert.equal(code, 3);
    assert.match(stdout, /^ {2}problem {5}the timestamp of .* has expired/m);
    assert.match(stderr, /^countersign: acme: the timestamp of .*\[trust-stale\]$/m);
  });

  it("opens no connection", async (t) => {
    const { run: cli, mirror, server } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    const before = server.requests.length;
    await cli("trusted-root show", later(2));
    assert.equal(server.requests.length, before);
  });
});

describe("trusted-root update", () => {
  it("asks now, and shows what is there then", async (t) => {
    const { run: cli, mirror, tuf } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json --make-default`);
    tuf.publishTargets();
    const [acme] = instancesOf(await cli("trusted-root update -o json"));
    const roles = acme?.["metadata"] as { role: string; version: number }[];
    assert.deepEqual(
      roles.map(({ role, version }) => `${role} ${version}`),
      ["root 1", "timestamp 3", "snapshot 3", "targets 3"],
    );
    assert.deepEqual([acme?.["state"], acme?.["daysLeft"], acme?.["default"]], ["current", 7, true]);
  });

  it("does not ask those whom nobody here has to do with", async (t) => {
    const { run: cli, mirror } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json --make-default`);
    assert.deepEqual(
      instancesOf(await cli("trusted-root update -o json")).map(({ name }) => name),
      ["acme"],
    );
  });

  it("leaves what is there as it was where the repository is wrong, and ends with 3", async (t) => {
    const { run: cli, mirror, tuf } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    tuf.rotate("timestamp").publish("timestamp");
    const outcome = await cli("trusted-root update acme -o json");
    assert.deepEqual([outcome.code, instancesOf(outcome)[0]?.["state"]], [3, "unusable"]);
    assert.match(
      outcome.stderr,
      /^countersign: acme: the timestamp of .* lacks valid signatures: .*\[trust-rejected\]$/m,
    );
    assert.equal((await cli("trusted-root show acme")).code, 0);
  });

  it("asks every instance that was named, whatever becomes of the others", async (t) => {
    const { run: cli, mirror, folder } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    await cli(`trusted-root init gone --mirror ${mirror} --root root.json`);
    const config = join(folder, ".config/countersign/config.yaml");
    await writeFile(
      config,
      (await readFile(config, "utf8")).replace(/(gone:\n {6}tuf:\n {8}mirror: ).*/, "$1http://127.0.0.1:1"),
    );
    const outcome = await cli("trusted-root update gone acme -o json");
    assert.deepEqual(
      instancesOf(outcome).map(({ state }) => state),
      ["unusable", "current"],
    );
    assert.equal(outcome.code, 3);
  });
});

describe("trusted-root init", () => {
  it("verifies the repository from the root given, writes it down and shows it", async (t) => {
    const { run: cli, mirror, folder } = await scene(t);
    const { code, stdout } = await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    assert.equal(code, 0);
    assert.match(stdout, /^acme {2}http/);
    assert.match(
      await readFile(join(folder, ".config/countersign/config.yaml"), "utf8"),
      /acme:\n {6}tuf:\n {8}mirror: http/,
    );
    assert.equal((await readdir(join(folder, ".config/countersign/roots"))).length, 1);
    assert.equal((await cli("trusted-root show acme")).code, 0);
  });

  it("takes a root by its checksum from the mirror, or from any address", async (t) => {
    const { run: cli, mirror, tuf } = await scene(t);
    const sha = sha256(tuf.startRoot);
    assert.equal((await cli(`trusted-root init one --mirror ${mirror} --root-checksum sha256:${sha}`)).code, 0);
    assert.equal(
      (await cli(`trusted-root init two --mirror ${mirror} --root ${mirror}/1.root.json --root-checksum ${sha}`)).code,
      0,
    );
    assert.equal(
      (await cli(`trusted-root init three --mirror ${mirror} --root root.json --root-checksum ${sha}`)).code,
      0,
    );
  });

  it("loses no instance of several that are set up at once", async (t) => {
    const { run: cli, mirror } = await scene(t);
    const names = ["one", "two", "three", "four", "five"];
    const done = names.map((name) => cli(`trusted-root init ${name} --mirror ${mirror} --root root.json`));
    assert.deepEqual(new Set((await Promise.all(done)).map(({ code }) => code)), new Set([0]));
    const known = instancesOf(await cli("trusted-root show -o json")).map(({ name }) => name);
    assert.deepEqual(known.slice(2).toSorted(), names.toSorted());
  });

  it("starts over for a repository that was made anew", async (t) => {
    const { run: cli, mirror, tuf, folder } = await scene(t);
    tuf.publish("root", "targets", "snapshot", "timestamp");
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    const anew = new TestRepository().addTarget("trusted_root.json", ROOT).publishTargets();
    tuf.files.clear();
    for (const [path, bytes] of anew.files) tuf.files.set(path, bytes);
    assert.equal((await cli("trusted-root update acme")).code, 3);
    await writeFile(join(folder, "new.json"), anew.startRoot);
    assert.equal((await cli(`trusted-root init acme --mirror ${mirror} --root new.json --force`)).code, 0);
  });

  const refused: readonly (readonly [string, string, number, RegExp])[] = [
    ["no root at all", "init acme --mirror MIRROR", 2, /nothing says which root to start from/],
    [
      "a root from the network without its checksum",
      "init acme --mirror MIRROR --root MIRROR/1.root.json",
      2,
      /only believed with its checksum/,
    ],
    [
      "another root than its checksum says",
      `init acme --mirror MIRROR --root root.json --root-checksum ${"0".repeat(64)}`,
      3,
      /another one than its checksum/,
    ],
    ["a checksum that is none", "init acme --mirror MIRROR --root-checksum abc", 2, /not a checksum/],
    [
      "a checksum that the mirror has no root for",
      `init acme --mirror MIRROR --root-checksum ${"0".repeat(64)}`,
      3,
      /has no root with the checksum/,
    ],
    ["a name that is built in", "init sigstore --mirror MIRROR --root root.json", 2, /built in/],
    ["a name that is a path", "init ../x --mirror MIRROR --root root.json", 2, /not a name for an instance/],
    ["no mirror", "init acme --root root.json", 2, /required option '--mirror <url>' not specified/],
    [
      "a mirror that is none",
      "init acme --mirror tuf.example --root root.json",
      2,
      /not the address of a trust repository/,
    ],
    ["a root that is not there", "init acme --mirror MIRROR --root other.json", 2, /cannot read other\.json/],
    ["a root that is none", "init acme --mirror MIRROR --root junk.json", 2, /root of .* is not strict JSON/],
  ];
  for (const [title, line, code, says] of refused) {
    it(`refuses ${title}, and writes nothing`, async (t) => {
      const { run: cli, mirror, folder } = await scene(t);
      await writeFile(join(folder, "junk.json"), "junk");
      const outcome = await cli(`trusted-root ${line.replaceAll("MIRROR", mirror)}`);
      assert.equal(outcome.code, code, outcome.stderr);
      assert.match(outcome.stderr, says);
      assert.deepEqual((await readdir(folder)).sort(), ["junk.json", "root.json"]);
    });
  }

  it("refuses the root of another repository", async (t) => {
    const { run: cli, mirror, folder } = await scene(t);
    await writeFile(join(folder, "root.json"), new TestRepository().startRoot);
    const { code, stderr } = await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    assert.equal(code, 3);
    assert.match(stderr, /lacks valid signatures/);
    assert.deepEqual(await readdir(folder), ["root.json"]);
  });

  it("takes nobody's place without --force", async (t) => {
    const { run: cli, mirror } = await scene(t);
    await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    const { code, stderr } = await cli(`trusted-root init acme --mirror ${mirror} --root root.json`);
    assert.equal(code, 2);
    assert.match(stderr, /\[destination-exists\]/);
    assert.equal((await cli(`trusted-root init acme --mirror ${mirror} --root root.json --force`)).code, 0);
  });
});

describe("initialize, as cosign calls it", () => {
  it("makes a mirror the default", async (t) => {
    const { run: cli, mirror } = await scene(t);
    assert.equal((await cli(`initialize --mirror ${mirror} --root root.json`)).code, 0);
    const shown = instancesOf(await cli("trusted-root show -o json"));
    assert.deepEqual(
      shown.filter((one) => one["default"]).map(({ name }) => name),
      ["127.0.0.1"],
    );
  });

  it("needs a mirror for a root", async (t) => {
    assert.equal((await (await scene(t)).run("initialize --root root.json")).code, 2);
  });
});
