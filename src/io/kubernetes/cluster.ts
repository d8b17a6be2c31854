import { CountersignError } from "../../core/errors.ts";
import type { Reading } from "../../core/sources/mention.ts";

/** What of a cluster is looked at. */
export interface ClusterSelection {
  /** These namespaces alone; all of them where it is left out. */
  readonly namespaces?: readonly string[] | undefined;
}

/** What reaching a cluster takes from the outside world. */
export interface ClusterSurroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly homeDirectory: string;
  readonly workingDirectory: string;
  readonly userAgent: string;
  readonly signal?: AbortSignal | undefined;
  readonly warn?: ((line: string) => void) | undefined;
  /** All tries of a request together; LIMITS.tries where nothing is said. */
  readonly tries?: number | undefined;
  /** Milliseconds without progress. */
  readonly idleMs?: number | undefined;
}

/** What runs in a cluster, and what it is told to run. */
export async function* readCluster(
  source: string,
  _selection: ClusterSelection,
  _surroundings: ClusterSurroundings,
): AsyncGenerator<Reading, void, undefined> {
  yield { mentions: [], problems: [] };
  throw new CountersignError("unsupported", "clusters cannot be read yet", { found: source });
}
