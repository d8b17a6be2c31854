import { CountersignError } from "../../core/errors.ts";
import type { Instant } from "../../core/time.ts";
import type { ServiceClient } from "../http/service.ts";
import type { ReadFile } from "./read-file.ts";

/** What looking for a token of this machine's own takes. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly service: ServiceClient;
  /** Who the token has to be for. */
  readonly audience: string;
  readonly now: () => Instant;
  readonly readFile: ReadFile;
  readonly signal?: AbortSignal | undefined;
}

/** A place that gives workloads an identity. */
export interface Provider {
  /** As it is printed. */
  readonly name: string;
  /** The text of a token; undefined where this is not such a place. @throws CountersignError where it is, and fails. */
  find(surroundings: Surroundings): Promise<string | Uint8Array | undefined>;
}

/** The address in a variable. Whether it may be used is the service client's to say; its text is not repeated. */
export function serviceAddress(text: string, variable: string): URL {
  const url = URL.parse(text);
  if (url !== null) return url;
  throw new CountersignError("configuration-invalid", `${variable} is not an address`, {
    found: "not a URL",
    wanted: "https://…",
  });
}
