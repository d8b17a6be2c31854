import { compareTexts, encodeUtf8 } from "../../core/bytes.ts";
import { LIMITS } from "../../core/limits.ts";
import { type Descriptor, describe, EMPTY_DESCRIPTOR } from "../../core/oci/descriptor.ts";
import { artifactTypeOf, type Manifest, parseManifest } from "../../core/oci/manifest.ts";
import { EMPTY_JSON, MEDIA_TYPES } from "../../core/oci/media-types.ts";
import type { ContentStore } from "../../core/ports.ts";
import { type HeadFile, type HeadPart, parseHeadPart } from "../../core/tags/head.ts";
import { descriptorJson, malformed } from "../../core/tags/head-listing.ts";
import { FILE_NAME_ANNOTATION, METADATA_MEDIA_TYPE, TRUST_ARTIFACT_TYPE } from "../../core/tags/names.ts";
import { forEachConcurrently } from "../concurrency.ts";
import { sourceOf } from "../prepare-signature.ts";

/**
 * Files of metadata under a tag of their own: a role's that no head may have yet, or one that waits for signatures. A stage holds
 * the whole of a role, unchanged files too: it is what a lost head is rebuilt from.
 */
const STAGE_TYPE = `${TRUST_ARTIFACT_TYPE}.stage`;

/** By file name, as in a head. */
export type StagedFiles = ReadonlyMap<string, HeadFile>;

/** The manifest that a tag of staged files names: the same files give the same one. */
export function stageManifest(files: ReadonlyMap<string, HeadPart>): Manifest {
  const named = [...files].sort(([a], [b]) => compareTexts(a, b));
  const sizes = named.map(([, part]) => (part instanceof Uint8Array ? part.byteLength : part.descriptor.size));
  const isSmall = sizes.reduce((sum, size) => sum + size, 0) <= LIMITS.tagEmbeddedBytes;
  const text = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    artifactType: STAGE_TYPE,
    config: { ...EMPTY_DESCRIPTOR },
    layers: named.map(([name, part]) => {
      return descriptorJson(describedAs(name, part), isSmall ? dataOf(part) : undefined);
    }),
  });
  return parseManifest(encodeUtf8(text), MEDIA_TYPES.ociManifest);
}

function describedAs(name: string, part: HeadPart): Descriptor {
  const described = part instanceof Uint8Array ? describe(part, METADATA_MEDIA_TYPE) : part.descriptor;
  const { mediaType, digest, size } = described;
  return { mediaType, digest, size, annotations: { [FILE_NAME_ANNOTATION]: name } };
}

function dataOf(part: HeadPart): Uint8Array | undefined {
  return part instanceof Uint8Array ? part : part.data;
}

/** Stores the files and moves the tag to them. What is given without its content has to be there already. */
export async function pushStage(
  store: ContentStore,
  tag: string,
  files: ReadonlyMap<string, HeadPart>,
): Promise<Manifest> {
  const manifest = stageManifest(files);
  await pushFiles(store, [EMPTY_JSON], MEDIA_TYPES.ociEmpty);
  const contents = [...files.values()].map(dataOf).filter((bytes) => bytes !== undefined);
  await pushFiles(store, contents, METADATA_MEDIA_TYPE);
  await store.pushManifest(manifest, tag, { isShared: true });
  return manifest;
}

async function pushFiles(store: ContentStore, contents: readonly Uint8Array[], mediaType: string): Promise<void> {
  await forEachConcurrently(contents, LIMITS.tagWorkers, async (bytes) => {
    await store.pushBlob(describe(bytes, mediaType), sourceOf(bytes));
  });
}

/** What a tag of staged files names. @throws CountersignError `metadata-malformed` for what is no stage. */
export function parseStage(manifest: Manifest): StagedFiles {
  const type = artifactTypeOf(manifest);
  if (type !== STAGE_TYPE) throw malformed(`the type ${type ?? "of nothing"} where metadata is staged`);
  return parseHeadPart(manifest);
}

/** A file of a head or a stage: carried in it, or read and checked. */
export async function readFile(store: ContentStore, file: HeadFile, maxBytes: number): Promise<Uint8Array> {
  return file.data ?? (await store.readBlob(file.descriptor, maxBytes));
}
