import { createHash } from "node:crypto";
import { decodeBase64, encodeHex, equalBytes } from "../bytes.ts";
import { parseCertificate } from "../crypto/certificate.ts";
import { parsePemBlocks } from "../crypto/pem.ts";
import { CountersignError } from "../errors.ts";
import type { UntrustedLogEntry, UntrustedSignature } from "../formats/envelope.ts";
import { requireBase64, requireObject, requireOneOf, requireString } from "../formats/members.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";

/** Whose signature a log entry has to be about: a certificate (DER) or a bare key (DER SubjectPublicKeyInfo). */
export interface LoggedSigner {
  readonly kind: "certificate" | "key";
  readonly der: Uint8Array;
}

const WHAT = "the body of a log entry";
const READING = { what: WHAT, code: "log-entry-invalid", maxBytes: LIMITS.signatureBytes } as const;

function invalid(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("log-entry-invalid", message, { found, wanted });
}

/**
 * Holds what a log recorded against the signature: the signature itself, what it covers, and the very certificate or key.
 * An entry over the same content by somebody else proves nothing (CVE-2022-36056, CVE-2026-22703).
 *
 * @throws CountersignError `log-entry-invalid`.
 */
export function checkBody(entry: UntrustedLogEntry, signature: UntrustedSignature, signer: LoggedSigner): void {
  try {
    const json = parseJsonObject(entry.body, READING);
    const kind = `${requireString(json, "kind", WHAT)} ${requireString(json, "apiVersion", WHAT)}`;
    const claimed = `${entry.kind} ${entry.version}`;
    if (kind !== claimed) throw invalid("a log entry is not of the kind that it says", kind, claimed);
    const recorded = readRecord(kind, requireObject(json["spec"], `the spec of ${WHAT}`));
    checkSignature(recorded, signature);
    checkContent(recorded, signature);
    checkSigner(recorded, signer);
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code === "limit-reached") throw error;
    // The readers of members know signatures only, and that of JSON does not say what it wants.
    const { found = "another form", wanted = "JSON as logs write it", cause } = error;
    throw new CountersignError("log-entry-invalid", error.message, { found, wanted, cause });
  }
}

type Hash = "sha256" | "sha384" | "sha512";

/** What a log wrote down of a signature. */
interface Recorded {
  readonly signature: Uint8Array;
  readonly signer: LoggedSigner;
  /** Of the signed bytes, or of the payload in a DSSE envelope. */
  readonly of: "signed" | "payload";
  readonly hash: Hash;
  readonly digest: Uint8Array;
}

function checkSignature(recorded: Recorded, { signature }: UntrustedSignature): void {
  if (equalBytes(recorded.signature, signature)) return;
  throw invalid("a log entry is about another signature", describe(recorded.signature), describe(signature));
}

function describe(bytes: Uint8Array): string {
  return `${bytes.byteLength} bytes, SHA-256 ${createHash("sha256").update(bytes).digest("hex").slice(0, 16)}…`;
}

function checkContent({ of, hash, digest }: Recorded, signature: UntrustedSignature): void {
  const wanted = of === "payload" ? payloadDigest(signature, hash) : signedDigest(signature, hash);
  if (equalBytes(digest, wanted)) return;
  throw invalid("a log entry is about other content", `${hash} ${encodeHex(digest)}`, encodeHex(wanted));
}

function payloadDigest({ encoding, payload }: UntrustedSignature, hash: Hash): Uint8Array {
  if (encoding === "dsse" && payload !== undefined) return createHash(hash).update(payload).digest();
  throw invalid("a log entry is about an envelope", "a payload's digest", "the digest of what was signed");
}

function signedDigest({ signed }: UntrustedSignature, hash: Hash): Uint8Array {
  if (signed.kind === "bytes") return createHash(hash).update(signed.bytes).digest();
  if (signed.algorithm === hash) return signed.digest;
  throw invalid("a log entry has a digest that cannot be compared", hash, `${signed.algorithm}, which is all there is`);
}

function checkSigner({ signer }: Recorded, wanted: LoggedSigner): void {
  if (signer.kind === wanted.kind && equalBytes(signer.der, wanted.der)) return;
  // Somebody may have signed with a certificate for this very key.
  if (signer.kind === "certificate" && wanted.kind === "key" && equalBytes(keyIn(signer.der), wanted.der)) return;
  const names = { certificate: "certificate", key: "key" };
  throw invalid(
    `a log entry is by another ${names[wanted.kind]}`,
    `${names[signer.kind]} ${describe(signer.der)}`,
    `${names[wanted.kind]} ${describe(wanted.der)}`,
  );
}

function keyIn(der: Uint8Array): Uint8Array {
  return parseCertificate(der, `the certificate in ${WHAT}`, "log-entry-invalid").spki;
}

// --- kinds ------------------------------------------------------------------------------------------------------------

function readRecord(kind: string, spec: JsonObject): Recorded {
  switch (kind) {
    case "hashedrekord 0.0.1":
      return readHashedRekord1(spec);
    case "hashedrekord 0.0.2":
      return readHashedRekord2(spec);
    case "dsse 0.0.1":
      return readDsse(spec);
    case "intoto 0.0.2":
      return readIntoto(spec);
    case "dsse 0.0.2":
      throw invalid("a log entry is of a kind that was withdrawn", kind, "hashedrekord 0.0.2");
    default:
      throw invalid("a log entry is of an unknown kind", kind, KINDS);
  }
}

const KINDS = "hashedrekord 0.0.1 or 0.0.2, dsse 0.0.1, intoto 0.0.2";

function readHashedRekord1(spec: JsonObject): Recorded {
  const data = requireObject(spec["data"], `the data of ${WHAT}`);
  const signature = requireObject(spec["signature"], `the signature of ${WHAT}`);
  const publicKey = requireObject(signature["publicKey"], `the publicKey of ${WHAT}`);
  return {
    signature: requireBase64(signature, "content", `the signature of ${WHAT}`),
    signer: readPem(publicKey, "content"),
    of: "signed",
    ...readHexHash(data["hash"], "hash"),
  };
}

function readHashedRekord2(spec: JsonObject): Recorded {
  const record = requireObject(spec["hashedRekordV002"], `the hashedRekordV002 of ${WHAT}`);
  const data = requireObject(record["data"], `the data of ${WHAT}`);
  const signature = requireObject(record["signature"], `the signature of ${WHAT}`);
  const verifier = requireObject(signature["verifier"], `the verifier of ${WHAT}`);
  const kind = requireOneOf(verifier, ["x509Certificate", "publicKey"], `the verifier of ${WHAT}`);
  const raw = requireObject(verifier[kind], `the ${kind} of ${WHAT}`);
  return {
    signature: requireBase64(signature, "content", `the signature of ${WHAT}`),
    signer: {
      kind: kind === "publicKey" ? "key" : "certificate",
      der: requireBase64(raw, "rawBytes", `the ${kind} of ${WHAT}`),
    },
    of: "signed",
    hash: hashOf(requireString(data, "algorithm", WHAT)),
    digest: requireBase64(data, "digest", `the data of ${WHAT}`),
  };
}

function readDsse(spec: JsonObject): Recorded {
  const signature = onlySignature(spec["signatures"]);
  return {
    signature: requireBase64(signature, "signature", `the signature of ${WHAT}`),
    signer: readPem(signature, "verifier"),
    of: "payload",
    ...readHexHash(spec["payloadHash"], "payloadHash"),
  };
}

/** Here the signature is base64 of base64. */
function readIntoto(spec: JsonObject): Recorded {
  const content = requireObject(spec["content"], `the content of ${WHAT}`);
  const envelope = requireObject(content["envelope"], `the envelope of ${WHAT}`);
  const signature = onlySignature(envelope["signatures"]);
  const sig = Buffer.from(requireBase64(signature, "sig", `the signature of ${WHAT}`)).toString("latin1");
  return {
    signature: requireBase64({ sig }, "sig", `the signature of ${WHAT}`),
    signer: readPem(signature, "publicKey"),
    of: "payload",
    ...readHexHash(content["payloadHash"], "payloadHash"),
  };
}

function onlySignature(value: JsonValue | undefined): JsonObject {
  const [only, ...others] = Array.isArray(value) ? (value as readonly JsonValue[]) : [];
  if (only !== undefined && others.length === 0) return requireObject(only, `the signature of ${WHAT}`);
  throw invalid("a log entry has several signatures or none", `${others.length + (only ? 1 : 0)}`, "one");
}

function readHexHash(value: JsonValue | undefined, name: string): Pick<Recorded, "hash" | "digest"> {
  const where = `the ${name} of ${WHAT}`;
  const json = requireObject(value, where);
  const hex = requireString(json, "value", where);
  if (!/^(?:[0-9a-f]{2})+$/.test(hex))
    throw invalid(`${where} is not hexadecimal`, hex.slice(0, 80), "lower-case digits");
  return { hash: hashOf(requireString(json, "algorithm", where)), digest: Buffer.from(hex, "hex") };
}

const HASHES: ReadonlyMap<string, Hash> = new Map([
  ["sha256", "sha256"],
  ["sha384", "sha384"],
  ["sha512", "sha512"],
  ["SHA2_256", "sha256"],
  ["SHA2_384", "sha384"],
  ["SHA2_512", "sha512"],
]);

function hashOf(name: string): Hash {
  const hash = HASHES.get(name);
  if (hash !== undefined) return hash;
  throw invalid("a log entry hashes in a way that is not accepted", name, "SHA-256, SHA-384 or SHA-512");
}

/** Base64 of PEM text. */
function readPem(json: JsonObject, name: string): LoggedSigner {
  const text = decodeBase64(requireString(json, name, WHAT));
  const [block, ...others] = (text && parsePemBlocks(Buffer.from(text).toString("latin1"), 1)) ?? [];
  if (block !== undefined && others.length === 0) {
    if (block.label === "CERTIFICATE") return { kind: "certificate", der: block.content };
    if (block.label === "PUBLIC KEY") return { kind: "key", der: block.content };
  }
  throw invalid("a log entry names neither a key nor a certificate", block?.label ?? "what is not PEM", "one of them");
}
