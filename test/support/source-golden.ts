import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { it } from "node:test";
import { fileURLToPath } from "node:url";
import { type Mention, placeName, type Reading, type SourceText } from "../../src/core/sources/mention.ts";
import { applySlots, PINNED } from "./source-slots.ts";

const ROOT = fileURLToPath(new URL("../golden/sources/", import.meta.url));

/**
 * Every folder below `test/golden/sources/KIND` is a case: a source, what is found in it (`found.txt`), and the source with
 * every slot filled (`pinned.…`). UPDATE_GOLDEN=1 writes the last two.
 */
export function itReadsGoldenSources(kind: string, read: (file: SourceText) => Reading): void {
  for (const name of readdirSync(join(ROOT, kind))) {
    it(`reads ${kind}/${name} as it is written down there`, () => checkCase(join(ROOT, kind, name), read));
  }
}

function checkCase(folder: string, read: (file: SourceText) => Reading): void {
  const names = readdirSync(folder);
  const label = names.find((name) => name !== "found.txt" && !name.startsWith("pinned.")) ?? "";
  const text = readFileSync(join(folder, label), "utf8");
  const reading = read({ label, text });
  const pinned = applySlots(text, reading.mentions);
  compare(join(folder, "found.txt"), describeReading(reading));
  compare(join(folder, `pinned.${label.split(".").at(-1)}`), pinned);
  checkAgain(reading, read({ label, text: pinned }));
}

function compare(path: string, text: string): void {
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, text);
  assert.equal(text, readFileSync(path, "utf8"), path);
}

/** What is read of a pinned source: the same, with the digest wherever there is a slot. */
export function checkAgain(before: Reading, after: Reading): void {
  const expected = before.mentions.map((mention) => (mention.slot === undefined ? mention.image : pinnedName(mention)));
  assert.deepEqual(
    after.mentions.map(({ image }) => image),
    expected,
  );
  assert.deepEqual(
    after.problems.map(({ finding }) => finding.message),
    before.problems.map(({ finding }) => finding.message),
  );
}

function pinnedName({ image }: Mention): string {
  return `${image.split("@")[0]}@${PINNED}`;
}

function describeReading({ mentions, problems }: Reading): string {
  const found = mentions.map((mention) => `${placeName(mention.place)} ${mention.image}${describeMention(mention)}\n`);
  const wrong = problems.map(({ place, finding }) => {
    const particulars = [finding.found, finding.wanted].filter((part) => part !== undefined).join("; wanted ");
    return `${placeName(place)} ! ${finding.message}${particulars === "" ? "" : `: ${JSON.stringify(particulars)}`}\n`;
  });
  return [...found, ...(wrong.length > 0 ? ["\n"] : []), ...wrong].join("");
}

function describeMention({ workload, platform, fixed }: Mention): string {
  const parts = workload && [workload.namespace, workload.kind, workload.name, workload.container];
  const where = parts?.filter((part) => part !== undefined).join("/");
  return [
    where === undefined ? "" : ` in ${where}`,
    workload?.owner === undefined ? "" : ` of ${workload.owner}`,
    platform === undefined ? "" : ` for ${platform}`,
    fixed === undefined ? "" : `, fixed: ${fixed}`,
  ].join("");
}
