import { join, resolve } from "node:path";
import { CountersignError } from "./core/errors.ts";
import { LIMITS } from "./core/limits.ts";
import { type Location, parseLocation } from "./core/oci/location.ts";
import { type Reference, repositoryName } from "./core/oci/reference.ts";
import type { Collection, ContentCache, ContentStore, Destination, WholeLayout } from "./core/ports.ts";
import type { Reading } from "./core/sources/mention.ts";
import type { SignedTags } from "./core/tags/signed-tag.ts";
import { BackgroundCache, DiskCache } from "./io/disk/cache.ts";
import { readNamedFile } from "./io/disk/named.ts";
import { cacheFolder, stateFolder } from "./io/disk/paths.ts";
import { ServiceClient } from "./io/http/service.ts";
import type { ClusterSelection } from "./io/kubernetes/cluster.ts";
import type { CollectionLocation } from "./io/layout/collection.ts";
import type { NotaryServer } from "./io/notary/server.ts";
import { type FlagCredentials, findCredentials } from "./io/registry/credentials.ts";
import { RegistryPool } from "./io/registry/pool.ts";
import { openRegistry, resolveAhead } from "./io/registry/store.ts";
import type { Pins, SignedTagsOptions } from "./io/tags/client.ts";
import type { PinsPlace } from "./io/tags/pins.ts";
import type { Target } from "./ops/verify.ts";
import { VERSION } from "./version.ts";

/** What the adapters take from the outside world. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  /** What relative paths are relative to. */
  readonly workingDirectory: string;
  readonly signal?: AbortSignal | undefined;
  /** A registry's own warnings, printable. */
  readonly warn?: ((line: string) => void) | undefined;
}

/** Which roots are believed, and what else is wanted of signed tags. */
export interface TagSettings extends Omit<SignedTagsOptions, "pins" | "open" | "stateFolder" | "signal"> {
  /** The file of them. */
  readonly pins: Omit<PinsPlace, "signal">;
}

/** Signed tags, and whom they are believed by. */
export interface OpenTags {
  readonly signedTags: SignedTags;
  readonly pins: Pins;
}

/** How registries are spoken to. */
export interface RegistrySettings {
  readonly credentials?: FlagCredentials | undefined;
  /** Files (PEM). */
  readonly caCertificate?: string | undefined;
  readonly clientCertificate?: string | undefined;
  readonly clientKey?: string | undefined;
  readonly allowHttp?: boolean | undefined;
  readonly allowInsecure?: boolean | undefined;
  /** Milliseconds without progress. */
  readonly timeoutMs?: number | undefined;
  /** Tries after the first. */
  readonly retries?: number | undefined;
  /** Requests a second to one registry at most; as many as it bears where nothing is said. */
  readonly maxRate?: number | undefined;
}

type FileLocation = Extract<Location, { readonly path: string }>;

/** The default adapters of one command: everything it opens shares connections, tokens and caches, and is closed at once. */
export class Wiring {
  readonly #surroundings: Surroundings;
  readonly #settings: RegistrySettings;
  readonly #cacheFolder: string;
  readonly #stores: ContentStore[] = [];
  #cache: BackgroundCache | undefined;
  #pool: Promise<RegistryPool> | undefined;
  #services: ServiceClient | undefined;
  #tellOthers: ((registry: string, milliseconds: number) => void) | undefined;

  constructor(surroundings: Surroundings, settings: RegistrySettings = {}) {
    this.#surroundings = surroundings;
    this.#settings = settings;
    this.#cacheFolder = cacheFolder(surroundings.env, surroundings.homeDirectory);
  }

  /** Signatures that were read before, by digest. */
  get cache(): ContentCache {
    this.#cache ??= new BackgroundCache(new DiskCache(join(this.#cacheFolder, "signatures")));
    return this.#cache;
  }

  /** Certificate authorities, logs, timestamp authorities, token issuers, trust repositories. */
  get services(): ServiceClient {
    const { env, signal } = this.#surroundings;
    const { timeoutMs, retries } = this.#settings;
    this.#services ??= new ServiceClient({
      env,
      signal,
      userAgent: `countersign/${VERSION}`,
      tries: retries === undefined ? undefined : retries + 1,
      idleMs: timeoutMs === undefined ? undefined : Math.max(timeoutMs, LIMITS.integrationMs),
    });
    return this.#services;
  }

  /**
   * An image to look at, as it is written on the command line.
   *
   * @throws CountersignError `reference-invalid`, `not-found`, and for a Docker daemon `unsupported`.
   */
  async target(image: string, mode: "read" | "write" = "read"): Promise<Target> {
    const location = parseLocation(image);
    const store = await this.open(location, mode);
    if (location.kind === "registry") {
      const { tag, digest } = location.reference;
      return { image, store, tag, digest };
    }
    if (location.kind === "docker-daemon") throw daemonIsNoStore(image);
    return { image, store, tag: location.tag, digest: location.digest };
  }

  /** The store at a location; which image in it is the caller's matter. */
  async open(location: Location, mode: "read" | "write" = "read"): Promise<ContentStore> {
    const store = await this.#open(location, mode);
    this.#stores.push(store);
    return store;
  }

  async #open(location: Location, mode: "read" | "write"): Promise<ContentStore> {
    if (location.kind === "registry") return await this.registry(location.reference);
    if (location.kind === "docker-daemon") throw daemonIsNoStore(`docker-daemon:${location.name}`);
    const { kind, path } = this.#onDisk(location);
    const { openLayout } = await import("./io/layout/open.ts");
    return openLayout({ kind, path }, { mode, signal: this.#surroundings.signal });
  }

  async registry(reference: Reference): Promise<ContentStore> {
    this.#pool ??= this.#openPool();
    return openRegistry(reference, await this.#pool);
  }

  /** Begins to ask a registry for an image that is resolved soon. */
  async askAhead(reference: Reference): Promise<void> {
    this.#pool ??= this.#openPool();
    resolveAhead(reference, await this.#pool);
  }

  /**
   * Signed tags by pinned roots. No registry is asked before the first question.
   *
   * @throws CountersignError `configuration-invalid` where somebody names a file of pins that is none or not there.
   */
  async signedTags({ pins, ...settings }: TagSettings): Promise<OpenTags> {
    const { env, homeDirectory, signal } = this.#surroundings;
    const [{ openSignedTags }, { PinsOnDisk }] = await Promise.all([
      import("./io/tags/client.ts"),
      import("./io/tags/pins.ts"),
    ]);
    // The first root that is seen may go into a file that is not there yet.
    const isNamed = pins.isNamed && settings.tofu !== true;
    const book = new PinsOnDisk({ ...pins, isNamed, signal });
    if (isNamed) await book.all();
    const open = async (repository: string) => await this.open(parseLocation(repository));
    const options = { ...settings, pins: book, open, stateFolder: stateFolder(env, homeDirectory), signal };
    return { signedTags: openSignedTags(options), pins: book };
  }

  /** A Notary server and one repository on it. It is shown the credentials of the image's registry, as Docker does. */
  async notary(server: URL, reference: Pick<Reference, "registry" | "repository">): Promise<NotaryServer> {
    const { env, homeDirectory, signal } = this.#surroundings;
    const { credentials, timeoutMs, retries } = this.#settings;
    const { NotaryServer } = await import("./io/notary/server.ts");
    return new NotaryServer({
      server,
      gun: repositoryName(reference),
      registry: reference.registry,
      credentials: findCredentials({ env, homeDirectory, flags: credentials }),
      ca: await this.#readPem(this.#settings.caCertificate, "--registry-cacert"),
      ...{ env, homeDirectory, signal },
      userAgent: `countersign/${VERSION}`,
      tries: retries === undefined ? undefined : retries + 1,
      idleMs: timeoutMs,
    });
  }

  /**
   * What a registry holds (`registry://host[/prefix]`), repository by repository. What could not be listed is a problem
   * in a reading, and the rest goes on.
   *
   * @throws CountersignError `usage` for a name that is none.
   */
  async *listRegistry(source: string): AsyncGenerator<Reading, void, undefined> {
    this.#pool ??= this.#openPool();
    const { listRegistry } = await import("./io/registry/catalog.ts");
    yield* listRegistry(await this.#pool, source, this.#surroundings.warn);
  }

  /**
   * What a cluster runs and is told to run (`cluster://[context]`), page by page; likewise.
   *
   * @throws CountersignError `usage`, `configuration-invalid`, `unsupported` where nothing says how to reach it.
   */
  async *readCluster(source: string, selection: ClusterSelection = {}): AsyncGenerator<Reading, void, undefined> {
    const { env, homeDirectory, workingDirectory, signal, warn } = this.#surroundings;
    const { timeoutMs, retries } = this.#settings;
    const { readCluster } = await import("./io/kubernetes/cluster.ts");
    yield* readCluster(source, selection, {
      env,
      homeDirectory,
      workingDirectory,
      signal,
      warn,
      userAgent: `countersign/${VERSION}`,
      tries: retries === undefined ? undefined : retries + 1,
      idleMs: timeoutMs,
    });
  }

  /** Tells who asks the same registries from other machines when one of them wants to be left alone, in milliseconds. */
  onAsked(tellOthers: (registry: string, milliseconds: number) => void): void {
    this.#tellOthers = tellOthers;
  }

  /** How long registries that were given up on asked to be left alone, in milliseconds from now. */
  async askedMs(): Promise<number> {
    return (await this.#pool)?.retrier.budgets.askedMs ?? 0;
  }

  /** A place on disk for a pull or a copy; `tag` is what the image is called there where the location does not say. */
  async destination(location: FileLocation, tag: string | undefined): Promise<Destination> {
    const { layoutDestination } = await import("./io/layout/destination.ts");
    return layoutDestination(this.#onDisk(location), { tag, signal: this.#surroundings.signal });
  }

  /** A place on disk for several images. */
  async collection(location: CollectionLocation): Promise<Collection> {
    const { layoutCollection } = await import("./io/layout/collection.ts");
    return layoutCollection({ ...location, path: this.#path(location.path) }, { signal: this.#surroundings.signal });
  }

  /** An archive, all of it. */
  async wholeArchive(path: string): Promise<WholeLayout> {
    const { openWholeArchive } = await import("./io/layout/whole.ts");
    const whole = await openWholeArchive(this.#path(path), this.#surroundings.signal);
    this.#stores.push(whole.store);
    return whole;
  }

  /** Ends connections and open files; what is to be kept is kept then. */
  async close(): Promise<void> {
    await this.#cache?.settled();
    await Promise.all(this.#stores.map((store) => store.close()));
    // A pool that could not be opened has told its user why already.
    await this.#pool?.then(
      (pool) => pool.close(),
      () => undefined,
    );
    await this.#services?.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #onDisk(location: FileLocation): FileLocation {
    return { ...location, path: this.#path(location.path) };
  }

  #path(path: string): string {
    return resolve(this.#surroundings.workingDirectory, path);
  }

  async #openPool(): Promise<RegistryPool> {
    const { env, homeDirectory, signal, warn } = this.#surroundings;
    const { credentials, allowHttp, allowInsecure, timeoutMs, retries, maxRate } = this.#settings;
    return new RegistryPool({
      env,
      homeDirectory,
      signal,
      allowHttp,
      insecureTls: allowInsecure,
      credentials: findCredentials({ env, homeDirectory, flags: credentials }),
      ca: await this.#readPem(this.#settings.caCertificate, "--registry-cacert"),
      clientCertificate: await this.#readPem(this.#settings.clientCertificate, "--registry-client-cert"),
      clientKey: await this.#readPem(this.#settings.clientKey, "--registry-client-key"),
      tries: retries === undefined ? undefined : retries + 1,
      idleMs: timeoutMs,
      maxRate,
      onAsked: (registry, milliseconds) => this.#tellOthers?.(registry, milliseconds),
      cacheDirectory: this.#cacheFolder,
      userAgent: `countersign/${VERSION}`,
      onWarning: (registry, text) => warn?.(`${registry} says: ${text}`),
    });
  }

  async #readPem(path: string | undefined, flag: string): Promise<string | undefined> {
    if (path === undefined) return undefined;
    const file = { path: resolve(this.#surroundings.workingDirectory, path), label: path };
    const bytes = await readNamedFile(file, LIMITS.credentialBytes);
    const text = Buffer.from(bytes ?? []).toString();
    const [label, wanted] = flag.endsWith("-key")
      ? ["PRIVATE KEY-----", "a private key in PEM form"]
      : ["CERTIFICATE-----", "certificates in PEM form"];
    if (text.includes(label)) return text;
    throw new CountersignError("configuration-invalid", `the file of ${flag} cannot be used`, {
      found: bytes === undefined ? `${path}: there is no such file` : path,
      wanted,
    });
  }
}

function daemonIsNoStore(image: string): CountersignError {
  return new CountersignError("unsupported", "a Docker daemon holds no manifests to sign or verify", {
    found: image,
    wanted: "a registry, an OCI layout or an archive (docker-daemon: is a source of push)",
  });
}
