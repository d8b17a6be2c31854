import type { ServerResponse } from "node:http";
import { setImmediate } from "node:timers/promises";

/** Bytes to answer with. Nothing is opened before `read`, so an answer whose content is not wanted costs nothing. */
export interface Content {
  /** Bytes; undefined where it is not known beforehand (the answer is then sent in chunks). */
  readonly size: number | undefined;
  read(): AsyncIterable<Uint8Array>;
}

/** An answer as a value: handlers make it, faults change it, `sendReply` puts it on the wire. */
export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly content?: Content | undefined;
}

export function contentOf(bytes: Uint8Array): Content {
  return {
    size: bytes.byteLength,
    async *read() {
      yield bytes;
    },
  };
}

export function emptyReply(status: number, headers: Reply["headers"] = {}): Reply {
  return { status, headers };
}

export function jsonReply(status: number, value: unknown, headers: Reply["headers"] = {}): Reply {
  const content = contentOf(Buffer.from(JSON.stringify(value)));
  return { status, headers: { "Content-Type": "application/json", ...headers }, content };
}

/** Distribution-spec, "Error Codes"; the last three are not in its table but in use everywhere. */
export type ErrorCode =
  | "BLOB_UNKNOWN"
  | "BLOB_UPLOAD_INVALID"
  | "BLOB_UPLOAD_UNKNOWN"
  | "DIGEST_INVALID"
  | "MANIFEST_BLOB_UNKNOWN"
  | "MANIFEST_INVALID"
  | "MANIFEST_UNKNOWN"
  | "NAME_INVALID"
  | "NAME_UNKNOWN"
  | "SIZE_INVALID"
  | "UNAUTHORIZED"
  | "DENIED"
  | "UNSUPPORTED"
  | "TOOMANYREQUESTS"
  | "TAG_INVALID"
  | "PAGINATION_NUMBER_INVALID"
  | "UNKNOWN";

/** Distribution-spec, "Error Codes": the body of every 4xx and 5xx answer. */
export function errorReply(status: number, code: ErrorCode, message: string, headers: Reply["headers"] = {}): Reply {
  return jsonReply(status, { errors: [{ code, message }] }, headers);
}

/** A protocol error on its way to the wire: the answer that ends the request. Never leaves the testbed. */
export class ProtocolError extends Error {
  readonly reply: Reply;

  constructor(status: number, code: ErrorCode, message: string, headers: Reply["headers"] = {}) {
    super(message);
    this.name = "ProtocolError";
    this.reply = errorReply(status, code, message, headers);
  }
}

/** RFC 9110, 9.3.2: the answer to HEAD has the headers of the answer to GET and no content. */
export async function sendReply(reply: Reply, method: string, response: ServerResponse): Promise<void> {
  if (response.destroyed) return;
  const { content } = reply;
  const length = content === undefined ? 0 : content.size;
  // RFC 9110, 8.6: no Content-Length in 204 and 304.
  const framing =
    length === undefined || reply.status === 204 || reply.status === 304 ? {} : { "Content-Length": length };
  response.writeHead(reply.status, { ...framing, ...reply.headers });
  if (content === undefined || method === "HEAD") {
    response.end();
    return;
  }
  await sendContent(content, response);
}

/** Content that ends short of its announced size cuts the connection: the peer must not take it for a plain end. */
async function sendContent(content: Content, response: ServerResponse): Promise<void> {
  let sent = 0;
  for await (const chunk of content.read()) {
    if (response.destroyed) return;
    sent += chunk.byteLength;
    if (!response.write(chunk)) await drained(response);
  }
  if (content.size === undefined || sent === content.size) {
    response.end();
    return;
  }
  // One turn, so that what was written leaves before the connection is cut.
  await setImmediate();
  response.destroy();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) {
      resolve();
      return;
    }
    const done = () => {
      response.off("drain", done);
      response.off("close", done);
      resolve();
    };
    response.once("drain", done);
    response.once("close", done);
  });
}
