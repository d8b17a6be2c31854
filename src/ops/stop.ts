/**
 * Passes a stream on until `signal` is aborted, and then ends in its reason at once, even where the source is waiting
 * for bytes that never come: one worker's failure must not wait for the others' networks.
 */
export async function* untilStopped<Item>(
  source: AsyncIterable<Item>,
  signal: AbortSignal,
): AsyncGenerator<Item, void, undefined> {
  const items = source[Symbol.asyncIterator]();
  let isDone = false;
  let stop: () => void = () => {};
  const onAbort = (): void => stop();
  signal.addEventListener("abort", onAbort);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { promise, resolve, reject } = Promise.withResolvers<IteratorResult<Item>>();
      stop = () => reject(signal.reason);
      items.next().then(resolve, reject);
      const next = await promise;
      if (next.done === true) {
        isDone = true;
        return;
      }
      yield next.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
    // Not awaited: a source that is stuck would never answer.
    if (!isDone) items.return?.().catch(() => {});
  }
}
