import { createPublicKey, type KeyObject, X509Certificate } from "node:crypto";
import type { UntrustedLogEntry } from "../../../src/core/formats/envelope.ts";
import { writeLogEntry } from "../../../src/core/formats/log-entry.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../../../src/core/json.ts";
import type { SeenRequest } from "../http-server.ts";
import {
  type Answer,
  answered,
  bytesIn,
  grpcError,
  jsonBody,
  objectIn,
  pathOf,
  plainError,
  Refusal,
  textIn,
} from "./answer.ts";
import { type EntryBody, written } from "./entry-bodies.ts";
import { digest, type Hash } from "./keys.ts";
import type { EntryOptions, FakeLog } from "./log.ts";
import { leafHash } from "./merkle.ts";
import { verifyDigest } from "./verify-digest.ts";

/** What may be wrong with an entry that is given all the same; "conflict" and "frozen" give none. */
export type RekorFault =
  | "other-entry"
  | "other-log"
  | "bad-root"
  | "bad-promise"
  | "bad-checkpoint"
  | "conflict"
  | "frozen";

/** A log that answers, and what it was given so far. */
export interface RekorParts {
  readonly log: FakeLog;
  readonly now: () => number;
  /** By the hash of the leaf, in hexadecimal. */
  readonly entries: Map<string, UntrustedLogEntry>;
}

// --- generation 1 -----------------------------------------------------------------------------------------------------

/** Rekor's API v1 (openapi.yaml): an entry to propose, and to get by its id. */
export function rekor1(parts: RekorParts, request: SeenRequest, fault?: string): Answer {
  const path = pathOf(request);
  return answered(() => {
    if (request.method === "POST" && path === "/api/v1/log/entries") {
      const { id, entry } = take(parts, proposed(jsonBody(request)), fault);
      return { status: 201, body: described(id, entry), headers: { etag: id, location: `${path}/${id}` } };
    }
    const [, id = ""] = /^\/api\/v1\/log\/entries\/([0-9a-f]+)$/.exec(path) ?? [];
    const entry = parts.entries.get(id.slice(-64));
    if (request.method === "GET" && entry !== undefined) return { status: 200, body: described(id, entry) };
    throw new Refusal(404, "the entry is not found");
  }, plainError);
}

/** Adds an entry, or says where the same one is. */
function take(parts: RekorParts, body: EntryBody, fault: string | undefined): { id: string; entry: UntrustedLogEntry } {
  const hash = leafHash(body.body).toString("hex");
  const id = parts.log.treeId.toString(16).padStart(16, "0") + hash;
  const known = parts.entries.get(hash);
  if (known !== undefined) throw alreadyThere(parts.log, id, known);
  const entry = parts.log.include(fault === "other-entry" ? otherEntry(body) : body, optionsFor(fault, parts.now()));
  parts.entries.set(hash, entry);
  if (fault === "conflict") throw alreadyThere(parts.log, id, entry);
  return { id, entry: fault === "other-log" ? { ...entry, logId: digest(entry.logId) } : entry };
}

function alreadyThere({ generation }: FakeLog, id: string, { logIndex }: UntrustedLogEntry): Refusal {
  const message = `an equivalent entry already exists in the transparency log with UUID ${id}`;
  const headers = generation === 1 ? { location: `/api/v1/log/entries/${id}` } : { "x-log-index": String(logIndex) };
  return new Refusal(409, message, headers);
}

/** A leaf that is as good, about something else. */
function otherEntry({ kind, version }: EntryBody): EntryBody {
  return written(kind, version, { data: { hash: { algorithm: "sha256", value: "00".repeat(32) } } });
}

function optionsFor(fault: string | undefined, at: number): EntryOptions {
  switch (fault) {
    case "bad-root":
      return { at, rootHash: digest(Buffer.from("another tree")) };
    case "bad-promise":
      return { at, promiseOver: { logIndex: 0n } };
    case "bad-checkpoint":
      return { at, origin: "somewhere.example.com" };
    default:
      return { at };
  }
}

function described(id: string, entry: UntrustedLogEntry): JsonObject {
  const { body, logId, logIndex, integratedTime = 0n, promise, proof } = entry;
  return {
    [id]: {
      body: base64(body),
      integratedTime: Number(integratedTime),
      logID: hex(logId),
      logIndex: Number(logIndex),
      verification: {
        ...(proof === undefined
          ? {}
          : {
              inclusionProof: {
                checkpoint: proof.checkpoint,
                hashes: proof.hashes.map(hex),
                logIndex: Number(proof.logIndex),
                rootHash: hex(proof.rootHash),
                treeSize: Number(proof.treeSize),
              },
            }),
        ...(promise === undefined ? {} : { signedEntryTimestamp: base64(promise) }),
      },
    },
  };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");

/** The leaf that a proposal becomes; its signature has to be right. */
function proposed(json: JsonObject): EntryBody {
  const kind = textIn(json, "kind");
  const spec = objectIn(json, "spec");
  switch (`${kind} ${textIn(json, "apiVersion")}`) {
    case "hashedrekord 0.0.1":
      return proposedHash(spec);
    case "dsse 0.0.1":
      return proposedEnvelope(spec);
    default:
      throw new Refusal(400, `no entries of kind ${kind}`);
  }
}

function proposedHash(spec: JsonObject): EntryBody {
  const { algorithm, value } = objectIn(objectIn(spec, "data"), "hash");
  const signature = objectIn(spec, "signature");
  const publicKey = objectIn(signature, "publicKey");
  const key = keyFromPem(bytesIn(publicKey, "content"));
  if (!verifyDigest(key, hashNamed(algorithm), Buffer.from(String(value), "hex"), bytesIn(signature, "content"))) {
    throw new Refusal(400, "verifying signature: invalid signature when validating ASN.1 encoded signature");
  }
  return written("hashedrekord", "0.0.1", {
    data: { hash: { algorithm: String(algorithm), value: String(value) } },
    signature: { content: textIn(signature, "content"), publicKey: { content: textIn(publicKey, "content") } },
  });
}

/** `proposedContent` is the envelope as text, and the keys or certificates that made its signatures. */
function proposedEnvelope(spec: JsonObject): EntryBody {
  const content = objectIn(spec, "proposedContent");
  const text = Buffer.from(textIn(content, "envelope"));
  const envelope = parseJsonObject(text, { what: "the envelope", code: "malformed-signature", maxBytes: 4 << 20 });
  const [signature] = Array.isArray(envelope["signatures"]) ? (envelope["signatures"] as JsonObject[]) : [];
  const [verifier] = Array.isArray(content["verifiers"]) ? (content["verifiers"] as JsonValue[]) : [];
  if (signature === undefined || typeof verifier !== "string") throw new Refusal(400, "no signature or no verifier");
  const payload = bytesIn(envelope, "payload");
  const type = textIn(envelope, "payloadType");
  const signed = Buffer.concat([Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `), payload]);
  const key = keyFromPem(Buffer.from(verifier, "base64"));
  const hash = hashFor(key);
  if (!verifyDigest(key, hash, digest(signed, hash), bytesIn(signature, "sig"))) {
    throw new Refusal(400, "could not verify envelope");
  }
  return written("dsse", "0.0.1", {
    envelopeHash: { algorithm: "sha256", value: hex(digest(text)) },
    payloadHash: { algorithm: "sha256", value: hex(digest(payload)) },
    signatures: [{ signature: textIn(signature, "sig"), verifier }],
  });
}

function keyFromPem(pem: Buffer): KeyObject {
  const isCertificate = pem.includes("BEGIN CERTIFICATE");
  return isCertificate ? new X509Certificate(pem).publicKey : createPublicKey(pem);
}

function hashFor({ asymmetricKeyDetails }: KeyObject): Hash {
  const { namedCurve } = asymmetricKeyDetails ?? {};
  return namedCurve === "secp384r1" ? "sha384" : namedCurve === "secp521r1" ? "sha512" : "sha256";
}

function hashNamed(name: JsonValue | undefined): Hash {
  if (name === "sha256" || name === "sha384" || name === "sha512") return name;
  throw new Refusal(400, "no such hash");
}

// --- generation 2 -----------------------------------------------------------------------------------------------------

/** Rekor's API v2 (rekor-tiles, CLIENTS.md): hashes alone, and a TransparencyLogEntry back. */
export function rekor2(parts: RekorParts, request: SeenRequest, fault?: string): Answer {
  return answered(() => {
    if (fault === "frozen") throw new Refusal(405, "This log has been frozen, please switch to the latest log");
    if (`${request.method} ${pathOf(request)}` !== "POST /api/v2/log/entries") throw new Refusal(404, "Not Found");
    const json = jsonBody(request);
    if (json["hashedRekordRequestV002"] === undefined)
      throw new Refusal(400, "invalid type, must be hashedRekordRequestV002");
    const { entry } = take(parts, requested(objectIn(json, "hashedRekordRequestV002")), fault);
    return { status: 201, body: writeLogEntry(entry) };
  }, grpcError);
}

/** Names of keys, and the hash that goes with them; Ed25519ph cannot be checked by its digest here and is not taken. */
const DETAILS: Readonly<Record<string, Hash>> = {
  PKIX_ECDSA_P256_SHA_256: "sha256",
  PKIX_ECDSA_P384_SHA_384: "sha384",
  PKIX_ECDSA_P521_SHA_512: "sha512",
  PKIX_RSA_PKCS1V15_2048_SHA256: "sha256",
  PKIX_RSA_PKCS1V15_3072_SHA256: "sha256",
  PKIX_RSA_PKCS1V15_4096_SHA256: "sha256",
};

function requested(json: JsonObject): EntryBody {
  const signature = objectIn(json, "signature");
  const verifier = objectIn(signature, "verifier");
  const keyDetails = textIn(verifier, "keyDetails");
  const hash = DETAILS[keyDetails];
  if (hash === undefined) throw new Refusal(400, `unsupported algorithm ${keyDetails}`);
  const isCertificate = verifier["x509Certificate"] !== undefined;
  const raw = objectIn(verifier, isCertificate ? "x509Certificate" : "publicKey");
  const der = bytesIn(raw, "rawBytes");
  const key = isCertificate
    ? new X509Certificate(der).publicKey
    : createPublicKey({ key: der, format: "der", type: "spki" });
  if (!verifyDigest(key, hash, bytesIn(json, "digest"), bytesIn(signature, "content"))) {
    throw new Refusal(400, "verifying signature: invalid signature");
  }
  return written("hashedrekord", "0.0.2", {
    hashedRekordV002: {
      data: { algorithm: `SHA2_${hash.slice(3)}`, digest: textIn(json, "digest") },
      signature: {
        content: textIn(signature, "content"),
        verifier: {
          keyDetails,
          [isCertificate ? "x509Certificate" : "publicKey"]: { rawBytes: textIn(raw, "rawBytes") },
        },
      },
    },
  });
}
