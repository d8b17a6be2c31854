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

/** A workflow that a policy names: the file below `.github/workflows`, and for which refs it may have run. */
export interface GithubWorkflow extends GithubSource {
  readonly workflow?: string | undefined;
  /** `*` for a part between slashes, `**` for any. */
  readonly ref?: string | undefined;
}

/**
 * A workflow as a policy names it. Exactly, where nothing is left open: `https://github.com/acme/app/.github/workflows/
 * release.yml@refs/heads/main`. What ran has to have run for that repository or owner as well: a workflow of theirs that
 * others may call signs for the others too. Where a repository's own ref is wanted, it has to have run for that ref too: called
 * from a branch, a workflow still signs as of the tag that it was called at. Claims that speak of that ref say so instead.
 *
 * @throws CountersignError `usage` for what makes no pattern.
 */
export async function namedWorkflow(
  source: GithubWorkflow,
  claims: IdentityCondition["claims"],
): Promise<IdentityCondition> {
  const { owner, repository, workflow, ref } = source;
  const isExact = repository !== undefined && workflow !== undefined && ref !== undefined && !ref.includes("*");
  const subject = isExact
    ? exactly(`https://github.com/${owner}/${repository}/.github/workflows/${workflow}@${ref}`)
    : await pattern(refPattern(source));
  const ranFor = repository === undefined || ref === undefined ? [] : await sourceRef(ref, claims);
  const condition = await githubWorkflow({ owner, repository }, { subject, claims: [...ranFor, ...claims] });
  return { ...condition, label: describeWorkflow(source) + describeClaims(claims) };
}

const SOURCE_REF = "source-repository-ref";

async function sourceRef(ref: string, claims: IdentityCondition["claims"]): Promise<IdentityCondition["claims"]> {
  if (claims.some(({ name }) => name === SOURCE_REF)) return [];
  return [{ name: SOURCE_REF, condition: ref.includes("*") ? await pattern(globPattern(ref)) : exactly(ref) }];
}

/**
 * Names of GitHub are the same in either case; files and refs are not. A ref may have an `@` in it, so that a file has none:
 * else a branch `x@refs/tags/v1` would be the tag `v1`.
 */
function refPattern({ owner, repository, workflow, ref }: GithubWorkflow): string {
  const inside = repository === undefined ? "[^/]+" : quote(repository);
  const file = workflow === undefined ? "[^/@]+" : quote(workflow);
  return `(?i:https://github\\.com/${quote(owner)}/${inside})/\\.github/workflows/${file}@${globPattern(ref ?? "**")}`;
}

function globPattern(glob: string): string {
  const parts = glob.split(/(\*+)/);
  return parts
    .map((part) => (part === "" || !part.startsWith("*") ? quote(part) : part === "*" ? "[^/]+" : ".+"))
    .join("");
}

function describeWorkflow({ owner, repository, workflow, ref }: GithubWorkflow): string {
  const whose = repository === undefined ? owner : `${owner}/${repository}`;
  return `${workflow ?? "a workflow"} of ${whose}${ref === undefined ? "" : ` at ${ref}`} (GitHub Actions)`;
}

/** As itself in RE2's syntax. */
function quote(text: string): string {
  return text.replace(/[\\.+*?()|[\]{}^$]/g, "\\$&");
}
