import { CountersignError } from "../errors.ts";
import { exactly, GITHUB_ISSUER, type IdentityCondition, inAnyCase, type TextCondition } from "./identity.ts";
import { describeClaims } from "./identity-mismatch.ts";
import { pattern } from "./pattern.ts";

/** A repository of github.com, or all of an owner's. */
export interface GithubSource {
  readonly owner: string;
  readonly repository?: string | undefined;
}

/** `owner/name`. @throws CountersignError `usage`. */
export function parseGithubRepository(text: string): Required<GithubSource> {
  const [owner = "", repository = "", ...more] = text.split("/");
  if (more.length === 0 && isName(owner) && isName(repository)) return { owner, repository };
  throw new CountersignError("usage", "not a repository of GitHub", { found: text, wanted: "owner/name" });
}

/** @throws CountersignError `usage`. */
export function parseGithubOwner(owner: string): GithubSource {
  if (isName(owner)) return { owner };
  throw new CountersignError("usage", "not an owner on GitHub", { found: owner, wanted: "a user or an organization" });
}

/** What GitHub calls users, organizations and repositories; two dots alone lead elsewhere. */
function isName(text: string): boolean {
  return /^[A-Za-z0-9._-]{1,100}$/.test(text) && !/^\.+$/.test(text);
}

/**
 * What gh asks of an attestation for `--owner` and `--repo`, case ignored: the issuer is GitHub Actions, the source
 * repository or its owner is this one, and so is the workflow's, unless `more` says which workflow signs.
 */
export async function githubWorkflow(
  { owner, repository }: GithubSource,
  more: { readonly subject?: TextCondition | undefined; readonly claims: IdentityCondition["claims"] },
): Promise<IdentityCondition> {
  const name = repository === undefined ? owner : `${owner}/${repository}`;
  const claim = repository === undefined ? "source-repository-owner-uri" : "source-repository-uri";
  const wanted: IdentityCondition = {
    subject: more.subject ?? (await pattern(workflowPattern(owner, repository))),
    issuer: exactly(GITHUB_ISSUER),
    claims: [{ name: claim, condition: inAnyCase(`https://github.com/${name}`) }, ...more.claims],
  };
  if (more.subject !== undefined) return wanted;
  return { ...wanted, label: `a workflow of ${name} (GitHub Actions)${describeClaims(more.claims)}` };
}

/** As it could be given to `--certificate-identity-regexp`. */
export function workflowPattern(owner: string, repository: string | undefined): string {
  const inside = repository === undefined ? "[^/]+" : quote(repository);
  return `(?i)https://github\\.com/${quote(owner)}/${inside}/\\.github/workflows/.+@.+`;
}

function quote(name: string): string {
  return name.replaceAll(".", "\\.");
}
