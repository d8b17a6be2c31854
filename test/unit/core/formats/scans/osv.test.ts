import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readOsv } from "../../../../../src/core/formats/scans/osv.ts";
import { osvPurl } from "../../../../../src/core/formats/scans/osv-purl.ts";
import type { Vulnerability } from "../../../../../src/core/formats/scans/scan.ts";
import type { JsonObject, JsonValue } from "../../../../../src/core/json.ts";
import { LIMITS } from "../../../../../src/core/limits.ts";
import { refusal, scanVector } from "../../../../support/scans.ts";

const IDENTITY = { name: "lib", version: "1", ecosystem: "npm" };

function results(...packages: readonly JsonValue[]): JsonObject {
  return { results: [{ source: { path: "/app", type: "os" }, packages }] };
}

function one(
  record: JsonObject,
  group: JsonObject | null = { ids: ["A-1"], aliases: ["A-1"], max_severity: "" },
): Vulnerability {
  const groups = group === null ? {} : { groups: [group] };
  const [only] = readOsv(
    results({ package: IDENTITY, vulnerabilities: [{ id: "A-1", ...record }], ...groups }),
  ).vulnerabilities;
  assert.ok(only !== undefined);
  return only;
}

describe("a result of OSV-Scanner", () => {
  it("is read by groups: records of one vulnerability are one", () => {
    const { vulnerabilities, digests, scanner, finishedAt } = readOsv(scanVector("osv-scanner/source"));
    assert.deepEqual([digests, scanner, finishedAt], [[], { name: "osv-scanner" }, undefined]);
    assert.deepEqual(
      vulnerabilities.map(({ id, aliases, severity, fixedIn, fixable }) => [id, aliases, severity, fixedIn, fixable]),
      [
        ["MAL-2026-1", [], "critical", [], false],
        ["GHSA-aaaa-bbbb-cccc", ["CVE-2026-1001"], "critical", ["1.2.4"], true],
        ["GHSA-dddd-eeee-ffff", ["CVE-2026-1002"], "medium", [], false],
        ["PYSEC-2026-1", ["CVE-2026-1003", "GHSA-gggg-hhhh-jjjj"], "unknown", ["3.1"], true],
      ],
    );
  });

  it("of an image is read, with package URLs for its packages", () => {
    const { vulnerabilities } = readOsv(scanVector("osv-scanner/image"));
    assert.deepEqual(
      vulnerabilities.map((each) => [each.id, each.package?.purl]),
      [
        ["ALPINE-CVE-2026-1004", "pkg:apk/alpine/openssl@3.3.0-r0"],
        ["PYSEC-2026-1", "pkg:pypi/example-pkg@3.0"],
      ],
    );
  });

  it("is clean where its list is empty", () => {
    assert.deepEqual(readOsv(scanVector("osv-scanner/image-clean")).vulnerabilities, []);
  });

  it("is clean where it lists packages without vulnerabilities, as --all-packages does", () => {
    assert.deepEqual(readOsv(results({ package: IDENTITY })).vulnerabilities, []);
  });

  it("takes the group's score, else the worst of what its records say", () => {
    const group = (score: string): JsonObject => ({ ids: ["A-1"], aliases: [], max_severity: score });
    assert.equal(one({ database_specific: { severity: "CRITICAL" } }, group("5.0")).severity, "medium");
    assert.equal(one({ database_specific: { severity: "MODERATE" } }).severity, "medium");
    assert.equal(
      one({ severity: [{ type: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N" }] }).severity,
      "high",
    );
    assert.equal(
      one({ severity: [{ type: "CVSS_V4", score: "CVSS:4.0/AV:N" }], database_specific: { severity: "LOW" } }).severity,
      "unknown",
    );
    assert.equal(one({ severity: [{ type: "Ubuntu", score: "negligible" }] }).severity, "low");
    assert.equal(one({ severity: [{ type: "Ubuntu", score: "untriaged" }] }).severity, "unknown");
    assert.equal(
      one({ affected: [{ package: { name: "lib" }, ecosystem_specific: { urgency: "unimportant" } }] }).severity,
      "low",
    );
    assert.equal(
      one({ affected: [{ package: { name: "other" }, ecosystem_specific: { urgency: "low" } }] }).severity,
      "unknown",
    );
    assert.equal(one({}).severity, "unknown");
    assert.equal(one({}, group("11")).severity, "unknown");
    assert.equal(one({}, group("-1")).severity, "unknown");
    assert.equal(one({}, group("high")).severity, "unknown");
  });

  it("counts a record that no group has, and a group whose record is not there", () => {
    const groups = [{ ids: ["B-1"], aliases: ["CVE-2026-9"], max_severity: "9.8" }];
    const { vulnerabilities } = readOsv(results({ package: IDENTITY, vulnerabilities: [{ id: "A-1" }], groups }));
    assert.deepEqual(
      vulnerabilities.map(({ id, severity, fixable }) => [id, severity, fixable]),
      [
        ["B-1", "critical", undefined],
        ["A-1", "unknown", undefined],
      ],
    );
  });

  it("says nothing about a fix where no record is about the package", () => {
    assert.equal(one({ affected: [{ package: { name: "other" }, ranges: [] }] }).fixable, undefined);
    assert.equal(one({ affected: [{ package: { name: "lib" }, ranges: [] }] }).fixable, false);
    const git = [{ package: { name: "lib" }, ranges: [{ type: "GIT", events: [{ fixed: "abc" }] }] }];
    assert.deepEqual([one({ affected: git }).fixable, one({ affected: git }).fixedIn], [true, []]);
  });

  it("has no alias where it is an advisory about several", () => {
    assert.deepEqual(
      one({}, { ids: ["A-1"], aliases: ["A-1", "CVE-2026-1", "CVE-2026-2"], max_severity: "" }).aliases,
      [],
    );
  });

  const REFUSED: readonly (readonly [string, JsonObject])[] = [
    ["without results", { experimental_config: {} }],
    ["with null for results", { results: null }],
    ["with a text for a result", { results: ["a"] }],
    ["with a result without packages", { results: [{ source: {} }] }],
    ["with null for packages", { results: [{ source: {}, packages: null }] }],
    ["with packages in upper case beside them", { results: [{ packages: [], Packages: [] }] }],
    ["with a package of no name", results({ package: { version: "1" } })],
    ["with a package that is not described", results({ vulnerabilities: [] })],
    ["with a text for a vulnerability", results({ package: IDENTITY, vulnerabilities: ["A-1"] })],
    ["with vulnerabilities in upper case", results({ package: IDENTITY, Vulnerabilities: [] })],
    ["with a vulnerability without a name", results({ package: IDENTITY, vulnerabilities: [{}] })],
    ["with an object for vulnerabilities", results({ package: IDENTITY, vulnerabilities: {} })],
    ["with a group of nothing", results({ package: IDENTITY, groups: [{ ids: [] }] })],
    ["with a group without its members", results({ package: IDENTITY, groups: [{ aliases: [] }] })],
    ["with a group of a name that is empty", results({ package: IDENTITY, groups: [{ ids: [""] }] })],
    ["with a number for a score", results({ package: IDENTITY, groups: [{ ids: ["A-1"], max_severity: 9 }] })],
    ["with a text for severities", results({ package: IDENTITY, vulnerabilities: [{ id: "A-1", severity: "HIGH" }] })],
  ];
  for (const [what, json] of REFUSED) {
    it(`${what} is refused`, () => assert.equal(refusal(() => readOsv(json)).code, "scan-invalid"));
  }

  it("with more vulnerabilities in all than are read reaches a limit", () => {
    const half = Array.from({ length: LIMITS.scanVulnerabilities / 2 }, (_, at) => ({ id: `A-${at}` }));
    const packages = (last: JsonObject): JsonObject =>
      results({ package: IDENTITY, vulnerabilities: half }, { package: IDENTITY, vulnerabilities: half }, last);
    assert.equal(readOsv(packages({ package: IDENTITY })).vulnerabilities.length, LIMITS.scanVulnerabilities);
    const last = { package: IDENTITY, vulnerabilities: [{ id: "B-1" }] };
    assert.equal(refusal(() => readOsv(packages(last))).code, "limit-reached");
  });
});

describe("the package URL of an ecosystem's package", () => {
  const PURLS: readonly (readonly [string, string, string | undefined, string | undefined])[] = [
    ["npm", "@scope/lib", "1.0.0", "pkg:npm/%40scope/lib@1.0.0"],
    ["Debian:12", "openssl", "1:3.0", "pkg:deb/debian/openssl@1%3A3.0"],
    ["Maven", "org.example:core", "2.4", "pkg:maven/org.example/core@2.4"],
    ["Go", "example.com/a/b", "1.0.0", "pkg:golang/example.com/a/b@1.0.0"],
    ["Unheard-of", "lib", "1", undefined],
    ["", "lib", "1", undefined],
    ["npm", "lib", undefined, undefined],
  ];
  for (const [ecosystem, name, version, purl] of PURLS) {
    it(`${ecosystem} ${name} is ${purl ?? "none"}`, () => assert.equal(osvPurl(ecosystem, name, version), purl));
  }
});
