import { describeType } from "../core/formats/predicates.ts";
import type { Vulnerability } from "../core/formats/scans/scan.ts";
import { type Rating, rankOf, SEVERITIES } from "../core/formats/scans/severity.ts";
import { printable } from "../core/printable.ts";
import type { ImageScan, ScannedImage } from "../core/results.ts";
import { formatInstant } from "../core/time.ts";
import { attestationMember } from "./attest.ts";
import { findingMember, formatDocument } from "./json.ts";
import { outcomeRows } from "./sign.ts";
import { PLAIN, type Style } from "./style.ts";
import { failureRows, formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

/** Vulnerabilities that are listed one by one; all of them are in the JSON. */
const SHOWN = 50;

/** Worst first: what nobody has rated counts as critical. */
const RATINGS: readonly Rating[] = [
  "critical",
  "unknown",
  ...SEVERITIES.filter((one) => one !== "critical").toReversed(),
];

/** What was found, the worst first. `finish` is the command that adds log entries later, but for the image. */
export function scannedText(images: readonly ScannedImage[], style: Style = PLAIN, finish = ""): string {
  return images.map((image) => imageText(image, style, finish)).join("\n");
}

function imageText(image: ScannedImage, style: Style, finish: string): string {
  const { finding, platform, index, scan } = image;
  const paint = finding === undefined ? style.accepted : style.refused;
  const code = finding === undefined ? "" : `   ${style.heading(finding.code)}`;
  const rows: readonly Row[] = [
    ...(platform === undefined || index === undefined ? [] : [["platform", `${platform} of index ${index}`] as const]),
    ...(scan === undefined ? [] : scanRows(scan)),
    ...attestationRows(image, finish),
    ...failureRows(finding),
  ];
  return formatBlock(`${paint(stateOf(image).padEnd(HEADING_WIDTH))}${printable(image.name)}${code}`, rows, style);
}

/** `scanned` whatever was found; an index is not scanned, and what is said of it is attested. */
function stateOf({ scan, attestation }: ScannedImage): "scanned" | "attested" | "failed" {
  if (scan !== undefined) return "scanned";
  return attestation === undefined || attestation.finding !== undefined ? "failed" : "attested";
}

function scanRows({ record, scan }: ImageScan): readonly Row[] {
  const { version, lastUpdate } = record.database ?? {};
  const database = [version, lastUpdate === undefined ? undefined : `of ${lastUpdate}`].filter(
    (part) => part !== undefined,
  );
  const worstFirst = scan.vulnerabilities.toSorted((a, b) => rankOf(b.severity) - rankOf(a.severity));
  const more = worstFirst.length - SHOWN;
  return [
    ["scanner", `${scan.scanner.name} ${record.version}`],
    ...(database.length === 0 ? [] : [["database", database.join(" ")] as const]),
    ["found", summaryOf(scan.vulnerabilities)],
    ...worstFirst.slice(0, SHOWN).map((one): Row => [one.severity, vulnerabilityText(one)]),
    ...(more > 0 ? [["and", `${more} more, all of them with -o json`] as const] : []),
    ...scan.notes.map((note): Row => ["note", note]),
  ];
}

/** `3 vulnerabilities: 1 critical, 2 low; 1 of them can be fixed`. */
function summaryOf(vulnerabilities: readonly Vulnerability[]): string {
  if (vulnerabilities.length === 0) return "no vulnerabilities";
  const counts = RATINGS.flatMap((rating) => {
    const count = vulnerabilities.filter(({ severity }) => severity === rating).length;
    return count === 0 ? [] : [`${count} ${rating}`];
  });
  const fixable = vulnerabilities.filter((one) => one.fixable === true).length;
  const [all, mended] = [counts.join(", "), fixable === 0 ? "none is known to be fixed" : `${fixable} can be fixed`];
  return `${vulnerabilities.length} ${vulnerabilities.length === 1 ? "vulnerability" : "vulnerabilities"}: ${all}; ${mended}`;
}

function vulnerabilityText({ id, aliases, package: found, fixedIn, fixable }: Vulnerability): string {
  const names = [id, ...aliases.filter((alias) => /^CVE-/i.test(alias))].join(" ");
  const where =
    found === undefined ? "" : ` in ${[found.name, found.version].filter((part) => part !== undefined).join(" ")}`;
  const fixed = fixedIn.length > 0 ? `, fixed in ${fixedIn.join(" or ")}` : fixable === true ? ", fixed" : "";
  return `${names}${where}${fixed}`;
}

function attestationRows({ name, digest, attestation }: ScannedImage, finish: string): readonly Row[] {
  if (attestation === undefined) return [];
  const { predicateType, outcomes } = attestation;
  const wording = { already: "attested the same already", finish };
  return [["attested", describeType(predicateType)], ...outcomeRows({ name, digest, outcomes }, wording)];
}

/** docs/schemas/scan.json. */
export function scannedDocument(images: readonly ScannedImage[]): string {
  return formatDocument("scan", { images: images.map(imageMember) });
}

function imageMember(image: ScannedImage): Readonly<Record<string, unknown>> {
  const { scan, attestation, finding } = image;
  return {
    image: image.image,
    name: image.name,
    digest: image.digest ?? null,
    platform: image.platform,
    index: image.index,
    state: stateOf(image),
    scan: scan === undefined ? undefined : scanMember(scan),
    attestation:
      attestation === undefined
        ? undefined
        : { predicateType: attestation.predicateType, attestations: attestation.outcomes.map(attestationMember) },
    finding: finding === undefined ? undefined : findingMember(finding),
  };
}

function scanMember({ record, scan }: ImageScan): Readonly<Record<string, unknown>> {
  const { uri, version, database, parameters, startedAt, finishedAt } = record;
  return {
    scanner: { name: scan.scanner.name, version, uri, database: database ?? null, parameters },
    startedAt: formatInstant(startedAt),
    finishedAt: formatInstant(finishedAt),
    vulnerabilities: scan.vulnerabilities,
    notes: scan.notes,
  };
}
