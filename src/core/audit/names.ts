/** The parts of a plan item's key, `registry.example/acme/app:1.4@sha256:…`. */
export interface ImageName {
  /** With its registry. */
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
}

/** A normalised name taken apart; a text that is none comes back as the repository. */
export function splitImage(image: string): ImageName {
  const [name = "", digest] = image.split("@");
  const colon = name.lastIndexOf(":");
  // Before the last slash a colon belongs to the registry's port.
  const hasTag = colon > name.lastIndexOf("/");
  return { repository: hasTag ? name.slice(0, colon) : name, tag: hasTag ? name.slice(colon + 1) : undefined, digest };
}

/** What stays the same when a pin moves: `registry.example/acme/app:1.4`; the whole where there is no tag. */
export function withoutDigest(image: string): string {
  return splitImage(image).tag === undefined ? image : (image.split("@")[0] ?? image);
}
