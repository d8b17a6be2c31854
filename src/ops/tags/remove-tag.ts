import type { Digest } from "../../core/oci/digest.ts";
import { artifactTypeOf } from "../../core/oci/manifest.ts";
import type { ContentStore } from "../../core/ports.ts";
import { TRUST_ARTIFACT_TYPE } from "../../core/tags/names.ts";

/**
 * Takes a tag of trust metadata away. Registries like CNCF distribution 2 remove nothing but digests: there what the tag names
 * goes, where it is trust metadata and nobody else needs it.
 */
export async function removeTrustTag(
  store: ContentStore,
  tag: string,
  needed: ReadonlySet<Digest> = new Set(),
): Promise<"removed" | "absent" | "unsupported"> {
  const outcome = (await store.remove?.(tag)) ?? "unsupported";
  if (outcome !== "unsupported") return outcome;
  const manifest = await store.resolve(tag);
  if (manifest === undefined) return "absent";
  const { digest } = manifest.descriptor;
  const isOurs = artifactTypeOf(manifest)?.startsWith(TRUST_ARTIFACT_TYPE) === true;
  if (!isOurs || needed.has(digest)) return "unsupported";
  return (await store.remove?.(digest)) ?? "unsupported";
}
