import { findingUnlessInterrupted } from "../../core/errors.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Reading } from "../../core/sources/mention.ts";
import { type ApiSurroundings, ClusterApi, LoginRefused } from "./api.ts";
import { objectsOf, type Resource } from "./lists.ts";
import { contextOf, findCluster, type TargetSurroundings } from "./target.ts";
import { WORKLOADS, Workloads } from "./workloads.ts";

/** What of a cluster is looked at. */
export interface ClusterSelection {
  /** These namespaces alone; all of them where it is left out. */
  readonly namespaces?: readonly string[] | undefined;
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
  readonly #workloads: Workloads;

  constructor(api: ClusterApi, label: string, { namespaces = [] }: ClusterSelection) {
    this.#api = api;
    this.#label = label;
    this.#namespaces = namespaces.length === 0 ? [undefined] : [...new Set(namespaces)];
    this.#workloads = new Workloads(label);
  }

  async *readings(): AsyncGenerator<Reading, void, undefined> {
    for (const resource of WORKLOADS) {
      const outcome = yield* this.#kind(resource);
      if (outcome === "over") return;
      if (outcome === "complete") this.#workloads.finished(resource);
    }
  }

  async *#kind(resource: Resource): AsyncGenerator<Reading, Outcome, undefined> {
    let outcome: Outcome = "complete";
    for (const namespace of this.#namespaces) {
      try {
        for await (const page of objectsOf(this.#api, resource, namespace)) yield this.#reading(page, resource);
      } catch (thrown) {
        const finding = findingUnlessInterrupted(thrown);
        yield { mentions: [], problems: [{ place: { source: this.#label }, finding }] };
        if (thrown instanceof LoginRefused || ENDS_ALL.has(finding.code)) return "over";
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
}

const ENDS_ALL: ReadonlySet<string> = new Set(["unreachable", "timeout", "configuration-invalid", "internal"]);
