import type { Audit, AuditedImage, Use } from "./audit.ts";

/** Who answers for a workload: what it says itself, else its namespace, else the folder of the file that names it. */
export interface Owner {
  readonly from: "owner" | "namespace" | "folder";
  readonly name: string;
}

/** What runs an image, each once, however many of its images are bad and however often it names one. */
export interface AffectedWorkload {
  /** The file, the cluster, the registry. */
  readonly source: string;
  /** `Deployment`; absent where the source is no more than a list of images. */
  readonly kind?: string | undefined;
  readonly namespace?: string | undefined;
  /** Of the workload; the image where there is none. */
  readonly name: string;
}

export function ownerOf({ workload, place }: Use): Owner {
  if (workload?.owner !== undefined) return { from: "owner", name: workload.owner };
  if (workload?.namespace !== undefined) return { from: "namespace", name: workload.namespace };
  return { from: "folder", name: folderOf(place.source) };
}

/** A cluster and a registry are their own folder. */
function folderOf(source: string): string {
  if (/^[a-z]+:\/\//.test(source)) return source;
  const end = source.lastIndexOf("/");
  return end <= 0 ? (end === 0 ? "/" : ".") : source.slice(0, end);
}

/** `team-a`, `namespace shop`, `folder deploy/shop`. */
export function describeOwner({ from, name }: Owner): string {
  return from === "owner" ? name : `${from} ${name}`;
}

export function workloadOf(image: AuditedImage, { workload, place: { source } }: Use): AffectedWorkload {
  if (workload === undefined) return { source, name: image.image };
  const { kind, namespace, name } = workload;
  return { source, kind, ...(namespace !== undefined && { namespace }), name };
}

export function workloadKey({ source, kind, namespace, name }: AffectedWorkload): string {
  return JSON.stringify([source, kind ?? null, namespace ?? null, name]);
}

/** `Deployment shop/web`, `service db`; the image where nothing runs it. */
export function describeWorkload({ kind, namespace, name }: AffectedWorkload): string {
  const path = namespace === undefined ? name : `${namespace}/${name}`;
  return kind === undefined ? path : `${kind} ${path}`;
}

/** How many workloads there are, each once however many images it has. */
export interface WorkloadTally {
  readonly workloads: number;
  /** With an image that is refused. */
  readonly stopped: number;
  /** With none that is refused, and one that could not be looked at. */
  readonly unknown: number;
}

export function tallyWorkloads(audit: Audit): WorkloadTally {
  const [all, stopped, unknown] = [new Set<string>(), new Set<string>(), new Set<string>()];
  for (const image of audit.images) {
    for (const use of image.uses) {
      const key = workloadKey(workloadOf(image, use));
      all.add(key);
      if (image.verdict === "refused") stopped.add(key);
      if (image.verdict === "undetermined") unknown.add(key);
    }
  }
  return {
    workloads: all.size,
    stopped: stopped.size,
    unknown: [...unknown].filter((key) => !stopped.has(key)).length,
  };
}
