import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit } from "../../../../src/core/audit/audit.ts";
import { auditCsv, CSV_COLUMNS } from "../../../../src/report/audit/csv.ts";
import { hiddenIn, imageOf, politeAudit, refusedOf, sampleAudit, useOf } from "../../../support/sample-audit.ts";

/** RFC 4180, strictly: CRLF, a quote only around a whole field and doubled in it. */
function parseCsv(text: string): readonly (readonly string[])[] {
  const FIELD = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/y;
  const rows: string[][] = [[]];
  for (let at = 0; at < text.length; at = FIELD.lastIndex) {
    FIELD.lastIndex = at;
    const match = FIELD.exec(text);
    if (match === null) throw new Error(`no CSV at ${at}: ${text.slice(at, at + 40)}`);
    const [, quoted, plain, end] = match;
    rows.at(-1)?.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === "\r\n") rows.push([]);
  }
  return rows.slice(0, -1);
}

type Row = Readonly<Record<(typeof CSV_COLUMNS)[number], string>>;

function rowsOf(audit: Audit): readonly Row[] {
  const [, ...rows] = parseCsv(auditCsv(audit));
  return rows.map((row) => Object.fromEntries(CSV_COLUMNS.map((column, at) => [column, row[at] ?? ""])) as Row);
}

function cellFor(text: string): string | undefined {
  return rowsOf(politeAudit({ images: [refusedOf("a.example/b:1", [{ code: "unsigned", message: text }])] }))[0]
    ?.message;
}

describe("the audit's CSV", () => {
  it("is by RFC 4180, whatever names and messages say: as many fields in each row, lines ended by CRLF", () => {
    const rows = parseCsv(auditCsv(sampleAudit()));
    assert.ok(rows.length > 100);
    assert.deepEqual([...new Set(rows.map((row) => row.length))], [CSV_COLUMNS.length]);
    assert.deepEqual(hiddenIn(auditCsv(sampleAudit())), []);
  });

  it("has no cell that a spreadsheet takes for a formula", () => {
    const cells = parseCsv(auditCsv(sampleAudit())).flat();
    assert.ok(cells.some((cell) => cell.startsWith("'=HYPERLINK")));
    assert.deepEqual(
      cells.filter((cell) => /^\s*[=+\-@|%\uff1d\uff0b\uff0d\uff20]/u.test(cell)),
      [],
    );
  });

  for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "|calc", "\uff1d1", "%0A=1"]) {
    it(`makes text of ${JSON.stringify(text)}`, () => assert.equal(cellFor(text), `'${text}`));
  }

  it("escapes a tab or a line break before a formula, and leaves other text as it is", () => {
    assert.equal(cellFor("\t=1"), "\\t=1");
    assert.equal(cellFor('say "a, b"'), 'say "a, b"');
    assert.equal(cellFor("a=b"), "a=b");
  });

  it("has a row for each image and use, and one for each place that could not be read", () => {
    const audit = politeAudit();
    const rows = rowsOf(audit);
    assert.equal(
      rows.filter(({ record }) => record === "image").length,
      audit.images.flatMap(({ uses }) => uses).length,
    );
    const problems = rows.filter(({ record }) => record === "problem");
    assert.deepEqual(
      problems.map(({ reasons, source, line, verdict }) => [reasons, source, line, verdict]),
      [
        ["source-invalid", "deploy/broken.yaml", "7", ""],
        ["denied", "cluster://staging", "", ""],
      ],
    );
  });

  it("has a row for an image that nothing uses, too", () => {
    const [row] = rowsOf(politeAudit({ images: [imageOf("a.example/b:1", { uses: [] })] }));
    assert.deepEqual([row?.image, row?.source, row?.owner], ["a.example/b:1", "", ""]);
  });

  it("says who signed and when, what is wanted, and whose it is", () => {
    const [row] = rowsOf(
      politeAudit({ images: [imageOf("a.example/b:1", { uses: [useOf("b:1", { owner: undefined })] })] }),
    );
    assert.equal(row?.signers, "release.yml of acme/app at refs/tags/v1 (GitHub Actions)");
    assert.equal(row?.signed_at, "2026-08-29T12:00:00Z");
    assert.equal(row?.rule, "policy.yaml:12 acme images come from their release workflow");
    assert.deepEqual(
      [row?.pinned, row?.drift, row?.written_as, row?.owner],
      ["false", "false", "b:1", "namespace shop"],
    );
  });

  it("names all reasons of an image, the nearest first", () => {
    assert.equal(rowsOf(politeAudit())[0]?.reasons, "wrong-identity unsigned");
  });
});
