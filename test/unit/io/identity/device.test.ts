import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { CountersignError } from "../../../../src/core/errors.ts";
import type { JsonValue } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { type DeviceOptions, deviceToken } from "../../../../src/io/identity/device.ts";
import { discoverIssuer } from "../../../../src/io/identity/discovery.ts";
import { reply } from "../../../support/http-server.ts";
import {
  badAnswers,
  type IssuerServer,
  presentTime,
  QuickClock,
  quickService,
  quietlyRejected,
  startIssuer,
} from "../../../support/identity.ts";
import { withoutPartsOf } from "../../../support/secrets.ts";
import { FakeIssuer, type TokenOptions } from "../../../support/sigstore/oidc.ts";

interface Attempt {
  readonly server: IssuerServer;
  readonly clock: QuickClock;
  readonly said: readonly string[];
  run(others?: Partial<DeviceOptions>): ReturnType<typeof deviceToken>;
  /** Fails with this code, and repeats none of what was sent. */
  fails(code: ReasonCode, others?: Partial<DeviceOptions>): Promise<CountersignError>;
}

async function withDevice(work: (attempt: Attempt) => Promise<void>): Promise<void> {
  const server = await startIssuer();
  const service = quickService();
  const clock = new QuickClock();
  const said: string[] = [];
  const run: Attempt["run"] = async (others = {}) =>
    await deviceToken({
      service,
      issuer: await discoverIssuer(service, server.url),
      clientId: "sigstore",
      now: presentTime,
      say: (line) => said.push(line),
      clock,
      ...others,
    });
  const fails: Attempt["fails"] = async (code, others) => {
    const error = await quietlyRejected(() => run(others), code, []);
    withoutPartsOf(error, ...sent(server, "device_code"), ...sent(server, "code_verifier"));
    return error;
  };
  try {
    await work({ server, clock, said, run, fails });
  } finally {
    await service.close();
    await server.close();
  }
}

/** A member of every form that was posted. */
function sent(server: IssuerServer, member: string): readonly string[] {
  const posts = server.requests.filter(({ method }) => method === "POST");
  return posts.flatMap(({ body }) => new URLSearchParams(String(body)).get(member) ?? []);
}

/** What the device endpoint says; `undefined` leaves a member out. */
function grants(server: IssuerServer, others: Readonly<Record<string, JsonValue | undefined>>): void {
  const right = {
    device_code: "a-device-code-that-nobody-else-may-see",
    user_code: "WDJB-MJHT",
    verification_uri: `${server.url}/device`,
    expires_in: 300,
  };
  server.instead.set("/device/code", (_request, response) => reply(response, 200, { ...right, ...others }));
}

describe("signing in on another device (RFC 8628)", () => {
  it("tells the person where to go and what to type, and waits until they have", async () => {
    await withDevice(async ({ server, clock, said, run }) => {
      server.oidc.deviceErrors.push("authorization_pending", "authorization_pending");
      const token = await run();
      assert.equal(token.subjectForProof, "dev@example.com");
      assert.deepEqual(said, [
        `To sign in, open ${server.url}/device on any device and enter the code WDJB-MJHT`,
        `  or open ${server.url}/device?user_code=WDJB-MJHT`,
      ]);
      assert.deepEqual(clock.slept, [1000, 1000, 1000]);
    });
  });

  it("asks for an address and no more, with PKCE, and shows the verifier only to the token endpoint", async () => {
    await withDevice(async ({ server, run }) => {
      await run();
      const [asked, redeemed] = server.requests
        .filter(({ method }) => method === "POST")
        .map(({ body }) => Object.fromEntries(new URLSearchParams(String(body))));
      assert.deepEqual(Object.keys(asked ?? {}).toSorted(), [
        "client_id",
        "code_challenge",
        "code_challenge_method",
        "scope",
      ]);
      assert.equal(asked?.["scope"], "openid email");
      assert.equal(redeemed?.["grant_type"], "urn:ietf:params:oauth:grant-type:device_code");
      assert.equal(redeemed?.["client_id"], "sigstore");
      assert.match(redeemed?.["code_verifier"] ?? "", /^[A-Za-z0-9_-]{43}$/);
    });
  });

  it("asks five seconds less often each time it is told to slow down, from then on (§3.5)", async () => {
    await withDevice(async ({ server, clock, run }) => {
      server.oidc.deviceErrors.push("slow_down", "authorization_pending", "slow_down", "authorization_pending");
      await run();
      assert.deepEqual(clock.slept, [1000, 6000, 6000, 11_000, 11_000]);
    });
  });

  it("asks every five seconds where the issuer says nothing of it (§3.2)", async () => {
    await withDevice(async ({ server, clock, fails }) => {
      grants(server, { expires_in: 7 });
      await fails("protocol-error");
      assert.deepEqual(clock.slept, [5000]);
    });
  });

  it("needs an issuer that offers it", async () => {
    await withDevice(async ({ server, fails }) => {
      const service = quickService();
      const issuer = { ...(await discoverIssuer(service, server.url)), deviceEndpoint: undefined };
      await fails("unsupported", { issuer });
      await service.close();
    });
  });
});

describe("a sign-in on another device that does not succeed", () => {
  it("ends when the code runs out, by our clock or by the issuer's", async () => {
    await withDevice(async ({ server, clock, fails }) => {
      server.oidc.deviceErrors.push(...Array(1000).fill("authorization_pending"));
      await fails("timeout");
      assert.equal(clock.slept.length, 300);
    });
    await withDevice(async ({ server, fails }) => {
      server.oidc.deviceErrors.push("expired_token");
      await fails("timeout");
    });
  });

  it("ends at a limit of ours, however long the issuer would wait", async () => {
    await withDevice(async ({ server, clock, fails }) => {
      grants(server, { expires_in: 1e9, interval: 60 });
      server.instead.set("/token", (_request, response) => reply(response, 400, { error: "authorization_pending" }));
      await fails("timeout");
      assert.equal(clock.slept.length, LIMITS.deviceSignInMs / 60_000);
    });
  });

  it("ends when the person says no", async () => {
    await withDevice(async ({ server, fails }) => {
      server.oidc.deviceErrors.push("authorization_pending", "access_denied");
      assert.equal((await fails("denied")).found, "access_denied");
    });
  });

  it("ends at any other answer: no word of it is taken for patience", async () => {
    for (const word of [
      "invalid_grant",
      "invalid_client",
      "Authorization_pending",
      "authorization_pending ",
      "\u001b[2J",
    ]) {
      await withDevice(async ({ server, fails }) => {
        server.instead.set("/token", (_request, response) => reply(response, 400, { error: word }));
        await fails("protocol-error");
      });
    }
  });

  it("ends when the command is stopped", async () => {
    await withDevice(async ({ server, clock, fails }) => {
      const controller = new AbortController();
      server.oidc.deviceErrors.push(...Array(100).fill("authorization_pending"));
      const stopping = {
        now: () => clock.now(),
        sleep: async (milliseconds: number, signal?: AbortSignal) => {
          if (clock.slept.length === 3) controller.abort(new CountersignError("interrupted", "interrupted"));
          signal?.throwIfAborted();
          await clock.sleep(milliseconds);
        },
      };
      await fails("interrupted", { clock: stopping, signal: controller.signal });
    });
  });

  for (const [name, members] of [
    ["no device code", { device_code: undefined }],
    ["a device code that is no text", { device_code: 5 }],
    ["no user code", { user_code: undefined }],
    ["a user code that nobody could type", { user_code: "x".repeat(65) }],
    ["no page", { verification_uri: undefined }],
    ["a page that is no address", { verification_uri: "go there" }],
    ["a page on the open network in plain HTTP", { verification_uri: "http://example.com/device" }],
    ["a page with somebody's name in it", { verification_uri: "https://google.com@evil.example.com/" }],
    ["a complete page that is a program", { verification_uri_complete: "javascript:alert(1)" }],
    ["no end", { expires_in: undefined }],
    ["an end that is a text", { expires_in: "300" }],
    ["an end in the past", { expires_in: -1 }],
    ["no patience", { interval: 0 }],
    ["negative patience", { interval: -5 }],
    ["patience that is a text", { interval: "5" }],
  ] satisfies (readonly [string, Readonly<Record<string, JsonValue | undefined>>])[]) {
    it(`is one where the issuer gives ${name}`, async () => {
      await withDevice(async ({ server, said, fails }) => {
        grants(server, members);
        await fails("protocol-error");
        assert.deepEqual(said, []);
      });
    });
  }

  it("is one where the code holds what a terminal would act on: it is shown escaped", async () => {
    await withDevice(async ({ server, said, fails }) => {
      grants(server, { user_code: "\u001b[2JAB" });
      await fails("protocol-error");
      assert.match(said[0] ?? "", /enter the code \\x1b\[2JAB$/);
    });
  });

  for (const [name, identity] of [
    ["is for another program", { audience: "other" }],
    ["has expired", { expiresIn: -60 }],
    ["is another issuer's", { issuer: "https://other.example.com" }],
    ["belongs to another access token", { claims: { at_hash: "AAAA" } }],
    ["is signed by another key", { signer: new FakeIssuer().key }],
  ] satisfies (readonly [string, TokenOptions])[]) {
    it(`is one whose token ${name}`, async () => {
      await withDevice(async ({ server, fails }) => {
        server.oidc.identity = identity;
        await fails("token-invalid");
      });
    });
  }

  for (const path of ["/device/code", "/token"]) {
    for (const { name, code, answer } of badAnswers("a-device-code-that-nobody-else-may-see")) {
      it(`is one where ${path} answers with ${name}`, async () => {
        await withDevice(async ({ server, run }) => {
          grants(server, {});
          server.instead.set(path, answer);
          const error: unknown = await run().catch((thrown: unknown) => thrown);
          assert.ok(error instanceof CountersignError);
          const isRefusal = code === "denied" && path === "/token";
          assert.ok(error.code === code || (isRefusal && error.code === "protocol-error"), error.code);
          if (path === "/token") withoutPartsOf(error, "a-device-code-that-nobody-else-may-see");
        });
      });
    }
  }
});
