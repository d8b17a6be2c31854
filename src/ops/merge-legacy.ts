import { compareTexts, encodeUtf8 } from "../core/bytes.ts";
import { legacyConfig } from "../core/formats/cosign-legacy.ts";
import { type JsonObject, type JsonValue, parseJsonObject } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";
import { type Descriptor, describe } from "../core/oci/descriptor.ts";
import { type Manifest, parseManifest } from "../core/oci/manifest.ts";
import type { ContentStore } from "../core/ports.ts";
import { sourceOf } from "./prepare-signature.ts";

/** cosign's tags: signatures and attestations are added to one another, an SBOM takes the place of the one before. */
export type LegacySuffix = "sig" | "att" | "sbom";

/** Whether everything that `wanted` keeps under such a tag is in `found`. */
export function holdsLayers(found: Manifest, wanted: Manifest, suffix: LegacySuffix): boolean {
  if (found.descriptor.digest === wanted.descriptor.digest) return true;
  if (suffix === "sbom" || found.kind !== "image" || wanted.kind !== "image") return false;
  const there = new Set(found.layers.map(identityOf));
  return wanted.layers.every((layer) => there.has(identityOf(layer)));
}

/**
 * What shall be under the tag: `wanted` as it is, unless somebody else keeps something there. Then their document with
 * our layers added, every member and layer of theirs kept.
 */
export async function mergeLegacy(
  store: ContentStore,
  existing: Manifest | undefined,
  wanted: Manifest,
  suffix: LegacySuffix,
): Promise<Manifest> {
  if (existing === undefined || holdsLayers(wanted, existing, suffix) || suffix === "sbom") return wanted;
  if (existing.kind !== "image" || wanted.kind !== "image") return wanted;
  const there = new Set(existing.layers.map(identityOf));
  const [document, ours] = [readDocument(existing), readDocument(wanted)];
  const added = listOf(ours["layers"]).filter((_, at) => {
    const layer = wanted.layers[at];
    return layer !== undefined && !there.has(identityOf(layer));
  });
  const layers = [...existing.layers, ...wanted.layers.filter((layer) => !there.has(identityOf(layer)))];
  const bytes = encodeUtf8(legacyConfig(layers.map((layer) => layer.digest)));
  const { mediaType, size, digest } = describe(bytes, existing.config.mediaType);
  await store.pushBlob({ mediaType, size, digest }, sourceOf(bytes));
  const merged = {
    ...document,
    config: { mediaType, size, digest },
    layers: [...listOf(document["layers"]), ...added],
  };
  return parseManifest(encodeUtf8(JSON.stringify(merged)), existing.descriptor.mediaType);
}

/** Two signatures may share a payload, and differ in their annotations only. */
function identityOf({ digest, annotations }: Descriptor): string {
  const entries = Object.entries(annotations ?? {}).toSorted(([a], [b]) => compareTexts(a, b));
  return JSON.stringify([digest, entries]);
}

function readDocument(manifest: Manifest): JsonObject {
  return parseJsonObject(manifest.bytes, {
    what: "the manifest",
    code: "manifest-invalid",
    maxBytes: LIMITS.manifestBytes,
  });
}

function listOf(value: JsonValue | undefined): readonly JsonValue[] {
  return Array.isArray(value) ? value : [];
}
