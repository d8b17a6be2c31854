import type { SourceNode } from "./source-node.ts";

/**
 * Labels and annotations that say who answers for an object, the first that is there. One without a slash is also found
 * behind any prefix: `example.com/team`, `a8r.io/owner`. The last is of Kubernetes' recommended labels.
 */
export const OWNER_LABELS: readonly string[] = ["owner", "team", "app.kubernetes.io/part-of"];

/** @param objects Whose metadata are asked, one after the other: the object, the template of its pod. */
export function ownerOf(objects: readonly (SourceNode | undefined)[], labels: readonly string[]): string | undefined {
  for (const label of labels) {
    for (const object of objects) {
      const metadata = object?.get("metadata");
      const owner = labelled(metadata?.get("labels"), label) ?? labelled(metadata?.get("annotations"), label);
      if (owner !== undefined) return owner;
    }
  }
  return undefined;
}

function labelled(map: SourceNode | undefined, label: string): string | undefined {
  const exact = map?.get(label)?.text();
  if (exact !== undefined || label.includes("/")) return exact || undefined;
  return (
    map
      ?.entries()
      .find(({ name }) => name.endsWith(`/${label}`))
      ?.value.text() || undefined
  );
}
