import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { CountersignError } from "../../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import type { Digest } from "../../../src/core/oci/digest.ts";
import { MEDIA_TYPES } from "../../../src/core/oci/media-types.ts";
import { type VerifiedImage, verifyImage } from "../../../src/ops/verify.ts";
import { makeIndex, pushImage, type TestImage } from "../../support/images.ts";
import { MemoryStore } from "../../support/memory-store.ts";
import { attestedBy, JUDGED_AT, rulebookOf } from "../../support/policies.ts";
import { bundleOf, type TestSigner, testSigner } from "../../support/signatures.ts";
import { DAY } from "../../support/sigstore/times.ts";

/** Whoever writes to a registry takes evidence away, adds some, or keeps it from being read: every way, at the real door. */

const NAME = "registry.example.com/team/app";
const [alice, bob, scanner, mallory] = ["alice", "bob", "scanner", "mallory"].map((who) =>
  testSigner(`${who}.pub`),
) as [TestSigner, TestSigner, TestSigner, TestSigner];
const KEYS = Object.fromEntries([alice, bob, scanner].map(({ publicKey }) => [publicKey.label, publicKey]));
const IDENTITIES =
  "identities: {alice: {key: alice.pub}, bob: {key: bob.pub}, scanner: {key: scanner.pub}}\nroles: {team: [alice, bob]}\n";

const TESTED = "https://in-toto.io/attestation/test-result/v0.1";
const at = (days: number): string => new Date(JUDGED_AT + days * DAY).toISOString();

function scanOf(image: Digest, days: number, ...severities: readonly string[]): UntrustedCandidate {
  const result = severities.map((score, n) => ({ id: `CVE-2026-100${n}`, severity: [{ method: "nvd", score }] }));
  return attestedBy(scanner, image, "https://in-toto.io/attestation/vulns/v0.2", {
    scanner: { uri: "pkg:github/example/scanner@1", version: "1", result },
    metadata: { scanStartedOn: at(days), scanFinishedOn: at(days) },
  });
}

function vexOf(image: Digest, status: string, days: number): UntrustedCandidate {
  const justification = "vulnerable_code_not_present";
  return attestedBy(alice, image, "https://openvex.dev/ns/v0.2.0", {
    "@context": "https://openvex.dev/ns/v0.2.0",
    "@id": "https://example.com/vex/1",
    author: "alice@example.com",
    timestamp: at(days),
    version: 1,
    statements: [
      { vulnerability: { name: "CVE-2026-1000" }, status, ...(status === "not_affected" && { justification }) },
    ],
  });
}

/** A piece of evidence beside a manifest. */
interface Piece {
  readonly about: Digest;
  readonly candidate: UntrustedCandidate;
}

const INDEX = await makeIndex({ platforms: [{ os: "linux", architecture: "amd64" }] });
const ROOT = INDEX.manifest.descriptor.digest;
const CHILD = INDEX.children[0]?.manifest.descriptor.digest ?? ROOT;
const onRoot = (...candidates: readonly UntrustedCandidate[]): readonly Piece[] =>
  candidates.map((candidate) => ({ about: ROOT, candidate }));

const SIGNATURES = [
  ...onRoot(bundleOf(alice, ROOT), bundleOf(bob, ROOT, { env: "prod" })),
  { about: CHILD, candidate: bundleOf(alice, CHILD) },
  ...onRoot(attestedBy(bob, ROOT, TESTED, { result: "PASSED" }), attestedBy(bob, ROOT, TESTED, { result: "FAILED" })),
  ...onRoot(bundleOf(mallory, ROOT), bundleOf(alice, CHILD)),
];
const SCANS = onRoot(
  scanOf(ROOT, -1, "critical"),
  scanOf(ROOT, -2, "low"),
  scanOf(ROOT, -9),
  vexOf(ROOT, "not_affected", -1),
  vexOf(ROOT, "affected", 0),
  scanOf(CHILD, -1),
  bundleOf(alice, ROOT),
);

const POLICIES: readonly (readonly [require: string, pieces: readonly Piece[], rule?: string])[] = [
  ["{signature: {by: alice}}", SIGNATURES],
  ["{signature: {by: alice}}", SIGNATURES, ", platforms: each"],
  ["{signature: {by: team, threshold: 2}}", SIGNATURES],
  ["{signature: {by: team, annotations: {env: prod}}}", SIGNATURES],
  ["{attestation: {type: test-result, by: bob, where: 'predicate.result == \"PASSED\"'}}", SIGNATURES],
  ["{attestation: {type: test-result, by: bob, where: 'predicate.result != \"FAILED\"'}}", SIGNATURES],
  ["{threshold: {count: 2, of: [{signature: {by: team}}, {attestation: {type: test-result, by: bob}}]}}", SIGNATURES],
  ["{all: [{signature: {by: alice}}, {any: [{signature: {by: bob}}, {never: closed}]}]}", SIGNATURES],
  ["{any: [{never: closed}]}", SIGNATURES],
  ["{signature: {by: alice, maxAge: 1d}}", SIGNATURES],
  ["{vulnerabilities: {scannedBy: scanner, maxAge: 7d, severityAtMost: medium}}", SCANS],
  ["{vulnerabilities: {scannedBy: scanner, maxAge: 36h, severityAtMost: medium, vex: {by: alice}}}", SCANS],
  ["{vulnerabilities: {scannedBy: team, maxAge: 7d, severityAtMost: critical}}", SCANS],
];

function referrer({ about, candidate }: Piece, store: MemoryStore): TestImage["manifest"] {
  const bytes = candidate.format === "bundle" ? candidate.bytes : new Uint8Array();
  const layer = store.addBlob(bytes, "application/vnd.dev.sigstore.bundle.v0.3+json");
  const config = store.addBlob(new TextEncoder().encode("{}"), MEDIA_TYPES.ociEmpty);
  const subject = store.manifests.get(about);
  return store.addManifest(
    {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: layer.mediaType,
      config,
      layers: [layer],
      subject: { mediaType: subject?.mediaType, digest: about, size: subject?.bytes.byteLength },
    },
    MEDIA_TYPES.ociManifest,
  );
}

/** Of these pieces by nothing: nobody has scanned whom that believes, and no time is proven. */
const UNMEETABLE: ReadonlySet<string> = new Set([
  "{any: [{never: closed}]}",
  "{signature: {by: alice, maxAge: 1d}}",
  "{vulnerabilities: {scannedBy: team, maxAge: 7d, severityAtMost: critical}}",
]);

/** What the door makes of these pieces, the ones at `unread` kept from being read. */
async function outcome(
  [require, pieces, rule = ""]: (typeof POLICIES)[number],
  present: number,
  unread = 0,
): Promise<VerifiedImage["verdicts"][number]["status"] | undefined> {
  const store = new MemoryStore("registry", NAME);
  await pushImage(store, INDEX, "1.0");
  const blocked = new Set<string>();
  for (const [n, piece] of pieces.entries()) {
    if (((present | unread) & (1 << n)) === 0) continue;
    const { digest } = referrer(piece, store).descriptor;
    if ((unread & (1 << n)) !== 0) blocked.add(`manifest ${digest}`);
  }
  store.misbehaviour = {
    before: (call) => {
      if (blocked.has(call)) throw new CountersignError("throttled", "on purpose");
    },
  };
  const yaml = `apiVersion: countersign/v1\n${IDENTITIES}rules:\n  - {images: ${NAME}, require: ${require}${rule}}\n`;
  const { verdicts } = await verifyImage(
    { image: NAME, store, tag: "1.0" },
    { requirement: rulebookOf(yaml, { keys: KEYS }) },
  );
  return verdicts[0]?.status;
}

for (const policy of POLICIES) {
  const [require, pieces, rule = ""] = policy;
  describe(`${require}${rule}`, () => {
    const everything = 1 << pieces.length;
    const statuses: (string | undefined)[] = [];
    before(async () => {
      for (let present = 0; present < everything; present += 1) statuses.push(await outcome(policy, present));
    });

    it("accepts with everything what can be accepted at all; nothing where there is nothing, and is never in doubt where all can be read", () => {
      assert.equal(statuses[0], "refused");
      assert.equal(statuses.at(-1), UNMEETABLE.has(require) ? "refused" : "accepted");
      assert.deepEqual(
        statuses.filter((status) => status !== "accepted" && status !== "refused"),
        [],
      );
    });

    it("accepts no less with any piece more, whatever is there", () => {
      for (const [present, status] of statuses.entries()) {
        for (let piece = 1; piece < everything; piece <<= 1) {
          if (status === "accepted") assert.equal(statuses[present | piece], "accepted", `${present} and ${piece}`);
        }
      }
    });

    it("says that it could not look, and only then, where an unread piece could have made the difference", async () => {
      for (let piece = 1; piece < everything; piece <<= 1) {
        const rest = everything - 1 - piece;
        for (const present of [0, rest, rest & 0b0101010, rest & 0b1010101]) {
          const [without, unread] = [statuses[present], await outcome(policy, present, piece)];
          assert.equal(unread === "accepted", without === "accepted", `${present} and ${piece}`);
          if (statuses[present | piece] !== without) assert.equal(unread, "undetermined", `${present} and ${piece}`);
        }
      }
    });
  });
}
