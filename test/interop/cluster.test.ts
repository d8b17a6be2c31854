import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type CustomPath, parseCustomPath } from "../../src/core/sources/custom-paths.ts";
import type { Mention, SourceProblem } from "../../src/core/sources/mention.ts";
import { Wiring } from "../../src/wire.ts";
import { type Kube, type RoleRule, untilAllowed, untilKnown, useKube, withoutKube } from "./kube.ts";
import { until } from "./servers.ts";
import { Workplace } from "./workplace.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const OTHER = `sha256:${"b".repeat(64)}`;

interface Read {
  readonly mentions: readonly Mention[];
  readonly problems: readonly SourceProblem[];
  readonly warnings: readonly string[];
}

/** `Deployment shop/web app nginx:1.27`, in order. */
function lines({ mentions }: Read): readonly string[] {
  return mentions
    .map(({ image, workload: { kind, namespace, name, container } = { kind: "", name: "" } }) =>
      [kind, [namespace, name].filter(Boolean).join("/"), container, image].filter(Boolean).join(" "),
    )
    .sort();
}

describe("a cluster behind a real Kubernetes API server", { skip: withoutKube }, () => {
  const work = new Workplace();
  const kube = useKube(work);

  async function read(
    source: string,
    kubeconfig: string,
    selection: { namespaces?: readonly string[]; customPaths?: readonly CustomPath[] } = {},
  ): Promise<Read> {
    const warnings: string[] = [];
    const wiring = new Wiring({
      env: { KUBECONFIG: kubeconfig, PATH: process.env["PATH"] },
      homeDirectory: work.path("home"),
      workingDirectory: work.folder,
      warn: (line) => warnings.push(line),
    });
    const [mentions, problems]: [Mention[], SourceProblem[]] = [[], []];
    try {
      for await (const reading of wiring.readCluster(source, selection)) {
        mentions.push(...reading.mentions);
        problems.push(...reading.problems);
      }
    } finally {
      await wiring.close();
    }
    return { mentions, problems, warnings };
  }

  /** A kubeconfig with one context, `test`, and this user. */
  function config(user: object, cluster: object = {}): string {
    const { url, authority } = kube();
    const named = { server: url, "certificate-authority": authority, "tls-server-name": "kubernetes", ...cluster };
    return work.write(
      "kubeconfig",
      JSON.stringify({
        apiVersion: "v1",
        kind: "Config",
        "current-context": "test",
        clusters: [{ name: "here", cluster: named }],
        users: [{ name: "me", user }],
        contexts: [{ name: "test", context: { cluster: "here", user: "me" } }],
      }),
    );
  }

  const admin = (): string => config({ token: kube().tokens.admin });

  it("has images in objects of every kind, and what controllers made is counted once, under their names", async () => {
    await inNamespace(kube(), "shop");
    await fill(kube());
    const found = await read("cluster://", admin(), { namespaces: ["shop"] });
    assert.deepEqual(found.problems, []);
    assert.deepEqual(lines(found), [
      "CronJob shop/nightly app example.com/cron:1",
      "DaemonSet shop/agent app example.com/agent:1",
      "Deployment shop/web app example.com/web:1",
      `Deployment shop/web app example.com/web:1@${DIGEST}`,
      "Deployment shop/web init example.com/migrate:1",
      "Deployment shop/web sidecar example.com/injected:1",
      "Job shop/once app example.com/once:1",
      "Pod shop/alone app example.com/alone:1",
      `Pod shop/alone debug example.com/debug:1`,
      "Pod shop/alone model example.com/weights:1",
      "Pod shop/alone pinned example.com/pinned:1@".concat(OTHER),
      "PodTemplate shop/shape app example.com/shape:1",
      "ReplicaSet shop/bare app example.com/bare:1",
      "ReplicationController shop/old app example.com/old:1",
      "StatefulSet shop/db app example.com/db:1",
    ]);
    assert.ok(
      found.mentions.every(
        ({ kind, place, slot }) => kind === "cluster" && place.source === "cluster://test" && slot === undefined,
      ),
    );
  });

  it("is read page by page, and every object is there once", async () => {
    await inNamespace(kube(), "many");
    await pods(kube(), "many", 600);
    const found = await read("cluster://test", admin(), { namespaces: ["many"] });
    assert.deepEqual(found.problems, []);
    assert.equal(new Set(found.mentions.map(({ image }) => image)).size, 600);
    assert.equal(found.mentions.length, 600);
  });

  it("loses no object where it forgets the next page (410): the list is begun again", async () => {
    const wiring = new Wiring({
      env: { KUBECONFIG: admin() },
      homeDirectory: work.path("home"),
      workingDirectory: work.folder,
    });
    const images: string[] = [];
    let pages = 0;
    for await (const { mentions, problems } of wiring.readCluster("cluster://", { namespaces: ["many"] })) {
      assert.deepEqual(problems, []);
      images.push(...mentions.map(({ image }) => image));
      if (mentions.length === 0) continue;
      pages++;
      if (pages !== 1) continue;
      await expireTokens(kube());
    }
    await wiring.close();
    assert.equal(new Set(images).size, 600);
    assert.equal(images.length, 600, "what was read twice is mentioned once");
  });

  it("has images in custom resources, by paths that are well known and by those that the user names", async () => {
    await inNamespace(kube(), "custom");
    await custom(kube());
    const customPaths = [parseCustomPath("Widget.example.com=.spec.parts[*].picture")];
    const found = await read("cluster://", admin(), { namespaces: ["custom"], customPaths });
    assert.deepEqual(found.problems, []);
    assert.deepEqual(lines(found), [
      "Prometheus custom/metrics example.com/prometheus:3",
      "Widget custom/one left example.com/left:1",
      "Widget custom/one right example.com/right:1",
    ]);
    const without = await read("cluster://", admin(), { namespaces: ["custom"] });
    assert.deepEqual(lines(without), ["Prometheus custom/metrics example.com/prometheus:3"]);
  });

  it("tells which kinds may not be listed, and with which verb; the others are read", async () => {
    await mayList(kube(), "some", [
      { apiGroups: ["apps"], resources: ["deployments", "statefulsets", "daemonsets"], verbs: ["list"] },
    ]);
    const found = await read("cluster://", config({ token: kube().tokens.reader }));
    assert.ok(lines(found).includes("Deployment shop/web app example.com/web:1"));
    const refused = found.problems.map(({ finding }) => finding);
    assert.deepEqual(
      refused.map(({ code, wanted }) => `${code} ${wanted}`),
      [
        "prometheuses.monitoring.coreos.com",
        "cronjobs.batch",
        "replicationcontrollers",
        "podtemplates",
        "replicasets.apps",
        "jobs.batch",
        "pods",
      ].map((name) => `denied the verb list on ${name} in all namespaces`),
    );
    assert.match(refused.at(-1)?.found ?? "", /^403 \(pods is forbidden: User "reader" cannot list resource "pods"/);
  });

  it("shows pods under the Deployment although ReplicaSets alone may be listed beside them", async () => {
    await mayList(kube(), "more", [
      { apiGroups: ["apps"], resources: ["replicasets"], verbs: ["list"] },
      { apiGroups: [""], resources: ["pods"], verbs: ["list"] },
    ]);
    const found = await read("cluster://", config({ token: kube().tokens.reader }), { namespaces: ["shop"] });
    assert.ok(lines(found).includes(`Deployment shop/web app example.com/web:1@${DIGEST}`));
    assert.ok(!lines(found).some((line) => line.startsWith("ReplicaSet shop/web")));
  });

  it("takes a client certificate, in files and in the kubeconfig itself", async () => {
    const { certificate, key } = kube().client;
    const files = { "client-certificate": certificate, "client-key": key };
    const inline = {
      "client-certificate-data": Buffer.from(work.read("kube/client.pem")).toString("base64"),
      "client-key-data": Buffer.from(work.read("kube/client.key")).toString("base64"),
    };
    for (const user of [files, inline]) {
      const found = await read("cluster://", config(user), { namespaces: ["shop"] });
      assert.ok(lines(found).includes("Deployment shop/web app example.com/web:1"));
    }
  });

  it("takes what an exec plug-in gives, which is asked again where it is refused", async () => {
    const count = work.path("asked");
    const plugin = work.write(
      "login.sh",
      `#!/bin/sh
echo "$KUBERNETES_EXEC_INFO" >>"${count}"
token=stale
[ "$(wc -l <"${count}")" -gt 1 ] && token=${kube().tokens.admin}
printf '{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"token":"%s"}}' "$token"
`,
    );
    const exec = {
      apiVersion: "client.authentication.k8s.io/v1",
      command: "sh",
      args: [plugin],
      interactiveMode: "IfAvailable",
      provideClusterInfo: true,
    };
    const found = await read("cluster://", config({ exec }), { namespaces: ["shop"] });
    assert.deepEqual(found.problems, []);
    assert.ok(found.mentions.length > 10);
    const told = work.read("asked").trim().split("\n");
    assert.equal(told.length, 2);
    const { spec } = JSON.parse(told[0] ?? "") as { spec: { interactive: boolean; cluster: { server: string } } };
    assert.equal(spec.interactive, false);
    assert.equal(spec.cluster.server, kube().url);
  });

  it("is one problem, not one for each kind, where the login is not taken; the token is not repeated", async () => {
    const found = await read("cluster://", config({ token: "not-a-token-of-this-cluster" }));
    assert.deepEqual(
      found.problems.map(({ finding }) => finding.code),
      ["denied"],
    );
    assert.doesNotMatch(JSON.stringify(found.problems), /not-a-token/);
    assert.equal(found.mentions.length, 0);
  });

  it("is not believed by another authority or under another name, unless its kubeconfig says so, which is said aloud", async () => {
    const token = kube().tokens.admin;
    for (const cluster of [
      { "certificate-authority": kube().client.certificate },
      { "tls-server-name": "elsewhere.example.com" },
    ]) {
      const found = await read("cluster://", config({ token }, cluster));
      assert.deepEqual(
        found.problems.map(({ finding }) => finding.code),
        ["unreachable"],
        JSON.stringify(cluster),
      );
    }
    const careless = { "certificate-authority": undefined, "insecure-skip-tls-verify": true };
    const found = await read("cluster://", config({ token }, careless), { namespaces: ["shop"] });
    assert.ok(found.mentions.length > 10);
    assert.match(found.warnings.join(), /cluster:\/\/test: its kubeconfig switches TLS checks off/);
  });

  it("has nothing to say of a namespace that is not there, and that is no problem", async () => {
    const found = await read("cluster://", admin(), { namespaces: ["nowhere"] });
    assert.deepEqual([found.mentions, found.problems], [[], []]);
  });
});

// --- what is in it ---------------------------------------------------------------------------------------------------------

async function make(kube: Kube, path: string, body: object): Promise<{ uid: string; name: string }> {
  const { status, json } = await kube.api("POST", path, body);
  assert.equal(status, 201, JSON.stringify(json));
  return json["metadata"] as { uid: string; name: string };
}

async function inNamespace(kube: Kube, name: string): Promise<void> {
  await make(kube, "/api/v1/namespaces", { metadata: { name } });
}

function container(name: string, image: string): object {
  return { name, image };
}

function template(image: string, over: object = {}): object {
  return { metadata: { labels: { app: "x" } }, spec: { containers: [container("app", image)], ...over } };
}

const SELECTOR = { matchLabels: { app: "x" } };

function ownedBy(kind: string, apiVersion: string, { name, uid }: { name: string; uid: string }): object {
  return { ownerReferences: [{ apiVersion, kind, name, uid, controller: true }], labels: { app: "x" } };
}

async function fill(kube: Kube): Promise<void> {
  const apps = "/apis/apps/v1/namespaces/shop";
  const batch = "/apis/batch/v1/namespaces/shop";
  const core = "/api/v1/namespaces/shop";
  const webTemplate = template("example.com/web:1", { initContainers: [container("init", "example.com/migrate:1")] });
  const web = await make(kube, `${apps}/deployments`, {
    metadata: { name: "web" },
    spec: { selector: SELECTOR, template: webTemplate },
  });
  for (const [name, image, replicas] of [
    ["web-0", "example.com/web:0", 0],
    ["web-1", "example.com/web:1", 2],
  ] as const) {
    const set = await make(kube, `${apps}/replicasets`, {
      metadata: { name, ...ownedBy("Deployment", "apps/v1", web) },
      spec: { replicas, selector: SELECTOR, template: template(image) },
    });
    for (let at = 0; at < replicas; at++) await runningPod(kube, `${name}-${at}`, set);
  }
  const plain = { selector: SELECTOR };
  await make(kube, `${apps}/statefulsets`, {
    metadata: { name: "db" },
    spec: { ...plain, serviceName: "db", template: template("example.com/db:1") },
  });
  await make(kube, `${apps}/daemonsets`, {
    metadata: { name: "agent" },
    spec: { ...plain, template: template("example.com/agent:1") },
  });
  await make(kube, `${apps}/replicasets`, {
    metadata: { name: "bare" },
    spec: { ...plain, template: template("example.com/bare:1") },
  });
  await make(kube, `${core}/replicationcontrollers`, {
    metadata: { name: "old" },
    spec: { selector: { app: "x" }, template: template("example.com/old:1") },
  });
  await make(kube, `${core}/podtemplates`, { metadata: { name: "shape" }, template: template("example.com/shape:1") });
  const onceOnly = template("example.com/once:1", { restartPolicy: "Never" });
  await make(kube, `${batch}/jobs`, { metadata: { name: "once" }, spec: { template: onceOnly } });
  const nightly = template("example.com/cron:1", { restartPolicy: "Never" });
  const cron = await make(kube, `${batch}/cronjobs`, {
    metadata: { name: "nightly" },
    spec: { schedule: "0 0 * * *", jobTemplate: { spec: { template: nightly } } },
  });
  await make(kube, `${batch}/jobs`, {
    metadata: { name: "nightly-1", ...ownedBy("CronJob", "batch/v1", cron) },
    spec: { template: nightly },
  });
  await alone(kube, core);
}

/** What a kubelet would report of it is written by hand: there is none. */
async function runningPod(kube: Kube, name: string, set: { name: string; uid: string }): Promise<void> {
  const core = "/api/v1/namespaces/shop/pods";
  const containers = [container("app", "example.com/web:1"), container("sidecar", "example.com/injected:1")];
  await make(kube, core, { metadata: { name, ...ownedBy("ReplicaSet", "apps/v1", set) }, spec: { containers } });
  await report(kube, `${core}/${name}/status`, [{ name: "app", imageID: `example.com/web@${DIGEST}` }]);
}

async function report(kube: Kube, path: string, statuses: readonly { name: string; imageID: string }[]): Promise<void> {
  const containerStatuses = statuses.map((one) => ({ ...one, image: "", ready: true, restartCount: 0 }));
  const { status, json } = await kube.api("PATCH", path, { status: { phase: "Running", containerStatuses } });
  assert.equal(status, 200, JSON.stringify(json));
}

async function alone(kube: Kube, core: string): Promise<void> {
  await make(kube, `${core}/pods`, {
    metadata: { name: "alone" },
    spec: {
      containers: [container("app", "example.com/alone:1"), container("pinned", `example.com/pinned:1@${OTHER}`)],
      volumes: [{ name: "model", image: { reference: "example.com/weights:1" } }],
    },
  });
  const debug = { ephemeralContainers: [container("debug", "example.com/debug:1")] };
  const { status, json } = await kube.api("PATCH", `${core}/pods/alone/ephemeralcontainers`, { spec: debug });
  assert.equal(status, 200, JSON.stringify(json));
  await report(kube, `${core}/pods/alone/status`, [{ name: "pinned", imageID: `example.com/pinned@${DIGEST}` }]);
}

async function pods(kube: Kube, namespace: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 20) {
    const some = Array.from({ length: Math.min(20, count - from) }, (_, at) => from + at);
    await Promise.all(
      some.map((at) =>
        make(kube, `/api/v1/namespaces/${namespace}/pods`, {
          metadata: { name: `pod-${at}` },
          spec: { containers: [container("app", `example.com/many:${at}`)] },
        }),
      ),
    );
  }
}

/** @throws where it still knows what came behind a first page. */
async function expireTokens(kube: Kube): Promise<void> {
  const list = "/api/v1/namespaces/many/pods?limit=5";
  const { continue: token } = (await kube.api("GET", list)).json["metadata"] as { continue: string };
  await make(kube, "/api/v1/namespaces/many/configmaps", { metadata: { name: "later" } });
  await kube.forget();
  assert.equal((await kube.api("GET", `${list}&continue=${token}`)).status, 410);
}

async function custom(kube: Kube): Promise<void> {
  await define(kube, "monitoring.coreos.com", "Prometheus", "prometheuses");
  await define(kube, "example.com", "Widget", "widgets");
  await create(kube, "/apis/monitoring.coreos.com/v1/namespaces/custom/prometheuses", {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "Prometheus",
    metadata: { name: "metrics" },
    spec: { image: "example.com/prometheus:3" },
  });
  await create(kube, "/apis/example.com/v1/namespaces/custom/widgets", {
    apiVersion: "example.com/v1",
    kind: "Widget",
    metadata: { name: "one" },
    spec: {
      parts: [
        { name: "left", picture: "example.com/left:1" },
        { name: "right", picture: "example.com/right:1" },
      ],
    },
  });
}

async function define(kube: Kube, group: string, kind: string, plural: string): Promise<void> {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  await make(kube, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", {
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  });
  await untilKnown(kube, group, plural);
}

/** A new kind is served a moment after it was defined. */
async function create(kube: Kube, path: string, body: object): Promise<void> {
  await until(`${path} to be served`, async () => {
    const { status, json } = await kube.api("POST", path, body);
    if (status !== 201) assert.equal(status, 404, JSON.stringify(json));
    return status === 201;
  });
}

async function mayList(kube: Kube, name: string, rules: readonly RoleRule[]): Promise<void> {
  const api = "/apis/rbac.authorization.k8s.io/v1";
  await make(kube, `${api}/clusterroles`, { metadata: { name }, rules });
  await make(kube, `${api}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
    subjects: [{ kind: "User", apiGroup: "rbac.authorization.k8s.io", name: "reader" }],
  });
  await untilAllowed(kube, rules);
}
