import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { readSource } from "../../src/core/sources/read.ts";
import { checkAgain } from "../support/source-golden.ts";
import { applySlots } from "../support/source-slots.ts";

/** A manifest as its project publishes it, and what stands in it. */
interface Published {
  /** On GitHub. */
  readonly repository: string;
  readonly commit: string;
  readonly path: string;
  readonly licence: string;
  readonly sha256: string;
  readonly mentions: number;
  readonly problems: number;
  /** Different images, as they are written. */
  readonly images: readonly string[];
}

/** A folder with the files, as `OWNER+NAME/PATH`: test/vectors/manifests/README.md says how it is made. */
const FOLDER =
  process.env["COUNTERSIGN_MANIFESTS"] ?? fileURLToPath(new URL("../../.cache/manifests", import.meta.url));
const TABLE = new URL("../vectors/manifests/published.json", import.meta.url);

const table = JSON.parse(readFileSync(TABLE, "utf8")) as readonly Published[];

function fileOf({ repository, path }: Published): string {
  return join(FOLDER, repository.replace("/", "+"), path);
}

describe("published manifests", () => {
  it("are those of at least ten projects", () => {
    assert.ok(new Set(table.map(({ repository }) => repository)).size >= 10);
  });

  for (const published of table) {
    const file = fileOf(published);
    const skip = existsSync(file) ? false : `not there: ${published.repository}`;
    it(`${published.repository}: ${published.path} names what it names`, { skip }, () => check(published, file));
  }
});

function check(published: Published, file: string): void {
  const text = readFileSync(file, "utf8");
  assert.equal(createHash("sha256").update(text).digest("hex"), published.sha256, "another version of the file");
  const read = (changed: string) => readSource({ label: published.path, text: changed }, { isNamed: true });
  const reading = read(text);
  assert.deepEqual([...new Set(reading.mentions.map(({ image }) => image))].toSorted(), published.images);
  assert.equal(reading.mentions.length, published.mentions);
  assert.equal(reading.problems.length, published.problems);
  assert.ok(reading.mentions.every(({ slot }) => slot !== undefined));
  checkAgain(reading, read(applySlots(text, reading.mentions)));
}
