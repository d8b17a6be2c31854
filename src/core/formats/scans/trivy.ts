import { describeJson, isObject, type JsonObject, type JsonValue } from "../../json.ts";
import { LIMITS } from "../../limits.ts";
import { ratingOfCvss } from "./cvss.ts";
import { aliasesOf, type ScannerReport, type Vulnerability } from "./scan.ts";
import { type Rating, ratingOfWord, worstRating } from "./severity.ts";
import {
  digestsIn,
  exactObjectIn,
  invalid,
  listIfAny,
  listIn,
  objectIn,
  textIfAny,
  textIn,
  textsIfAny,
  timeIfAny,
} from "./values.ts";

const REPORT = "the result of Trivy";
const REPORT_MEMBERS: ReadonlySet<string> = new Set(["SchemaVersion", "Metadata", "Results", "CreatedAt"]);
const RESULT_MEMBERS: ReadonlySet<string> = new Set(["Class", "Vulnerabilities", "ExperimentalModifiedFindings"]);

/** Results about packages. Others are about secrets, settings and licences, and say nothing about vulnerabilities. */
const PACKAGES: ReadonlySet<JsonValue | undefined> = new Set(["os-pkgs", "lang-pkgs"]);

/**
 * The JSON of Trivy, version 2 of its schema (aquasecurity/trivy, pkg/types/report.go). It leaves out every list that is empty:
 * where no operating system and no package was recognised there is no result at all, and then nothing was looked up.
 *
 * @throws CountersignError `scan-invalid`, `limit-reached`.
 */
export function readTrivy(value: JsonObject): ScannerReport {
  const json = exactObjectIn(value, REPORT, REPORT_MEMBERS);
  if (json["SchemaVersion"] !== 2) {
    throw invalid(
      `${REPORT} is of a version that is not known`,
      describeJson(json["SchemaVersion"]),
      "SchemaVersion 2",
    );
  }
  const results = listIn(json, "Results", REPORT, LIMITS.scanTargets).map((result, at) =>
    exactObjectIn(result, `result ${at} of Trivy`, RESULT_MEMBERS),
  );
  if (!results.some((result) => PACKAGES.has(result["Class"]) || Array.isArray(result["Vulnerabilities"]))) {
    throw invalid(`${REPORT} is about no packages`, "no result of the class os-pkgs or lang-pkgs", "packages");
  }
  const metadata = isObject(json["Metadata"]) ? json["Metadata"] : {};
  const program = isObject(json["Trivy"]) ? json["Trivy"] : {};
  return {
    scanner: { name: "trivy", version: textIfAny(program, "Version", `"Trivy" of ${REPORT}`) },
    finishedAt: timeIfAny(json, "CreatedAt", REPORT),
    digests: digestsIn([
      ...textsIfAny(metadata, "RepoDigests", `"Metadata" of ${REPORT}`, LIMITS.scanDetails),
      textIfAny(json, "ArtifactName", REPORT) ?? "",
    ]),
    vulnerabilities: results.flatMap(readResult),
    notes: [...endOfLife(metadata), ...suppressed(results)],
  };
}

function readResult(result: JsonObject, at: number): readonly Vulnerability[] {
  const where = `result ${at} of Trivy`;
  return listIfAny(result, "Vulnerabilities", where, LIMITS.scanVulnerabilities).map((value, index) =>
    readVulnerability(value, `vulnerability ${index} of ${where}`),
  );
}

function readVulnerability(value: JsonValue, where: string): Vulnerability {
  const json = objectIn(value, where);
  const id = textIn(json, "VulnerabilityID", where);
  const identifier = isObject(json["PkgIdentifier"]) ? json["PkgIdentifier"] : {};
  const fixed = textIfAny(json, "FixedVersion", where);
  return {
    id,
    aliases: aliasesOf(id, textsIfAny(json, "VendorIDs", where, LIMITS.scanDetails)),
    severity: readSeverity(json, where),
    package: {
      name: textIn(json, "PkgName", where),
      version: textIfAny(json, "InstalledVersion", where),
      purl: textIfAny(identifier, "PURL", where),
    },
    fixedIn: fixed === undefined ? [] : fixed.split(",").map((version) => version.trim()),
    fixable: fixed !== undefined,
  };
}

/** Trivy's own; where that is unknown, the worst of the scores that it gives by source. */
function readSeverity(json: JsonObject, where: string): Rating {
  const own = ratingOfWord(textIfAny(json, "Severity", where) ?? "");
  if (own !== "unknown" || !isObject(json["CVSS"])) return own;
  return worstRating(Object.values(json["CVSS"]).flatMap((source) => (isObject(source) ? ratingsOf(source) : [])));
}

/** Of one source, by version of CVSS. */
function ratingsOf(source: JsonObject): readonly Rating[] {
  return ["V2", "V3", "V40"].flatMap((version) => {
    const score = source[`${version}Score`];
    const vector = source[`${version}Vector`];
    return score === undefined && vector === undefined ? [] : [ratingOfCvss(score, vector)];
  });
}

function endOfLife(metadata: JsonObject): readonly string[] {
  const os = metadata["OS"];
  if (!isObject(os) || os["EOSL"] !== true) return [];
  const name = [os["Family"], os["Name"]].filter((part) => typeof part === "string").join(" ");
  return [`its ${name} gets no more advisories: what is new in it is not known`];
}

function suppressed(results: readonly JsonObject[]): readonly string[] {
  const count = results
    .flatMap((result, at) =>
      listIfAny(result, "ExperimentalModifiedFindings", `result ${at} of Trivy`, LIMITS.scanVulnerabilities),
    )
    .filter((finding) => isObject(finding) && finding["Type"] === "vulnerability").length;
  return count === 0 ? [] : [`it left out ${count} that it had found`];
}
