import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Reading } from "../../../../src/core/sources/mention.ts";
import { readSource } from "../../../../src/core/sources/read.ts";
import { checkAgain } from "../../../support/source-golden.ts";
import { applySlots } from "../../../support/source-slots.ts";

/** A file as its project publishes it, and what stands in it: test/vectors/manifests/README.md. */
interface Published {
  readonly project: string;
  /** Below the project's folder, as in its module. */
  readonly path: string;
  readonly sha256: string;
  /** `LINE IMAGE`, in order. */
  readonly images: readonly string[];
  /** Lines. */
  readonly unpinnable: readonly number[];
  /** `LINE MESSAGE`, in order. */
  readonly problems: readonly string[];
}

const FOLDER = new URL("../../../vectors/manifests/", import.meta.url);
/** What is no project's folder. */
const OWN = ["README.md", "licences", "published.json"];
const MAX_SIZE = 60 * 1024;

const table = JSON.parse(readFileSync(new URL("published.json", FOLDER), "utf8")) as readonly Published[];

const nameOf = ({ project, path }: Published) => `${project}/${path}`;
const bytesOf = (published: Published) => readFileSync(new URL(nameOf(published), FOLDER));

function read(published: Published, text: string): Reading {
  return readSource({ label: nameOf(published), text }, { isNamed: true });
}

/** Every line without its digest; a member that is only a digest is left out. */
function withoutDigests(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => line.replace(/@?sha256:[0-9a-f]{64}/, ""));
  return lines.filter((line) => !/^\s*digest:\s*["']?["']?\s*$/.test(line));
}

describe("published manifests", () => {
  it("are those of at least twelve projects, all in the table and as they were published", () => {
    const projects = [...new Set(table.map(({ project }) => project))];
    assert.ok(projects.length >= 12);
    assert.deepEqual(readdirSync(FOLDER).toSorted(), [...OWN, ...projects].toSorted());
    for (const published of table) {
      const bytes = bytesOf(published);
      assert.ok(bytes.length <= MAX_SIZE, nameOf(published));
      assert.equal(createHash("sha256").update(bytes).digest("hex"), published.sha256, nameOf(published));
    }
  });

  for (const published of table) {
    const text = bytesOf(published).toString("utf8");
    const reading = read(published, text);

    it(`${nameOf(published)} names what it names, on its lines`, () => {
      assert.deepEqual(
        reading.mentions.map(({ place, image }) => `${place.line} ${image}`),
        published.images,
      );
      assert.deepEqual(
        reading.mentions.filter(({ slot }) => slot === undefined).map(({ place }) => place.line),
        published.unpinnable,
      );
    });

    it(`${nameOf(published)}: what cannot be read is told, and nothing else`, () => {
      assert.deepEqual(
        reading.problems.map(({ place, finding }) => `${place.line} ${finding.message}`),
        published.problems,
      );
    });

    it(`${nameOf(published)} is pinned without another change, and reads the same but for the digests`, () => {
      const pinned = applySlots(text, reading.mentions);
      assert.deepEqual(withoutDigests(pinned), withoutDigests(text));
      checkAgain(reading, read(published, pinned));
    });
  }
});
