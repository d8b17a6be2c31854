import { encodeBase64, encodeHex } from "../bytes.ts";
import { formatPem, parsePemBlocks } from "../crypto/pem.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { Annotations } from "../oci/descriptor.ts";
import type { UntrustedLogEntry, UntrustedMaterial } from "./envelope.ts";
import { describeValue, malformed, requireBase64, requireClosed, requireString } from "./members.ts";

/** Annotations of a layer in a `.sig` manifest (cosign SIGNATURE_SPEC.md). */
export const LEGACY_ANNOTATIONS = {
  signature: "dev.cosignproject.cosign/signature",
  certificate: "dev.sigstore.cosign/certificate",
  chain: "dev.sigstore.cosign/chain",
  bundle: "dev.sigstore.cosign/bundle",
  timestamp: "dev.sigstore.cosign/rfc3161timestamp",
} as const;

const reading = (what: string) => ({ what, code: "malformed-signature", maxBytes: LIMITS.signatureBytes }) as const;

/** An annotation's text; empty where it is absent. cosign writes empty certificates and chains. */
export function readAnnotation(annotations: Annotations, name: string): string {
  return Object.hasOwn(annotations, name) ? (annotations[name] ?? "") : "";
}

/**
 * The certificate, chain, log entry and timestamp beside a legacy signature or attestation. Nothing is proven.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function readLegacyMaterial(annotations: Annotations): UntrustedMaterial {
  const bundle = readAnnotation(annotations, LEGACY_ANNOTATIONS.bundle);
  const timestamp = readAnnotation(annotations, LEGACY_ANNOTATIONS.timestamp);
  return {
    certificates: readCertificates(annotations),
    logEntries: bundle === "" ? [] : [readLogBundle(bundle)],
    timestamps: timestamp === "" ? [] : [readTimestamp(timestamp)],
  };
}

function readCertificates(annotations: Annotations): readonly Uint8Array[] {
  const leaf = pemCertificates(readAnnotation(annotations, LEGACY_ANNOTATIONS.certificate), "the certificate");
  const chain = pemCertificates(readAnnotation(annotations, LEGACY_ANNOTATIONS.chain), "the chain");
  if (leaf.length > 1) throw malformed("the layer has more than one certificate", `${leaf.length}`, "one");
  if (leaf.length === 0 && chain.length > 0) throw malformed("the layer has a chain without a certificate");
  return [...leaf, ...chain];
}

function pemCertificates(text: string, what: string): readonly Uint8Array[] {
  const blocks = text.trim() === "" ? [] : parsePemBlocks(text, LIMITS.bundleCertificates);
  if (blocks?.every(({ label }) => label === "CERTIFICATE") === true) return blocks.map(({ content }) => content);
  throw malformed(`${what} of the layer is not PEM`, "other text", "CERTIFICATE blocks");
}

/** cosign's "Rekor bundle": the log's promise over an entry, with Go's names of the members. */
function readLogBundle(text: string): UntrustedLogEntry {
  const where = "the log bundle of the layer";
  const json = requireClosed(parseJsonObject(Buffer.from(text), reading(where)), where, [
    "SignedEntryTimestamp",
    "Payload",
  ]);
  const payload = requireClosed(json["Payload"], where, ["body", "integratedTime", "logIndex", "logID"]);
  const body = requireBase64(payload, "body", where);
  return {
    ...readKind(body, where),
    logIndex: readCount(payload["logIndex"], `the logIndex of ${where}`),
    logId: readLogId(requireString(payload, "logID", where)),
    integratedTime: readCount(payload["integratedTime"], `the integratedTime of ${where}`),
    promise: requireBase64(json, "SignedEntryTimestamp", where),
    body,
  };
}

function readKind(body: Uint8Array, where: string): Pick<UntrustedLogEntry, "kind" | "version"> {
  const json = parseJsonObject(body, reading(`the body of ${where}`));
  return { kind: requireString(json, "kind", where), version: requireString(json, "apiVersion", where) };
}

function readCount(value: JsonValue | undefined, where: string): bigint {
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw malformed(`${where} is not a count`, describeValue(value), "a whole number");
}

function readLogId(hex: string): Uint8Array {
  if (/^[0-9a-f]{64}$/.test(hex)) return Buffer.from(hex, "hex");
  throw malformed("the log of the layer is not named by a key's hash", hex.slice(0, 80), "64 hexadecimal digits");
}

function readTimestamp(text: string): Uint8Array {
  const where = "the timestamp of the layer";
  const json = requireClosed(parseJsonObject(Buffer.from(text), reading(where)), where, ["SignedRFC3161Timestamp"]);
  return requireBase64(json, "SignedRFC3161Timestamp", where);
}

/**
 * The same as annotations, as cosign writes them. Of the log entries the first with a promise: the format has no place for
 * a proof of inclusion, nor for a second one.
 */
export function writeLegacyMaterial(material: UntrustedMaterial): Annotations {
  const [leaf, ...chain] = material.certificates.map(pemOf);
  const [timestamp] = material.timestamps;
  const entry = material.logEntries.find(({ promise }) => promise !== undefined);
  return {
    ...(leaf === undefined ? {} : { [LEGACY_ANNOTATIONS.certificate]: leaf }),
    ...(chain.length === 0 ? {} : { [LEGACY_ANNOTATIONS.chain]: chain.join("") }),
    ...(entry === undefined ? {} : { [LEGACY_ANNOTATIONS.bundle]: JSON.stringify(writeLogBundle(entry)) }),
    ...(timestamp === undefined
      ? {}
      : { [LEGACY_ANNOTATIONS.timestamp]: JSON.stringify({ SignedRFC3161Timestamp: encodeBase64(timestamp) }) }),
  };
}

function pemOf(content: Uint8Array): string {
  return formatPem({ label: "CERTIFICATE", content });
}

function writeLogBundle(entry: UntrustedLogEntry): JsonObject {
  return {
    SignedEntryTimestamp: encodeBase64(entry.promise ?? new Uint8Array()),
    Payload: {
      body: encodeBase64(entry.body),
      integratedTime: Number(entry.integratedTime ?? 0n),
      logIndex: Number(entry.logIndex),
      logID: encodeHex(entry.logId),
    },
  };
}
