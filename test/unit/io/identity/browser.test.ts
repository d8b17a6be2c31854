import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { CountersignError } from "../../../../src/core/errors.ts";
import type { BrowserOptions } from "../../../../src/io/identity/browser.ts";
import { discoverIssuer } from "../../../../src/io/identity/discovery.ts";
import { reply } from "../../../support/http-server.ts";
import { badAnswers, browse, quickService, quietlyRejected, startIssuer } from "../../../support/identity.ts";
import { withoutPartsOf } from "../../../support/secrets.ts";
import { consents, fails, faulty, type Person, type Prepare, withPerson } from "../../../support/sign-in.ts";
import { FakeIssuer, type TokenOptions } from "../../../support/sigstore/oidc.ts";

describe("signing in with a browser", () => {
  it("ends with the token of whoever consented", async () => {
    await withPerson(consents, async (attempt, issuer) => {
      const token = await attempt.run();
      assert.equal(token.subjectForProof, "dev@example.com");
      assert.equal(token.issuer, issuer.url);
      const [page] = await Promise.all(attempt.seen);
      assert.ok(page instanceof Response);
      assert.match(await page.text(), /Signed in/);
      assert.equal(page.headers.get("cache-control"), "no-store");
      assert.equal(page.headers.get("referrer-policy"), "no-referrer");
      assert.match(page.headers.get("content-security-policy") ?? "", /default-src 'none'/);
    });
  });

  it("asks with PKCE, state and nonce, for an address and no more, and comes back to this machine (RFC 8252)", async () => {
    const asked: URL[] = [];
    const person: Person = (address) => {
      asked.push(address);
      return browse(address);
    };
    await withPerson(person, async (attempt, issuer) => {
      await attempt.run();
      await attempt.run();
      const [first, second] = asked.map(({ searchParams }) => Object.fromEntries(searchParams));
      assert.ok(first !== undefined && second !== undefined);
      assert.match(first["redirect_uri"] ?? "", /^http:\/\/localhost:[0-9]+\/auth\/callback$/);
      assert.equal(first["scope"], "openid email");
      assert.equal(first["response_type"], "code");
      assert.equal(first["client_id"], "sigstore");
      assert.equal(first["code_challenge_method"], "S256");
      for (const name of ["state", "nonce", "code_challenge"]) {
        assert.match(first[name] ?? "", /^[A-Za-z0-9_-]{43}$/);
        assert.notEqual(first[name], second[name]);
      }
      const [form] = issuer.requests.filter(({ method }) => method === "POST");
      assert.equal(new URLSearchParams(String(form?.body)).get("redirect_uri"), first["redirect_uri"]);
    });
  });

  it("keeps what the issuer's own address asks for", async () => {
    let opened: URL | undefined;
    const person: Person = async (address) => {
      opened = address;
    };
    await withPerson(person, async (attempt) => {
      const service = quickService();
      const issuer = {
        issuer: "http://127.0.0.1:1",
        authorizationEndpoint: new URL("http://127.0.0.1:1/auth?tenant=a%20b&scope=all"),
        tokenEndpoint: new URL("http://127.0.0.1:1/token"),
        keysAddress: new URL("http://127.0.0.1:1/keys"),
        deviceEndpoint: undefined,
        namesItself: false,
      };
      await quietlyRejected(() => attempt.run({ issuer, waitMs: 20 }), "timeout", []);
      assert.equal(opened?.searchParams.get("tenant"), "a b");
      assert.deepEqual(opened?.searchParams.getAll("scope"), ["openid email"]);
      await service.close();
    });
  });

  it("shows the address, so that a person can open it where nothing else can", async () => {
    const opens: readonly BrowserOptions["openBrowser"][] = [
      async () => false,
      () => Promise.reject(new Error("broken")),
    ];
    for (const openBrowser of opens) {
      await withPerson(consents, async (attempt) => {
        const running = attempt.run({ openBrowser });
        while (attempt.said.length < 2) await delay(5);
        const address = new URL(/http:\S+/.exec(attempt.said.join("\n"))?.[0] ?? "");
        await browse(address);
        assert.equal((await running).subjectForProof, "dev@example.com");
        assert.equal(attempt.said[1], "No browser can be opened from here.");
      });
    }
  });

  it("listens on loopback alone, at both its addresses, until it is over", async () => {
    let back: URL | undefined;
    const person: Person = (address) =>
      browse(address, (url) => {
        back = new URL(url);
        url.hostname = "127.0.0.1";
      });
    await withPerson(person, async (attempt) => {
      assert.ok(await attempt.run());
      assert.equal(back?.hostname, "localhost");
      await assert.rejects(fetch(new URL(`http://127.0.0.1:${back?.port}/`)));
    });
  });
});

describe("a sign-in that does not succeed", () => {
  it("ends when nobody comes", async () => {
    const error = await fails("timeout", async () => undefined, undefined, { waitMs: 50 });
    assert.match(error.found ?? "", /within 0\.05 s$/);
  });

  it("ends when the command is stopped", async () => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new CountersignError("interrupted", "interrupted")), 30);
    await fails("interrupted", async () => undefined, undefined, { signal: controller.signal });
    await fails("interrupted", async () => undefined, undefined, { signal: controller.signal });
  });

  it("ends where the issuer has no browser flow", async () => {
    await withPerson(consents, async (attempt) => {
      const service = quickService();
      const issuer = await startIssuer();
      const without = { ...(await discoverIssuer(service, issuer.url)), authorizationEndpoint: undefined };
      await quietlyRejected(() => attempt.run({ issuer: without }), "unsupported", []);
      await service.close();
      await issuer.close();
    });
  });

  it("survives a person who closes the page before it is shown", async () => {
    const person: Person = async (address) => {
      const controller = new AbortController();
      const redirect = await fetch(address, { redirect: "manual" });
      setTimeout(() => controller.abort(), 30);
      return await fetch(redirect.headers.get("location") ?? "", { signal: controller.signal });
    };
    const slow: Prepare = (issuer) => {
      issuer.instead.set("/keys", async (_request, response) => {
        await delay(100);
        reply(response, 200, issuer.issuer.jwks());
      });
    };
    await withPerson(person, async (attempt) => assert.ok(await attempt.run()), slow);
  });

  const stranger = new FakeIssuer().key;
  for (const [name, identity] of [
    ["has another nonce", { nonce: "another-nonce" }],
    ["is for another program", { audience: "other" }],
    ["has expired", { expiresIn: -60 }],
    ["is another issuer's", { issuer: "https://other.example.com" }],
    ["has an address that is not verified", { emailVerified: false }],
    ["belongs to another access token", { claims: { at_hash: "AAAA" } }],
    ["is signed by another key", { signer: stranger }],
  ] satisfies (readonly [string, TokenOptions])[]) {
    it(`is one whose token ${name}`, async () => {
      const prepare: Prepare = (issuer) => Object.assign(issuer.oidc, { identity });
      await fails("token-invalid", consents, prepare);
    });
  }

  it("is one without a token", async () => void (await fails("protocol-error", consents, faulty("no-id-token"))));

  it("is one where the code was for another request: the issuer compares the verifier (RFC 7636 §4.6)", async () => {
    let other = "";
    const person: Person = (address) => {
      address.searchParams.set("code_challenge", "A".repeat(43));
      other = address.href;
      return browse(address);
    };
    const error = await fails("protocol-error", person);
    assert.match(error.found ?? "", /invalid_grant/);
    assert.ok(other.includes("AAAA"));
  });

  for (const { name, code, answer } of badAnswers("nothing-secret-is-here")) {
    it(`is one where the token endpoint answers with ${name}`, async () => {
      const wanted = code === "denied" ? /denied|protocol-error/ : new RegExp(code);
      await withPerson(
        consents,
        async (attempt) => {
          const error: unknown = await attempt.run().catch((thrown: unknown) => thrown);
          assert.ok(error instanceof CountersignError);
          assert.match(error.code, wanted);
          withoutPartsOf(error, ...attempt.secrets);
        },
        (issuer) => void issuer.instead.set("/token", answer),
      );
    });
  }

  it("repeats nothing that the token endpoint throws back", async () => {
    for (const status of [400, 401, 403, 404, 500]) {
      await withPerson(
        consents,
        async (attempt, issuer) => {
          const error = await attempt.run().catch((thrown: unknown) => thrown);
          const state = new URL(
            issuer.requests.find(({ target }) => target.startsWith("/auth"))?.target ?? "",
            issuer.url,
          );
          const sent = ["state", "nonce"].map((member) => state.searchParams.get(member) ?? "");
          withoutPartsOf(error, ...attempt.secrets, ...sent);
          assert.ok(attempt.secrets.some((secret) => secret.length > 40));
        },
        (issuer) =>
          void issuer.instead.set("/token", ({ body }, response) =>
            reply(response, status, { error: String(body).slice(0, 190), error_description: String(body) }),
          ),
      );
    }
  });
});
