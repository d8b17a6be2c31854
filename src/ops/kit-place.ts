import { CountersignError } from "../core/errors.ts";
import { isHead, type KitImage, kitImageName, layoutNameOf } from "../core/formats/kit.ts";
import { formatReference, parseReference, type Reference } from "../core/oci/reference.ts";
import type { Collection, ContentStore, Destination } from "../core/ports.ts";
import type { KitEntry } from "./kit-contents.ts";
import { placeHead } from "./tags/carry.ts";

/** Where the images of a kit go, all of them together. */
export interface KitPlace extends Pick<Destination, "discard" | "suspend"> {
  /** Images without a tag may be cleared away there. */
  readonly isSwept: boolean;
  /** As one would name the image there. */
  nameOf(image: KitImage): string;
  /** The store that takes an image's content. */
  storeFor(image: KitImage): Promise<ContentStore>;
  /** Gives an image its name; the content of all of them is there. @returns what the user should know, in sentences. */
  name(entry: KitEntry): Promise<readonly string[]>;
  /** All of them have their names. */
  commit(): Promise<void>;
}

// --- a registry -------------------------------------------------------------------------------------------------------

/** A registry, and the path in it below which every image keeps the path that it was saved from. */
export interface RegistryPrefix {
  /** Host and port. */
  readonly registry: string;
  /** `mirror/kits`; empty for the top. */
  readonly path: string;
}

/**
 * `HOST[:PORT][/PATH]`. The host is never taken for granted: what was meant as a folder would go to Docker Hub.
 *
 * @throws CountersignError `reference-invalid`.
 */
export function parsePrefix(text: string): RegistryPrefix {
  const [host = "", ...parts] = text.split("/");
  const isHost = host === "localhost" || /[.:]/.test(host);
  // What a registry makes of a path shows in what it makes of an image in it.
  const { registry, repository, digest } = isHost ? parseReference(`${text}/${IMAGE}`) : NOWHERE;
  if (registry === "" || digest !== undefined || !repository.endsWith(IMAGE)) {
    throw new CountersignError("reference-invalid", "not a registry, with or without a path in it", {
      found: text,
      wanted: "HOST[:PORT][/PATH]; for a folder, oci:DIR",
    });
  }
  return { registry, path: parts.length === 0 ? "" : repository.slice(0, -IMAGE.length - 1) };
}

const IMAGE = "image";
const NOWHERE: Reference = { registry: "", repository: "" };

/**
 * Images in a registry, each in the repository of its own path below the prefix; one that was saved from a file goes to
 * the prefix itself. The tags are moved last, when all content of all images is there.
 *
 * @throws CountersignError `usage` where two images would get one name, `reference-invalid` where one would get none.
 */
export function registryPlace(
  prefix: RegistryPrefix,
  images: readonly KitImage[],
  open: (reference: Reference) => Promise<ContentStore>,
): KitPlace {
  refuseSharedTargets(prefix, images);
  const stores = new Map<string, Promise<ContentStore>>();
  const storeFor = (image: KitImage): Promise<ContentStore> => {
    const { registry, repository } = targetOf(prefix, image);
    const known = stores.get(repository) ?? open({ registry, repository });
    stores.set(repository, known);
    return known;
  };
  return {
    isSwept: true,
    nameOf: (image) => formatReference(targetOf(prefix, image)),
    storeFor,
    async name({ image, root }) {
      const store = await storeFor(image);
      if (isHead(image)) return await placeHead(root, store);
      if (image.tag !== undefined) await store.pushManifest(root, image.tag);
      return [];
    },
    // Content under its digest is out of sight in a registry until a tag names it.
    commit: async () => {},
    discard: async () => {},
    suspend: async () => {},
  };
}

/** `registry.example/acme/app` below `mirror.example/kits` is `mirror.example/kits/acme/app`. */
function targetOf({ registry, path }: RegistryPrefix, { repository, tag, manifest }: KitImage): Reference {
  const own = repository?.slice(repository.indexOf("/") + 1);
  const name = [path, own ?? ""].filter((part) => part !== "").join("/");
  if (name === "") {
    throw new CountersignError(
      "reference-invalid",
      "an image that was saved from a file has no repository of its own",
      {
        found: tag ?? manifest.digest,
        wanted: `${registry}/REPOSITORY as the place to load to`,
      },
    );
  }
  const named = tag === undefined ? `@${manifest.digest}` : `:${tag}`;
  return parseReference(`${registry}/${name}${named}`);
}

function refuseSharedTargets(prefix: RegistryPrefix, images: readonly KitImage[]): void {
  const taken = new Map<string, KitImage>();
  for (const image of images) {
    const target = formatReference(targetOf(prefix, image));
    const other = taken.get(target);
    if (other !== undefined && other.manifest.digest !== image.manifest.digest) {
      throw new CountersignError("usage", "two images of the kit would get one name", {
        found: `${target}, for ${kitImageName(other)} and ${kitImageName(image)}`,
        wanted: "a name for each",
        next: "load the kit to oci:DIR, and copy its images from there with countersign copy",
      });
    }
    taken.set(target, image);
  }
}

// --- files ------------------------------------------------------------------------------------------------------------

/** Images in a new folder or archive, which is there when all of them are. `location` is as the user wrote it. */
export function filePlace(collection: Collection, location: string, images: readonly KitImage[]): KitPlace {
  return {
    isSwept: false,
    nameOf: (image) => `${location}${addressIn(images, image)}`,
    storeFor: async () => collection.store,
    async name({ image, root }) {
      await collection.list(root, layoutNameOf(image));
      return [];
    },
    async commit() {
      const [first] = images;
      if (first === undefined) await collection.discard();
      else await collection.commit(first.manifest.digest);
    },
    discard: () => collection.discard(),
    suspend: () => collection.suspend(),
  };
}

/** By its tag, unless another image has it too: a whole reference cannot be told from a path. */
function addressIn(images: readonly KitImage[], { tag, manifest: { digest } }: KitImage): string {
  const isShared = images.some((other) => other.tag === tag && other.manifest.digest !== digest);
  return tag === undefined || isShared ? `@${digest}` : `:${tag}`;
}
