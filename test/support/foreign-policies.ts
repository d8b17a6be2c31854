import { generateKeyPairSync } from "node:crypto";
import { parseAllDocuments } from "yaml";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import { type PublicKey, publicKeyFrom, publicKeyPem } from "../../src/core/crypto/public-key.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import type { Dialect, Exported } from "../../src/core/policy/convert/conversion.ts";
import { exportPolicy } from "../../src/core/policy/convert/convert.ts";
import type { PolicyDocument, PolicyRequirement } from "../../src/core/policy/document.ts";
import { matchRule } from "../../src/core/policy/images.ts";
import { parsePolicy } from "../../src/core/policy/parse.ts";

/** Signers of tests, by name: made once for all of them. */
export const SIGNERS: ReadonlyMap<string, PublicKey> = new Map(
  ["alice", "bob", "carol"].map((name) => [
    name,
    publicKeyFrom(generateKeyPairSync("ec", { namedCurve: "prime256v1" }).publicKey, name),
  ]),
);

export function pemOf(name: string): string {
  const key = SIGNERS.get(name);
  if (key === undefined) throw new Error(`no signer ${name}`);
  return publicKeyPem(key);
}

/** `identities:` with the signers' keys, and somebody without one. */
export const IDENTITIES = [
  "identities:",
  ...[...SIGNERS.keys()].map((name) => `  ${name}: {key: ${JSON.stringify(pemOf(name))}}`),
  "  dana: {keyless: {subject: dana@example.com, issuer: https://login.example.com}, trust: sigstore}",
].join("\n");

/** A policy of these rules about the signers. */
export function policyOf(rules: string): PolicyDocument {
  return parsePolicy(encodeUtf8(`apiVersion: countersign/v1\n${IDENTITIES}\n${rules}`), "policy.yaml");
}

export function keysOf({ identities }: PolicyDocument): ReadonlyMap<string, readonly PublicKey[]> {
  const known = [...SIGNERS.values()];
  return new Map(
    [...identities.values()].flatMap((identity) => {
      if (identity.kind !== "keys") return [];
      const keys = identity.keys.map(({ source }) =>
        known.filter((key) => source.kind === "pem" && publicKeyPem(key).trim() === source.pem.trim()),
      );
      return [[identity.name, keys.flat()] as const];
    }),
  );
}

export function exportRules(rules: string, dialect: Dialect): Exported {
  const document = policyOf(rules);
  return exportPolicy({ document, keys: keysOf(document) }, dialect);
}

// --- a small model of evidence, and of who accepts it ---------------------------------------------------------------

/** Something that lies beside an image. */
export interface Evidence {
  readonly by: string;
  /** What it states; `signature` is the image's own. */
  readonly kind: "signature" | "slsaprovenance1";
  readonly form: "legacy" | "bundle";
  /** The repository that a legacy signature names. */
  readonly names: string;
}

export interface Shown {
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest: Digest;
  readonly evidence: readonly Evidence[];
}

/** What a policy of ours says, by its documentation: rules by the most specific pattern, requirements as sets of signers. */
export function weAccept(document: PolicyDocument, image: Shown): boolean {
  const match = matchRule(document, image);
  if (match === undefined) return false;
  return match.rule.mode === "warn" || isMet(match.rule.require, document, image);
}

/** The same for a policy that calls the signers by other names: those who have these keys. */
export function weAcceptKeys(document: PolicyDocument, image: Shown): boolean {
  const named = [...keysOf(document)].flatMap(([name, keys]) => keys.map((key) => ({ name, pem: publicKeyPem(key) })));
  const evidence = image.evidence.flatMap((one) =>
    named.filter(({ pem }) => pem === pemOf(one.by)).map(({ name }) => ({ ...one, by: name })),
  );
  return weAccept(document, { ...image, evidence });
}

function isMet(requirement: PolicyRequirement, document: PolicyDocument, image: Shown): boolean {
  switch (requirement.kind) {
    case "never":
    case "signedTag":
    case "vulnerabilities":
      return false;
    case "all":
      return requirement.of.every((part) => isMet(part, document, image));
    case "any":
      return requirement.of.some((part) => isMet(part, document, image));
    case "threshold":
      return hasMatching(
        requirement.of.map((part) => signersOf(part, document, image)),
        requirement.count,
      );
    default:
      return signersOf(requirement, document, image).size >= requirement.threshold;
  }
}

function signersOf(requirement: PolicyRequirement, document: PolicyDocument, image: Shown): ReadonlySet<string> {
  if (requirement.kind !== "signature" && requirement.kind !== "attestation") return new Set();
  const names = new Set(requirement.by.flatMap((name) => document.roles.get(name)?.members ?? [name]));
  const binds = requirement.kind === "signature" && requirement.nameBinding;
  const good = image.evidence.filter(({ by, kind, form, names: named }) => {
    if (!names.has(by) || (kind === "signature") !== (requirement.kind === "signature")) return false;
    if (kind !== "signature") return true;
    return form === "legacy" ? named === image.repository : !binds;
  });
  return new Set(good.map(({ by }) => by));
}

/** Whether so many of these can be given somebody each, all of them different. */
function hasMatching(parts: readonly ReadonlySet<string>[], count: number): boolean {
  if (count === 0) return true;
  const [first, ...rest] = parts;
  if (first === undefined) return false;
  const without = (name: string) => rest.map((part) => new Set([...part].filter((one) => one !== name)));
  return hasMatching(rest, count) || [...first].some((name) => hasMatching(without(name), count - 1));
}

type Foreign = Readonly<Record<string, unknown>>;

function object(value: unknown): Foreign {
  if (typeof value !== "object" || value === null) throw new Error("not an object");
  return value as Foreign;
}

function list(value: unknown): readonly Foreign[] {
  return Array.isArray(value) ? value.map(object) : [];
}

/** containers-policy.json(5): the most specific scope of the docker transport, and all its requirements. */
export function containersAccepts(content: string, image: Shown, isNamedByDigest: boolean): boolean {
  const policy = object(JSON.parse(content));
  const scopes = object(object(policy["transports"] ?? {})["docker"] ?? {});
  const version = isNamedByDigest || image.tag === undefined ? `@${image.digest}` : `:${image.tag}`;
  const scope = scopesOf(`${image.repository}${version}`, image.repository).find((name) => Object.hasOwn(scopes, name));
  const requirements = list(scope === undefined ? policy["default"] : scopes[scope]);
  return requirements.length > 0 && requirements.every((requirement) => meetsContainers(requirement, image));
}

function scopesOf(full: string, repository: string): readonly string[] {
  const parts = repository.split("/");
  const folders = parts.map((_, at) => parts.slice(0, parts.length - at).join("/"));
  const [host = ""] = (parts[0] ?? "").split(":");
  const labels = host.split(".");
  return [full, ...folders, ...labels.slice(1).map((_, at) => `*.${labels.slice(at + 1).join(".")}`), ""];
}

function meetsContainers(requirement: Foreign, image: Shown): boolean {
  if (requirement["type"] === "insecureAcceptAnything") return true;
  if (requirement["type"] !== "sigstoreSigned") return false;
  const data = [requirement["keyData"] ?? requirement["keyDatas"]]
    .flat()
    .map((text) => Buffer.from(String(text), "base64").toString());
  const identity = object(requirement["signedIdentity"]);
  const wanted = identity["type"] === "exactRepository" ? identity["dockerRepository"] : image.repository;
  return image.evidence.some(
    ({ by, kind, form, names }) =>
      form === "legacy" && kind === "signature" && names === wanted && data.includes(pemOf(by)),
  );
}

function documents(content: string): readonly Foreign[] {
  return parseAllDocuments(content).map((document) => object(document.toJS()));
}

const PREDICATES: Readonly<Record<string, string>> = {
  signature: "https://sigstore.dev/cosign/sign/v1",
  slsaprovenance1: "https://slsa.dev/provenance/v1",
};

/** sigstore/policy-controller: of all that match the digest, each has to have an authority that is met. */
export function policyControllerAccepts(content: string, image: Shown): boolean {
  const all = documents(content)
    .filter(({ kind }) => kind === "ClusterImagePolicy")
    .map(({ spec }) => object(spec));
  const name = `${image.repository.replace(/^docker\.io\//, "index.docker.io/")}@${image.digest}`;
  const matching = all.filter(({ images }) => list(images).some(({ glob }) => globExpression(String(glob)).test(name)));
  return (
    matching.length > 0 &&
    matching.every(
      (policy) => policy["mode"] === "warn" || list(policy["authorities"]).some((one) => meetsAuthority(one, image)),
    )
  );
}

function globExpression(glob: string): RegExp {
  const source = glob.replaceAll(".", "\\.").replaceAll("**", "#").replaceAll("*", "[^/]*").replaceAll("#", ".*");
  return new RegExp(`^${source}$`);
}

function meetsAuthority(authority: Foreign, image: Shown): boolean {
  if (authority["static"] !== undefined) return object(authority["static"])["action"] === "pass";
  const bundles = authority["signatureFormat"] === "bundle";
  const signer = (by: string) => authority["key"] !== undefined && object(authority["key"])["data"] === pemOf(by);
  const types = list(authority["attestations"]).map(({ predicateType }) => predicateType);
  const states = ({ kind, form }: Evidence) =>
    types.length === 0
      ? kind === "signature" && form === "legacy"
      : types.includes(PREDICATES[kind]) &&
        !(kind === "signature" && form === "legacy") &&
        !(bundles && form === "legacy");
  return image.evidence.some((one) => signer(one.by) && states(one));
}

/** Kyverno: every policy about an image has to admit it, and what no policy is about is admitted. */
export function kyvernoAccepts(content: string, image: Shown): boolean {
  const ref = `${image.repository}${image.tag === undefined ? "" : `:${image.tag}`}@${image.digest}`;
  return documents(content).every(({ spec }) => admits(object(spec), ref, image));
}

function admits(spec: Foreign, ref: string, image: Shown): boolean {
  const isAbout = list(spec["matchImageReferences"]).some(({ expression }) => evaluate(String(expression), ref));
  const denies = [spec["validationActions"]].flat().includes("Deny");
  return (
    !isAbout ||
    !denies ||
    list(spec["validations"]).every(({ expression }) => validates(String(expression), spec, image))
  );
}

/** The CEL that is written: `ref.matches('…')`, `!`, `&&`, `||` and brackets. */
function evaluate(expression: string, ref: string): boolean {
  const plain = expression.replace(/ref\.matches\('((?:[^'\\]|\\.)*)'\)/g, (_, text: string) =>
    String(new RegExp(text.replaceAll("\\\\", "\\")).test(ref)),
  );
  if (!/^(?:true|false|[!()\s]|&&|\|\|)+$/.test(plain)) throw new Error(`not to be evaluated: ${plain}`);
  return Function(`return (${plain});`)() as boolean;
}

function validates(expression: string, spec: Foreign, image: Shown): boolean {
  const inner = /^images\.all\(kind, images\[kind\]\.all\(image, (.*)\)\)$/.exec(expression)?.[1] ?? "";
  if (inner === "false") return false;
  return inner.split(" || ").some((call) => {
    const [, type, attestor] =
      /^verifyAttestationSignatures\(image, attestations\.(\w+), \[attestors\.(\w+)\]\) > 0$/.exec(call) ?? [];
    const cosign = object(list(spec["attestors"]).find(({ name }) => name === attestor)?.["cosign"]);
    const uri = object(list(spec["attestations"]).find(({ name }) => name === type)?.["intoto"])["type"];
    return image.evidence.some(
      ({ by, kind, form }) =>
        form === "bundle" &&
        PREDICATES[kind] === uri &&
        cosign["key"] !== undefined &&
        object(cosign["key"])["data"] === pemOf(by),
    );
  });
}
