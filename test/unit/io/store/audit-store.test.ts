import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, open, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Audit } from "../../../../src/core/audit/audit.ts";
import { AuditStore } from "../../../../src/io/store/audit-store.ts";
import { STORE_VERSION } from "../../../../src/io/store/schema.ts";
import { asStoreError, loadSqlite } from "../../../../src/io/store/sqlite.ts";
import { auditDocument } from "../../../../src/report/audit/json.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { politeAudit, sampleAudit } from "../../../support/sample-audit.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { laterAudit } from "./later-audit.ts";

const execute = promisify(execFile);
const KEEPER = fileURLToPath(new URL("keeper.ts", import.meta.url));

type Scope = Parameters<typeof temporaryFolder>[0];

async function newPath(t: Scope): Promise<string> {
  return join(await temporaryFolder(t), "audits.db");
}

async function keep(path: string, ...audits: readonly Audit[]): Promise<readonly boolean[]> {
  const store = await AuditStore.open(path, "audits.db", "create");
  try {
    return audits.map((audit) => store.keep(audit, auditDocument(audit)));
  } finally {
    store.close();
  }
}

async function ask<Answer>(path: string, question: (store: AuditStore) => Answer): Promise<Answer> {
  const store = await AuditStore.open(path, "audits.db", "existing");
  try {
    return question(store);
  } finally {
    store.close();
  }
}

/** The one number of a question. */
function numberOf(store: AuditStore, sql: string): number {
  return Number(Object.values(store.select(sql)[0] ?? {})[0]);
}

/** By hand, as somebody with another program would. */
function withDatabase(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
}

describe("a store of audits", () => {
  it("gives back what was kept, whatever stands in it", async (t) => {
    const path = await newPath(t);
    await keep(path, sampleAudit());
    const back = await ask(path, (store) => store.latestRuns().map((run) => store.read(run)));
    assert.deepEqual(back.map(auditDocument), [auditDocument(sampleAudit())]);
  });

  it("keeps the same audit once, however often it is kept", async (t) => {
    const path = await newPath(t);
    assert.deepEqual(await keep(path, politeAudit(), politeAudit()), [true, false]);
    assert.deepEqual(await keep(path, politeAudit()), [false]);
    assert.equal(await ask(path, (store) => numberOf(store, "SELECT count(*) FROM runs")), 1);
  });

  it("has a row for everything in an audit", async (t) => {
    const path = await newPath(t);
    const audit = sampleAudit();
    await keep(path, audit);
    const sum = (of: (image: Audit["images"][number]) => number) => audit.images.reduce((all, one) => all + of(one), 0);
    await ask(path, (store) => {
      assert.equal(numberOf(store, "SELECT count(*) FROM images"), audit.images.length);
      assert.equal(
        numberOf(store, "SELECT count(*) FROM signers"),
        sum(({ signers }) => signers.length),
      );
      assert.equal(
        numberOf(store, "SELECT count(*) FROM uses"),
        sum(({ uses }) => uses.length),
      );
      assert.equal(
        numberOf(store, "SELECT count(*) FROM reasons"),
        sum(({ reasons, warnings }) => reasons.length + warnings.length),
      );
      assert.equal(numberOf(store, "SELECT count(*) FROM problems"), audit.problems.length);
    });
  });

  it("tells the last run of each set of sources, and the history of one", async (t) => {
    const path = await newPath(t);
    const other = { ...laterAudit(1, 2), sources: ["elsewhere"] };
    await keep(path, laterAudit(3, 2), laterAudit(0, 2), other);
    await ask(path, (store) => {
      const [newest, second, ...others] = store.latestRuns();
      assert.ok(newest !== undefined && second !== undefined && others.length === 0);
      assert.equal(store.read(newest).at, laterAudit(3, 2).at);
      assert.deepEqual(store.read(second).sources, ["elsewhere"]);
      assert.deepEqual(
        store.runsOf(newest.scope).map((run) => store.read(run).at),
        [laterAudit(3, 2).at, laterAudit(0, 2).at],
      );
    });
  });

  it("takes audits from several processes at once, each whole and each once", async (t) => {
    const path = await newPath(t);
    const keeping = [0, 10, 5].map((first) => execute(process.execPath, [KEEPER, path, String(first), "10", "20"]));
    await Promise.all(keeping);
    await ask(path, (store) => {
      assert.equal(numberOf(store, "SELECT count(*) FROM runs"), 20);
      assert.equal(numberOf(store, "SELECT count(*) FROM images"), 20 * 20);
    });
  });

  it("is whole after a kill at any moment of keeping, and goes on", async (t) => {
    const path = await newPath(t);
    for (const delay of [0, 5, 20, 60, 120]) {
      const child = spawn(process.execPath, [KEEPER, path, String(delay), "4", "3000"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      await once(child.stdout, "data");
      await new Promise((resolve) => setTimeout(resolve, delay));
      child.kill("SIGKILL");
      await once(child, "exit");
      await checkWhole(path);
    }
    assert.deepEqual(await keep(path, laterAudit(1000, 3)), [true]);
    await checkWhole(path);
  });

  it("leaves no file beside it, and is no more readable for others than files are", async (t) => {
    const path = await newPath(t);
    await keep(path, politeAudit());
    assert.deepEqual(await readdir(join(path, "..")), ["audits.db"]);
    assert.equal((await stat(path)).mode & 0o133, 0);
  });

  it("can be asked where it may not be written", async (t) => {
    const path = await newPath(t);
    await keep(path, politeAudit());
    await chmod(path, 0o444);
    assert.equal(await ask(path, (store) => store.latestRuns().length), 1);
  });

  it("is loaded without Node's warning, and leaves other warnings alone", async () => {
    const { emitWarning } = process;
    const said: unknown[] = [];
    process.emitWarning = (warning: string | Error) => void said.push(warning);
    try {
      const loading = loadSqlite();
      process.emitWarning("SQLite is an experimental feature and might change at any time", "ExperimentalWarning");
      process.emitWarning("something else", "ExperimentalWarning");
      await loading;
      process.emitWarning("later");
    } finally {
      process.emitWarning = emitWarning;
    }
    assert.deepEqual(said, ["something else", "later"]);
  });
});

/** Each run has all of its rows, and its document. */
async function checkWhole(path: string): Promise<void> {
  await ask(path, (store) => {
    assert.deepEqual(
      store.select("PRAGMA integrity_check").map((row) => row["integrity_check"]),
      ["ok"],
    );
    assert.deepEqual(store.select("PRAGMA foreign_key_check"), []);
    const torn = "SELECT count(*) FROM runs AS r WHERE images <> (SELECT count(*) FROM images WHERE run = r.id)";
    assert.equal(numberOf(store, torn), 0);
    for (const run of store.latestRuns().slice(0, 1)) assert.ok(store.read(run).images.length > 0);
  });
}

describe("what is no store", () => {
  const opening = (path: string, mode: "create" | "existing") => AuditStore.open(path, "audits.db", mode);
  const refusedBoth = async (path: string, message: RegExp) => {
    for (const mode of ["create", "existing"] as const) {
      const error = await rejectedBy(() => opening(path, mode), "record-invalid");
      assert.match(`${error.message}: ${error.found}`, message);
    }
  };

  it("is not there: it is made to keep something in, and never to be asked", async (t) => {
    const path = await newPath(t);
    const error = await rejectedBy(() => opening(path, "existing"), "record-invalid");
    assert.match(error.message, /no such store/);
    assert.deepEqual(await readdir(join(path, "..")), []);
  });

  it("is of a newer version: it is refused and not touched", async (t) => {
    const path = await newPath(t);
    await keep(path, politeAudit());
    withDatabase(path, `PRAGMA user_version = ${STORE_VERSION + 1}`);
    const before = await readFile(path);
    await refusedBoth(path, /of another version: version 2/);
    assert.deepEqual(await readFile(path), before);
  });

  it("is another program's database: no tables are added to it", async (t) => {
    const path = await newPath(t);
    withDatabase(path, "CREATE TABLE theirs (a); PRAGMA user_version = 1");
    const before = await readFile(path);
    await refusedBoth(path, /no store of countersign: a database of another program/);
    assert.deepEqual(await readFile(path), before);
    withDatabase(path, "PRAGMA application_id = 7; PRAGMA user_version = 0");
    await refusedBoth(path, /another program/);
  });

  it("is no database at all", async (t) => {
    const path = await newPath(t);
    await writeFile(path, "runs\n".repeat(1000));
    await refusedBoth(path, /no store of countersign: a file that is no database/);
    await writeFile(path, auditDocument(politeAudit()));
    await refusedBoth(path, /no database/);
  });

  it("is a folder, or a pipe that nobody writes to", async (t) => {
    const path = await newPath(t);
    await mkdir(path);
    await refusedBoth(path, /a folder/);
    await rm(path, { recursive: true });
    await execute("mkfifo", [path]);
    await refusedBoth(path, /no file/);
  });

  it("is an empty file only until something is kept in it", async (t) => {
    const path = await newPath(t);
    await writeFile(path, "");
    assert.deepEqual(await keep(path, politeAudit()), [true]);
    await checkWhole(path);
  });

  it("is empty where nothing was kept yet: there is nothing to ask", async (t) => {
    const path = await newPath(t);
    await writeFile(path, "");
    const error = await rejectedBy(() => opening(path, "existing"), "record-invalid");
    assert.match(`${error.message}: ${error.found}`, /nothing was kept/);
  });

  it("is damaged: cut off, or overwritten in the middle", async (t) => {
    const path = await newPath(t);
    await keep(path, laterAudit(0, 300));
    const { size } = await stat(path);
    const copy = `${path}.copy`;
    for (const length of [512, 4096, 8192, size - 4096]) {
      await copyFile(path, copy);
      await truncate(copy, length);
      await refusedWhenAsked(copy);
    }
    await copyFile(path, copy);
    const handle = await open(copy, "r+");
    await handle.write(Buffer.alloc(size - 4096, 0x5a), 0, size - 4096, 4096);
    await handle.close();
    await refusedWhenAsked(copy);
  });

  it("holds a document that is not the one that was kept", async (t) => {
    const path = await newPath(t);
    await keep(path, politeAudit());
    const readAll = (store: AuditStore) => store.latestRuns().map((run) => store.read(run));
    for (const sql of [
      "UPDATE runs SET document = x'1f8b'",
      "UPDATE runs SET document = zeroblob(100)",
      `UPDATE runs SET digest = 'sha256:${"0".repeat(64)}'`,
    ]) {
      withDatabase(path, sql);
      await ask(path, (store) => thrownBy(() => readAll(store), "record-invalid"));
    }
  });

  it("takes no shard: it is no audit of the whole", async (t) => {
    const path = await newPath(t);
    const store = await opening(path, "create");
    const shard = { ...politeAudit(), shard: { index: 1, count: 2 } };
    assert.match(thrownBy(() => store.keep(shard, auditDocument(shard)), "record-invalid").next, /audit merge/);
    assert.equal(numberOf(store, "SELECT count(*) FROM runs"), 0);
    store.close();
  });

  it("is kept locked by somebody else: said as such, and no defect", async (t) => {
    const path = await newPath(t);
    await keep(path, politeAudit());
    const holder = new DatabaseSync(path);
    holder.exec("BEGIN EXCLUSIVE");
    const other = new DatabaseSync(path);
    const error = thrownBy(() => {
      try {
        other.exec("BEGIN IMMEDIATE");
      } catch (thrown) {
        throw asStoreError(thrown, "audits.db");
      }
    }, "disk-error");
    assert.match(error.message, /locked/);
    other.close();
    holder.close();
  });

  it("is in a folder that is not there: a matter of the disk", async (t) => {
    const path = join(await temporaryFolder(t), "missing", "audits.db");
    await rejectedBy(() => opening(path, "create"), "disk-error");
  });
});

/** Sooner or later, but never with an answer that is made of half of it. */
async function refusedWhenAsked(path: string): Promise<void> {
  await rejectedBy(
    () =>
      ask(path, (store) => [store.select("SELECT * FROM images"), store.latestRuns().map((run) => store.read(run))]),
    "record-invalid",
  );
}
