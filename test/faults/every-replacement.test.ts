import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { recoverFiles } from "../../src/io/disk/transaction.ts";
import { mapConcurrently } from "../../src/ops/concurrency.ts";
import { temporaryFolder } from "../support/temp.ts";

const [PRELOADED, PROGRAM] = ["killed-at.mjs", "replace-files.ts"].map((name) =>
  fileURLToPath(new URL(`../support/${name}`, import.meta.url)),
) as [string, string];

/** The anchor is new; the others are in folders of their own. */
class Scene {
  readonly folder: string;
  readonly anchor: string;
  readonly others: readonly string[];

  constructor(folder: string) {
    this.folder = folder;
    this.anchor = join(folder, "countersign.lock");
    this.others = ["a", "b"].map((name) => join(folder, name, "file.yaml"));
  }

  async reset(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
    for (const path of this.others) {
      await mkdir(join(path, ".."), { recursive: true });
      await writeFile(path, `old ${path}`);
    }
  }

  /** Replaces the files in a process that dies at a step. @returns what it wrote to standard error. */
  async run(dieAt: string | undefined): Promise<string> {
    const child = spawn(process.execPath, ["--import", PRELOADED, PROGRAM, this.anchor, ...this.others], {
      env: { ...process.env, ...(dieAt !== undefined && { COUNTERSIGN_TEST_DIE_AT: dieAt }) },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const chunks: Buffer[] = [];
    child.stderr.on("data", (chunk: Buffer) => chunks.push(chunk));
    await once(child, "close");
    assert.equal(child.signalCode, dieAt === undefined ? null : "SIGKILL", Buffer.concat(chunks).toString());
    return Buffer.concat(chunks).toString();
  }

  /** `new`, `old`: what all of the files are; fails where they are not all the same, or something lies beside them. */
  async outcome(what: string): Promise<string> {
    const words = await Promise.all(
      [this.anchor, ...this.others].map(async (path) => {
        const text = await readFile(path, "utf8").catch(() => `old ${path}`);
        assert.ok(text === `old ${path}` || text === `new ${path}`, `${what}: ${path} holds ${text}`);
        return text.slice(0, 3);
      }),
    );
    assert.equal(new Set(words).size, 1, `${what}: ${words.join(", ")}`);
    const left = (await readdir(this.folder, { recursive: true })).filter((path) => path.includes("countersign-"));
    assert.deepEqual(left, [], what);
    return words[0] ?? "";
  }
}

/** Where a process died, and what the files were after the next one had looked. */
async function killedAt(scene: Scene, moment: string): Promise<string> {
  await scene.reset();
  await scene.run(moment);
  await recoverFiles(scene.anchor);
  return await scene.outcome(`killed ${moment}`);
}

describe("files that are replaced together by a process that is killed", () => {
  it("are all new or all old after the next one, at whatever step it was", async (t) => {
    const folder = await temporaryFolder(t);
    const whole = new Scene(join(folder, "whole"));
    await whole.reset();
    const steps = Number(await whole.run(undefined));
    assert.equal(await whole.outcome("nobody was killed"), "new");
    assert.ok(steps > 20, String(steps));
    const moments = [...Array(steps).keys()].map((at) => `before ${at + 1}`);
    const outcomes = await mapConcurrently([...moments, `after ${steps}`], 4, (moment) =>
      killedAt(new Scene(join(folder, moment)), moment),
    );
    // Old as long as not everything is staged, new from then on.
    assert.match(outcomes.join(" "), /^(?:old )+new(?: new)*$/);
  });
});
