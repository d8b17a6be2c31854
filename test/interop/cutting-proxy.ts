import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse, request as send } from "node:http";
import type { AddressInfo } from "node:net";

/** A request on its way to the registry. */
export interface PassingRequest {
  /** From 1. */
  readonly index: number;
  readonly method: string;
  readonly path: string;
}

/**
 * What becomes of it. `cut`: the connection ends; `carried-out`: after the registry has done what was asked, and nobody hears of it;
 * `lie`: the registry is not asked, and it is said to be created; `after`: the connection ends, and the registry is asked after that.
 */
export type Fate = "pass" | "cut" | "carried-out" | "lie" | { readonly after: Promise<void> };

export interface CuttingProxy {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** How many requests came. */
  readonly count: number;
  /** Ends when all that is late has arrived. */
  close(): Promise<void>;
}

/** Stands between a publisher and a real registry. */
export async function startCuttingProxy(
  registry: string,
  fateOf: (request: PassingRequest) => Fate,
): Promise<CuttingProxy> {
  let count = 0;
  const late: Promise<void>[] = [];
  const server = createServer((incoming, response) => {
    void serve(incoming, response).catch(() => response.destroy());
  });
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { method = "GET", url = "/" } = incoming;
    const body = await bytesOf(incoming);
    const fate = fateOf({ index: ++count, method, path: url });
    if (fate === "cut") return void response.destroy();
    if (fate === "lie") return void response.writeHead(201).end();
    const forward = () => forwarded(registry, incoming, body);
    if (typeof fate === "object") {
      late.push(fate.after.then(forward).then(({ status }) => assert.equal(status, 201)));
      return void response.destroy();
    }
    const answer = await forward();
    if (fate === "carried-out") return void response.destroy();
    response.writeHead(answer.status, answer.headers).end(answer.body);
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    address: `127.0.0.1:${port}`,
    get count() {
      return count;
    },
    async close() {
      await Promise.all(late);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly body: Buffer;
}

/** Under the name that it was asked by: addresses in the answer lead through here again. */
function forwarded(registry: string, { method, url, headers }: IncomingMessage, body: Buffer): Promise<Answer> {
  const [host, port] = registry.split(":");
  return new Promise((resolve, reject) => {
    const outgoing = send({ host, port, method, path: url, headers }, (answer) => {
      bytesOf(answer).then(
        (content) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: content }),
        reject,
      );
    });
    outgoing.on("error", reject).end(body);
  });
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}
