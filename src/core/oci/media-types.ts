/** The closed list of media types this project reads and writes. */
export const MEDIA_TYPES = {
  ociManifest: "application/vnd.oci.image.manifest.v1+json",
  ociIndex: "application/vnd.oci.image.index.v1+json",
  ociConfig: "application/vnd.oci.image.config.v1+json",
  ociEmpty: "application/vnd.oci.empty.v1+json",
  ociLayer: "application/vnd.oci.image.layer.v1.tar",
  ociLayerGzip: "application/vnd.oci.image.layer.v1.tar+gzip",
  ociLayerZstd: "application/vnd.oci.image.layer.v1.tar+zstd",
  dockerManifest: "application/vnd.docker.distribution.manifest.v2+json",
  dockerList: "application/vnd.docker.distribution.manifest.list.v2+json",
  dockerConfig: "application/vnd.docker.container.image.v1+json",
  dockerLayer: "application/vnd.docker.image.rootfs.diff.tar",
  dockerLayerGzip: "application/vnd.docker.image.rootfs.diff.tar.gzip",
  sigstoreBundle: "application/vnd.dev.sigstore.bundle.v0.3+json",
  simpleSigning: "application/vnd.dev.cosign.simplesigning.v1+json",
  intoto: "application/vnd.in-toto+json",
  dsse: "application/vnd.dsse.envelope.v1+json",
  /** The artifact type of the manifest that makes an archive a kit, and its first layer: the list of what is in it. */
  kit: "application/vnd.countersign.kit.v1",
  kitList: "application/vnd.countersign.kit.v1+json",
  /** A trust policy as it is written. */
  policy: "application/vnd.countersign.policy.v1+yaml",
  /** A list of withdrawn digests, and the artifact that holds it with its bundle. */
  withdrawn: "application/vnd.countersign.withdrawn.v1+json",
  trustedRoot: "application/vnd.dev.sigstore.trustedroot+json",
  tufMetadata: "application/vnd.tuf.metadata+json",
} as const;

/** What the media types of all versions of Sigstore's bundle begin with. A hint of where to look, never a check. */
export const BUNDLE_PREFIX = "application/vnd.dev.sigstore.bundle";

/** All four on every manifest request: some registries answer 404 to a stored type that is not listed. */
export const MANIFEST_TYPES: readonly string[] = [
  MEDIA_TYPES.ociIndex,
  MEDIA_TYPES.ociManifest,
  MEDIA_TYPES.dockerList,
  MEDIA_TYPES.dockerManifest,
];

export function isIndexType(mediaType: string): boolean {
  return mediaType === MEDIA_TYPES.ociIndex || mediaType === MEDIA_TYPES.dockerList;
}

export function isManifestType(mediaType: string): boolean {
  return MANIFEST_TYPES.includes(mediaType);
}

/** A media type without its parameters, lower-cased: `Application/JSON; charset=utf-8` is `application/json`. */
export function bareType(contentType: string): string {
  return contentType.replace(/;.*$/s, "").trim().toLowerCase();
}

/** The two bytes `{}` that OCI 1.1 artifacts use as their configuration. */
export const EMPTY_JSON: Uint8Array = new Uint8Array([0x7b, 0x7d]);
