import { setTimeout as sleep } from "node:timers/promises";
import { type Content, contentOf, type ErrorCode, emptyReply, errorReply, type Reply } from "./reply.ts";

/** A request as a fault is chosen by. */
export interface SeenRequest {
  /** From 1, in the order of arrival since the start or the last `restart`. */
  readonly index: number;
  readonly method: string;
  /** As it was sent, with the query. */
  readonly url: string;
  /** Decoded, without the query. */
  readonly path: string;
}

/** One way for an answer to go wrong. */
export type Fault =
  /** The connection is reset; `after`: once the request was carried out, so that only the answer is lost. */
  | { readonly kind: "reset"; readonly after?: boolean }
  /** Nothing more ever comes: from the start, or after half the content. */
  | { readonly kind: "stall"; readonly at?: "start" | "content" }
  /** The right answer, later. */
  | { readonly kind: "delay"; readonly ms: number }
  /** Half the content, then the connection is cut: fewer bytes than announced. */
  | { readonly kind: "truncate" }
  /** Half the content, or a byte more than all of it, in an answer that is whole in itself. */
  | { readonly kind: "shorten" | "lengthen" }
  /** Content without an end. */
  | { readonly kind: "endless" }
  /** One bit in the middle of the content, or in this byte of it. */
  | { readonly kind: "flip-bit"; readonly byte?: number }
  /** A `Docker-Content-Digest` of something else. */
  | { readonly kind: "wrong-digest-header" }
  | { readonly kind: "wrong-content-type"; readonly contentType?: string }
  /** An error status with a well-formed body; `retryAfter` and `challenge` become headers. */
  | {
      readonly kind: "status";
      readonly status: number;
      readonly code?: ErrorCode;
      readonly retryAfter?: string;
      readonly challenge?: string;
    }
  /** To another place, or (without `to`) to the same one again and again. */
  | { readonly kind: "redirect"; readonly to?: string; readonly status?: number }
  /** A web page with status 200, as login portals answer. */
  | { readonly kind: "html" }
  /** Headers put over those of the right answer. */
  | { readonly kind: "headers"; readonly headers: Reply["headers"] }
  /** Any other answer. */
  | { readonly kind: "reply"; readonly reply: Reply };

/** What happens to a request: an answer, or what is done to its connection instead. */
export type Outcome = Reply | "reset" | "stall";

export type FaultHook = (request: SeenRequest) => Fault | undefined;

/** Which requests go wrong, and how. Rules are tried in the order in which they were made. */
export class FaultPlan {
  #rules: { readonly matches: (request: SeenRequest) => boolean; readonly fault: Fault; left: number }[] = [];

  /** Breaks the request with this index (from 1). */
  at(index: number, fault: Fault): this {
    return this.when((request) => request.index === index, fault);
  }

  /** Breaks the requests that match, at most `times` of them. */
  when(matches: (request: SeenRequest) => boolean, fault: Fault, times = Number.POSITIVE_INFINITY): this {
    this.#rules.push({ matches, fault, left: times });
    return this;
  }

  clear(): void {
    this.#rules = [];
  }

  readonly hook: FaultHook = (request) => {
    const rule = this.#rules.find(({ left, matches }) => left > 0 && matches(request));
    if (rule !== undefined) rule.left--;
    return rule?.fault;
  };
}

/** Answers the request as the fault has it; `answer` carries it out, and is not called where the fault comes before. */
export async function breakReply(
  fault: Fault | undefined,
  request: SeenRequest,
  answer: () => Promise<Reply>,
): Promise<Outcome> {
  if (fault === undefined) return await answer();
  switch (fault.kind) {
    case "reset":
      if (fault.after === true) await answer();
      return "reset";
    case "stall":
      return fault.at === "content" ? changeContent(await answer(), stalled) : "stall";
    case "delay":
      await sleep(fault.ms);
      return await answer();
    case "status":
      return statusReply(fault);
    case "redirect":
      return emptyReply(fault.status ?? 307, { Location: fault.to ?? request.url });
    case "html":
      return htmlReply();
    case "reply":
      return fault.reply;
    default:
      return spoil(fault, await answer());
  }
}

type Spoiling = Extract<
  Fault,
  {
    kind:
      | "truncate"
      | "shorten"
      | "lengthen"
      | "endless"
      | "flip-bit"
      | "headers"
      | "wrong-digest-header"
      | "wrong-content-type";
  }
>;

function spoil(fault: Spoiling, reply: Reply): Reply {
  switch (fault.kind) {
    case "truncate":
      return changeContent(reply, (content) => ({ size: content.size, read: () => half(content) }));
    case "shorten":
      return changeContent(reply, (content) => ({ size: undefined, read: () => half(content) }));
    case "lengthen":
      return changeContent(reply, (content) => ({ size: undefined, read: () => andMore(content, 1) }));
    case "endless":
      return changeContent(reply, (content) => ({
        size: undefined,
        read: () => andMore(content, Number.POSITIVE_INFINITY),
      }));
    case "flip-bit":
      return changeContent(reply, (content) => ({ size: content.size, read: () => flipped(content, fault.byte) }));
    case "headers":
      return withHeaders(reply, fault.headers);
    case "wrong-digest-header":
      return withHeaders(reply, { "Docker-Content-Digest": `sha256:${"0".repeat(64)}` });
    case "wrong-content-type":
      return withHeaders(reply, { "Content-Type": fault.contentType ?? "application/octet-stream" });
  }
}

function withHeaders(reply: Reply, headers: Reply["headers"]): Reply {
  return { ...reply, headers: { ...reply.headers, ...headers } };
}

function changeContent(reply: Reply, change: (content: Content) => Content): Reply {
  return reply.content === undefined ? reply : { ...reply, content: change(reply.content) };
}

function statusReply(fault: Fault & { readonly kind: "status" }): Reply {
  return errorReply(fault.status, fault.code ?? codeOf(fault.status), "broken on purpose", {
    ...(fault.retryAfter === undefined ? {} : { "Retry-After": fault.retryAfter }),
    ...(fault.challenge === undefined ? {} : { "WWW-Authenticate": fault.challenge }),
  });
}

const CODES: Readonly<Record<number, ErrorCode>> = {
  401: "UNAUTHORIZED",
  403: "DENIED",
  404: "MANIFEST_UNKNOWN",
  405: "UNSUPPORTED",
  429: "TOOMANYREQUESTS",
};

function codeOf(status: number): ErrorCode {
  return CODES[status] ?? "UNKNOWN";
}

function htmlReply(): Reply {
  const page = "<!doctype html><title>Sign in</title><p>Please sign in to continue.\n";
  return {
    status: 200,
    headers: { "Content-Type": "text/html; charset=utf-8" },
    content: contentOf(Buffer.from(page)),
  };
}

/** The first half of the content, rounded down: of one byte, none. */
async function* half(content: Content): AsyncGenerator<Uint8Array> {
  let left = Math.floor((content.size ?? 0) / 2);
  for await (const chunk of content.read()) {
    if (left <= 0) return;
    yield chunk.subarray(0, left);
    left -= chunk.byteLength;
  }
}

function stalled(content: Content): Content {
  return {
    size: content.size,
    async *read() {
      yield* half(content);
      await new Promise<never>(() => undefined);
    },
  };
}

const MORE = new Uint8Array(64 * 1024).fill(0x20);

async function* andMore(content: Content, bytes: number): AsyncGenerator<Uint8Array> {
  yield* content.read();
  for (let left = bytes; left > 0; left -= MORE.byteLength) yield MORE.subarray(0, left);
}

async function* flipped(content: Content, byte = Math.floor((content.size ?? 0) / 2)): AsyncGenerator<Uint8Array> {
  let at = 0;
  for await (const chunk of content.read()) {
    const copy = new Uint8Array(chunk);
    const flip = copy[byte - at];
    if (flip !== undefined) copy[byte - at] = flip ^ 1;
    at += chunk.byteLength;
    yield copy;
  }
}
