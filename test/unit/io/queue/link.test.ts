import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { after, describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import { parseQueueAddress } from "../../../../src/io/queue/address.ts";
import { QueueLink } from "../../../../src/io/queue/link.ts";
import { rejectedBy } from "../../../support/codes.ts";

/** A server that knows as much of Redis' protocol as is said here: an answer for a command, by its name. */
class FakeServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  port = 0;

  constructor(answer: (command: string) => string) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket.on("error", () => undefined));
      socket.setEncoding("utf8").on("data", (text: string) => {
        // An array of bulk strings for each command: `*1\r\n$4\r\nPING\r\n`.
        for (const [, name = ""] of text.matchAll(/\*\d+\r\n\$\d+\r\n([A-Za-z]+)\r\n/g)) {
          socket.write(answer(name.toUpperCase()));
        }
      });
    });
  }

  async listen(port = 0): Promise<this> {
    await new Promise<void>((resolve) => this.#server.listen(port, "127.0.0.1", resolve));
    const address = this.#server.address();
    this.port = typeof address === "object" && address !== null ? address.port : 0;
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

const INFO = "redis_version:7.0.15\r\nloading:0\r\n";
const healthy = (command: string): string => {
  if (command === "INFO") return `$${INFO.length}\r\n${INFO}\r\n`;
  return command === "PING" ? "+PONG\r\n" : "+OK\r\n";
};

const open: { close(): unknown }[] = [];
after(async () => {
  for (const one of open) await one.close();
});

async function serve(answer: (command: string) => string): Promise<FakeServer> {
  const server = await new FakeServer(answer).listen();
  open.push(server);
  return server;
}

/** For servers that answer. */
const PATIENT = { connectMs: 10_000, outageMs: 2_000 };
/** For servers that do not. */
const QUICK = { connectMs: 300, outageMs: 300 };
const addressOf = ({ port }: { readonly port: number }) => parseQueueAddress(`redis://me:hunter2@127.0.0.1:${port}`);

async function connect(server: FakeServer, signal?: AbortSignal, patience = PATIENT): Promise<QueueLink> {
  const link = await QueueLink.open(addressOf(server), { signal, patience });
  open.push(link);
  return link;
}

/** All that a person could read of it. */
function wordsOf({ message, found, wanted, next }: CountersignError): string {
  return [message, found, wanted, next].join("\n");
}

describe("the connection to a queue's server", () => {
  it("hands on what the work comes to", async () => {
    const link = await connect(await serve(healthy));
    assert.equal(await link.during(link.redis.ping()), "PONG");
    await assert.rejects(link.during(Promise.reject(new TypeError("ours"))), TypeError);
  });

  it("that nobody answers is unreachable, and its password is not said", async () => {
    const server = await serve(healthy);
    await server.close();
    const error = await rejectedBy(() => connect(server, undefined, QUICK), "unreachable");
    assert.match(wordsOf(error), new RegExp(`redis://127\\.0\\.0\\.1:${server.port}/0`));
    assert.doesNotMatch(wordsOf(error), /hunter2/);
  });

  it("to something that is silent is unreachable", async () => {
    await rejectedBy(async () => connect(await serve(() => ""), undefined, QUICK), "unreachable");
  });

  it("to something that speaks another protocol is not taken for one", async () => {
    await rejectedBy(async () => connect(await serve(() => "HTTP/1.1 400 Bad Request\r\n\r\n")), "protocol-error");
  });

  for (const answer of [
    "-WRONGPASS invalid username-password pair or user is disabled.\r\n",
    "-NOAUTH Authentication required.\r\n",
    "-NOPERM this user has no permissions to run the 'ping' command\r\n",
  ]) {
    it(`that is not let in is denied: ${answer.trim()}`, async () => {
      const server = await serve((command) => (command === "CLIENT" ? "+OK\r\n" : answer));
      assert.doesNotMatch(wordsOf(await rejectedBy(() => connect(server), "denied")), /hunter2/);
    });
  }

  it("to a database that is not there does not end in another one", async () => {
    const server = await serve((command) =>
      command === "SELECT" ? "-ERR DB index is out of range\r\n" : healthy(command),
    );
    const address = parseQueueAddress(`redis://127.0.0.1:${server.port}/99`);
    const error = await rejectedBy(() => QueueLink.open(address, { patience: PATIENT }), "configuration-invalid");
    assert.match(error.found ?? "", /\/99/);
  });

  it("is not tried where the command was interrupted before", async () => {
    const signal = AbortSignal.abort(new CountersignError("interrupted", "interrupted"));
    const server = await serve(healthy);
    await rejectedBy(() => connect(server, signal), "interrupted");
  });

  it("ends the work when the command is interrupted", async () => {
    const interruption = new AbortController();
    const link = await connect(await serve(healthy), interruption.signal);
    const work = rejectedBy(() => link.during(new Promise(() => undefined)), "interrupted");
    interruption.abort(new CountersignError("interrupted", "interrupted"));
    await work;
  });

  it("ends the work when the server is gone for too long", async () => {
    const server = await serve(healthy);
    const link = await connect(server);
    const work = rejectedBy(() => link.during(new Promise(() => undefined)), "unreachable");
    await server.close();
    await work;
  });

  it("outlives a server that comes back", async () => {
    const server = await serve(healthy);
    const link = await connect(server);
    await server.close();
    const answer = link.during(link.redis.ping());
    open.push(await new FakeServer(healthy).listen(server.port));
    assert.equal(await answer, "PONG");
    await new Promise((resolve) => setTimeout(resolve, 1.5 * PATIENT.outageMs));
    assert.equal(await link.during(link.redis.ping()), "PONG");
  });

  it("says what the server answered to a command that it refused", async () => {
    const full = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
    const link = await connect(await serve((command) => (command === "SET" ? full : healthy(command))));
    const error = await rejectedBy(() => link.during(link.redis.set("a", "b")), "server-error");
    assert.match(error.found ?? "", /maxmemory/);
  });
});
