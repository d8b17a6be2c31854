import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import type { Mention, SourceProblem } from "../../../../src/core/sources/mention.ts";
import { type ClusterSelection, readCluster } from "../../../../src/io/kubernetes/cluster.ts";
import { selfSigned } from "../../../support/certificate.ts";
import { type Handler, httpServer, reply, type TestServer } from "../../../support/http-server.ts";
import { installScript } from "../../../support/programs.ts";
import { failure } from "../../../support/registry-client.ts";
import { withoutPartsOf } from "../../../support/secrets.ts";
import { temporaryFolder } from "../../../support/temp.ts";

const TOKEN = "a-token-that-nobody-may-see-0123456789";
const PODS = "/api/v1/pods";

interface Read {
  readonly images: readonly string[];
  readonly mentions: readonly Mention[];
  readonly problems: readonly SourceProblem[];
  readonly codes: readonly string[];
  readonly warnings: readonly string[];
}

type Api = (path: string, query: URLSearchParams) => Answer | undefined;
interface Answer {
  readonly status?: number;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

function pod(name: string): object {
  return {
    metadata: { name, namespace: "n" },
    spec: { containers: [{ name: "app", image: `example.com/${name}:1` }] },
  };
}

function podList(names: readonly string[], next?: string): Answer {
  return { json: { kind: "PodList", metadata: { continue: next ?? "" }, items: names.map(pod) } };
}

/** An API that has what a test says, and of everything else none. */
function serving(api: Api): Handler {
  return (request, response) => {
    const url = new URL(request.target, "http://a");
    const {
      status = 200,
      json = { kind: "List", metadata: {}, items: null },
      headers,
    } = api(url.pathname, url.searchParams) ?? {};
    reply(response, status, json as object, headers);
  };
}

interface Setting {
  readonly cluster?: object;
  readonly user?: object;
  readonly selection?: ClusterSelection;
  readonly env?: Readonly<Record<string, string>>;
}

async function read(t: TestContext, server: TestServer, setting: Setting = {}): Promise<Read> {
  const folder = await temporaryFolder(t);
  const config = {
    "current-context": "test",
    clusters: [{ name: "c", cluster: { server: `http://${server.host}`, ...setting.cluster } }],
    users: [{ name: "u", user: setting.user ?? { token: TOKEN } }],
    contexts: [{ name: "test", context: { cluster: "c", user: "u" } }],
  };
  await writeFile(join(folder, "config"), JSON.stringify(config));
  const [mentions, problems, warnings]: [Mention[], SourceProblem[], string[]] = [[], [], []];
  const surroundings = {
    env: { ...setting.env, KUBECONFIG: join(folder, "config") },
    homeDirectory: folder,
    workingDirectory: folder,
    userAgent: "countersign/test",
    tries: 1,
    warn: (line: string) => warnings.push(line),
  };
  for await (const reading of readCluster("cluster://", setting.selection ?? {}, surroundings)) {
    mentions.push(...reading.mentions);
    problems.push(...reading.problems);
  }
  withoutPartsOf([mentions, problems, warnings], TOKEN);
  const codes = problems.map(({ finding }) => finding.code);
  return { images: mentions.map(({ image }) => image), mentions, problems, codes, warnings };
}

async function against(t: TestContext, api: Api, setting: Setting = {}): Promise<Read & { server: TestServer }> {
  const server = await httpServer(serving(api));
  t.after(() => server.close());
  return { ...(await read(t, server, setting)), server };
}

describe("lists of a cluster", () => {
  it("are asked for in pages, each with the token of the one before, and shown the login each time", async (t) => {
    const { images, server } = await against(t, (path, query) => {
      if (path !== PODS) return undefined;
      return query.get("continue") === "next/1=" ? podList(["b"]) : podList(["a"], "next/1=");
    });
    assert.deepEqual(images, ["example.com/a:1", "example.com/b:1"]);
    assert.ok(
      server.requests.every(({ headers, method }) => headers.authorization === `Bearer ${TOKEN}` && method === "GET"),
    );
    assert.ok(
      server.requests.some(({ target }) => target === `${PODS}?limit=${LIMITS.clusterPage}&continue=next%2F1%3D`),
    );
  });

  it("are begun again where the cluster no longer knows the next page, without losing or doubling anything", async (t) => {
    let expired = 0;
    const { images, problems } = await against(t, (path, query) => {
      if (path !== PODS) return undefined;
      if (query.get("continue") === null) return podList(["a", "b"], "p2");
      return expired++ < 2 ? { status: 410, json: { reason: "Expired" } } : podList(["c"]);
    });
    assert.deepEqual(
      images,
      ["a", "b", "c"].map((name) => `example.com/${name}:1`),
    );
    assert.deepEqual(problems, []);
  });

  it("are given up where that never ends, with what there was", async (t) => {
    const { images, codes, server } = await against(t, (path, query) => {
      if (path !== PODS) return undefined;
      return query.get("continue") === null ? podList(["a"], "p2") : { status: 410, json: { message: "too old" } };
    });
    assert.deepEqual([images, codes], [["example.com/a:1"], ["limit-reached"]]);
    const asked = server.requests.filter(({ target }) => target.includes("continue=")).length;
    assert.equal(asked, LIMITS.clusterRestarts + 1);
  });

  it("are no endless ones where a page leads to itself", async (t) => {
    const { codes } = await against(t, (path) => (path === PODS ? podList(["a"], "again") : undefined));
    assert.deepEqual(codes, ["protocol-error"]);
  });

  it("are asked for in smaller pages where one is too large to read", async (t) => {
    const sizes: number[] = [];
    const { images, problems } = await against(t, (path, query) => {
      if (path !== PODS) return undefined;
      sizes.push(Number(query.get("limit")));
      const isTooLarge = Number(query.get("limit")) > 40;
      return isTooLarge ? { headers: { "content-length": String(LIMITS.clusterPageBytes + 1) } } : podList(["a"]);
    });
    assert.deepEqual([images, problems], [["example.com/a:1"], []]);
    assert.deepEqual(sizes, [LIMITS.clusterPage, Math.ceil(LIMITS.clusterPage / 8)]);
  });

  it("of kinds that the cluster does not have are no problem, but one of the core is", async (t) => {
    const missing = { status: 404, json: { kind: "Status", message: "the server could not find it" } };
    const some = await against(t, (path) =>
      path.startsWith("/apis/") ? missing : path === PODS ? podList(["a"]) : undefined,
    );
    assert.deepEqual([some.images, some.codes], [["example.com/a:1"], []]);
    const none = await against(t, () => missing);
    assert.deepEqual(new Set(none.codes), new Set(["not-found"]));
  });

  it("that are forbidden are problems with kind and verb, and the others are read", async (t) => {
    const { images, problems } = await against(t, (path) => {
      if (path === "/apis/apps/v1/deployments")
        return { status: 403, json: { message: "deployments.apps is forbidden" } };
      return path === PODS ? podList(["a"]) : undefined;
    });
    assert.deepEqual(images, ["example.com/a:1"]);
    assert.deepEqual(
      problems.map(({ place, finding: { code, wanted, found } }) => [place.source, code, wanted, found]),
      [
        [
          "cluster://test",
          "denied",
          "the verb list on deployments.apps in all namespaces",
          "403 (deployments.apps is forbidden)",
        ],
      ],
    );
  });

  it("are asked for in each namespace that is named", async (t) => {
    const { images, server } = await against(
      t,
      (path) => (path === "/api/v1/namespaces/a%20b/pods" ? podList(["a"]) : undefined),
      { selection: { namespaces: ["a b", "c", "c"] } },
    );
    assert.deepEqual(images, ["example.com/a:1"]);
    assert.ok(!server.requests.some(({ target }) => target.startsWith(PODS)));
    assert.equal(server.requests.filter(({ target }) => target.startsWith("/api/v1/namespaces/c/pods")).length, 1);
  });

  it("hold objects that a strict reader of JSON would refuse: a tenant's number hides nothing beside it", async (t) => {
    const items = `[{"metadata":{"name":"x","n":123456789012345678901,"a":1,"a":2,"__proto__":{}}},${JSON.stringify(pod("a"))},7,null]`;
    const server = await httpServer((request, response) => {
      const body = request.target.startsWith(PODS) ? items : "null";
      reply(response, 200, `{"kind":"List","items":${body}}`);
    });
    t.after(() => server.close());
    const { images, problems } = await read(t, server);
    assert.deepEqual([images, problems], [["example.com/a:1"], []]);
  });

  it("are not taken from what is no cluster", async (t) => {
    for (const [body, type] of [
      ["<html>Sign in</html>", "text/html"],
      ["[]", "application/json"],
      ["{", "application/json"],
      [`{"items": "${TOKEN}"}`, "application/json"],
    ] as const) {
      const server = await httpServer((_, response) => reply(response, 200, body, { "content-type": type }));
      t.after(() => server.close());
      const { mentions, codes } = await read(t, server);
      assert.deepEqual([mentions, [...new Set(codes)]], [[], ["protocol-error"]], body);
    }
  });

  it("follow no redirect with the login", async (t) => {
    const elsewhere = await httpServer((_, response) => reply(response, 200, { items: [pod("a")] }));
    t.after(() => elsewhere.close());
    const { codes } = await against(t, () => ({ status: 307, headers: { location: `http://${elsewhere.host}/` } }));
    assert.deepEqual([...new Set(codes)], ["protocol-error"]);
    assert.equal(elsewhere.requests.length, 0);
  });

  it("that the cluster throttles are undetermined, after as long as it asked for", async (t) => {
    const { codes, problems } = await against(t, (path) =>
      path === PODS ? { status: 429, headers: { "retry-after": "30" } } : undefined,
    );
    assert.deepEqual(codes, ["throttled"]);
    assert.match(problems[0]?.finding.next ?? "", /try again in 30 s/);
  });

  it("end with one problem where the cluster cannot be reached", async (t) => {
    const server = await httpServer(() => undefined);
    await server.close();
    const { codes, problems } = await read(t, server);
    assert.deepEqual(codes, ["unreachable"]);
    assert.match(problems[0]?.finding.next ?? "", /kubectl cluster-info/);
  });
});

describe("logins to a cluster", () => {
  it("that are refused are one problem, which repeats nothing of them though the answer does", async (t) => {
    const { codes, mentions } = await against(t, () => ({ status: 401, json: { message: "Unauthorized" } }));
    assert.deepEqual([codes, mentions], [["denied"], []]);
    const echo = await against(t, () => ({ status: 500, json: { message: `you sent Bearer ${TOKEN}` } }));
    assert.ok(echo.codes.every((code) => code === "server-error"));
  });

  it("from a file are read again when they are refused: what is in it expires", async (t) => {
    const folder = await temporaryFolder(t);
    const file = join(folder, "token");
    await writeFile(file, "old\n");
    const server = await httpServer(async (request, response) => {
      await writeFile(file, "new\n");
      if (request.headers.authorization !== "Bearer new") return reply(response, 401, {});
      reply(response, 200, { items: request.target.startsWith(PODS) ? [pod("a")] : [] });
    });
    t.after(() => server.close());
    const { images, codes } = await read(t, server, { user: { tokenFile: file, token: "ignored-beside-the-file" } });
    assert.deepEqual([images, codes], [["example.com/a:1"], []]);
    assert.equal(server.requests.filter(({ headers }) => headers.authorization === "Bearer old").length, 1);
  });

  it("may be a name and a password, and stand in for somebody else", async (t) => {
    const { server } = await against(t, () => undefined, {
      user: { username: "me", password: "pass:word", as: "other", "as-groups": ["readers"], "as-uid": "7" },
    });
    const headers = server.requests[0]?.headers ?? {};
    assert.equal(headers.authorization, `Basic ${Buffer.from("me:pass:word").toString("base64")}`);
    assert.deepEqual(
      [headers["impersonate-user"], headers["impersonate-group"], headers["impersonate-uid"]],
      ["other", "readers", "7"],
    );
  });

  it("are believed over TLS by the kubeconfig's own authority, and by no other", async (t) => {
    const { pem, key } = selfSigned("cluster");
    const tls = { cert: pem, key: key.export({ type: "pkcs8", format: "pem" }).toString() };
    const server = await httpServer(
      serving((path) => (path === PODS ? podList(["a"]) : undefined)),
      tls,
    );
    t.after(() => server.close());
    const at = (cluster: object) => read(t, server, { cluster: { server: `https://${server.host}`, ...cluster } });
    const known = { "certificate-authority-data": Buffer.from(pem).toString("base64") };
    assert.deepEqual((await at(known)).images, ["example.com/a:1"]);
    const other = { "certificate-authority-data": Buffer.from(selfSigned("other").pem).toString("base64") };
    for (const wrong of [{}, other, { ...known, "tls-server-name": "elsewhere.example.com" }]) {
      const before = server.requests.length;
      assert.deepEqual((await at(wrong)).codes, ["unreachable"]);
      assert.equal(server.requests.length, before, "nothing was sent");
    }
    const careless = await at({ "insecure-skip-tls-verify": true });
    assert.deepEqual(careless.images, ["example.com/a:1"]);
    assert.equal(careless.warnings.length, 1);
  });

  it("go through the kubeconfig's proxy, to this machine too", async (t) => {
    const server = await httpServer(() => undefined);
    await server.close();
    const proxy = await httpServer((request, response) => {
      reply(response, 200, { items: request.target.endsWith(`${PODS}?limit=${LIMITS.clusterPage}`) ? [pod("a")] : [] });
    });
    t.after(() => proxy.close());
    const { codes } = await read(t, server, { cluster: { "proxy-url": `http://${proxy.host}` } });
    assert.notEqual(proxy.requests.length + codes.length, 0);
    assert.ok(proxy.requests.length > 0, "the proxy was asked");
  });
});

describe("programs that log in", () => {
  const V1 = "client.authentication.k8s.io/v1";
  const credential = (status: string, version = V1) =>
    `{"apiVersion":"${version}","kind":"ExecCredential","status":${status}}`;

  async function withPlugin(t: TestContext, lines: readonly string[], over: object = {}): Promise<Read> {
    const folder = await temporaryFolder(t);
    await installScript(folder, "log-in", ...lines);
    const exec = { apiVersion: V1, command: "log-in", interactiveMode: "Never", ...over };
    const { server: _, ...found } = await against(t, (path) => (path === PODS ? podList(["a"]) : undefined), {
      user: { exec },
      env: { PATH: `${folder}:/usr/bin:/bin` },
    });
    return found;
  }

  it("are told what they are for, run with the variables of the kubeconfig, and believed", async (t) => {
    const { images, codes } = await withPlugin(
      t,
      [
        '[ "$1 $EXTRA" = "get more" ] || exit 3',
        'case "$KUBERNETES_EXEC_INFO" in *\'"interactive":false\'*\'"server":\'*) ;; *) exit 4;; esac',
        `echo '${credential(`{"token":"${TOKEN}","expirationTimestamp":"2999-01-01T00:00:00Z"}`)}'`,
      ],
      { args: ["get"], env: [{ name: "EXTRA", value: "more" }], provideClusterInfo: true },
    );
    assert.deepEqual([images, codes], [["example.com/a:1"], []]);
  });

  it("are run once for all kinds, and again when what they gave is about to end", async (t) => {
    const folder = await temporaryFolder(t);
    const count = join(folder, "count");
    await writeFile(count, "");
    const answer = (until: string) => credential(`{"token":"t","expirationTimestamp":"${until}"}`);
    await withPlugin(t, [`echo x >>"${count}"`, `echo '${answer("2999-01-01T00:00:00Z")}'`]);
    assert.equal((await readFile(count, "utf8")).length, 2);
    await withPlugin(t, [`echo x >>"${count}"`, `echo '${answer("2020-01-01T00:00:00Z")}'`]);
    assert.ok((await readFile(count, "utf8")).length > 4);
  });

  const broken: readonly (readonly [string, readonly string[], RegExp, object?])[] = [
    ["fail", ["echo 'no login for you' >&2", "exit 7"], /exit status 7: no login for you/],
    ["say nothing", ["true"], /not strict JSON/],
    ["say something else", ["echo '{}'"], /another kind or version/],
    [
      "speak another version",
      [`echo '${credential('{"token":"t"}', "client.authentication.k8s.io/v1beta1")}'`],
      /another kind or version/,
    ],
    ["give nothing", [`echo '${credential("{}")}'`], /without token and certificate/],
    [
      "give half of a certificate",
      [`echo '${credential('{"clientCertificateData":"x"}')}'`],
      /half of a client certificate/,
    ],
    ["give an end that is no time", [`echo '${credential('{"token":"t","expirationTimestamp":"soon"}')}'`], /no time/],
    ["give a token that cannot be sent", [`echo '${credential('{"token":"a\\\\nb"}')}'`], /cannot be sent/],
    ["print without end", ["yes"], /more than any answer needs/],
    ["are not there", [], /not installed/, { command: "not-there", installHint: "brew install it" }],
  ];
  for (const [what, lines, found, over] of broken) {
    it(`that ${what} are a problem, and nothing is read`, async (t) => {
      const { codes, problems, mentions } = await withPlugin(t, lines, over);
      assert.deepEqual([codes, mentions], [["configuration-invalid"], []]);
      const { message, found: told } = problems[0]?.finding ?? { message: "", found: "" };
      assert.match(`${message}: ${told}`, found);
    });
  }

  it("are not looked for in folders that PATH names relative to this one", async (t) => {
    const error = await withPlugin(t, ["true"], { command: "./log-in" });
    assert.deepEqual(error.codes, ["configuration-invalid"], "relative to the kubeconfig, where there is none");
  });
});

it("a cluster's name that is none is refused before anything is read", async () => {
  const surroundings = { env: {}, homeDirectory: "/nonexistent", workingDirectory: "/", userAgent: "test" };
  await failure("usage", readCluster("clusters://a", {}, surroundings).next());
});
