import { encodeUtf8 } from "../../core/bytes.ts";
import { readLogEntry } from "../../core/formats/log-entry.ts";
import { checkEntryIsAbout, RecordedBefore, rekor2Record } from "../../core/formats/log-record.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ServiceAnswer } from "../http/service.ts";
import { type Ask, below, frozen, JSON_HEADERS, type LogClient, readAnswer } from "./log.ts";

/**
 * Rekor 2: the entry with a proof, answered when it is in the tree and a checkpoint is signed; no promise and no time
 * (rekor-tiles, CLIENTS.md). The caller's client has to wait LIMITS.integrationMs at least.
 */
export function rekor2(ask: Ask, base: URL): LogClient {
  const { host } = base;
  return {
    host,
    async record(signed) {
      const { request, body } = rekor2Record(signed);
      const answer = await ask({
        method: "POST",
        url: below(base, "api/v2/log/entries"),
        what: "the log entry",
        headers: JSON_HEADERS,
        body: encodeUtf8(JSON.stringify(request)),
        expect: [200, 201, 405, 409],
        maxBytes: LIMITS.logAnswerBytes,
      });
      if (answer.status === 405) throw frozen(host);
      if (answer.status === 409) throw recordedBefore(host, answer);
      const entry = readLogEntry(readAnswer(answer, `the answer of ${host}`), `the entry of ${host}`);
      checkEntryIsAbout(entry, body, host);
      return entry;
    },
  };
}

/**
 * 409: this very signature is in the log, by a try whose answer was lost or since the key signs the same bytes with the
 * same signature (RSA). The log tells where and gives no proof, and it has no other way to ask for one.
 */
function recordedBefore(host: string, answer: ServiceAnswer): RecordedBefore {
  const index = answer.header("x-log-index") ?? "";
  const place = /^[0-9]{1,19}$/.test(index) ? ` at index ${index}` : "";
  return new RecordedBefore("protocol-error", `${host} has this signature already and gives no proof of it`, {
    found: `an entry${place}, of another try or of the same signature made before`,
    wanted: "a new entry with its proof",
    next: "sign again with an ECDSA key or without a key: an RSA key makes the same signature each time",
  });
}
