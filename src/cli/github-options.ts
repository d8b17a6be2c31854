import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { isLoopback } from "../core/oci/reference.ts";
import type { PolicyDocument } from "../core/policy/document.ts";
import type { EvidenceSource } from "../core/ports.ts";
import { type GithubSource, parseGithubOwner } from "../core/trust/github-identity.ts";
import type { GithubPlace } from "../io/github/attestations.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import type { IdentityOptions } from "./identity-options.ts";
import { grouped, once, type RawOptions, text } from "./options.ts";

/** Where attestations are looked for beside the registry. */
export function addGithubOptions(command: Command): Command {
  return grouped(command, "Attestations:", [
    new Option(
      "--github-api <url>",
      "look for them at GitHub's API too, such as https://api.github.com; needs --owner, --repo, or a policy that names who",
    ).argParser(once("--github-api")),
  ]);
}

/** Whose attestations are asked for, and where; nobody is named where a policy says who. */
export interface GithubOptions extends Partial<GithubSource> {
  readonly api: URL;
}

/** undefined where it is not asked for. @throws CountersignError `usage`: no address, nobody named, no type. */
export function readGithubOptions(
  raw: RawOptions,
  identity: IdentityOptions | "by policy" | undefined,
): GithubOptions | undefined {
  const given = text(raw, "githubApi");
  if (given === undefined) return undefined;
  const api = readAddress(given);
  if (raw["offline"] === true) throw lacks("how to ask without a connection", "no --offline");
  if (identity === "by policy") return { api };
  if (identity?.kind !== "github") {
    throw lacks("whose attestations are asked for", "--owner NAME or --repo OWNER/NAME too");
  }
  if (raw["type"] === undefined) throw lacks("which attestation is asked for", "--type TYPE too");
  return { api, ...identity.source };
}

/**
 * Every place to look in: of who is named by flags, else of each owner whose workflows the policy believes.
 *
 * @throws CountersignError `usage` where the policy names nobody who could have attestations there.
 */
export async function openGithubSources(
  { api, owner, repository }: GithubOptions,
  policy: Pick<PolicyDocument, "identities" | "label"> | undefined,
  context: Pick<Context, "env">,
  wiring: Wiring,
): Promise<readonly EvidenceSource[]> {
  if (owner !== undefined) return [await openGithub({ api, owner, repository }, context, wiring)];
  const named = [...(policy?.identities.values() ?? [])].flatMap((one) => (one.kind === "github" ? one.owner : []));
  const owners = [...new Set(named.map((one) => one.toLowerCase()))];
  if (owners.length === 0) {
    throw new CountersignError("usage", "the policy names nobody whose attestations GitHub keeps", {
      found: policy?.label,
      wanted: "an identity with github: in the policy, or no --github-api",
    });
  }
  return await Promise.all(owners.map((one) => openGithub({ api, ...parseGithubOwner(one) }, context, wiring)));
}

/** One of them, with the token for it. */
export async function openGithub(
  options: Omit<GithubPlace, "token">,
  { env }: Pick<Context, "env">,
  wiring: Wiring,
): Promise<EvidenceSource> {
  const { githubAttestations } = await import("../io/github/attestations.ts");
  return githubAttestations(wiring.services, { ...options, token: readToken(options.api, env) });
}

function lacks(what: string, wanted: string): CountersignError {
  return new CountersignError("usage", `nothing says ${what}`, { found: "--github-api alone", wanted });
}

function readAddress(given: string): URL {
  const url = URL.parse(given);
  const isSafe = url?.protocol === "https:" || (url?.protocol === "http:" && isLoopback(url.host));
  if (url !== null && isSafe && url.search === "" && url.hash === "" && url.username === "") return url;
  throw new CountersignError("usage", "--github-api takes the address of an API", {
    found: given === "" ? "an empty text" : "something else",
    wanted: "https://api.github.com, or https://HOST/api/v3",
  });
}

/**
 * The variables that gh reads, for the hosts that it reads them for: a token for github.com is not shown to another server,
 * unless that is the one that runs this job.
 */
function readToken(api: URL, env: Context["env"]): string | undefined {
  const isGithub = api.hostname === "api.github.com" || api.hostname.endsWith(".ghe.com");
  const isOwn = URL.parse(env["GITHUB_API_URL"] ?? "")?.origin === api.origin;
  const names = isGithub || isOwn ? ["GH_TOKEN", "GITHUB_TOKEN"] : ["GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];
  return names.map((name) => env[name]).find((token) => token !== undefined && token !== "");
}
