import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../../../src/core/formats/envelope.ts";
import type { Judgement } from "../../../../src/core/verify/verify.ts";
import { attestedBy, JUDGED_AT, judgedBy, policyText, rulebookOf } from "../../../support/policies.ts";
import { bundleOf, type TestSigner, testSigner, testSubject } from "../../../support/signatures.ts";
import { DAY } from "../../../support/sigstore/times.ts";

const scanner = testSigner("scanner.pub");
const security = testSigner("security.pub");
const mallory = testSigner("mallory.pub");
const subject = testSubject();
const { digest } = subject.descriptor;
const other = testSubject("another image").descriptor.digest;
const PEOPLE = { scanner: "{key: scanner.pub}", security: "{key: security.pub}" };
const KEYS = { "scanner.pub": scanner.publicKey, "security.pub": security.publicKey };
const SCANS = "https://in-toto.io/attestation/vulns/v0.2";
const VEX = "https://openvex.dev/ns/v0.2.0";
const throttled: Finding = { code: "throttled", message: "the registry throttles" };

const at = (days: number): string => new Date(JUDGED_AT + days * DAY).toISOString();

/** A scan that was finished so many days ago, with vulnerabilities of these severities. */
function scan(days: number, severities: readonly string[] = [], by: TestSigner = scanner, about = digest) {
  return attestedBy(by, about, SCANS, {
    scanner: {
      uri: "pkg:github/example/scanner@1",
      version: "1",
      result: severities.map((severity, n) => ({
        id: `CVE-2026-100${n}`,
        severity: [{ method: "nvd", score: severity }],
      })),
    },
    metadata: { scanStartedOn: at(days), scanFinishedOn: at(days) },
  });
}

function vex(status: string, by: TestSigner = security) {
  return attestedBy(by, digest, VEX, {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example.com/vex/1",
    author: "security@example.com",
    timestamp: at(-1),
    version: 1,
    statements: [
      {
        vulnerability: { name: "CVE-2026-1000" },
        products: [{ "@id": `pkg:oci/app@${digest}`, hashes: { "sha-256": digest.slice("sha256:".length) } }],
        status,
        ...(status === "not_affected" && { justification: "vulnerable_code_not_present" }),
      },
    ],
  });
}

async function judged(
  candidates: readonly UntrustedCandidate[],
  more = "",
  obstacles: readonly Finding[] = [],
): Promise<Judgement> {
  const require = `{vulnerabilities: {scannedBy: scanner, maxAge: 7d, severityAtMost: medium${more}}}`;
  return await judgedBy(rulebookOf(policyText(PEOPLE, require), { keys: KEYS }), { subject, candidates, obstacles });
}

function is(status: Judgement["status"], judgement: Judgement, code?: string): void {
  assert.deepEqual([judgement.status, judgement.reasons[0]?.code], [status, code], JSON.stringify(judgement.reasons));
}

describe("a requirement on vulnerabilities", () => {
  it("is met by a fresh scan that names nothing too severe", async () => {
    is("accepted", await judged([scan(-1)]));
    is("accepted", await judged([scan(-1, ["medium"])]));
  });

  it("is refused without a scan, also beside signatures and other statements", async () => {
    is("refused", await judged([]), "unscanned");
    is("refused", await judged([bundleOf(mallory, digest)]), "unscanned");
    is("refused", await judged([attestedBy(scanner, digest, "https://slsa.dev/provenance/v1")]), "unattested");
  });

  it("is refused where the scan is by somebody else, of another digest or old", async () => {
    is("refused", await judged([scan(-1, [], mallory)]), "unscanned");
    is("refused", await judged([scan(-1, [], scanner, other)]), "wrong-digest");
    is("refused", await judged([scan(-8)]), "scan-old");
  });

  it("is refused for what is too severe, and for a scan that is none", async () => {
    is("refused", await judged([scan(-1, ["high"])]), "vulnerable");
    is("refused", await judged([attestedBy(scanner, digest, SCANS, { nothing: true })]), "scan-invalid");
  });

  it("is undetermined where there is no good scan and one may be what could not be read", async () => {
    is("undetermined", await judged([], "", [throttled]), "throttled");
    is("undetermined", await judged([scan(-1, ["high"])], "", [throttled]), "throttled");
    is("accepted", await judged([scan(-1)], "", [throttled]));
  });

  it("is met by any acceptable scan; a newer one that is not is warned of", async () => {
    const judgement = await judged([scan(-3), scan(-1, ["critical"])]);
    is("accepted", judgement);
    assert.equal(judgement.warnings?.[0]?.code, "vulnerable");
    assert.match(judgement.warnings?.[0]?.message ?? "", /^a newer scan/);
    const older = await judged([scan(-1), scan(-3, ["critical"])]);
    assert.equal(older.warnings, undefined);
  });

  it("is not lifted by an old good scan beside a bad one", async () => {
    is("refused", await judged([scan(-9), scan(-1, ["critical"])]), "vulnerable");
  });

  it("does not call a scan that is refused one that counts", async () => {
    const { signatures } = await judged([scan(-1, ["high"])]);
    assert.deepEqual([signatures[0]?.accepted, signatures[0]?.finding?.code], [false, "vulnerable"]);
  });
});

describe("VEX", () => {
  const BELIEVED = ", vex: {by: security}";

  it("answers for a vulnerability where it is by somebody who is believed in that", async () => {
    const judgement = await judged([scan(-1, ["high"]), vex("not_affected")], BELIEVED);
    is("accepted", judgement);
    assert.equal(judgement.signatures.filter(({ accepted }) => accepted).length, 2);
    assert.ok((judgement.warnings ?? []).length > 0);
  });

  it("answers whatever the order in which both are found", async () => {
    is("accepted", await judged([vex("not_affected"), scan(-1, ["high"])], BELIEVED));
  });

  it("does not answer where nobody is believed, by somebody else, or where it says that the image is affected", async () => {
    is("refused", await judged([scan(-1, ["high"]), vex("not_affected")]), "vulnerable");
    is("refused", await judged([scan(-1, ["high"]), vex("not_affected", mallory)], BELIEVED), "vulnerable");
    is("refused", await judged([scan(-1, ["high"]), vex("not_affected", scanner)], BELIEVED), "vulnerable");
    is("refused", await judged([scan(-1, ["high"]), vex("under_investigation")], BELIEVED), "vulnerable");
  });

  it("is no scan", async () => is("refused", await judged([vex("not_affected")], BELIEVED), "unscanned"));
});

describe("a scan among other requirements", () => {
  it("is met by somebody else than who signs, in a threshold over both", async () => {
    const leaf = "{vulnerabilities: {scannedBy: [scanner, security], maxAge: 7d, severityAtMost: medium}}";
    const require = `{threshold: {count: 2, of: [{signature: {by: [scanner, security]}}, ${leaf}]}}`;
    const judge = async (...candidates: readonly UntrustedCandidate[]) =>
      await judgedBy(rulebookOf(policyText(PEOPLE, require), { keys: KEYS }), { subject, candidates });
    is("refused", await judge(bundleOf(scanner, digest), scan(-1)), "threshold-not-met");
    is("accepted", await judge(bundleOf(security, digest), scan(-1)));
    is("refused", await judge(bundleOf(security, digest), scan(-1, ["high"])), "threshold-not-met");
  });
});
