import { isIP } from "node:net";
import { setFlagsFromString } from "node:v8";

/** A flag of V8 that is another for the time of one call. */
interface PassingFlag {
  readonly during: string;
  readonly byDefault: string;
}

/** With their defaults in every Node up to this one. */
export const NEWEST_NODE = 26;
export const FLAGS = {
  /** A budget that is never used up. */
  neverOptimiseWasm: { during: "--wasm-tiering-budget=2147483647", byDefault: "--wasm-tiering-budget=13000000" },
  compileRegExpsAtOnce: { during: "--no-regexp-tier-up", byDefault: "--regexp-tier-up" },
} as const satisfies Readonly<Record<string, PassingFlag>>;

/** For that call only: V8 takes no code from caches that were made under other flags, as Node's of its own modules. */
export function underFlag<Result>({ during, byDefault }: PassingFlag, call: () => Result): Result {
  if (Number.parseInt(process.versions.node, 10) > NEWEST_NODE) return call();
  setFlagsFromString(during);
  try {
    return call();
  } finally {
    setFlagsFromString(byDefault);
  }
}

let isCompiled = false;

/**
 * Node asks of every host that it connects to whether it is an address, with a large regular expression. V8 interprets a
 * regular expression before it compiles it: 5 ms for both, where a whole verification near by takes 90. Compiled at once it
 * takes one.
 */
export function compileAddressTest(): void {
  if (isCompiled) return;
  isCompiled = true;
  underFlag(FLAGS.compileRegExpsAtOnce, () => isIP(""));
}
