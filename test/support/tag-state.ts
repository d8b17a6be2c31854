import type { Instant } from "../../src/core/time.ts";
import type { ClientState } from "../../src/io/tags/client-store.ts";

/** A state of as many roots as its version says: nothing that would verify. */
export function tagStateOf(version: number, clock: Instant): ClientState {
  const bytes = Buffer.from(`timestamp ${version} `.repeat(1000));
  return {
    head: { bytes, mediaType: "a/b" },
    clock,
    kept: {
      refreshedAt: clock,
      roots: Array.from({ length: version }, (_, at) => Buffer.from(`root ${at + 1}`)),
      metadata: new Map([["timestamp", bytes]]),
      targets: new Map(),
    },
    marks: { roles: new Map([["timestamp", { version, content: `${version}` }]]), freshnessKeys: "keys" },
  };
}
