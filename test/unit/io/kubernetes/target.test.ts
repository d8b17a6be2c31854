import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import type { ReasonCode } from "../../../../src/core/reasons.ts";
import { type ClusterTarget, contextOf, findCluster } from "../../../../src/io/kubernetes/target.ts";
import { failure } from "../../../support/registry-client.ts";
import { temporaryFolder } from "../../../support/temp.ts";
import { isUsage } from "../../../support/usage.ts";

const SECRET = "Zm9yLW5vYm9keS1lbHNl-a-secret-of-the-user";

interface Place {
  readonly folder: string;
  find(context?: string, env?: Readonly<Record<string, string>>): Promise<ClusterTarget>;
}

/** A machine with these files, and KUBECONFIG naming those whose names end in `.yaml`. */
async function machine(t: TestContext, files: Readonly<Record<string, string>>): Promise<Place> {
  const folder = await temporaryFolder(t);
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, ".."), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  const named = Object.keys(files).filter((name) => name.endsWith(".yaml"));
  const KUBECONFIG = named.map((name) => join(folder, name)).join(delimiter);
  const surroundings = {
    homeDirectory: folder,
    workingDirectory: folder,
    serviceAccount: { folder: join(folder, "account") },
  };
  return {
    folder,
    find: (context, env = {}) => findCluster(context, { ...surroundings, env: { KUBECONFIG, ...env } }),
  };
}

function kubeconfig({ cluster = "", user = "", more = "" } = {}): string {
  return `apiVersion: v1
kind: Config
current-context: here
clusters:
- name: c
  cluster:
    server: https://k.example.com:6443
${cluster}
users:
- name: u
  user:
    token: ${SECRET}
${user}
contexts:
- name: here
  context: {cluster: c, user: u}
${more}
`;
}

describe("the name of a cluster", () => {
  it("is all that follows cluster://, as it is: contexts of EKS have colons and slashes", () => {
    assert.equal(contextOf("cluster://"), undefined);
    assert.equal(contextOf("cluster://production"), "production");
    const arn = "arn:aws:eks:eu-central-1:123456789012:cluster/prod";
    assert.equal(contextOf(`cluster://${arn}`), arn);
    for (const other of ["cluster", "cluster:/a", "registry://a", "Cluster://a", ""]) {
      assert.throws(() => contextOf(other), isUsage, other);
    }
  });
});

describe("kubeconfigs", () => {
  it("say server, user and certificate authority of the current context", async (t) => {
    const { find } = await machine(t, { "a.yaml": kubeconfig({ cluster: "    tls-server-name: inside" }) });
    const { name, server, tls, login } = await find();
    assert.equal(name, "here");
    assert.equal(server.href, "https://k.example.com:6443/");
    assert.deepEqual(tls, { ca: [], isClosed: false, serverName: "inside", insecure: false });
    assert.equal(login.token, SECRET);
  });

  it("are ~/.kube/config where KUBECONFIG names none, and that one is not read where it does", async (t) => {
    const { folder, find } = await machine(t, { ".kube/config": kubeconfig() });
    assert.equal((await find(undefined, { KUBECONFIG: "" })).name, "here");
    await failure("configuration-invalid", find(undefined, { KUBECONFIG: join(folder, "missing.yaml") }));
  });

  it("are put together: the first file that has a name decides, whole entries at a time", async (t) => {
    const { find } = await machine(t, {
      "1.yaml": "current-context: ''\nclusters: [{name: c, cluster: {server: 'https://first.example.com'}}]\n",
      "2.yaml": kubeconfig({ cluster: "    insecure-skip-tls-verify: true" }),
      "3.yaml": "current-context: other\ncontexts: [{name: other, context: {cluster: c, user: u}}]\n",
    });
    const { name, server, tls } = await find();
    assert.equal(name, "here", "the first that is not empty");
    assert.equal(server.host, "first.example.com");
    assert.equal(tls.insecure, false, "nothing of the second entry of that name counts");
    assert.equal((await find("other")).server.host, "first.example.com");
  });

  it("may be JSON, have anchors, and be missing or empty among several", async (t) => {
    const json = JSON.stringify({
      clusters: [{ name: "c", cluster: { server: "https://j.example.com" } }],
      contexts: [{ name: "j", context: { cluster: "c" } }],
    });
    const { folder, find } = await machine(t, { "a.yaml": json, "b.yaml": "\n", "c.yaml": "x: &x {a: 1}\ny: *x\n" });
    const KUBECONFIG = ["gone", "a.yaml", "b.yaml", "c.yaml"].map((name) => join(folder, name)).join(delimiter);
    assert.equal((await find("j", { KUBECONFIG })).server.host, "j.example.com");
  });

  it("name files relative to themselves", async (t) => {
    const { find } = await machine(t, {
      "deep/a.yaml": kubeconfig({ cluster: "    certificate-authority: pki/ca.pem", user: "    tokenFile: ../token" }),
      "deep/pki/ca.pem": "PEM of an authority",
      token: "t",
    });
    const { tls, login } = await find();
    assert.deepEqual([tls.ca, tls.isClosed], [["PEM of an authority"], true]);
    assert.ok(login.tokenFile?.endsWith("/token") && !login.tokenFile.includes("deep"));
  });

  it("take a server without a scheme for https, and plain HTTP to this machine alone", async (t) => {
    const server = async (written: string): Promise<ClusterTarget> => {
      const { find } = await machine(t, {
        "a.yaml": `contexts: [{name: c, context: {cluster: c}}]\nclusters: [{name: c, cluster: {server: "${written}"}}]\n`,
      });
      return await find("c");
    };
    assert.equal((await server("k.example.com:6443")).server.protocol, "https:");
    assert.equal((await server("http://127.0.0.1:8001")).server.port, "8001");
    assert.equal((await server("https://rancher.example.com/k8s/clusters/c-1")).server.pathname, "/k8s/clusters/c-1");
    for (const bad of [
      "",
      "http://k.example.com",
      "ftp://k.example.com",
      `https://me:${SECRET}@k.example.com`,
      "https://",
    ]) {
      const error = await failure("configuration-invalid", server(bad));
      assert.ok(!JSON.stringify(error).includes(SECRET) && error.found?.startsWith("server:"), String(error.found));
    }
  });

  const refused: readonly (readonly [string, ReasonCode, Parameters<typeof kubeconfig>[0], RegExp])[] = [
    [
      "an authority beside switched-off checks",
      "configuration-invalid",
      { cluster: "    insecure-skip-tls-verify: true\n    certificate-authority-data: YQ==" },
      /insecure-skip-tls-verify/,
    ],
    [
      "a flag that is neither true nor false",
      "configuration-invalid",
      { cluster: "    insecure-skip-tls-verify: 'yes'" },
      /neither true nor false/,
    ],
    [
      "data that are not base64",
      "configuration-invalid",
      { cluster: `    certificate-authority-data: "${SECRET}!"` },
      /certificate-authority-data: what is not base64/,
    ],
    [
      "a certificate authority that is not there",
      "configuration-invalid",
      { cluster: "    certificate-authority: gone.pem" },
      /gone.pem: ENOENT/,
    ],
    [
      "a proxy of another kind",
      "configuration-invalid",
      { cluster: "    proxy-url: ftp://p.example.com" },
      /proxy-url/,
    ],
    [
      "a password beside a token",
      "configuration-invalid",
      { user: `    username: me\n    password: ${SECRET}` },
      /username/,
    ],
    [
      "half of a client certificate",
      "configuration-invalid",
      { user: "    client-certificate-data: YQ==" },
      /half of a pair/,
    ],
    ["an auth provider", "unsupported", { user: "    auth-provider: {name: gcp}" }, /auth-provider gcp/],
    ["several groups to stand in for", "unsupported", { user: "    as: me\n    as-groups: [a, b]" }, /as-groups/],
    [
      "a name to stand in for that is no header",
      "configuration-invalid",
      { user: '    as: "me\\nHost: x"' },
      /cannot be sent/,
    ],
    [
      "a plug-in of an old protocol",
      "configuration-invalid",
      { user: "    exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: a}" },
      /v1alpha1/,
    ],
    [
      "a plug-in without a program",
      "configuration-invalid",
      { user: "    exec: {apiVersion: client.authentication.k8s.io/v1}" },
      /exec.command/,
    ],
    [
      "a plug-in that asks questions",
      "unsupported",
      { user: "    exec: {apiVersion: client.authentication.k8s.io/v1, command: a, interactiveMode: Always}" },
      /Always/,
    ],
    ["two users of one name", "configuration-invalid", { user: "- {name: u, user: {}}" }, /a second user u/],
    ["an entry without a name", "configuration-invalid", { more: "- context: {cluster: c}" }, /without a name/],
    ["what is not YAML", "configuration-invalid", { more: `"${SECRET}` }, /not YAML/],
  ];
  for (const [what, code, over, found] of refused) {
    it(`refuse ${what}, and repeat no secret`, async (t) => {
      const { find } = await machine(t, { "a.yaml": kubeconfig(over) });
      const error = await failure(code, find());
      assert.match(`${error.found}`, found);
      assert.ok(!JSON.stringify([error.message, error.found, error.wanted, error.next]).includes(SECRET.slice(0, 12)));
    });
  }

  it("refuse contexts, clusters and users that no file has, and tell those that there are", async (t) => {
    const { find } = await machine(t, {
      "a.yaml": kubeconfig({
        more: "- {name: lost, context: {cluster: gone, user: u}}\n- {name: nobody, context: {cluster: c, user: gone}}",
      }),
    });
    assert.equal((await failure("configuration-invalid", find("nope"))).found, "here, lost, nobody");
    assert.match((await failure("configuration-invalid", find("lost"))).message, /the cluster gone/);
    assert.match((await failure("configuration-invalid", find("nobody"))).message, /the user gone/);
  });

  it("refuse a file that is several, and one that is none", async (t) => {
    for (const text of ["a: 1\n---\nb: 2\n", "- a\n", "just text\n"]) {
      const { find } = await machine(t, { "a.yaml": text });
      await failure("configuration-invalid", find());
    }
  });
});

describe("a pod's own service account", () => {
  const account = { "account/token": "t", "account/ca.crt": "PEM", "a.yaml": "\n" };
  const inside = { KUBERNETES_SERVICE_HOST: "10.0.0.1", KUBERNETES_SERVICE_PORT: "443" };

  it("is used where no kubeconfig names a current context", async (t) => {
    const { find } = await machine(t, account);
    const { name, server, tls, login } = await find(undefined, inside);
    assert.deepEqual([name, server.href, tls.ca, tls.isClosed], ["in-cluster", "https://10.0.0.1/", ["PEM"], true]);
    assert.ok(login.tokenFile?.endsWith("/account/token"));
    const six = await find("in-cluster", { ...inside, KUBERNETES_SERVICE_HOST: "fd00::1" });
    assert.equal(six.server.host, "[fd00::1]");
  });

  it("is not used before a current context, nor before a context that has its name", async (t) => {
    const named = await machine(t, {
      ...account,
      "a.yaml": kubeconfig({ more: "- {name: in-cluster, context: {cluster: c, user: u}}" }),
    });
    assert.equal((await named.find(undefined, inside)).name, "here");
    assert.equal((await named.find("in-cluster", inside)).server.host, "k.example.com:6443");
  });

  it("is none without its token or outside of a cluster", async (t) => {
    const { find } = await machine(t, { "a.yaml": "\n" });
    await failure("configuration-invalid", find(undefined, inside));
    const { find: outside } = await machine(t, account);
    const error = await failure("configuration-invalid", outside());
    assert.match(error.message, /nothing says which cluster to read/);
    await failure("configuration-invalid", outside("in-cluster"));
  });
});
