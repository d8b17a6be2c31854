import assert from "node:assert/strict";
import { createPublicKey, generateKeyPairSync, verify } from "node:crypto";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { ambientToken } from "../../../../src/io/identity/ambient.ts";
import { googleCloud } from "../../../../src/io/identity/google.ts";
import { type Handler, httpServer, reply, type TestServer } from "../../../support/http-server.ts";
import { presentTime, quickService, quietlyRejected } from "../../../support/identity.ts";
import { token as makeToken, type TokenOptions } from "../../../support/sigstore/oidc.ts";

const ACCESS_TOKEN = "ya29.an-access-token-that-nobody-may-see";
const ACCOUNT = "release@example.iam.gserviceaccount.com";
const PRODUCT_NAME = "/sys/class/dmi/id/product_name";
const FLAVOR = { "metadata-flavor": "Google", "content-type": "application/text" };

function token(options: TokenOptions = {}): string {
  return makeToken({ at: Date.now(), email: ACCOUNT, sub: "1234", ...options });
}

interface LookOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  readonly iamCredentials?: string;
}

async function look({ env = {}, files = {}, iamCredentials }: LookOptions) {
  const service = quickService();
  try {
    return await ambientToken({
      env,
      service,
      audience: "sigstore",
      now: presentTime,
      readFile: async (path) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
      providers: [googleCloud(iamCredentials)],
    });
  } finally {
    await service.close();
  }
}

async function withServer(handler: Handler, work: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await httpServer(handler);
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

/** A metadata server; `answers` by the last part of the path. */
function metadata(answers: Readonly<Record<string, string | object>>): Handler {
  return (request, response) => {
    if (request.headers["metadata-flavor"] !== "Google") return reply(response, 403, "no header");
    const name = new URL(request.target, "http://metadata").pathname.split("/").at(-1) ?? "";
    const answer = answers[name];
    return answer === undefined ? reply(response, 404, "", FLAVOR) : reply(response, 200, answer, FLAVOR);
  };
}

describe("Google Cloud's identity", () => {
  it("is the machine's service account's, by its metadata server", async () => {
    await withServer(metadata({ identity: token() }), async ({ host, requests }) => {
      const found = await look({ env: { GCE_METADATA_HOST: host } });
      assert.equal(found?.source, "Google Cloud");
      assert.equal(found?.token.subjectForProof, ACCOUNT);
      assert.equal(
        requests[0]?.target,
        "/computeMetadata/v1/instance/service-accounts/default/identity?audience=sigstore&format=full",
      );
    });
  });

  it("is not looked for where nothing says that this is Google's: that would cost a time-out everywhere else", async () => {
    for (const product of [undefined, "", "Standard PC (Q35 + ICH9, 2009)", "Not Google", "Google Pixelbook"]) {
      assert.equal(await look({ files: product === undefined ? {} : { [PRODUCT_NAME]: product } }), undefined);
    }
  });

  it("is none where the metadata server answers that the machine has no service account", async () => {
    await withServer(metadata({}), async ({ host }) => {
      assert.equal(await look({ env: { GCE_METADATA_HOST: host } }), undefined);
    });
  });

  it("is an error where the metadata server was named and fails", async () => {
    for (const [code, answer] of [
      ["server-error", (_request, response) => reply(response, 503, "later", FLAVOR)],
      ["denied", (_request, response) => reply(response, 403, "no", FLAVOR)],
      ["protocol-error", (_request, response) => reply(response, 200, token())],
      ["protocol-error", (_request, response) => reply(response, 200, "<p>welcome", { "content-type": "text/html" })],
      ["token-invalid", (_request, response) => reply(response, 200, "no token", FLAVOR)],
      ["token-invalid", (_request, response) => reply(response, 200, token({ audience: "other" }), FLAVOR)],
      ["token-invalid", (_request, response) => reply(response, 200, token({ expiresIn: -1 }), FLAVOR)],
      ["limit-reached", (_request, response) => reply(response, 200, "x".repeat(LIMITS.tokenBytes + 1), FLAVOR)],
      ["denied", (_request, response) => reply(response, 302, "", { ...FLAVOR, location: "http://127.0.0.1:1/" })],
      ["unreachable", (_request, response) => void response.destroy()],
      ["timeout", () => undefined],
    ] satisfies (readonly [string, Handler])[]) {
      await withServer(answer as Handler, async ({ host }) => {
        const error = await quietlyRejected(() => look({ env: { GCE_METADATA_HOST: host } }), code as "denied", [
          ACCESS_TOKEN,
        ]);
        assert.match(error.message, /^Google Cloud: /);
      });
    }
  });

  it("is asked for on the machine's own link, never out on the internet", async () => {
    for (const host of [
      "metadata.example.com",
      "192.0.2.1",
      "8.8.8.8:80",
      "127.0.0.1/path",
      "user@127.0.0.1",
      "127.0.0.1?x",
      "127.0.0.1#x",
      "metadata.google.internal.example.com",
      ":",
      "a b",
    ]) {
      await quietlyRejected(() => look({ env: { GCE_METADATA_HOST: host } }), "configuration-invalid", []);
    }
  });

  it("goes through no proxy", async () => {
    await withServer(metadata({ identity: token() }), async ({ host }) => {
      const env = { GCE_METADATA_HOST: host, HTTP_PROXY: "http://127.0.0.1:1", HTTPS_PROXY: "http://127.0.0.1:1" };
      assert.equal((await look({ env }))?.source, "Google Cloud");
    });
  });
});

describe("a service account that is impersonated", () => {
  const env = { GOOGLE_SERVICE_ACCOUNT_NAME: ACCOUNT };

  it("signs by the IAM credentials API, with the machine's own access token", async () => {
    const iam: Handler = (_request, response) => reply(response, 200, { token: token() });
    await withServer(metadata({ token: { access_token: ACCESS_TOKEN, expires_in: 300 } }), async ({ host }) => {
      await withServer(iam, async (api) => {
        const found = await look({
          env: { ...env, GCE_METADATA_HOST: host },
          iamCredentials: `http://${api.host}`,
        });
        assert.equal(found?.token.subjectForProof, ACCOUNT);
        const [request] = api.requests;
        assert.equal(
          `${request?.method} ${request?.target}`,
          `POST /v1/projects/-/serviceAccounts/${encodeURIComponent(ACCOUNT)}:generateIdToken`,
        );
        assert.equal(request?.headers.authorization, `Bearer ${ACCESS_TOKEN}`);
        assert.deepEqual(JSON.parse(String(request?.body)), { audience: "sigstore", includeEmail: true });
      });
    });
  });

  it("is an error where the machine has no account to do it with", async () => {
    await withServer(metadata({}), async ({ host }) => {
      const error = await quietlyRejected(() => look({ env: { ...env, GCE_METADATA_HOST: host } }), "not-found", []);
      assert.match(error.found ?? "", /no service account/);
    });
  });

  it("is an error where the API says no, and the access token is not repeated", async () => {
    const answers: readonly (readonly ["denied" | "protocol-error" | "server-error", Handler])[] = [
      ["denied", (_request, response) => reply(response, 403, { error: `no ${ACCESS_TOKEN}` })],
      ["protocol-error", (_request, response) => reply(response, 200, { token: [ACCESS_TOKEN] })],
      ["server-error", (_request, response) => reply(response, 500, ACCESS_TOKEN)],
      ["protocol-error", (_request, response) => reply(response, 302, "", { location: "http://127.0.0.1:1/" })],
    ];
    await withServer(metadata({ token: { access_token: ACCESS_TOKEN } }), async ({ host }) => {
      for (const [code, answer] of answers) {
        await withServer(answer, async (api) => {
          const iamCredentials = `http://${api.host}`;
          const work = () => look({ env: { ...env, GCE_METADATA_HOST: host }, iamCredentials });
          await quietlyRejected(work, code, [ACCESS_TOKEN]);
        });
      }
    });
  });

  it("is an error where the metadata server gives something else than an access token", async () => {
    for (const answer of ["no JSON", "[]", { access_token: 5 }, { access_token: "" }, {}]) {
      await withServer(metadata({ token: answer }), async ({ host }) => {
        await quietlyRejected(() => look({ env: { ...env, GCE_METADATA_HOST: host } }), "protocol-error", []);
      });
    }
  });
});

describe("a service account's key in GOOGLE_APPLICATION_CREDENTIALS", () => {
  const { privateKey, publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const pem = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  const google = { [PRODUCT_NAME]: "Google Compute Engine\n" };
  const file = (tokenUri: string, others: object = {}) =>
    JSON.stringify({
      type: "service_account",
      client_email: ACCOUNT,
      private_key_id: "1",
      private_key: pem,
      token_uri: tokenUri,
      ...others,
    });
  const env = { GOOGLE_APPLICATION_CREDENTIALS: "key.json" };
  const lookWith = (tokenUri: string, others: object = {}) =>
    look({ env, files: { ...google, "key.json": file(tokenUri, others) } });

  it("goes before the machine's own account: it signs for a token (RFC 7523)", async () => {
    await withServer(
      (_request, response) => reply(response, 200, { id_token: token() }),
      async ({ host, requests }) => {
        const found = await lookWith(`http://${host}/token`);
        assert.equal(found?.token.subjectForProof, ACCOUNT);
        const form = new URLSearchParams(String(requests[0]?.body));
        assert.equal(form.get("grant_type"), "urn:ietf:params:oauth:grant-type:jwt-bearer");
        const [header = "", claims = "", signature = ""] = (form.get("assertion") ?? "").split(".");
        const key = createPublicKey(publicKey.export({ type: "spki", format: "pem" }));
        assert.ok(verify("sha256", Buffer.from(`${header}.${claims}`), key, Buffer.from(signature, "base64url")));
        const { iss, aud, target_audience } = JSON.parse(String(Buffer.from(claims, "base64url")));
        assert.deepEqual([iss, aud, target_audience], [ACCOUNT, `http://${host}/token`, "sigstore"]);
      },
    );
  });

  it("gets the access token to impersonate another account with", async () => {
    const answer: Handler = (request, response) =>
      request.target === "/token"
        ? reply(response, 200, { access_token: ACCESS_TOKEN })
        : reply(response, 200, { token: token() });
    await withServer(answer, async ({ host, requests }) => {
      await look({
        env: { ...env, GOOGLE_SERVICE_ACCOUNT_NAME: ACCOUNT },
        files: { "key.json": file(`http://${host}/token`) },
        iamCredentials: `http://${host}`,
      });
      assert.equal(requests[1]?.headers.authorization, `Bearer ${ACCESS_TOKEN}`);
    });
  });

  it("does not make a laptop sign as a service account: it is there for other programs as well", async () => {
    assert.equal(await look({ env, files: { "key.json": file("http://127.0.0.1:1/") } }), undefined);
  });

  it("is refused where it is no such key, and nothing of it is repeated", async () => {
    const elliptic = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
    const secrets = [pem.slice(40, 400)];
    const uri = "http://127.0.0.1:1/";
    for (const others of [
      { private_key: "no key" },
      { private_key: undefined },
      { private_key: elliptic.export({ type: "pkcs8", format: "pem" }) },
      { client_email: 5 },
      { token_uri: "not an address" },
      { token_uri: "http://oauth2.example.com/token" },
    ]) {
      await quietlyRejected(() => lookWith(uri, others), "configuration-invalid", secrets);
    }
    for (const text of ["", "[]", "{", `${file(uri)}x`]) {
      const work = () => look({ env, files: { ...google, "key.json": text } });
      await quietlyRejected(work, "configuration-invalid", secrets);
    }
    await quietlyRejected(() => look({ env, files: google }), "configuration-invalid", []);
  });

  it("is refused where it is of another kind, rather than passed over for the machine's account", async () => {
    for (const type of ["authorized_user", "external_account", undefined, "\u001b[31m"]) {
      const error = await quietlyRejected(() => lookWith("http://127.0.0.1:1/", { type }), "unsupported", []);
      assert.match(error.found ?? "", /^key\.json: (?:[a-z_]+|no type)$/);
    }
  });

  it("repeats no assertion where the token service does", async () => {
    const echo: Handler = (request, response) =>
      reply(response, 400, { error: "invalid_grant", error_description: String(request.body).slice(-150) });
    await withServer(echo, async ({ host, requests }) => {
      const error = await quietlyRejected(() => lookWith(`http://${host}/token`), "protocol-error", []);
      const assertion = new URLSearchParams(String(requests[0]?.body)).get("assertion") ?? "";
      assert.ok(!JSON.stringify(error).includes(assertion.slice(-20, -8)));
    });
  });
});
