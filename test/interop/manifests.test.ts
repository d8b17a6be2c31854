import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { parseAllDocuments } from "yaml";
import { type RoleRule, untilAllowed, useKube, withoutKube } from "./kube.ts";
import { Workplace } from "./workplace.ts";

const FOLDER = fileURLToPath(new URL("../../deploy/kubernetes", import.meta.url));
const NAMESPACE = "countersign";

interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  /** Of a role. */
  readonly rules?: readonly RoleRule[];
}

/** Where objects of a kind are made; undefined in the place of the namespace for those that have none. */
const PLURALS: Readonly<Record<string, string>> = { NetworkPolicy: "networkpolicies" };

function pathOf({ apiVersion, kind, metadata: { namespace } }: Manifest): string {
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`;
  return `${group}${namespace === undefined ? "" : `/namespaces/${namespace}`}/${plural}`;
}

function manifestsOf(file: string): readonly Manifest[] {
  const documents = parseAllDocuments(readFileSync(`${FOLDER}/${file}`, "utf8"));
  return documents.map((document) => document.toJS() as Manifest);
}

describe("manifests that are offered to be copied", { skip: withoutKube }, () => {
  const work = new Workplace();
  const kube = useKube(work);

  before(async () => {
    const { status } = await kube().api("POST", "/api/v1/namespaces", { metadata: { name: NAMESPACE } });
    assert.equal(status, 201);
  });

  for (const file of readdirSync(FOLDER)) {
    it(`${file}: a real API server takes every object, and knows every field of it`, async () => {
      const manifests = manifestsOf(file).filter(({ kind }) => kind !== "Namespace");
      assert.ok(manifests.length > 1);
      for (const manifest of manifests) {
        const path = `${pathOf(manifest)}?dryRun=All&fieldValidation=Strict`;
        const { status, json } = await kube().api("POST", path, manifest);
        assert.equal(status, 201, `${manifest.kind} ${manifest.metadata.name}: ${json["message"]}`);
      }
    });
  }

  it("a field that nobody knows would be noticed", async () => {
    const [account] = manifestsOf("reader.yaml").filter(({ kind }) => kind === "ServiceAccount");
    assert.ok(account !== undefined);
    const path = `${pathOf(account)}?dryRun=All&fieldValidation=Strict`;
    const { status } = await kube().api("POST", path, { ...account, automountServiceAccountTokens: false });
    assert.equal(status, 400);
  });

  it("reader.yaml lets an audit read all that it looks at, and no secret", async () => {
    const roles = manifestsOf("reader.yaml").filter(({ kind }) => kind.startsWith("ClusterRole"));
    for (const manifest of roles) {
      const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "reader" }];
      const own = manifest.kind === "ClusterRole" ? manifest : { ...manifest, subjects };
      assert.equal((await kube().api("POST", pathOf(manifest), own)).status, 201);
    }
    for (const { rules = [] } of roles) await untilAllowed(kube(), rules);
    const containers = [{ name: "web", image: "registry.example/acme/web:1" }];
    const deployment = {
      metadata: { name: "web" },
      spec: {
        selector: { matchLabels: { app: "web" } },
        template: { metadata: { labels: { app: "web" } }, spec: { containers } },
      },
    };
    const made = await kube().api("POST", "/apis/apps/v1/namespaces/default/deployments", deployment);
    assert.equal(made.status, 201);
    const { url, authority, tokens } = kube();
    const cluster = { server: url, "certificate-authority": authority, "tls-server-name": "kubernetes" };
    const config = work.write(
      "kubeconfig",
      JSON.stringify({
        ...{ apiVersion: "v1", kind: "Config", "current-context": "test" },
        clusters: [{ name: "here", cluster }],
        users: [{ name: "me", user: { token: tokens.reader } }],
        contexts: [{ name: "test", context: { cluster: "here", user: "me" } }],
      }),
    );
    const { stdout } = await work.expect(0, ["audit", "plan", "cluster://"], { env: { KUBECONFIG: config } });
    const plan = JSON.parse(stdout) as { items: readonly { image: string }[]; problems: readonly unknown[] };
    assert.deepEqual(plan.problems, []);
    assert.deepEqual(
      plan.items.map(({ image }) => image),
      ["registry.example/acme/web:1"],
    );
    const spec = { resourceAttributes: { verb: "list", resource: "secrets" }, user: "reader" };
    const review = await kube().api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { spec });
    assert.equal((review.json["status"] as { allowed: boolean }).allowed, false);
  });
});
