import { X509Certificate } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createSecureContext, getCACertificates, type SecureContext } from "node:tls";
import { CountersignError } from "../../core/errors.ts";
import { errnoOf } from "../disk/errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** What TLS with one host takes beyond the usual. A profile is for that host and never for where it redirects to. */
export interface TlsProfile {
  /** PEM, each one or more certificates, trusted beside the usual roots. */
  readonly ca: readonly string[];
  /** Those authorities and no others. */
  readonly isClosed?: boolean | undefined;
  /** PEM; both or none. */
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  /** What the certificate has to be for, and what the server is asked for by (SNI); the host of the URL otherwise. */
  readonly serverName?: string | undefined;
  /** Any certificate will do. */
  readonly insecure?: boolean | undefined;
}

/** SSL_CERT_FILE and SSL_CERT_DIR, which Go and OpenSSL honour and Node does not unasked. */
export function environmentAuthorities(env: Environment): readonly string[] {
  const file = env["SSL_CERT_FILE"];
  const folders = env["SSL_CERT_DIR"] ?? "";
  return [
    ...(file === undefined || file === "" ? [] : [readPem(file, "SSL_CERT_FILE")]),
    ...folders.split(":").flatMap((folder) => (folder === "" ? [] : pemsIn(folder))),
  ];
}

function pemsIn(folder: string): readonly string[] {
  const names = namesIn(folder) ?? [];
  return names.flatMap((name) => {
    const pem = readIfPresent(join(folder, name));
    return pem?.includes("-----BEGIN CERTIFICATE-----") === true ? [pem] : [];
  });
}

/** Where container tools look for a registry's certificates, in the order of containers-certs.d(5). */
export function certificateFolders(env: Environment, homeDirectory: string): readonly string[] {
  const config = env["XDG_CONFIG_HOME"] || join(homeDirectory, ".config");
  return [
    join(config, "containers", "certs.d"),
    "/etc/containers/certs.d",
    join(config, "docker", "certs.d"),
    "/etc/docker/certs.d",
  ];
}

/**
 * containers-certs.d(5): the first folder that has one named like the registry counts. `*.crt` are authorities,
 * `x.cert` with `x.key` is the client's pair.
 *
 * @throws CountersignError `configuration-invalid` for a certificate without its key or a file that cannot be read.
 */
export function registryCertificates(registry: string, folders: readonly string[]): TlsProfile {
  for (const parent of folders) {
    const folder = join(parent, registry);
    const names = namesIn(folder);
    if (names !== undefined) return profileOf(folder, names);
  }
  return { ca: [] };
}

function profileOf(folder: string, names: readonly string[]): TlsProfile {
  const read = (name: string) => readPem(join(folder, name), join(folder, name));
  const ca = names.filter((name) => name.endsWith(".crt")).map(read);
  const certificates = names.filter((name) => name.endsWith(".cert")).map((name) => name.slice(0, -".cert".length));
  const keys = names.filter((name) => name.endsWith(".key")).map((name) => name.slice(0, -".key".length));
  const alone = [...certificates, ...keys].find((name) => !certificates.includes(name) || !keys.includes(name));
  if (alone !== undefined) {
    throw new CountersignError("configuration-invalid", `${folder} holds half of a client certificate`, {
      found: alone,
      wanted: `${alone}.cert and ${alone}.key`,
    });
  }
  const [pair] = certificates;
  return pair === undefined ? { ca } : { ca, certificate: read(`${pair}.cert`), key: read(`${pair}.key`) };
}

/** undefined where there is no such folder. */
function namesIn(folder: string): readonly string[] | undefined {
  try {
    return readdirSync(folder).sort();
  } catch (thrown) {
    const code = errnoOf(thrown);
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw unreadable(folder, folder, thrown);
  }
}

function readIfPresent(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function readPem(path: string, what: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (thrown) {
    throw unreadable(path, what, thrown);
  }
}

function unreadable(path: string, what: string, cause: unknown): CountersignError {
  const found = `${errnoOf(cause) ?? "unreadable"}: ${path}`;
  return new CountersignError("configuration-invalid", `the certificates of ${what} cannot be read`, { found, cause });
}

/** Which roots are trusted beside a profile's own: Node's, or the system's as well. */
export type Roots = "default" | "all";

/**
 * Options for `tls.connect`. The system's roots take 40 ms to read, so they are added only when Node's own were not
 * enough; the context is made once and serves every connection.
 *
 * @throws CountersignError `configuration-invalid` for certificates that OpenSSL cannot read.
 */
export function tlsOptions(
  profile: TlsProfile,
  roots: Roots,
): { secureContext: SecureContext; rejectUnauthorized: boolean; servername?: string } {
  const { serverName } = profile;
  const ca = authorities(profile, roots);
  const own = profile.ca.length > 0 || roots === "all" ? { ca: [...new Set(ca)] } : {};
  try {
    // OpenSSL passes over an authority that it cannot read, and the host's certificate would be blamed.
    for (const pem of profile.ca) new X509Certificate(pem);
    const pair = profile.certificate === undefined ? {} : { cert: profile.certificate, key: profile.key };
    return {
      secureContext: createSecureContext({ ...own, ...pair }),
      rejectUnauthorized: profile.insecure !== true,
      ...(serverName === undefined ? {} : { servername: serverName }),
    };
  } catch (cause) {
    throw new CountersignError("configuration-invalid", "a TLS certificate or key cannot be used", {
      found: cause instanceof Error && "code" in cause ? String(cause.code) : "not PEM",
      wanted: "PEM files",
      cause,
    });
  }
}

function authorities({ ca, isClosed }: TlsProfile, roots: Roots): readonly string[] {
  if (isClosed === true) return ca;
  return [...getCACertificates("default"), ...(roots === "all" ? getCACertificates("system") : []), ...ca];
}
