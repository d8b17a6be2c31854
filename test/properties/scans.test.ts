import assert from "node:assert/strict";
import fc from "fast-check";
import { baseScore } from "../../src/core/formats/scans/cvss.ts";
import { parsePurl } from "../../src/core/formats/scans/purl.ts";
import { SEVERITIES } from "../../src/core/formats/scans/severity.ts";
import type { JsonObject, JsonValue } from "../../src/core/json.ts";
import type { VulnerabilityException } from "../../src/core/policy/document.ts";
import {
  type Assessment,
  assessScan,
  type SignedStatement,
  type VulnerabilityDemands,
} from "../../src/core/policy/vulnerabilities.ts";
import { instant } from "../../src/core/time.ts";
import { property } from "../support/property.ts";
import {
  at,
  COSIGN_VULN,
  cosignRecord,
  OPENVEX,
  SCANNED,
  scanVector,
  statementWith,
  VULNS_02,
} from "../support/scans.ts";

const NOW = at("2026-06-11T10:00:00Z");
const DAY = 24 * 60 * 60 * 1000;
const EVERYTHING: VulnerabilityDemands = {
  maxAge: 10_000 * DAY,
  severityAtMost: "critical",
  fixableOnly: true,
  except: [],
};

function isCode(code: string): boolean {
  return ["vulnerable", "scan-old", "scan-invalid", "limit-reached"].includes(code);
}

function judge(scan: SignedStatement, vex: readonly SignedStatement[], demands: VulnerabilityDemands): Assessment {
  const assessment = assessScan(scan, vex, demands, SCANNED, NOW);
  if (!assessment.acceptable) assert.ok(isCode(assessment.finding.code), assessment.finding.message);
  return assessment;
}

// --- anything at all --------------------------------------------------------------------------------------------------

const anything = fc.jsonValue({ maxDepth: 4 }) as fc.Arbitrary<JsonValue>;

property(
  "no JSON is a scan by chance, and none is more than refused",
  [anything, fc.constantFrom(COSIGN_VULN, VULNS_02)],
  (predicate, predicateType) => {
    const statement = { ...statementWith(predicateType, {}), predicate };
    const scan = { predicateType, statement, signer: "dana" };
    assert.equal(judge(scan, [], EVERYTHING).acceptable, false);
  },
);

/** Objects of the names that the readers know. There is no time among them: without one nothing is a scan. */
const nearly = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, withCrossShrink: true },
    fc.constantFrom<JsonValue>(null, true, 2, "", "os-pkgs", "CVE-2026-1", "low", [], {}),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        ...["scanner", "result", "metadata", "vulnerabilities", "SchemaVersion", "Results", "Class", "Vulnerabilities"],
        ...["VulnerabilityID", "PkgName", "Severity", "matches", "vulnerability", "artifact", "id", "name", "results"],
        ...[
          "packages",
          "package",
          "groups",
          "ids",
          "severity",
          "scanFinishedOn",
          "CreatedAt",
          "descriptor",
          "timestamp",
        ],
      ),
      tie("value"),
      { maxKeys: 4 },
    ),
  ),
})).value;

property("nothing that looks like a scan is one without a time", [nearly, fc.boolean()], (value, isRecord) => {
  const predicate = isRecord ? { scanner: { result: value }, metadata: {} } : value;
  const statement = { ...statementWith(COSIGN_VULN, {}), predicate };
  assert.equal(judge({ predicateType: COSIGN_VULN, statement, signer: "dana" }, [], EVERYTHING).acceptable, false);
});

property("nothing that looks like a result crashes its reader", [nearly], (result) => {
  const statement = { ...statementWith(COSIGN_VULN, {}), predicate: { ...cosignRecord({}), scanner: { result } } };
  judge({ predicateType: COSIGN_VULN, statement, signer: "dana" }, [], EVERYTHING);
});

property("no JSON is a VEX document that answers", [anything], (predicate) => {
  const statement = { ...statementWith(OPENVEX, {}), predicate };
  const scan = listing([{ id: "CVE-2026-1", severity: "high", fixed: false }]);
  const vex = { predicateType: OPENVEX, statement, signer: "alice" };
  assert.equal(judge(scan, [vex], { ...EVERYTHING, severityAtMost: "low", fixableOnly: false }).acceptable, false);
});

const VECTORS = ["trivy/image", "grype/image", "osv-scanner/source"].map(scanVector);

/** Replaces one value in a document by another. */
function altered(value: JsonValue, path: readonly number[], put: JsonValue): JsonValue {
  const [first, ...rest] = path;
  if (first === undefined || typeof value !== "object" || value === null) return put;
  const entries = Object.entries(value);
  const [name] = entries[first % Math.max(entries.length, 1)] ?? [];
  if (name === undefined) return put;
  const changed = entries.map(([key, item]): [string, JsonValue] => [
    key,
    key === name ? altered(item, rest, put) : item,
  ]);
  return Array.isArray(value) ? changed.map(([, item]) => item) : Object.fromEntries(changed);
}

property(
  "a scan with a vulnerability that refuses is not accepted for one broken value outside of it, nor does it crash",
  [fc.constantFrom(...VECTORS), fc.array(fc.nat(20), { maxLength: 8 }), anything],
  (vector, path, put) => {
    const predicate = altered(cosignRecord(vector), path, put);
    const statement = { ...statementWith(COSIGN_VULN, {}), predicate };
    const scan = { predicateType: COSIGN_VULN, statement, signer: "dana" };
    const assessment = judge(scan, [], { ...EVERYTHING, severityAtMost: "none", fixableOnly: false });
    // All three have more than one vulnerability: an alteration of a list, or of what is in it, may take them all away.
    if (assessment.acceptable) assert.ok(Array.isArray(put) || path.length >= 4, JSON.stringify([path, put]));
  },
);

property("no text crashes the readers of package URLs and vectors", [fc.string({ unit: "binary" })], (text) => {
  parsePurl(text);
  parsePurl(`pkg:${text}`);
  baseScore(text);
  baseScore(`CVSS:3.1/${text}`);
});

// --- what is taken away never helps -----------------------------------------------------------------------------------

interface Listed {
  readonly id: string;
  readonly severity: string;
  readonly fixed: boolean;
}

const IDS = ["CVE-2026-1", "CVE-2026-2", "CVE-2026-3"];
const ids = fc.constantFrom(...IDS);
const severities = fc.constantFrom(...SEVERITIES, "UNKNOWN", "");
const lists = fc.array(fc.record({ id: ids, severity: severities, fixed: fc.boolean() }), { maxLength: 4 });

/** As Trivy writes it. */
function listing(list: readonly Listed[]): SignedStatement {
  const Vulnerabilities = list.map(({ id, severity, fixed }) => ({
    VulnerabilityID: id,
    PkgName: "lib",
    Severity: severity,
    FixedVersion: fixed ? "2" : "",
  }));
  const result = { SchemaVersion: 2, Results: [{ Class: "os-pkgs", Vulnerabilities }] };
  return { predicateType: COSIGN_VULN, statement: statementWith(COSIGN_VULN, cosignRecord(result)), signer: "dana" };
}

const exceptions: fc.Arbitrary<VulnerabilityException> = fc
  .record({ id: ids, days: fc.integer({ min: -2, max: 2 }) })
  .map(({ id, days }) => ({
    id,
    owner: "x@acme.example",
    reason: "r",
    expires: instant(NOW + days * DAY),
    place: { label: "policy.yaml", line: 1, column: 1 },
  }));

const vexStatements: fc.Arbitrary<JsonObject> = fc.record({
  vulnerability: ids.map((name) => ({ name })),
  status: fc.constantFrom("not_affected", "fixed", "affected", "under_investigation", "unheard-of"),
  justification: fc.constantFrom("component_not_present", ""),
  timestamp: fc.constantFrom("2026-06-01T00:00:00Z", "2026-06-09T00:00:00Z"),
  products: fc.constantFrom([], [`pkg:oci/app@${SCANNED}`], ["pkg:oci/app"]),
});

const vexDocuments: fc.Arbitrary<SignedStatement> = fc
  .record({
    statements: fc.array(vexStatements, { maxLength: 3 }),
    timestamp: fc.constantFrom("2026-06-01T00:00:00Z", "2026-06-10T00:00:00Z"),
  })
  .map((parts) => ({
    predicateType: OPENVEX,
    statement: statementWith(OPENVEX, { "@context": "https://openvex.dev/ns/v0.2.0", ...parts }),
    signer: "alice",
  }));

const demandsOf = fc.record({
  maxAge: fc.constant(7 * DAY),
  severityAtMost: fc.constantFrom(...SEVERITIES),
  fixableOnly: fc.boolean(),
  except: fc.array(exceptions, { maxLength: 3 }),
  vexMaxAge: fc.constantFrom(undefined, 5 * DAY),
});
const documents = fc.array(vexDocuments, { maxLength: 3 });

/** That no part may be missing from: whatever is left out, no refusal becomes an acceptance. */
function neverHelps<Part>(parts: readonly Part[], isAccepted: (parts: readonly Part[]) => boolean): void {
  if (isAccepted(parts)) return;
  for (const at of parts.keys()) assert.ok(!isAccepted(parts.toSpliced(at, 1)), `without ${at}`);
}

property(
  "an exception that is taken away makes nothing acceptable",
  [lists, documents, demandsOf],
  (list, vex, demands) => {
    neverHelps(demands.except, (except) => judge(listing(list), vex, { ...demands, except }).acceptable);
  },
);

property(
  "a VEX document that is taken away makes nothing acceptable",
  [lists, documents, demandsOf],
  (list, vex, demands) => {
    neverHelps(vex, (left) => judge(listing(list), left, demands).acceptable);
  },
);

property(
  "a vulnerability that is added makes nothing acceptable",
  [lists, documents, demandsOf, lists],
  (list, vex, demands, more) => {
    if (judge(listing(list), vex, demands).acceptable) return;
    assert.ok(!judge(listing([...list, ...more]), vex, demands).acceptable);
  },
);

property("no order matters", [lists, documents, demandsOf], (list, vex, demands) => {
  const { except } = demands;
  const forwards = judge(listing(list), vex, demands);
  const backwards = judge(listing(list.toReversed()), vex.toReversed(), { ...demands, except: except.toReversed() });
  assert.equal(forwards.acceptable, backwards.acceptable);
  if (!forwards.acceptable && !backwards.acceptable) assert.equal(forwards.finding.code, backwards.finding.code);
});

property(
  "a stricter policy accepts nothing that a milder one refuses",
  [lists, documents, demandsOf, fc.constantFrom(...SEVERITIES)],
  (list, vex, demands, other) => {
    const isMilder = SEVERITIES.indexOf(other) >= SEVERITIES.indexOf(demands.severityAtMost);
    if (!isMilder || !judge(listing(list), vex, demands).acceptable) return;
    assert.ok(judge(listing(list), vex, { ...demands, severityAtMost: other }).acceptable);
  },
);
