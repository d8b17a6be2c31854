import { isObject, type JsonObject, type JsonValue } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import type { Instant } from "../../time.ts";
import { describeValue, isPresent } from "../members.ts";
import { describeTypes, isOfType, type PredicateType, resolveType } from "../predicates.ts";
import { readGrype } from "./grype.ts";
import { readVulnerabilityList } from "./intoto-vulns.ts";
import { readOsv } from "./osv.ts";
import { parsePurl } from "./purl.ts";
import type { Scan, ScannerReport } from "./scan.ts";
import { readTrivy } from "./trivy.ts";
import { invalid, listIn, objectIn, setTimeIfAny, textIfAny, timeIfAny, tooLong } from "./values.ts";

/** The types of statements that are scans. Another one is none, whatever is in it: its signer meant something else. */
export const SCAN_TYPES: readonly [PredicateType, ...PredicateType[]] = [
  ...resolveType("vuln"),
  ...resolveType("in-toto-vulns"),
];

/**
 * The scan in a verified statement: the record that cosign's or in-toto's type describes, with the result in any form that is
 * known, or that result alone: people attest both under either type.
 *
 * @throws CountersignError `scan-invalid` where anything that decides cannot be read; `limit-reached`.
 */
export function readScan(predicateType: string, statement: JsonObject): Scan {
  if (!SCAN_TYPES.some((type) => isOfType(predicateType, type))) {
    throw invalid("the statement is no scan", predicateType, describeTypes(SCAN_TYPES));
  }
  const predicate = objectIn(statement["predicate"], "the predicate");
  const scan = isPresent(predicate["scanner"]) ? readRecord(predicate) : readBare(predicate);
  if (scan.vulnerabilities.length > LIMITS.scanVulnerabilities) {
    throw tooLong("vulnerabilities", "the scan", scan.vulnerabilities.length, LIMITS.scanVulnerabilities);
  }
  return scan;
}

/** A scanner's own result as the predicate. */
function readBare(predicate: JsonObject): Scan {
  const report = readReport(predicate, "the predicate");
  if (report.finishedAt !== undefined) return { ...report, finishedAt: report.finishedAt };
  throw invalid("the scan does not say when it was made", "no time in the result", "a time");
}

/**
 * `scanner` and `metadata` (cosign, specs/COSIGN_VULN_ATTESTATION_SPEC.md; in-toto/attestation, spec/predicates). The names that
 * in-toto's protobuf has for the latter in version 0.1, `scanMetadata` and `database`, are read too.
 */
function readRecord(predicate: JsonObject): Scan {
  const scanner = objectIn(predicate["scanner"], `"scanner" of the predicate`);
  const report = readResult(scanner);
  const metadata = metadataOf(predicate);
  const told = metadata && timeIfAny(metadata, "scanFinishedOn", `"metadata" of the predicate`);
  const times = [told, report.finishedAt].filter((at) => at !== undefined);
  const [first] = times;
  if (first === undefined) throw invalid("the scan does not say when it was made", "no scanFinishedOn", "a time");
  return {
    ...report,
    scanner: { ...report.scanner, version: report.scanner.version ?? textIfAny(scanner, "version", `"scanner"`) },
    // An old result that is recorded anew is as old as before.
    finishedAt: times.reduce((a, b) => (b < a ? b : a), first),
    databaseAt: report.databaseAt ?? databaseTime(scanner["db"] ?? scanner["database"]),
  };
}

function metadataOf(predicate: JsonObject): JsonObject | undefined {
  const metadata = predicate["metadata"] ?? predicate["scanMetadata"];
  return isPresent(metadata) ? objectIn(metadata, `"metadata" of the predicate`) : undefined;
}

function databaseTime(db: JsonValue | undefined): Instant | undefined {
  return isObject(db) ? setTimeIfAny(db, "lastUpdate", `"db" of the scanner`) : undefined;
}

function readResult(scanner: JsonObject): ScannerReport {
  const result = scanner["result"];
  if (!isPresent(result)) throw invalid("the scan has no result", describeValue(result), "what the scanner found");
  if (Array.isArray(result))
    return listed(scanner, listIn(scanner, "result", "the scanner", LIMITS.scanVulnerabilities));
  const json = objectIn(result, "the result of the scan");
  const names = Object.keys(json);
  if (names.length === 1 && names[0] === "vulnerabilities") {
    return listed(scanner, listIn(json, "vulnerabilities", "the result", LIMITS.scanVulnerabilities));
  }
  return readReport(json, "the result of the scan");
}

function listed(scanner: JsonObject, list: readonly JsonValue[]): ScannerReport {
  const uri = textIfAny(scanner, "uri", `"scanner" of the predicate`) ?? "a scanner";
  return {
    scanner: { name: parsePurl(uri)?.name ?? uri },
    digests: [],
    vulnerabilities: readVulnerabilityList(list),
    notes: [],
  };
}

/** A form of result, by the member that no other has. */
interface Form {
  readonly member: string;
  readonly read: (json: JsonObject) => ScannerReport;
}

const FORMS: readonly Form[] = [
  { member: "SchemaVersion", read: readTrivy },
  { member: "matches", read: readGrype },
  { member: "results", read: readOsv },
  { member: "runs", read: () => refuse("SARIF", "its levels are no severities, and it need not name packages") },
  { member: "bomFormat", read: () => refuse("CycloneDX", "it does not say that it was looked for vulnerabilities") },
];

/** The only form that a result can be of: one that could be two is read as one thing here and as another elsewhere. */
function readReport(json: JsonObject, where: string): ScannerReport {
  const forms = FORMS.filter(({ member }) => Object.hasOwn(json, member));
  const [form] = forms;
  if (form !== undefined && forms.length === 1) return form.read(json);
  const names = Object.keys(json).slice(0, NAMES_SHOWN);
  const found = names.length === 0 ? "an empty object" : names.map((name) => JSON.stringify(name)).join(", ");
  throw invalid(`${where} is of no scanner's form that is known`, found, "the JSON of Trivy, Grype or OSV-Scanner");
}

const NAMES_SHOWN = 6;

function refuse(form: string, why: string): never {
  throw invalid(`the result is ${form}, which is not read`, why, "the JSON of Trivy, Grype or OSV-Scanner");
}
