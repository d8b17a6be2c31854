import assert from "node:assert/strict";
import { readdir, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { readPage, replay } from "../support/session.ts";

const here = fileURLToPath(new URL(".", import.meta.url));
const names = (await readdir(here)).filter((name) => name.endsWith(".txt")).toSorted();

for (const name of names) {
  const page = await readPage(`${here}${name}`);
  test(`the session ${name} prints what its page says`, async () => {
    const { expected, actual } = await replay(page);
    if (process.env["UPDATE_SESSIONS"] === "1" && actual !== expected) await writeFile(page.path, actual);
    else assert.equal(actual, expected);
  });
}

test("there are sessions to run", () => assert.ok(names.length > 0));
