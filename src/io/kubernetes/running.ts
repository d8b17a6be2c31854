import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { isDigest } from "../../core/oci/digest.ts";
import { formatReference, parseReference, type Reference, repositoryName } from "../../core/oci/reference.ts";
import { memberOf } from "./owners.ts";

/** A container of a pod, and the image that its node took for it, with the digest. */
export interface RunningImage {
  readonly container: string;
  readonly image: string;
}

const LISTS = [
  ["initContainers", "initContainerStatuses"],
  ["containers", "containerStatuses"],
  ["ephemeralContainers", "ephemeralContainerStatuses"],
] as const;

const ENDED: ReadonlySet<JsonValue | undefined> = new Set(["Succeeded", "Failed"]);

/**
 * What a pod's tags meant when its node pulled them: the tag may mean something else today. Nothing of pods that have
 * ended, of containers that are named by digest (a node takes no other), and where the node tells no digest.
 */
export function runningImages(pod: JsonObject): readonly RunningImage[] {
  const { spec, status } = pod;
  if (ENDED.has(memberOf(status, "phase"))) return [];
  return LISTS.flatMap(([list, statuses]) => {
    const wanted = new Map(objectsIn(memberOf(spec, list)).map(({ name, image }) => [name, image]));
    return objectsIn(memberOf(status, statuses)).flatMap(({ name, imageID }) => {
      const image = runningImage(wanted.get(name), imageID);
      return image === undefined || typeof name !== "string" ? [] : [{ container: name, image }];
    });
  });
}

/**
 * The name that was asked for, with the digest that runs; where the node tells it of another repository, under that one's
 * name: content that several have is kept once, and its digest may not be known to the others.
 */
function runningImage(wanted: JsonValue | undefined, imageId: JsonValue | undefined): string | undefined {
  // Docker's shim wrote a scheme before it; an id without a repository is that of a configuration, not of an image.
  const said = typeof imageId === "string" ? imageId.replace(/^docker-pullable:\/\//, "") : "";
  if (!isDigest(said.slice(said.lastIndexOf("@") + 1)) || !said.includes("@")) return undefined;
  const runs = readReference(said);
  const named = typeof wanted === "string" ? readReference(wanted) : undefined;
  if (runs === undefined || named?.digest !== undefined) return undefined;
  if (named === undefined || repositoryName(named) !== repositoryName(runs)) return said;
  return formatReference({ ...named, digest: runs.digest });
}

function readReference(text: string): Reference | undefined {
  try {
    return parseReference(text);
  } catch (thrown) {
    if (thrown instanceof CountersignError) return undefined;
    throw thrown;
  }
}

function objectsIn(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
