import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import { type ReasonClass, reasonClass } from "../core/reasons.ts";
import type { Publication } from "../core/tags/admin-results.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";

/** A repository or an image of a call with which nothing came about. */
export interface Failed {
  readonly name: string;
  readonly finding: Finding;
}

export interface Outcomes<Result> {
  readonly results: readonly Result[];
  readonly failed: readonly Failed[];
}

/**
 * Does the same with each, one after the other, whatever becomes of the others. Of one alone the failure is the call's.
 *
 * @throws CountersignError what `act` throws where there is only one, and `interrupted`.
 */
export async function withEach<Result>(
  names: readonly string[],
  act: (name: string) => Promise<Result>,
): Promise<Outcomes<Result>> {
  const [only] = names;
  if (names.length === 1 && only !== undefined) return { results: [await act(only)], failed: [] };
  const results: Result[] = [];
  const failed: Failed[] = [];
  for (const name of names) {
    try {
      results.push(await act(name));
    } catch (thrown) {
      failed.push({ name, finding: findingUnlessInterrupted(thrown) });
    }
  }
  return { results, failed };
}

/** A line for each failure, and the exit code of the call; `others` is what else went wrong. */
export function concludeEach(context: Context, failed: readonly Failed[], others: readonly ReasonClass[] = []): void {
  for (const { name, finding } of failed) {
    context.stderr.stream.write(`countersign: ${printable(`${name}: ${explainBriefly(finding)}`)}\n`);
  }
  context.exitCode = exitCodeOfClasses([...others, ...failed.map(({ finding }) => reasonClass(finding.code))]);
}

/** What is signed and waits is not done: nobody sees it yet. */
export function stateClass({ state }: Pick<Publication, "state">): readonly ReasonClass[] {
  return state === "published" ? [] : [reasonClass("publish-staged")];
}
