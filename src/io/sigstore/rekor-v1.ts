import { decodeBase64, encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import type { UntrustedInclusionProof, UntrustedLogEntry } from "../../core/formats/envelope.ts";
import { checkEntryIsAbout, rekor1Record } from "../../core/formats/log-record.ts";
import { describeJson, isObject, type JsonObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ServiceAnswer } from "../http/service.ts";
import { type Ask, below, frozen, JSON_HEADERS, type LogClient, readAnswer } from "./log.ts";

/** Rekor 1: the entry with the log's promise and its proof (rekor, openapi.yaml). */
export function rekor1(ask: Ask, base: URL): LogClient {
  const url = below(base, "api/v1/log/entries");
  const { host } = base;
  return {
    host,
    async record(signed) {
      const { request, body } = rekor1Record(signed);
      const answer = await post(ask, url, request);
      if (answer.status === 405) throw frozen(host);
      const found = answer.status === 409 ? await getExisting(ask, url, answer) : answer;
      const entry = readEntry(readAnswer(found, `the answer of ${host}`), host);
      checkEntryIsAbout(entry, body, host);
      return entry;
    },
  };
}

async function post(ask: Ask, url: URL, proposed: JsonObject): Promise<ServiceAnswer> {
  return await ask({
    method: "POST",
    url,
    what: "the log entry",
    headers: JSON_HEADERS,
    body: encodeUtf8(JSON.stringify(proposed)),
    expect: [201, 405, 409],
    maxBytes: LIMITS.logAnswerBytes,
  });
}

/**
 * 409: the same entry is there already, by another run or by a try of this one whose answer was lost. Its place is named
 * by `Location`, of which only an entry of this log is followed.
 */
async function getExisting(ask: Ask, entries: URL, answer: ServiceAnswer): Promise<ServiceAnswer> {
  const location = answer.header("location") ?? "";
  const url = URL.parse(location, entries);
  if (url === null || url.origin !== entries.origin || !/\/[0-9a-f]{64,80}$/.test(url.pathname)) {
    throw broken(entries.host, "a conflict without the place of the entry that there is", "its Location");
  }
  return await ask({ url, what: "the log entry", headers: JSON_HEADERS, maxBytes: LIMITS.logAnswerBytes });
}

/** A map with one entry, by its id. */
function readEntry(answer: JsonValue, host: string): UntrustedLogEntry {
  const entries = isObject(answer) ? Object.values(answer) : [];
  const [entry] = entries;
  if (!isObject(entry) || entries.length !== 1) throw broken(host, `${entries.length} entries`, "one entry");
  const verification = member(entry, "verification", host);
  const body = base64(entry, "body", host);
  return {
    ...readKind(body, host),
    logIndex: count(entry, "logIndex", host),
    logId: hex(entry["logID"], "logID", host),
    integratedTime: count(entry, "integratedTime", host),
    promise: base64(verification, "signedEntryTimestamp", host),
    proof: readProof(member(verification, "inclusionProof", host), host),
    body,
  };
}

function readProof(json: JsonObject, host: string): UntrustedInclusionProof {
  const { hashes, checkpoint } = json;
  if (!Array.isArray(hashes) || hashes.length > LIMITS.proofHashes) {
    throw broken(host, `hashes: ${describeJson(hashes)}`, `a list of at most ${LIMITS.proofHashes}`);
  }
  if (typeof checkpoint !== "string") throw broken(host, `checkpoint: ${describeJson(checkpoint)}`, "a text");
  return {
    logIndex: count(json, "logIndex", host),
    treeSize: count(json, "treeSize", host),
    rootHash: hex(json["rootHash"], "rootHash", host),
    hashes: (hashes as readonly JsonValue[]).map((hash) => hex(hash, "hashes", host)),
    checkpoint,
  };
}

function readKind(body: Uint8Array, host: string): Pick<UntrustedLogEntry, "kind" | "version"> {
  const { kind, apiVersion } = parseJsonObject(body, {
    what: `the body of the entry of ${host}`,
    code: "protocol-error",
    maxBytes: LIMITS.logAnswerBytes,
  });
  return { kind: String(kind), version: String(apiVersion) };
}

function member(json: JsonObject, name: string, host: string): JsonObject {
  const value = json[name];
  if (isObject(value)) return value;
  throw broken(host, `${name}: ${describeJson(value)}`, "an object");
}

function base64(json: JsonObject, name: string, host: string): Uint8Array {
  const value = json[name];
  const bytes = typeof value === "string" && value !== "" ? decodeBase64(value) : undefined;
  if (bytes === undefined) throw broken(host, `${name} that is not base64`, "base64");
  return bytes;
}

function hex(value: JsonValue | undefined, name: string, host: string): Uint8Array {
  if (typeof value === "string" && /^[0-9a-f]{64}$/.test(value)) return Buffer.from(value, "hex");
  throw broken(host, `${name}: ${describeJson(value).slice(0, 80)}`, "64 hexadecimal digits");
}

function count(json: JsonObject, name: string, host: string): bigint {
  const value = json[name];
  if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  throw broken(host, `${name}: ${describeJson(value).slice(0, 80)}`, "a whole number, not negative");
}

function broken(host: string, found: string, wanted: string): CountersignError {
  return new CountersignError("protocol-error", `${host} answered with something that is not a log entry`, {
    found,
    wanted,
    next: `report it to the operator of ${host}`,
  });
}
