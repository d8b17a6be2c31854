import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readScan, SCAN_TYPES } from "../../../../../src/core/formats/scans/read.ts";
import { aliasesOf, type Scan } from "../../../../../src/core/formats/scans/scan.ts";
import { reducedPredicate } from "../../../../../src/core/formats/vuln-predicate.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../../../../../src/core/json.ts";
import { LIMITS } from "../../../../../src/core/limits.ts";
import {
  at,
  COSIGN_VULN,
  cosignRecord,
  refusal,
  scanVector,
  statementWith,
  VULNS_01,
  VULNS_02,
} from "../../../../support/scans.ts";

const LIST = scanVector("in-toto/v0.2");
const TRIVY = scanVector("trivy/image");
const GRYPE = scanVector("grype/image");
const OSV = scanVector("osv-scanner/image");
const SCANNER = LIST["scanner"] as JsonObject;

function read(predicate: JsonObject, type = COSIGN_VULN): Scan {
  return readScan(type, statementWith(type, predicate));
}

function listed(result: JsonValue, more: JsonObject = {}): JsonObject {
  return { ...LIST, scanner: { ...SCANNER, result }, ...more };
}

function severityOf(severity: JsonValue): string | undefined {
  return read(listed([{ id: "CVE-2026-1", severity }])).vulnerabilities[0]?.severity;
}

describe("a statement about a scan", () => {
  for (const type of [COSIGN_VULN, "cosign.sigstore.dev/attestation/vuln/v1", VULNS_01, VULNS_02]) {
    it(`of type ${type} is read, as a record or as the scanner's own result`, () => {
      assert.equal(read(cosignRecord(TRIVY), type).vulnerabilities.length, 5);
      assert.equal(read(cosignRecord(GRYPE), type).vulnerabilities.length, 3);
      assert.equal(read(cosignRecord(OSV), type).vulnerabilities.length, 2);
      assert.equal(read(LIST, type).vulnerabilities.length, 2);
      assert.equal(read(TRIVY, type).vulnerabilities.length, 5);
      assert.equal(read(GRYPE, type).vulnerabilities.length, 3);
    });
  }

  for (const type of [
    "https://cosign.sigstore.dev/attestation/v1",
    "https://cosign.sigstore.dev/attestation/vuln/v2",
    "https://in-toto.io/attestation/vulns/v0.3",
    "https://in-toto.io/attestation/test-result/v0.1",
    "https://slsa.dev/provenance/v1",
    "",
  ]) {
    it(`of type ${JSON.stringify(type)} is none, whatever is in it`, () => {
      assert.equal(refusal(() => read(cosignRecord(TRIVY), type)).code, "scan-invalid");
    });
  }

  it("is of the types that are gathered", () => {
    assert.deepEqual(
      SCAN_TYPES.map(({ uri }) => uri),
      [COSIGN_VULN, "cosign.sigstore.dev/attestation/vuln/v1", VULNS_02, VULNS_01],
    );
  });

  it("is as old as its result where that is older than the record around it", () => {
    assert.equal(read(cosignRecord(TRIVY, "2026-08-01T00:00:00Z")).finishedAt, at("2026-06-10T10:00:00.123Z"));
    assert.equal(read(cosignRecord(TRIVY, "2026-06-01T00:00:00Z")).finishedAt, at("2026-06-01T00:00:00Z"));
  });

  it("takes the time of its result where the record has none, and the other way round", () => {
    assert.equal(read({ scanner: { result: GRYPE } }).finishedAt, at("2026-06-10T10:00:00.123Z"));
    assert.equal(read(cosignRecord(OSV)).finishedAt, at("2026-06-10T10:00:00Z"));
  });

  it("takes the database's time from the result or the record", () => {
    const record = cosignRecord(OSV);
    const dated = {
      ...record,
      scanner: { ...(record["scanner"] as JsonObject), db: { lastUpdate: "2026-06-09T00:00:00Z" } },
    };
    assert.equal(read(dated).databaseAt, at("2026-06-09T00:00:00Z"));
    assert.equal(read(cosignRecord(GRYPE)).databaseAt, at("2026-06-10T04:00:00Z"));
    assert.equal(read(cosignRecord(OSV)).databaseAt, undefined);
  });

  it("names the scanner by its result, else by its URI", () => {
    assert.deepEqual(read(cosignRecord(TRIVY)).scanner, { name: "trivy", version: "0.70.0" });
    assert.deepEqual(read(cosignRecord(OSV)).scanner, { name: "osv-scanner", version: "1.0.0" });
    assert.deepEqual(read(LIST).scanner, { name: "trivy", version: "0.70.0" });
    assert.equal(read({ ...LIST, scanner: { result: [] } }).scanner.name, "a scanner");
  });
});

describe("in-toto's list of vulnerabilities", () => {
  it("is read with its severities, and says nothing of packages and fixes", () => {
    assert.deepEqual(read(LIST, VULNS_02).vulnerabilities, [
      { id: "CVE-2026-2001", aliases: [], severity: "medium", fixedIn: [], fixable: undefined },
      { id: "CVE-2026-2002", aliases: [], severity: "unknown", fixedIn: [], fixable: undefined },
    ]);
  });

  it("may be empty, if it is there", () => assert.deepEqual(read(listed([])).vulnerabilities, []));

  it("is read as the text of version 0.1 has it, and as its protobuf does", () => {
    const vulnerability = { id: "CVE-2026-1", severity: [{ method: "nvd", score: "low" }] };
    assert.equal(read(listed([{ vulnerability }]), VULNS_01).vulnerabilities[0]?.severity, "low");
    const { db, ...scanner } = SCANNER;
    const proto = {
      scanner: { ...scanner, database: db ?? null, result: { vulnerabilities: [vulnerability] } },
      scanMetadata: { scanFinishedOn: "2026-06-10T10:00:00Z" },
    };
    assert.equal(read(proto, VULNS_01).vulnerabilities[0]?.severity, "low");
    assert.equal(read(proto, VULNS_01).databaseAt, at("2026-06-10T06:00:00Z"));
  });

  it("tells of packages and fixes in the annotations that countersign scan writes", () => {
    const annotation = {
      aliases: ["CVE-2026-1"],
      name: "lib",
      version: "1",
      purl: "pkg:npm/lib@1",
      fixedIn: ["2"],
      fixable: true,
    };
    const one = (annotations: JsonValue): unknown => read(listed([{ id: "GHSA-1", annotations }])).vulnerabilities[0];
    assert.deepEqual(one([annotation]), {
      id: "GHSA-1",
      aliases: ["CVE-2026-1"],
      severity: "unknown",
      package: { name: "lib", version: "1", purl: "pkg:npm/lib@1" },
      fixedIn: ["2"],
      fixable: true,
    });
    const [only] = read(
      listed([{ id: "A-1", annotations: [{ aliases: ["CVE-2026-1", "CVE-2026-2"] }] }]),
    ).vulnerabilities;
    assert.deepEqual(only?.aliases, []);
    const nothing = { id: "GHSA-1", aliases: [], severity: "unknown", fixedIn: [], fixable: undefined };
    for (const other of [
      null,
      [],
      "x",
      {},
      annotation,
      [annotation, {}],
      [{ fixable: "false", aliases: "CVE-2026-1", fixedIn: [2], name: 1 }],
    ]) {
      assert.deepEqual(one(other), nothing);
    }
  });

  it("survives being reduced and read again", () => {
    const { vulnerabilities } = read(cosignRecord(TRIVY));
    const time = at("2026-06-10T10:00:00Z");
    const record = { uri: "u", version: "1", database: undefined, parameters: [], startedAt: time, finishedAt: time };
    const bytes = reducedPredicate([{ record, scan: { vulnerabilities } }]);
    const json = parseJsonObject(bytes, { what: "it", code: "scan-invalid", maxBytes: bytes.byteLength });
    assert.deepEqual(read(json, VULNS_02).vulnerabilities, vulnerabilities);
  });

  it("has the same one as often as it is listed", () => {
    assert.equal(read(listed([{ id: "CVE-2026-1" }, { id: "CVE-2026-1" }])).vulnerabilities.length, 2);
  });

  it("takes the worst of several severities", () => {
    assert.equal(
      severityOf([
        { method: "a", score: "low" },
        { method: "b", score: "High" },
      ]),
      "high",
    );
    assert.equal(
      severityOf([{ method: "CVSS_V3", score: "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H" }]),
      "critical",
    );
    assert.equal(severityOf([{ method: "cvssV3_baseScore", score: 5.2 }]), "medium");
    assert.equal(severityOf("moderate"), "medium");
  });

  it("does not take a probability or a risk for a score", () => {
    assert.equal(severityOf([{ method: "epss", score: "0.97" }]), "unknown");
    assert.equal(severityOf([{ method: "risk", score: 1.5 }]), "unknown");
    assert.equal(severityOf([{ score: "3.0" }]), "unknown");
    assert.equal(
      severityOf([
        { method: "epss", score: "0.97" },
        { method: "nvd", score: "low" },
      ]),
      "low",
    );
  });

  it("does not take what it cannot read for mild", () => {
    assert.equal(
      severityOf([
        { method: "nvd", score: "low" },
        { method: "cvss", score: "CVSS:4.0/AV:N" },
      ]),
      "unknown",
    );
    assert.equal(
      severityOf([
        { method: "nvd", score: "low" },
        { method: "x", score: "tolerable" },
      ]),
      "unknown",
    );
    assert.equal(severityOf([{ method: "nvd", score: "low" }, "high"]), "unknown");
    assert.equal(severityOf([{ method: "cvss", score: "11" }]), "unknown");
    assert.equal(severityOf([]), "unknown");
    assert.equal(severityOf(null), "unknown");
  });
});

const METADATA = { scanFinishedOn: "2026-06-10T10:00:00Z" };
const RECORDS: readonly (readonly [string, JsonValue])[] = [
  ["that is empty", {}],
  ["that is a list", []],
  ["that is a text", "clean"],
  ["that is null", null],
  ["without a result", { scanner: {}, metadata: METADATA }],
  [
    "with null for a result, as cosign writes what it did not understand",
    { scanner: { result: null }, metadata: METADATA },
  ],
  ["with an empty object for a result", { scanner: { result: {} }, metadata: METADATA }],
  ["with a text for a result", { scanner: { result: "[]" }, metadata: METADATA }],
  ["with a number for a result", { scanner: { result: 0 }, metadata: METADATA }],
  ["with false for a result", { scanner: { result: false }, metadata: METADATA }],
  ["with an error for a result", { scanner: { result: { error: "no database" } }, metadata: METADATA }],
  ["with null for in-toto's list", { scanner: { result: { vulnerabilities: null } }, metadata: METADATA }],
  ["with an object for in-toto's list", { scanner: { result: { vulnerabilities: {} } }, metadata: METADATA }],
  ["with a text for a scanner", { scanner: "trivy", metadata: METADATA }],
  ["without any time", { scanner: { result: [] } }],
  ["with an empty time", { scanner: { result: [] }, metadata: { scanFinishedOn: "" } }],
  ["with a time that is none", { scanner: { result: [] }, metadata: { scanFinishedOn: "10 June 2026" } }],
  ["with a time without a zone", { scanner: { result: [] }, metadata: { scanFinishedOn: "2026-06-10T10:00:00" } }],
  ["with a number for a time", { scanner: { result: [] }, metadata: { scanFinishedOn: 1_781_000_000 } }],
  ["with a text for its metadata", { scanner: { result: [] }, metadata: "2026-06-10T10:00:00Z" }],
  [
    "with a time that is none beside one in its result",
    { scanner: { result: GRYPE }, metadata: { scanFinishedOn: "?" } },
  ],
  ["that only says when it started", { scanner: { result: [] }, metadata: { scanStartedOn: "2026-06-10T10:00:00Z" } }],
  ["whose list has a text", { scanner: { result: ["CVE-2026-1"] }, metadata: METADATA }],
  ["whose list has null", { scanner: { result: [null] }, metadata: METADATA }],
  ["whose list has a vulnerability without a name", { scanner: { result: [{ severity: [] }] }, metadata: METADATA }],
  ["whose list has a vulnerability of a blank name", { scanner: { result: [{ id: " " }] }, metadata: METADATA }],
  ["that is two forms at once", { scanner: { result: { matches: [], results: [] } }, metadata: METADATA }],
  ["that is Grype's and Trivy's at once", { ...TRIVY, matches: [] }],
  ["that is OSV-Scanner's alone, which has no time", OSV],
  ["that is SARIF", { scanner: { result: { version: "2.1.0", runs: [] } }, metadata: METADATA }],
  ["that is CycloneDX", { scanner: { result: { bomFormat: "CycloneDX", vulnerabilities: [] } }, metadata: METADATA }],
  [
    "that is Snyk's",
    { scanner: { result: { ok: true, dependencyCount: 3, vulnerabilities: [] } }, metadata: METADATA },
  ],
];

describe("a predicate", () => {
  for (const [what, predicate] of RECORDS) {
    for (const type of [COSIGN_VULN, VULNS_01]) {
      it(`${what} is refused (${type})`, () => {
        const statement = { ...statementWith(type, {}), predicate };
        assert.equal(refusal(() => readScan(type, statement)).code, "scan-invalid");
      });
    }
  }

  it("that is not there is refused", () => assert.equal(refusal(() => readScan(COSIGN_VULN, {})).code, "scan-invalid"));

  it("says which form was found", () => {
    const sarif = refusal(() => read(cosignRecord({ version: "2.1.0", runs: [] })));
    assert.equal(sarif.message, "the result is SARIF, which is not read");
    const other = refusal(() => read(cosignRecord({ ok: true, vulnerabilities: [] })));
    assert.equal(other.found, '"ok", "vulnerabilities"');
    const none = refusal(() => read({ scanner: { result: null } }));
    assert.deepEqual([none.message, none.found], ["the scan has no result", "null"]);
  });

  it("with a longer list than is read reaches a limit", () => {
    const list = Array.from({ length: LIMITS.scanVulnerabilities + 1 }, () => ({ id: "CVE-2026-1" }));
    assert.equal(refusal(() => read(listed(list))).code, "limit-reached");
    assert.equal(refusal(() => read(listed({ vulnerabilities: list }))).code, "limit-reached");
    assert.equal(read(listed(list.slice(1))).vulnerabilities.length, LIMITS.scanVulnerabilities);
    const sources = Array.from({ length: LIMITS.scanDetails + 1 }, () => ({ method: "nvd", score: "low" }));
    assert.equal(refusal(() => severityOf(sources)).code, "limit-reached");
  });

  it("with more vulnerabilities in all its results than are read reaches a limit", () => {
    const vulnerability = { VulnerabilityID: "CVE-2026-1", PkgName: "lib" };
    const half = Array.from({ length: LIMITS.scanVulnerabilities / 2 + 1 }, () => vulnerability);
    const result = { Class: "os-pkgs", Vulnerabilities: half };
    assert.equal(refusal(() => read(cosignRecord({ ...TRIVY, Results: [result, result] }))).code, "limit-reached");
  });
});

describe("other names of a vulnerability", () => {
  it("are those of the same one, each once", () => {
    assert.deepEqual(aliasesOf("GHSA-1", ["CVE-2026-1", "cve-2026-1", "ghsa-1", "", "GO-1"]), ["cve-2026-1", "GO-1"]);
    assert.deepEqual(aliasesOf("CVE-2026-1", ["CVE-2026-1", "DSA-1"]), ["DSA-1"]);
  });

  it("are no CVEs where there are several: they are what an advisory is about", () => {
    assert.deepEqual(aliasesOf("ALAS-1", ["CVE-2026-1", "CVE-2026-2"]), []);
    assert.deepEqual(aliasesOf("CVE-2026-1", ["CVE-2026-2", "GHSA-1"]), ["GHSA-1"]);
  });
});
