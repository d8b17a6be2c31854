import type { JsonObject } from "../../core/json.ts";
import { imagesOfObject, type KubernetesOptions } from "../../core/sources/kubernetes.ts";
import type { Mention, Reading, SourceProblem, Workload } from "../../core/sources/mention.ts";
import type { Resource } from "./lists.ts";
import { memberOf, type Owner, Owners, ownerOf } from "./owners.ts";
import { runningImages } from "./running.ts";

/** The kinds that run images, those before others that they own: a pod comes last. */
export const WORKLOADS: readonly Resource[] = [
  { group: "apps", version: "v1", plural: "deployments", kind: "Deployment" },
  { group: "apps", version: "v1", plural: "statefulsets", kind: "StatefulSet" },
  { group: "apps", version: "v1", plural: "daemonsets", kind: "DaemonSet" },
  { group: "batch", version: "v1", plural: "cronjobs", kind: "CronJob" },
  { group: "", version: "v1", plural: "replicationcontrollers", kind: "ReplicationController" },
  { group: "", version: "v1", plural: "podtemplates", kind: "PodTemplate" },
  { group: "apps", version: "v1", plural: "replicasets", kind: "ReplicaSet" },
  { group: "batch", version: "v1", plural: "jobs", kind: "Job" },
  { group: "", version: "v1", plural: "pods", kind: "Pod" },
];

/** What stands between a pod and what somebody asked for. */
const BETWEEN: ReadonlySet<string> = new Set(["apps/ReplicaSet", "batch/Job"]);

/** Pods of a node itself (static pods): the node is no workload. */
const NODE = "Node";

/**
 * From the objects of a cluster to mentions, each once however many pods there are. What a controller made is shown as
 * the controller: a Deployment's template is one mention, what its pods really run is another where it has a digest.
 */
export class Workloads {
  readonly #label: string;
  readonly #options: KubernetesOptions;
  readonly #owners = new Owners();
  /** `apps/Deployment`: all of them were read, so that what they made says nothing new. */
  readonly #complete = new Set<string>();
  readonly #seen = new Set<string>();

  /** @param label `cluster://production`. */
  constructor(label: string, options: KubernetesOptions = {}) {
    this.#label = label;
    this.#options = options;
  }

  /** All objects of the kind were handed to `add`. */
  finished({ group, kind }: Resource): void {
    this.#complete.add(`${group}/${kind}`);
  }

  /** @throws CountersignError `limit-reached`. */
  add(object: JsonObject, { group, kind }: Resource): Reading {
    const owner = ownerOf(object);
    if (owner !== undefined && BETWEEN.has(`${group}/${kind}`)) {
      this.#owners.remember(object, owner);
      if (this.#complete.has(`${owner.group}/${owner.kind}`) || isOver(object)) return NOTHING;
    }
    const { mentions, problems } = imagesOfObject(object, { source: this.#label }, this.#options);
    const shown = owner === undefined || owner.kind === NODE ? undefined : this.#shownAs(owner);
    const all = mentions.map((mention) => under(mention, shown));
    const running = kind === "Pod" ? runningImages(object).flatMap((image) => runs(image, all)) : [];
    return {
      mentions: [...all, ...running].filter(({ image, workload }) => this.#isNew([image, ...identity(workload)])),
      problems: problems
        .map((problem) => ofObject(problem, { kind, ...shown }, object))
        .filter(({ finding: { message, found } }) => this.#isNew([message, found])),
    };
  }

  #shownAs(owner: Owner): Pick<Workload, "kind" | "name"> {
    const { kind, name } = this.#owners.first(owner);
    return { kind, name };
  }

  #isNew(parts: readonly unknown[]): boolean {
    const key = JSON.stringify(parts);
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    return true;
  }
}

function identity({ kind, namespace, name, container }: Partial<Workload> = {}): readonly unknown[] {
  return [kind, namespace, name, container];
}

/** A cluster is no file with lines: the object is the place. */
function ofObject(
  { place, finding }: SourceProblem,
  { kind, name }: { readonly kind: string; readonly name?: string },
  object: JsonObject,
): SourceProblem {
  const [namespace, own] = ["namespace", "name"].map((member) => memberOf(object["metadata"], member));
  const where = [namespace, name ?? own].filter((part) => typeof part === "string").join("/");
  return { place, finding: { ...finding, message: `${kind} ${where}: ${finding.message}` } };
}

const NOTHING: Reading = { mentions: [], problems: [] };

/** A ReplicaSet that was scaled to nothing, a Job that is done: kept for the record by whatever owns them. */
function isOver(object: JsonObject): boolean {
  return memberOf(object["spec"], "replicas") === 0 || typeof memberOf(object["status"], "completionTime") === "string";
}

function under(mention: Mention, shown: Pick<Workload, "kind" | "name"> | undefined): Mention {
  const { workload } = mention;
  const named = workload === undefined || shown === undefined ? workload : { ...workload, ...shown };
  return { ...mention, workload: named, fixed: FIXED };
}

const FIXED = "it is what a cluster holds; pin it in the files that were applied";

function runs(
  { container, image }: { container: string; image: string },
  mentions: readonly Mention[],
): readonly Mention[] {
  const asked = mentions.find(({ workload }) => workload?.container === container);
  return asked === undefined ? [] : [{ ...asked, image }];
}
