import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readTrivy } from "../../../../../src/core/formats/scans/trivy.ts";
import type { JsonObject, JsonValue } from "../../../../../src/core/json.ts";
import { LIMITS } from "../../../../../src/core/limits.ts";
import { at, refusal, SCANNED, scanVector } from "../../../../support/scans.ts";

const IMAGE = scanVector("trivy/image");
const CLEAN = scanVector("trivy/image-clean");

/** The clean result with one vulnerability. */
function withOne(members: JsonObject): JsonObject {
  const vulnerability = { VulnerabilityID: "CVE-2026-1", PkgName: "lib", InstalledVersion: "1", ...members };
  return { ...CLEAN, Results: [{ Target: "t", Class: "os-pkgs", Vulnerabilities: [vulnerability] }] };
}

function severityOf(members: JsonObject): string | undefined {
  return readTrivy(withOne(members)).vulnerabilities[0]?.severity;
}

describe("a result of Trivy", () => {
  it("is read with packages, fixes, aliases and Trivy's own severities", () => {
    const report = readTrivy(IMAGE);
    assert.deepEqual(report.scanner, { name: "trivy", version: "0.70.0" });
    assert.equal(report.finishedAt, at("2026-06-10T10:00:00.123Z"));
    assert.deepEqual(report.digests, [SCANNED]);
    assert.deepEqual(
      report.vulnerabilities.map(({ id, severity, fixable }) => [id, severity, fixable]),
      [
        ["CVE-2026-2001", "critical", true],
        ["CVE-2026-2002", "high", false],
        ["CVE-2026-2003", "low", false],
        ["CVE-2026-2004", "medium", true],
        ["CVE-2026-2005", "unknown", false],
      ],
    );
    assert.deepEqual(report.vulnerabilities[3], {
      id: "CVE-2026-2004",
      aliases: ["GHSA-2222-3333-4444"],
      severity: "medium",
      package: { name: "example-lib", version: "1.2.3", purl: "pkg:npm/example-lib@1.2.3" },
      fixedIn: ["1.2.4", "2.0.1"],
      fixable: true,
    });
  });

  it("tells of what the scanner left out", () => {
    assert.deepEqual(readTrivy(IMAGE).notes, ["it left out 1 that it had found"]);
  });

  it("is clean where packages were looked up, and none of them is vulnerable", () => {
    const report = readTrivy(CLEAN);
    assert.deepEqual([report.vulnerabilities, report.digests, report.notes], [[], [], []]);
  });

  it("tells of a distribution that gets no more advisories: what is clean may not be", () => {
    const [note = ""] = readTrivy({
      ...CLEAN,
      Metadata: { OS: { Family: "alpine", Name: "3.9.4", EOSL: true } },
    }).notes;
    assert.match(note, /alpine 3\.9\.4 gets no more advisories/);
  });

  it("names the digest that it was asked for by", () => {
    const { digests } = readTrivy({ ...CLEAN, ArtifactName: `registry.example/acme/app@${SCANNED}` });
    assert.deepEqual(digests, [SCANNED]);
  });

  it("takes the worst score where Trivy itself does not know the severity", () => {
    const low = { V3Score: 3.1 };
    assert.equal(severityOf({ Severity: "UNKNOWN", CVSS: { a: low, b: { V2Score: 5, V3Score: 7.5 } } }), "high");
    assert.equal(severityOf({ CVSS: { a: low, b: { V40Vector: "CVSS:4.0/AV:N" } } }), "unknown");
    assert.equal(severityOf({ CVSS: { a: { V3Score: 0 } } }), "unknown");
    assert.equal(severityOf({ CVSS: {} }), "unknown");
    assert.equal(severityOf({ CVSS: null }), "unknown");
    assert.equal(severityOf({ Severity: "HIGH", CVSS: { a: low } }), "high");
  });

  it("is not clean where Trivy recognised nothing: it leaves out what is empty", () => {
    const { code, message } = refusal(() => readTrivy(scanVector("trivy/image-nothing-recognised")));
    assert.equal(code, "scan-invalid");
    assert.equal(message, 'the result of Trivy has no list "Results"');
  });

  const { SchemaVersion: _, ...withoutSchema } = CLEAN;
  const result = (members: JsonObject): JsonObject => ({
    ...CLEAN,
    Results: [{ Target: "t", Class: "os-pkgs", ...members }],
  });
  const REFUSED: readonly (readonly [string, JsonObject])[] = [
    ["without the version of its schema", withoutSchema],
    ["of schema 1", { ...CLEAN, SchemaVersion: 1 }],
    ["of schema 3", { ...CLEAN, SchemaVersion: 3 }],
    ["of a schema in words", { ...CLEAN, SchemaVersion: "2" }],
    ["with null for results", { ...CLEAN, Results: null }],
    ["with an empty list of results", { ...CLEAN, Results: [] }],
    ["with an object for results", { ...CLEAN, Results: {} }],
    ["with a text for a result", { ...CLEAN, Results: ["os-pkgs"] }],
    ["about secrets alone", { ...CLEAN, Results: [{ Target: "t", Class: "secret", Secrets: [] }] }],
    ["about licences alone", { ...CLEAN, Results: [{ Target: "t", Class: "license" }] }],
    ["of a class that is not known", { ...CLEAN, Results: [{ Target: "t", Class: "os-pkgs2" }] }],
    ["whose results have no class", { ...CLEAN, Results: [{ Target: "t" }] }],
    ["with an object for vulnerabilities", result({ Vulnerabilities: {} })],
    ["with a text for a vulnerability", result({ Vulnerabilities: ["CVE-2026-1"] })],
    ["with null for a vulnerability", result({ Vulnerabilities: [null] })],
    ["whose vulnerabilities are spelled in lower case: Go would read them", result({ vulnerabilities: [] })],
    ["whose results are spelled in lower case as well", { ...CLEAN, results: [] }],
    ["with a vulnerability without a name", withOne({ VulnerabilityID: "" })],
    ["with a number for a vulnerability's name", withOne({ VulnerabilityID: 1 })],
    ["with a vulnerability of no package", withOne({ PkgName: null })],
    ["with a number for a severity", withOne({ Severity: 4 })],
    ["with a list for a fixed version", withOne({ FixedVersion: ["1.2"] })],
    ["with a text for the vendor's names", withOne({ VendorIDs: "DSA-1" })],
    ["with numbers for the vendor's names", withOne({ VendorIDs: [1] })],
    ["with a time that is none", { ...CLEAN, CreatedAt: "yesterday" }],
    ["with a number for a time", { ...CLEAN, CreatedAt: 1_781_000_000 }],
    ["with a text for digests", { ...CLEAN, Metadata: { RepoDigests: "a@sha256:1" } }],
  ];
  for (const [what, json] of REFUSED) {
    it(`${what} is refused`, () => assert.equal(refusal(() => readTrivy(json)).code, "scan-invalid"));
  }

  it("with more results or vulnerabilities than are read reaches a limit", () => {
    const many = (length: number, value: JsonValue): readonly JsonValue[] => Array.from({ length }, () => value);
    const targets = many(LIMITS.scanTargets + 1, { Class: "os-pkgs" });
    assert.equal(refusal(() => readTrivy({ ...CLEAN, Results: targets })).code, "limit-reached");
    const vulnerabilities = many(LIMITS.scanVulnerabilities + 1, { VulnerabilityID: "CVE-2026-1", PkgName: "lib" });
    assert.equal(refusal(() => readTrivy(result({ Vulnerabilities: vulnerabilities }))).code, "limit-reached");
    assert.equal(
      readTrivy(result({ Vulnerabilities: vulnerabilities.slice(1) })).vulnerabilities.length,
      LIMITS.scanVulnerabilities,
    );
    const names = many(LIMITS.scanDetails + 1, "DSA-1");
    assert.equal(refusal(() => readTrivy(withOne({ VendorIDs: names }))).code, "limit-reached");
  });
});
