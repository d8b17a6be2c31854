import { type Instant, instant } from "../time.ts";
import { writeYaml, type YamlOutput } from "../yaml-write.ts";
import type {
  EvidenceRequirement,
  Exception,
  GithubIdentity,
  Identity,
  KeyIdentity,
  KeylessIdentity,
  PolicyDocument,
  PolicyRequirement,
  Rule,
  SignedAs,
  TrustReference,
  VulnerabilitiesRequirement,
  WantedClaim,
  WantedText,
  Window,
  WithdrawnList,
} from "./document.ts";
import { formatDuration } from "./duration.ts";
import { API_VERSION, KIND } from "./parse.ts";

export interface FormatOptions {
  /** Lines above it, which become comments. */
  readonly comments?: readonly string[] | undefined;
}

/**
 * A policy as a person would write it: reading the text gives the same document again, but for places, label and digest.
 * What is as it is when nothing is said is left out.
 */
export function formatPolicy(document: PolicyDocument, { comments = [] }: FormatOptions = {}): string {
  const { identities, roles, trust, withdrawn, rules } = document;
  const members: YamlOutput = {
    apiVersion: API_VERSION,
    kind: KIND,
    identities: named(identities, identityOf),
    roles: named(roles, ({ members: names }) => [...names]),
    trust: named(trust, trustOf),
    withdrawn: withdrawn.length === 0 ? undefined : withdrawn.map(withdrawnOf),
    rules: rules.map(ruleOf),
  };
  return `${comments.map(commentLine).join("")}${writeYaml(members, APART)}`;
}

const APART: ReadonlySet<string> = new Set(["rules"]);

function commentLine(text: string): string {
  return `${`# ${text.replaceAll(/[^\x20-\x7e\u00a0-\u2027\u202a-\ud7ff]/g, " ")}`.trimEnd()}\n`;
}

function named<Value>(
  values: ReadonlyMap<string, Value>,
  output: (value: Value) => YamlOutput,
): ReadonlyMap<string, YamlOutput> | undefined {
  return values.size === 0 ? undefined : new Map([...values].map(([name, value]) => [name, output(value)]));
}

/** One as itself, several as a list. */
function oneOrMore(values: readonly string[]): YamlOutput {
  const [only] = values;
  return values.length === 1 && only !== undefined ? only : [...values];
}

function orNone<Value extends object>(value: Value): Value | undefined {
  return Object.values(value).every((member) => member === undefined) ? undefined : value;
}

function ageOf(milliseconds: number | undefined): string | undefined {
  return milliseconds === undefined ? undefined : formatDuration(milliseconds);
}

function timeOf(at: Instant): string {
  return new Date(instant(at)).toISOString().replace(".000Z", "Z");
}

// --- who --------------------------------------------------------------------------------------------------------------

function identityOf(identity: Identity): YamlOutput {
  const { trust, proof } = identity;
  const more = { trust, proof: orNone({ ...proof }) };
  if (identity.kind === "keys") return { ...keysOf(identity), ...more };
  const window = windowOf(identity.window);
  if (identity.kind === "github") return { github: githubOf(identity), ...window, ...more };
  return { keyless: keylessOf(identity), ...window, ...more };
}

function windowOf({ from, until }: Window): Readonly<Record<"trustedFrom" | "distrustedSince", string | undefined>> {
  return {
    trustedFrom: from === undefined ? undefined : timeOf(from),
    distrustedSince: until === undefined ? undefined : timeOf(until),
  };
}

function keysOf({ keys }: KeyIdentity): Readonly<Record<string, YamlOutput | undefined>> {
  const all = keys.map(({ source, window }) => ({
    key: source.kind === "pem" ? source.pem : source.path,
    ...windowOf(window),
  }));
  const [only] = all;
  return all.length === 1 && only !== undefined ? only : { keys: all };
}

function keylessOf({ subject, issuer, claims }: KeylessIdentity): YamlOutput {
  return { ...either("subject", subject), ...either("issuer", issuer), claims: claimsOf(claims) };
}

function either(name: string, { kind, text }: WantedText): Readonly<Record<string, string>> {
  return { [kind === "exact" ? name : `${name}Pattern`]: text };
}

function claimsOf(claims: readonly WantedClaim[]): YamlOutput | undefined {
  if (claims.length === 0) return undefined;
  return new Map(
    claims.map(({ name, wanted }) => [name, wanted.kind === "exact" ? wanted.text : { pattern: wanted.text }] as const),
  );
}

function githubOf({ owner, repository, workflow, ref, claims }: GithubIdentity): YamlOutput {
  const source = repository === undefined ? { owner } : { repository: `${owner}/${repository}` };
  return { ...source, workflow, ref, claims: claimsOf(claims) };
}

function trustOf({ source, proof }: TrustReference): YamlOutput {
  return { ...(source.kind === "file" ? { trustedRoot: source.path } : { instance: source.instance }), ...proof };
}

function withdrawnOf({ source, name, by, maxAge }: WithdrawnList): YamlOutput {
  const where = source.kind === "file" ? { file: source.path } : { artifact: source.reference };
  return { ...where, name, by: oneOrMore(by), maxAge: ageOf(maxAge) };
}

// --- what -------------------------------------------------------------------------------------------------------------

function ruleOf({ name, images, require, mode, platforms, signedAs, exceptions, ...tags }: Rule): YamlOutput {
  return {
    name,
    images: oneOrMore(images.map(({ text }) => text)),
    require: require.kind === "signedTag" ? undefined : requirementOf(require),
    signedTag: tags.signedTag,
    maxBindingAge: ageOf(tags.maxBindingAge),
    digestPulls: tags.digestPulls,
    mode: mode === "enforce" ? undefined : mode,
    platforms: platforms === "index" ? undefined : platforms,
    signedAs: signedAs.length === 0 ? undefined : signedAs.map(signedAsOf),
    exceptions: exceptions.length === 0 ? undefined : exceptions.map(exceptionOf),
  };
}

function signedAsOf(signedAs: SignedAs): YamlOutput {
  if (signedAs.kind === "name") return signedAs.repository;
  return { prefix: signedAs.prefix, signedPrefix: signedAs.signedPrefix };
}

function exceptionOf({ digests, images, owner, reason, expires }: Exception): YamlOutput {
  const patterns = images.map(({ text }) => text);
  return {
    ...(digests.length === 1 ? { digest: digests[0] } : { digests: digests.length === 0 ? undefined : [...digests] }),
    images: patterns.length === 0 ? undefined : oneOrMore(patterns),
    owner,
    reason,
    expires: timeOf(expires),
  };
}

function requirementOf(requirement: PolicyRequirement): YamlOutput {
  switch (requirement.kind) {
    case "all":
    case "any":
      return { [requirement.kind]: requirement.of.map(requirementOf) };
    case "threshold":
      return { threshold: { count: requirement.count, of: requirement.of.map(requirementOf) } };
    case "never":
      return { never: requirement.why };
    case "signedTag":
      throw new Error("a signed tag is written beside what a rule requires");
    default:
      return { [requirement.kind]: evidenceOf(requirement) };
  }
}

function evidenceOf(requirement: EvidenceRequirement): YamlOutput {
  if (requirement.kind === "vulnerabilities") return vulnerabilitiesOf(requirement);
  const { by, threshold, maxAge } = requirement;
  const who = {
    by: oneOrMore(by),
    threshold: threshold === 1 ? undefined : threshold,
    maxAge: ageOf(maxAge),
  };
  if (requirement.kind === "attestation") {
    const { types, where } = requirement;
    const conditions = where.length === 0 ? undefined : oneOrMore(where.map(({ text }) => text));
    return { type: oneOrMore(types), ...who, where: conditions };
  }
  const { annotations, nameBinding } = requirement;
  const wanted = Object.keys(annotations).length === 0 ? undefined : new Map(Object.entries(annotations));
  return { ...who, annotations: wanted, nameBinding: nameBinding ? true : undefined };
}

function vulnerabilitiesOf(requirement: VulnerabilitiesRequirement): YamlOutput {
  const { scannedBy, maxAge, severityAtMost, fixableOnly, vex, except } = requirement;
  return {
    scannedBy: oneOrMore(scannedBy),
    maxAge: ageOf(maxAge),
    severityAtMost,
    fixableOnly: fixableOnly ? true : undefined,
    vex: vex === undefined ? undefined : { by: oneOrMore(vex.by), maxAge: ageOf(vex.maxAge) },
    except:
      except.length === 0
        ? undefined
        : except.map(({ id, owner, reason, expires }) => ({ id, owner, reason, expires: timeOf(expires) })),
  };
}
