import { Buffer } from "node:buffer";
import type { Readable } from "node:stream";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { bareType } from "../../core/oci/media-types.ts";
import { throwIfAborted } from "../disk/errors.ts";
import { type Peer, transportError } from "./failures.ts";
import { withoutParts, withSecrets } from "./secrets.ts";

type ResponseHeaders = Readonly<Record<string, string | string[] | undefined>>;

interface ResponseParts {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ResponseHeaders;
  readonly body: Readable;
  /** What was asked for. */
  readonly url: URL;
  readonly peer: Peer;
  /** Told how the body comes along. */
  readonly pulse: { progressed(): void; timedOut(): void };
  readonly signal: AbortSignal | undefined;
  /** What the request carried that nobody may read in a message. */
  readonly secrets: readonly string[];
}

/** A status, headers, and a body that is read once, in bounds, or given up. */
export class HttpResponse {
  readonly status: number;
  readonly url: URL;
  readonly #headers: ResponseHeaders;
  readonly #body: Readable;
  readonly #peer: Peer;
  readonly #pulse: ResponseParts["pulse"];
  readonly #signal: AbortSignal | undefined;
  readonly #secrets: readonly string[];
  #beginning: Promise<Uint8Array> | undefined;

  constructor(parts: ResponseParts) {
    this.status = parts.status;
    this.url = parts.url;
    this.#headers = parts.headers;
    this.#body = parts.body;
    this.#peer = parts.peer;
    this.#pulse = parts.pulse;
    this.#signal = parts.signal;
    this.#secrets = parts.secrets;
    // A body that nobody reads any more may still break: that is nobody's unhandled error.
    this.#body.on("error", () => undefined);
  }

  /** A header's value; several of one name are joined as RFC 9110 §5.2 says. */
  header(name: string): string | undefined {
    const value = this.#headers[name];
    return Array.isArray(value) ? value.join(", ") : value;
  }

  /** Every header of this name, apart: for those whose values hold commas. */
  headers(name: string): readonly string[] {
    const value = this.#headers[name];
    return value === undefined ? [] : Array.isArray(value) ? value : [value];
  }

  /** Words of the peer as they may be repeated: one that echoes the credentials it was sent brings them into no log. */
  speakable(text: string): string {
    return withoutParts(text, this.#secrets);
  }

  /** Runs what reads this answer, and cleans its errors likewise. */
  discreetly<Result>(work: () => Promise<Result>): Promise<Result> {
    return withSecrets(this.#secrets, work);
  }

  /** Without parameters, in lower case; empty where there is none. */
  get contentType(): string {
    return bareType(this.header("content-type") ?? "");
  }

  /** undefined where it is absent or no number. */
  get contentLength(): number | undefined {
    const value = this.header("content-length");
    return value !== undefined && /^[0-9]{1,15}$/.test(value) ? Number(value) : undefined;
  }

  /**
   * The body as it arrives. A trickle of fewer than LIMITS.idleBytes in the idle time counts as none; the time that the
   * reader takes for itself does not count.
   */
  async *chunks(): AsyncGenerator<Uint8Array, void, undefined> {
    const pace = new Pace(this.#peer, this.#pulse);
    const iterator = this.#body[Symbol.asyncIterator]();
    try {
      for (;;) {
        const asked = performance.now();
        const next = await this.#next(iterator);
        if (next.done === true) return this.#pulse.progressed();
        pace.arrived(next.value.byteLength, performance.now() - asked);
        yield next.value;
      }
    } finally {
      this.discard();
    }
  }

  async #next(iterator: AsyncIterator<Uint8Array>): Promise<IteratorResult<Uint8Array, undefined>> {
    try {
      const next = await iterator.next();
      return next.done === true ? { done: true, value: undefined } : next;
    } catch (thrown) {
      throwIfAborted(this.#signal);
      const error = transportError(thrown, this.#peer);
      if (error.code === "timeout") this.#pulse.timedOut();
      throw error;
    }
  }

  /** The whole body. @throws CountersignError `limit-reached` where it is longer than `maxBytes`. */
  async bytes(maxBytes: number, what: string): Promise<Uint8Array> {
    const announced = this.contentLength;
    if (announced !== undefined && announced > maxBytes) {
      this.discard();
      throw tooLarge(what, `${announced} bytes`, maxBytes);
    }
    const read = await this.#collect(maxBytes);
    if (read.truncated) throw tooLarge(what, `more than ${maxBytes} bytes`, maxBytes);
    return read.bytes;
  }

  /** The beginning of an error's body, for everyone who asks; what cannot be read is empty. */
  beginning(): Promise<Uint8Array> {
    this.#beginning ??= this.#readBeginning();
    return this.#beginning;
  }

  async #readBeginning(): Promise<Uint8Array> {
    try {
      return (await this.#collect(LIMITS.errorBodyBytes)).bytes;
    } catch {
      throwIfAborted(this.#signal);
      return new Uint8Array();
    }
  }

  async #collect(maxBytes: number): Promise<{ bytes: Uint8Array; truncated: boolean }> {
    const deadline = performance.now() + LIMITS.smallReadMs;
    const chunks: Uint8Array[] = [];
    let size = 0;
    for await (const chunk of this.chunks()) {
      size += chunk.byteLength;
      if (size > maxBytes) return { bytes: Buffer.concat([...chunks, chunk], maxBytes), truncated: true };
      chunks.push(chunk);
      if (performance.now() > deadline) throw tooSlow(this.#peer, LIMITS.smallReadMs);
    }
    return { bytes: Buffer.concat(chunks, size), truncated: false };
  }

  /** Reads what little is left of a body that does not matter, so that the connection can be used again. */
  async drain(): Promise<void> {
    if (this.#body.destroyed || this.#body.readableEnded) return;
    if ((this.contentLength ?? 0) > LIMITS.errorBodyBytes) this.discard();
    else await this.beginning();
  }

  /** Gives up the body, and with it the connection unless all of it has arrived. */
  discard(): void {
    if (!this.#body.destroyed) this.#body.destroy();
  }
}

/** How fast a body arrives. */
class Pace {
  readonly #peer: Peer;
  readonly #pulse: ResponseParts["pulse"];
  #bytes = 0;
  #waitedMs = 0;

  constructor(peer: Peer, pulse: ResponseParts["pulse"]) {
    this.#peer = peer;
    this.#pulse = pulse;
  }

  arrived(bytes: number, waitedMs: number): void {
    this.#bytes += bytes;
    this.#waitedMs += waitedMs;
    if (this.#bytes >= LIMITS.idleBytes) {
      this.#bytes = 0;
      this.#waitedMs = 0;
      this.#pulse.progressed();
    } else if (this.#waitedMs > this.#peer.idleMs) {
      this.#pulse.timedOut();
      throw tooSlow(this.#peer, this.#peer.idleMs);
    }
  }
}

function tooSlow(peer: Peer, milliseconds: number): CountersignError {
  return new CountersignError("timeout", `${peer.host} sends too slowly to get anywhere`, {
    found: `an unfinished answer after ${milliseconds / 1000} s`,
    wanted: `at least ${LIMITS.idleBytes} bytes in ${peer.idleMs / 1000} s`,
  });
}

function tooLarge(what: string, found: string, maxBytes: number): CountersignError {
  return new CountersignError("limit-reached", `${what} is larger than will be read`, {
    found,
    wanted: `at most ${maxBytes} bytes`,
  });
}
