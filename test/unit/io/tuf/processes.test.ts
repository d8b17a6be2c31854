import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { consult } from "../../../../src/io/tuf/repository.ts";
import { type Handler, httpServer } from "../../../support/http-server.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { later, NOW, TestRepository } from "../../../support/tuf-repository.ts";

const PROGRAM = fileURLToPath(new URL("../../../support/tuf-process.ts", import.meta.url));
const FILE = "trusted_root.json";

interface Scene {
  readonly tuf: TestRepository;
  readonly folder: string;
  readonly handler: { serve: Handler };
  start(now: number): ChildProcess;
}

async function scene(t: TestContext): Promise<Scene> {
  const folder = await temporaryFolder(t);
  const tuf = new TestRepository().addTarget(FILE, "{}").publishTargets();
  const handler = { serve: tuf.handler() };
  const server = await httpServer((request, response) => handler.serve(request, response));
  t.after(() => server.close());
  const root = join(folder, "root.json");
  await writeFile(root, tuf.startRoot);
  const start = (now: number): ChildProcess => {
    const child = spawn(process.execPath, [PROGRAM, `http://${server.host}`, folder, root, String(now)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    t.after(() => void child.kill("SIGKILL"));
    return child;
  };
  return { tuf, folder, handler, start };
}

async function outputOf(child: ChildProcess): Promise<string> {
  const chunks: Buffer[] = [];
  child.stdout?.on("data", (chunk: Buffer) => chunks.push(chunk));
  await once(child, "close");
  return Buffer.concat(chunks).toString();
}

async function stateOf(folder: string): Promise<Buffer> {
  const [name = ""] = await readdir(join(folder, "cache"));
  return await readFile(join(folder, "cache", name, "state.json"));
}

describe("processes that share what is kept of a TUF repository", () => {
  it("ask the repository once between them", async (t) => {
    const { tuf, start } = await scene(t);
    const found = await Promise.all([1, 2, 3].map(() => outputOf(start(NOW))));
    assert.deepEqual(found, ["{}", "{}", "{}"]);
    assert.equal(tuf.requests.filter((path) => path === "metadata/timestamp.json").length, 1);
  });

  for (const stalled of ["2.root.json", "timestamp.json", "3.snapshot.json", "3.targets.json", `.${FILE}`]) {
    it(`leave it as it was when one is killed while it waits for ${stalled}, and go on`, async (t) => {
      const { tuf, folder, handler, start } = await scene(t);
      assert.equal(await outputOf(start(NOW)), "{}");
      const before = await stateOf(folder);
      tuf.addTarget(FILE, "[1]").publishTargets();
      const serve = tuf.handler();
      const reached = new Promise<void>((resolve) => {
        handler.serve = (request, response) => {
          if (request.target.endsWith(stalled)) resolve();
          else return serve(request, response);
        };
      });
      const victim = start(later(2));
      await reached;
      const ended = once(victim, "close");
      victim.kill("SIGKILL");
      await ended;
      assert.deepEqual(await stateOf(folder), before);
      const options = { now: later(2), mode: "when-due" } as const;
      const { targets } = await consult(tuf.asRepository(folder), [{ path: FILE, maxBytes: 9 }], options);
      assert.equal(Buffer.from(targets.get(FILE)?.content ?? []).toString(), "[1]");
    });
  }
});
