import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { describe, it } from "node:test";
import type { BrowserOptions } from "../../../../src/io/identity/browser.ts";
import { CallbackServer } from "../../../../src/io/identity/callback.ts";
import { discoverIssuer } from "../../../../src/io/identity/discovery.ts";
import { reply } from "../../../support/http-server.ts";
import { browse, quickService, quietlyRejected } from "../../../support/identity.ts";
import { consents, fails, faulty, type Person, type Prepare, withPerson } from "../../../support/sign-in.ts";

/** What becomes of a connection: the code of its error, or that it stands. */
function connectionTo(host: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: 500 });
    const end = (outcome: string) => {
      socket.destroy();
      resolve(outcome);
    };
    socket
      .once("connect", () => end("connected"))
      .once("timeout", () => end("timeout"))
      .once("error", (error) => end("code" in error ? String(error.code) : error.message));
  });
}

describe("a callback", () => {
  it("with another state is answered and forgotten: any page in the browser could send one", async () => {
    const pages: Response[] = [];
    const person: Person = async (address) => {
      const back = new URL(address.searchParams.get("redirect_uri") ?? "");
      for (const query of [
        "",
        "?state=",
        "?state=other&code=x",
        "?code=x",
        "?error=access_denied",
        "?state=a&state=b",
      ]) {
        pages.push(await fetch(new URL(query, back)));
      }
      const state = address.searchParams.get("state");
      pages.push(await fetch(new URL(`?state=${state}&state=${state}&code=x`, back)));
      return await browse(address);
    };
    await withPerson(person, async (attempt) => {
      assert.ok(await attempt.run());
      assert.deepEqual([...new Set(pages.map(({ status }) => status))], [400]);
      assert.equal(pages.length, 7);
    });
  });

  it("is not believed where the issuer itself sends another state", async () => {
    const error = await fails("timeout", consents, faulty("other-state"), { waitMs: 300 });
    assert.match(error.found ?? "", /1 that do not belong to this sign-in/);
  });

  it("is taken once", async () => {
    const statuses: number[] = [];
    const [taken, answered] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const person: Person = async (address) => {
      let target = address;
      const first = browse(address, (back) => {
        target = new URL(back);
      });
      await taken.promise;
      statuses.push((await fetch(target)).status);
      answered.resolve();
      return await first;
    };
    // The first is still being looked at until the second has had its answer.
    const slow: Prepare = (issuer) => {
      issuer.instead.set("/keys", async (_request, response) => {
        taken.resolve();
        await answered.promise;
        reply(response, 200, issuer.issuer.jwks());
      });
    };
    await withPerson(
      person,
      async (attempt) => {
        assert.ok(await attempt.run());
        await Promise.all(attempt.seen);
        assert.deepEqual(statuses, [409]);
      },
      slow,
    );
  });

  it("is for this machine's own names and for one path, by GET", async () => {
    const server = await CallbackServer.listen("the-state");
    const { port } = new URL(server.redirectUri);
    const status = (path: string, headers: Record<string, string> = {}, method = "GET") =>
      new Promise<number | undefined>((resolve, reject) => {
        const options = { host: "127.0.0.1", port, path, method, headers };
        httpRequest(options, (response) => resolve(response.resume().statusCode))
          .on("error", reject)
          .end();
      });
    const path = "/auth/callback?state=the-state&code=x";
    assert.equal(await status("/"), 404);
    assert.equal(await status("/favicon.ico"), 404);
    assert.equal(await status("/auth/callback/?state=the-state"), 404);
    assert.equal(await status(`http://localhost:${port}${path}`), 404);
    assert.equal(await status("//evil.example.com/auth/callback?state=the-state"), 404);
    assert.equal(await status(path, { host: "evil.example.com" }), 404);
    assert.equal(await status(path, { host: `rebound.example.com:${port}` }), 404);
    assert.equal(await status(path, { host: "localhost" }), 404);
    assert.equal(await status(path, {}, "POST"), 405);
    assert.equal(await status(path, {}, "HEAD"), 405);
    await quietlyRejected(() => server.callback({ waitMs: 10, signal: undefined }), "timeout", ["the-state"]);
    await server.close();
  });

  it("comes in at loopback and nowhere else, on a port that is ours at both its addresses", async () => {
    const server = await CallbackServer.listen("the-state");
    const port = Number(new URL(server.redirectUri).port);
    const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
    for (const { address, internal, scopeid } of addresses) {
      const outcome = await connectionTo(scopeid ? `${address}%${scopeid}` : address, port);
      assert.equal(outcome === "connected", internal, `${address}: ${outcome}`);
    }
    await server.close();
    assert.equal(await connectionTo("127.0.0.1", port), "ECONNREFUSED");
  });

  it("that says no is no", async () => {
    const error = await fails("denied", consents, faulty("denied"));
    assert.equal(error.found, "access_denied");
  });

  it("with an error is that error, its words cleaned", async () => {
    const person: Person = (address) =>
      browse(address, (back) => {
        back.searchParams.delete("code");
        back.searchParams.set("error", "server_error");
        back.searchParams.set("error_description", "\u001b[31mbroken\r\nSet-Cookie: x");
      });
    const error = await fails("protocol-error", person);
    assert.equal(error.found, "server_error: [31mbroken Set-Cookie: x");
  });

  it("without a code, or with several, is none", async () => {
    for (const edit of [
      (back: URL) => back.searchParams.delete("code"),
      (back: URL) => back.searchParams.set("code", ""),
      (back: URL) => back.searchParams.append("code", "another"),
    ]) {
      await fails("protocol-error", (address) => browse(address, edit));
    }
  });

  it("names the issuer where it said that it would, and no other one in any case (RFC 9207)", async () => {
    const evil: Person = (address) =>
      browse(address, (back) => back.searchParams.set("iss", "https://evil.example.com"));
    await fails("protocol-error", evil);
    const service = quickService();
    await withPerson(consents, async (attempt, server) => {
      const issuer = { ...(await discoverIssuer(service, server.url)), namesItself: true };
      await quietlyRejected(() => attempt.run({ issuer }), "protocol-error", []);
      const named: BrowserOptions["openBrowser"] = async (address) => {
        void browse(address, (back) => back.searchParams.set("iss", server.url));
        return true;
      };
      assert.ok(await attempt.run({ issuer, openBrowser: named }));
      const twice: BrowserOptions["openBrowser"] = async (address) => {
        void browse(address, (back) => {
          back.searchParams.append("iss", server.url);
          back.searchParams.append("iss", "https://evil.example.com");
        });
        return true;
      };
      await quietlyRejected(() => attempt.run({ issuer, openBrowser: twice }), "protocol-error", []);
    });
    await service.close();
  });
});
