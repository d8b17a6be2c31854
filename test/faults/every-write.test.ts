import assert from "node:assert/strict";
import promises, { type FileHandle } from "node:fs/promises";
import { syncBuiltinESMExports } from "node:module";
import { after, before, describe, it } from "node:test";
import { Stage } from "../support/crown.ts";
import { temporaryFolder } from "../support/temp.ts";

/** What changes something on disk: functions of the module, and methods of an open file. */
const CALLS = ["mkdir", "rename", "link", "writeFile", "open"] as const;
const METHODS = ["write", "writev", "writeFile", "sync", "datasync", "truncate"] as const;

type AnyFunction = (...args: unknown[]) => unknown;

/** Counts every write of this process and lets the one with number `failAt` fail as a full disk or a broken one does. */
class Saboteur {
  count = 0;
  failAt = 0;
  code = "ENOSPC";
  readonly #undo: (() => void)[] = [];

  async install(): Promise<void> {
    const handle = await promises.open("/dev/null", "w");
    const prototype = Object.getPrototypeOf(handle) as FileHandle;
    await handle.close();
    for (const name of METHODS) this.#wrap(prototype, name, () => true);
    for (const name of CALLS) this.#wrap(promises, name, (args) => name !== "open" || isForWriting(args[1]));
    syncBuiltinESMExports();
  }

  remove(): void {
    for (const undo of this.#undo) undo();
    syncBuiltinESMExports();
  }

  /** From now on the `at`th write fails with this error. */
  arm(at: number, code: string): void {
    this.count = 0;
    this.failAt = at;
    this.code = code;
  }

  #wrap(owner: object, name: string, counts: (args: readonly unknown[]) => boolean): void {
    const original = Reflect.get(owner, name) as AnyFunction;
    const saboteur = this;
    Reflect.set(owner, name, function (this: unknown, ...args: unknown[]): unknown {
      if (counts(args) && ++saboteur.count === saboteur.failAt) {
        return Promise.reject(Object.assign(new Error(`${saboteur.code}: on purpose`), { code: saboteur.code }));
      }
      return Reflect.apply(original, this, args);
    });
    this.#undo.push(() => Reflect.set(owner, name, original));
  }
}

function isForWriting(flags: unknown): boolean {
  return typeof flags === "number" ? (flags & 3) !== 0 : typeof flags === "string" && flags !== "r";
}

describe("a pull, with every write failing, one at a time", () => {
  const saboteur = new Saboteur();
  const cleanups: (() => Promise<void>)[] = [];
  let stage: Stage;
  let good: ReadonlyMap<string, string>;
  let writes = 0;

  before(async () => {
    await saboteur.install();
    stage = await Stage.open(await temporaryFolder({ after: (work) => void cleanups.push(work) }));
    saboteur.arm(0, "");
    const ended = await stage.pull();
    assert.equal(ended.exitCode, 0, ended.stderr);
    writes = saboteur.count;
    good = await stage.content();
  });
  after(async () => {
    saboteur.remove();
    await stage.registry.close();
    for (const work of cleanups) await work();
  });

  it("counts the writes of a good pull", () => assert.ok(writes > 20, `${writes} writes`));

  for (const code of ["ENOSPC", "EACCES", "EIO"]) {
    it(`${code}: nothing unproven is to be seen, and the next pull works`, async () => {
      for (let at = 1; at <= writes; at++) {
        await stage.reset();
        const where = `${code} at write ${at} of ${writes}`;
        saboteur.arm(at, code);
        const ended = await stage.pull();
        saboteur.arm(0, "");
        await stage.assertNothingUnproven(ended, good, where);
        await stage.assertRecovers(good, where);
      }
    });
  }
});
