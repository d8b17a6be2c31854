import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { CredentialSource } from "../../../../src/io/http/auth.ts";
import { NotaryServer } from "../../../../src/io/notary/server.ts";
import { selfSigned } from "../../../support/certificate.ts";
import { rejectedBy, thrownBy } from "../../../support/codes.ts";
import { notaryServer } from "../../../support/dct/notary-server.ts";
import { GUN } from "../../../support/dct/publisher.ts";
import { httpServer, reply } from "../../../support/http-server.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const FILES = new Map([["root", Buffer.from("{}")]]);
const NOBODY: CredentialSource = { find: () => Promise.resolve(undefined), searched: ["a place"] };
const ALICE: CredentialSource = {
  find: () => Promise.resolve({ kind: "password", username: "alice", password: "secret", source: "a file" }),
  searched: [],
};

function open(server: string, credentials = NOBODY, more: { env?: Record<string, string>; home?: string } = {}) {
  return new NotaryServer({
    server: new URL(server),
    gun: GUN,
    registry: "registry.example",
    credentials,
    env: more.env ?? {},
    homeDirectory: more.home ?? "/nonexistent",
    userAgent: "test",
    tries: 1,
  });
}

describe("a Notary server", () => {
  it("gives a file, or says that there is none", async (t) => {
    const http = await notaryServer(GUN, FILES);
    t.after(() => http.close());
    const server = open(`http://${http.host}`);
    t.after(() => server.close());
    assert.deepEqual(await server.file("root"), Buffer.from("{}"));
    assert.equal(await server.file("targets/releases"), undefined);
    assert.equal(http.requests[0]?.target, `/v2/${GUN}/_trust/tuf/root.json`);
  });

  it("may live below a path", async (t) => {
    const http = await httpServer((_request, response) => reply(response, 200, "{}"));
    t.after(() => http.close());
    const server = open(`http://${http.host}/trust/`);
    t.after(() => server.close());
    await server.file("root");
    assert.equal(http.requests[0]?.target, `/trust/v2/${GUN}/_trust/tuf/root.json`);
  });

  it("gets a token for the credentials of the image's registry, once for all files", async (t) => {
    const http = await notaryServer(GUN, FILES, { credentials: "alice:secret" });
    t.after(() => http.close());
    const server = open(`http://${http.host}`, ALICE);
    t.after(() => server.close());
    assert.ok(await server.file("root"));
    assert.ok(await server.file("root"));
    const tokens = http.requests.filter(({ target }) => target.startsWith("/token"));
    assert.equal(tokens.length, 1);
    assert.match(decodeURIComponent(tokens[0]?.target ?? ""), new RegExp(`scope=repository:${GUN}:pull`));
  });

  it("that wants credentials is not one that has nothing", async (t) => {
    const http = await notaryServer(GUN, new Map(), { credentials: "alice:secret" });
    t.after(() => http.close());
    const server = open(`http://${http.host}`);
    t.after(() => server.close());
    await rejectedBy(() => server.file("root"), "credentials-missing");
  });

  it("that refuses the credentials is not one that has nothing", async (t) => {
    const http = await notaryServer(GUN, new Map(), { credentials: "alice:other" });
    t.after(() => http.close());
    const server = open(`http://${http.host}`, ALICE);
    t.after(() => server.close());
    await rejectedBy(() => server.file("root"), "denied");
  });

  it("that wants credentials of an unknown kind is refused", async (t) => {
    const http = await httpServer((_request, response) => reply(response, 401));
    t.after(() => http.close());
    const server = open(`http://${http.host}`, ALICE);
    t.after(() => server.close());
    await rejectedBy(() => server.file("root"), "protocol-error");
  });

  it("shows its certificate to Docker's folder of authorities, and to nobody's else", async (t) => {
    const own = selfSigned("notary.test");
    const key = own.key.export({ type: "pkcs8", format: "pem" }).toString();
    const http = await httpServer((_request, response) => reply(response, 200, "{}"), { cert: own.pem, key });
    t.after(() => http.close());
    const home = await temporaryFolder(t);
    const strict = open(`https://${http.host}`, NOBODY, { home });
    t.after(() => strict.close());
    await rejectedBy(() => strict.file("root"), "unreachable");
    mkdirSync(join(home, ".docker/tls", http.host), { recursive: true });
    writeFileSync(join(home, ".docker/tls", http.host, "ca.crt"), own.pem);
    const server = open(`https://${http.host}`, NOBODY, { home });
    t.after(() => server.close());
    assert.ok(await server.file("root"));
  });

  for (const address of [
    "http://notary.example",
    "https://alice:secret@notary.example",
    "https://notary.example/?a=b",
    "ftp://notary.example",
  ]) {
    it(`is not asked at ${address}`, () => {
      const error = thrownBy(() => open(address), "configuration-invalid");
      assert.doesNotMatch(`${error.message}${error.found}`, /secret/);
    });
  }

  for (const name of ["../../../v2/_catalog", "root?x", "", "Root", "root.json#"]) {
    it(`is not asked for a file called "${name}"`, async (t) => {
      const server = open("http://127.0.0.1:1");
      t.after(() => server.close());
      await rejectedBy(() => server.file(name), "protocol-error");
    });
  }
});
