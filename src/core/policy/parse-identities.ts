import { parsePublicKey } from "../crypto/public-key.ts";
import { LIMITS } from "../limits.ts";
import { parseGithubOwner, parseGithubRepository } from "../trust/github-identity.ts";
import { CLAIMS, type ClaimName } from "../trust/identity.ts";
import { oneOf, type YamlValue } from "../yaml.ts";
import type {
  GithubIdentity,
  Identity,
  KeyIdentity,
  KeylessIdentity,
  KeyReference,
  ProofDemands,
  TrustReference,
  WantedClaim,
  WantedText,
  Window,
} from "./document.ts";
import { atPlace } from "./parse-scope.ts";

/** Who somebody is: one of these. */
const KINDS = ["key", "keys", "keyless", "github"] as const;
/** Kinds that others have and that are not built yet. */
const LATER = ["notation", "pgp"] as const;
const WINDOW = ["trustedFrom", "distrustedSince"] as const;
export const IDENTITY_FIELDS = [...KINDS, ...WINDOW, "trust", "proof"] as const;
export const KEY_FIELDS = ["key", ...WINDOW] as const;
export const KEYLESS_FIELDS = ["subject", "subjectPattern", "issuer", "issuerPattern", "claims"] as const;
export const GITHUB_FIELDS = ["owner", "repository", "workflow", "ref", "claims"] as const;
export const PROOF_FIELDS = ["logs", "certificateLogs", "timestamps"] as const;
export const TRUST_FIELDS = ["trustedRoot", "instance", ...PROOF_FIELDS] as const;

type Fields<Name extends string> = Readonly<Partial<Record<Name, YamlValue>>>;

/** What all kinds of identities have. */
type Common = Pick<Identity, "name" | "trust" | "proof" | "place">;

/** @throws YamlError */
export function readIdentity(
  name: string,
  value: YamlValue,
  { place }: YamlValue,
  trust: ReadonlySet<string>,
): Identity {
  for (const [kind, , key] of value.entries()) {
    if (LATER.some((one) => one === kind))
      key.fail(`an identity of the kind ${kind}, which is not there yet`, KINDS.join(", "));
  }
  const fields = value.fields(IDENTITY_FIELDS);
  const kinds = KINDS.filter((kind) => fields[kind] !== undefined);
  if (kinds.length !== 1) {
    value.fail(
      kinds.length === 0 ? `${name}, of whom nothing is said` : kinds.join(" and "),
      `one of ${KINDS.join(", ")}`,
    );
  }
  const common: Common = {
    name,
    ...(fields.trust === undefined ? {} : { trust: readTrustName(fields.trust, trust) }),
    proof: readProof(fields.proof),
    place,
  };
  if (fields.keyless !== undefined) return readKeyless(fields.keyless, fields, common);
  if (fields.github !== undefined) return readGithub(fields.github, fields, common);
  return readKeys(value, fields, common);
}

function readKeys(value: YamlValue, fields: Fields<(typeof IDENTITY_FIELDS)[number]>, common: Common): KeyIdentity {
  const { key, keys, proof, trust } = fields;
  const [demanded] = PROOF_FIELDS.filter((name) => (common.proof[name] ?? 0) > 0);
  if (demanded !== undefined && trust === undefined) {
    proof?.fail(`${demanded} beside a key's signature, which no trust root proves`, "trust: NAME beside proof");
  }
  if (key !== undefined) return { kind: "keys", ...common, keys: [readKey(key, fields, value)] };
  for (const name of WINDOW) fields[name]?.fail(`${name} beside several keys`, `${name} in the key that it is about`);
  const items = keys?.items("a list of {key: FILE}") ?? [];
  if (items.length === 0) keys?.fail("an empty list", "at least one {key: FILE}");
  if (items.length > LIMITS.policyMembers) keys?.fail(`${items.length} keys`, `at most ${LIMITS.policyMembers}`);
  return {
    kind: "keys",
    ...common,
    keys: items.map((item) => {
      const one = item.fields(KEY_FIELDS);
      return readKey(one.key ?? item.fail("no key", "key: FILE"), one, item);
    }),
  };
}

function readKey(key: YamlValue, fields: Fields<(typeof WINDOW)[number]>, at: YamlValue): KeyReference {
  return { source: readKeySource(key), window: readWindow(fields, at), place: key.place };
}

function readKeySource(value: YamlValue): KeyReference["source"] {
  const text = value.text("the file of a public key, or its PEM");
  if (!text.includes("-----BEGIN ")) return { kind: "file", path: readPath(value, "a public key") };
  atPlace(value, () => parsePublicKey(text, "the key"));
  return { kind: "pem", pem: text };
}

const SCHEME = /^[a-z][a-z0-9+.-]*:\/\/|^pkcs11:/i;

/** A file on this machine: what the environment or a service gives may be another one tomorrow, or for the next user. */
export function readPath(value: YamlValue, what: string): string {
  const path = value.text("the name of a file");
  if (SCHEME.test(path)) value.fail(path, `a file with ${what}: a policy says the same wherever it is read`);
  if (/[\u0000-\u001f\u007f]/.test(path)) value.fail(JSON.stringify(path), "the name of a file on one line");
  return path;
}

function readWindow({ trustedFrom, distrustedSince }: Fields<(typeof WINDOW)[number]>, at: YamlValue): Window {
  const from = trustedFrom?.instant();
  const until = distrustedSince?.instant();
  if (from !== undefined && until !== undefined && until <= from) {
    at.fail("a window that ends before it begins", "distrustedSince later than trustedFrom");
  }
  return { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) };
}

function readKeyless(value: YamlValue, around: Fields<(typeof WINDOW)[number]>, common: Common): KeylessIdentity {
  const { subject, subjectPattern, issuer, issuerPattern, claims } = value.fields(KEYLESS_FIELDS);
  return {
    kind: "keyless",
    ...common,
    subject: readEither(value, "subject", subject, subjectPattern),
    issuer: readEither(value, "issuer", issuer, issuerPattern),
    claims: readClaims(claims),
    window: readWindow(around, value),
  };
}

function readEither(
  at: YamlValue,
  name: string,
  exact: YamlValue | undefined,
  pattern: YamlValue | undefined,
): WantedText {
  if (exact !== undefined && pattern !== undefined) pattern.fail(`${name} and ${name}Pattern`, "one of them");
  if (exact !== undefined) return { kind: "exact", text: exact.text(`the ${name}`) };
  if (pattern === undefined) return at.fail(`no ${name}`, `${name}: TEXT or ${name}Pattern: PATTERN`);
  return readPattern(pattern);
}

/** Whether it is one that RE2 compiles is found out where it is used. */
function readPattern(value: YamlValue): WantedText {
  const text = value.text("a pattern in RE2's syntax");
  if (text.length > LIMITS.patternCharacters) {
    value.fail(`a pattern of ${text.length} characters`, `at most ${LIMITS.patternCharacters}`);
  }
  return { kind: "pattern", text };
}

function readClaims(value: YamlValue | undefined): readonly WantedClaim[] {
  return (value?.entries() ?? []).map(([name, wanted, key]) => {
    if (!isClaim(name)) return key.fail(`the unknown claim ${name}`, oneOf(name, Object.keys(CLAIMS)));
    if (wanted.kind !== "map")
      return { name, wanted: { kind: "exact", text: wanted.text("a text, or {pattern: RE2}") } };
    const { pattern } = wanted.fields(["pattern"]);
    return { name, wanted: readPattern(pattern ?? wanted.fail("nothing", "a text, or {pattern: RE2}")) };
  });
}

function isClaim(name: string): name is ClaimName {
  return Object.hasOwn(CLAIMS, name);
}

function readGithub(value: YamlValue, around: Fields<(typeof WINDOW)[number]>, common: Common): GithubIdentity {
  const { owner, repository, workflow, ref, claims } = value.fields(GITHUB_FIELDS);
  if ((owner === undefined) === (repository === undefined)) {
    value.fail(owner === undefined ? "neither repository nor owner" : "repository and owner", "one of them");
  }
  const source =
    repository === undefined
      ? atPlace(owner ?? value, () => parseGithubOwner((owner ?? value).text("a user or an organization")))
      : atPlace(repository, () => parseGithubRepository(repository.text("owner/name")));
  return {
    kind: "github",
    ...common,
    ...source,
    ...(workflow === undefined
      ? {}
      : { workflow: matching(workflow, WORKFLOW, "a file below .github/workflows: release.yml") }),
    ...(ref === undefined ? {} : { ref: matching(ref, REF, "a ref: refs/heads/main, refs/tags/*") }),
    claims: readClaims(claims),
    window: readWindow(around, value),
  };
}

const WORKFLOW = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,250}\.ya?ml$/;
/** Git's own rules leave more out (git-check-ref-format); what cannot be a ref is only never met. */
const REF = /^refs\/(?!.*\*\*\*)[^\s\u0000-\u001f\u007f~^:?[\\@]{1,250}$/;

function matching(value: YamlValue, form: RegExp, wanted: string): string {
  const text = value.text(wanted);
  return form.test(text) ? text : value.fail(text, wanted);
}

// --- what has to lie beside signatures --------------------------------------------------------------------------------

const MOST_DEMANDED = 16;

export function readProof(value: YamlValue | undefined): ProofDemands {
  return readDemands(value?.fields(PROOF_FIELDS) ?? {});
}

function readDemands(fields: Fields<(typeof PROOF_FIELDS)[number]>): ProofDemands {
  const wanted = `a number from 0 to ${MOST_DEMANDED}`;
  const demands = PROOF_FIELDS.flatMap((name) => {
    const value = fields[name];
    if (value === undefined) return [];
    const count = value.count(wanted);
    return [[name, count <= MOST_DEMANDED ? count : value.fail(String(count), wanted)] as const];
  });
  return Object.fromEntries(demands);
}

/** As `--trust` takes them. */
const INSTANCE = /^[a-z0-9][a-z0-9._-]{0,62}$/;
export const BUILT_IN_TRUST: readonly string[] = ["sigstore", "github"];

/** One of the policy's own, or an instance: which there are is said by the configuration. */
function readTrustName(value: YamlValue, own: ReadonlySet<string>): string {
  const wanted = "a name below trust, or an instance of the configuration";
  const name = value.text(wanted);
  return own.has(name) || INSTANCE.test(name) ? name : value.fail(`the unknown trust ${name}`, wanted);
}

/** @throws YamlError */
export function readTrust(name: string, value: YamlValue, key: YamlValue): TrustReference {
  if (BUILT_IN_TRUST.includes(name)) key.fail(`the name ${name}, which is built in`, "another name");
  const { trustedRoot, instance, ...demands } = value.fields(TRUST_FIELDS);
  if ((trustedRoot === undefined) === (instance === undefined)) {
    value.fail(instance === undefined ? "neither trustedRoot nor instance" : "trustedRoot and instance", "one of them");
  }
  const source: TrustReference["source"] =
    trustedRoot === undefined
      ? { kind: "instance", instance: matching(instance ?? value, INSTANCE, "the name of an instance") }
      : { kind: "file", path: readPath(trustedRoot, "a trusted root") };
  return { name, source, proof: readDemands(demands), place: key.place };
}
