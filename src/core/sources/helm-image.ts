import { emptySlot } from "./member-slot.ts";
import type { Mention, SourcePlace } from "./mention.ts";
import { referenceSlot } from "./slot.ts";
import type { SourceEntry, SourceNode } from "./source-node.ts";

/** An image that several members of a mapping describe together. */
export interface ValuesImage {
  /** Those members. */
  readonly members: readonly string[];
  /** Without its version. */
  readonly name: string;
  /** As charts put it together; undefined where they say no version: the chart knows it. */
  readonly image: string | undefined;
  readonly place: SourcePlace;
  readonly pin: Pick<Mention, "slot" | "fixed">;
}

/** Whether a value of this name is an image: `image`, `sidecarImage`, `init_image`. */
export function isImageName(name: string): boolean {
  return /(?:^|[a-z0-9_-])image$/i.test(name);
}

/**
 * The image that a mapping describes, undefined where it describes none: it names no repository, or one of something else.
 *
 * @param called The name of the mapping itself.
 * @param root All the values: `global` may say which registry is meant.
 */
export function imageIn(map: SourceNode, called: string, root: SourceNode, text: string): ValuesImage | undefined {
  if (map.kind !== "map") return undefined;
  const members = new Members(map);
  const named = nameIn(members, called);
  if (named === undefined) return undefined;
  const tag =
    members.entry("tag") ?? members.entry("imageTag") ?? (named.length > 1 ? members.entry("version") : undefined);
  const digest = digestIn(members);
  const name = [registryIn(members, root), ...named.map((member) => members.text(member))].filter(Boolean).join("/");
  const version = [tag === undefined ? "" : `:${tag.value.text()}`, digest === undefined ? "" : `@${digest.text}`].join(
    "",
  );
  return {
    members: [...named, "registry", "tag", "imageTag", "digest", "sha"],
    name,
    image: version === "" || isCompletedByChart(members, named) ? undefined : `${name}${version}`,
    place: placeOf(digest?.entry ?? tag ?? members.entry(named[0] ?? "")) ?? map.place,
    pin: pinOf(members, tag, digest, text),
  };
}

/** The members of a mapping that say something. */
class Members {
  readonly #map: SourceNode;

  constructor(map: SourceNode) {
    this.#map = map;
  }

  has(name: string): boolean {
    return this.#map.get(name) !== undefined;
  }

  text(name: string): string | undefined {
    return this.#map.get(name)?.text() || undefined;
  }

  /** One that has a text. */
  entry(name: string): SourceEntry | undefined {
    return this.text(name) === undefined ? undefined : this.written(name);
  }

  /** Also one that is empty. */
  written(name: string): SourceEntry | undefined {
    return this.#map.entries().find((entry) => entry.name === name);
  }
}

/**
 * Which members make up the name: `repository`; `repository` and `image` in it; `image` alone, where a tag or a registry
 * stands beside it; `name` in a mapping that is called an image. Other things have repositories as well: charts, sources.
 */
function nameIn(members: Members, called: string): readonly string[] | undefined {
  const isImage = isImageName(called);
  const hasVersion = ["tag", "imageTag", "digest", "sha"].some((name) => members.has(name));
  const repository = members.text("repository");
  const image = members.text("image");
  if (repository !== undefined) {
    if (isLocation(repository)) return undefined;
    if (image !== undefined && !/[:@]/.test(image)) return ["repository", "image"];
    return isImage || hasVersion ? ["repository"] : undefined;
  }
  const isBesideVersion = hasVersion || members.has("registry");
  if (image !== undefined && isBesideVersion && !/[:@][^/]+$/.test(image)) return ["image"];
  return isImage && members.text("name") !== undefined ? ["name"] : undefined;
}

/** An empty `repository` beside a name: the chart puts something before the name unless one is given. */
function isCompletedByChart(members: Members, [first]: readonly string[]): boolean {
  return first === "name" && members.has("repository");
}

/** `https://…`, `git@host:…`, `oci://…`: where a chart or a source is. */
function isLocation(repository: string): boolean {
  return /:\/\/|^[^/]*@|\.git$/.test(repository);
}

/** Its own, but for what `global` says of all images (Bitnami's `imageRegistry`), or of those that say none. */
function registryIn(members: Members, root: SourceNode): string | undefined {
  const global = root.get("global");
  const own = members.text("registry");
  const forAll = global?.get("imageRegistry")?.text();
  if (members.has("registry") && forAll) return forAll;
  if (own !== undefined) return own;
  return members.has("registry") || !members.has("repository")
    ? global?.get("image")?.get("registry")?.text()
    : undefined;
}

interface Digest {
  readonly entry: SourceEntry;
  readonly text: string;
}

/** `digest`, unless `useDigest` is off; `sha`, which is written without its algorithm. */
function digestIn(members: Members): Digest | undefined {
  const digest = takesDigest(members) ? members.entry("digest") : undefined;
  if (digest !== undefined) return { entry: digest, text: digest.value.text() ?? "" };
  const sha = members.entry("sha");
  const text = sha?.value.text() ?? "";
  return sha && { entry: sha, text: text.includes(":") ? text : `sha256:${text}` };
}

function takesDigest(members: Members): boolean {
  return members.has("digest") && members.text("useDigest") !== "false";
}

/** As a label, perhaps, that a digest would break. */
const REPEATED = "an alias repeats its tag, and would repeat the digest behind it as well";
const NOT_WRITTEN = "the version does not stand in the file as it is read";

/** The digest stands in `digest` where the chart has that, else behind the tag, which charts put behind the name. */
function pinOf(
  members: Members,
  tag: SourceEntry | undefined,
  digest: Digest | undefined,
  text: string,
): ValuesImage["pin"] {
  const slot = digest === undefined ? emptyOrBehind(members, tag, text) : ofDigest(digest);
  if (slot !== undefined) return { slot };
  if (digest === undefined && tag?.value.isShared === true) return { fixed: REPEATED };
  const isBare = digest !== undefined && digest.entry.value.text() !== digest.text;
  return { fixed: isBare ? "its digest is written without the algorithm: sha256" : NOT_WRITTEN };
}

function ofDigest({ entry, text }: Digest): ValuesImage["pin"]["slot"] {
  if (entry.value.text() !== text) return undefined;
  return referenceSlot(`@${text}`, (from, to) => entry.value.span(from - 1, to - 1));
}

function emptyOrBehind(members: Members, tag: SourceEntry | undefined, text: string): ValuesImage["pin"]["slot"] {
  const tagged = tag?.value.text() ?? "";
  const digest = takesDigest(members) ? members.written("digest") : undefined;
  if (digest !== undefined && !tagged.includes("@")) return emptySlot(text, digest);
  if (tag?.value.isShared === true) return undefined;
  return tag && referenceSlot(tagged, (from, to) => tag.value.span(from, to));
}

function placeOf(entry: SourceEntry | undefined): SourcePlace | undefined {
  return entry?.value.placeOf(entry.value.span(0, 1)?.start ?? entry.value.start);
}
