import { CountersignError } from "../../core/errors.ts";
import type { UntrustedLogEntry } from "../../core/formats/envelope.ts";
import type { LoggedSignature } from "../../core/formats/log-record.ts";
import { type JsonValue, parseJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { ServiceAnswer, ServiceClient } from "../http/service.ts";

/** A transparency log that signatures are written to. */
export interface LogClient {
  /** As it is printed. */
  readonly host: string;
  /**
   * Has the signature recorded, or finds the record that there is already; answers with an entry about this signature.
   * Whether the log really holds it is for the trust root to prove.
   *
   * @throws CountersignError what the ServiceClient throws; `log-entry-invalid`, `malformed-signature`, `protocol-error`,
   * `trust-stale` (the log takes no more entries), `unsupported` (a key that no log takes).
   */
  record(signed: LoggedSignature): Promise<UntrustedLogEntry>;
}

export type Ask = ServiceClient["ask"];

/** Below a base address that may end in a slash or not. */
export function below(base: URL, path: string): URL {
  return new URL(path, base.href.endsWith("/") ? base : `${base.href}/`);
}

export const JSON_HEADERS = { "content-type": "application/json", accept: "application/json" } as const;

export function readAnswer({ bytes }: Pick<ServiceAnswer, "bytes">, what: string): JsonValue {
  return parseJson(bytes, { what, code: "protocol-error", maxBytes: LIMITS.logAnswerBytes });
}

/** 405: the shard is frozen (rekor-tiles, CLIENTS.md); a newer signing configuration names its successor. */
export function frozen(host: string): CountersignError {
  return new CountersignError("trust-stale", `${host} takes no more entries`, {
    found: "405: a log that was frozen",
    wanted: "the log that follows it",
    next: "get the current signing configuration, which names the log that follows it",
  });
}
