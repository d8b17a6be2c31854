import { access } from "node:fs/promises";
import { join } from "node:path";
import type { TlsProfile } from "../http/tls.ts";
import { readSmall } from "./fields.ts";
import type { Login } from "./login.ts";

/** Where a pod finds what its service account shows ("Accessing the Kubernetes API from a Pod"). */
export interface ServiceAccountFiles {
  readonly folder: string;
}

const MOUNTED: ServiceAccountFiles = { folder: "/var/run/secrets/kubernetes.io/serviceaccount" };

/** The cluster that this runs in, as its service account; undefined where this is no pod that has one. */
export async function serviceAccount(
  env: Readonly<Record<string, string | undefined>>,
  { folder }: ServiceAccountFiles = MOUNTED,
): Promise<{ server: URL; tls: TlsProfile; login: Login } | undefined> {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"];
  const tokenFile = join(folder, "token");
  if (host === undefined || host === "" || port === undefined || port === "") return undefined;
  if (!(await isThere(tokenFile))) return undefined;
  const server = URL.parse(`https://${host.includes(":") ? `[${host}]` : host}:${port}`);
  if (server === null) return undefined;
  const ca = await readSmall(join(folder, "ca.crt"), "the certificate authority of this pod's service account");
  return { server, tls: { ca: [ca], isClosed: true }, login: { tokenFile } };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
