import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { PinResult } from "../../../../src/core/pins/choose.ts";
import { toPinnable } from "../../../../src/core/pins/pinnable.ts";
import { rewriteFiles } from "../../../../src/core/pins/rewrite.ts";
import type { Reading, SourceText } from "../../../../src/core/sources/mention.ts";
import { referenceSlot, standsAt } from "../../../../src/core/sources/slot.ts";
import { thrownBy } from "../../../support/codes.ts";
import { accepted, NEW, OLD, unsigned } from "../../../support/pins.ts";

/** An image a line. */
function read({ label, text }: SourceText): Reading {
  const mentions = [...text.matchAll(/\S+/g)].map(({ 0: image, index }, at) => {
    const slot = referenceSlot(image, standsAt(index));
    return { image, kind: "list" as const, place: { source: label, line: at + 1 }, ...(slot && { slot }) };
  });
  return { mentions, problems: [] };
}

function resultsOf(file: SourceText, ...changes: readonly Partial<PinResult>[]): readonly PinResult[] {
  return read(file).mentions.map((mention, at) => ({
    ...toPinnable(mention),
    state: "pinned",
    reasons: [],
    judged: accepted(NEW),
    ...changes[at],
  }));
}

const FILE = { label: "images.txt", text: `web:1\ndb:2@${OLD}\nnginx\n` };

describe("files that are rewritten", () => {
  it("get the digests of what is pinned or moved, and nothing where something else became of it", () => {
    const results = resultsOf(
      FILE,
      {},
      { state: "kept", judged: accepted(OLD) },
      { state: "refused", judged: unsigned(NEW) },
    );
    const { files, pins } = rewriteFiles([FILE], results, read);
    assert.deepEqual(files, [{ file: FILE, text: FILE.text.replace("web:1", `web:1@${NEW}`) }]);
    assert.deepEqual(
      pins.map(({ after }) => after.digest),
      [NEW, OLD, undefined],
    );
  });

  it("say what a mention is called afterwards: one without a tag by its digest alone", () => {
    const { pins } = rewriteFiles([FILE], resultsOf(FILE, {}, { state: "moved" }), read);
    assert.deepEqual(
      pins.map(({ after }) => [after.tag, after.digest]),
      [
        ["1", NEW],
        ["2", NEW],
        [undefined, NEW],
      ],
    );
  });

  it("are those only whose text changes", () => {
    const other = { label: "other.txt", text: "web:1" };
    const results = [...resultsOf(FILE), ...resultsOf(other, { state: "undetermined" })];
    assert.deepEqual(
      rewriteFiles([FILE, other], results, read).files.map(({ file }) => file.label),
      ["images.txt"],
    );
  });
});

const WRONG: Readonly<Record<string, (reading: Reading) => Reading>> = {
  "lose an image": ({ mentions, problems }) => ({ mentions: mentions.slice(1), problems }),
  "name another image": ({ mentions, problems }) => ({
    mentions: mentions.map((one) => ({ ...one, image: one.image.replace("db", "dc") })),
    problems,
  }),
  "have another tag": ({ mentions, problems }) => ({
    mentions: mentions.map((one) => ({ ...one, image: one.image.replace("web:1", "web:2") })),
    problems,
  }),
  "change a digest that was to stay": ({ mentions, problems }) => ({
    mentions: mentions.map((one) => ({ ...one, image: one.image.replace(OLD, NEW) })),
    problems,
  }),
  "get no digest": ({ mentions, problems }) => ({
    mentions: mentions.map((one) => ({ ...one, image: one.image.replace(`@${NEW}`, "") })),
    problems,
  }),
  "cannot be read any more": ({ mentions }) => ({
    mentions,
    problems: [{ place: { source: "images.txt" }, finding: { code: "source-invalid", message: "broken" } }],
  }),
};

describe("files that would say something else afterwards", () => {
  for (const [what, spoil] of Object.entries(WRONG)) {
    it(`are not written: they would ${what}`, () => {
      const results = resultsOf(FILE, {}, { state: "kept", judged: accepted(OLD) });
      const readSpoilt = (file: SourceText) => (file.text === FILE.text ? read(file) : spoil(read(file)));
      thrownBy(() => rewriteFiles([FILE], results, readSpoilt), "internal");
    });
  }
});
