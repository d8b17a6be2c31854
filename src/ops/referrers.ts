import type { Descriptor } from "../core/oci/descriptor.ts";
import type { Digest } from "../core/oci/digest.ts";
import { fallbackTag } from "../core/oci/referrers.ts";
import type { ContentStore, ReferrersListing } from "../core/ports.ts";

/**
 * What the fallback tag lists beside the referrers API: a registry that gained the API need not have taken over what was
 * kept under the tag before (distribution-spec, "Enabling the Referrers API"). Some registries answer the tag with the
 * image itself: that lists nothing. Empty where the tag is what was listed in the first place.
 */
export async function taggedBeside(
  store: ContentStore,
  subject: Digest,
  { descriptors, via }: ReferrersListing,
): Promise<readonly Descriptor[]> {
  if (via !== "referrers-api") return [];
  const manifest = await store.resolve(fallbackTag(subject));
  if (manifest?.kind !== "index" || manifest.descriptor.digest === subject) return [];
  const listed = new Set(descriptors.map(({ digest }) => digest));
  return manifest.manifests.filter(({ digest }) => !listed.has(digest));
}

/** Everything that refers to a digest, by the API and by the tag. */
export async function allReferrers(store: ContentStore, subject: Digest): Promise<ReferrersListing> {
  const listing = await store.referrers(subject);
  const beside = await taggedBeside(store, subject, listing);
  return { ...listing, descriptors: [...listing.descriptors, ...beside] };
}
