/** Runs `action` on every item, at most `workers` at a time. The first error stops further starts and is thrown. */
export async function forEachConcurrently<Item>(
  items: Iterable<Item>,
  workers: number,
  action: (item: Item) => Promise<void>,
): Promise<void> {
  const queue = items[Symbol.iterator]();
  let failed = false;
  const work = async (): Promise<void> => {
    for (let next = queue.next(); !next.done && !failed; next = queue.next()) {
      try {
        await action(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const results = await Promise.allSettled(Array.from({ length: Math.max(1, workers) }, work));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

/** `action` of every item, in the items' order, at most `workers` at a time. */
export async function mapConcurrently<Item, Result>(
  items: readonly Item[],
  workers: number,
  action: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results = new Map<number, Result>();
  await forEachConcurrently(items.entries(), workers, async ([at, item]) => {
    results.set(at, await action(item));
  });
  return items.map((_, at) => results.get(at) as Result);
}
