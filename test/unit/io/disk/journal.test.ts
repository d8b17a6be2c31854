import assert from "node:assert/strict";
import { readFile, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { Journal } from "../../../../src/io/disk/journal.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { temporaryFolder } from "../../../support/temp.ts";

async function place(scope: TestContext): Promise<string> {
  return join(await temporaryFolder(scope), "audit.journal");
}

async function written(path: string, ...records: readonly string[]): Promise<void> {
  const journal = await Journal.open(path);
  await journal.begin("header");
  for (const record of records) await journal.append(record);
  await journal.close();
}

async function left(path: string): Promise<readonly string[] | undefined> {
  const journal = await Journal.open(path);
  await journal.close();
  return journal.left?.records;
}

describe("a journal", () => {
  it("holds what was appended, in order, after the process is gone", async (scope) => {
    const path = await place(scope);
    await written(path, "one", "two, \u2028 with \\n and ü");
    const journal = await Journal.open(path);
    assert.deepEqual(journal.left, { header: "header", records: ["one", "two, \u2028 with \\n and ü"] });
    await journal.close();
  });

  it("is gone on with: what was there stays, what comes is behind it", async (scope) => {
    const path = await place(scope);
    await written(path, "one");
    await written(path, "two");
    assert.deepEqual(await left(path), ["one", "two"]);
  });

  it("takes many at once, and every one is there when it says so", async (scope) => {
    const path = await place(scope);
    const journal = await Journal.open(path);
    await journal.begin("header");
    const records = Array.from({ length: 500 }, (_, at) => `record ${at}`);
    await Promise.all(records.map((record) => journal.append(record)));
    const lines = (await readFile(path, "utf8")).split("\n");
    assert.deepEqual(
      lines.slice(1, -1).map((line) => line.slice(17)),
      records,
    );
    await journal.close();
  });

  it("drops a last line that was not written to its end, wherever it was cut", async (scope) => {
    const path = await place(scope);
    await written(path, "one", "two");
    const whole = await readFile(path);
    const end = whole.lastIndexOf("\n", whole.byteLength - 2) + 1;
    for (let length = end; length < whole.byteLength; length++) {
      await writeFile(path, whole.subarray(0, length));
      assert.deepEqual(await left(path), ["one"], `${length} bytes`);
    }
    await written(path, "three");
    assert.deepEqual(await left(path), ["one", "three"]);
  });

  it("is not taken where a bit of it was flipped", async (scope) => {
    const path = await place(scope);
    await written(path, "one", "two");
    const whole = await readFile(path);
    for (let at = 0; at < whole.byteLength - 1; at++) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      await writeFile(path, bytes);
      await rejectedBy(() => Journal.open(path), "record-invalid");
    }
  });

  it("is not another file, and leaves that as it was", async (scope) => {
    const path = await place(scope);
    for (const text of ["nginx:1.27\nredis:7\n", "nginx", "{}\n", "\n", "0123456789abcdef header\n"]) {
      await writeFile(path, text);
      await rejectedBy(() => Journal.open(path), "record-invalid");
      assert.equal(await readFile(path, "utf8"), text);
    }
  });

  it("may be an empty file, as mktemp makes one", async (scope) => {
    const path = await place(scope);
    await writeFile(path, "");
    assert.equal(await left(path), undefined);
    await written(path, "one");
    assert.deepEqual(await left(path), ["one"]);
  });

  it("is not behind a link, and not larger than is read", async (scope) => {
    const path = await place(scope);
    await symlink("elsewhere", path);
    await rejectedBy(() => Journal.open(path), "record-invalid");
    const large = `${path}.large`;
    await writeFile(large, "");
    await truncate(large, LIMITS.journalBytes + 1);
    await rejectedBy(() => Journal.open(large), "limit-reached");
  });

  it("is had by one at a time, and by the next when that is done or failed to open", async (scope) => {
    const path = await place(scope);
    const first = await Journal.open(path);
    await rejectedBy(() => Journal.open(path), "write-conflict");
    await first.close();
    await writeFile(path, "something else\n");
    await rejectedBy(() => Journal.open(path), "record-invalid");
    await writeFile(path, "");
    await (await Journal.open(path)).close();
  });

  it("goes when all is done", async (scope) => {
    const path = await place(scope);
    const journal = await Journal.open(path);
    await journal.begin("header");
    await journal.append("one");
    await journal.remove();
    await journal.close();
    assert.equal(await left(path), undefined);
    await rejectedBy(async () => Journal.open(join(path, "in", "no", "folder")), "disk-error");
  });
});
