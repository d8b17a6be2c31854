import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import type { Finding } from "../../../../src/core/errors.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import type { EvidenceSource } from "../../../../src/core/ports.ts";
import { type GithubPlace, githubAttestations } from "../../../../src/io/github/attestations.ts";
import { ServiceClient } from "../../../../src/io/http/service.ts";
import { rejectedBy } from "../../../support/codes.ts";
import { httpServer, type SeenRequest, type TestServer } from "../../../support/http-server.ts";

const SUBJECT = digestOf(Buffer.from("image"));
const BUNDLE = { mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json", n: 1 };
const TOKEN = "a-token-for-the-api";

interface Answer {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

describe("GitHub's API of attestations", () => {
  let answers = new Map<string, Answer>();
  let api: TestServer;
  let storage: TestServer;
  let services: ServiceClient;

  const answer = ({ target }: SeenRequest): Answer => answers.get(target.replace(/\?.*/, "")) ?? { status: 404 };
  before(async () => {
    const serve: Parameters<typeof httpServer>[0] = (request, response) => {
      const { status = 200, body, headers = {} } = answer(request);
      response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
      response.end(body instanceof Uint8Array || body === undefined ? body : JSON.stringify(body));
    };
    [api, storage] = await Promise.all([httpServer(serve), httpServer(serve)]);
    services = new ServiceClient({ env: {}, userAgent: "test", tries: 1 });
  });
  beforeEach(() => {
    answers = new Map();
    for (const server of [api, storage]) (server.requests as SeenRequest[]).length = 0;
  });
  after(async () => {
    await Promise.all([services.close(), api.close(), storage.close()]);
  });

  const REPO = `/repos/acme/app/attestations/${SUBJECT}`;

  function source(place: Partial<GithubPlace> = {}): EvidenceSource {
    const usual = { api: new URL(`http://${api.host}`), owner: "acme", repository: "app", token: TOKEN };
    return githubAttestations(services, { ...usual, ...place });
  }

  async function look(place: Partial<GithubPlace> = {}): Promise<{ bundles: string[]; obstacles: Finding[] }> {
    const bundles: string[] = [];
    const obstacles: Finding[] = [];
    for await (const page of source(place).look(SUBJECT)) {
      for (const candidate of page.candidates) {
        assert.ok(candidate.format === "bundle");
        assert.deepEqual(candidate.origin, { via: "github-api" });
        bundles.push(Buffer.from(candidate.bytes).toString());
      }
      obstacles.push(...page.obstacles);
    }
    return { bundles, obstacles };
  }

  const inline = (...bundles: readonly unknown[]): Answer => ({
    body: { attestations: bundles.map((bundle) => ({ bundle, repository_id: 1 })) },
  });
  const elsewhere = (...urls: readonly string[]): Answer => ({
    body: { attestations: urls.map((bundle_url) => ({ bundle: null, repository_id: 1, bundle_url })) },
  });
  const snappy = (json: unknown): Answer => {
    const text = Buffer.from(JSON.stringify(json));
    assert.ok(text.byteLength < 128);
    const block = Buffer.concat([Uint8Array.of(text.byteLength, 60 << 2, text.byteLength - 1), text]);
    return { body: block, headers: { "content-type": "application/x-snappy" } };
  };

  it("lists bundles of a repository by the image's digest, with the token and a version", async () => {
    answers.set(REPO, inline(BUNDLE, { ...BUNDLE, n: 2 }));
    const { bundles, obstacles } = await look();
    assert.deepEqual(bundles, [JSON.stringify(BUNDLE), JSON.stringify({ ...BUNDLE, n: 2 })]);
    assert.deepEqual(obstacles, []);
    const [request] = api.requests;
    assert.equal(request?.target, `${REPO}?per_page=30`);
    assert.equal(request?.headers["authorization"], `Bearer ${TOKEN}`);
    assert.equal(request?.headers["x-github-api-version"], "2022-11-28");
    assert.equal(request?.headers["accept"], "application/vnd.github+json");
  });

  it("keeps the path of a server's API, with or without a slash at its end", async () => {
    for (const path of ["/api/v3", "/api/v3/"]) {
      answers.set(`/api/v3${REPO}`, inline(BUNDLE));
      assert.equal((await look({ api: new URL(path, `http://${api.host}`) })).bundles.length, 1);
    }
  });

  it("asks without a token where there is none", async () => {
    answers.set(REPO, inline(BUNDLE));
    await look({ token: undefined });
    assert.equal(api.requests[0]?.headers["authorization"], undefined);
  });

  it("takes 404 for none, and nothing else", async () => {
    assert.deepEqual(await look(), { bundles: [], obstacles: [] });
    answers.set(REPO, inline());
    assert.deepEqual(await look(), { bundles: [], obstacles: [] });
  });

  it("asks of an owner as an organization first, and as a user where it is none", async () => {
    answers.set(`/users/acme/attestations/${SUBJECT}`, inline(BUNDLE));
    assert.equal((await look({ repository: undefined })).bundles.length, 1);
    assert.deepEqual(
      api.requests.map(({ target }) => target.split("/")[1]),
      ["orgs", "users"],
    );
    answers.set(`/orgs/acme/attestations/${SUBJECT}`, inline());
    assert.equal((await look({ repository: undefined })).bundles.length, 0);
  });

  it("follows pages", async () => {
    answers.set(REPO, {
      ...inline(BUNDLE),
      headers: { link: `<http://${api.host}/repositories/1/attestations/next?after=x>; rel="next"` },
    });
    answers.set("/repositories/1/attestations/next", inline({ ...BUNDLE, n: 2 }));
    assert.equal((await look()).bundles.length, 2);
    assert.equal(api.requests[1]?.headers["authorization"], `Bearer ${TOKEN}`);
  });

  it("follows no page to another origin, and shows it no token", async () => {
    answers.set(REPO, { ...inline(BUNDLE), headers: { link: `<http://${storage.host}/next>; rel="next"` } });
    await rejectedBy(() => look(), "redirect-refused");
    assert.equal(storage.requests.length, 0);
  });

  it("reads pages up to a limit, so that a circle has an end", async () => {
    answers.set(REPO, { ...inline(), headers: { link: `<http://${api.host}${REPO}>; rel="next"` } });
    await rejectedBy(() => look(), "limit-reached");
    assert.equal(api.requests.length, LIMITS.githubPages);
  });

  const FAILURES: readonly (readonly [number, Parameters<typeof rejectedBy>[1], Answer["headers"]])[] = [
    [401, "denied", {}],
    [403, "denied", {}],
    [403, "throttled", { "x-ratelimit-remaining": "0" }],
    [403, "throttled", { "retry-after": "60" }],
    [429, "throttled", {}],
    [500, "server-error", {}],
    [503, "server-error", {}],
    [410, "protocol-error", {}],
    [204, "protocol-error", {}],
  ];
  for (const [status, code, headers = {}] of FAILURES) {
    it(`takes ${status} ${JSON.stringify(headers)} for ${code}, never for an absence`, async () => {
      answers.set(REPO, { status, headers });
      const error = await rejectedBy(() => look(), code);
      assert.ok(!JSON.stringify({ ...error, message: error.message }).includes(TOKEN));
      answers.set(`/orgs/acme/attestations/${SUBJECT}`, { status, headers });
      await rejectedBy(() => look({ repository: undefined }), code);
    });
  }

  const NONSENSE: readonly (readonly [string, Answer])[] = [
    ["no JSON", { body: Buffer.from("<html>") }],
    ["a list at the top", { body: [] }],
    ["no list in it", { body: { attestations: {} } }],
    ["an entry that is no object", { body: { attestations: [1] } }],
    ["an entry that is nowhere", { body: { attestations: [{ bundle: null }] } }],
    ["a member twice", { body: Buffer.from('{"attestations":[],"attestations":[]}') }],
  ];
  for (const [what, nonsense] of NONSENSE) {
    it(`takes an answer with ${what} for a defect, never for an absence`, async () => {
      answers.set(REPO, nonsense);
      await rejectedBy(() => look(), "protocol-error");
    });
  }

  it("reads an answer up to a limit", async () => {
    answers.set(REPO, { body: Buffer.alloc(LIMITS.githubPageBytes + 1, " ") });
    await rejectedBy(() => look(), "limit-reached");
  });

  it("fetches bundles that are kept elsewhere, compressed, without the token", async () => {
    answers.set(REPO, elsewhere(`http://${storage.host}/b1?sig=secret`, `http://${storage.host}/b2`));
    answers.set("/b1", snappy(BUNDLE));
    answers.set("/b2", { body: BUNDLE });
    const { bundles, obstacles } = await look();
    assert.deepEqual(obstacles, []);
    assert.deepEqual(bundles, [JSON.stringify(BUNDLE), JSON.stringify(BUNDLE)]);
    for (const { headers } of storage.requests) {
      assert.equal(headers["authorization"], undefined);
      assert.ok(!JSON.stringify(headers).includes(TOKEN));
    }
    assert.equal(storage.requests.length, 2);
  });

  it("fetches them where the API leaves the bundle out instead of saying null", async () => {
    answers.set(REPO, { body: { attestations: [{ repository_id: 1, bundle_url: `http://${storage.host}/b1` }] } });
    answers.set("/b1", snappy(BUNDLE));
    assert.equal((await look()).bundles.length, 1);
  });

  const BROKEN: readonly (readonly [string, Answer, string])[] = [
    ["gone", { status: 404 }, "not-found"],
    ["denied", { status: 403 }, "denied"],
    ["failing", { status: 500 }, "server-error"],
    ["too large", { body: Buffer.alloc(LIMITS.signatureBytes + 1) }, "limit-reached"],
    [
      "too large when it is decompressed",
      { body: Buffer.from("ffffffff0f0061", "hex"), headers: { "content-type": "application/x-snappy" } },
      "limit-reached",
    ],
    [
      "no Snappy",
      { body: Buffer.from("hello"), headers: { "content-type": "application/x-snappy" } },
      "protocol-error",
    ],
  ];
  for (const [what, broken, code] of BROKEN) {
    it(`takes a bundle that is ${what} for an obstacle beside the others, and repeats no secret`, async () => {
      answers.set(REPO, elsewhere(`http://${storage.host}/b1?sig=secret`, `http://${storage.host}/b2`));
      answers.set("/b1", broken);
      answers.set("/b2", snappy(BUNDLE));
      const { bundles, obstacles } = await look();
      assert.equal(bundles.length, 1);
      assert.deepEqual(
        obstacles.map((obstacle) => obstacle.code),
        [code],
      );
      assert.ok(!JSON.stringify(obstacles).includes("secret"));
    });
  }

  for (const url of ["", "bundle", "/b1", "file:///etc/passwd", "ftp://127.0.0.1/b1"]) {
    it(`fetches nothing from ${JSON.stringify(url)}`, async () => {
      answers.set(REPO, elsewhere(url));
      if (url === "") await rejectedBy(() => look(), "protocol-error");
      else assert.deepEqual((await look()).obstacles[0]?.code, "redirect-refused");
    });
  }

  it("fetches nothing in plain HTTP for an API that is asked by HTTPS: not even from this machine", async () => {
    answers.set(REPO, elsewhere(`http://${storage.host}/b1`));
    const asked: URL[] = [];
    const far = {
      ask: async (request: { url: URL }) => {
        asked.push(request.url);
        const bytes = Buffer.from(JSON.stringify(answers.get(REPO)?.body));
        return { status: 200, contentType: "application/json", bytes, header: () => undefined };
      },
    } as unknown as ServiceClient;
    const place = { api: new URL("https://api.github.com"), owner: "acme", repository: "app", token: TOKEN };
    for await (const { obstacles } of githubAttestations(far, place).look(SUBJECT)) {
      assert.equal(obstacles[0]?.code, "redirect-refused");
    }
    assert.equal(asked.length, 1);
  });

  it("stops asking when the caller has enough", async () => {
    const urls = Array.from({ length: 30 }, (_, at) => `http://${storage.host}/b${at}`);
    answers.set(REPO, elsewhere(...urls));
    for (const at of urls.keys()) answers.set(`/b${at}`, snappy(BUNDLE));
    for await (const _ of source().look(SUBJECT)) break;
    assert.equal(storage.requests.length, 4);
  });
});
