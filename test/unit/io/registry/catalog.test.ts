import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { SourceProblem } from "../../../../src/core/sources/mention.ts";
import { listRegistry, parseRegistrySource } from "../../../../src/io/registry/catalog.ts";
import { RegistryPool } from "../../../../src/io/registry/store.ts";
import { type Handler, httpServer, reply, type TestServer } from "../../../support/http-server.ts";
import { alice, TestClock } from "../../../support/registry-client.ts";
import { isUsage } from "../../../support/usage.ts";

const HEX = "a".repeat(64);

interface Listed {
  /** Without the registry. */
  readonly images: readonly string[];
  readonly problems: readonly SourceProblem[];
  readonly notes: readonly string[];
  readonly server: TestServer;
}

async function list(t: TestContext, handler: Handler, path = "", options: object = {}): Promise<Listed> {
  const server = await httpServer(handler);
  const shared = { env: {}, homeDirectory: "/nonexistent", certificateFolders: [], clock: new TestClock(), tries: 1 };
  const pool = new RegistryPool({ ...shared, ...options });
  t.after(async () => {
    await pool.close();
    await server.close();
  });
  const images: string[] = [];
  const problems: SourceProblem[] = [];
  const notes: string[] = [];
  for await (const reading of listRegistry(pool, `registry://${server.host}${path}`, (line) => notes.push(line))) {
    images.push(...reading.mentions.map(({ image }) => image.slice(server.host.length + 1)));
    problems.push(...reading.problems);
  }
  return { images, problems, notes, server };
}

/** A registry with these repositories, each with these tags; the catalog is what a test makes of it. */
function holding(
  content: Readonly<Record<string, readonly string[]>>,
  catalog: Handler = (_, response) => reply(response, 200, { repositories: Object.keys(content) }),
): Handler {
  return (request, response) => {
    const path = request.target.split("?")[0] ?? "";
    if (path === "/v2/_catalog") return catalog(request, response);
    const tags = content[path.slice("/v2/".length, -"/tags/list".length)];
    if (tags === undefined) return reply(response, 404, { errors: [{ code: "NAME_UNKNOWN", message: "unknown" }] });
    reply(response, 200, { name: "x", tags });
  };
}

function refusing(status: number): Handler {
  return (_, response) => reply(response, status, {});
}

const codes = ({ problems }: Listed): readonly string[] => problems.map(({ finding }) => finding.code);

describe("the name of a registry to look through", () => {
  it("is a host, and a path of whole segments below it", () => {
    assert.deepEqual(parseRegistrySource("registry://R.example.com:5000"), { registry: "r.example.com:5000" });
    assert.deepEqual(parseRegistrySource("registry://localhost/a/b/"), { registry: "localhost", prefix: "a/b" });
    assert.deepEqual(parseRegistrySource("registry://docker.io/nginx"), {
      registry: "docker.io",
      prefix: "library/nginx",
    });
    assert.deepEqual(parseRegistrySource("registry://index.docker.io/a/b"), { registry: "docker.io", prefix: "a/b" });
    assert.deepEqual(parseRegistrySource("registry://[::1]:5000/a"), { registry: "[::1]:5000", prefix: "a" });
  });

  it("is nothing else: no image, no address, no name that could be a path", () => {
    for (const bad of [
      ...["registry://", "registry:///a", "registry://host", "registry://r.example.com/a:1", "https://r.example.com"],
      ...[
        `registry://r.example.com/a@sha256:${HEX}`,
        "registry://me:pass@r.example.com/a",
        "registry://r.example.com/A",
      ],
      ...[
        "registry://r.example.com/a?n=1",
        "registry://r.example.com//a",
        "registry://r.example.com/../a",
        "registry://127.1/a",
      ],
    ]) {
      assert.throws(() => parseRegistrySource(bad), isUsage, bad);
    }
  });
});

describe("what a registry holds", () => {
  it("is every tag of every repository, or of those at and below a path", async (t) => {
    const handler = holding({ a: ["1"], "a/b": ["2", "3"], ab: ["4"], c: [] });
    assert.deepEqual((await list(t, handler)).images, ["a:1", "a/b:2", "a/b:3", "ab:4"]);
    assert.deepEqual((await list(t, handler, "/a")).images, ["a:1", "a/b:2", "a/b:3"]);
    assert.deepEqual((await list(t, handler, "/a/b")).images, ["a/b:2", "a/b:3"]);
  });

  it("leaves out tags of signatures and of lists of referrers, and counts them; it says what no list shows", async (t) => {
    const attached = [`sha256-${HEX}`, `sha256-${HEX}.sig`, `sha256-${HEX}.att`, `sha256-${HEX}.sbom`, `sha512-${HEX}`];
    const images = ["1", `sha256-${HEX}.tar`, `sha256-${HEX.slice(1)}`, `md5-${HEX}`, "sig"];
    const { images: found, notes } = await list(t, holding({ a: [...attached, ...images] }));
    assert.deepEqual(
      found,
      images.map((tag) => `a:${tag}`),
    );
    assert.match(notes.join("\n"), /left out 5 tags of signatures/);
    assert.match(notes.join("\n"), /images without a tag are not seen/);
  });

  it("leaves out the tags of trust metadata: an audit told to sign them, and ended as refused", async (t) => {
    const trust = ["", ".role.ci", ".role.targets", ".pending.root", ".part.3", ".probe"];
    const images = ["1", "countersign-trust-2", "countersign-trust.1"];
    const tags = [...trust.map((end) => `countersign-trust${end}`), ...images];
    const { images: found, notes } = await list(t, holding({ a: tags }));
    assert.deepEqual(
      found,
      images.map((tag) => `a:${tag}`),
    );
    assert.match(notes.join("\n"), /left out 6 tags of signatures, attestations and signed tags/);
  });

  it("is read page by page as the links lead, and each repository once", async (t) => {
    const pages: Readonly<Record<string, readonly string[]>> = { first: ["a", "b"], second: ["b", "c"] };
    const catalog: Handler = ({ target }, response) => {
      const page = target.includes("last=b") ? "second" : "first";
      const link = page === "first" ? { link: '</v2/_catalog?last=b&n=2>; rel="next"' } : {};
      reply(response, 200, { repositories: pages[page] }, link);
    };
    const { images, server } = await list(t, holding({ a: ["1"], b: ["1"], c: ["1"] }, catalog));
    assert.deepEqual(images, ["a:1", "b:1", "c:1"]);
    assert.equal(server.requests.filter(({ target }) => target === "/v2/b/tags/list").length, 1);
  });

  it("goes on behind the last name of a full page that has no link", async (t) => {
    const names = Array.from({ length: 2500 }, (_, at) => `r${String(at).padStart(4, "0")}`);
    const catalog: Handler = ({ target }, response) => {
      const query = new URL(target, "http://a").searchParams;
      const from = names.findIndex((name) => name > (query.get("last") ?? ""));
      reply(response, 200, { repositories: from === -1 ? [] : names.slice(from, from + Number(query.get("n"))) });
    };
    const handler = holding(Object.fromEntries(names.map((name) => [name, []])), catalog);
    const { server } = await list(t, handler);
    assert.equal(server.requests.filter(({ target }) => target.endsWith("/tags/list")).length, names.length);
  });

  it("comes to an end where a registry gives the whole list whatever it is asked", async (t) => {
    const names = Array.from({ length: 1200 }, (_, at) => `r${at}`);
    const { problems, server } = await list(t, holding(Object.fromEntries(names.map((name) => [name, []]))));
    assert.deepEqual(problems, []);
    assert.equal(server.requests.filter(({ target }) => target.startsWith("/v2/_catalog")).length, 2);
  });

  it("is asked for without a length where the registry takes none", async (t) => {
    const catalog: Handler = ({ target }, response) =>
      target.includes("n=") ? reply(response, 400, {}) : reply(response, 200, { repositories: ["a"] });
    assert.deepEqual((await list(t, holding({ a: ["1"] }, catalog))).images, ["a:1"]);
  });

  it("is a problem where the links lead in a circle, elsewhere, or without an end", async (t) => {
    const to = (link: (count: number) => string): Handler => {
      let count = 0;
      return (_, response) => reply(response, 200, { repositories: [] }, { link: `<${link(count++)}>; rel="next"` });
    };
    assert.deepEqual(
      codes(
        await list(
          t,
          to(() => "/v2/_catalog?page=2"),
        ),
      ),
      ["protocol-error"],
    );
    assert.deepEqual(
      codes(
        await list(
          t,
          to(() => "http://elsewhere.example.com/v2/_catalog"),
        ),
      ),
      ["redirect-refused"],
    );
    const endless = await list(
      t,
      to((count) => `/v2/_catalog?page=${count}`),
    );
    assert.deepEqual(codes(endless), ["limit-reached"]);
    assert.equal(endless.server.requests.length, LIMITS.catalogPages);
  });

  it("is a problem where it is no list, and the repositories that were listed before are there", async (t) => {
    for (const body of [[], { repositories: "a" }, { repositories: [1] }, "<html>", "{"]) {
      const { images, problems } = await list(
        t,
        holding({}, (_, response) => reply(response, 200, body)),
      );
      assert.deepEqual(
        [images, problems.map(({ finding }) => finding.code)],
        [[], ["protocol-error"]],
        JSON.stringify(body),
      );
    }
    const page: Handler = (_, response) => reply(response, 200, "<html>", { "content-type": "text/html" });
    assert.deepEqual(codes(await list(t, holding({}, page))), ["not-a-registry"]);
  });

  it("has problems of single repositories beside what the others hold", async (t) => {
    const inner = holding({ a: ["1"], c: ["3"] });
    const catalog = { repositories: ["a", "b", "c", "gone"] };
    const { images, problems } = await list(t, (request, response) => {
      if (request.target.startsWith("/v2/_catalog")) return reply(response, 200, catalog);
      if (request.target.startsWith("/v2/b/")) return reply(response, 500, {});
      return inner(request, response);
    });
    assert.deepEqual(images, ["a:1", "c:3"]);
    assert.deepEqual(
      problems.map(({ finding }) => finding.code),
      ["server-error"],
      "a repository that is gone is none",
    );
  });

  it("takes no names that are none: they could mean another repository, or another place", async (t) => {
    const names = ["a", "../b", "A", "b/../c", "d:1", "e@x", "f?g", "h#i", "", "/j", "k//l", "m\u{202e}n"];
    const { images, problems, server } = await list(
      t,
      holding({ a: ["1", "../x", "", "-y", "z z"] }, (_, response) => reply(response, 200, { repositories: names })),
    );
    assert.deepEqual(images, ["a:1"]);
    assert.deepEqual(
      problems.map(({ finding: { code, found } }) => `${code} ${found}`),
      ["protocol-error ../x and 3 more", "protocol-error ../b and 10 more"],
    );
    assert.equal(server.requests.length, 2, "nothing was asked of them");
  });

  it("is nothing under a path that the registry does not list, and that is said", async (t) => {
    for (const [handler, path] of [
      [holding({ a: ["1"] }), "/b"],
      [holding({}), ""],
    ] as const) {
      assert.deepEqual(codes(await list(t, handler, path)), ["not-found"]);
    }
  });
});

describe("registries without a catalog", () => {
  it("are problems that tell what to do", async (t) => {
    for (const status of [404, 405, 406, 400, 501]) {
      const listed = await list(t, holding({}, refusing(status)));
      assert.deepEqual(codes(listed), ["unsupported"], String(status));
      assert.match(listed.problems[0]?.finding.next ?? "", /^name the repositories one by one \(registry:\/\//);
    }
    const denied = await list(t, holding({}, refusing(403)));
    assert.deepEqual(codes(denied), ["denied"]);
    assert.match(
      denied.problems[0]?.finding.next ?? "",
      /^log in with an account that may list all repositories, or name/,
    );
  });

  it("are asked for the tags of the one repository that is named; what may lie below it is said not to be seen", async (t) => {
    const { images, problems, notes } = await list(t, holding({ "a/b": ["1", "2"] }, refusing(404)), "/a/b");
    assert.deepEqual([images, problems], [["a/b:1", "a/b:2"], []]);
    assert.match(notes.join("\n"), /does not list its repositories: a\/b was read, and not what may lie below it/);
    assert.deepEqual(codes(await list(t, holding({}, refusing(404)), "/a")), ["unsupported"]);
  });

  it("are not asked for one repository where the list only failed: it may be there in a minute", async (t) => {
    const { images, problems } = await list(t, holding({ a: ["1"] }, refusing(500)), "/a");
    assert.deepEqual([images, problems.map(({ finding }) => finding.code)], [[], ["server-error"]]);
  });

  it("want a token for the catalog, not for a repository (distribution, Token Scope)", async (t) => {
    const { images, server } = await list(
      t,
      (request, response) => {
        if (request.target.startsWith("/token")) return reply(response, 200, { token: "t" });
        const challenge = `Bearer realm="http://${request.headers.host}/token",service="s"`;
        if (request.headers.authorization === undefined)
          return reply(response, 401, {}, { "www-authenticate": challenge });
        return holding({ a: ["1"] })(request, response);
      },
      "",
      { credentials: alice },
    );
    assert.deepEqual(images, ["a:1"]);
    const scopes = server.requests.flatMap(({ target }) => new URL(target, "http://a").searchParams.getAll("scope"));
    assert.deepEqual(scopes, ["registry:catalog:*", "repository:a:pull"]);
  });

  it("are known of Docker Hub and GHCR: nothing is asked of them, no helper and no server", async () => {
    const pool = new RegistryPool({ env: {}, homeDirectory: "/nonexistent", certificateFolders: [] });
    for (const host of ["docker.io", "ghcr.io"]) {
      const readings = [];
      for await (const reading of listRegistry(pool, `registry://${host}`)) readings.push(reading);
      assert.deepEqual(
        readings.flatMap(({ problems }) => problems.map(({ finding }) => finding.code)),
        ["unsupported"],
      );
    }
    await pool.close();
  });
});
