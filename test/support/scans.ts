import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CountersignError } from "../../src/core/errors.ts";
import { type JsonObject, parseJsonObject } from "../../src/core/json.ts";
import { parseDigest } from "../../src/core/oci/digest.ts";
import { type Instant, parseInstant } from "../../src/core/time.ts";

/** The image that the scans of `test/vectors/scans` are of. */
export const SCANNED = parseDigest(`sha256:${"9f2c41".repeat(11).slice(0, 64)}`);
/** Another one. */
export const OTHER_IMAGE = parseDigest(`sha256:${"0".repeat(64)}`);

export const COSIGN_VULN = "https://cosign.sigstore.dev/attestation/vuln/v1";
export const VULNS_01 = "https://in-toto.io/attestation/vulns/v0.1";
export const VULNS_02 = "https://in-toto.io/attestation/vulns/v0.2";
export const OPENVEX = "https://openvex.dev/ns/v0.2.0";

const VECTORS = join(import.meta.dirname, "../vectors/scans");

/** A file of `test/vectors/scans`: `trivy/image`. */
export function scanVector(name: string): JsonObject {
  const bytes = readFileSync(join(VECTORS, `${name}.json`));
  return parseJsonObject(bytes, { what: name, code: "scan-invalid", maxBytes: bytes.byteLength });
}

export function at(time: string): Instant {
  const instant = parseInstant(time);
  assert.ok(instant !== undefined, time);
  return instant;
}

/** A statement about the image, as it is read from an envelope. */
export function statementWith(predicateType: string, predicate: JsonObject): JsonObject {
  const [, sha256 = ""] = SCANNED.split(":");
  return {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name: "registry.example/acme/app", digest: { sha256 } }],
    predicateType,
    predicate,
  };
}

/** cosign's record of a scan with this result. */
export function cosignRecord(
  result: JsonObject | readonly JsonObject[],
  finished = "2026-06-10T10:00:00Z",
): JsonObject {
  return {
    invocation: { parameters: null, uri: "", event_id: "", "builder.id": "" },
    scanner: { uri: "pkg:github/example/scanner@1.0.0", version: "1.0.0", db: { uri: "", version: "" }, result },
    metadata: { scanStartedOn: finished, scanFinishedOn: finished },
  };
}

/** What is thrown: one of ours, or the test fails. */
export function refusal(action: () => unknown): CountersignError {
  try {
    action();
  } catch (error) {
    if (error instanceof CountersignError) return error;
    throw error;
  }
  assert.fail("nothing was refused");
}
