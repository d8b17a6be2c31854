import { CountersignError, type Finding, findingUnlessInterrupted } from "../../core/errors.ts";
import { parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { formatReference, parseReference, type Reference, repositoryName } from "../../core/oci/reference.ts";
import type { Mention, Reading } from "../../core/sources/mention.ts";
import { isTrustTag } from "../../core/tags/names.ts";
import { inBrackets } from "../http/status.ts";
import { webPage } from "./failures.ts";
import { circle, type LinkedPage, type Page, readPage, tooMany } from "./pages.ts";
import type { RegistryPool } from "./pool.ts";
import { listTags } from "./pull.ts";
import { Session } from "./session.ts";

const SCHEME = "registry://";
const WHAT = "the list of repositories";
/** What a registry gives for one page at most, as CNCF distribution is set up. */
const PAGE = 1000;

/** Whose repositories are looked at: all of a host's, or those at and below a path. */
export interface RegistryPlace {
  readonly registry: string;
  /** Whole segments; absent for all that the registry has. */
  readonly prefix?: string | undefined;
}

/**
 * `registry://host[:port][/prefix]`. On Docker Hub a name alone is `library/name`, as in references.
 *
 * @throws CountersignError `usage`.
 */
export function parseRegistrySource(source: string): RegistryPlace {
  const named = source.startsWith(SCHEME) ? source.slice(SCHEME.length).replace(/\/+$/, "") : "";
  const [host = "", ...path] = named.split("/");
  const reference = readName(source, `${host}/${path.length === 0 ? "any" : path.join("/")}`);
  const isOther = reference.registry !== host.toLowerCase() && reference.registry !== "docker.io";
  if (host === "" || isOther || !/[.:]|^localhost$/.test(host)) throw notASource(source, "a host");
  if (reference.digest !== undefined || /:[^/:]*$/.test(path.at(-1) ?? "")) {
    throw notASource(source, "an image of its own, without registry://");
  }
  return path.length === 0
    ? { registry: reference.registry }
    : { registry: reference.registry, prefix: reference.repository };
}

function readName(source: string, name: string): Reference {
  try {
    return parseReference(name);
  } catch (cause) {
    if (!(cause instanceof CountersignError)) throw cause;
    throw notASource(source, cause.wanted ?? "the name of a registry", cause);
  }
}

function notASource(source: string, wanted: string, cause?: unknown): CountersignError {
  return new CountersignError("usage", "not the name of a registry to look through", {
    found: source,
    wanted: `${SCHEME}host[:port][/prefix]: ${wanted}`,
    cause,
  });
}

/**
 * Every tag of every repository at a place, as the registry lists them, repository by repository. What has no tag is not
 * listed by any registry. What cannot be listed is a problem, and the rest goes on.
 *
 * @param note Told what was left out, once.
 */
export async function* listRegistry(
  pool: RegistryPool,
  source: string,
  note: (line: string) => void = () => undefined,
): AsyncGenerator<Reading, void, undefined> {
  const listing = new Listing(pool, source);
  yield* listing.readings();
  for (const line of listing.notes()) note(line);
}

class Listing {
  readonly #pool: RegistryPool;
  readonly #source: string;
  readonly #place: RegistryPlace;
  readonly #seen = new Set<string>();
  readonly #unusable: string[] = [];
  #attached = 0;
  #isAlone = false;

  constructor(pool: RegistryPool, source: string) {
    this.#pool = pool;
    this.#source = source;
    this.#place = parseRegistrySource(source);
  }

  async *readings(): AsyncGenerator<Reading, void, undefined> {
    try {
      for await (const names of catalogPages(this.#pool, this.#place.registry)) yield* this.#repositories(names);
    } catch (thrown) {
      yield* this.#withoutCatalog(findingUnlessInterrupted(thrown));
      return;
    }
    if (this.#unusable.length > 0) yield this.#problem(this.#unusableNames());
    if (this.#seen.size === 0) yield this.#problem(this.#nothingThere());
  }

  *notes(): Generator<string, void, undefined> {
    const { registry, prefix } = this.#place;
    if (this.#isAlone) {
      yield `${registry} does not list its repositories: ${prefix} was read, and not what may lie below it`;
    }
    if (this.#attached > 0) {
      const tags = this.#attached === 1 ? "tag" : "tags";
      yield `${this.#source}: left out ${this.#attached} ${tags} of signatures, attestations and signed tags, which are no images`;
    }
    if (this.#seen.size > 0) yield `${this.#source}: registries list tags; images without a tag are not seen`;
  }

  /** Some at a time: a registry with a thousand repositories is a thousand requests. */
  async *#repositories(names: readonly string[]): AsyncGenerator<Reading, void, undefined> {
    const fresh = names.filter((name) => this.#isWanted(name) && !this.#seen.has(name));
    const usable = [...new Set(fresh)].filter((name) => this.#isName(name));
    for (const name of usable) this.#seen.add(name);
    if (this.#seen.size > LIMITS.repositories) {
      throw tooMany(WHAT, `${this.#seen.size} repositories`, `at most ${LIMITS.repositories}`);
    }
    for (let at = 0; at < usable.length; at += LIMITS.listingWorkers) {
      const some = usable.slice(at, at + LIMITS.listingWorkers);
      yield* await Promise.all(some.map((name) => this.#repository(name)));
    }
  }

  #isWanted(name: string): boolean {
    const { prefix } = this.#place;
    return prefix === undefined || name === prefix || name.startsWith(`${prefix}/`);
  }

  /** A registry's own name for a repository must be one for everybody else too, and mean the same there. */
  #isName(name: string): boolean {
    try {
      const { registry, repository } = parseReference(`${this.#place.registry}/${name}:any`);
      if (registry === this.#place.registry && repository === name) return true;
    } catch (thrown) {
      if (!(thrown instanceof CountersignError)) throw thrown;
    }
    this.#unusable.push(name);
    return false;
  }

  async #repository(repository: string): Promise<Reading> {
    const place = { registry: this.#place.registry, repository };
    try {
      return this.#reading(place, await listTags(new Session(this.#pool, place)));
    } catch (thrown) {
      const finding = findingUnlessInterrupted(thrown);
      // Distribution goes on listing a repository whose last tag was deleted.
      return finding.code === "not-found" ? NOTHING : this.#problem(finding);
    }
  }

  #reading(place: Reference, tags: readonly string[]): Reading {
    const images = tags.filter((tag) => !ATTACHED.test(tag) && !isTrustTag(tag));
    this.#attached += tags.length - images.length;
    const usable = images.filter((tag) => TAG.test(tag));
    const problems = images.length === usable.length ? [] : this.#problem(unusableTags(place, images)).problems;
    return { mentions: usable.map((tag) => this.#mention({ ...place, tag })), problems };
  }

  #mention(reference: Reference): Mention {
    return {
      image: formatReference(reference),
      kind: "registry",
      place: { source: this.#source },
      fixed: "it is what a registry holds, and no file names it",
    };
  }

  /** A path that is named may be a repository, and its tags can be asked for wherever there is no catalog. */
  async *#withoutCatalog(finding: Finding): AsyncGenerator<Reading, void, undefined> {
    const { registry, prefix } = this.#place;
    if (!LACKING.has(finding.code)) return yield this.#problem(finding);
    const alone = prefix === undefined || this.#seen.size > 0 ? NOTHING : await this.#repository(prefix);
    this.#isAlone = alone.mentions.length > 0;
    if (alone !== NOTHING) return yield alone;
    yield this.#problem({ ...finding, next: nameThem(registry, finding) });
  }

  #unusableNames(): Finding {
    const [first = "", ...others] = this.#unusable;
    return new CountersignError(
      "protocol-error",
      `${this.#place.registry} lists repositories that have no usable name`,
      {
        found: others.length === 0 ? first : `${first} and ${others.length} more`,
        wanted: "lower-case paths, as in references",
      },
    );
  }

  #nothingThere(): Finding {
    const { registry, prefix } = this.#place;
    const where = prefix === undefined ? registry : `${registry} at or below ${prefix}`;
    return new CountersignError("not-found", `there is no repository in ${where}, or none that is listed for you`, {
      found: "a list of repositories without one of them",
      next: "check the path; registries leave out of their list what a login would show",
    });
  }

  #problem(finding: Finding): Reading {
    return { mentions: [], problems: [{ place: { source: this.#source }, finding }] };
  }
}

const NOTHING: Reading = { mentions: [], problems: [] };

/** What a registry answers that does not list its repositories, to anybody or to these credentials. */
const LACKING: ReadonlySet<string> = new Set(["unsupported", "denied", "credentials-missing", "not-found"]);

/**
 * Cosign's tags for what is attached to a digest (`sha256-….sig`), and the fallback tags of referrers (distribution-spec,
 * "Referrers Tag Schema").
 */
const ATTACHED = /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{64,128})(?:\.(?:sig|att|sbom))?$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;

function unusableTags(place: Reference, tags: readonly string[]): Finding {
  const [first = "", ...others] = tags.filter((tag) => !TAG.test(tag));
  return new CountersignError("protocol-error", `${repositoryName(place)} lists tags that have no usable name`, {
    found: others.length === 0 ? first : `${first} and ${others.length} more`,
  });
}

function nameThem(registry: string, { code }: Finding): string {
  const named = `name the repositories one by one (${SCHEME}${registry}/REPOSITORY), or the images in a file, one a line`;
  return code === "unsupported" ? named : `log in with an account that may list all repositories, or ${named}`;
}

// --- the catalog -----------------------------------------------------------------------------------------------------------

/** Public registries of many tenants, which list nobody all their repositories. */
const WITHOUT_CATALOG: ReadonlySet<string> = new Set(["docker.io", "ghcr.io"]);
const FIRST = `/v2/_catalog?n=${PAGE}`;

/**
 * The names of repositories, page by page, as CNCF distribution's `GET /v2/_catalog` gives them. A page that is full and
 * has no link to the next is followed by what comes behind its last name.
 *
 * @throws CountersignError `unsupported` where there is no such list; `limit-reached`, `protocol-error`.
 */
async function* catalogPages(pool: RegistryPool, registry: string): AsyncGenerator<readonly string[], void, undefined> {
  if (WITHOUT_CATALOG.has(registry)) throw noCatalog(registry, "a registry that lists nobody all its repositories");
  const session = new Session(pool, { registry, repository: "_catalog" });
  const asked = new Set<string>();
  let path: string | URL = FIRST;
  for (let count = 0; count < LIMITS.catalogPages; count++) {
    asked.add(String(path));
    const page: LinkedPage = await session.run({ ...REQUEST, path }, (response) => readPage(response, WHAT));
    const isTooLong: boolean = page.status === 400 && path === FIRST;
    const names: readonly string[] = isTooLong ? [] : namesIn(page, registry);
    yield names;
    const next: string | URL | undefined = isTooLong ? "/v2/_catalog" : (page.next ?? behind(names));
    if (next === undefined) return;
    if (asked.has(String(next))) {
      // One that heeds neither `n` nor `last` has given all that it has.
      if (typeof next === "string") return;
      throw circle(session, WHAT, next);
    }
    path = next;
  }
  throw tooMany(WHAT, `more than ${LIMITS.catalogPages} pages`, `at most ${LIMITS.catalogPages} pages`);
}

const REQUEST = {
  method: "GET",
  what: WHAT,
  scopes: ["registry:catalog:*"],
  expect: [200, 400, 403, 404, 405, 406, 501],
} as const;

function behind(names: readonly string[]): string | undefined {
  const last = names.at(-1);
  return last === undefined || names.length < PAGE ? undefined : `${FIRST}&last=${encodeURIComponent(last)}`;
}

function namesIn({ status, contentType, bytes, error }: Page, registry: string): readonly string[] {
  const found = `${status} on ${WHAT}${error === undefined ? "" : inBrackets(error)}`;
  if (status === 403)
    throw new CountersignError("denied", `${registry} does not let you list its repositories`, { found });
  if (status !== 200) throw noCatalog(registry, found);
  if (contentType === "text/html") throw webPage(new URL(`https://${registry}`), found);
  const json = parseJsonObject(bytes, { what: WHAT, code: "protocol-error", maxBytes: LIMITS.manifestBytes });
  // Some registries write `null` for none.
  const names = json["repositories"] ?? [];
  if (Array.isArray(names) && names.every((name) => typeof name === "string")) return names;
  throw new CountersignError("protocol-error", `${WHAT} is not one`, {
    found: "no list of strings",
    wanted: '"repositories"',
  });
}

function noCatalog(registry: string, found: string): CountersignError {
  return new CountersignError("unsupported", `${registry} does not list its repositories`, { found });
}
