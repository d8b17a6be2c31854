import { type Finding, findingUnlessInterrupted, toFinding } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import { type CustomPath, WELL_KNOWN_PATHS } from "../../core/sources/custom-paths.ts";
import type { Reading } from "../../core/sources/mention.ts";
import { type ApiSurroundings, ClusterApi, LoginRefused } from "./api.ts";
import { customResources } from "./discovery.ts";
import { objectsOf, type Resource } from "./lists.ts";
import { contextOf, findCluster, type TargetSurroundings } from "./target.ts";
import { WORKLOADS, Workloads } from "./workloads.ts";

/** What of a cluster is looked at. */
export interface ClusterSelection {
  /** These namespaces alone; all of them where it is left out. */
  readonly namespaces?: readonly string[] | undefined;
  /** Kinds of custom resources that name images, beside those that are well known. */
  readonly customPaths?: readonly CustomPath[] | undefined;
  readonly ownerLabels?: readonly string[] | undefined;
}

/** What reaching a cluster takes from the outside world. */
export interface ClusterSurroundings extends TargetSurroundings, ApiSurroundings {
  readonly warn?: ((line: string) => void) | undefined;
}

/**
 * What runs in a cluster, and what it is told to run, page by page. A kind that may not be listed is a problem, and the
 * others are read; so is a cluster that cannot be reached.
 *
 * @param source `cluster://`, for the current context, or `cluster://CONTEXT`.
 * @throws CountersignError `usage`, `configuration-invalid`, `unsupported` before the first reading; `interrupted`.
 */
export async function* readCluster(
  source: string,
  selection: ClusterSelection,
  surroundings: ClusterSurroundings,
): AsyncGenerator<Reading, void, undefined> {
  const target = await findCluster(contextOf(source), surroundings);
  const label = `cluster://${target.name}`;
  if (target.tls.insecure === true) {
    surroundings.warn?.(`${label}: its kubeconfig switches TLS checks off; whoever is in between decides what it says`);
  }
  const api = new ClusterApi(target, surroundings);
  try {
    yield* new ClusterReader(api, label, selection).readings();
  } finally {
    await api.close();
  }
}

/** How far the reading of a kind got; `over` where the other kinds would fare no better. */
type Outcome = "complete" | "incomplete" | "over";

class ClusterReader {
  readonly #api: ClusterApi;
  readonly #label: string;
  readonly #namespaces: readonly (string | undefined)[];
  readonly #customPaths: readonly CustomPath[];
  readonly #workloads: Workloads;

  constructor(api: ClusterApi, label: string, selection: ClusterSelection) {
    const { namespaces = [], customPaths = [], ownerLabels } = selection;
    this.#api = api;
    this.#label = label;
    this.#namespaces = namespaces.length === 0 ? [undefined] : [...new Set(namespaces)];
    this.#customPaths = customPaths;
    this.#workloads = new Workloads(label, { customPaths, ownerLabels });
  }

  async *readings(): AsyncGenerator<Reading, void, undefined> {
    const custom = yield* this.#custom();
    if (custom === "over") return;
    for (const resource of [...custom, ...WORKLOADS]) {
      const outcome = yield* this.#kind(resource);
      if (outcome === "over") return;
      if (outcome === "complete") this.#workloads.finished(resource);
    }
  }

  /** The custom resources that there are; those before the kinds that they may own. */
  async *#custom(): AsyncGenerator<Reading, readonly Resource[] | "over", undefined> {
    try {
      const found = await customResources(this.#api, [...WELL_KNOWN_PATHS, ...this.#customPaths]);
      return found.filter(({ group, kind }) => !WORKLOADS.some((one) => one.group === group && one.kind === kind));
    } catch (thrown) {
      yield this.#problem(findingUnlessInterrupted(thrown));
      return endsAll(thrown) ? "over" : [];
    }
  }

  async *#kind(resource: Resource): AsyncGenerator<Reading, Outcome, undefined> {
    let outcome: Outcome = "complete";
    for (const namespace of resource.isClusterWide === true ? [undefined] : this.#namespaces) {
      try {
        for await (const page of objectsOf(this.#api, resource, namespace)) yield this.#reading(page, resource);
      } catch (thrown) {
        yield this.#problem(findingUnlessInterrupted(thrown));
        if (endsAll(thrown)) return "over";
        outcome = "incomplete";
      }
    }
    return outcome;
  }

  #reading(page: readonly JsonObject[], resource: Resource): Reading {
    const readings = page.map((object) => this.#workloads.add(object, resource));
    return {
      mentions: readings.flatMap(({ mentions }) => mentions),
      problems: readings.flatMap(({ problems }) => problems),
    };
  }

  #problem(finding: Finding): Reading {
    return { mentions: [], problems: [{ place: { source: this.#label }, finding }] };
  }
}

const ENDS_ALL: ReadonlySet<string> = new Set(["unreachable", "timeout", "configuration-invalid", "internal"]);

function endsAll(thrown: unknown): boolean {
  return thrown instanceof LoginRefused || ENDS_ALL.has(toFinding(thrown).code);
}
