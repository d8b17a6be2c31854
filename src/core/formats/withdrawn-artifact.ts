import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Descriptor, describe, EMPTY_DESCRIPTOR } from "../oci/descriptor.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../oci/media-types.ts";

/**
 * A list of withdrawn digests and the bundle over its bytes as one OCI artifact (image-spec 1.1, manifest.md, "Guidelines for
 * Artifact Usage"), so that a tag names both or neither. The manifest itself is signed by nobody and proves nothing.
 */
export interface WithdrawnArtifact {
  readonly manifest: Manifest;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}

export function makeWithdrawnArtifact(list: Uint8Array, bundle: Uint8Array): WithdrawnArtifact {
  const parts = [
    { descriptor: EMPTY_DESCRIPTOR, bytes: EMPTY_JSON },
    { descriptor: describe(list, MEDIA_TYPES.withdrawn), bytes: list },
    { descriptor: describe(bundle, MEDIA_TYPES.sigstoreBundle), bytes: bundle },
  ] as const;
  const [config, ...layers] = parts.map(({ descriptor }) => descriptor);
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: MEDIA_TYPES.withdrawn,
    config,
    layers,
  });
  return { manifest: parseManifest(encodeUtf8(text), MEDIA_TYPES.ociManifest), blobs: parts };
}

/** @throws CountersignError `policy-invalid` where what is there is no list with its bundle, `limit-reached`. */
export function readWithdrawnArtifact(
  manifest: Manifest,
  label: string,
): { readonly list: Descriptor; readonly bundle: Descriptor } {
  const { artifactType = "no artifact type" } = manifest;
  const [list, bundle, ...others] = manifest.kind === "image" ? manifest.layers : [];
  const isOne = list?.mediaType === MEDIA_TYPES.withdrawn && bundle?.mediaType === MEDIA_TYPES.sigstoreBundle;
  if (artifactType !== MEDIA_TYPES.withdrawn) throw noList(label, artifactType, MEDIA_TYPES.withdrawn);
  if (list === undefined || bundle === undefined || !isOne || others.length > 0) {
    throw noList(label, "other layers", "a list, and the Sigstore bundle over it");
  }
  requireSize(list, LIMITS.withdrawnBytes, label);
  requireSize(bundle, LIMITS.signatureBytes, label);
  return { list, bundle };
}

function requireSize({ size }: Descriptor, most: number, label: string): void {
  if (size <= most) return;
  throw new CountersignError("limit-reached", `the list of withdrawn digests ${label} is too large to read`, {
    found: `${size} bytes`,
    wanted: `at most ${most} bytes`,
  });
}

function noList(label: string, found: string, wanted: string): CountersignError {
  return new CountersignError("policy-invalid", `${label} is no list of withdrawn digests`, {
    found,
    wanted,
    next: "check the reference; countersign policy withdraw --push stores lists",
  });
}
