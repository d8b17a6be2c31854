import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { DAY, NOW } from "../sigstore/times.ts";
import type { Attesting, Person, Scene } from "./scene.ts";
import type { CaseSpec, PolicySpec } from "./spec.ts";

function scans(members: string): PolicySpec {
  return { require: `{vulnerabilities: {scannedBy: scanner, maxAge: 7d, ${members}}}` };
}

const MEDIUM = scans("severityAtMost: medium");

interface Found {
  readonly id?: string;
  readonly severity?: string;
  readonly fixedIn?: string;
}

/** A scan in cosign's record with a result in Grype's form. */
function scan(
  scene: Scene,
  found: readonly Found[],
  { by = "scanner", daysAgo = 1, ...more }: Scanning = {},
): UntrustedCandidate {
  const finished = new Date(NOW - daysAgo * DAY).toISOString();
  const predicate = {
    invocation: { parameters: null, uri: "", event_id: "", "builder.id": "" },
    scanner: {
      uri: "pkg:github/anchore/grype@0.92.0",
      version: "0.92.0",
      db: { uri: "", version: "" },
      result: grype(found),
    },
    metadata: { scanStartedOn: finished, scanFinishedOn: finished },
  };
  return scene.attested(by, "vuln", { predicate, ...more });
}

interface Scanning extends Attesting {
  readonly by?: Person;
  readonly daysAgo?: number;
}

function grype(found: readonly Found[]) {
  return {
    matches: found.map(({ id = "CVE-2026-1", severity = "Critical", fixedIn }) => ({
      vulnerability: {
        id,
        severity,
        fix: fixedIn === undefined ? { versions: [], state: "not-fixed" } : { versions: [fixedIn], state: "fixed" },
      },
      relatedVulnerabilities: [],
      artifact: { name: "libexample", version: "1.0" },
    })),
    descriptor: { name: "grype", version: "0.92.0" },
  };
}

function vex(scene: Scene, status: string, { by = "alice", ...more }: Scanning = {}): UntrustedCandidate {
  const why = status === "not_affected" ? { justification: "vulnerable_code_not_present" } : {};
  const statements = [
    {
      vulnerability: { name: "CVE-2026-1" },
      status,
      ...why,
      ...(status === "affected" && { action_statement: "update" }),
    },
  ];
  const predicate = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example.com/vex/1",
    author: "alice",
    timestamp: "2026-05-20T00:00:00Z",
    version: 1,
    statements,
  };
  return scene.attested(by, "openvex", { predicate, ...more });
}

const EXCEPT = (expires: string) =>
  scans(
    `severityAtMost: medium, except: [{id: CVE-2026-1, owner: alice@example.com, reason: "not reachable", expires: ${expires}}]`,
  );
const WITH_VEX = scans("severityAtMost: medium, vex: {by: alice, maxAge: 90d}");

/** What a signed scan says. */
export const SCAN_CASES: readonly CaseSpec[] = [
  {
    name: "vulnerabilities/none-found",
    about: "a fresh scan that found nothing",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [])],
    expected: "accepted",
  },
  {
    name: "vulnerabilities/not-scanned",
    about: "nobody scanned it: that nothing is known is not that there is nothing",
    policy: MEDIUM,
    expected: "refused unscanned",
  },
  {
    name: "vulnerabilities/signed-but-not-scanned",
    about: "a signature by the scanner's key is no scan",
    policy: MEDIUM,
    evidence: (scene) => [scene.signed("scanner")],
    expected: "refused unattested, unscanned",
  },
  {
    name: "vulnerabilities/scanned-by-another",
    about: "a scan by somebody who is not believed",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [], { by: "mallory" })],
    expected: "refused unscanned, wrong-key",
  },
  {
    name: "vulnerabilities/scan-of-another-image",
    about: "a clean scan that was copied from another image",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [], { about: scene.other })],
    expected: "refused wrong-digest, unscanned",
  },
  {
    name: "vulnerabilities/too-old",
    about: "a scan of last month",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [], { daysAgo: 30 })],
    expected: "refused scan-old",
  },
  {
    name: "vulnerabilities/too-old-tomorrow",
    about: "a scan that is recent today and is not in a week",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [])],
    now: "2026-06-08T12:00:01Z",
    expected: "refused scan-old",
  },
  {
    name: "vulnerabilities/of-the-future",
    about: "a scan that was finished tomorrow",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [], { daysAgo: -1 })],
    expected: "refused scan-invalid",
  },
  {
    name: "vulnerabilities/no-scan-at-all",
    about: "a record whose result is of no known form",
    policy: MEDIUM,
    evidence: (scene) => [scene.attested("scanner", "vuln", { predicate: { scanner: { result: {} }, metadata: {} } })],
    expected: "refused scan-invalid",
  },
  {
    name: "vulnerabilities/as-severe-as-allowed",
    about: "medium is allowed",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [{ severity: "Medium" }, { id: "CVE-2026-2", severity: "Low" }])],
    expected: "accepted",
  },
  {
    name: "vulnerabilities/more-severe",
    about: "high is not",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [{ severity: "High" }])],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/of-unknown-severity",
    about: "what nobody has rated counts as critical",
    policy: scans("severityAtMost: high"),
    evidence: (scene) => [scan(scene, [{ severity: "Unknown" }])],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/none-allowed",
    about: "where none is allowed the least one refuses",
    policy: scans("severityAtMost: none"),
    evidence: (scene) => [scan(scene, [{ severity: "Low" }])],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/nothing-mends-it",
    about: "only those count for which there is a fix",
    policy: scans("severityAtMost: medium, fixableOnly: true"),
    evidence: (scene) => [scan(scene, [{}])],
    expected: "accepted",
    warnings: ["vulnerable"],
  },
  {
    name: "vulnerabilities/something-mends-it",
    about: "there is a fix",
    policy: scans("severityAtMost: medium, fixableOnly: true"),
    evidence: (scene) => [scan(scene, [{ fixedIn: "1.1" }])],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/excepted",
    about: "somebody answers for it until next year",
    policy: EXCEPT("2027-01-31T00:00:00Z"),
    evidence: (scene) => [scan(scene, [{}])],
    expected: "accepted",
    warnings: ["vulnerable"],
  },
  {
    name: "vulnerabilities/excepted-until-yesterday",
    about: "the exception has come to its end",
    policy: EXCEPT("2026-05-31T00:00:00Z"),
    evidence: (scene) => [scan(scene, [{}])],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/another-is-excepted",
    about: "an exception answers for its own vulnerability",
    policy: EXCEPT("2027-01-31T00:00:00Z"),
    evidence: (scene) => [scan(scene, [{ id: "CVE-2026-10" }])],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/not-affected",
    about: "a VEX statement that is believed says that the image is not affected",
    policy: WITH_VEX,
    evidence: (scene) => [scan(scene, [{}]), vex(scene, "not_affected")],
    expected: "accepted",
    warnings: ["vulnerable"],
  },
  {
    name: "vulnerabilities/vex-by-another",
    about: "a VEX statement by somebody who is not believed",
    policy: WITH_VEX,
    evidence: (scene) => [scan(scene, [{}]), vex(scene, "not_affected", { by: "mallory" })],
    expected: "refused vulnerable, wrong-key",
  },
  {
    name: "vulnerabilities/vex-of-another-image",
    about: "a VEX statement about another image",
    policy: WITH_VEX,
    evidence: (scene) => [scan(scene, [{}]), vex(scene, "not_affected", { about: scene.other })],
    expected: "refused vulnerable, wrong-key",
  },
  {
    name: "vulnerabilities/vex-too-old",
    about: "a VEX statement of last year",
    policy: scans("severityAtMost: medium, vex: {by: alice, maxAge: 7d}"),
    evidence: (scene) => [scan(scene, [{}]), vex(scene, "not_affected")],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/under-investigation",
    about: "that somebody is looking into it answers nothing",
    policy: WITH_VEX,
    evidence: (scene) => [scan(scene, [{}]), vex(scene, "under_investigation")],
    expected: "refused vulnerable",
  },
  {
    name: "vulnerabilities/vex-without-a-scan",
    about: "VEX answers for what a scan found, and is no scan",
    policy: WITH_VEX,
    evidence: (scene) => [vex(scene, "not_affected")],
    expected: "refused unscanned",
  },
  {
    name: "vulnerabilities/newer-scan-is-worse",
    about: "a newer scan that found something is a warning: whoever could delete it could hide it anyway",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [], { daysAgo: 3 }), scan(scene, [{}], { daysAgo: 1 })],
    expected: "accepted",
    warnings: ["vulnerable"],
  },
  {
    name: "vulnerabilities/older-scan-was-worse",
    about: "what an older scan found says nothing beside a newer one",
    policy: MEDIUM,
    evidence: (scene) => [scan(scene, [{}], { daysAgo: 3 }), scan(scene, [], { daysAgo: 1 })],
    expected: "accepted",
  },
];
