import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/**
 * Compares a set of texts with the files of a folder: the same names, the same contents. UPDATE_GOLDEN=1 writes them.
 *
 * @param folder relative to the project.
 */
export function assertGolden(folder: string, texts: ReadonlyMap<string, string>): void {
  const path = join(ROOT, folder);
  mkdirSync(path, { recursive: true });
  if (process.env["UPDATE_GOLDEN"] === "1") writeAll(path, texts);
  assert.deepEqual(readdirSync(path).toSorted(), [...texts.keys()].toSorted(), `the files of ${folder}`);
  for (const [name, text] of texts) assert.equal(text, readFileSync(join(path, name), "utf8"), `${folder}/${name}`);
}

function writeAll(path: string, texts: ReadonlyMap<string, string>): void {
  for (const name of readdirSync(path)) if (!texts.has(name)) rmSync(join(path, name));
  for (const [name, text] of texts) writeFileSync(join(path, name), text);
}
