import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, mock, type TestContext } from "node:test";
import { LIMITS } from "../../src/core/limits.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import type { Manifest } from "../../src/core/oci/manifest.ts";
import { MEDIA_TYPES } from "../../src/core/oci/media-types.ts";
import { fallbackTag } from "../../src/core/oci/referrers.ts";
import { systemClock } from "../../src/io/http/clock.ts";
import { type Handler, httpServer, reply } from "../support/http-server.ts";
import { failure, openAgainst, openTestStore, TestClock, testManifest } from "../support/registry-client.ts";
import { temporaryFolder } from "../support/temp.ts";

const image = testManifest();
const subject = image.descriptor.digest;
const tag = fallbackTag(subject);
const INDEX = { "content-type": MEDIA_TYPES.ociIndex };

function signature(name: string): Manifest {
  return testManifest({ subject: image.descriptor, annotations: { name } });
}

function listing(...manifests: readonly (Manifest | object)[]): object {
  const entries = manifests.map((entry) => ("descriptor" in entry ? entry.descriptor : entry));
  return { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: entries };
}

function digests(found: { descriptors: readonly { digest: Digest }[] }): readonly Digest[] {
  return found.descriptors.map(({ digest }) => digest);
}

const [a, b, c] = [signature("a"), signature("b"), signature("c")];

describe("the list of referrers", () => {
  it("is read from all pages (distribution-spec, Listing Referrers)", async (t) => {
    const { store, server } = await openAgainst(t, ({ target }, response) => {
      const next = target.includes("page=2") ? {} : { link: `<${target}?page=2>; foo="<x>"; rel="next"` };
      reply(response, 200, listing(...(target.includes("page=2") ? [b] : [a])), { ...INDEX, ...next });
    });
    const found = await store.referrers(subject);
    assert.deepEqual([found.via, digests(found)], ["referrers-api", [a.descriptor.digest, b.descriptor.digest]]);
    assert.equal(server.requests.length, 2);
  });

  it("whose pages lead in a circle, elsewhere or on for ever is an error", async (t) => {
    let count = 0;
    for (const [link, code] of [
      [() => `</v2/acme/app/referrers/${subject}?x=1>; rel=next`, "protocol-error"],
      [() => `<http://127.0.0.1:1/v2/>; rel="next"`, "redirect-refused"],
      [() => `<?n=${++count}>; rel="next"`, "limit-reached"],
    ] as const) {
      const { store, server } = await openAgainst(t, (_, response) =>
        reply(response, 200, listing(a), { ...INDEX, link: link() }),
      );
      await failure(code, store.referrers(subject));
      assert.ok(server.requests.length <= LIMITS.referrerPages);
    }
  });

  it("that is longer than will be read is an error, not a part of it", async (t) => {
    const many = Array.from({ length: LIMITS.referrerEntries + 1 }, (_, at) => ({
      mediaType: MEDIA_TYPES.ociManifest,
      digest: `sha256:${createHash("sha256").update(String(at)).digest("hex")}`,
      size: 2,
    }));
    const { store } = await openAgainst(t, (_, response) => reply(response, 200, listing(...many), INDEX));
    await failure("limit-reached", store.referrers(subject));
  });

  it("that is longer in bytes than LIMITS.referrerBytes over all its pages is an error", async (t) => {
    let count = 0;
    const filler = "x".repeat(1024 * 1024);
    const { store, server } = await openAgainst(t, (_, response) => {
      const link = { link: `<?n=${++count}>; rel="next"` };
      reply(response, 200, listing({ ...a.descriptor, annotations: { filler } }), { ...INDEX, ...link });
    });
    await failure("limit-reached", store.referrers(subject));
    assert.ok(server.requests.length <= LIMITS.referrerBytes / filler.length);
  });

  it("of five thousand entries is read, from the API and from the tag", async (t) => {
    const many = Array.from({ length: 5000 }, (_, at) => ({ ...a.descriptor, size: at + 1 }));
    for (const hasApi of [true, false]) {
      const { store } = await openAgainst(t, ({ target }, response) => {
        if (!hasApi && target.includes("/referrers/")) reply(response, 404);
        else reply(response, 200, listing(...many, b), INDEX);
      });
      const found = await store.referrers(subject);
      assert.equal(digests(found).at(-1), b.descriptor.digest);
    }
  });

  for (const [name, status, headers, body, code] of [
    ["429", 429, {}, "", "throttled"],
    ["500", 500, {}, "", "server-error"],
    ["503 with a web page", 503, { "content-type": "text/html" }, "<html>", "server-error"],
    ["401", 401, { "www-authenticate": "Basic" }, "", "credentials-missing"],
    ["403", 403, {}, "", "denied"],
    ["an index that is not JSON", 200, INDEX, "{", "protocol-error"],
    ["an index with a duplicate member", 200, INDEX, '{"manifests":[],"manifests":[]}', "protocol-error"],
    ["an index whose entries are no list", 200, INDEX, '{"manifests":{}}', "protocol-error"],
    ["an index with an entry that is none", 200, INDEX, '{"manifests":[{"digest":"sha256:00"}]}', "protocol-error"],
  ] as const) {
    it(`is never empty because of ${name}: that is ${code}`, async (t) => {
      const { store, server } = await openAgainst(t, (_, response) => reply(response, status, body, headers));
      await failure(code, store.referrers(subject));
      assert.ok(
        server.requests.every(({ target }) => target.includes("/referrers/")),
        "the tag does not stand in",
      );
    });
  }

  for (const location of [
    "file:///etc/passwd",
    "http://[::",
    "http://name:word@127.0.0.1:1/",
    "http://registry.example/",
  ]) {
    it(`is never empty because of a redirect to ${location}, which nobody may follow`, async (t) => {
      const { store } = await openAgainst(t, ({ target }, response) => {
        reply(response, target.includes("/referrers/") ? 302 : 404, "", { location });
      });
      await failure("redirect-refused", store.referrers(subject));
    });
  }

  it("skips an entry whose digest nobody here can check", async (t) => {
    const foreign = { ...a.descriptor, digest: `blake3:${"0".repeat(64)}` };
    const { store } = await openAgainst(t, (_, response) => reply(response, 200, listing(foreign, b), INDEX));
    assert.deepEqual(digests(await store.referrers(subject)), [b.descriptor.digest]);
  });

  for (const [name, answer] of [
    ["404", (r) => reply(r, 404, "404 page not found", { "content-type": "text/plain" })],
    ["400", (r) => reply(r, 400, { errors: [{ code: "UNSUPPORTED", message: "?" }] })],
    ["405", (r) => reply(r, 405)],
    ["406", (r) => reply(r, 406)],
    ["200 of another type", (r) => reply(r, 200, { hello: 1 })],
    ["200 with a web page", (r) => reply(r, 200, "<html>", { "content-type": "text/html" })],
    ["a redirect to another host", (r) => reply(r, 303, "", { location: "https://github.example/x" })],
  ] as const satisfies readonly (readonly [string, (response: Parameters<Handler>[1]) => void])[]) {
    it(`is read from the tag where the API answers ${name}, and the API is not asked again`, async (t) => {
      const { store, server } = await openAgainst(t, ({ target }, response) => {
        if (target.includes("/referrers/")) return answer(response);
        return reply(response, 200, listing(a), INDEX);
      });
      const found = await store.referrers(subject);
      assert.deepEqual([found.via, digests(found)], ["referrers-tag", [a.descriptor.digest]]);
      await store.referrers(subject);
      assert.equal(server.requests.length, 3);
    });
  }

  it("is offered from the API too where only the memory of another command says that there is none", async (t) => {
    const cacheDirectory = await temporaryFolder(t);
    let hasApi = false;
    const handler: Handler = ({ target }, response) => {
      if (!target.includes("/referrers/")) return reply(response, 200, listing(a), INDEX);
      return hasApi ? reply(response, 200, listing(b), INDEX) : reply(response, 404);
    };
    const { server, store } = await openAgainst(t, handler, { cacheDirectory });
    assert.equal((await store.referrers(subject)).rest, undefined);
    hasApi = true;
    const later = openTestStore(server.host, { cacheDirectory });
    t.after(() => later.close());
    const found = await later.referrers(subject);
    assert.deepEqual([found.via, digests(found)], ["referrers-tag", [a.descriptor.digest]]);
    const rest = await found.rest?.();
    assert.deepEqual([rest?.via, rest === undefined ? [] : digests(rest)], ["referrers-api", [b.descriptor.digest]]);
    assert.equal((await later.referrers(subject)).via, "referrers-api");
  });

  it("is empty where neither the API nor the tag is there", async (t) => {
    const { store } = await openAgainst(t, (_, response) => reply(response, 404));
    assert.deepEqual(await store.referrers(subject), { descriptors: [], via: "referrers-tag" });
  });

  it("is not taken from a tag that resolves to the subject itself, as GitLab does", async (t) => {
    const { store } = await openAgainst(t, ({ target }, response) => {
      if (target.includes("/referrers/")) return reply(response, 404);
      return reply(response, 200, image.bytes, { "content-type": MEDIA_TYPES.ociManifest });
    });
    assert.deepEqual(digests(await store.referrers(subject)), []);
  });

  it("is not taken for empty because the tag cannot be read", async (t) => {
    for (const [status, code] of [
      [500, "server-error"],
      [403, "denied"],
      [429, "throttled"],
    ] as const) {
      const { store } = await openAgainst(t, ({ target }, response) =>
        reply(response, target.includes("/referrers/") ? 404 : status),
      );
      await failure(code, store.referrers(subject));
    }
  });

  it("of a sha512 subject is read under both forms of its tag", async (t) => {
    const long = `sha512:${"ab".repeat(64)}` as Digest;
    const { store, server } = await openAgainst(t, ({ target }, response) =>
      target.endsWith(`/sha512-${"ab".repeat(32)}`) ? reply(response, 200, listing(a), INDEX) : reply(response, 404),
    );
    assert.deepEqual(digests(await store.referrers(long)), [a.descriptor.digest]);
    assert.ok(server.requests.every(({ target }) => target.length < 200));
  });
});

describe("the memory of what a registry lacks", () => {
  const withoutApi: Handler = ({ target }, response) => {
    if (target.includes("/referrers/"))
      return reply(response, 404, "404 page not found", { "content-type": "text/plain" });
    return reply(response, 200, listing(a), INDEX);
  };

  it("spares the next command a request, for a day", async (t) => {
    const cacheDirectory = await temporaryFolder(t);
    const { store, server } = await openAgainst(t, withoutApi, { cacheDirectory });
    await store.referrers(subject);
    assert.equal(server.requests.length, 2);
    const clock = new TestClock();
    await openTestStore(server.host, { cacheDirectory, clock }).referrers(subject);
    assert.equal(server.requests.length, 3);
    clock.sleep(LIMITS.capabilityMs);
    await openTestStore(server.host, { cacheDirectory, clock }).referrers(subject);
    assert.equal(server.requests.length, 5);
  });

  it("never leads to an empty list: where the tag is not there, the API is asked after all", async (t) => {
    const cacheDirectory = await temporaryFolder(t);
    let hasApi = false;
    const { store, server } = await openAgainst(
      t,
      ({ target }, response) => {
        if (target.includes("/referrers/") && hasApi) reply(response, 200, listing(b), INDEX);
        else reply(response, 404);
      },
      { cacheDirectory },
    );
    assert.deepEqual(digests(await store.referrers(subject)), []);
    hasApi = true;
    const later = openTestStore(server.host, { cacheDirectory });
    assert.deepEqual(digests(await later.referrers(subject)), [b.descriptor.digest]);
  });

  it("is no harm where the file is not what was written, or cannot be", async (t) => {
    const cacheDirectory = await temporaryFolder(t);
    const { store, server } = await openAgainst(t, withoutApi, { cacheDirectory });
    await store.referrers(subject);
    const [name = ""] = await readdir(join(cacheDirectory, "registries"));
    const path = join(cacheDirectory, "registries", name);
    const good = await readFile(path, "utf8");
    for (const bad of [
      "",
      "{",
      "[]",
      "x".repeat(10_000),
      good.replace("127.0.0.1", "other"),
      good.replace(/\d{12,}/, '"x"'),
    ]) {
      await writeFile(path, bad);
      await openTestStore(server.host, { cacheDirectory }).referrers(subject);
      assert.ok(server.requests.length >= 4, "both places were asked");
    }
    await openTestStore(server.host, { cacheDirectory: join(path, "not-a-folder") }).referrers(subject);
  });
});

/** A registry's tags and manifests, without the referrers API. Each answer takes a moment that a test chooses. */
async function slowRegistry(t: TestContext, options: { delay: () => number; conditional?: boolean }) {
  const stored = new Map<string, Buffer>();
  const server = await httpServer(async ({ method, target, body, headers }, response) => {
    await new Promise((resolve) => setTimeout(resolve, options.delay()));
    const name = decodeURIComponent(target.split("/").at(-1) ?? "");
    const current = stored.get(name);
    const etag = current === undefined ? undefined : `"${createHash("sha256").update(current).digest("hex")}"`;
    if (!target.includes("/manifests/")) return reply(response, 404);
    if (method === "GET")
      return current === undefined
        ? reply(response, 404)
        : reply(response, 200, current, { ...INDEX, etag: etag ?? "" });
    const wanted = headers["if-match"];
    const fails = (wanted !== undefined && wanted !== etag) || (headers["if-none-match"] === "*" && etag !== undefined);
    if (options.conditional === true && fails) return reply(response, 412);
    stored.set(name, body);
    await new Promise((resolve) => setTimeout(resolve, options.delay()));
    return reply(response, 201);
  });
  t.after(() => server.close());
  const listed = () => {
    const index = JSON.parse(stored.get(tag)?.toString("utf8") ?? "{}") as { manifests?: { digest: string }[] };
    return new Set(index.manifests?.map(({ digest }) => digest));
  };
  return { server, stored, listed };
}

describe("adding to a fallback tag", () => {
  it("reads, writes and reads back: three requests, and the entry says what the manifest is", async (t) => {
    const { server, stored } = await slowRegistry(t, { delay: () => 0 });
    const store = openTestStore(server.host);
    const typed = testManifest({ subject: image.descriptor, artifactType: "application/x", annotations: { k: "v" } });
    await store.pushManifest(typed);
    assert.deepEqual(
      server.requests.map(({ method, headers }) => [method, headers["if-none-match"]]),
      [
        ["PUT", undefined],
        ["GET", undefined],
        ["PUT", "*"],
        ["GET", undefined],
      ],
    );
    const index = JSON.parse(stored.get(tag)?.toString("utf8") ?? "") as { manifests: object[] };
    assert.deepEqual(index.manifests, [
      { ...typed.descriptor, artifactType: "application/x", annotations: { k: "v" } },
    ]);
    await store.close();
  });

  it("leaves what others wrote as it is, known or not", async (t) => {
    const { server, stored } = await slowRegistry(t, { delay: () => 0 });
    const theirs = {
      ...listing({ ...a.descriptor, "x-unknown": [1] }, { odd: true }),
      annotations: { by: "them" },
      "x-more": 1,
    };
    stored.set(tag, Buffer.from(JSON.stringify(theirs)));
    const store = openTestStore(server.host);
    await store.pushManifest(b);
    const index = JSON.parse(stored.get(tag)?.toString("utf8") ?? "") as { manifests: object[] };
    assert.deepEqual({ ...index, manifests: index.manifests.slice(0, 2) }, theirs);
    assert.equal(index.manifests.length, 3);
    await store.pushManifest(b);
    assert.equal((JSON.parse(stored.get(tag)?.toString("utf8") ?? "") as { manifests: object[] }).manifests.length, 3);
    await store.close();
  });

  it("is not done where the registry says it lists the subject itself (OCI-Subject)", async (t) => {
    const { store, server } = await openAgainst(t, (_, response) =>
      reply(response, 201, "", { "oci-subject": subject }),
    );
    await store.pushManifest(a);
    assert.equal(server.requests.length, 1);
    const liar = await openAgainst(t, ({ method }, response) =>
      reply(response, method === "PUT" ? 201 : 500, "", { "oci-subject": c.descriptor.digest }),
    );
    await failure("server-error", liar.store.pushManifest(a));
  });

  for (const [name, options] of [
    ["that ignores conditions", { delay: () => Math.random() * 20 }],
    ["that honours conditions", { delay: () => Math.random() * 20, conditional: true }],
  ] as const) {
    it(`loses nobody's entry when many write at once to a registry ${name}`, async (t) => {
      const { server, listed } = await slowRegistry(t, options);
      const writers = Array.from({ length: 6 }, (_, at) => signature(`writer ${at}`));
      const stores = writers.map(() => openTestStore(server.host, { clock: systemClock }));
      await Promise.all(writers.map((manifest, at) => stores[at]?.pushManifest(manifest)));
      const missing = writers.filter(({ descriptor }) => !listed().has(descriptor.digest));
      assert.deepEqual(missing, []);
      await Promise.all(stores.map((store) => store.close()));
    });
  }

  it("waits its turn among the stores of one command and among the processes of a machine", async (t) => {
    const { server, listed } = await slowRegistry(t, { delay: () => 5 });
    const cacheDirectory = await temporaryFolder(t);
    const clock = { ...systemClock, sleep: () => Promise.resolve() };
    const stores = [1, 2].map(() => openTestStore(server.host, { clock, cacheDirectory }));
    const writers = Array.from({ length: 6 }, (_, at) => signature(`writer ${at}`));
    await Promise.all(writers.map((manifest, at) => stores[at % 2]?.pushManifest(manifest)));
    assert.equal(listed().size, 6);
    const tagged = server.requests.filter(({ target }) => target.endsWith(tag)).map(({ method }) => method);
    assert.deepEqual(
      tagged,
      writers.flatMap(() => ["GET", "PUT", "GET"]),
      "nobody had to merge again",
    );
    await Promise.all(stores.map((store) => store.close()));
  });

  it("adds again what another writer removed, its own and others'", async (t) => {
    const { server, stored, listed } = await slowRegistry(t, { delay: () => 0 });
    stored.set(tag, Buffer.from(JSON.stringify(listing(a))));
    let rounds = 0;
    const clock = new TestClock();
    const rude = {
      now: () => clock.now(),
      random: () => 0,
      sleep: async () => void (++rounds === 1 && stored.set(tag, Buffer.from(JSON.stringify(listing(c))))),
    };
    const store = openTestStore(server.host, { clock: rude });
    await store.pushManifest(b);
    assert.deepEqual([...listed()].sort(), [a, b, c].map(({ descriptor }) => descriptor.digest).sort());
    await store.close();
  });

  it("keeps what this command saw on the list, where the registry once does not know it, or an older one", async (t) => {
    for (const lag of [undefined, JSON.stringify(listing(c))]) {
      const { server, stored, listed } = await slowRegistry(t, { delay: () => 0 });
      stored.set(tag, Buffer.from(JSON.stringify(listing(c, a))));
      const store = openTestStore(server.host);
      await store.referrers(subject, { isSparing: true });
      if (lag === undefined) stored.delete(tag);
      else stored.set(tag, Buffer.from(lag));
      await store.pushManifest(b);
      assert.deepEqual([...listed()].sort(), [a, b, c].map(({ descriptor }) => descriptor.digest).sort());
      await store.close();
    }
  });

  it("that never shows is write-unconfirmed: GitLab answers the image itself", async (t) => {
    const { store, server } = await openAgainst(t, ({ method }, response) => {
      if (method === "PUT") return reply(response, 201);
      return reply(response, 200, image.bytes, { "content-type": MEDIA_TYPES.ociManifest });
    });
    await failure("write-unconfirmed", store.pushManifest(a));
    assert.ok(server.requests.length <= 2 * LIMITS.mergeRounds + 2);
  });

  it("whose list others keep changing is a write-conflict, in a bounded number of requests", async (t) => {
    let reads = 0;
    const { store, server } = await openAgainst(t, ({ method }, response) => {
      if (method === "PUT") return reply(response, 201);
      const others = [signature(`other ${++reads}`)];
      return reply(response, 200, listing(...others, ...(reads === 1 ? [] : [a])), INDEX);
    });
    const error = await failure("write-conflict", store.pushManifest(a));
    assert.match(error.wanted ?? "", new RegExp(a.descriptor.digest));
    assert.ok(server.requests.length <= 2 * LIMITS.mergeRounds + 2);
  });

  it("does without conditions where a registry refuses those that hold", async (t) => {
    let body: Buffer | undefined;
    const { store, server } = await openAgainst(t, (request, response) => {
      if (request.method === "GET")
        return body === undefined ? reply(response, 404) : reply(response, 200, body, INDEX);
      if (!request.target.endsWith(tag)) return reply(response, 201);
      if (request.headers["if-none-match"] !== undefined) return reply(response, 412);
      body = request.body;
      return reply(response, 201);
    });
    await store.pushManifest(a);
    assert.ok(server.requests.length <= 8);
  });

  it("is not sent again as it was after a failure: the list is read anew", async (t) => {
    let body: Buffer | undefined;
    let failures = 0;
    const { store, server } = await openAgainst(t, (request, response) => {
      if (request.method === "GET")
        return body === undefined ? reply(response, 404) : reply(response, 200, body, INDEX);
      if (request.target.endsWith(tag) && ++failures === 1) {
        body = Buffer.from(JSON.stringify(listing(c)));
        return reply(response, 503);
      }
      if (request.target.endsWith(tag)) body = request.body;
      return reply(response, 201);
    });
    await store.pushManifest(a);
    assert.deepEqual(
      server.requests.map(({ method }) => method),
      ["PUT", "GET", "PUT", "GET", "PUT", "GET"],
    );
    assert.match(body?.toString("utf8") ?? "", new RegExp(c.descriptor.digest));
  });

  it("settles as long as writing took, and not as long again as the registry asked to wait", async (t) => {
    let body: Buffer | undefined;
    let refusals = 0;
    const clock = new TestClock();
    const handler: Handler = (request, response) => {
      if (request.method === "GET")
        return body === undefined ? reply(response, 404) : reply(response, 200, body, INDEX);
      if (!request.target.endsWith(tag)) return reply(response, 201);
      if (++refusals === 1) return reply(response, 429, "", { "retry-after": "60" });
      body = request.body;
      return reply(response, 201);
    };
    const { store } = await openAgainst(t, handler, { clock });
    await store.pushManifest(a);
    assert.equal(refusals, 2);
    assert.deepEqual(
      clock.slept.filter((milliseconds) => milliseconds >= 60_000),
      [60_000],
    );
  });

  it("is read again after a wait that the registry asked for in answering what the list is", async (t) => {
    let body: Buffer | undefined;
    const clock = new TestClock();
    const handler: Handler = (request, response) => {
      // The first reading uses up what is left until a minute from now.
      const isLast = clock.slept.length === 0 && request.method === "GET";
      const quota = isLast ? { "ratelimit-remaining": "0", "ratelimit-reset": "60" } : {};
      if (request.method === "GET")
        return body === undefined
          ? reply(response, 404, "", quota)
          : reply(response, 200, body, { ...INDEX, ...quota });
      if (request.target.endsWith(tag)) body = request.body;
      return reply(response, 201);
    };
    mock.method(clock, "sleep", async (milliseconds: number) => {
      // Another writer, whose own reading confirms long before the minute is over that its entry is there.
      if (clock.slept.length === 0) body = Buffer.from(JSON.stringify(listing(c)));
      await TestClock.prototype.sleep.call(clock, milliseconds);
    });
    const { store, server } = await openAgainst(t, handler, { clock });
    await store.pushManifest(a);
    assert.ok((clock.slept[0] ?? 0) >= 60_000);
    const written = JSON.parse(body?.toString("utf8") ?? "{}") as { manifests: { digest: string }[] };
    assert.deepEqual(
      written.manifests.map(({ digest }) => digest),
      [c, a].map(({ descriptor }) => descriptor.digest),
    );
    assert.equal(clock.slept.filter((milliseconds) => milliseconds >= 60_000).length, 1, "it is no part of settling");
    assert.deepEqual(
      server.requests.map(({ method }) => method),
      ["PUT", "GET", "GET", "PUT", "GET"],
    );
  });

  it("comes to its end at a registry that asks for a wait after each answer", async (t) => {
    let body: Buffer | undefined;
    const { store, server } = await openAgainst(t, (request, response) => {
      const quota = { "ratelimit-remaining": "0", "ratelimit-reset": "1" };
      if (request.method === "GET")
        return body === undefined
          ? reply(response, 404, "", quota)
          : reply(response, 200, body, { ...INDEX, ...quota });
      if (request.target.endsWith(tag)) body = request.body;
      return reply(response, 201, "", quota);
    });
    await store.pushManifest(a);
    assert.equal(server.requests.length, 5);
  });

  it("does not grow a list beyond what is read", async (t) => {
    const full = Array.from({ length: LIMITS.referrerEntries }, (_, at) => ({
      mediaType: MEDIA_TYPES.ociManifest,
      digest: `sha256:${createHash("sha256").update(String(at)).digest("hex")}`,
      size: 2,
    }));
    const { store } = await openAgainst(t, ({ method }, response) =>
      method === "PUT" ? reply(response, 201) : reply(response, 200, listing(...full), INDEX),
    );
    await failure("limit-reached", store.pushManifest(a));
  });
});
