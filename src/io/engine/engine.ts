import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue, parseJson } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Digest, isDigest } from "../../core/oci/digest.ts";
import { isLoopback, parseReference, type Reference, repositoryName } from "../../core/oci/reference.ts";
import { type RunResult, run } from "./process.ts";

export interface EngineOptions {
  /** The program to run; found on the PATH where it is a bare name. */
  readonly program?: string | undefined;
  /** Handed to the program as it is: `DOCKER_HOST`, `CONTAINER_HOST`, its credentials. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal | undefined;
}

/** An image as an engine shows it. */
export interface EngineImage {
  /** The engine's identifier: the configuration's digest, with some image stores the manifest's. */
  readonly id: Digest;
  /** `repository@digest`, normalised: under which digests it was pulled. */
  readonly repoDigests: readonly string[];
}

export interface EnginePull {
  /** Its tag is put on the image when the digest was proven; its digest is not looked at. */
  readonly reference: Reference;
  /** The digest that was accepted. */
  readonly digest: Digest;
}

export interface EngineLoad {
  /** A `docker save` archive whose content was accepted. */
  readonly archive: string;
  /** What the image may be called by the engine: the digests of its configuration and of its manifest. */
  readonly ids: readonly Digest[];
  /** The name in the archive that must lead to it; without one it is looked up by its identifier. */
  readonly name?: string | undefined;
}

/** What docker and podman have in common is one command line; this is what differs. */
export interface Dialect {
  readonly name: "docker" | "podman";
  /** The environment variable that names another program. */
  readonly variable: string;
  /** More arguments to `pull` from a registry that is spoken to in plain HTTP, and to `save`. */
  readonly pullPlainHttp: readonly string[];
  readonly save: readonly string[];
}

/** A container engine, driven through its own command line. It gets exactly the accepted digest, and is asked back. */
export class Engine {
  readonly #dialect: Dialect;
  readonly #options: EngineOptions;

  constructor(dialect: Dialect, options: EngineOptions) {
    this.#dialect = dialect;
    this.#options = options;
  }

  get name(): "docker" | "podman" {
    return this.#dialect.name;
  }

  /**
   * Has the engine pull the digest by itself, which makes it check the bytes itself, then puts the tag on what came.
   *
   * @throws CountersignError `engine-error`; `digest-mismatch` where the engine then holds something else.
   */
  async pull({ reference, digest }: EnginePull): Promise<EngineImage> {
    const name = repositoryName(reference);
    const pinned = `${name}@${digest}`;
    const extra = isLoopback(reference.registry) ? this.#dialect.pullPlainHttp : [];
    await this.#do(["pull", "--quiet", ...extra, pinned]);
    const image = await this.inspect(pinned);
    if (!image.repoDigests.includes(pinned)) throw this.#holdsAnother(image.repoDigests.join(", "), pinned);
    if (reference.tag === undefined) return image;
    const tagged = `${name}:${reference.tag}`;
    await this.#do(["tag", pinned, tagged]);
    const found = await this.inspect(tagged);
    if (found.id !== image.id) throw this.#holdsAnother(found.id, image.id);
    return found;
  }

  /**
   * Has the engine load an archive.
   *
   * @throws CountersignError `engine-error`; `digest-mismatch` where the engine then holds something else.
   */
  async load({ archive, ids, name }: EngineLoad): Promise<EngineImage> {
    await this.#do(["load", "--quiet", "--input", pathArgument(archive)]);
    const image = await this.#loaded(ids, name);
    if (!ids.includes(image.id)) throw this.#holdsAnother(image.id, ids.join(" or "));
    return image;
  }

  /** Writes an image of the engine's to a `docker save` archive. @throws CountersignError `engine-error`, `not-found`. */
  async save(name: string, archive: string): Promise<void> {
    const image = await this.find(name);
    if (image === undefined) {
      throw new CountersignError("not-found", `${this.name} holds no such image`, { found: "nothing", wanted: name });
    }
    await this.#do(["save", ...this.#dialect.save, "--output", pathArgument(archive), nameArgument(name)]);
  }

  /** @throws CountersignError `engine-error` where the engine does not know the image. */
  async inspect(name: string): Promise<EngineImage> {
    const result = await this.#ask(["image", "inspect", nameArgument(name)]);
    if (result.status !== 0) throw this.#failed("image inspect", result);
    return this.#readImage(result.stdout);
  }

  /** undefined where the engine answers that it has no such image. */
  async find(name: string): Promise<EngineImage | undefined> {
    const result = await this.#ask(["image", "inspect", nameArgument(name)]);
    if (result.status === 0) return this.#readImage(result.stdout);
    if (/no such image|image not known|not found in local storage|unable to find/i.test(result.stderr))
      return undefined;
    throw this.#failed("image inspect", result);
  }

  /** The image under its name, or the first of its possible identifiers that the engine knows. */
  async #loaded(ids: readonly Digest[], name: string | undefined): Promise<EngineImage> {
    if (name !== undefined) return this.inspect(name);
    for (const id of ids) {
      const image = await this.find(id);
      if (image !== undefined) return image;
    }
    throw this.#holdsAnother("no image with that identifier", ids.join(" or "));
  }

  #ask(args: readonly string[]): Promise<RunResult> {
    return run(this.#program, args, { ...this.#options, timeoutMs: LIMITS.engineAnswerMs });
  }

  async #do(args: readonly string[]): Promise<void> {
    const result = await run(this.#program, args, { ...this.#options, timeoutMs: LIMITS.engineMs });
    if (result.status !== 0) throw this.#failed(args[0] ?? "", result);
  }

  get #program(): string {
    const { env, program = env[this.#dialect.variable] } = this.#options;
    return program === undefined || program === "" ? this.#dialect.name : program;
  }

  #readImage(output: string): EngineImage {
    const [image, ...others] = this.#parse(output);
    if (image === undefined || others.length > 0) throw this.#unreadable("not one image");
    const id = String(image["Id"]);
    // Podman leaves the algorithm away.
    const digest = id.includes(":") ? id : `sha256:${id}`;
    if (!isDigest(digest)) throw this.#unreadable(`an image with the identifier ${JSON.stringify(id.slice(0, 100))}`);
    const repoDigests = image["RepoDigests"];
    const names = Array.isArray(repoDigests) ? repoDigests.filter((entry) => typeof entry === "string") : [];
    return { id: digest, repoDigests: names.flatMap(normaliseRepoDigest) };
  }

  #parse(output: string): readonly JsonObject[] {
    const list: JsonValue = parseJson(Buffer.from(output), {
      what: `the answer of ${this.name}`,
      code: "engine-error",
      maxBytes: LIMITS.engineOutputBytes,
    });
    return Array.isArray(list) ? list.filter(isObject) : [];
  }

  #failed(command: string, { status, stderr }: RunResult): CountersignError {
    return new CountersignError("engine-error", `${this.name} ${command} failed`, {
      found: lastLine(stderr) ?? `exit status ${status}, without a message`,
      next: hintFor(stderr),
    });
  }

  #unreadable(found: string): CountersignError {
    return new CountersignError("engine-error", `${this.name} gave an answer that cannot be read`, { found });
  }

  #holdsAnother(found: string, wanted: string): CountersignError {
    return new CountersignError("digest-mismatch", `${this.name} holds another image than the accepted one`, {
      found: found === "" ? "an image without a digest" : found,
      wanted,
      next: `do not run it; look at the engine's mirrors and its own configuration, then pull again`,
    });
  }
}

/** Docker shows `alpine@sha256:…` for `docker.io/library/alpine@sha256:…`. */
function normaliseRepoDigest(text: string): readonly string[] {
  try {
    const reference = parseReference(text);
    return reference.digest === undefined ? [] : [`${repositoryName(reference)}@${reference.digest}`];
  } catch {
    return [];
  }
}

/** Never an option, whatever the user or a file called it. */
function nameArgument(name: string): string {
  if (/^[A-Za-z0-9[][^\s]*$/.test(name)) return name;
  throw new CountersignError("reference-invalid", "not a name that an engine gives to images", { found: name });
}

function pathArgument(path: string): string {
  return path.startsWith("-") ? `./${path}` : path;
}

/** Engines print progress and warnings first; what went wrong is said last. */
function lastLine(stderr: string): string | undefined {
  const line = stderr
    .trim()
    .split(/[\r\n]+/)
    .at(-1)
    ?.trim();
  return line === undefined || line === "" ? undefined : line.slice(0, 500);
}

const HINTS: readonly (readonly [RegExp, string])[] = [
  [
    /cannot connect to the docker daemon|connection refused.*docker\.sock|is the docker daemon running/i,
    "start the Docker daemon, or point DOCKER_HOST at it",
  ],
  [/permission denied.*docker\.sock/i, "run it as a user who may speak to the Docker daemon"],
  [/server gave http response to https client/i, "the engine itself must be told that this registry speaks plain HTTP"],
  [/no space left/i, "make room in the engine's storage, then run the same command again"],
];

function hintFor(stderr: string): string | undefined {
  return HINTS.find(([pattern]) => pattern.test(stderr))?.[1];
}
