import { CountersignError } from "../../core/errors.ts";
import type { Ask, LogClient } from "./log.ts";
import { rekor1 } from "./rekor-v1.ts";
import { rekor2 } from "./rekor-v2.ts";

/**
 * The client of a Rekor log of a major API version. Where nothing is said of it, the log is asked: cosign's
 * `--rekor-url` means Rekor 1, and a log that has no such path is one of the next generation.
 */
export function rekor(ask: Ask, base: URL, majorApiVersion: number | undefined): LogClient {
  if (majorApiVersion === 1) return rekor1(ask, base);
  if (majorApiVersion === 2) return rekor2(ask, base);
  return eitherVersion(rekor1(ask, base), rekor2(ask, base));
}

function eitherVersion(first: LogClient, second: LogClient): LogClient {
  let known: LogClient | undefined;
  return {
    host: first.host,
    async record(signed) {
      if (known !== undefined) return await known.record(signed);
      try {
        const entry = await first.record(signed);
        known = first;
        return entry;
      } catch (error) {
        if (!(error instanceof CountersignError) || error.code !== "not-found") throw error;
      }
      const entry = await second.record(signed);
      known = second;
      return entry;
    },
  };
}
