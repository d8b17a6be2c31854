import { isObject, type JsonObject, type JsonValue } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import { ratingOfVector } from "./cvss.ts";
import { osvPurl } from "./osv-purl.ts";
import { aliasesOf, type ScannerReport, type Vulnerability, type VulnerablePackage } from "./scan.ts";
import { type Rating, ratingOfScore, ratingOfWord, worstRating } from "./severity.ts";
import {
  exactObjectIn,
  invalid,
  listIfAny,
  listIn,
  objectIn,
  textIfAny,
  textIn,
  textsIfAny,
  tooLong,
} from "./values.ts";

const REPORT = "the result of OSV-Scanner";
const SOURCE_MEMBERS: ReadonlySet<string> = new Set(["packages"]);
const PACKAGE_MEMBERS: ReadonlySet<string> = new Set(["package", "vulnerabilities", "groups"]);

/**
 * The JSON of OSV-Scanner, versions 1 and 2 (google/osv-scanner, pkg/models/results.go), with records as osv-schema has them.
 * It does not say when it looked, nor at which image; its list of results is always there.
 *
 * @throws CountersignError `scan-invalid`, `limit-reached`.
 */
export function readOsv(json: JsonObject): ScannerReport {
  const vulnerabilities = listIn(json, "results", REPORT, LIMITS.scanTargets).flatMap((value, at) => {
    const where = `result ${at} of OSV-Scanner`;
    const source = exactObjectIn(value, where, SOURCE_MEMBERS);
    return listIn(source, "packages", where, LIMITS.scanVulnerabilities).flatMap((item, index) =>
      readPackage(item, `package ${index} of ${where}`),
    );
  });
  if (vulnerabilities.length > LIMITS.scanVulnerabilities) {
    throw tooLong("results", REPORT, vulnerabilities.length, LIMITS.scanVulnerabilities);
  }
  return { scanner: { name: "osv-scanner" }, digests: [], vulnerabilities, notes: [] };
}

/** A record of the database, about one package. */
interface OsvRecord {
  readonly id: string;
  readonly aliases: readonly string[];
  readonly severity: readonly Rating[];
  readonly fixedIn: readonly string[];
  readonly fixable: boolean | undefined;
}

/** Records that are about one vulnerability, by the names that they give each other. */
interface OsvGroup {
  readonly ids: readonly string[];
  readonly aliases: readonly string[];
  /** A score, or empty. */
  readonly maxSeverity: string;
}

function readPackage(value: JsonValue, where: string): readonly Vulnerability[] {
  const json = exactObjectIn(value, where, PACKAGE_MEMBERS);
  const { name, ecosystem, ...found } = readIdentity(json["package"], where);
  const records = listIfAny(json, "vulnerabilities", where, LIMITS.scanVulnerabilities).map((record, at) =>
    readRecord(record, name, `vulnerability ${at} of ${where}`),
  );
  const groups = listIfAny(json, "groups", where, LIMITS.scanVulnerabilities).map((group, at) =>
    readGroup(group, `group ${at} of ${where}`),
  );
  const vulnerable: VulnerablePackage = { name, ...found, purl: osvPurl(ecosystem, name, found.version) };
  const grouped = new Set(groups.flatMap((group) => group.ids));
  const alone = records
    .filter(({ id }) => !grouped.has(id))
    .map(({ id }) => ({ ids: [id], aliases: [], maxSeverity: "" }));
  const byId = Map.groupBy(records, ({ id }) => id);
  return [...groups, ...alone].map((group) =>
    summarize(
      group,
      group.ids.flatMap((id) => byId.get(id) ?? []),
      vulnerable,
    ),
  );
}

function readIdentity(value: JsonValue | undefined, where: string): VulnerablePackage & { readonly ecosystem: string } {
  const json = objectIn(value, `the package of ${where}`);
  return {
    name: textIn(json, "name", `the package of ${where}`),
    version: textIfAny(json, "version", `the package of ${where}`),
    ecosystem: textIfAny(json, "ecosystem", `the package of ${where}`) ?? "",
  };
}

function readGroup(value: JsonValue, where: string): OsvGroup {
  const json = objectIn(value, where);
  const ids = textsIfAny(json, "ids", where, LIMITS.scanDetails);
  if (ids.length === 0 || ids.includes("")) throw invalid(`${where} does not say of which vulnerability it is`);
  return {
    ids,
    aliases: textsIfAny(json, "aliases", where, LIMITS.scanDetails),
    maxSeverity: textIfAny(json, "max_severity", where) ?? "",
  };
}

function summarize(group: OsvGroup, records: readonly OsvRecord[], vulnerable: VulnerablePackage): Vulnerability {
  const [id = ""] = group.ids;
  return {
    id,
    aliases: aliasesOf(id, [...group.ids, ...group.aliases, ...records.flatMap((record) => record.aliases)]),
    severity: SCORE.test(group.maxSeverity)
      ? ratingOfScore(Number(group.maxSeverity))
      : worstRating(records.flatMap((record) => record.severity)),
    package: vulnerable,
    fixedIn: [...new Set(records.flatMap((record) => record.fixedIn))],
    fixable: fixability(records),
  };
}

const SCORE = /^\d{1,2}(?:\.\d{1,2})?$/;

function fixability(records: readonly OsvRecord[]): boolean | undefined {
  if (records.some(({ fixable }) => fixable === true)) return true;
  return records.length > 0 && records.every(({ fixable }) => fixable === false) ? false : undefined;
}

function readRecord(value: JsonValue, name: string, where: string): OsvRecord {
  const json = objectIn(value, where);
  const affected = listIfAny(json, "affected", where, LIMITS.scanDetails)
    .filter(isObject)
    .filter((entry) => isObject(entry["package"]) && entry["package"]["name"] === name);
  const fixes = affected.flatMap((entry) => fixesIn(entry, where));
  return {
    id: textIn(json, "id", where),
    aliases: textsIfAny(json, "aliases", where, LIMITS.scanDetails),
    severity: [...ratingsIn(json, where), ...affected.flatMap((entry) => ratingsIn(entry, where))],
    fixedIn: fixes.filter(({ isVersion }) => isVersion).map(({ version }) => version),
    fixable: affected.length === 0 ? undefined : fixes.length > 0,
  };
}

/** A version, or a commit. */
interface Fix {
  readonly isVersion: boolean;
  readonly version: string;
}

function fixesIn(affected: JsonObject, where: string): readonly Fix[] {
  return listIfAny(affected, "ranges", where, LIMITS.scanDetails)
    .filter(isObject)
    .flatMap((range) =>
      listIfAny(range, "events", where, LIMITS.scanDetails).flatMap((event) =>
        isObject(event) && typeof event["fixed"] === "string"
          ? [{ isVersion: range["type"] !== "GIT", version: event["fixed"] }]
          : [],
      ),
    );
}

/** What a record says itself: vectors, Ubuntu's priority; then the words of GitHub, Debian and Ubuntu, which have no score. */
function ratingsIn(json: JsonObject, where: string): readonly Rating[] {
  const given = listIfAny(json, "severity", where, LIMITS.scanDetails).map(ratingOf);
  const words = ["database_specific", "ecosystem_specific"].flatMap((member) => {
    const specific = json[member];
    return isObject(specific) ? [specific["severity"], specific["urgency"], specific["ubuntu_priority"]] : [];
  });
  const told = words.filter((word) => typeof word === "string").map(ratingOfWord);
  return [...given, ...told.filter((rating) => rating !== "unknown")];
}

function ratingOf(value: JsonValue): Rating {
  const { type, score }: JsonObject = isObject(value) ? value : {};
  if (typeof type !== "string" || typeof score !== "string") return "unknown";
  return type.startsWith("CVSS_") ? ratingOfVector(score) : ratingOfWord(score);
}
