import { CountersignError } from "../../core/errors.ts";
import { isLoopback } from "../../core/oci/reference.ts";
import { safeUrl } from "../http/redact.ts";
import type { TlsProfile } from "../http/tls.ts";
import { Fields } from "./fields.ts";
import { type ServiceAccountFiles, serviceAccount } from "./in-cluster.ts";
import { type Kubeconfig, type KubeconfigEntry, readKubeconfig } from "./kubeconfig.ts";
import { type Login, readLogin } from "./login.ts";

/** A cluster as it is spoken to. */
export interface ClusterTarget {
  /** The context's name; `in-cluster` for the service account of the pod that this runs in. */
  readonly name: string;
  /** With a path where the API is below one. */
  readonly server: URL;
  readonly tls: TlsProfile;
  readonly proxy?: URL | undefined;
  readonly login: Login;
}

export interface TargetSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly workingDirectory: string;
  /** Where a pod finds its service account; Kubernetes' own place where nothing is said. */
  readonly serviceAccount?: ServiceAccountFiles | undefined;
}

const SCHEME = "cluster://";
export const IN_CLUSTER = "in-cluster";

/** What follows `cluster://`, taken as it is: contexts of EKS have colons and slashes. undefined for the current one. */
export function contextOf(source: string): string | undefined {
  if (!source.startsWith(SCHEME)) {
    throw new CountersignError("usage", "not the name of a cluster", { found: source, wanted: `${SCHEME}[context]` });
  }
  return source === SCHEME ? undefined : source.slice(SCHEME.length);
}

/**
 * The cluster of a context, or of the current one. Where no file names a current one, a pod's own service account is
 * used, as kubectl does; `in-cluster` asks for it, unless a context has that name.
 *
 * @throws CountersignError `configuration-invalid`, `unsupported`.
 */
export async function findCluster(
  context: string | undefined,
  surroundings: TargetSurroundings,
): Promise<ClusterTarget> {
  const config = await readKubeconfig(surroundings);
  const name = context ?? config.currentContext;
  const isOwn = name === undefined || (name === IN_CLUSTER && !config.contexts.has(name));
  const own = isOwn ? await serviceAccount(surroundings.env, surroundings.serviceAccount) : undefined;
  if (own !== undefined) return { name: IN_CLUSTER, ...own };
  if (name === undefined) throw noContext(config);
  return ofContext(config, name);
}

async function ofContext(config: Kubeconfig, name: string): Promise<ClusterTarget> {
  const context = new Fields(entryOf(config, "contexts", name), `the context ${name}`);
  const cluster = entryOf(config, "clusters", context.text("cluster") ?? "");
  const user = context.text("user");
  const fields = new Fields(cluster, `the cluster ${cluster.name}`);
  const server = serverOf(fields);
  const tls = await tlsOf(fields);
  const login = user === undefined || user === "" ? {} : await readLogin(entryOf(config, "users", user), fields);
  return { name, server, tls, proxy: proxyOf(fields), login };
}

function entryOf(config: Kubeconfig, section: "contexts" | "clusters" | "users", name: string): KubeconfigEntry {
  const entry = config[section].get(name);
  if (entry !== undefined) return entry;
  const known = [...config[section].keys()];
  throw new CountersignError("configuration-invalid", `no kubeconfig has the ${section.slice(0, -1)} ${name}`, {
    found: known.length === 0 ? `no ${section} in ${config.files.join(", ")}` : known.join(", "),
    wanted: name,
    next: "see kubectl config get-contexts; KUBECONFIG says which files are read",
  });
}

function noContext({ files }: Kubeconfig): CountersignError {
  return new CountersignError("configuration-invalid", "nothing says which cluster to read", {
    found: `no current context in ${files.join(", ")}, and this is no pod with a service account`,
    wanted: "a kubeconfig with a current context, or cluster://CONTEXT",
    next: "choose one with kubectl config use-context, or name it",
  });
}

/** As kubectl: without a scheme it is https; plain HTTP only to this machine, where kubectl proxy listens. */
function serverOf(cluster: Fields): URL {
  const written = cluster.text("server") ?? "";
  const server = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(written) ? written : `https://${written}`);
  const isPlain = server?.protocol === "http:" && isLoopback(server.host);
  if (server !== null && written !== "" && (server.protocol === "https:" || isPlain) && server.username === "") {
    return server;
  }
  throw cluster.unusable(
    "server",
    written === "" || server === null ? "no address" : safeUrl(server),
    "https, or http on this machine, without user information",
  );
}

async function tlsOf(cluster: Fields): Promise<TlsProfile> {
  const ca = await cluster.fileOrData("certificate-authority");
  const insecure = cluster.flag("insecure-skip-tls-verify");
  if (insecure && ca !== undefined) {
    throw cluster.unusable("insecure-skip-tls-verify", "it, and certificate-authority", "one of them");
  }
  return {
    ca: ca === undefined ? [] : [ca],
    isClosed: ca !== undefined,
    serverName: cluster.text("tls-server-name"),
    insecure,
  };
}

function proxyOf(cluster: Fields): URL | undefined {
  const written = cluster.text("proxy-url");
  if (written === undefined || written === "") return undefined;
  const proxy = URL.parse(written);
  if (proxy !== null && ["http:", "https:", "socks5:", "socks5h:"].includes(proxy.protocol)) return proxy;
  throw cluster.unusable("proxy-url", proxy === null ? "no URL" : safeUrl(proxy), "http://, https:// or socks5://");
}
