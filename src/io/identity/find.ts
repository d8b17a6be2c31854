import type { Readable, Writable } from "node:stream";
import { CountersignError } from "../../core/errors.ts";
import { type Instant, instant } from "../../core/time.ts";
import type { Clock } from "../http/clock.ts";
import type { ServiceClient } from "../http/service.ts";
import { ambientToken, PROVIDERS } from "./ambient.ts";
import { browserToken } from "./browser.ts";
import { deviceToken } from "./device.ts";
import { discoverIssuer } from "./discovery.ts";
import { acceptToken, type FoundToken } from "./found-token.ts";
import { givenToken } from "./given.ts";
import type { SignInOptions } from "./oauth.ts";
import { hasDisplay, type OpenBrowser, systemBrowser } from "./open-browser.ts";
import type { Provider } from "./provider.ts";
import type { ReadFile } from "./read-file.ts";

/** A person who can be asked. */
export interface Interactive {
  /** Where to tell them what to do: never standard output, which holds the result. */
  readonly stderr: Writable;
  readonly isTerminal: boolean;
  /** The system's own browser where nothing is said. */
  readonly openBrowser?: OpenBrowser | undefined;
  /** Whether a browser that opens here is seen; judged by the environment where nothing is said. */
  readonly hasDisplay?: boolean | undefined;
}

export interface FindOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly service: ServiceClient;
  /** `--identity-token`, and what it takes: see `givenToken`. */
  readonly given?: string | undefined;
  readonly stdin: Readable;
  readonly workingDirectory: string;
  /** undefined where nobody is to be asked. */
  readonly interactive: Interactive | undefined;
  /** The OpenID provider that signs people in; undefined where there is none. */
  readonly issuer: string | undefined;
  /** As which program we ask it. */
  readonly clientId: string;
  /** Who the token has to be for: the certificate authority's client id. */
  readonly audience: string;
  /** The time at the start; what follows is later by what it took. */
  readonly now: Instant;
  readonly signal?: AbortSignal | undefined;
  readonly readFile?: ReadFile | undefined;
  readonly providers?: readonly Provider[] | undefined;
  readonly clock?: Pick<Clock, "now" | "sleep"> | undefined;
  /** How long a person may take in the browser, in milliseconds. */
  readonly waitMs?: number | undefined;
}

/**
 * Who signs: the token that was given, else the one that the pipeline or the machine offers, else a person who signs in
 * with the browser, or on another device where there is none.
 *
 * @throws CountersignError `identity-missing` where there is nobody to ask; whatever the first of them that is there
 * fails with: it is never passed over for the next.
 */
export async function findIdentityToken(options: FindOptions): Promise<FoundToken> {
  const started = performance.now();
  const now = (): Instant => instant(options.now + Math.round(performance.now() - started));
  if (options.given !== undefined) return await givenToken(options.given, { ...options, now });
  return (await ambientToken({ ...options, now })) ?? (await signIn(options, now));
}

async function signIn(options: FindOptions, now: () => Instant): Promise<FoundToken> {
  const { interactive, service, issuer, env, clock, waitMs } = options;
  if (interactive?.isTerminal !== true) throw nobody(options, "no terminal at which to sign in");
  if (issuer === undefined) throw nobody(options, "no issuer that signs people in");
  const say = (line: string): void => void interactive.stderr.write(`${line}\n`);
  const common: SignInOptions = { ...options, issuer: await discoverIssuer(service, issuer), now, say };
  const isSeen = interactive.hasDisplay ?? hasDisplay(env);
  const openBrowser = interactive.openBrowser ?? systemBrowser(env);
  const token = isSeen
    ? await browserToken({ ...common, openBrowser, waitMs })
    : await deviceToken({ ...common, clock });
  return acceptToken(token.reveal(), isSeen ? "the browser" : "another device", { ...options, now });
}

/** Where a pipeline has an identity to give and this job did not ask for it. */
const HINTS: readonly { readonly isThere: (env: FindOptions["env"]) => unknown; readonly next: string }[] = [
  {
    isThere: (env) => env["GITHUB_ACTIONS"] === "true",
    next: "give the job the permission id-token: write",
  },
  {
    isThere: (env) => env["GITLAB_CI"],
    next: "give the job an entry SIGSTORE_ID_TOKEN under id_tokens, with aud: sigstore",
  },
  {
    isThere: (env) => env["CIRCLECI"],
    next: "set SIGSTORE_ID_TOKEN in the job to what circleci run oidc get prints",
  },
];

function nobody({ env, providers = PROVIDERS }: FindOptions, person: string): CountersignError {
  return new CountersignError("identity-missing", "nothing says who signs", {
    found: `no identity from ${providers.map(({ name }) => name).join(", ")}; ${person}`,
    wanted: "one of them, or --identity-token",
    next: HINTS.find(({ isThere }) => isThere(env))?.next,
  });
}
