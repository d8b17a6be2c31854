import { encodeUtf8 } from "../../core/bytes.ts";
import { type Instant, instant } from "../../core/time.ts";
import { type Demands, PUBLIC_DEMANDS } from "../../core/trust/material.ts";
import type { Seed, TrustInstance } from "./instances.ts";

/**
 * GitHub's own instance signs what comes from private repositories: no public log holds it and none vouches for the
 * certificates; a timestamp authority proves the time.
 */
const GITHUB_DEMANDS: Demands = { logs: 0, certificateLogs: 0, timestamps: 1, times: 1, currentTime: false };

/** Where roots/README.md says that the files are from. `expires` is that of the root beside them. */
const SEEDS: Readonly<Record<"sigstore" | "github", Seed>> = {
  sigstore: {
    at: at("2026-10-23T00:00:00Z"),
    expires: at("2027-04-22T19:27:31Z"),
    read: (target) => readSeed(SIGSTORE_TARGETS, target),
  },
  github: {
    at: at("2026-10-23T00:00:00Z"),
    expires: at("2027-01-28T20:18:53Z"),
    read: (target) => readSeed(GITHUB_TARGETS, target),
  },
};

/** A JSON module: what a build inlines, so that no file has to be found at run time. */
type Load = () => Promise<{ readonly default: unknown }>;

const SIGSTORE_TARGETS: Readonly<Record<string, Load>> = {
  "trusted_root.json": () => import("./roots/sigstore/trusted_root.json", { with: { type: "json" } }),
  "signing_config.v0.2.json": () => import("./roots/sigstore/signing_config.json", { with: { type: "json" } }),
};

const GITHUB_TARGETS: Readonly<Record<string, Load>> = {
  "trusted_root.json": () => import("./roots/github/trusted_root.json", { with: { type: "json" } }),
};

export const DEFAULT_INSTANCE = "sigstore";

/** The instances that everybody has. Each is chosen by its name, and never by what a signature says. */
export const BUILT_IN: readonly TrustInstance[] = [
  {
    name: DEFAULT_INSTANCE,
    origin: "built-in",
    source: {
      kind: "tuf",
      mirror: new URL("https://tuf-repo-cdn.sigstore.dev"),
      root: () => readModule(() => import("./roots/sigstore/root.json", { with: { type: "json" } })),
      seed: SEEDS.sigstore,
    },
    demands: PUBLIC_DEMANDS,
  },
  {
    name: "github",
    origin: "built-in",
    source: {
      kind: "tuf",
      mirror: new URL("https://tuf-repo.github.com"),
      root: () => readModule(() => import("./roots/github/root.json", { with: { type: "json" } })),
      seed: SEEDS.github,
    },
    demands: GITHUB_DEMANDS,
  },
];

/** Written anew from the value: signatures on TUF metadata are over a canonical form, not over the bytes. */
async function readModule(load: Load): Promise<Uint8Array> {
  return encodeUtf8(JSON.stringify((await load()).default));
}

async function readSeed(targets: Readonly<Record<string, Load>>, target: string): Promise<Uint8Array | undefined> {
  const load = Object.hasOwn(targets, target) ? targets[target] : undefined;
  return load === undefined ? undefined : await readModule(load);
}

function at(text: string): Instant {
  return instant(Date.parse(text));
}
