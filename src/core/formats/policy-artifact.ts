import { encodeUtf8 } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Descriptor, describe, EMPTY_DESCRIPTOR } from "../oci/descriptor.ts";
import { type Manifest, parseManifest } from "../oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../oci/media-types.ts";
import { formatInstant, type Instant, parseInstant } from "../time.ts";

/**
 * A policy as an OCI artifact (image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"): one layer that holds the YAML.
 * What its manifest says is signed with it, by its digest: where it was published, so that another policy by the same signer
 * cannot be put in its place, and when, so that an older one cannot for ever.
 */
export const REPOSITORY_ANNOTATION = "vnd.countersign.policy.repository";
const CREATED_ANNOTATION = "org.opencontainers.image.created";
const TITLE_ANNOTATION = "org.opencontainers.image.title";

export interface PolicyArtifact {
  readonly manifest: Manifest;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}

/** @param repository where it is published: `registry/repository`. */
export function makePolicyArtifact(policy: Uint8Array, repository: string, createdAt: Instant): PolicyArtifact {
  const config = EMPTY_DESCRIPTOR;
  const layer = describe(policy, MEDIA_TYPES.policy);
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: MEDIA_TYPES.policy,
    config,
    layers: [{ ...layer, annotations: { [TITLE_ANNOTATION]: "policy.yaml" } }],
    annotations: { [CREATED_ANNOTATION]: formatInstant(createdAt), [REPOSITORY_ANNOTATION]: repository },
  });
  return {
    manifest: parseManifest(encodeUtf8(text), MEDIA_TYPES.ociManifest),
    blobs: [
      { descriptor: config, bytes: EMPTY_JSON },
      { descriptor: layer, bytes: policy },
    ],
  };
}

/** What the manifest of a policy says. Nothing of it is proven before its digest is pinned or signed. */
export interface UntrustedPolicyArtifact {
  readonly layer: Descriptor;
  readonly repository: string | undefined;
  readonly createdAt: Instant | undefined;
}

/** @throws CountersignError `policy-invalid` where what is there is no policy; `limit-reached`. */
export function readPolicyArtifact(manifest: Manifest, label: string): UntrustedPolicyArtifact {
  const [layer, ...others] = manifest.kind === "image" ? manifest.layers : [];
  const { artifactType = "no artifact type", annotations } = manifest;
  if (artifactType !== MEDIA_TYPES.policy) throw noPolicy(label, artifactType, MEDIA_TYPES.policy);
  if (layer === undefined || others.length > 0 || layer.mediaType !== MEDIA_TYPES.policy) {
    throw noPolicy(label, "other layers", `one layer of the type ${MEDIA_TYPES.policy}`);
  }
  if (layer.size > LIMITS.policyBytes) {
    throw new CountersignError("limit-reached", "the policy is too large to read", {
      found: `${layer.size} bytes`,
      wanted: `at most ${LIMITS.policyBytes} bytes`,
    });
  }
  const created = annotations[CREATED_ANNOTATION];
  return {
    layer,
    repository: annotations[REPOSITORY_ANNOTATION],
    createdAt: created === undefined ? undefined : parseInstant(created),
  };
}

function noPolicy(label: string, found: string, wanted: string): CountersignError {
  return new CountersignError("policy-invalid", `${label} is no policy`, {
    found,
    wanted,
    next: "check the reference; countersign policy publish stores policies",
  });
}
