import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Vulnerability } from "../../../src/core/formats/scans/scan.ts";
import type { Severity } from "../../../src/core/formats/scans/severity.ts";
import { VULN_PREDICATE } from "../../../src/core/formats/vuln-predicate.ts";
import type { ImageScan, ScannedImage } from "../../../src/core/results.ts";
import { instant } from "../../../src/core/time.ts";
import { refusedFrom } from "../../../src/ops/scan.ts";
import { scannedDocument, scannedText } from "../../../src/report/scan.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { digest } from "../../support/verdicts.ts";

const SCHEMA: Schema = JSON.parse(readFileSync(new URL("../../../docs/schemas/scan.json", import.meta.url), "utf8"));
const AT = instant(Date.UTC(2026, 7, 30, 12));

function vulnerability(id: string, severity: Severity | "unknown", more: Partial<Vulnerability> = {}): Vulnerability {
  return { id, aliases: [], severity, fixedIn: [], fixable: undefined, ...more };
}

const FIXED = { package: { name: "acme-libc", version: "1.0-1" }, fixedIn: ["1.0-2", "1.1"], fixable: true };

function imageScan(vulnerabilities: readonly Vulnerability[], notes: readonly string[] = []): ImageScan {
  const database = { version: "2", lastUpdate: "2026-08-29T06:00:00Z" };
  const uri = "pkg:github/aquasecurity/trivy@0.70.0";
  return {
    record: { uri, version: "0.70.0", database, parameters: ["image"], startedAt: AT, finishedAt: AT },
    result: Buffer.from("{}"),
    scan: { scanner: { name: "trivy" }, finishedAt: AT, digests: [], vulnerabilities, notes },
  };
}

function image(more: Partial<ScannedImage> = {}): ScannedImage {
  return { image: "app:1", name: `registry.example/app:1@${digest("9f")}`, digest: digest("9f"), ...more };
}

const ATTESTATION = {
  predicateType: VULN_PREDICATE,
  outcomes: [{ digest: digest("9f"), format: "bundle", state: "signed", manifest: digest("c") }],
} as const;

const FAILED = { code: "scanner-error", message: "trivy is not installed" } as const;

describe("what a scan found", () => {
  it("is told with the worst first, what can be fixed, and what was stored", () => {
    const found = [
      vulnerability("CVE-2024-1", "low"),
      vulnerability("GHSA-x", "critical", { ...FIXED, aliases: ["CVE-2024-2", "GO-2024-1"] }),
      vulnerability("CVE-2024-3", "unknown", { fixable: true }),
    ];
    const scan = imageScan(found, ["its debian 8 gets no more advisories: what is new in it is not known"]);
    assert.equal(
      scannedText([image({ scan, attestation: ATTESTATION })]),
      `scanned       registry.example/app:1@${digest("9f")}
  scanner       trivy 0.70.0
  database      2 of 2026-08-29T06:00:00Z
  found         3 vulnerabilities: 1 critical, 1 unknown, 1 low; 2 can be fixed
  critical      GHSA-x CVE-2024-2 in acme-libc 1.0-1, fixed in 1.0-2 or 1.1
  unknown       CVE-2024-3, fixed
  low           CVE-2024-1
  note          its debian 8 gets no more advisories: what is new in it is not known
  attested      vuln (${VULN_PREDICATE})
  stored        Sigstore bundle in ${digest("c")}
`,
    );
  });

  it("is told where it is nothing, and of which platform", () => {
    const text = scannedText([image({ platform: "linux/arm64", index: digest("1"), scan: imageScan([]) })]);
    assert.match(text, new RegExp(`platform {6}linux/arm64 of index ${digest("1")}`));
    assert.match(text, /found {9}no vulnerabilities\n/);
    assert.match(scannedText([image({ scan: imageScan([vulnerability("A", "low")]) })]), /none is known to be fixed/);
  });

  it("is cut short where it is long, and says so", () => {
    const many = Array.from({ length: 120 }, (_, at) => vulnerability(`CVE-2024-${at}`, "low"));
    const text = scannedText([image({ scan: imageScan(many) })]);
    assert.equal(text.match(/CVE-2024-/g)?.length, 50);
    assert.match(text, /70 more, all of them with -o json/);
  });

  it("has what a scanner names escaped", () => {
    const evil = vulnerability("CVE-2024-1\u001b[2J", "low", { package: { name: "a\nb" }, fixedIn: ["\u202e1"] });
    const text = scannedText([image({ scan: imageScan([evil]) })]);
    assert.ok(text.includes("CVE-2024-1\\x1b[2J in a\\nb, fixed in \\u{202e}1"), text);
  });

  it("says why there is none", () => {
    const text = scannedText([image({ finding: FAILED })]);
    assert.match(text, /^failed {8}registry.* scanner-error\n {2}because {7}trivy is not installed\n {2}next/);
  });

  it("as JSON fits docs/schemas/scan.json, failures and indexes too", () => {
    const images = [
      image({
        scan: imageScan([vulnerability("A", "critical", FIXED), vulnerability("B", "unknown")]),
        attestation: ATTESTATION,
      }),
      image({ platform: "linux/arm64", index: digest("1"), scan: imageScan([]) }),
      image({ attestation: ATTESTATION }),
      image({ digest: undefined, finding: FAILED }),
      refusedFrom(image({ scan: imageScan([vulnerability("A", "high")]) }), "medium"),
      image({ attestation: { ...ATTESTATION, finding: FAILED }, finding: FAILED }),
    ];
    const document = JSON.parse(scannedDocument(images));
    assert.deepEqual(violations(document, SCHEMA), []);
    assert.deepEqual(
      document.images.map(({ state }: { state: string }) => state),
      ["scanned", "scanned", "attested", "failed", "scanned", "failed"],
    );
  });
});

describe("--fail-on", () => {
  const scanned = (...found: readonly Vulnerability[]) => image({ scan: imageScan(found) });

  it("refuses what is as bad or worse, and what nobody has rated", () => {
    for (const severity of ["high", "critical", "unknown"] as const) {
      const { finding } = refusedFrom(scanned(vulnerability("A", "low"), vulnerability("B", severity)), "high");
      assert.equal(finding?.code, "vulnerable");
      assert.equal(finding?.found, `B (${severity})`);
    }
  });

  it("lets pass what is milder, and nothing", () => {
    for (const severity of ["none", "low", "medium"] as const) {
      assert.equal(refusedFrom(scanned(vulnerability("A", severity)), "high").finding, undefined);
    }
    assert.equal(refusedFrom(scanned(), "low").finding, undefined);
  });

  it("leaves a failure what it was", () => {
    const failed = { ...scanned(vulnerability("A", "critical")), finding: FAILED };
    assert.equal(refusedFrom(failed, "low").finding, FAILED);
    assert.equal(refusedFrom(image({ finding: FAILED }), "low").finding, FAILED);
  });
});
