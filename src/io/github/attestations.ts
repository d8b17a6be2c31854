import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError, type Finding, findingUnlessInterrupted } from "../../core/errors.ts";
import type { Origin } from "../../core/formats/envelope.ts";
import { describeJson, isObject, type JsonValue, parseJsonObject } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import type { Digest } from "../../core/oci/digest.ts";
import type { EvidencePage, EvidenceSource } from "../../core/ports.ts";
import { nextLink } from "../http/links.ts";
import { safeUrl } from "../http/redact.ts";
import type { ServiceAnswer, ServiceClient } from "../http/service.ts";
import { decompressSnappy } from "./snappy.ts";

/** Whose attestations are asked for at GitHub's API. */
export interface GithubPlace {
  /** `https://api.github.com`, or a server's `https://HOST/api/v3`. */
  readonly api: URL;
  readonly owner: string;
  readonly repository?: string | undefined;
  /** Shown to the API alone. */
  readonly token?: string | undefined;
}

const ORIGIN: Origin = { via: "github-api" };
/** Pages hold whole bundles: as many as gh asks for. */
const PER_PAGE = 30;
/** Bundles that are kept elsewhere and fetched at once. */
const AT_ONCE = 4;
/** The version whose answers these are; later ones may be told apart by it. */
const API_VERSION = "2022-11-28";

/**
 * Attestations that GitHub keeps (docs.github.com/rest, "Artifact attestations"): listed page by page, a bundle in the
 * list or at an address of its own. 404 is "there are none", and nothing else is.
 */
export function githubAttestations(services: ServiceClient, place: GithubPlace): EvidenceSource {
  return { look: (subject) => look(new Api(services, place), place, subject) };
}

async function* look(api: Api, place: GithubPlace, subject: Digest): AsyncGenerator<EvidencePage, void, undefined> {
  for (const path of pathsOf(place)) {
    let isKnown = false;
    for await (const entries of api.pages(`${path}/attestations/${subject}`)) {
      isKnown = true;
      for (let at = 0; at < entries.length; at += AT_ONCE) yield await api.bundles(entries.slice(at, at + AT_ONCE));
    }
    // An owner is an organization or a user: the other one is asked only where the first is not.
    if (isKnown) return;
  }
}

function pathsOf({ owner, repository }: GithubPlace): readonly string[] {
  return repository === undefined ? [`orgs/${owner}`, `users/${owner}`] : [`repos/${owner}/${repository}`];
}

/** One entry of the list: the bundle, or where it is. */
type Entry = { readonly bundle: JsonValue } | { readonly url: string };

class Api {
  readonly #services: ServiceClient;
  readonly #place: GithubPlace;

  constructor(services: ServiceClient, place: GithubPlace) {
    this.#services = services;
    this.#place = place;
  }

  /** Nothing where the API knows no such subject. @throws CountersignError where it could not be looked at. */
  async *pages(path: string): AsyncGenerator<readonly Entry[], void, undefined> {
    let url: URL | undefined = this.#address(path);
    for (let page = 1; url !== undefined; page++) {
      if (page > LIMITS.githubPages) throw tooMany();
      const answer = await this.#ask(url);
      if (answer === undefined) return;
      yield readEntries(answer.bytes);
      const link = answer.header("link");
      url = link === undefined ? undefined : nextLink([link], url, WHAT);
    }
  }

  #address(path: string): URL {
    const { api } = this.#place;
    const url = new URL(`${api.pathname.replace(/\/+$/, "")}/${path}`, api);
    url.searchParams.set("per_page", String(PER_PAGE));
    return url;
  }

  async #ask(url: URL): Promise<ServiceAnswer | undefined> {
    const { token } = this.#place;
    const answer = await this.#services.ask({
      url,
      what: WHAT,
      headers: {
        accept: "application/vnd.github+json",
        "x-github-api-version": API_VERSION,
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      },
      expect: [200, 403, 404],
      maxBytes: LIMITS.githubPageBytes,
    });
    if (answer.status === 200) return answer;
    if (answer.status === 404) return undefined;
    throw refusal(url, answer, token !== undefined);
  }

  /** What cannot be fetched hides no other one. */
  async bundles(entries: readonly Entry[]): Promise<EvidencePage> {
    const bundles: Uint8Array[] = [];
    const obstacles: Finding[] = [];
    const read = async (entry: Entry): Promise<void> => {
      try {
        bundles.push("bundle" in entry ? encodeUtf8(JSON.stringify(entry.bundle)) : await this.#fetch(entry.url));
      } catch (error) {
        obstacles.push(findingUnlessInterrupted(error));
      }
    };
    await Promise.all(entries.map(read));
    return { candidates: bundles.map((bytes) => ({ format: "bundle", origin: ORIGIN, bytes })), obstacles };
  }

  /** A short-lived address, often of another host: the token is not for it, and it is itself a secret. */
  async #fetch(address: string): Promise<Uint8Array> {
    const { api } = this.#place;
    const url = URL.parse(address);
    const isPlain = url?.protocol === "http:" && api.protocol === "http:";
    if (url === null || (url.protocol !== "https:" && !isPlain)) {
      throw new CountersignError("redirect-refused", "GitHub keeps a bundle where it is not fetched", {
        found: url === null ? "not a URL" : safeUrl(url),
        wanted: "an address that begins with https",
      });
    }
    const { contentType, bytes } = await this.#services.ask({
      url,
      what: "a bundle that GitHub keeps",
      maxBytes: LIMITS.signatureBytes,
    });
    return /[/+]json$/.test(contentType) ? bytes : decompressSnappy(bytes, LIMITS.signatureBytes);
  }
}

const WHAT = "the attestations of the image";

function readEntries(bytes: Uint8Array): readonly Entry[] {
  const options = { what: "GitHub's list of attestations", code: "protocol-error" } as const;
  const { attestations } = parseJsonObject(bytes, { ...options, maxBytes: LIMITS.githubPageBytes });
  if (!Array.isArray(attestations)) {
    throw new CountersignError("protocol-error", "GitHub's API answers with something else than a list", {
      found: describeJson(attestations),
      wanted: 'a list in "attestations"',
    });
  }
  return attestations.map(readEntry);
}

function readEntry(value: JsonValue): Entry {
  const entry = isObject(value) ? value : {};
  if (isObject(entry["bundle"])) return { bundle: entry["bundle"] };
  const url = entry["bundle_url"];
  if (typeof url === "string" && url !== "") return { url };
  throw new CountersignError("protocol-error", "GitHub's API lists an attestation that is nowhere", {
    found: "neither bundle nor bundle_url",
    wanted: "one of them",
  });
}

/** GitHub says 403 both for what may not be read and for asking too often. */
function refusal(url: URL, answer: ServiceAnswer, hasToken: boolean): CountersignError {
  if (answer.header("x-ratelimit-remaining") === "0" || answer.header("retry-after") !== undefined) {
    return new CountersignError("throttled", `${url.host} asks us to slow down`, {
      found: "403, and no request left",
      next: hasToken
        ? undefined
        : "try again later, or with a token in GH_TOKEN: without one, few requests are allowed",
    });
  }
  return new CountersignError("denied", `${url.host} refuses ${WHAT}`, {
    found: `403, ${hasToken ? "with the token that was given" : "without a token"}`,
    next: "give a token that may read attestations in GH_TOKEN",
  });
}

function tooMany(): CountersignError {
  return new CountersignError("limit-reached", "GitHub keeps more attestations of this image than are read", {
    wanted: `at most ${LIMITS.githubPages} pages`,
  });
}
