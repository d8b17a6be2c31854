import { join, resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Configuration } from "../io/config/configuration.ts";
import type { NamedFile, TrustInstance, TufTrust } from "../io/config/instances.ts";
import { cacheFolder, stateFolder } from "../io/disk/paths.ts";
import type { ServiceClient } from "../io/http/service.ts";
import type { TufRepository } from "../io/tuf/repository.ts";
import type { StoreFolders } from "../io/tuf/store.ts";
import type { Context } from "./context.ts";
import type { TrustOptions } from "./trust-options.ts";

/** What is asked over the network; made when something is, so that nothing is made where nothing may be. */
export interface TrustServices {
  readonly services: Pick<ServiceClient, "ask">;
}

/** The targets that a repository of Sigstore's kind has. */
export const TRUSTED_ROOT = "trusted_root.json";
export const SIGNING_CONFIG = "signing_config.v0.2.json";
/** The same with logs of the second generation: for those who ask for it. */
export const SIGNING_CONFIG_REKOR_V2 = "signing_config_rekor_v2.v0.2.json";

/** @throws CountersignError `configuration-invalid`, `disk-error`. */
export async function configurationOf(context: Context, named: string | undefined): Promise<Configuration> {
  const { loadConfiguration } = await import("../io/config/configuration.ts");
  return await loadConfiguration(named, context);
}

/** @throws CountersignError `usage` where there is no instance of that name. */
export function instanceNamed(configuration: Configuration, name: string | undefined): TrustInstance {
  const wanted = name ?? configuration.defaultInstance;
  const found = configuration.instances.find((instance) => instance.name === wanted);
  if (found !== undefined) return found;
  throw new CountersignError("usage", "there is no trust instance of this name", {
    found: wanted,
    wanted: configuration.instances.map((instance) => instance.name).join(", "),
    next: "name one of these, or set one up with countersign trusted-root init",
  });
}

/** The instance that the flags choose. */
export async function chosenInstance(context: Context, flags: TrustOptions): Promise<TrustInstance> {
  return instanceNamed(await configurationOf(context, flags.config), flags.instance);
}

/** Where the state of repositories is kept: in folders of our own, also where TUF_ROOT says where below. */
export function storeFolders({ env, homeDirectory, workingDirectory }: Context): StoreFolders {
  const root = env["TUF_ROOT"];
  const cache =
    root === undefined || root === ""
      ? join(cacheFolder(env, homeDirectory), "tuf")
      : join(resolve(workingDirectory, root), "countersign");
  return { cache, marks: join(stateFolder(env, homeDirectory), "tuf") };
}

/** The repository of an instance. Its source asks nobody before it is used. */
export async function repositoryOf(
  context: Context,
  { mirror, root }: Pick<TufTrust, "mirror" | "root">,
  wiring: TrustServices,
): Promise<TufRepository> {
  const [{ webSource }, { TufStore }] = await Promise.all([
    import("../io/tuf/source.ts"),
    import("../io/tuf/store.ts"),
  ]);
  return {
    name: `${mirror.host}${mirror.pathname.replace(/\/$/, "")}`,
    anchor: await readAnchor(root),
    source: webSource({ ask: (request) => wiring.services.ask(request) }, mirror),
    store: new TufStore(mirror.href.replace(/\/$/, ""), storeFolders(context)),
  };
}

async function readAnchor(root: TufTrust["root"]): Promise<TufRepository["anchor"]> {
  if (typeof root === "function") return { root: await root() };
  return "sha256" in root ? root : { root: await readTrustFile(root, LIMITS.tufRootBytes) };
}

/** A file that the user has named: one that cannot be read is as useless as a wrong one. @throws `trust-invalid`. */
export async function readTrustFile(file: NamedFile, maxBytes: number): Promise<Uint8Array> {
  const { readNamedFile } = await import("../io/disk/named.ts");
  const bytes = await readNamedFile(file, maxBytes).catch((cause: unknown) => {
    if (!(cause instanceof CountersignError) || cause.class === "interrupted") throw cause;
    const { found, wanted } = cause;
    throw new CountersignError("trust-invalid", cause.message, { found, wanted, next: NAME_ANOTHER, cause });
  });
  if (bytes !== undefined) return bytes;
  const found = "there is no such file";
  throw new CountersignError("trust-invalid", `cannot read ${file.label}`, { found, next: NAME_ANOTHER });
}

const NAME_ANOTHER = "check the path: a trust root, a TUF root or a signing configuration, as JSON";
