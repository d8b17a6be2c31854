import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { type GithubSource, parseGithubOwner, parseGithubRepository } from "../core/trust/github-identity.ts";
import { CLAIMS, type ClaimName } from "../core/trust/identity.ts";
import { collect, grouped, list, once, type RawOptions, text } from "./options.ts";

const IDENTITY_GROUP = "Identity (keyless signatures):";

/** Of the oldest claims, which have flags of their own; all of them are names of `--certificate-claim`. */
const WORKFLOW_CLAIMS: Readonly<Partial<Record<ClaimName, string>>> = {
  "github-workflow-trigger": "the event that started it",
  "github-workflow-sha": "the commit it ran on",
  "github-workflow-name": "the name of the workflow",
  "github-workflow-repository": "the repository it ran in, as owner/name",
  "github-workflow-ref": "the ref it ran on, such as refs/tags/v1",
};

/** Who may have signed with a certificate. */
export function addIdentityOptions(command: Command): Command {
  return grouped(command, IDENTITY_GROUP, [
    single("--certificate-identity <name>", "who signed: exactly this email address, URI or user name"),
    single("--certificate-identity-regexp <pattern>", "who signed: a pattern (RE2) that the whole name has to match"),
    single("--certificate-oidc-issuer <url>", "who vouched for the signer: exactly this OIDC issuer"),
    single("--certificate-oidc-issuer-regexp <pattern>", "the issuer as a pattern that the whole of it has to match"),
    ...Object.entries(WORKFLOW_CLAIMS).map(([name, meaning]) =>
      single(`--certificate-${name} <value>`, `GitHub Actions: ${meaning}`),
    ),
    new Option(
      "--certificate-claim <name=value>",
      "what the issuer must have said of the signer, such as source-repository-ref=refs/heads/main (repeatable)",
    ).argParser(collect),
    single(
      "--owner <name>",
      "as in gh: a GitHub Actions workflow of this owner's repositories, run in one of them, by GitHub's or Sigstore's public authority",
    ),
    single("-R, --repo <owner/name>", "as in gh: the same for one repository"),
  ]);
}

/** Given twice, the second would silently win. */
function single(flags: string, description: string): Option {
  const option = new Option(flags, description);
  return option.argParser(once(option.long ?? flags));
}

/** A text that is wanted exactly, or a pattern. */
export interface WantedText {
  readonly kind: "exact" | "pattern";
  readonly text: string;
}

export interface WantedClaim {
  readonly name: ClaimName;
  readonly text: string;
}

/** Whose certificate is wanted. */
export type IdentityOptions =
  | {
      readonly kind: "named";
      readonly subject: WantedText;
      readonly issuer: WantedText;
      readonly claims: readonly WantedClaim[];
    }
  | {
      readonly kind: "github";
      readonly source: GithubSource;
      /** Which workflow signs, where it is said. */
      readonly subject: WantedText | undefined;
      readonly claims: readonly WantedClaim[];
    };

/**
 * undefined where no flag speaks of an identity.
 *
 * @throws CountersignError `usage` where a flag lacks its partner, contradicts another one or is empty.
 */
export function readIdentityOptions(raw: RawOptions): IdentityOptions | undefined {
  const subject = readWanted(raw, "certificateIdentity", "--certificate-identity");
  const issuer = readWanted(raw, "certificateOidcIssuer", "--certificate-oidc-issuer");
  const source = readSource(raw);
  const claims = readClaims(raw);
  if (source !== undefined) {
    if (issuer === undefined) return { kind: "github", source, subject, claims };
    throw contradiction("--owner and --repo name the issuer themselves", "an issuer beside them", "GitHub's alone");
  }
  if (subject !== undefined && issuer !== undefined) return { kind: "named", subject, issuer, claims };
  if (subject !== undefined) throw lacks(spell("--certificate-identity", subject), ISSUER);
  if (issuer !== undefined) throw lacks(spell("--certificate-oidc-issuer", issuer), SUBJECT);
  const [claim] = claims;
  if (claim !== undefined) throw lacks(`the claim ${claim.name}`, `${SUBJECT}, and ${ISSUER}`);
  return undefined;
}

const SUBJECT = "--certificate-identity NAME (or -regexp) too: who signed";
const ISSUER = "--certificate-oidc-issuer URL (or -regexp) too: at another issuer anybody may have the same name";

function spell(flag: string, { kind }: WantedText): string {
  return kind === "exact" ? flag : `${flag}-regexp`;
}

function lacks(what: string, wanted: string): CountersignError {
  return new CountersignError("usage", `${what} needs a second flag`, { found: `${what} alone`, wanted });
}

function contradiction(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("usage", message, { found, wanted });
}

function readWanted(raw: RawOptions, name: string, spelled: string): WantedText | undefined {
  const exact = readText(raw, name, spelled);
  const pattern = readText(raw, `${name}Regexp`, `${spelled}-regexp`);
  if (exact !== undefined && pattern !== undefined) {
    throw contradiction("a text and a pattern for the same", `${spelled} and ${spelled}-regexp`, "one of them");
  }
  if (pattern !== undefined) return { kind: "pattern", text: pattern };
  return exact === undefined ? undefined : { kind: "exact", text: exact };
}

/** An empty value is what is left of a variable that was not set: nobody means it. */
function readText(raw: RawOptions, name: string, spelled: string): string | undefined {
  const value = text(raw, name);
  if (value !== "") return value;
  throw new CountersignError("usage", `${spelled} is empty`, { found: "an empty text", wanted: "a value" });
}

function readSource(raw: RawOptions): GithubSource | undefined {
  const owner = readText(raw, "owner", "--owner");
  const repository = readText(raw, "repo", "--repo");
  if (owner !== undefined && repository !== undefined) {
    throw contradiction("a repository names its owner", "--owner and --repo", "one of them");
  }
  if (repository !== undefined) return parseGithubRepository(repository);
  return owner === undefined ? undefined : parseGithubOwner(owner);
}

function readClaims(raw: RawOptions): readonly WantedClaim[] {
  const flags = Object.keys(WORKFLOW_CLAIMS).flatMap((name) => {
    const value = readText(raw, attribute(`certificate-${name}`), `--certificate-${name}`);
    return value === undefined ? [] : [claim(name, value)];
  });
  const claims = [...flags, ...list(raw, "certificateClaim").map(readPair)];
  const distinct = new Map(claims.map((each) => [each.name, each]));
  const twice = claims.find((each) => distinct.get(each.name)?.text !== each.text);
  if (twice === undefined) return [...distinct.values()];
  throw contradiction("a claim was given twice", `two values for ${twice.name}`, "one value");
}

function attribute(name: string): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function readPair(pair: string): WantedClaim {
  const at = pair.indexOf("=");
  if (at > 0 && at < pair.length - 1) return claim(pair.slice(0, at), pair.slice(at + 1));
  throw new CountersignError("usage", "--certificate-claim takes a claim", { found: pair, wanted: "name=value" });
}

function claim(name: string, value: string): WantedClaim {
  if (Object.hasOwn(CLAIMS, name)) return { name: name as ClaimName, text: value };
  const wanted = Object.keys(CLAIMS).join(", ");
  throw new CountersignError("usage", "there is no such claim", { found: name, wanted });
}
