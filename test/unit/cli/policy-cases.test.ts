import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it, type TestContext } from "node:test";
import type { Context } from "../../../src/cli/context.ts";
import { run } from "../../../src/cli/main.ts";
import { openOutput } from "../../../src/cli/output.ts";
import { findCases } from "../../../src/cli/policy-cases.ts";
import { LIMITS } from "../../../src/core/limits.ts";
import { instant } from "../../../src/core/time.ts";
import { runCases } from "../../../src/ops/policy-cases.ts";
import { startRegistry } from "../../../src/testbed/registry.ts";
import { temporaryFolder } from "../../support/temp.ts";

interface Workplace {
  readonly context: Context;
  readonly said: () => string;
  write(path: string, text: string): Promise<void>;
}

async function workplace(scope: TestContext): Promise<Workplace> {
  const folder = await temporaryFolder(scope);
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  return {
    context: {
      env: { XDG_CACHE_HOME: join(folder, "cache") },
      workingDirectory: folder,
      homeDirectory: join(folder, "home"),
      stdin: new PassThrough(),
      stdout: { stream: stdout, isTerminal: false },
      stderr: { stream: stderr, isTerminal: false },
      referenceTime: instant(Date.UTC(2026, 5, 1)),
      signal: new AbortController().signal,
      exitCode: 0,
    },
    said: () => `${stdout.read() ?? ""}${stderr.read() ?? ""}`,
    async write(path, text) {
      await mkdir(join(folder, path, ".."), { recursive: true });
      await writeFile(join(folder, path), text);
    },
  };
}

async function found({ context }: Workplace, ...folders: readonly string[]): Promise<readonly string[]> {
  const global = { format: "text", outputFile: undefined, quiet: true, debug: false, progress: false };
  const cases = await findCases(context, openOutput(context, global), folders, undefined);
  return cases.map(({ name }) => name);
}

describe("cases below a folder", () => {
  it("are found at any depth, in the order of their names, each once", async (t) => {
    const place = await workplace(t);
    for (const path of ["b", "a/2", "a/1/deep", "a/1"]) await place.write(`cases/${path}/expected.yaml`, "");
    const names = ["cases/a/1", "cases/a/1/deep", "cases/a/2", "cases/b"];
    assert.deepEqual(await found(place, "cases"), names);
    assert.deepEqual(await found(place, "cases/a/2", "cases"), [
      "cases/a/2",
      ...names.filter((name) => name !== "cases/a/2"),
    ]);
  });

  it("are also those that nobody expects anything of: what was forgotten is told", async (t) => {
    const place = await workplace(t);
    await place.write("cases/a/evidence.json", "{}");
    assert.deepEqual(await found(place, "cases"), ["cases/a"]);
  });

  it("are not looked for behind links nor in hidden folders", async (t) => {
    const place = await workplace(t);
    await place.write("cases/a/expected.yaml", "");
    await place.write("cases/.git/expected.yaml", "");
    await symlink("..", join(place.context.workingDirectory, "cases/a/loop"));
    assert.deepEqual(await found(place, "cases"), ["cases/a"]);
  });

  it("are refused where there are none, and where there is no folder: nothing that was tested is no success", async (t) => {
    const place = await workplace(t);
    await place.write("cases/readme.md", "");
    await assert.rejects(found(place, "cases"), { code: "usage", message: /no case/ });
    await assert.rejects(found(place, "nowhere"), { code: "usage", found: "nowhere" });
    await assert.rejects(found(place, "cases/readme.md"), { code: "disk-error" });
  });

  it("are refused where there are too many, or nested too deeply", async (t) => {
    const place = await workplace(t);
    await place.write(`deep/${"a/".repeat(LIMITS.policyCaseDepth + 1)}expected.yaml`, "");
    await assert.rejects(found(place, "deep"), { code: "limit-reached" });
    const many = Array.from({ length: LIMITS.policyCases + 1 }, (_, at) => `many/${at}/expected.yaml`);
    await Promise.all(many.map((path) => place.write(path, "")));
    await assert.rejects(found(place, "many"), { code: "limit-reached" });
  });

  it("made of pipes are refused and not waited for", async (t) => {
    const place = await workplace(t);
    await place.write("cases/a/policy.yaml", "");
    execFileSync("mkfifo", [join(place.context.workingDirectory, "cases/a/expected.yaml")]);
    const global = { format: "text", outputFile: undefined, quiet: true, debug: false, progress: false };
    const cases = await findCases(place.context, openOutput(place.context, global), ["cases"], undefined);
    const [result] = await runCases(cases);
    assert.equal(result?.outcome, "unreadable");
    assert.match(result.finding?.found ?? "", /something else/);
  });

  it("with a large expectation are refused", async (t) => {
    const place = await workplace(t);
    await place.write("cases/a/expected.yaml", " ".repeat(LIMITS.expectationBytes + 1));
    const global = { format: "text", outputFile: undefined, quiet: true, debug: false, progress: false };
    const [result] = await runCases(
      await findCases(place.context, openOutput(place.context, global), ["cases"], undefined),
    );
    assert.equal(result?.finding?.code, "limit-reached");
  });
});

const CLOSED = 'apiVersion: countersign/v1\nrules:\n  - images: "**"\n    require: {never: closed}\n';

describe("a case that is recorded", () => {
  it("leaves nothing behind where it cannot be made", async (t) => {
    const place = await workplace(t);
    await using registry = await startRegistry();
    await place.write("policy.yaml", CLOSED.replace("**", `${registry.address}/**`));
    const record = (...more: readonly string[]) =>
      run(["policy", "test", "--record", `${registry.address}/acme/app:1`, ...more], place.context);
    assert.equal(await record("--policy", "policy.yaml", "cases/new"), 3, place.said());
    assert.equal(await record("--policy", "nothing.yaml", "cases/new"), 2, place.said());
    assert.equal(await record("cases/new"), 2, place.said());
    assert.equal(await record("--policy", "policy.yaml", "cases/new", "cases/other"), 2, place.said());
    assert.equal(await record("--policy", "oci://127.0.0.1:1/policies/prod", "cases/new"), 2, place.said());
    assert.deepEqual(
      (await readdir(place.context.workingDirectory)).filter((name) => name !== "cache"),
      ["policy.yaml"],
    );
  });

  it("does not touch what is there, be it a file, a folder or a link to nowhere", async (t) => {
    const place = await workplace(t);
    await place.write("policy.yaml", CLOSED);
    await place.write("file", "mine");
    await place.write("folder/file", "mine");
    await symlink("nowhere", join(place.context.workingDirectory, "link"));
    for (const name of ["file", "folder", "link"]) {
      const line = ["policy", "test", "--record", "127.0.0.1:1/a:1", "--policy", "policy.yaml", name];
      assert.equal(await run(line, place.context), 2);
      assert.match(place.said(), /destination-exists/);
    }
  });
});
