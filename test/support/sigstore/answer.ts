import { type JsonObject, parseJsonObject } from "../../../src/core/json.ts";
import type { SeenRequest } from "../http-server.ts";

/** What a service says. */
export interface Answer {
  readonly status: number;
  readonly body: string | Uint8Array | JsonObject;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/** A refusal, thrown from anywhere below a service. */
export class Refusal extends Error {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }
}

/** gRPC's numbers as its gateway maps them to HTTP. */
const GRPC: Readonly<Record<number, number>> = {
  400: 3,
  401: 16,
  404: 5,
  405: 9,
  409: 6,
  415: 3,
  429: 8,
  500: 13,
  503: 14,
};

/** As a gRPC gateway words an error: Fulcio and Rekor 2. */
export function grpcError({ status, message, headers }: Refusal): Answer {
  return { status, headers, body: { code: GRPC[status] ?? 2, message, details: [] } };
}

/** As Rekor 1 and the timestamp authority word one. */
export function plainError({ status, message, headers }: Refusal): Answer {
  return { status, headers, body: { code: status, message } };
}

/** What a service answers, refusals worded its way. Whatever else is thrown is a client's nonsense. */
export function answered(service: () => Answer, word: (refusal: Refusal) => Answer): Answer {
  try {
    return service();
  } catch (error) {
    return word(error instanceof Refusal ? error : new Refusal(400, `cannot be read: ${String(error)}`));
  }
}

export function jsonBody({ body, headers }: SeenRequest): JsonObject {
  if (headers["content-type"]?.startsWith("application/json") !== true) throw new Refusal(415, "wants JSON");
  return parseJsonObject(body, { what: "the request", code: "malformed-signature", maxBytes: 4 << 20 });
}

/** A member that has to be an object. */
export function objectIn(json: JsonObject, member: string): JsonObject {
  const value = json[member];
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new Refusal(400, `no ${member}`);
}

/** A member that has to be a text. */
export function textIn(json: JsonObject, member: string): string {
  const value = json[member];
  if (typeof value === "string") return value;
  throw new Refusal(400, `no ${member}`);
}

export function bytesIn(json: JsonObject, member: string): Buffer {
  return Buffer.from(textIn(json, member), "base64");
}

export function pathOf({ target }: SeenRequest): string {
  return new URL(target, "http://127.0.0.1").pathname;
}
