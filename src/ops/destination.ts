import type { ContentStore, Destination } from "../core/ports.ts";

/**
 * A registry as a destination: content under its digest is out of sight there until a tag names it, so that moving the
 * tag is the commit. What an interrupted run has stored is found again by the next; the registry's own garbage
 * collection takes what never got a name.
 */
export function taggedDestination(store: ContentStore, tag: string | undefined): Destination {
  return {
    store,
    commit: async (root) => {
      if (tag !== undefined) await store.pushManifest(root, tag);
    },
    discard: async () => {},
    suspend: async () => {},
  };
}
