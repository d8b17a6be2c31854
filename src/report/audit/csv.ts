import type { Audit, AuditedImage, Use } from "../../core/audit/audit.ts";
import { describeOwner, ownerOf } from "../../core/audit/breaks.ts";
import { nextStep } from "../../core/explain.ts";
import { printable } from "../../core/printable.ts";
import type { SourceProblem } from "../../core/sources/mention.ts";
import { formatInstant, type Instant } from "../../core/time.ts";
import { newestSignature, signerName } from "./view.ts";

/** The columns, in their order: docs/reports.md says what they hold. New ones are added at the end. */
export const CSV_COLUMNS = [
  ...(["record", "image", "digest", "verdict", "reasons", "message", "found", "wanted", "place", "next"] as const),
  ...(["signers", "signed_at", "pinned", "drift", "tag_digest", "scanned_at", "rule"] as const),
  ...(["source", "line", "column", "kind", "written_as"] as const),
  ...(["workload_kind", "namespace", "workload", "container", "owner"] as const),
] as const;

type Cells = Readonly<Partial<Record<(typeof CSV_COLUMNS)[number], string | number | boolean | undefined>>>;

/** RFC 4180: a row for each image and each of its uses, then one for each place that could not be read. */
export function auditCsv(audit: Audit): string {
  const rows = [...audit.images.flatMap(imageRows), ...audit.problems.map(problemRow)];
  return [CSV_COLUMNS.join(","), ...rows.map(formatRow)].map((row) => `${row}\r\n`).join("");
}

/** An image that nothing uses has a row without a place. */
function imageRows(image: AuditedImage): readonly Cells[] {
  const cells = imageCells(image);
  return image.uses.length === 0 ? [cells] : image.uses.map((use) => ({ ...cells, ...useCells(use) }));
}

function imageCells(image: AuditedImage): Cells {
  const [first] = image.reasons;
  const { rule } = image;
  return {
    record: "image",
    image: image.image,
    digest: image.digest,
    verdict: image.verdict,
    reasons: image.reasons.map(({ code }) => code).join(" "),
    message: first?.message,
    found: first?.found,
    wanted: first?.wanted,
    place: first?.place,
    next: first === undefined ? undefined : nextStep(first),
    signers: image.signers.map(signerName).join("; "),
    signed_at: timeCell(newestSignature(image.signers)),
    pinned: image.pinned,
    drift: image.drift,
    tag_digest: image.tagDigest,
    scanned_at: timeCell(image.scannedAt),
    rule: rule === undefined ? undefined : rule.name === undefined ? rule.place : `${rule.place} ${rule.name}`,
  };
}

function useCells(use: Use): Cells {
  const { place, workload } = use;
  return {
    source: place.source,
    line: place.line,
    column: place.column,
    kind: use.kind,
    written_as: use.as,
    workload_kind: workload?.kind,
    namespace: workload?.namespace,
    workload: workload?.name,
    container: workload?.container,
    owner: describeOwner(ownerOf(use)),
  };
}

function problemRow({ place, finding }: SourceProblem): Cells {
  const { code, message, found, wanted } = finding;
  const { source, line, column } = place;
  return { record: "problem", reasons: code, message, found, wanted, next: nextStep(finding), source, line, column };
}

function timeCell(at: Instant | undefined): string | undefined {
  return at === undefined ? undefined : formatInstant(at);
}

function formatRow(cells: Cells): string {
  return CSV_COLUMNS.map((column) => formatCell(String(cells[column] ?? ""))).join(",");
}

/**
 * What a spreadsheet would take for a formula begins with one of these, their full-width forms included; behind an
 * apostrophe it is text. The characters that it skips to get there (tabs, line breaks) are escaped already.
 */
const FORMULA = /^\s*[=+\-@\uff1d\uff0b\uff0d\uff20|%]/u;

function formatCell(text: string): string {
  const safe = printable(text);
  const inert = FORMULA.test(safe) ? `'${safe}` : safe;
  return /[",\r\n;]|^'|^\s|\s$/.test(inert) ? `"${inert.replaceAll('"', '""')}"` : inert;
}
