import { createPublicKey, type KeyObject } from "node:crypto";
import { encodeHex } from "../bytes.ts";
import { keyAlgorithmOf } from "../crypto/algorithms.ts";
import { type Certificate, parseCertificate } from "../crypto/certificate.ts";
import type { Anchor } from "../crypto/chain.ts";
import { readDer } from "../crypto/der.ts";
import { CountersignError } from "../errors.ts";
import {
  describeValue,
  isPresent,
  optionalList,
  requireBase64,
  requireClosed,
  requireObject,
  requireString,
} from "../formats/members.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { type Instant, parseInstant } from "../time.ts";

/** A trust root (protobuf-specs, sigstore_trustroot.proto): whose word is taken for certificates, logs and times. */
export interface TrustRoot {
  readonly authorities: readonly Authority[];
  readonly logs: readonly Log[];
  readonly certificateLogs: readonly Log[];
  readonly timestampAuthorities: readonly Authority[];
  /** Of the bytes that it was read from. */
  readonly digest: Digest;
}

/** Ends included; without an end, until further notice. */
export interface ValidFor {
  readonly from: Instant;
  readonly until: Instant | undefined;
}

/** Who issues certificates, or timestamps: there the chain begins with the certificate that signs them. */
export interface Authority extends Anchor {
  /** Two of the same are one witness. */
  readonly operator: string;
}

/** A transparency log, or one for certificates. */
export interface Log extends ValidFor {
  /** Host name of its address. */
  readonly name: string;
  /** What its checkpoints may call it: the host, with or without a port. */
  readonly names: readonly string[];
  /** Two of the same are one witness. */
  readonly operator: string;
  /** As its entries name it: 32 bytes. */
  readonly id: Uint8Array;
  /** As its checkpoints name its key: the first four bytes of `id`, or something of its own. */
  readonly checkpointKeyId: Uint8Array;
  readonly key: KeyObject;
}

const MEDIA_TYPES: readonly string[] = [
  "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
  "application/vnd.dev.sigstore.trustedroot.v0.1+json",
  "application/vnd.dev.sigstore.trustedroot.v0.2+json",
];

const WHAT = "the trust root";
const READING = { what: WHAT, code: "trust-invalid", maxBytes: LIMITS.trustedRootBytes } as const;

/**
 * Reads a `trusted_root.json` strictly: known versions, no unknown members, counts bounded, every key and certificate
 * parsed. One that is broken in any place is refused as a whole: half of a trust root would be somebody's choice.
 *
 * @throws CountersignError `trust-invalid` that names the entry, or `limit-reached`.
 */
export function parseTrustedRoot(bytes: Uint8Array): TrustRoot {
  return asTrust(() => {
    const json = requireClosed(parseJsonObject(bytes, READING), WHAT, [
      "mediaType",
      "tlogs",
      "certificateAuthorities",
      "ctlogs",
      "timestampAuthorities",
    ]);
    const mediaType = requireString(json, "mediaType", WHAT);
    if (!MEDIA_TYPES.includes(mediaType)) {
      throw invalid(`${WHAT} is of an unknown version`, mediaType, MEDIA_TYPES.join(" or "));
    }
    return {
      authorities: readList(json, "certificateAuthorities", readAuthority),
      logs: readList(json, "tlogs", readLog).map(requireName),
      certificateLogs: readList(json, "ctlogs", readLog),
      timestampAuthorities: readList(json, "timestampAuthorities", readAuthority),
      digest: digestOf(bytes),
    };
  });
}

/** The readers of members know signatures only. */
function asTrust<Value>(read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === "limit-reached" || error.code === "trust-invalid") {
      throw error;
    }
    const { found, wanted, cause } = error;
    throw new CountersignError("trust-invalid", error.message, { found, wanted, cause });
  }
}

function invalid(message: string, found: string, wanted: string, cause?: unknown): CountersignError {
  return new CountersignError("trust-invalid", message, { found, wanted, cause });
}

function readList<T>(json: JsonObject, name: string, read: (value: JsonValue, where: string) => T): readonly T[] {
  return optionalList(json, name, WHAT, LIMITS.trustedRootEntries).map((value, at) =>
    read(value, `${name}[${at}] of ${WHAT}`),
  );
}

// --- logs -------------------------------------------------------------------------------------------------------------

function readLog(value: JsonValue, where: string): Log {
  const json = requireClosed(value, where, [
    "baseUrl",
    "hashAlgorithm",
    "publicKey",
    "logId",
    "checkpointKeyId",
    "operator",
  ]);
  const hash = readText(json, "hashAlgorithm", where);
  // RFC 6962, section 2.1: the hash of the tree, which every log has.
  if (hash !== "" && hash !== "SHA2_256") throw invalid(`${where} hashes otherwise`, hash, "SHA2_256");
  const id = readKeyId(json["logId"], `the logId of ${where}`);
  if (id.byteLength !== 32) throw invalid(`the logId of ${where} is none`, `${id.byteLength} bytes`, "32 bytes");
  const address = readAddress(readText(json, "baseUrl", where), `the baseUrl of ${where}`);
  const name = address?.hostname ?? encodeHex(id);
  const checkpoint = json["checkpointKeyId"];
  return {
    name,
    names: address === undefined ? [] : [...new Set([address.hostname, address.host])],
    operator: readText(json, "operator", where) || name,
    id,
    checkpointKeyId: (isPresent(checkpoint) ? readKeyId(checkpoint, where) : id).subarray(0, 4),
    ...readKey(json["publicKey"], `the publicKey of ${where}`),
  };
}

function readKeyId(value: JsonValue | undefined, where: string): Uint8Array {
  const id = requireBase64(requireClosed(value, where, ["keyId"]), "keyId", where);
  if (id.byteLength >= 4) return id;
  throw invalid(`${where} names no key`, `${id.byteLength} bytes`, "at least 4 bytes");
}

/** Checkpoints are compared with the name of the log, so that a log needs one. */
function requireName(log: Log, at: number): Log {
  if (log.names.length > 0) return log;
  throw invalid(`tlogs[${at}] of ${WHAT} has no address`, "no baseUrl", "the log's URL");
}

/** GitHub's trust root has bare host names where others have URLs. */
function readAddress(text: string, where: string): URL | undefined {
  if (text === "") return undefined;
  const address = text.includes("://") ? text : `https://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url?.hostname) return url;
  throw invalid(`${where} is not an address`, text, "an http or https URL");
}

function readKey(value: JsonValue | undefined, where: string): Pick<Log, "key" | "from" | "until"> {
  const json = requireClosed(value, where, ["rawBytes", "keyDetails", "validFor"]);
  const raw = requireBase64(json, "rawBytes", where);
  const details = requireString(json, "keyDetails", where);
  return { key: decodeKey(raw, details, where), ...readWindow(json["validFor"], `the validFor of ${where}`) };
}

function decodeKey(raw: Uint8Array, details: string, where: string): KeyObject {
  const type = details.startsWith("PKCS1_") ? "pkcs1" : "spki";
  try {
    // OpenSSL does not look behind the key.
    readDer(raw);
    const key = createPublicKey({ key: Buffer.from(raw), format: "der", type });
    keyAlgorithmOf(key, where);
    return key;
  } catch (cause) {
    if (cause instanceof CountersignError) throw cause;
    throw invalid(`${where} is not a key`, `${raw.byteLength} bytes that hold none`, `DER ${details}`, cause);
  }
}

// --- authorities ------------------------------------------------------------------------------------------------------

function readAuthority(value: JsonValue, where: string): Authority {
  const json = requireClosed(value, where, ["subject", "uri", "certChain", "validFor", "operator"]);
  const subject = isPresent(json["subject"]) ? requireObject(json["subject"], `the subject of ${where}`) : {};
  const chain = requireClosed(json["certChain"], `the certChain of ${where}`, ["certificates"]);
  const list = optionalList(chain, "certificates", `the certChain of ${where}`, LIMITS.trustedRootCertificates);
  if (list.length === 0) throw invalid(`the certChain of ${where} is empty`, "nothing", "at least one certificate");
  const uri = readText(json, "uri", where);
  const name = readText(subject, "commonName", where) || readText(subject, "organization", where) || uri || where;
  return {
    name,
    operator: readText(json, "operator", where) || (readAddress(uri, `the uri of ${where}`)?.hostname ?? name),
    chain: list.map((each, at) => readCertificate(each, `certificate ${at} of ${where}`)),
    ...readWindow(json["validFor"], `the validFor of ${where}`),
  };
}

function readCertificate(value: JsonValue, where: string): Certificate {
  const der = requireBase64(requireClosed(value, where, ["rawBytes"]), "rawBytes", where);
  const certificate = parseCertificate(der, where, "trust-invalid");
  keyAlgorithmOf(certificate.key, `the key of ${where}`);
  return certificate;
}

// --- members ----------------------------------------------------------------------------------------------------------

/** Empty where it is absent, as ProtoJSON has it. */
function readText(json: JsonObject, name: string, where: string): string {
  return isPresent(json[name]) ? requireString(json, name, where) : "";
}

/** A missing start would be "since ever": there is no such key, so it is an error (sigstore_common.proto, TimeRange). */
function readWindow(value: JsonValue | undefined, where: string): ValidFor {
  const json = requireClosed(value, where, ["start", "end"]);
  const from = readInstant(json["start"], `the start in ${where}`);
  const until = isPresent(json["end"]) ? readInstant(json["end"], `the end in ${where}`) : undefined;
  if (until !== undefined && until < from) throw invalid(`${where} ends before it starts`, "no time", "a window");
  return { from, until };
}

function readInstant(value: JsonValue | undefined, where: string): Instant {
  const time = typeof value === "string" ? parseInstant(value) : undefined;
  if (time !== undefined) return time;
  const found = typeof value === "string" ? value : describeValue(value);
  throw invalid(`${where} is not a time`, found, "2026-01-01T00:00:00Z");
}
