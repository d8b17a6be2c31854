/** How a layer's tar is compressed. */
export type LayerCompression = "none" | "gzip" | "zstd";

const SUFFIXES: Readonly<Record<string, LayerCompression>> = { "": "none", gzip: "gzip", zstd: "zstd" };

/** Image-spec layer.md: its media types and the non-distributable ones of old. */
const OCI_LAYER = /^application\/vnd\.oci\.image\.layer\.(?:nondistributable\.)?v1\.tar(?:\+(gzip|zstd))?$/;
/** Image-spec media-types.md, "Compatibility Matrix", and BuildKit's zstd form. */
const DOCKER_LAYER = /^application\/vnd\.docker\.image\.rootfs\.(?:foreign\.)?diff\.tar(?:\.(gzip|zstd))?$/;

/**
 * The compression that a media type declares, and that its bytes must have; undefined for what is no file system layer:
 * a signature, a statement, an encrypted layer.
 */
export function layerCompression(mediaType: string): LayerCompression | undefined {
  const match = OCI_LAYER.exec(mediaType) ?? DOCKER_LAYER.exec(mediaType);
  return match === null ? undefined : SUFFIXES[match[1] ?? ""];
}

/** Image-spec layer.md, "Non-Distributable Layers" (deprecated): registries often do not hold them. */
export function isForeignLayer(mediaType: string): boolean {
  return mediaType.includes(".nondistributable.") || mediaType.includes(".rootfs.foreign.");
}
