import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readGrype } from "../../../../../src/core/formats/scans/grype.ts";
import type { JsonObject } from "../../../../../src/core/json.ts";
import { LIMITS } from "../../../../../src/core/limits.ts";
import { at, refusal, SCANNED, scanVector } from "../../../../support/scans.ts";

const IMAGE = scanVector("grype/image");
const CLEAN = scanVector("grype/image-clean");
const ARTIFACT = { name: "lib", version: "1" };

function withOne(vulnerability: JsonObject, more: JsonObject = {}): JsonObject {
  return {
    ...CLEAN,
    matches: [{ vulnerability: { id: "CVE-2026-1", ...vulnerability }, artifact: ARTIFACT, ...more }],
  };
}

function severityOf(vulnerability: JsonObject, more: JsonObject = {}): string | undefined {
  return readGrype(withOne(vulnerability, more)).vulnerabilities[0]?.severity;
}

describe("a result of Grype", () => {
  it("is read with packages, fixes, aliases and Grype's own severities", () => {
    const report = readGrype(IMAGE);
    assert.deepEqual(report.scanner, { name: "grype", version: "0.100.0" });
    assert.equal(report.finishedAt, at("2026-06-10T10:00:00.123Z"));
    assert.equal(report.databaseAt, at("2026-06-10T04:00:00Z"));
    assert.deepEqual(
      report.vulnerabilities.map(({ id, severity, fixable, aliases }) => [id, severity, fixable, aliases]),
      [
        ["GHSA-2222-3333-4444", "critical", true, ["CVE-2026-2004"]],
        ["ALAS2023-2026-100", "medium", false, []],
        ["CVE-2026-2012", "high", false, []],
      ],
    );
    assert.deepEqual(report.vulnerabilities[0]?.package, {
      name: "example-lib",
      version: "1.2.3",
      purl: "pkg:npm/example-lib@1.2.3",
    });
    assert.equal(report.vulnerabilities[2]?.package?.purl, undefined);
  });

  it("names the manifest that was read and the index that it was asked for by", () => {
    assert.deepEqual(readGrype(IMAGE).digests, [`sha256:${"77aa03".repeat(11).slice(0, 64)}`, SCANNED]);
  });

  it("is clean where the list of matches is empty", () => {
    const report = readGrype(CLEAN);
    assert.deepEqual([report.vulnerabilities, report.digests, report.notes], [[], [], []]);
    assert.equal(report.databaseAt, at("2026-06-10T01:25:21Z"));
  });

  it("tells of what the scanner left out, and of packages that get no more advisories", () => {
    const alertsByPackage = [{ package: ARTIFACT, alerts: [{ type: "distro-eol", message: "m" }] }];
    const notes = readGrype({ ...IMAGE, alertsByPackage }).notes;
    assert.match(notes[0] ?? "", /gets no more advisories/);
    assert.equal(notes[1], "it left out 1 that it had found");
  });

  it("has no alias where it is an advisory about several: an answer for one of them is none for it", () => {
    const relatedVulnerabilities = [{ id: "CVE-2026-1" }, { id: "CVE-2026-2" }];
    const [only] = readGrype(withOne({ id: "ALAS-1" }, { relatedVulnerabilities })).vulnerabilities;
    assert.deepEqual(only?.aliases, []);
  });

  it("takes the worst of what is known where Grype itself does not know the severity", () => {
    const related = (severity: string): JsonObject => ({ relatedVulnerabilities: [{ id: "CVE-2026-1", severity }] });
    const cvss = (baseScore: number): JsonObject => ({ cvss: [{ metrics: { baseScore }, vector: "" }] });
    assert.equal(severityOf({ severity: "Unknown" }, related("High")), "high");
    assert.equal(severityOf({ severity: "Unknown", ...cvss(9.1) }, related("Low")), "critical");
    assert.equal(severityOf({ ...cvss(3) }, related("Unknown")), "low");
    assert.equal(severityOf({ ...cvss(0) }), "unknown");
    assert.equal(severityOf({ cvss: ["CVSS:3.1/AV:N"] }), "unknown");
    assert.equal(severityOf({ severity: "Negligible", ...cvss(9.1) }), "low");
    assert.equal(severityOf({}), "unknown");
  });

  it("says nothing about a fix where it has no word about it", () => {
    const fixable = (vulnerability: JsonObject): unknown =>
      readGrype(withOne(vulnerability)).vulnerabilities[0]?.fixable;
    assert.equal(fixable({}), undefined);
    assert.equal(fixable({ fix: null }), undefined);
    assert.equal(fixable({ fix: { state: "wont-fix", versions: [] } }), false);
    assert.equal(fixable({ fix: { state: "unknown", versions: [] } }), false);
    assert.equal(fixable({ fix: { state: "fixed", versions: [] } }), true);
    assert.equal(fixable({ fix: { state: "", versions: ["2"] } }), true);
  });

  it("of a database without a time has none", () => {
    const descriptor = { name: "grype", timestamp: "2026-06-10T10:00:00Z", db: { built: "0001-01-01T00:00:00Z" } };
    assert.equal(readGrype({ ...CLEAN, descriptor }).databaseAt, undefined);
    assert.equal(readGrype({ matches: [] }).finishedAt, undefined);
    assert.equal(readGrype({ ...CLEAN, descriptor: { timestamp: "" } }).finishedAt, undefined);
  });

  const image = (target: JsonObject): JsonObject => ({ ...CLEAN, source: { type: "image", target } });
  const REFUSED: readonly (readonly [string, JsonObject])[] = [
    ["without matches", { source: {} }],
    ["with null for matches", { ...CLEAN, matches: null }],
    ["with an object for matches", { ...CLEAN, matches: {} }],
    ["with a text for a match", { ...CLEAN, matches: ["CVE-2026-1"] }],
    ["with a match of no vulnerability", { ...CLEAN, matches: [{ artifact: ARTIFACT }] }],
    ["with a match of no package", { ...CLEAN, matches: [{ vulnerability: { id: "CVE-2026-1" } }] }],
    ["with a package without a name", withOne({}, { artifact: { name: "" } })],
    ["with a vulnerability without a name", withOne({ id: "" })],
    ["with a related vulnerability without a name", withOne({}, { relatedVulnerabilities: [{}] })],
    ["with texts for related vulnerabilities", withOne({}, { relatedVulnerabilities: ["CVE-2026-2"] })],
    ["with a number for a severity", withOne({ severity: 9 })],
    ["with a text for fixed versions", withOne({ fix: { versions: "2" } })],
    ["with a time that is none", { ...CLEAN, descriptor: { timestamp: "Wed Jun 10 2026" } }],
    ["with a time of the 31st of June", { ...CLEAN, descriptor: { timestamp: "2026-06-31T10:00:00Z" } }],
    ["with a text for digests", image({ repoDigests: "a" })],
    ["with a number for a digest", image({ manifestDigest: 1 })],
    ["with a text for what was left out", { ...CLEAN, ignoredMatches: "none" }],
  ];
  for (const [what, json] of REFUSED) {
    it(`${what} is refused`, () => assert.equal(refusal(() => readGrype(json)).code, "scan-invalid"));
  }

  it("with more matches than are read reaches a limit", () => {
    const matches = Array.from({ length: LIMITS.scanVulnerabilities + 1 }, () => ({}));
    assert.equal(refusal(() => readGrype({ ...CLEAN, matches })).code, "limit-reached");
  });
});
