import type { Redis } from "ioredis";
import { CountersignError } from "../../core/errors.ts";
import { LIMITS } from "../../core/limits.ts";
import { peerText } from "../http/redact.ts";
import { tlsOptions } from "../http/tls.ts";
import type { QueueAddress } from "./address.ts";

/** How patient one is with the server. Milliseconds. */
export interface Patience {
  readonly connectMs: number;
  readonly outageMs: number;
}

export interface LinkOptions {
  readonly signal?: AbortSignal | undefined;
  readonly patience?: Patience | undefined;
  /** PEM: certificate authorities that vouch for the server, beside Node's and the system's. */
  readonly authorities?: readonly string[] | undefined;
}

const PATIENCE: Patience = { connectMs: LIMITS.queueConnectMs, outageMs: LIMITS.queueOutageMs };
const LONGEST_RETRY_MS = 2_000;
const RETRY_STEP_MS = 100;

/**
 * A connection to the queue's server. It comes back by itself where the server does, and commands wait for that; a server
 * that stays away ends the work.
 */
export class QueueLink {
  readonly redis: Redis;
  readonly #address: QueueAddress;
  readonly #patience: Patience;
  readonly #signal: AbortSignal | undefined;
  readonly #broken = Promise.withResolvers<never>();
  #timer: NodeJS.Timeout | undefined;
  #lastError: string | undefined;
  #isClosed = false;

  private constructor(redis: Redis, address: QueueAddress, patience: Patience, signal: AbortSignal | undefined) {
    this.redis = redis;
    this.#address = address;
    this.#patience = patience;
    this.#signal = signal;
    // Nobody may be waiting when it breaks; who asks later is told.
    this.#broken.promise.catch(() => undefined);
    this.#limit(patience.connectMs);
    redis.on("error", this.#onError).on("close", this.#onClose).on("ready", this.#onReady);
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** @throws CountersignError `unreachable`, `denied`, and the signal's reason. */
  static async open(
    address: QueueAddress,
    { signal, patience = PATIENCE, authorities = [] }: LinkOptions = {},
  ): Promise<QueueLink> {
    signal?.throwIfAborted();
    const { Redis } = await import("ioredis");
    const { host, port, database, username, password, tls } = address;
    const redis = new Redis({
      host,
      port,
      db: database,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls && { tls: tlsOptions({ ca: authorities }, "all") }),
      connectTimeout: patience.connectMs,
      // As BullMQ wants it: a command outlives the connection that it was sent on.
      maxRetriesPerRequest: null,
      retryStrategy: (times) => Math.min(times * RETRY_STEP_MS, LONGEST_RETRY_MS),
    });
    const link = new QueueLink(redis, address, patience, signal);
    try {
      await link.during(redis.ping());
      return link;
    } catch (error) {
      link.close();
      throw error;
    }
  }

  /** What the work comes to, unless the server is gone for too long or the command is interrupted before. */
  async during<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await Promise.race([work, this.#broken.promise]);
    } catch (error) {
      throw this.#explain(error);
    }
  }

  /** Whether nothing will come of the connection any more. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.redis.disconnect();
  }

  readonly #onError = (error: Error): void => {
    this.#lastError = peerText(error.message);
    if (/^(?:NOAUTH|WRONGPASS|NOPERM)\b/.test(error.message)) this.#broken.reject(this.#denied());
    // The connection would go on with the first database, which may be somebody else's.
    if (/\bDB index\b/.test(error.message)) this.#broken.reject(this.#noDatabase());
  };

  readonly #onClose = (): void => {
    if (!this.#isClosed && this.#timer === undefined) this.#limit(this.#patience.outageMs);
  };

  readonly #onReady = (): void => {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  };

  readonly #onAbort = (): void => {
    this.#broken.reject(this.#signal?.reason);
  };

  #limit(milliseconds: number): void {
    this.#timer = setTimeout(() => {
      const seconds = Math.round(milliseconds / 1000);
      const error = new CountersignError("unreachable", "the queue's server cannot be reached", {
        found: `${this.#address.name}: ${this.#lastError ?? "no answer"}, for ${seconds} s`,
        wanted: "a Redis or Valkey server",
        next: "check the address and the network, then run the same command again",
      });
      this.#broken.reject(error);
    }, milliseconds);
  }

  #denied(): CountersignError {
    return new CountersignError("denied", "the queue's server refuses these credentials", {
      found: `${this.#address.name}: ${this.#lastError ?? ""}`,
      wanted: "a user and a password in the address that may read and write there",
      next: "correct user and password in COUNTERSIGN_QUEUE or --queue",
    });
  }

  #noDatabase(): CountersignError {
    return new CountersignError("configuration-invalid", "the queue's server has no such database", {
      found: `${this.#address.name}: ${this.#lastError ?? ""}`,
      wanted: "one of its databases behind the port, /0 by default",
    });
  }

  /** What the server says to a command: out of memory, read only, no permission. */
  #explain(error: unknown): unknown {
    if (error instanceof CountersignError || !(error instanceof Error)) return error;
    if (/^Unknown RESP type|^Protocol error/.test(error.message)) return this.#noRedis(error);
    if (error.name !== "ReplyError") return error;
    this.#onError(error);
    if (/^(?:NOAUTH|WRONGPASS|NOPERM)\b/.test(error.message)) return this.#denied();
    return new CountersignError("server-error", "the queue's server refused a command", {
      found: `${this.#address.name}: ${peerText(error.message)}`,
      next: "see that the server may be written to and has memory left, then run the same command again",
      cause: error,
    });
  }

  #noRedis(cause: Error): CountersignError {
    return new CountersignError("protocol-error", "what answers there is no server for a queue", {
      found: `${this.#address.name}: ${peerText(cause.message)}`,
      wanted: "a Redis or Valkey server",
      next: "check the address and the port; a server with TLS is rediss://",
      cause,
    });
  }
}
