import { encodeUtf8 } from "../../core/bytes.ts";
import { CountersignError } from "../../core/errors.ts";
import { explainBriefly } from "../../core/explain.ts";
import { EMPTY_DESCRIPTOR } from "../../core/oci/descriptor.ts";
import { type Manifest, parseManifest } from "../../core/oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../core/oci/media-types.ts";
import type { ContentStore } from "../../core/ports.ts";
import type { ReasonCode } from "../../core/reasons.ts";
import { probeTag, TRUST_ARTIFACT_TYPE } from "../../core/tags/names.ts";
import { formatInstantExactly, type Instant } from "../../core/time.ts";
import { sourceOf } from "../prepare-signature.ts";
import { removeTrustTag } from "./remove-tag.ts";

/**
 * Finds out whether a tag can be moved there: trust metadata cannot live where it cannot. A tag beside the head is used, under
 * the same beginning, so that one exemption in the registry's settings covers both; where the registry deletes, it goes again.
 *
 * @throws CountersignError `tags-immutable`; `write-unconfirmed` where the tag says something else than what was written; what
 * the store throws.
 */
export async function requireMovableTags(store: ContentStore, head: string, now: Instant): Promise<void> {
  const tag = probeTag(head);
  const [first, second] = [probe(now, "first"), probe(now, "second")];
  await store.pushBlob(EMPTY_DESCRIPTOR, sourceOf(EMPTY_JSON));
  const wasThere = (await store.resolve(tag)) !== undefined;
  if (!wasThere) await store.pushManifest(first, tag);
  await move(store, second, tag);
  const found = (await store.resolve(tag))?.descriptor.digest;
  if (found === second.descriptor.digest) {
    await removeTrustTag(store, tag).catch(() => undefined);
    return;
  }
  // 201, and the tag stays where it was: some registries freeze tags without a word.
  if (wasThere || found === first.descriptor.digest) throw immutable(store, tag, "it says yes and keeps the old one");
  throw new CountersignError("write-unconfirmed", `${store.location} does not show what was written to a tag`, {
    found: found ?? "no such tag",
    wanted: `${tag}: ${second.descriptor.digest}`,
  });
}

/** A first write went through, so the account may write: what is refused now is the second one. */
const REFUSALS: ReadonlySet<ReasonCode> = new Set(["denied", "protocol-error"]);

async function move(store: ContentStore, manifest: Manifest, tag: string): Promise<void> {
  try {
    await store.pushManifest(manifest, tag);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || !REFUSALS.has(thrown.code)) throw thrown;
    throw immutable(store, tag, explainBriefly(thrown), thrown);
  }
}

function immutable({ location }: ContentStore, tag: string, found: string, cause?: unknown): CountersignError {
  return new CountersignError("tags-immutable", `${location} does not let a tag be moved`, {
    found: `${tag}: ${found}`,
    wanted: `tags that begin with ${tag.slice(0, tag.lastIndexOf("."))} can be written again`,
    next: "exempt these tags from the registry's rule, or keep the metadata in a repository without one: --location REPO",
    cause,
  });
}

function probe(now: Instant, which: string): Manifest {
  const empty = { ...EMPTY_DESCRIPTOR };
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: `${TRUST_ARTIFACT_TYPE}.probe`,
    config: empty,
    layers: [empty],
    annotations: { "countersign.trust.probe": `${which}, ${formatInstantExactly(now)}` },
  });
  return parseManifest(encodeUtf8(text), MEDIA_TYPES.ociManifest);
}
