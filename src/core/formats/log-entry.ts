import { encodeBase64 } from "../bytes.ts";
import type { JsonObject, JsonValue } from "../json.ts";
import { LIMITS } from "../limits.ts";
import type { UntrustedInclusionProof, UntrustedLogEntry } from "./envelope.ts";
import {
  describeValue,
  isPresent,
  malformed,
  optionalList,
  requireBase64,
  requireClosed,
  requireString,
} from "./members.ts";

/**
 * A log entry as bundles hold it and as Rekor v2 answers it (protobuf-specs, sigstore_rekor.proto, in ProtoJSON: 64-bit
 * numbers as text, members that are zero left out). Its structure is checked here, and nothing is proven.
 *
 * @throws CountersignError `malformed-signature` or `limit-reached`.
 */
export function readLogEntry(value: JsonValue | undefined, where: string): UntrustedLogEntry {
  const json = requireClosed(value, where, [
    "logIndex",
    "logId",
    "kindVersion",
    "integratedTime",
    "inclusionPromise",
    "inclusionProof",
    "canonicalizedBody",
  ]);
  const kind = requireClosed(json["kindVersion"], `the kindVersion of ${where}`, ["kind", "version"]);
  const time = readInteger(json, "integratedTime", where);
  return {
    logIndex: readInteger(json, "logIndex", where),
    logId: requireBase64(requireClosed(json["logId"], `the logId of ${where}`, ["keyId"]), "keyId", where),
    kind: requireString(kind, "kind", where),
    version: requireString(kind, "version", where),
    integratedTime: time === 0n ? undefined : time,
    promise: readPromise(json["inclusionPromise"], where),
    proof: readProof(json["inclusionProof"], where),
    body: requireBase64(json, "canonicalizedBody", where),
  };
}

function readPromise(value: JsonValue | undefined, where: string): Uint8Array | undefined {
  if (!isPresent(value)) return undefined;
  const promise = requireClosed(value, `the inclusionPromise of ${where}`, ["signedEntryTimestamp"]);
  return requireBase64(promise, "signedEntryTimestamp", where);
}

function readProof(value: JsonValue | undefined, where: string): UntrustedInclusionProof | undefined {
  if (!isPresent(value)) return undefined;
  const proof = `the inclusionProof of ${where}`;
  const json = requireClosed(value, proof, ["logIndex", "rootHash", "treeSize", "hashes", "checkpoint"]);
  const checkpoint = requireClosed(json["checkpoint"], `the checkpoint of ${where}`, ["envelope"]);
  return {
    logIndex: readInteger(json, "logIndex", proof),
    treeSize: readInteger(json, "treeSize", proof),
    rootHash: requireBase64(json, "rootHash", proof),
    hashes: optionalList(json, "hashes", proof, LIMITS.proofHashes).map((hash, at) =>
      requireBase64({ hash }, "hash", `hash ${at} of ${proof}`),
    ),
    checkpoint: requireString(checkpoint, "envelope", `the checkpoint of ${where}`),
  };
}

const MAX_INTEGER = 2n ** 63n - 1n;

/** A whole number that is not negative; zero where it is absent. */
function readInteger(json: JsonObject, name: string, where: string): bigint {
  const value = json[name] ?? "0";
  const text = typeof value === "number" && Number.isSafeInteger(value) ? String(value) : value;
  if (typeof text === "string" && /^(?:0|[1-9][0-9]{0,18})$/.test(text) && BigInt(text) <= MAX_INTEGER) {
    return BigInt(text);
  }
  const found = typeof value === "string" ? JSON.stringify(value.slice(0, 24)) : describeValue(value);
  throw malformed(`"${name}" of ${where} is not a count`, found, "a whole number, not negative, as text");
}

/** The same in the order in which Go writes it. */
export function writeLogEntry(entry: UntrustedLogEntry): JsonObject {
  const { proof, promise, integratedTime } = entry;
  return {
    ...integer("logIndex", entry.logIndex),
    logId: { keyId: encodeBase64(entry.logId) },
    kindVersion: { kind: entry.kind, version: entry.version },
    ...(integratedTime === undefined ? {} : integer("integratedTime", integratedTime)),
    ...(promise === undefined ? {} : { inclusionPromise: { signedEntryTimestamp: encodeBase64(promise) } }),
    ...(proof === undefined ? {} : { inclusionProof: writeProof(proof) }),
    canonicalizedBody: encodeBase64(entry.body),
  };
}

function writeProof(proof: UntrustedInclusionProof): JsonObject {
  return {
    ...integer("logIndex", proof.logIndex),
    rootHash: encodeBase64(proof.rootHash),
    ...integer("treeSize", proof.treeSize),
    ...(proof.hashes.length === 0 ? {} : { hashes: proof.hashes.map(encodeBase64) }),
    checkpoint: { envelope: proof.checkpoint },
  };
}

/** ProtoJSON leaves out what is zero. */
function integer(name: string, value: bigint): JsonObject {
  return value === 0n ? {} : { [name]: String(value) };
}
