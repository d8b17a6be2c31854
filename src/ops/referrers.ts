import type { Digest } from "../core/oci/digest.ts";
import { fallbackTag } from "../core/oci/referrers.ts";
import type { ContentStore, ReferrersListing } from "../core/ports.ts";

/**
 * What is listed in the other place, and not in the first. The fallback tag beside the referrers API: a registry that
 * gained the API need not have taken over what was kept under the tag before (distribution-spec, "Enabling the Referrers
 * API"). The API beside the tag, where only a memory said that there is none. Some registries answer the tag with the
 * image itself: that lists nothing.
 */
export async function listedBeside(
  store: ContentStore,
  subject: Digest,
  { descriptors, via, rest }: ReferrersListing,
): Promise<ReferrersListing> {
  const other = rest === undefined ? await taggedBeside(store, subject, via) : await rest();
  const listed = new Set(descriptors.map(({ digest }) => digest));
  return { via: other.via, descriptors: other.descriptors.filter(({ digest }) => !listed.has(digest)) };
}

async function taggedBeside(
  store: ContentStore,
  subject: Digest,
  via: ReferrersListing["via"],
): Promise<ReferrersListing> {
  const manifest = via === "referrers-api" ? await store.resolve(fallbackTag(subject)) : undefined;
  const isListing = manifest?.kind === "index" && manifest.descriptor.digest !== subject;
  return { via: "referrers-tag", descriptors: isListing ? manifest.manifests : [] };
}

/** Everything that refers to a digest, by the API and by the tag. */
export async function allReferrers(store: ContentStore, subject: Digest): Promise<ReferrersListing> {
  const listing = await store.referrers(subject);
  const beside = await listedBeside(store, subject, listing);
  return { via: listing.via, descriptors: [...listing.descriptors, ...beside.descriptors] };
}
