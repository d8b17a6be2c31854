import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { formatFacts } from "../../../../src/core/audit/facts.ts";
import {
  formatJournalHeader,
  type JournalHeader,
  parseJournalHeader,
  readJournalRecords,
  requireJournalOf,
} from "../../../../src/core/audit/journal.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { digestFor, imageOf, undeterminedOf } from "../../../support/sample-audit.ts";

const AT = instant(Date.UTC(2026, 0, 1));
const HEADER: JournalHeader = {
  items: digestFor("items"),
  standard: digestFor("standard"),
  at: AT,
  begun: instant(AT + 1234),
};

function later(milliseconds: number): JournalHeader {
  return { ...HEADER, begun: instant(HEADER.begun + milliseconds) };
}

describe("the header of an audit's journal", () => {
  const line = formatJournalHeader(HEADER);

  it("is one line, read back as it was", () => {
    assert.doesNotMatch(line, /\n/);
    assert.deepEqual(parseJournalHeader(line, "j"), HEADER);
  });

  for (const [what, from, to] of [
    ["a newer version", '"version":1', '"version":2'],
    ["no version", '"version":1,', ""],
    ["another kind", "countersign audit", "countersign pin"],
    ["an unknown member", "{", '{"more":1,'],
    ["no time", /"at":"[^"]*",/, ""],
    ["a digest that is none", HEADER.items, "sha256:12"],
  ] as const) {
    it(`is not taken with ${what}`, () => {
      assert.notEqual(line.replace(from, to), line);
      assert.match(thrownBy(() => parseJournalHeader(line.replace(from, to), "j"), "record-invalid").message, /^j: /);
    });
  }

  it("is that of the same images, the same standard and the same time", () => {
    requireJournalOf(HEADER, later(0), "j");
    for (const [wanted, why] of [
      [{ ...HEADER, items: digestFor("other") }, /of other images/],
      [{ ...HEADER, standard: digestFor("other") }, /by another standard/],
      [{ ...HEADER, at: instant(AT + 1) }, /of another time/],
    ] as const) {
      assert.match(thrownBy(() => requireJournalOf(HEADER, wanted, "j"), "record-invalid").message, why);
    }
  });

  it("is gone on with for a day: what was accepted last week says nothing of today", () => {
    requireJournalOf(HEADER, later(LIMITS.journalAgeMs), "j");
    assert.match(
      thrownBy(() => requireJournalOf(HEADER, later(LIMITS.journalAgeMs + 1), "j"), "record-invalid").message,
      /too old/,
    );
    thrownBy(() => requireJournalOf(HEADER, later(-1), "j"), "record-invalid");
  });
});

describe("the records of an audit's journal", () => {
  const { pinned: _, drift: __, uses: ___, ...facts } = imageOf("registry.example/app:1");

  it("are what was found out, by image", () => {
    const known = readJournalRecords([formatFacts(facts)], "j");
    assert.deepEqual([...known.keys()], ["registry.example/app:1"]);
    assert.equal(formatFacts(known.get("registry.example/app:1") ?? facts), formatFacts(facts));
  });

  it("hold nothing that was not determined, and nothing that is no result", () => {
    const finding = { code: "throttled", message: "429" } as const;
    const { pinned: _p, drift: _d, uses: _u, ...open } = undeterminedOf("registry.example/app:2", [finding]);
    assert.match(
      thrownBy(() => readJournalRecords([formatFacts(open)], "j"), "record-invalid").message,
      /not determined/,
    );
    for (const record of ["", "{}", "null", `${formatFacts(facts)} `.replace("accepted", "fine")]) {
      thrownBy(() => readJournalRecords([record], "j"), "record-invalid");
    }
  });
});
