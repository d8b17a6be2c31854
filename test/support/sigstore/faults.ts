import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import type { JsonObject } from "../../../src/core/json.ts";
import { reply, type SeenRequest } from "../http-server.ts";
import type { Answer } from "./answer.ts";
import type { FulcioFault } from "./fulcio-service.ts";
import type { OidcFault } from "./oidc-service.ts";
import type { RekorFault } from "./rekor-service.ts";
import type { TimestampFault } from "./timestamp-service.ts";

/** How a service fails: an answer instead of its own, trouble with the connection, or something wrong in what it says. */
export type Fault =
  | {
      readonly status: number;
      readonly body?: string | JsonObject;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Milliseconds before it answers as ever. */
  | { readonly delay: number }
  /** The connection is cut before anything was done. */
  | "reset"
  /** Done, but the connection is cut instead of an answer. */
  | "lost"
  /** No answer at all. */
  | "hang"
  /** 200 and neither JSON nor DER. */
  | "garbage"
  /** 200 and more bytes than any client should take. */
  | "huge"
  | FulcioFault
  | RekorFault
  | TimestampFault
  | OidcFault;

/** Which services fail, and how often yet. */
export class Faults {
  readonly #byService = new Map<string, { readonly how: Fault; times: number }>();

  set(service: string, how: Fault, times: number = Number.POSITIVE_INFINITY): void {
    this.#byService.set(service, { how, times });
  }

  clear(service: string): void {
    this.#byService.delete(service);
  }

  /** What is to happen to the next request. */
  next(service: string): Fault | undefined {
    const fault = this.#byService.get(service);
    if (fault === undefined || fault.times <= 0) return undefined;
    fault.times -= 1;
    return fault.how;
  }
}

const HUGE = 64 << 20;

/** Answers a request, unless a fault stands in the way. */
export async function answerOrFail(
  service: (request: SeenRequest, fault?: string) => Answer,
  fault: Fault | undefined,
  request: SeenRequest,
  response: ServerResponse,
): Promise<void> {
  if (fault === "hang") return;
  if (fault === "reset") return cut(response);
  if (fault === "garbage") return reply(response, 200, "\u0000 neither");
  if (fault === "huge") return reply(response, 200, Buffer.alloc(HUGE, " "));
  if (typeof fault === "object" && "status" in fault) return answerInstead(response, fault);
  if (typeof fault === "object") await delay(fault.delay);
  const { status, body, headers } = service(request, typeof fault === "string" ? fault : undefined);
  if (fault === "lost") return cut(response);
  reply(response, status, body, headers);
}

function answerInstead(response: ServerResponse, fault: Extract<Fault, { status: number }>): void {
  const { status, body = { code: status, message: "out of order" }, headers } = fault;
  reply(response, status, body, headers);
}

function cut(response: ServerResponse): void {
  response.destroy();
}
