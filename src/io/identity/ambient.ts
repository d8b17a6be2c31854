import { CountersignError } from "../../core/errors.ts";
import { buildkite } from "./buildkite.ts";
import { acceptToken, type FoundToken, named } from "./found-token.ts";
import { githubActions } from "./github.ts";
import { googleCloud } from "./google.ts";
import type { Provider, Surroundings } from "./provider.ts";
import { readSmallFile } from "./read-file.ts";

/** Where Kubernetes projects a service account's token for Sigstore (cosign, pkg/providers/filesystem). */
const TOKEN_FILE = "/var/run/sigstore/cosign/oidc-token";

/** GitLab's `id_tokens`, and whoever else has a token to give: it is the token itself. */
const variable: Provider = {
  name: "SIGSTORE_ID_TOKEN",
  async find({ env }) {
    return env["SIGSTORE_ID_TOKEN"] || undefined;
  },
};

/** The file is read anew each time: what projects it also renews it. */
export function tokenFile(path: string = TOKEN_FILE): Provider {
  return { name: path, find: ({ readFile }) => readFile(path) };
}

/** In the order in which they are asked; the first that is there is the one. */
export const PROVIDERS: readonly Provider[] = [githubActions, buildkite, variable, tokenFile(), googleCloud()];

export type AmbientOptions = Omit<Surroundings, "readFile"> & {
  readonly readFile?: Surroundings["readFile"] | undefined;
  readonly providers?: readonly Provider[] | undefined;
};

/**
 * The identity that the pipeline or the machine gives whatever runs in it; undefined where none does. One that is there
 * and fails is an error that names it: another in its place would sign in a name that nobody expects.
 *
 * @throws CountersignError `token-invalid`, `configuration-invalid`, and whatever the provider's service fails with.
 */
export async function ambientToken(options: AmbientOptions): Promise<FoundToken | undefined> {
  const surroundings = { ...options, readFile: options.readFile ?? readSmallFile };
  for (const provider of options.providers ?? PROVIDERS) {
    const found = await ask(provider, surroundings);
    if (found !== undefined) return acceptToken(found, provider.name, options);
  }
  return undefined;
}

async function ask(provider: Provider, surroundings: Surroundings): Promise<string | Uint8Array | undefined> {
  try {
    return await provider.find(surroundings);
  } catch (thrown) {
    throw thrown instanceof CountersignError ? named(provider.name, thrown) : thrown;
  }
}
