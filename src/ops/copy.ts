import type { Descriptor } from "../core/oci/descriptor.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { ContentStore, Destination } from "../core/ports.ts";
import { type AttachedSummary, AttachedTransfer } from "./attached.ts";
import { DEFAULT_WORKERS, giveUp, Transfer, type TransferOptions, type TransferSummary } from "./transfer.ts";

export interface CopyRequest extends TransferOptions {
  readonly source: ContentStore;
  /** The manifest that was accepted. */
  readonly root: Manifest;
  readonly destination: Destination;
  /** Brings the signed tags of the source's repository along: the trust metadata, before the image gets its name. */
  readonly carry?: ((target: ContentStore) => Promise<readonly string[] | undefined>) | undefined;
}

export interface CopyResult extends TransferSummary, AttachedSummary {
  readonly root: Descriptor;
  /** What the user should know about the copy, in sentences. */
  readonly notes: readonly string[];
}

/**
 * Copies an accepted image with everything attached to it and to its platforms. The order is such that at no time there
 * is an image without its signatures: blobs, the manifests of platforms, what is attached, the root by its digest, signed
 * tags, and at the very end the name.
 *
 * @throws CountersignError; what was wrong is discarded, what was interrupted can be resumed.
 */
export async function copyImage(request: CopyRequest): Promise<CopyResult> {
  const { root, destination, carry } = request;
  try {
    const copied = await copyUnnamed(request);
    const carried = (await carry?.(destination.store)) ?? [];
    await destination.commit(root);
    return { ...copied, notes: [...copied.notes, ...carried] };
  } catch (error) {
    await giveUp(destination, error);
    throw error;
  }
}

/** A copy to where nothing gets a name by it. */
export type UnnamedCopyRequest = Omit<CopyRequest, "destination"> & {
  readonly destination: Pick<Destination, "store">;
};

/** The copy without its last step: everything is there under its digest, and no name says so yet. */
export async function copyUnnamed(request: UnnamedCopyRequest): Promise<CopyResult> {
  const { source, root, destination } = request;
  const target = destination.store;
  const transfer = new Transfer(source, target, request);
  const children = await transfer.moveBelow(root, "layer");
  const attachments = new AttachedTransfer(source, target, transfer, request.maxWorkers ?? DEFAULT_WORKERS);
  const attached = await attachments.move([...children, root]);
  await transfer.moveManifest(root);
  return { ...transfer.summary, ...attached, root: root.descriptor, notes: notesOn(attached, source, target) };
}

function notesOn(attached: AttachedSummary, source: ContentStore, target: ContentStore): readonly string[] {
  const isRenamed = target.repository !== undefined && target.repository !== source.repository;
  if (!attached.hasLegacySignature || !isRenamed) return [];
  const name = source.repository ?? "the repository they were made for";
  return [`legacy signatures name ${name}; to verify them in ${target.repository}, give that name with --signed-as`];
}
