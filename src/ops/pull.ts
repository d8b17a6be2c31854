import type { Descriptor } from "../core/oci/descriptor.ts";
import type { Manifest } from "../core/oci/manifest.ts";
import type { ContentStore, Destination } from "../core/ports.ts";
import { giveUp, Transfer, type TransferOptions, type TransferSummary } from "./transfer.ts";

export interface PullRequest extends TransferOptions {
  readonly source: ContentStore;
  /** The manifest that was accepted, or the platform's that an accepted index lists. */
  readonly root: Manifest;
  readonly destination: Destination;
}

export interface PullResult extends TransferSummary {
  readonly root: Descriptor;
}

/**
 * Brings an accepted image to a destination, whole, and makes it visible there in one step. A failure leaves nothing to
 * be seen: what turned out to be wrong is removed, what was only interrupted is kept out of sight for the next run.
 *
 * @throws CountersignError, among others `digest-mismatch`, `size-mismatch`, `layer-invalid`, `decompression-bomb`.
 */
export async function pullImage(request: PullRequest): Promise<PullResult> {
  const { source, root, destination } = request;
  const transfer = new Transfer(source, destination.store, request);
  try {
    await transfer.moveBelow(root, "layer");
    await transfer.moveManifest(root);
    await destination.commit(root);
  } catch (error) {
    await giveUp(destination, error);
    throw error;
  }
  return { ...transfer.summary, root: root.descriptor };
}
