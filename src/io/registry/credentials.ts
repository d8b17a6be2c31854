import { homedir } from "node:os";
import { join } from "node:path";
import { CountersignError } from "../../core/errors.ts";
import type { Credential, CredentialSource } from "../http/auth.ts";
import { type AuthFile, parseAuthFile, parseLegacyFile, readAuthFile } from "./auth-file.ts";
import { askHelper, type HelperOptions } from "./credential-helper.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** Credentials of the command line. They are for one registry: two registries of a call never share them. */
export interface FlagCredentials {
  /** As in references; undefined where the call names only one. */
  readonly registry?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A bearer token for the registry itself. */
  readonly token?: string | undefined;
}

export interface CredentialOptions {
  readonly env: Environment;
  readonly homeDirectory?: string | undefined;
  readonly flags?: FlagCredentials | undefined;
}

/** One place that may hold credentials; nothing is read before a registry asks for any. */
interface Place {
  readonly name: string;
  read(signal: AbortSignal | undefined): Promise<AuthFile | undefined>;
}

/** No credentials at all. */
export const anonymous: CredentialSource = { find: () => Promise.resolve(undefined), searched: [] };

/**
 * Flags, then DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, Docker's configuration with its helpers, Podman's files. The
 * first place that knows the registry decides; a helper that fails stops the search, so that no other account is used by
 * accident.
 */
export function findCredentials(options: CredentialOptions): CredentialSource {
  const flags = fromFlags(options.flags ?? {});
  const places = placesOf(options);
  const answers = new Map<string, Promise<Credential | undefined>>();
  const search = async (
    registry: string,
    repository: string,
    signal?: AbortSignal,
  ): Promise<Credential | undefined> => {
    const { registry: bound } = options.flags ?? {};
    if (flags !== undefined && (bound === undefined || bound === registry)) return flags;
    for (const place of places) {
      const file = await place.read(signal);
      const helpers = { env: options.env, signal };
      const found = file === undefined ? undefined : await lookUp(file, place.name, registry, repository, helpers);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return {
    searched: places.map(({ name }) => name),
    find(registry, repository, signal) {
      const key = `${registry}/${repository}`;
      const answer = answers.get(key) ?? search(registry, repository, signal);
      answers.set(key, answer);
      return answer;
    },
  };
}

function fromFlags({ username, password, token }: FlagCredentials): Credential | undefined {
  if (token !== undefined) return { kind: "registry-token", token, source: "--registry-token" };
  if (username === undefined && password === undefined) return undefined;
  if (username === undefined || password === undefined) {
    throw new CountersignError("usage", "a registry user needs a name and a password", {
      found: username === undefined ? "no --registry-username" : "no --registry-password-stdin",
    });
  }
  return { kind: "password", username, password, source: "--registry-username" };
}

function placesOf({ env, homeDirectory = homedir() }: CredentialOptions): readonly Place[] {
  const inline = env["DOCKER_AUTH_CONFIG"];
  const named = env["REGISTRY_AUTH_FILE"];
  const docker = env["DOCKER_CONFIG"] || join(homeDirectory, ".docker");
  const config = env["XDG_CONFIG_HOME"] || join(homeDirectory, ".config");
  const runtime = env["XDG_RUNTIME_DIR"] || (process.getuid === undefined ? "" : `/run/containers/${process.getuid()}`);
  const paths = [
    ...(named ? [named] : []),
    join(docker, "config.json"),
    ...(runtime === "" ? [] : [join(runtime, "containers", "auth.json")]),
    join(config, "containers", "auth.json"),
  ];
  const name = "DOCKER_AUTH_CONFIG";
  return [
    ...(inline ? [{ name, read: once(async () => parseAuthFile(Buffer.from(inline), name)) }] : []),
    ...paths.map((path) => ({ name: path, read: once((signal) => readAuthFile(path, parseAuthFile, signal)) })),
    ...[join(homeDirectory, ".dockercfg")].map((path) => ({
      name: path,
      read: once((signal) => readAuthFile(path, parseLegacyFile, signal)),
    })),
  ];
}

function once(read: Place["read"]): Place["read"] {
  let file: ReturnType<Place["read"]> | undefined;
  return (signal) => {
    file ??= read(signal);
    return file;
  };
}

/** Docker Hub's entry has the name of its first API; some tools write others. Exactly these, never a suffix. */
const HUB_KEYS: readonly string[] = [
  "https://index.docker.io/v1/",
  "docker.io",
  "index.docker.io",
  "registry-1.docker.io",
];
const HUB = "docker.io";

/**
 * The helper for exactly this registry, then the file's own entries for a part of the registry, the helper for all, the
 * entry for the whole registry.
 */
async function lookUp(
  file: AuthFile,
  source: string,
  registry: string,
  repository: string,
  options: HelperOptions,
): Promise<Credential | undefined> {
  const hosts = registry === HUB ? HUB_KEYS : [registry];
  const server = hosts[0] ?? registry;
  const own = hosts.map((host) => file.helpers.get(host)).find((helper) => helper !== undefined);
  if (own !== undefined) return askHelper(own, server, options);
  const narrower = namespaces(registry, repository).map((key) => file.entries.get(key));
  const scoped = narrower.find((entry) => entry !== undefined);
  if (scoped !== undefined) return { ...scoped, source };
  const stored = file.store === undefined ? undefined : await askHelper(file.store, server, options);
  if (stored !== undefined) return stored;
  const entry = hosts.map((host) => file.entries.get(host)).find((found) => found !== undefined);
  return entry === undefined ? undefined : { ...entry, source };
}

/** containers-auth.json(5): `host/a/b`, `host/a`, on segment boundaries, the longest first. */
function namespaces(registry: string, repository: string): readonly string[] {
  const segments = repository.split("/");
  return segments.map((_, cut) => `${registry}/${segments.slice(0, segments.length - cut).join("/")}`);
}
