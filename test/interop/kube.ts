import { generateKeyPairSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { request } from "node:https";
import { after, before } from "node:test";
import { selfSigned } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { startPeer, without } from "./peers.ts";
import { type Server, until, whenReady } from "./servers.ts";
import type { Workplace } from "./workplace.ts";

/** A released kube-apiserver with etcd on loopback: all objects are real, and nothing schedules or runs them. */
export interface Kube {
  /** `https://127.0.0.1:PORT`; the certificate is for `kubernetes`. */
  readonly url: string;
  /** A PEM file with the authority of its certificate. */
  readonly authority: string;
  /** Who may do everything, and who may do what roles give to the user `reader`. */
  readonly tokens: { readonly admin: string; readonly reader: string };
  /** PEM files: the user `reader` by a certificate. */
  readonly client: { readonly certificate: string; readonly key: string };
  /** Has it forget everything but what is there now: continue tokens of lists that have begun expire (410). */
  forget(): Promise<void>;
  /** A request to its API as the administrator. */
  api(method: string, path: string, body?: object): Promise<KubeAnswer>;
}

export interface KubeAnswer {
  readonly status: number;
  readonly json: Readonly<Record<string, unknown>>;
}

/** The reason to skip; `.ci/kube.sh` builds the server, Debian has etcd. */
export const withoutKube = without("kube-apiserver", "etcd");

/** Starts one before the tests of the calling suite and ends it after them. */
export function useKube(work: Workplace): () => Kube {
  let kube: (Kube & { stop(): Promise<void> }) | undefined;
  before(async () => {
    work.open();
    kube = await startKube(work);
  });
  after(async () => {
    await kube?.stop();
    work.remove();
  });
  return () => {
    if (kube === undefined) throw new Error("the cluster runs while tests do");
    return kube;
  };
}

/** The same for a caller that ends it by itself. */
export async function startKube(work: Workplace): Promise<Kube & { stop(): Promise<void> }> {
  const etcd = await startEtcd(work);
  try {
    const { kube, server } = await startApiServer(work, etcd.address);
    const stop = async (): Promise<void> => {
      await server.stop();
      await etcd.stop();
    };
    return { ...kube, stop };
  } catch (error) {
    await etcd.stop();
    throw error;
  }
}

/** A rule of a role, as the API has it. */
export interface RoleRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** Until the user `reader` may do what a role says: the server's authorizer gets to know of it a moment after it was made. */
export async function untilAllowed(kube: Kube, rules: readonly RoleRule[]): Promise<void> {
  for (const { apiGroups, resources, verbs } of rules) {
    for (const [group, resource, verb] of combinations(apiGroups, resources, verbs)) {
      await until(`reader may ${verb} ${resource}.${group}`, async () => {
        const spec = { resourceAttributes: { group, resource, verb }, user: "reader" };
        const { json } = await kube.api("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", { spec });
        return (json["status"] as { allowed?: boolean } | undefined)?.allowed === true;
      });
    }
  }
}

function combinations(...[first, ...rest]: readonly (readonly string[])[]): readonly (readonly string[])[] {
  if (first === undefined) return [[]];
  return first.flatMap((one) => combinations(...rest).map((others) => [one, ...others]));
}

/** Until a new kind is among those that the server says it has; it serves them a moment after they were defined. */
export async function untilKnown(kube: Kube, group: string, plural: string): Promise<void> {
  const lists = async (path: string, list: string, name: string): Promise<boolean> => {
    const { json } = await kube.api("GET", path);
    return ((json[list] ?? []) as readonly { readonly name: string }[]).some((one) => one.name === name);
  };
  await until(`${group} among the groups`, () => lists("/apis", "groups", group));
  await until(`${plural}.${group}`, () => lists(`/apis/${group}/v1`, "resources", plural));
}

async function startEtcd(work: Workplace): Promise<Server> {
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const child = startPeer("etcd", [
    ...["--data-dir", work.path("etcd"), "--listen-client-urls", client, "--advertise-client-urls", client],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`],
  ]);
  return whenReady(child, client, async () => {
    const response = await fetch(`${client}/health`).catch(() => undefined);
    return (await response?.text())?.includes("true") === true;
  });
}

async function startApiServer(work: Workplace, etcd: string): Promise<{ kube: Kube; server: Server }> {
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const authority = work.path("kube", "serving", "apiserver.crt");
  const tokens = { admin: randomBytes(16).toString("hex"), reader: randomBytes(16).toString("hex") };
  const users = `${tokens.admin},admin,admin,system:masters\n${tokens.reader},reader,reader\n`;
  const account = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const client = selfSigned("reader");
  const certificate = work.write("kube/client.pem", client.pem);
  const key = work.write("kube/client.key", client.key.export({ type: "pkcs8", format: "pem" }));
  const privateKey = work.write("kube/sa.key", account.privateKey.export({ type: "pkcs8", format: "pem" }));
  const publicKey = work.write("kube/sa.pub", account.publicKey.export({ type: "spki", format: "pem" }));
  const child = startPeer("kube-apiserver", [
    ...["--etcd-servers", etcd, "--cert-dir", work.path("kube", "serving")],
    ...["--bind-address", "127.0.0.1", "--secure-port", String(port), "--service-cluster-ip-range", "10.0.0.0/24"],
    ...["--service-account-issuer", "https://kubernetes.default.svc", "--service-account-key-file", publicKey],
    ...["--service-account-signing-key-file", privateKey, "--disable-admission-plugins", "ServiceAccount"],
    ...["--authorization-mode", "RBAC", "--token-auth-file", work.write("kube/tokens.csv", users)],
    // What it keeps of past lists in its own memory would answer tokens that etcd has forgotten.
    ...["--client-ca-file", certificate, "--feature-gates", "ImageVolume=true,ListFromCacheSnapshot=false"],
  ]);
  const api = async (method: string, path: string, body?: object): Promise<KubeAnswer> =>
    ask({ url, ca: readFileSync(authority), token: tokens.admin }, method, path, body);
  const ready = async (): Promise<boolean> => (await api("GET", "/readyz").catch(() => undefined))?.status === 200;
  const server = await whenReady(child, url, ready);
  const forget = async (): Promise<void> => compact(etcd);
  return { kube: { url, authority, tokens, client: { certificate, key }, forget, api }, server };
}

/** etcd's gRPC gateway; twice, since the first write that is looked for is the compaction's own. */
async function compact(etcd: string): Promise<void> {
  const post = async (path: string, body: object): Promise<{ header: { revision: string } }> => {
    const response = await fetch(`${etcd}/v3/kv/${path}`, { method: "POST", body: JSON.stringify(body) });
    return (await response.json()) as { header: { revision: string } };
  };
  const { header } = await post("range", { key: Buffer.from("/").toString("base64") });
  await post("compaction", { revision: header.revision, physical: true });
}

function ask(
  { url, ca, token }: { readonly url: string; readonly ca: Buffer; readonly token: string },
  method: string,
  path: string,
  body: object | undefined,
): Promise<KubeAnswer> {
  const type = method === "PATCH" ? "application/strategic-merge-patch+json" : "application/json";
  const headers = { authorization: `Bearer ${token}`, "content-type": type };
  return new Promise((resolve, reject) => {
    const sent = request(new URL(path, url), { method, headers, ca, servername: "kubernetes" }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () => {
        const text = Buffer.concat(chunks).toString("utf8");
        resolve({ status: response.statusCode ?? 0, json: text.startsWith("{") ? JSON.parse(text) : {} });
      });
    });
    sent.on("error", reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
