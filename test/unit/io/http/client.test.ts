import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { HttpClient, type HttpRequest } from "../../../../src/io/http/client.ts";
import { type Handler, httpServer, reply, type TestServer, tcpServer } from "../../../support/http-server.ts";

const COUNT = 6;

async function startServer(t: TestContext, handler: Handler): Promise<TestServer> {
  const server = await httpServer(handler);
  t.after(() => server.close());
  return server;
}

async function startTcpServer(t: TestContext, handler: Parameters<typeof tcpServer>[0]): Promise<TestServer> {
  const server = await tcpServer(handler);
  t.after(() => server.close());
  return server;
}

function openClient(t: TestContext): HttpClient {
  const client = new HttpClient({ env: {}, tlsFor: () => ({ ca: [] }), userAgent: "test" });
  t.after(() => client.close());
  return client;
}

describe("requests one after another", () => {
  const kinds: readonly (readonly [what: string, status: number, request: Omit<HttpRequest, "url">])[] = [
    ["answers", 200, { method: "GET" }],
    ["refusals", 401, { method: "GET" }],
    ["answers to a body", 201, { method: "PUT", body: Buffer.from("body") }],
  ];
  for (const [what, status, request] of kinds) {
    it(`share a connection: ${what}`, async (t) => {
      const server = await startServer(t, (_, response) => reply(response, status, "something"));
      const client = openClient(t);
      for (let at = 0; at < COUNT; at++) {
        const response = await client.send({ ...request, url: new URL(`http://${server.host}/${at}`) });
        assert.equal(response.status, status);
        await response.bytes(100, "an answer");
      }
      assert.equal(server.requests.length, COUNT);
      assert.equal(server.connections(), 1);
    });
  }

  it("have another connection where the last one was ended", async (t) => {
    const server = await startServer(t, (_, response) => reply(response, 200, "x", { connection: "close" }));
    const client = openClient(t);
    for (let at = 0; at < COUNT; at++) {
      await (await client.send({ method: "GET", url: new URL(`http://${server.host}/`) })).bytes(100, "an answer");
    }
    assert.equal(server.connections(), COUNT);
  });

  it("do not take the body that comes with the answer to a HEAD for an answer, at once or when they are sent", async (t) => {
    for (const body of ["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged", "junk"]) {
      for (const isLate of [false, true]) {
        const late = new Map<unknown, string>();
        const server = await startTcpServer(t, (socket, request) => {
          if (request.startsWith("HEAD")) {
            socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${body.length}\r\n\r\n${isLate ? "" : body}`);
            late.set(socket, isLate ? body : "");
          } else socket.write(`${late.get(socket) ?? ""}HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\ntrue`);
        });
        const client = openClient(t);
        const url = new URL(`http://${server.host}/`);
        await (await client.send({ method: "HEAD", url })).bytes(100, "a head");
        const answer = await (await client.send({ method: "GET", url })).bytes(100, "an answer");
        assert.equal(Buffer.from(answer).toString(), "true");
        assert.equal(server.connections(), 2);
      }
    }
  });
});

describe("requests at the same time", () => {
  it("have a connection each, and then share these", async (t) => {
    let arrived = 0;
    const all = Promise.withResolvers<void>();
    const server = await startServer(t, async (_, response) => {
      if (++arrived === COUNT) all.resolve();
      await all.promise;
      reply(response, 200, "x");
    });
    const client = openClient(t);
    const ask = async (): Promise<void> => {
      await (await client.send({ method: "GET", url: new URL(`http://${server.host}/`) })).bytes(100, "an answer");
    };
    await Promise.all(Array.from({ length: COUNT }, ask));
    assert.equal(server.connections(), COUNT);
    await Promise.all(Array.from({ length: COUNT }, ask));
    assert.equal(server.connections(), COUNT);
  });
});
