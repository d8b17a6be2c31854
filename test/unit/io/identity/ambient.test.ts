import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { type AmbientOptions, ambientToken, PROVIDERS, tokenFile } from "../../../../src/io/identity/ambient.ts";
import { buildkite } from "../../../../src/io/identity/buildkite.ts";
import { githubActions } from "../../../../src/io/identity/github.ts";
import type { Provider } from "../../../../src/io/identity/provider.ts";
import { type Handler, httpServer, reply, type TestServer } from "../../../support/http-server.ts";
import { badAnswers, presentTime, quickService, quietlyRejected } from "../../../support/identity.ts";
import { token as makeToken, type TokenOptions } from "../../../support/sigstore/oidc.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const REQUEST_TOKEN = "a-request-token-that-nobody-else-may-see";

function token(options: TokenOptions = {}): string {
  return makeToken({ at: Date.now(), email: null, sub: "repo:example/app", ...options });
}

/** Looks for a token; no file is there unless `files` has it. */
async function look(
  env: AmbientOptions["env"],
  { providers, files = {} }: { providers?: readonly Provider[]; files?: Readonly<Record<string, string>> } = {},
) {
  const service = quickService();
  try {
    return await ambientToken({
      env,
      service,
      audience: "sigstore",
      now: presentTime,
      readFile: async (path) => (files[path] === undefined ? undefined : Buffer.from(files[path])),
      ...(providers === undefined ? {} : { providers }),
    });
  } finally {
    await service.close();
  }
}

/** Runs work with a server that answers so. */
async function withServer(handler: Handler, work: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await httpServer(handler);
  try {
    await work(server);
  } finally {
    await server.close();
  }
}

interface PipelineCase {
  readonly name: string;
  readonly provider: Provider;
  readonly member: string;
  env(url: string): Readonly<Record<string, string>>;
  readonly target: string;
  readonly authorization: string;
}

const PIPELINES: readonly PipelineCase[] = [
  {
    name: "GitHub Actions",
    provider: githubActions,
    member: "value",
    env: (url) => ({
      ACTIONS_ID_TOKEN_REQUEST_URL: `${url}/token?api-version=2.0&audience=somebody`,
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: REQUEST_TOKEN,
    }),
    target: "/token?api-version=2.0&audience=sigstore",
    authorization: `Bearer ${REQUEST_TOKEN}`,
  },
  {
    name: "Buildkite",
    provider: buildkite,
    member: "token",
    env: (url) => ({
      BUILDKITE_AGENT_ACCESS_TOKEN: REQUEST_TOKEN,
      BUILDKITE_AGENT_ENDPOINT: `${url}/v3/`,
      BUILDKITE_JOB_ID: "018485f6-1f53/../admin",
    }),
    target: "/v3/jobs/018485f6-1f53%2F..%2Fadmin/oidc/tokens",
    authorization: `Token ${REQUEST_TOKEN}`,
  },
];

for (const { name, provider, member, env, target, authorization } of PIPELINES) {
  describe(`an identity token of ${name}`, () => {
    const providers = [provider];
    const gives =
      (text: unknown): Handler =>
      (_request, response) =>
        reply(response, 200, { [member]: text });

    it("is asked for with our audience and the job's own secret", async () => {
      await withServer(gives(token()), async ({ host, requests }) => {
        const found = await look(env(`http://${host}`), { providers });
        assert.equal(found?.source, name);
        assert.equal(found?.token.subject, "repo:example/app");
        assert.equal(requests.length, 1);
        assert.equal(requests[0]?.target, target);
        assert.equal(requests[0]?.headers.authorization, authorization);
      });
    });

    it("is not asked for anywhere else", async () => assert.equal(await look({}, { providers }), undefined));

    for (const { name: bad, code, answer } of badAnswers(REQUEST_TOKEN)) {
      it(`is an error that names ${name} where the answer is ${bad}`, async () => {
        await withServer(answer, async ({ host }) => {
          const work = () => look(env(`http://${host}`), { providers });
          const error = await quietlyRejected(work, code, [REQUEST_TOKEN]);
          assert.match(error.message, new RegExp(`^${name}: `));
        });
      });
    }

    for (const [what, text] of [
      ["is for somebody else", token({ audience: "sts.example.com" })],
      ["has expired", token({ expiresIn: -60 })],
      ["is cut off", token().slice(0, -41)],
      ["is not signed", `${token().split(".").slice(0, 2).join(".")}.`],
      ["is longer than any", token({ claims: { filler: "x".repeat(LIMITS.identityTokenBytes) } })],
      ["is some other secret", "ghs_0123456789abcdefghijklmnopqrstuvwxyz"],
      ["has an address that is not verified", token({ email: "dev@example.com", emailVerified: false })],
    ] as const) {
      it(`is refused where it ${what}`, async () => {
        await withServer(gives(text), async ({ host }) => {
          const work = () => look(env(`http://${host}`), { providers });
          const error = await quietlyRejected(work, "token-invalid", [text, REQUEST_TOKEN]);
          assert.match(error.message, new RegExp(`^${name}: `));
        });
      });
    }

    const inside = token();
    for (const value of [null, 5, "", [inside], { token: inside }]) {
      it(`is refused where it is ${JSON.stringify(value).slice(0, 2)} instead of a text`, async () => {
        await withServer(gives(value), async ({ host }) => {
          await quietlyRejected(() => look(env(`http://${host}`), { providers }), "protocol-error", [inside]);
        });
      });
    }

    it("is not repeated where the answer around it is broken", async () => {
      for (const body of [
        `{"${inside}":1,"${inside}":2}`,
        `{"${member}":"${inside}"`,
        `{"${member}":"${inside}"}}`,
        inside,
      ]) {
        const broken: Handler = (_request, response) => reply(response, 200, body);
        await withServer(broken, async ({ host }) => {
          await quietlyRejected(() => look(env(`http://${host}`), { providers }), "protocol-error", [inside]);
        });
      }
    });

    it("is not taken from where a redirect leads, and the job's secret does not follow one", async () => {
      await withServer(gives(token()), async (elsewhere) => {
        for (const status of [301, 302, 303, 307, 308]) {
          const redirect: Handler = (_request, response) =>
            reply(response, status, "", { location: `http://${elsewhere.host}/` });
          await withServer(redirect, async ({ host }) => {
            await quietlyRejected(() => look(env(`http://${host}`), { providers }), "protocol-error", [REQUEST_TOKEN]);
          });
        }
        assert.deepEqual(elsewhere.requests, []);
      });
    });

    it("is asked for over https, or on this machine, and nowhere else", async () => {
      for (const url of [
        "http://192.0.2.1:1",
        "http://example.com",
        "ftp://127.0.0.1",
        "http://me:secret-secret@127.0.0.1",
        "::",
      ]) {
        const work = () => look(env(url), { providers });
        await quietlyRejected(work, "configuration-invalid", [REQUEST_TOKEN, "secret-secret"]);
      }
    });
  });
}

describe("an identity token of GitHub Actions", () => {
  it("needs both variables: half of them is an error, not another identity", async () => {
    for (const name of ["URL", "TOKEN"]) {
      const env = { [`ACTIONS_ID_TOKEN_REQUEST_${name}`]: REQUEST_TOKEN, SIGSTORE_ID_TOKEN: token() };
      const error = await quietlyRejected(() => look(env), "configuration-invalid", [REQUEST_TOKEN]);
      assert.match(error.found ?? "", /^no ACTIONS_ID_TOKEN_REQUEST_/);
    }
  });
});

describe("an identity token of Buildkite", () => {
  it("is asked for as the agent does: POST, JSON, the audience", async () => {
    await withServer(
      (_request, response) => reply(response, 201, { token: token() }),
      async ({ host, requests }) => {
        await look(
          {
            BUILDKITE_AGENT_ACCESS_TOKEN: REQUEST_TOKEN,
            BUILDKITE_AGENT_ENDPOINT: `http://${host}`,
            BUILDKITE_JOB_ID: "1",
          },
          { providers: [buildkite] },
        );
        const [request] = requests;
        assert.equal(`${request?.method} ${request?.target}`, "POST /jobs/1/oidc/tokens");
        assert.equal(request?.headers["content-type"], "application/json");
        assert.deepEqual(JSON.parse(String(request?.body)), { audience: "sigstore" });
      },
    );
  });

  it("needs the job's number", async () => {
    const work = () => look({ BUILDKITE_AGENT_ACCESS_TOKEN: REQUEST_TOKEN });
    const error = await quietlyRejected(work, "configuration-invalid", [REQUEST_TOKEN]);
    assert.equal(error.found, "no BUILDKITE_JOB_ID");
  });
});

describe("SIGSTORE_ID_TOKEN", () => {
  it("is the token itself, white space around it or not", async () => {
    for (const text of [token(), `${token()}\n`, `  ${token()}\r\n`]) {
      const found = await look({ SIGSTORE_ID_TOKEN: text });
      assert.equal(found?.source, "SIGSTORE_ID_TOKEN");
    }
  });

  it("counts as not set where it is empty", async () => assert.equal(await look({ SIGSTORE_ID_TOKEN: "" }), undefined));

  it("is refused where it is no token, or one that cannot do, and never repeated", async () => {
    const texts = [
      "glcbt-64_0123456789abcdefghijklmnop",
      token({ audience: "https://gitlab.example.com" }),
      token({ expiresIn: -1 }),
      `${token()} ${token()}`,
      `Bearer ${token()}`,
      `"${token()}"`,
    ];
    for (const text of texts) {
      const error = await quietlyRejected(() => look({ SIGSTORE_ID_TOKEN: text }), "token-invalid", [text]);
      assert.match(error.message, /^SIGSTORE_ID_TOKEN: /);
    }
  });
});

describe("the projected token file", () => {
  const PATH = "/var/run/sigstore/cosign/oidc-token";

  it("is read where it is, with the line end that an editor leaves", async () => {
    const found = await look({}, { files: { [PATH]: `${token()}\n` } });
    assert.equal(found?.source, PATH);
  });

  it("is refused where it holds no token: empty, not text, expired, somebody else's", async () => {
    const texts = ["", "\n", "not a token at all", "\ufffd", token({ expiresIn: -1 }), token({ audience: "api" })];
    for (const text of texts) {
      const error = await quietlyRejected(() => look({}, { files: { [PATH]: text } }), "token-invalid", [text]);
      assert.match(error.message, /^\/var\/run\/sigstore\/cosign\/oidc-token: /);
    }
  });

  it("is read through the links by which Kubernetes renews it, and not without end", async (t) => {
    const folder = await temporaryFolder(t);
    const path = join(folder, "oidc-token");
    await mkdir(join(folder, "..data-1"));
    await writeFile(join(folder, "..data-1", "oidc-token"), token());
    await symlink("..data-1", join(folder, "..data"));
    await symlink(join("..data", "oidc-token"), path);
    const service = quickService();
    const options = { env: {}, service, audience: "sigstore", now: presentTime, providers: [tokenFile(path)] };
    assert.equal((await ambientToken(options))?.source, path);
    await writeFile(path, "x".repeat(LIMITS.identityFileBytes + 1));
    await quietlyRejected(() => ambientToken(options), "limit-reached", []);
    await quietlyRejected(() => ambientToken({ ...options, providers: [tokenFile(folder)] }), "disk-error", []);
    await service.close();
  });

  it("that is not text is refused as such", async () => {
    const service = quickService();
    const options = { env: {}, service, audience: "sigstore", now: presentTime, providers: [tokenFile("file")] };
    const readFile = async () => Uint8Array.of(0xff, 0xfe, 0x00);
    const error = await quietlyRejected(() => ambientToken({ ...options, readFile }), "token-invalid", []);
    assert.equal(error.found, "3 bytes that are no text");
    await service.close();
  });
});

describe("the order of identities", () => {
  it("is the one that cosign's users know", () => {
    assert.deepEqual(
      PROVIDERS.map(({ name }) => name),
      ["GitHub Actions", "Buildkite", "SIGSTORE_ID_TOKEN", "/var/run/sigstore/cosign/oidc-token", "Google Cloud"],
    );
  });

  const place = (name: string, find: Provider["find"]): Provider => ({ name, find });

  it("ends with the first that is there: nobody after it is asked", async () => {
    const asked: string[] = [];
    const providers = [
      place("none", async () => void asked.push("none")),
      place("first", async () => token()),
      place("second", async () => void asked.push("second")),
    ];
    assert.equal((await look({}, { providers }))?.source, "first");
    assert.deepEqual(asked, ["none"]);
  });

  it("ends with one that is there and fails: no other identity stands in for it", async () => {
    const providers = [place("broken", async () => token({ expiresIn: -1 })), place("second", async () => token())];
    const error = await quietlyRejected(() => look({}, { providers }), "token-invalid", []);
    assert.match(error.message, /^broken: /);
  });

  it("is nothing where nobody gives one", async () => assert.equal(await look({}), undefined));
});
