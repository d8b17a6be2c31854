import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../../../src/core/errors.ts";
import { SEVERITIES } from "../../../../src/core/formats/scans/severity.ts";
import type { JsonObject, JsonValue } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { VulnerabilityException } from "../../../../src/core/policy/document.ts";
import {
  type Assessment,
  assessScan,
  SCAN_TYPES,
  type SignedStatement,
  VEX_TYPES,
  type VulnerabilityDemands,
} from "../../../../src/core/policy/vulnerabilities.ts";
import { instant } from "../../../../src/core/time.ts";
import {
  at,
  COSIGN_VULN,
  cosignRecord,
  OPENVEX,
  OTHER_IMAGE,
  SCANNED,
  scanVector,
  statementWith,
  VULNS_02,
} from "../../../support/scans.ts";

const DAY = 24 * 60 * 60 * 1000;
const NOW = at("2026-06-11T10:00:00Z");
const FINISHED = at("2026-06-10T10:00:00Z");
const DEMANDS: VulnerabilityDemands = { maxAge: 7 * DAY, severityAtMost: "medium", fixableOnly: false, except: [] };
const INDEX = scanVector("grype/image");

function signed(predicate: JsonObject, more: Partial<SignedStatement> = {}): SignedStatement {
  return { predicateType: COSIGN_VULN, statement: statementWith(COSIGN_VULN, predicate), signer: "dana", ...more };
}

/** A scan that in-toto's type can hold: names and severities. */
function found(...vulnerabilities: readonly (readonly [id: string, severity: string])[]): SignedStatement {
  const result = vulnerabilities.map(([id, score]) => ({ id, severity: [{ method: "nvd", score }] }));
  return signed(cosignRecord(result));
}

function assess(
  scan: SignedStatement,
  demands: Partial<VulnerabilityDemands> = {},
  vex: readonly SignedStatement[] = [],
  subject = SCANNED,
): Assessment {
  return assessScan(scan, vex, { ...DEMANDS, ...demands }, subject, NOW);
}

function accepted(assessment: Assessment): readonly Finding[] {
  assert.ok(assessment.acceptable, assessment.acceptable ? "" : assessment.finding.message);
  return assessment.warnings;
}

function refused(assessment: Assessment): Finding {
  assert.ok(!assessment.acceptable, "it was accepted");
  return assessment.finding;
}

function exception(id: string, expires = "2026-12-31T00:00:00Z"): VulnerabilityException {
  const place = { label: "policy.yaml", line: 14, column: 9 };
  return { id, owner: "x@acme.example", reason: "not reachable", expires: at(expires), place };
}

function vex(statements: readonly JsonObject[], more: Partial<SignedStatement> = {}): SignedStatement {
  const document = { "@context": "https://openvex.dev/ns/v0.2.0", timestamp: "2026-06-10T00:00:00Z", statements };
  return { predicateType: OPENVEX, statement: statementWith(OPENVEX, document), signer: "alice", ...more };
}

function notAffected(name: string): JsonObject {
  return { vulnerability: { name }, status: "not_affected", justification: "component_not_present" };
}

const TRIVY = signed(cosignRecord(scanVector("trivy/image")));

describe("a scan is accepted", () => {
  for (const name of ["trivy/image-clean", "grype/image-clean", "osv-scanner/image-clean"]) {
    it(`where it found nothing (${name})`, () => {
      const assessment = assess(signed(cosignRecord(scanVector(name))), { severityAtMost: "none" });
      assert.deepEqual(assessment, { acceptable: true, scannedAt: FINISHED, warnings: [] });
    });
  }

  it("where nothing is worse than the policy allows", () => {
    assert.deepEqual(accepted(assess(found(["CVE-2026-1", "medium"], ["CVE-2026-2", "low"]))), []);
    assert.deepEqual(accepted(assess(found(["CVE-2026-1", "critical"]), { severityAtMost: "critical" })), []);
    assert.deepEqual(accepted(assess(found(["CVE-2026-1", "none"]), { severityAtMost: "none" })), []);
  });

  it("in in-toto's own type", () => {
    const statement = statementWith(VULNS_02, scanVector("in-toto/v0.2"));
    assert.ok(
      assess({ predicateType: VULNS_02, statement, signer: "dana" }, { severityAtMost: "critical" }).acceptable,
    );
  });

  it("is gathered by its type, and so is VEX", () => {
    assert.equal(SCAN_TYPES.length, 4);
    assert.equal(VEX_TYPES.length, 1);
  });
});

describe("vulnerabilities that are too severe", () => {
  it("refuse, the worst named first, with packages and fixes", () => {
    assert.deepEqual(refused(assess(TRIVY)), {
      code: "vulnerable",
      message:
        "3 too severe: CVE-2026-2001 (critical) in libssl3 3.0.11-1~deb12u2, fixed in 3.0.13-1~deb12u1; " +
        "CVE-2026-2005 (unknown severity) in other-lib 2.0.0; CVE-2026-2002 (high) in zlib1g 1:1.2.13.dfsg-1",
      found: "1 critical, 1 of unknown severity, 1 high, says trivy 0.70.0",
      wanted: "nothing above medium",
    });
  });

  it("refuse by one alone, at every limit below it", () => {
    for (const [at, severity] of SEVERITIES.entries()) {
      for (const severityAtMost of SEVERITIES.slice(0, at)) {
        assert.equal(refused(assess(found(["CVE-2026-1", severity]), { severityAtMost })).code, "vulnerable");
      }
    }
  });

  it("refuse where their severity is unknown", () => {
    const { message } = refused(assess(found(["CVE-2026-1", "untriaged"]), { severityAtMost: "high" }));
    assert.equal(message, "1 too severe: CVE-2026-1 (unknown severity)");
  });

  it("are named once however often they are listed, and not all of them", () => {
    const many = Array.from({ length: 9 }, (_, index): [string, string] => [`CVE-2026-${index}`, "high"]);
    const { message } = refused(assess(found(...many, ...many)));
    assert.match(message, /^9 too severe: CVE-2026-0 \(high\); .*CVE-2026-4 \(high\); and 4 more$/);
  });

  it("do not hide each other behind long names", () => {
    const { message } = refused(assess(found(["A".repeat(100_000), "critical"], ["CVE-2026-2", "high"])));
    assert.ok(message.endsWith("…; CVE-2026-2 (high)"), message);
    assert.ok(message.length < LIMITS.messageCharacters);
  });
});

describe("where only what can be fixed counts", () => {
  it("what has no fix is let through, and told of", () => {
    const finding = refused(assess(TRIVY, { fixableOnly: true }));
    assert.match(finding.message, /^1 too severe: CVE-2026-2001 /);
    assert.equal(finding.wanted, "nothing that can be fixed above medium");
    const warnings = accepted(assess(TRIVY, { fixableOnly: true, except: [exception("CVE-2026-2001")] }));
    assert.deepEqual(warnings[1], {
      code: "vulnerable",
      message: "let through, since no fix is known",
      found: "CVE-2026-2005 (unknown severity) in other-lib 2.0.0; CVE-2026-2002 (high) in zlib1g 1:1.2.13.dfsg-1",
    });
  });

  it("what may have one counts: in-toto's list does not say", () => {
    assert.equal(refused(assess(found(["CVE-2026-1", "high"]), { fixableOnly: true })).code, "vulnerable");
  });
});

describe("exceptions for vulnerabilities", () => {
  const scan = found(["CVE-2026-1", "high"]);

  it("let them through until their day, and say on whose account", () => {
    assert.deepEqual(accepted(assess(scan, { except: [exception("CVE-2026-1")] })), [
      {
        code: "vulnerable",
        message: "let through until 2026-12-31T00:00:00Z for x@acme.example: not reachable",
        found: "CVE-2026-1 (high)",
        place: "policy.yaml:14",
      },
    ]);
  });

  it("apply by an alias, in any case", () => {
    const except = [exception("dsa-2001-1"), exception("cve-2026-2002"), exception("CVE-2026-2005")];
    assert.equal(accepted(assess(TRIVY, { except })).length, 4);
  });

  it("do not let through what is of another name", () => {
    for (const id of ["CVE-2026-11", "CVE-2026", "CVE-2026-2", "*", ""]) {
      assert.equal(refused(assess(scan, { except: [exception(id)] })).code, "vulnerable");
    }
  });

  it("do not let an advisory about several through for one of them", () => {
    const demands = {
      severityAtMost: "low",
      except: [exception("GHSA-2222-3333-4444"), exception("CVE-2026-2012")],
    } as const;
    const grype = signed(cosignRecord(INDEX));
    const one = { ...demands, except: [...demands.except, exception("CVE-2026-2010")] };
    assert.match(refused(assess(grype, one)).message, /^1 too severe: ALAS2023-2026-100/);
    accepted(assess(grype, { ...demands, except: [...demands.except, exception("ALAS2023-2026-100")] }));
  });

  it("that have ended let nothing through, and are named", () => {
    for (const ended of ["2026-06-11T10:00:00Z", "2026-06-11T09:59:59Z", "2020-01-01T00:00:00Z"]) {
      const { code, message } = refused(assess(scan, { except: [exception("CVE-2026-1", ended)] }));
      assert.equal(code, "vulnerable");
      assert.equal(
        message,
        `1 too severe: CVE-2026-1 (high); exception-expired: that for CVE-2026-1 of x@acme.example ended at ${ended} (policy.yaml:14)`,
      );
    }
    accepted(assess(scan, { except: [exception("CVE-2026-1", "2026-06-11T10:00:01Z")] }));
  });

  it("that have ended beside one that has not do not matter", () => {
    accepted(assess(scan, { except: [exception("CVE-2026-1", "2020-01-01T00:00:00Z"), exception("CVE-2026-1")] }));
  });
});

describe("VEX beside a scan", () => {
  const scan = found(["CVE-2026-1", "critical"], ["CVE-2026-2", "high"]);

  it("lets through what it answers for, and says who said so and why", () => {
    const fixed = { vulnerability: { name: "CVE-2026-2" }, status: "fixed" };
    assert.deepEqual(accepted(assess(scan, {}, [vex([notAffected("CVE-2026-1"), fixed])])), [
      {
        code: "vulnerable",
        message: "let through by VEX of alice",
        found: "CVE-2026-1 (critical): not_affected, component_not_present; CVE-2026-2 (high): fixed",
      },
    ]);
  });

  it("lets nothing else through", () => {
    assert.match(refused(assess(scan, {}, [vex([notAffected("CVE-2026-1")])])).message, /^1 too severe: CVE-2026-2 /);
    assert.equal(refused(assess(scan, {}, [])).code, "vulnerable");
  });

  it("that is not used is told of where it would have been needed", () => {
    const old = vex([notAffected("CVE-2026-1"), notAffected("CVE-2026-2")]);
    const finding = refused(assess(scan, { vexMaxAge: DAY }, [old]));
    assert.equal(
      finding.found,
      "1 critical, 1 high, says a scanner 1.0.0; VEX of alice is not used: it is too old".replace(
        "a scanner",
        "scanner",
      ),
    );
  });

  it("that somebody has contradicted since still answers, with a warning", () => {
    const later = { ...vex([]), signer: "bob" };
    const affected = { vulnerability: { name: "CVE-2026-1" }, status: "affected", timestamp: "2026-06-11T00:00:00Z" };
    const contrary = { ...later, statement: vex([affected]).statement };
    const [warning] = accepted(assess(found(["CVE-2026-1", "high"]), {}, [vex([notAffected("CVE-2026-1")]), contrary]));
    assert.match(warning?.found ?? "", /though bob has said otherwise since$/);
  });

  it("is no scan, and a scan is no VEX", () => {
    assert.equal(refused(assess(vex([notAffected("CVE-2026-1")]))).code, "scan-invalid");
    assert.equal(refused(assess(scan, {}, [scan])).code, "vulnerable");
  });
});

describe("the age of a scan", () => {
  it("is counted from when it was finished, or signed if that was earlier", () => {
    const scan = found();
    accepted(assess(scan, { maxAge: DAY }));
    const old = assess(scan, { maxAge: DAY - 1 });
    assert.deepEqual(refused(old), {
      code: "scan-old",
      message: "the scan is older than the policy allows",
      found: "of 2026-06-10T10:00:00Z, 1 day ago",
      wanted: "at most 86400s old",
      next: "scan this digest again and sign the result: countersign scan --attest",
    });
    assert.equal(old.scannedAt, FINISHED);
    accepted(assess({ ...scan, signedAt: at("2026-06-11T09:00:00Z") }, { maxAge: DAY }));
    assert.equal(refused(assess({ ...scan, signedAt: at("2026-06-01T00:00:00Z") }, { maxAge: DAY })).code, "scan-old");
    assert.equal(assess({ ...scan, signedAt: at("2026-06-09T00:00:00Z") }).scannedAt, at("2026-06-09T00:00:00Z"));
  });

  it("of an old result in a new record is that of the result", () => {
    const converted = signed(cosignRecord({ ...scanVector("trivy/image-clean"), CreatedAt: "2025-01-01T00:00:00Z" }));
    assert.equal(refused(assess(converted)).code, "scan-old");
  });

  it("is not below zero, but for what clocks differ, even if it was signed before", () => {
    const finished = (milliseconds: number): SignedStatement =>
      signed(cosignRecord([], new Date(NOW + milliseconds).toISOString()));
    accepted(assess(finished(LIMITS.scanSkewMs)));
    const { code, message } = refused(assess(finished(LIMITS.scanSkewMs + 1)));
    assert.deepEqual([code, message], ["scan-invalid", "the scan is of the future"]);
    assert.equal(refused(assess({ ...finished(DAY), signedAt: instant(NOW - DAY) })).code, "scan-invalid");
  });

  it("does not tell that the scanner knew nothing new: that is a warning", () => {
    const grype = { ...INDEX, matches: [], ignoredMatches: [] };
    const stale = { name: "grype", db: { built: "2026-05-01T00:00:00Z" }, timestamp: "2026-06-10T10:00:00Z" };
    assert.deepEqual(accepted(assess(signed({ ...grype, descriptor: stale }))), [
      {
        code: "scan-old",
        message: "what the scanner knew was older than a scan may be",
        found: "a database of 2026-05-01T00:00:00Z",
        wanted: "at most 7d old",
      },
    ]);
    assert.deepEqual(accepted(assess(signed(grype))), []);
  });
});

describe("the image of a scan", () => {
  const grype = signed(cosignRecord({ ...INDEX, matches: [], ignoredMatches: [] }));
  const manifest = `sha256:${"77aa03".repeat(11).slice(0, 64)}`;

  it("is the manifest or the index that the result names", () => {
    accepted(assess(grype));
    accepted(assess(grype, {}, [], manifest as typeof SCANNED));
  });

  it("is the one it was signed for where the result names none", () => {
    accepted(assess(found(), {}, [], OTHER_IMAGE));
    accepted(assess(signed(cosignRecord(scanVector("osv-scanner/image-clean"))), {}, [], OTHER_IMAGE));
  });

  it("is not another: a scan that was signed for the wrong digest is refused, with both", () => {
    assert.deepEqual(refused(assess(grype, {}, [], OTHER_IMAGE)), {
      code: "scan-invalid",
      message: "the scan is of another image than it was signed for",
      found: `a scan of ${manifest}, ${SCANNED}`,
      wanted: `a scan of ${OTHER_IMAGE}`,
      next: "scan this digest itself, in the registry or in a layout, and sign that: countersign scan --attest",
    });
    const trivy = signed(cosignRecord({ ...scanVector("trivy/image"), Results: [{ Class: "os-pkgs" }] }));
    accepted(assess(trivy));
    assert.equal(refused(assess(trivy, {}, [], OTHER_IMAGE)).code, "scan-invalid");
  });

  it("is not that of one platform for the whole index, nor for another platform", () => {
    const target = { manifestDigest: manifest, repoDigests: [] };
    const one = signed(cosignRecord({ ...INDEX, matches: [], source: { type: "image", target } }));
    assert.equal(refused(assess(one)).code, "scan-invalid");
    accepted(assess(one, {}, [], manifest as typeof SCANNED));
  });
});

describe("a scan that cannot be read", () => {
  const PREDICATES: readonly (readonly [string, JsonValue])[] = [
    ["is empty", {}],
    ["has no result", { scanner: {}, metadata: { scanFinishedOn: "2026-06-10T10:00:00Z" } }],
    ["has null for a result", cosignRecord(JSON.parse("null"))],
    ["is of a scanner that is not known", cosignRecord({ ok: true, vulnerabilities: [] })],
    ["recognised nothing", cosignRecord(scanVector("trivy/image-nothing-recognised"))],
    ["has no time", scanVector("osv-scanner/image-clean")],
  ];
  for (const [what, predicate] of PREDICATES) {
    it(`since it ${what} is refused, and does not count as one without vulnerabilities`, () => {
      const statement = { ...statementWith(COSIGN_VULN, {}), predicate };
      const all = { severityAtMost: "critical", fixableOnly: true, maxAge: Number.MAX_SAFE_INTEGER } as const;
      assert.equal(
        refused(assess({ predicateType: COSIGN_VULN, statement, signer: "dana" }, all)).code,
        "scan-invalid",
      );
    });
  }

  it("since it is too large is undetermined", () => {
    const list = Array.from({ length: LIMITS.scanVulnerabilities + 1 }, () => ({ id: "CVE-2026-1" }));
    assert.equal(refused(assess(signed(cosignRecord(list)))).code, "limit-reached");
  });
});

describe("warnings", () => {
  it("differ in what was found: those that are alike are told once", () => {
    const demands = { fixableOnly: true, severityAtMost: "low", except: [exception("CVE-2026-2004")] } as const;
    const warnings = accepted(assess(TRIVY, demands, [vex([notAffected("CVE-2026-2001")])]));
    assert.equal(
      new Set(warnings.map(({ code, found, wanted, place }) => [code, found, wanted, place].join())).size,
      4,
    );
  });
});

describe("a scan's own doubts", () => {
  it("are warnings", () => {
    const demands = { severityAtMost: "critical" } as const;
    assert.deepEqual(accepted(assess(TRIVY, demands)), [
      {
        code: "vulnerable",
        message: "the scanner did not see or tell all",
        found: "it left out 1 that it had found",
      },
    ]);
  });
});
