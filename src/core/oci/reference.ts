import { CountersignError } from "../errors.ts";
import { type Digest, isDigest } from "./digest.ts";

/** A name in a registry, normalised as Docker does: `[registry/]repository[:tag][@digest]`. */
export interface Reference {
  /** Host and optional port, lower case; `docker.io` for Docker Hub. */
  readonly registry: string;
  /** Path in the registry, `library/` included on Docker Hub. */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: Digest | undefined;
}

const HUB = "docker.io";
/** Exactly these are Docker Hub: a suffix test would also match `evil-docker.io` (CVE-2023-45821). */
const HUB_NAMES: ReadonlySet<string> = new Set([HUB, "index.docker.io", "registry-1.docker.io"]);

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$/;
const HOST_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?$/;
const MAX_PATH = 255;
/** Longer than any valid reference: host and port, path, tag and a sha512 digest. */
const MAX_TEXT = 1024;

/**
 * The strict reading wherever tools differ: two tools that read one string differently are a way round a policy.
 * Without a tag and a digest, the tag is `latest`.
 *
 * @throws CountersignError `reference-invalid`.
 */
export function parseReference(text: string): Reference {
  if (text.length > MAX_TEXT) throw invalid(text, "it is too long", `at most ${MAX_TEXT} characters`);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) {
    throw invalid(text, "it has a scheme", text.replace(/^[^:]*:\/\//, ""));
  }
  // Never a registry of that name with a port: a digest that was cut or mistyped must not become one.
  if (/^sha(?:256|512):/i.test(text))
    throw invalid(text, "it is a bare digest", "the repository before it: repository@sha256:…");
  const { name, tag, digest } = splitReference(text);
  const { registry, repository } = splitName(text, name);
  checkRepository(text, repository);
  const effective = tag ?? (digest === undefined ? "latest" : undefined);
  return {
    registry,
    repository,
    ...(effective === undefined ? {} : { tag: effective }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/**
 * `[registry/]repository` alone, normalised.
 *
 * @throws CountersignError `reference-invalid`, also for a tag or a digest.
 */
export function parseRepository(text: string): Pick<Reference, "registry" | "repository"> {
  const { registry, repository } = parseReference(text);
  const { tag, digest } = splitReference(text);
  if (tag !== undefined) throw invalid(text, "it has a tag", repositoryName({ registry, repository }));
  if (digest !== undefined) throw invalid(text, "it has a digest", repositoryName({ registry, repository }));
  return { registry, repository };
}

function splitReference(text: string): { name: string; tag: string | undefined; digest: Digest | undefined } {
  const at = text.indexOf("@");
  const digest = at === -1 ? undefined : text.slice(at + 1);
  if (digest !== undefined && !isDigest(digest)) {
    throw invalid(text, "its digest is not one", "@sha256: and 64 lower-case hexadecimal digits");
  }
  const named = at === -1 ? text : text.slice(0, at);
  const colon = named.lastIndexOf(":");
  const hasTag = colon > named.lastIndexOf("/") && colon > named.lastIndexOf("]");
  const tag = hasTag ? named.slice(colon + 1) : undefined;
  if (tag !== undefined && !TAG.test(tag)) {
    throw invalid(
      text,
      "its tag is not one",
      "letters, digits, '_', '.', '-', at most 128, not starting with '.' or '-'",
    );
  }
  return { name: hasTag ? named.slice(0, colon) : named, tag, digest };
}

function splitName(text: string, name: string): { registry: string; repository: string } {
  const slash = name.indexOf("/");
  const first = slash === -1 ? "" : name.slice(0, slash);
  const isHost = first === "localhost" || first.includes(".") || first.includes(":") || /[A-Z]/.test(first);
  if (!isHost) return { registry: HUB, repository: name.includes("/") ? name : `library/${name}` };
  const registry = parseHost(text, first);
  const path = name.slice(slash + 1);
  if (!HUB_NAMES.has(registry)) return { registry, repository: path };
  return { registry: HUB, repository: path.includes("/") ? path : `library/${path}` };
}

function parseHost(text: string, host: string): string {
  const match = /^(\[[0-9A-Fa-f:]+\]|[^:[\]]+)(?::([1-9][0-9]*))?$/.exec(host);
  const [, name, port] = match ?? [];
  if (name === undefined) throw invalid(text, "its registry is not a host name", "host, host:port or [IPv6]:port");
  if (port !== undefined && Number(port) > 65_535) {
    throw invalid(text, "its port is out of range", "1 to 65535");
  }
  const bracketed = name.startsWith("[");
  if (bracketed ? !isIpv6(name) : !name.split(".").every((label) => HOST_LABEL.test(label))) {
    throw invalid(text, "its registry is not a host name", "host, host:port or [IPv6]:port");
  }
  if (!isCanonicalHost(name)) {
    throw invalid(
      text,
      "its registry is an address that can be read in several ways",
      name.startsWith("[") ? "the shortest form of the address, as in [::1]" : "four decimal numbers, or a name",
    );
  }
  const dotted = name.includes(".") || port !== undefined || bracketed || name.toLowerCase() === "localhost";
  if (!dotted) {
    throw invalid(
      text,
      "a registry's host name needs a dot or a port",
      `${name.toLowerCase()}:443/…, or a lower-case repository`,
    );
  }
  return host.toLowerCase();
}

/**
 * WHATWG URL takes a name whose last part is a number for an IPv4 address: `0x7f.1` and `127.1` are 127.0.0.1 to it. Of an
 * IPv6 address there are many spellings and one is the shortest (RFC 5952).
 */
function isCanonicalHost(name: string): boolean {
  return URL.parse(`https://${name}/`)?.hostname === name.toLowerCase();
}

function isIpv6(bracketed: string): boolean {
  return URL.canParse(`http://${bracketed}/`);
}

function checkRepository(text: string, repository: string): void {
  const lower = repository.toLowerCase();
  if (!lower.split("/").every((part) => COMPONENT.test(part))) {
    throw invalid(
      text,
      "its repository is not a path",
      "lower-case letters and digits, joined by '.', '_', '__' or '-', separated by '/'",
    );
  }
  if (lower !== repository)
    throw invalid(text, "its repository has upper-case letters", lower.replace(/^library\//, ""));
  if (repository.length > MAX_PATH) throw invalid(text, "its repository is too long", `at most ${MAX_PATH} characters`);
  if (/^library\/[0-9a-f]{64}$/.test(repository)) throw invalid(text, "it looks like an image id", "a repository name");
}

/** `registry/repository`, as a legacy payload's `docker-reference` names it. */
export function repositoryName(reference: Pick<Reference, "registry" | "repository">): string {
  return `${reference.registry}/${reference.repository}`;
}

/** The whole reference in canonical form, tag and digest both kept. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? "" : `:${reference.tag}`;
  const digest = reference.digest === undefined ? "" : `@${reference.digest}`;
  return `${repositoryName(reference)}${tag}${digest}`;
}

/** 127.0.0.0/8, ::1 and localhost: the only hosts that plain HTTP is spoken to unasked. */
export function isLoopback(registry: string): boolean {
  const host = registry.replace(/:[0-9]+$/, "");
  return host === "localhost" || host === "[::1]" || /^127(?:\.[0-9]{1,3}){3}$/.test(host);
}

function invalid(text: string, why: string, wanted: string): CountersignError {
  return new CountersignError("reference-invalid", `not an image reference: ${why}`, { found: text, wanted });
}
