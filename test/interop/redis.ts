import type { ChildProcess } from "node:child_process";
import { connect } from "node:net";
import { freePort } from "../support/free-port.ts";
import { startPeer } from "./peers.ts";
import { type Server, stopChild, whenReady } from "./servers.ts";

/** Debian's redis-server on a folder of its own, with its log of what was written, that can be killed and started again. */
export class RedisServer {
  readonly #folder: string;
  readonly #port: number;
  readonly #flags: readonly string[];
  #child: ChildProcess | undefined;
  #server: Server | undefined;

  private constructor(folder: string, port: number, flags: readonly string[]) {
    this.#folder = folder;
    this.#port = port;
    this.#flags = flags;
  }

  static async start(folder: string, ...flags: readonly string[]): Promise<RedisServer> {
    const server = new RedisServer(folder, await freePort(), flags);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    this.#child = startPeer("redis-server", [
      ...["--port", String(this.#port), "--bind", "127.0.0.1", "--dir", this.#folder],
      ...["--appendonly", "yes", "--save", "", ...this.#flags],
    ]);
    this.#server = await whenReady(this.#child, `127.0.0.1:${this.#port}`, () => this.#answers());
  }

  /** Without a chance to write anything down. */
  async kill(): Promise<void> {
    this.#child?.kill("SIGKILL");
    await this.#server?.stop();
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined) await stopChild(this.#child);
  }

  get port(): number {
    return this.#port;
  }

  /** `redis://[:PASSWORD@]127.0.0.1:PORT/DATABASE` */
  url(database = 0, password?: string): string {
    return `redis://${password === undefined ? "" : `:${password}@`}127.0.0.1:${this.#port}/${database}`;
  }

  #answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.#port, "127.0.0.1");
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
      socket.once("connect", () => socket.destroy());
    });
  }
}
