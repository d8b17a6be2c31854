import assert from "node:assert/strict";
import promises, { type FileHandle, mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { CountersignError } from "../../src/core/errors.ts";
import { recoverFiles, replaceFiles } from "../../src/io/disk/transaction.ts";
import { temporaryFolder } from "../support/temp.ts";

type AnyFunction = (...args: unknown[]) => unknown;

/** Lets the disk fail at one step: once, or from there on. Reading works. */
class Disk {
  count = 0;
  #failAt = 0;
  #isBroken = false;
  readonly #undo: (() => void)[] = [];

  async install(): Promise<void> {
    const handle = await promises.open("/dev/null", "w");
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    for (const name of ["write", "writev", "writeFile", "sync", "chmod"]) this.#wrap(prototype, name, () => true);
    for (const name of ["rename", "access"]) this.#wrap(promises, name, () => true);
    this.#wrap(promises, "open", ([, flags]) => (typeof flags === "number" ? (flags & 3) !== 0 : flags === "wx"));
    syncBuiltinESMExports();
  }

  remove(): void {
    for (const undo of this.#undo) undo();
    syncBuiltinESMExports();
  }

  failAt(at: number, isBroken: boolean): void {
    this.count = 0;
    this.#failAt = at;
    this.#isBroken = isBroken;
  }

  #wrap(owner: object, name: string, counts: (args: readonly unknown[]) => boolean): void {
    const original = Reflect.get(owner, name) as AnyFunction;
    const fails = (): boolean => {
      this.count += 1;
      return this.#isBroken ? this.#failAt !== 0 && this.count >= this.#failAt : this.count === this.#failAt;
    };
    Reflect.set(owner, name, function (this: unknown, ...args: unknown[]): unknown {
      if (counts(args) && fails()) {
        return Promise.reject(Object.assign(new Error("ENOSPC: on purpose"), { code: "ENOSPC", syscall: name }));
      }
      return Reflect.apply(original, this, args);
    });
    this.#undo.push(() => Reflect.set(owner, name, original));
  }
}

describe("files that are replaced together on a disk that fails", () => {
  const disk = new Disk();
  before(() => disk.install());
  after(() => disk.remove());

  for (const isBroken of [false, true]) {
    it(`are all old after any failure, with nothing beside them, or the next run sees to it (${isBroken ? "for good" : "once"})`, async (t) => {
      const folder = join(await temporaryFolder(t), "files");
      const anchor = join(folder, "countersign.lock");
      const paths = ["a.yaml", "b.yaml"].map((name) => join(folder, name));
      const replacements = [
        ...paths.map((path) => ({ path, before: Buffer.from("old"), after: Buffer.from("new") })),
        { path: anchor, before: undefined, after: Buffer.from("new") },
      ];
      const outcomes: string[] = [];
      for (let at = 1; ; at++) {
        disk.failAt(0, false);
        await rm(folder, { recursive: true, force: true });
        await mkdir(folder);
        for (const path of paths) await writeFile(path, "old");
        disk.failAt(at, isBroken);
        const failure = await replaceFiles(anchor, replacements).then(
          () => undefined,
          (thrown: unknown) => thrown,
        );
        const isOver = disk.count < at;
        disk.failAt(0, false);
        if (failure !== undefined) assert.ok(failure instanceof CountersignError && failure.code === "disk-error");
        await recoverFiles(anchor);
        const words = await Promise.all([...paths, anchor].map((path) => readFile(path, "utf8").catch(() => "old")));
        assert.equal(new Set(words).size, 1, `failure ${at}: ${words.join(", ")}`);
        assert.ok(
          (await readdir(folder)).every((name) => !name.startsWith(".")),
          `failure ${at}`,
        );
        outcomes.push(words[0] ?? "");
        if (isOver) break;
      }
      assert.ok(outcomes.length > 15);
      assert.match(outcomes.join(" "), isBroken ? /^(?:old )+new(?: new)*$/ : /^(?:old )+(?:new )*new$/);
    });
  }
});
