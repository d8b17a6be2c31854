import { CountersignError } from "../core/errors.ts";
import type { Digest } from "../core/oci/digest.ts";
import { parseReference, parseRepository, type Reference, repositoryName } from "../core/oci/reference.ts";
import type { ContentStore } from "../core/ports.ts";
import { isTrustTag } from "../core/tags/names.ts";
import type { RootPin } from "../core/tags/pin.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { type RawOptions, text } from "./options.ts";
import { pinsFile } from "./pins-place.ts";

/** The repository that a command on signed tags is about. */
export interface Repository {
  /** `registry.example/acme/app`: what trust is bound to. */
  readonly gun: string;
  readonly reference: Reference;
}

/** @throws CountersignError `reference-invalid`, also for a tag or a digest. */
export function readRepository(name: string): Repository {
  const { registry, repository } = parseRepository(name);
  const reference = { registry, repository };
  return { gun: repositoryName(reference), reference };
}

/** One image of such a repository, by what the command line says of it. */
export interface NamedTag extends Repository {
  /** undefined: only a digest was named. */
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

/**
 * `registry.example/acme/app:1.4@sha256:…`. Nothing is added: what is signed or taken back is what was named.
 *
 * @throws CountersignError `reference-invalid`; `usage` for a name alone, and for tags that hold the metadata itself.
 */
export function readNamedTag(image: string): NamedTag {
  const parsed = parseReference(image);
  const { registry, repository, digest } = parsed;
  const gun = repositoryName(parsed);
  const tag = isTagNamed(image) ? parsed.tag : undefined;
  if (tag === undefined && digest === undefined) {
    throw new CountersignError("usage", "no tag is named", { found: image, wanted: `${gun}:TAG` });
  }
  if (tag !== undefined) refuseTrustTag(tag);
  return { gun, reference: { registry, repository }, tag, digest };
}

/** A repository, or one tag of it. @throws CountersignError `reference-invalid`, also for a digest. */
export function readInspected(name: string): Repository & { readonly tag: string | undefined } {
  if (!isTagNamed(name)) return { ...readRepository(name), tag: undefined };
  const { registry, repository, tag, digest } = parseReference(name);
  if (digest === undefined)
    return { gun: repositoryName({ registry, repository }), reference: { registry, repository }, tag };
  throw new CountersignError("reference-invalid", "not the name of a tag: it has a digest", {
    found: name,
    wanted: "REPOSITORY or REPOSITORY:TAG",
  });
}

/** `latest` is not signed because somebody said nothing. */
function isTagNamed(image: string): boolean {
  const [name = ""] = image.split("@");
  return name.slice(name.lastIndexOf("/") + 1).includes(":");
}

/** @throws CountersignError `usage`. */
export function refuseTrustTag(tag: string): void {
  if (!isTrustTag(tag)) return;
  throw new CountersignError("usage", "this tag holds the metadata of signed tags", {
    found: tag,
    wanted: "the tag of an image",
  });
}

/** The repository that its pin names for the metadata, else the one of the images. */
export function whereMetadataIs(repository: Repository, pin: Pick<RootPin, "location"> | undefined): Repository {
  return pin?.location === undefined ? repository : readRepository(pin.location);
}

export async function openRepository(
  wiring: Wiring,
  { reference }: Pick<Repository, "reference">,
  mode: "read" | "write",
): Promise<ContentStore> {
  return await wiring.open({ kind: "registry", reference }, mode);
}

/** The file of pins as a command takes it. */
export interface PinsFilePlace {
  readonly path: string;
  /** As the user calls it. */
  readonly label: string;
  readonly isNamed: boolean;
  readonly signal: AbortSignal;
}

/** The file of pins: the one that is named, else the user's own. None is looked for in the current folder. */
export function pinsPlace(context: Context, raw: RawOptions): PinsFilePlace {
  return { ...pinsFile(context, text(raw, "pins")), signal: context.signal };
}
