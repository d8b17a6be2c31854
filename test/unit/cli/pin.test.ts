import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it, type TestContext } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { CountersignError } from "../../../src/core/errors.ts";
import { digestOf } from "../../../src/core/oci/digest.ts";
import { stagedPath, writeIntent } from "../../../src/io/disk/intent.ts";
import { type Registry, startRegistry } from "../../../src/testbed/registry.ts";
import { captureContext } from "../../support/session.ts";
import { pushImage } from "../../support/session-image.ts";
import { temporaryFolder } from "../../support/temp.ts";

interface Ended {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

let registry: Registry;
let image: string;
before(async () => {
  registry = await startRegistry();
  image = `${registry.address}/acme/web:1`;
  await pushImage(image, "web");
  await pushImage(`${registry.address}/acme/db:1`, "db");
});
after(() => registry.close());

async function countersign(folder: string, line: string, signal?: AbortSignal): Promise<Ended> {
  const given = { workingDirectory: folder, homeDirectory: folder, env: {}, ...(signal && { signal }) };
  const { context, stdout, stderr } = captureContext(given);
  const exitCode = await run(line.split(" "), context);
  return { exitCode, stdout: stdout(), stderr: stderr() };
}

/** Nothing is verified here: who may be pinned is tested elsewhere. */
async function pin(folder: string, line: string, signal?: AbortSignal): Promise<Ended> {
  return await countersign(folder, `pin --no-verify ${line}`, signal);
}

async function scene(
  t: TestContext,
  files: Readonly<Record<string, string>> = { "images.txt": `${image}\n` },
): Promise<string> {
  const folder = await temporaryFolder(t);
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

const PINNED = /web:1@sha256:[0-9a-f]{64}/;
const read = (...path: string[]) => readFile(join(...path), "utf8");

describe("files that are pinned", () => {
  it("keep their permissions, and a link stays a link to the file that is pinned", async (t) => {
    const folder = await scene(t);
    await mkdir(join(folder, "links"));
    await chmod(join(folder, "images.txt"), 0o640);
    await symlink("../images.txt", join(folder, "links", "list.txt"));
    assert.equal((await pin(folder, "links/list.txt")).exitCode, 0);
    assert.match(await read(folder, "images.txt"), PINNED);
    assert.ok((await lstat(join(folder, "links", "list.txt"))).isSymbolicLink());
    assert.equal((await stat(join(folder, "images.txt"))).mode & 0o777, 0o640);
  });

  it("are written once, by however many names they are given", async (t) => {
    const folder = await scene(t);
    await symlink("images.txt", join(folder, "same.txt"));
    const { exitCode, stdout } = await pin(folder, "images.txt same.txt ./images.txt");
    assert.deepEqual([exitCode, stdout.match(/1 pinned; 1 file/g)?.length], [0, 1]);
  });

  it("keep a byte order mark, line breaks of Windows and a last line without one", async (t) => {
    const text = `\ufeff# ä\r\n${image}\r\n\r\n${image}`;
    const folder = await scene(t, { "images.txt": text });
    await pin(folder, "images.txt");
    const after = await read(folder, "images.txt");
    assert.equal(after.replaceAll(/@sha256:[0-9a-f]{64}/g, ""), text);
    assert.equal(after.match(/@sha256/g)?.length, 2);
  });

  it("share a lock file with those that other calls pin at the same time", async (t) => {
    const folder = await scene(t, { "a.txt": `${image}\n`, "b.txt": `${registry.address}/acme/db:1\n` });
    const ended = await Promise.all([pin(folder, "a.txt"), pin(folder, "b.txt")]);
    assert.deepEqual(
      ended.map(({ exitCode }) => exitCode),
      [0, 0],
    );
    assert.equal((await countersign(folder, "pin --check a.txt b.txt")).exitCode, 0);
    assert.deepEqual((await readdir(folder)).toSorted(), ["a.txt", "b.txt", "countersign.lock"]);
  });

  it("may have their lock file elsewhere, through a link too", async (t) => {
    const folder = await scene(t);
    await mkdir(join(folder, "locks"));
    await symlink("locks/real.lock", join(folder, "link.lock"));
    await writeFile(join(folder, "locks", "real.lock"), '{"schemaVersion":1,"images":[]}');
    assert.equal((await pin(folder, "--lock link.lock images.txt")).exitCode, 0);
    assert.ok((await lstat(join(folder, "link.lock"))).isSymbolicLink());
    assert.match(await read(folder, "locks", "real.lock"), /acme\/web:1/);
    assert.equal((await countersign(folder, "pin --check --lock link.lock images.txt")).exitCode, 0);
  });
});

describe("files that are not pinned", () => {
  it("are those that somebody edits while it is found out what to write: nothing is lost", async (t) => {
    const folder = await scene(t, { "a.txt": `${image}\n`, "b.txt": `${image}\n` });
    registry.faults.when(
      ({ url }) => {
        if (!url.includes("/manifests/1")) return false;
        writeFileSync(join(folder, "b.txt"), `${image} # edited\n`);
        return true;
      },
      { kind: "delay", ms: 100 },
      1,
    );
    const { exitCode, stderr } = await pin(folder, "a.txt b.txt");
    registry.faults.clear();
    assert.equal(exitCode, 3);
    assert.match(stderr, /changed by somebody else.*write-conflict/);
    assert.deepEqual(await Promise.all(["a.txt", "b.txt"].map((name) => read(folder, name))), [
      `${image}\n`,
      `${image} # edited\n`,
    ]);
    assert.ok(!(await readdir(folder)).includes("countersign.lock"));
  });

  it("are all of them after an interruption, with 130 and nothing beside them", async (t) => {
    const folder = await scene(t);
    const stop = new AbortController();
    registry.faults.when(
      () => {
        stop.abort(new CountersignError("interrupted", "interrupted"));
        return true;
      },
      { kind: "delay", ms: 100 },
      1,
    );
    const { exitCode } = await pin(folder, "images.txt", stop.signal);
    registry.faults.clear();
    assert.equal(exitCode, 130);
    assert.deepEqual(await readdir(folder), ["images.txt"]);
    assert.equal(await read(folder, "images.txt"), `${image}\n`);
  });

  it("are those beside a lock file that cannot be used: nothing is looked at", async (t) => {
    const folder = await scene(t);
    await writeFile(join(folder, "countersign.lock"), '{"schemaVersion":9,"images":[]}');
    const before = registry.requests.length;
    const { exitCode, stderr } = await pin(folder, "images.txt");
    assert.deepEqual([exitCode, registry.requests.length], [2, before]);
    assert.match(stderr, /countersign\.lock.*record-invalid/);
    assert.equal((await pin(folder, "--lock no/such/folder.lock images.txt")).exitCode, 3);
    assert.equal(await read(folder, "images.txt"), `${image}\n`);
  });

  it("are what a pipe brings, under whatever name", async (t) => {
    const folder = await scene(t);
    for (const source of ["-", "registry://registry.example", "cluster://"]) {
      assert.equal((await pin(folder, source)).exitCode, 2, source);
    }
  });
});

describe("a call that was killed", () => {
  async function killed(t: TestContext): Promise<string> {
    const folder = await scene(t);
    const [anchor, path] = [join(folder, "countersign.lock"), join(folder, "images.txt")];
    const [old, next] = [Buffer.from(`${image}\n`), Buffer.from(`${image}@${digestOf(Buffer.from("x"))}\n`)];
    const file = { path, before: digestOf(old), after: digestOf(next) };
    const intent = { nonce: "0123456789abcdef", direction: "forward" as const, files: [file] };
    await writeIntent(anchor, intent);
    await writeFile(stagedPath(intent, path), next);
    return folder;
  }

  it("is finished by the next one, which says so: a check too", async (t) => {
    for (const line of ["pin --check images.txt", "pin --no-verify --diff images.txt"]) {
      const folder = await killed(t);
      const { stderr } = await countersign(folder, line);
      assert.match(stderr, /an earlier run was interrupted; what it had begun is finished: .*images\.txt/);
      assert.match(await read(folder, "images.txt"), PINNED);
      assert.deepEqual(await readdir(folder), ["images.txt"]);
    }
  });
});

describe("what is no image in a registry", () => {
  it("is said and not pinned; the rest is", async (t) => {
    const folder = await scene(t, { "images.txt": `oci:images/app:1\n${image}\noci-archive:app.tar\n` });
    const { exitCode, stderr } = await pin(folder, "images.txt");
    assert.equal(exitCode, 3);
    assert.match(stderr, /images\.txt:1:1: only images in registries can be pinned: found oci:images\/app:1/);
    assert.match(await read(folder, "images.txt"), /^oci:images\/app:1\n.*@sha256:.*\noci-archive:app\.tar\n$/);
    assert.equal((await countersign(folder, "pin --check images.txt")).exitCode, 3);
  });
});

describe("a check", () => {
  it("asks nobody, whatever flags say who must have signed", async (t) => {
    const folder = await scene(t);
    await pin(folder, "images.txt");
    const before = registry.requests.length;
    assert.equal((await countersign(folder, "pin --check --key none.pub images.txt")).exitCode, 0);
    assert.equal(registry.requests.length, before);
  });
});
