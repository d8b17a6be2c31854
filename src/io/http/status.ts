import { decodeUtf8 } from "../../core/bytes.ts";
import { isObject, type JsonValue, parseJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { waitAskedFor } from "./allowance.ts";
import { TransientError } from "./failures.ts";
import { peerText } from "./redact.ts";
import type { HttpResponse } from "./response.ts";

/** What a peer says about its refusal. */
export interface PeerError {
  /** The first code of a distribution-spec error body (`DENIED`), if there is one. */
  readonly code: string | undefined;
  /** Printable: code and message, or the beginning of a text. */
  readonly text: string | undefined;
  readonly isHtml: boolean;
}

/** Reads the body of an error, whatever it is: distribution-spec "Error Codes", Docker Hub's `details`, text, HTML. */
export async function readPeerError(response: HttpResponse): Promise<PeerError> {
  const bytes = await response.beginning();
  if (response.contentType === "text/html") return { code: undefined, text: "a web page", isHtml: true };
  const json = jsonOrUndefined(bytes);
  const listed = isObject(json) && Array.isArray(json["errors"]) ? json["errors"][0] : json;
  const code = stringIn(listed, "code");
  const message = stringIn(listed, "message") ?? stringIn(listed, "details") ?? stringIn(listed, "error_description");
  const text =
    json === undefined
      ? textOrUndefined(bytes)
      : [code ?? stringIn(listed, "error"), message].filter(Boolean).join(": ");
  const shown = peerText(response.speakable(text ?? ""));
  return { code, text: shown === "" ? undefined : shown, isHtml: false };
}

function jsonOrUndefined(bytes: Uint8Array): JsonValue | undefined {
  try {
    return parseJson(bytes, { what: "an error", code: "protocol-error", maxBytes: LIMITS.errorBodyBytes });
  } catch {
    return undefined;
  }
}

function textOrUndefined(bytes: Uint8Array): string | undefined {
  try {
    return decodeUtf8(bytes.subarray(0, 512));
  } catch {
    return undefined;
  }
}

function stringIn(value: JsonValue | undefined, name: string): string | undefined {
  const found = isObject(value) ? value[name] : undefined;
  return typeof found === "string" && found !== "" ? found : undefined;
}

/** Worth another try: too early, too many, timed out, or a server error other than "cannot do that at all". */
export function isTransientStatus(status: number): boolean {
  if (status === 408 || status === 425 || status === 429) return true;
  return status >= 500 && status !== 501 && status !== 505;
}

/** A status of that kind as an error: `429 on the list of referrers`. */
export function transientStatus(response: HttpResponse, error: PeerError, what: string, now: number): TransientError {
  const { status } = response;
  const detail = error.text === undefined ? "" : ` (${error.text})`;
  const throttled = status === 429;
  const host = response.url.host;
  const message = throttled ? `${host} asks us to slow down` : `${host} failed on ${what}`;
  return new TransientError(throttled ? "throttled" : "server-error", message, {
    found: `${status} on ${what}${detail}`,
    retryAfterMs: waitAskedFor(response, now),
  });
}

/** ` (DENIED: …)`, for a message. */
export function inBrackets(error: PeerError): string {
  return error.text === undefined ? "" : ` (${error.text})`;
}
