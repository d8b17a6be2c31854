import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { ServiceClient } from "../../../../src/io/http/service.ts";
import { parseMirror, type TufSource, webSource } from "../../../../src/io/tuf/source.ts";
import { TufUpdater } from "../../../../src/io/tuf/updater.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { type Handler, httpServer, reply, type TestServer } from "../../../support/http-server.ts";
import { NOW, TestRepository } from "../../../support/tuf-repository.ts";

async function serve(t: TestContext, handler: Handler, path = ""): Promise<{ source: TufSource; server: TestServer }> {
  const server = await httpServer(handler);
  const client = new ServiceClient({ env: {}, userAgent: "countersign/test", tries: 1, idleMs: 2_000 });
  t.after(() => client.close());
  t.after(() => server.close());
  return { source: webSource(client, parseMirror(`http://${server.host}${path}`)), server };
}

const ok: Handler = (_request, response) => reply(response, 200, "{}");

describe("a TUF repository on a web server", () => {
  const names: readonly (readonly [string, string])[] = [
    ["3.root.json", "/3.root.json"],
    ["timestamp.json", "/timestamp.json"],
    ["1.a/b.json", "/1.a%2Fb.json"],
    ["1.../x.json", "/1...%2Fx.json"],
    ["1.?.json", "/1.%3F.json"],
    ["1.#.json", "/1.%23.json"],
    ["1.%2e%2e.json", "/1.%252e%252e.json"],
  ];
  for (const [file, target] of names) {
    it(`is asked for ${file} as ${target}`, async (t) => {
      const { source, server } = await serve(t, ok);
      await source.metadata(file, 100);
      assert.deepEqual(
        server.requests.map((request) => request.target),
        [target],
      );
    });
  }

  for (const path of ["/tuf", "/tuf/"]) {
    it(`may be below a path: ${path}`, async (t) => {
      const { source, server } = await serve(t, ok, path);
      await source.metadata("timestamp.json", 100);
      await source.target(["a", "b.json"], 100);
      assert.deepEqual(
        server.requests.map(({ target }) => target),
        ["/tuf/timestamp.json", "/tuf/targets/a/b.json"],
      );
    });
  }

  for (const status of [403, 404]) {
    it(`has no such file where it answers ${status} (TUF 5.3.3)`, async (t) => {
      const { source } = await serve(t, (_request, response) => reply(response, status, "none"));
      assert.equal(await source.metadata("2.root.json", 100), undefined);
    });
  }

  const failures: readonly (readonly [number, ReasonCode])[] = [
    [401, "denied"],
    [400, "protocol-error"],
    [410, "protocol-error"],
    [429, "throttled"],
    [500, "server-error"],
    [503, "server-error"],
  ];
  for (const [status, code] of failures) {
    it(`has not said that there is no file where it answers ${status}`, async (t) => {
      const { source } = await serve(t, (_request, response) => reply(response, status, "no"));
      await rejectedBy(() => source.metadata("2.root.json", 100), code);
    });
  }

  const leadingOut = [[".."], ["a", "..", "b"], ["."], ["a", ""], ["", "a"], []];
  for (const path of leadingOut) {
    it(`is not asked for what would lead out of its folder: ${JSON.stringify(path)}`, async (t) => {
      const { source, server } = await serve(t, ok);
      await rejectedBy(async () => source.target(path, 100), "trust-rejected");
      assert.deepEqual(server.requests, []);
    });
  }

  it("is read no further than it may be: data without end", async (t) => {
    const { source } = await serve(t, (_request, response) => {
      response.writeHead(200);
      const pump = setInterval(() => response.write(Buffer.alloc(4096)), 1);
      response.on("close", () => clearInterval(pump));
    });
    await rejectedBy(() => source.metadata("timestamp.json", 16_384), "limit-reached");
  });

  it("is not believed about the length: one that announces more than is read", async (t) => {
    const { source } = await serve(t, (_request, response) => reply(response, 200, Buffer.alloc(200)));
    await rejectedBy(() => source.metadata("timestamp.json", 199), "limit-reached");
  });

  it("is not waited for: data that never comes", async (t) => {
    const { source } = await serve(t, (_request, response) => void response.writeHead(200).write("{"));
    await rejectedBy(() => source.metadata("timestamp.json", 100), "timeout");
  });

  it("is not waited for: a byte now and then", async (t) => {
    const { source } = await serve(t, (_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(" "), 50);
      response.on("close", () => clearInterval(drip));
    });
    await rejectedBy(() => source.metadata("timestamp.json", 100_000), "timeout");
  });

  it("is not followed in circles", async (t) => {
    const { source } = await serve(t, (request, response) => reply(response, 302, "", { location: request.target }));
    await rejectedBy(() => source.metadata("timestamp.json", 100), "redirect-refused");
  });

  it("serves a whole client", async (t) => {
    const tuf = new TestRepository().addTarget("a/b.json", "{}").publishTargets();
    const { source } = await serve(t, tuf.handler());
    const updater = new TufUpdater(new Map([["root", tuf.startRoot]]), { name: "tuf.example", now: NOW, source });
    await updater.refresh();
    const target = await updater.find("a/b.json");
    assert.equal(target && Buffer.from(await updater.fetch(target, 10)).toString(), "{}");
  });
});

describe("the address of a TUF repository", () => {
  for (const text of [
    "",
    "tuf.example",
    "ftp://tuf.example",
    "https://tuf.example/?a=b",
    "https://tuf.example/#a",
    "file:///x",
  ]) {
    it(`is none: ${JSON.stringify(text)}`, () => void thrownBy(() => parseMirror(text), "configuration-invalid"));
  }

  it("is not used in plain HTTP on another machine", async () => {
    const client = new ServiceClient({ env: {}, userAgent: "countersign/test" });
    const source = webSource(client, parseMirror("http://tuf.example"));
    await rejectedBy(() => source.metadata("timestamp.json", 100), "configuration-invalid");
  });
});
