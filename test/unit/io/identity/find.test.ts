import assert from "node:assert/strict";
import { Readable, Writable } from "node:stream";
import { describe, it } from "node:test";
import { type FindOptions, findIdentityToken, type Interactive } from "../../../../src/io/identity/find.ts";
import type { Provider } from "../../../../src/io/identity/provider.ts";
import {
  browse,
  type IssuerServer,
  presentTime,
  QuickClock,
  quickService,
  quietlyRejected,
  startIssuer,
} from "../../../support/identity.ts";
import { token as makeToken, type TokenOptions } from "../../../support/sigstore/oidc.ts";

function token(options: TokenOptions = {}): string {
  return makeToken({ at: Date.now(), ...options });
}

const NONE: Provider = { name: "the pipeline", find: async () => undefined };

/** Looks for an identity where there is none but what `others` brings. */
async function find(others: Partial<FindOptions> = {}) {
  const service = quickService();
  try {
    return await findIdentityToken({
      env: {},
      service,
      stdin: Readable.from([]),
      workingDirectory: ".",
      interactive: undefined,
      issuer: "http://127.0.0.1:1",
      clientId: "sigstore",
      audience: "sigstore",
      now: presentTime(),
      readFile: async () => undefined,
      clock: new QuickClock(),
      waitMs: 20_000,
      ...others,
    });
  } finally {
    await service.close();
  }
}

/** A person at a terminal, who consents at once. */
function person(others: Partial<Interactive> = {}): Interactive & { readonly text: () => string } {
  const chunks: string[] = [];
  const stderr = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(String(chunk));
      done();
    },
  });
  const openBrowser = async (address: URL) => {
    void browse(address).catch(() => undefined);
    return true;
  };
  return { stderr, isTerminal: true, hasDisplay: true, openBrowser, text: () => chunks.join(""), ...others };
}

async function withIssuer(work: (issuer: IssuerServer) => Promise<void>): Promise<void> {
  const issuer = await startIssuer({ algorithm: "RS256" });
  try {
    await work(issuer);
  } finally {
    await issuer.close();
  }
}

describe("who signs", () => {
  it("is who the given token says, before anything else is looked at", async () => {
    const asked: Provider = { name: "asked", find: () => Promise.reject(new Error("was asked")) };
    const found = await find({ given: token(), providers: [asked], interactive: person() });
    assert.equal(found.source, "--identity-token");
  });

  it("is who the pipeline says, before a person is asked", async () => {
    const given = person();
    const found = await find({ env: { SIGSTORE_ID_TOKEN: token() }, interactive: given });
    assert.equal(found.source, "SIGSTORE_ID_TOKEN");
    assert.equal(given.text(), "");
  });

  it("is who signs in with the browser, at a terminal with a display", async () => {
    await withIssuer(async ({ url }) => {
      const given = person();
      const found = await find({ interactive: given, issuer: url });
      assert.equal(found.source, "the browser");
      assert.equal(found.token.subjectForProof, "dev@example.com");
      assert.match(given.text(), /^Sign in with your browser/);
    });
  });

  it("is who signs in on another device, at a terminal without one", async () => {
    await withIssuer(async ({ url }) => {
      const given = person({ hasDisplay: false });
      const found = await find({ interactive: given, issuer: url });
      assert.equal(found.source, "another device");
      assert.match(given.text(), /^To sign in, open http/);
    });
  });

  it("has a display by what the environment says", async () => {
    await withIssuer(async ({ url }) => {
      const { hasDisplay: _, ...given } = person();
      const isSeen = process.platform === "darwin" || process.platform === "win32";
      assert.equal((await find({ interactive: given, issuer: url })).source, isSeen ? "the browser" : "another device");
      const env = { DISPLAY: ":0" };
      assert.equal((await find({ env, interactive: given, issuer: url })).source, "the browser");
    });
  });
});

describe("who signs, where something fails", () => {
  it("is nobody else: a token that was given is the only one", async () => {
    const env = { SIGSTORE_ID_TOKEN: token() };
    for (const given of ["", "no token at all", token({ expiresIn: -1 }), token({ audience: "other" })]) {
      await quietlyRejected(() => find({ given, env, interactive: person() }), "token-invalid", [given]);
    }
  });

  it("is nobody else: a pipeline's identity that does not do is not replaced by a person's", async () => {
    const given = person();
    const env = { SIGSTORE_ID_TOKEN: token({ expiresIn: -1 }) };
    await quietlyRejected(() => find({ env, interactive: given }), "token-invalid", [env.SIGSTORE_ID_TOKEN]);
    assert.equal(given.text(), "");
  });

  it("is nobody else: who says no in the browser is not asked on another device", async () => {
    await withIssuer(async (issuer) => {
      issuer.fault = "denied";
      await quietlyRejected(() => find({ interactive: person(), issuer: issuer.url }), "denied", []);
    });
  });

  it("needs the token for the authority, not only for the program that asked for it", async () => {
    await withIssuer(async ({ url }) => {
      const options = { interactive: person(), issuer: url, audience: "fulcio.example.com" };
      const error = await quietlyRejected(() => find(options), "token-invalid", []);
      assert.match(error.message, /^the browser: .*meant for somebody else/);
      assert.equal(error.wanted, "the audience fulcio.example.com");
    });
  });

  it("fails where the issuer cannot be reached, or is no issuer", async () => {
    await quietlyRejected(() => find({ interactive: person() }), "unreachable", []);
    await quietlyRejected(() => find({ interactive: person(), issuer: "issuer" }), "configuration-invalid", []);
  });
});

describe("nobody to sign", () => {
  it("is an error that says what was looked for", async () => {
    const error = await quietlyRejected(() => find(), "identity-missing", []);
    const places = "GitHub Actions, Buildkite, SIGSTORE_ID_TOKEN, /var/run/sigstore/cosign/oidc-token, Google Cloud";
    assert.equal(error.found, `no identity from ${places}; no terminal at which to sign in`);
    assert.match(error.next, /--identity-token/);
  });

  it("is the same without a terminal: a pipeline does not wait for a person", async () => {
    const given = person({ isTerminal: false });
    await quietlyRejected(() => find({ interactive: given, providers: [NONE] }), "identity-missing", []);
    assert.equal(given.text(), "");
  });

  it("is the same at a terminal where no issuer signs people in", async () => {
    const work = () => find({ interactive: person(), issuer: undefined, providers: [NONE] });
    const error = await quietlyRejected(work, "identity-missing", []);
    assert.equal(error.found, "no identity from the pipeline; no issuer that signs people in");
  });

  it("says what the pipeline at hand would need", async () => {
    for (const [env, next] of [
      [{ GITHUB_ACTIONS: "true" }, /id-token: write/],
      [{ GITLAB_CI: "true" }, /id_tokens/],
      [{ CIRCLECI: "true" }, /circleci run oidc get/],
      [{ GITHUB_ACTIONS: "false" }, /--identity-token/],
    ] as const) {
      assert.match((await quietlyRejected(() => find({ env }), "identity-missing", [])).next, next);
    }
  });
});
