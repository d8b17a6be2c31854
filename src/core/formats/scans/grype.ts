import { isObject, type JsonObject, type JsonValue } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import type { Instant } from "../../time.ts";
import { ratingOfCvss } from "./cvss.ts";
import { aliasesOf, type ScannerReport, type Vulnerability } from "./scan.ts";
import { type Rating, ratingOfWord, worstRating } from "./severity.ts";
import {
  digestsIn,
  listIfAny,
  listIn,
  objectIn,
  setTimeIfAny,
  textIfAny,
  textIn,
  textsIfAny,
  timeIfAny,
} from "./values.ts";

const REPORT = "the result of Grype";

/**
 * The JSON of Grype (anchore/grype, grype/presenter/models). The list of matches is always there, empty where there are none.
 *
 * @throws CountersignError `scan-invalid`, `limit-reached`.
 */
export function readGrype(json: JsonObject): ScannerReport {
  const matches = listIn(json, "matches", REPORT, LIMITS.scanVulnerabilities);
  const descriptor = isObject(json["descriptor"]) ? json["descriptor"] : {};
  return {
    scanner: {
      name: textIfAny(descriptor, "name", `"descriptor" of ${REPORT}`) ?? "grype",
      version: textIfAny(descriptor, "version", `"descriptor" of ${REPORT}`),
    },
    finishedAt: timeIfAny(descriptor, "timestamp", `"descriptor" of ${REPORT}`),
    databaseAt: databaseTime(descriptor["db"]),
    digests: namedDigests(json["source"]),
    vulnerabilities: matches.map((match, at) => readMatch(match, `match ${at} of Grype`)),
    notes: [...endOfLife(json), ...suppressed(json)],
  };
}

/** In the fifth form of its database `built`, in the sixth `status.built`. */
function databaseTime(db: JsonValue | undefined): Instant | undefined {
  if (!isObject(db)) return undefined;
  return setTimeIfAny(isObject(db["status"]) ? db["status"] : db, "built", `"db" of ${REPORT}`);
}

/** Of the manifest that was read, and of what it was asked for by: the index, where the reference named one. */
function namedDigests(source: JsonValue | undefined): readonly string[] {
  const target = isObject(source) && source["type"] === "image" ? source["target"] : undefined;
  if (!isObject(target)) return [];
  const where = `the source of ${REPORT}`;
  return digestsIn([
    textIfAny(target, "manifestDigest", where) ?? "",
    textIfAny(target, "userInput", where) ?? "",
    ...textsIfAny(target, "repoDigests", where, LIMITS.scanDetails),
  ]);
}

function readMatch(value: JsonValue, where: string): Vulnerability {
  const json = objectIn(value, where);
  const vulnerability = objectIn(json["vulnerability"], `the vulnerability of ${where}`);
  const artifact = objectIn(json["artifact"], `the artifact of ${where}`);
  const related = listIfAny(json, "relatedVulnerabilities", where, LIMITS.scanDetails).map((item) =>
    objectIn(item, `a related vulnerability of ${where}`),
  );
  const id = textIn(vulnerability, "id", `the vulnerability of ${where}`);
  return {
    id,
    aliases: aliasesOf(
      id,
      related.map((item) => textIn(item, "id", `a related vulnerability of ${where}`)),
    ),
    severity: readSeverity([vulnerability, ...related], where),
    package: {
      name: textIn(artifact, "name", `the artifact of ${where}`),
      version: textIfAny(artifact, "version", `the artifact of ${where}`),
      purl: textIfAny(artifact, "purl", `the artifact of ${where}`),
    },
    ...readFix(vulnerability["fix"], where),
  };
}

/** Grype's own; where that is unknown, the worst that it says of what is related, and of all their scores. */
function readSeverity(records: readonly JsonObject[], where: string): Rating {
  const words = records.map((record) => ratingOfWord(textIfAny(record, "severity", where) ?? ""));
  const [own = "unknown"] = words;
  if (own !== "unknown") return own;
  const scores = records.flatMap((record) => listIfAny(record, "cvss", where, LIMITS.scanDetails)).map(ratingOf);
  return worstRating([...words.filter((word) => word !== "unknown"), ...scores]);
}

function ratingOf(cvss: JsonValue): Rating {
  if (!isObject(cvss)) return "unknown";
  const metrics = cvss["metrics"];
  return ratingOfCvss(isObject(metrics) ? metrics["baseScore"] : undefined, cvss["vector"]);
}

function readFix(value: JsonValue | undefined, where: string): Pick<Vulnerability, "fixedIn" | "fixable"> {
  if (!isObject(value)) return { fixedIn: [], fixable: undefined };
  const fixedIn = textsIfAny(value, "versions", `the fix of ${where}`, LIMITS.scanDetails);
  return { fixedIn, fixable: fixedIn.length > 0 || value["state"] === "fixed" };
}

function endOfLife(json: JsonObject): readonly string[] {
  const alerts = listIfAny(json, "alertsByPackage", REPORT, LIMITS.scanVulnerabilities)
    .filter(isObject)
    .flatMap((entry) => listIfAny(entry, "alerts", `an alert of ${REPORT}`, LIMITS.scanDetails));
  return alerts.some((alert) => isObject(alert) && alert["type"] === "distro-eol")
    ? ["its distribution gets no more advisories: what is new in it is not known"]
    : [];
}

function suppressed(json: JsonObject): readonly string[] {
  const { length } = listIfAny(json, "ignoredMatches", REPORT, LIMITS.scanVulnerabilities);
  return length === 0 ? [] : [`it left out ${length} that it had found`];
}
