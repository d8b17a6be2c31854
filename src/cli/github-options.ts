import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { isLoopback } from "../core/oci/reference.ts";
import type { EvidenceSource } from "../core/ports.ts";
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
      "look for them at GitHub's API too, such as https://api.github.com; needs --owner or --repo",
    ).argParser(once("--github-api")),
  ]);
}

/** Whose attestations are asked for, and where. */
export type GithubOptions = Omit<GithubPlace, "token">;

/** undefined where it is not asked for. @throws CountersignError `usage`: no address, nobody named, no type. */
export function readGithubOptions(raw: RawOptions, identity: IdentityOptions | undefined): GithubOptions | undefined {
  const given = text(raw, "githubApi");
  if (given === undefined) return undefined;
  const api = readAddress(given);
  if (identity?.kind !== "github") {
    throw lacks("whose attestations are asked for", "--owner NAME or --repo OWNER/NAME too");
  }
  if (raw["type"] === undefined) throw lacks("which attestation is asked for", "--type TYPE too");
  if (raw["offline"] === true) throw lacks("how to ask without a connection", "no --offline");
  return { api, ...identity.source };
}

/** The same as a place to look in, with the token for it. */
export async function openGithub(
  options: GithubOptions,
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
