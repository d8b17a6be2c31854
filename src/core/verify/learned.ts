import type { Finding } from "../errors.ts";
import { resolveType, typeName } from "../formats/predicates.ts";
import type { Digest } from "../oci/digest.ts";
import type {
  EvidenceRequirement,
  Identity,
  KeyIdentity,
  KeylessIdentity,
  Place,
  PolicyDocument,
  PolicyRequirement,
  Rule,
  WantedClaim,
} from "../policy/document.ts";
import { type CertificateIdentity, CLAIMS, type ClaimName } from "../trust/identity.ts";
import { personOf } from "./persons.ts";

/** Somebody who was proven to have signed. */
export type LearnedSigner =
  /** `trust`: what the policy calls the root that proves it. */
  | { readonly kind: "identity"; readonly identity: CertificateIdentity; readonly trust: string }
  /** `source`: how the policy names the key. */
  | {
      readonly kind: "key";
      readonly fingerprint: string;
      readonly source: KeyIdentity["keys"][number]["source"];
      readonly calledAfter: string;
    };

/** An image, and what is proven of it. */
export interface LearnedImage {
  /** As it is printed. */
  readonly name: string;
  /** `registry/repository`. */
  readonly repository: string;
  readonly digest: Digest;
  readonly signedBy: readonly LearnedSigner[];
  /** By predicate type. */
  readonly attestedBy: ReadonlyMap<string, readonly LearnedSigner[]>;
}

/** An image of which nothing was learned, and why. */
export interface UnlearnedImage {
  readonly name: string;
  readonly finding: Finding;
}

/** What would be added to a policy. */
export interface Proposal {
  readonly identities: readonly Identity[];
  readonly rules: readonly Rule[];
  /** What the person should look at before it is used. */
  readonly notes: readonly string[];
}

const NOWHERE: Place = { label: "", line: 1, column: 1 };

/**
 * The narrowest rules that accept these images: each repository by its exact name, its signers by their exact identities,
 * everything required that all of its images have. Never a pattern: whoever wants one has to write it.
 */
export function proposeRules(images: readonly LearnedImage[], policy?: PolicyDocument): Proposal {
  const names = new Names(policy);
  const groups = [...Map.groupBy(images, ({ repository }) => repository)];
  const rules = groups.map(([repository, group]) => proposeRule(repository, group, names));
  return { identities: names.added, rules, notes: groups.flatMap(([repository, group]) => notesOn(repository, group)) };
}

function proposeRule(repository: string, images: readonly LearnedImage[], names: Names): Rule {
  const ways = shapesOf(images).map((group) => requireAll(group, names));
  const [only] = ways;
  return {
    images: [{ text: repository, place: NOWHERE }],
    require: ways.length === 1 && only !== undefined ? only : { kind: "any", of: ways, place: NOWHERE },
    mode: "enforce",
    platforms: "index",
    signedAs: [],
    exceptions: [],
    place: NOWHERE,
  };
}

/** Images that carry the same things are told by one requirement; others are another way to be accepted. */
function shapesOf(images: readonly LearnedImage[]): readonly (readonly LearnedImage[])[] {
  const groups = Map.groupBy(images, ({ signedBy, attestedBy }) =>
    JSON.stringify([signedBy.length > 0, [...attestedBy.keys()].toSorted()]),
  );
  return [...groups.values()];
}

/** All that every one of these images has. */
function requireAll(images: readonly LearnedImage[], names: Names): PolicyRequirement {
  const types = [...new Set(images.flatMap(({ attestedBy }) => [...attestedBy.keys()]))].toSorted();
  const parts: readonly EvidenceRequirement[] = [
    ...requireOfAll(
      images.map(({ signedBy }) => signedBy),
      names,
      (by) => ({ ...by, kind: "signature", annotations: {}, nameBinding: false }),
    ),
    ...types.flatMap((type) =>
      requireOfAll(
        images.map(({ attestedBy }) => attestedBy.get(type) ?? []),
        names,
        (by) => ({ ...by, kind: "attestation", types: [shortType(type)], where: [] }),
      ),
    ),
  ];
  const [only] = parts;
  return parts.length === 1 && only !== undefined ? only : { kind: "all", of: parts, place: NOWHERE };
}

type By = Pick<EvidenceRequirement & { kind: "signature" }, "by" | "threshold" | "maxAge" | "place">;

/** Of what every image has: by any of those who did it, and by as many of them as did it for each. */
function requireOfAll(
  signers: readonly (readonly LearnedSigner[])[],
  names: Names,
  make: (by: By) => EvidenceRequirement,
): readonly EvidenceRequirement[] {
  const counts = signers.map((each) => new Set(each.map(personId)).size);
  const threshold = Math.min(...counts);
  if (threshold === 0) return [];
  const by = [...new Set(signers.flat().map((signer) => names.of(signer)))];
  return [make({ by, threshold, maxAge: undefined, place: NOWHERE })];
}

function personId(signer: LearnedSigner): string {
  return signer.kind === "key" ? signer.fingerprint : personOf(signer.identity);
}

/** A short name only where it stands for this very type and for no other. */
function shortType(uri: string): string {
  const name = typeName(uri);
  const [only, ...others] = name === uri ? [] : resolveType(name);
  return only !== undefined && others.length === 0 && only.uri === uri && !only.hasVersions ? name : uri;
}

// --- who --------------------------------------------------------------------------------------------------------------

/**
 * Claims that narrow an identity down and stay what they are from one run to the next, the older names only where there is
 * nothing newer. What differs in every run, as commits and addresses of runs do, would refuse the next image.
 */
const NARROWING: readonly ClaimName[] = [
  ...(["build-signer-uri", "runner-environment", "source-repository-uri", "source-repository-ref"] as const),
  ...(["source-repository-identifier", "source-repository-owner-identifier", "build-config-uri"] as const),
  ...(["build-trigger", "deployment-environment"] as const),
];
const OLDER: readonly ClaimName[] = ["github-workflow-repository", "github-workflow-ref", "github-workflow-name"];

function claimsOf({ subject, claims }: CertificateIdentity): readonly WantedClaim[] {
  const isNew = NARROWING.some((name) => claims[name] !== undefined);
  const order = Object.keys(CLAIMS) as readonly ClaimName[];
  return order
    .filter((name) => (isNew ? NARROWING : OLDER).includes(name))
    .flatMap((name) => {
      const text = claims[name];
      // For most workflows it is the subject once more.
      if (text === undefined || text === "" || text === subject) return [];
      return [{ name, wanted: { kind: "exact", text } } as const];
    });
}

/** Names for those who signed: those that the policy has for the very same, else new ones. */
class Names {
  readonly added: Identity[] = [];
  readonly #known: Identity[];
  readonly #taken: Set<string>;

  constructor(policy: PolicyDocument | undefined) {
    this.#known = [...(policy?.identities.values() ?? [])];
    this.#taken = new Set([...(policy?.identities.keys() ?? []), ...(policy?.roles.keys() ?? [])]);
  }

  of(signer: LearnedSigner): string {
    const wanted = signer.kind === "key" ? keyIdentity(signer) : keylessIdentity(signer);
    const known = this.#known.find((each) => isSame(each, wanted));
    if (known !== undefined) return known.name;
    const name = this.#free(nameFor(signer));
    const identity = { ...wanted, name };
    this.#known.push(identity);
    this.#taken.add(name);
    this.added.push(identity);
    return name;
  }

  #free(name: string): string {
    for (let at = 2; ; at++) {
      const candidate = at === 2 ? name : `${name}-${at - 1}`;
      if (!this.#taken.has(candidate)) return candidate;
    }
  }
}

function keyIdentity({ source }: LearnedSigner & { kind: "key" }): KeyIdentity {
  return { kind: "keys", name: "", keys: [{ source, window: {}, place: NOWHERE }], proof: {}, place: NOWHERE };
}

function keylessIdentity({ identity, trust }: LearnedSigner & { kind: "identity" }): KeylessIdentity {
  return {
    kind: "keyless",
    name: "",
    subject: { kind: "exact", text: identity.subject },
    issuer: { kind: "exact", text: identity.issuer },
    claims: claimsOf(identity),
    trust,
    proof: {},
    window: {},
    place: NOWHERE,
  };
}

/** But for what they are called and where they stand. */
function isSame(a: Identity, b: Identity): boolean {
  return essenceOf(a) === essenceOf(b);
}

function essenceOf(identity: Identity): string {
  const { trust, proof } = identity;
  const common = [identity.kind, trust ?? "", Object.entries(proof).toSorted()];
  if (identity.kind === "keys") {
    return JSON.stringify([common, identity.keys.map(({ source, window }) => [Object.values(source), window])]);
  }
  const { window, claims } = identity;
  const wanted = claims.map(({ name, wanted: { kind, text } }) => [name, kind, text]).toSorted();
  const who =
    identity.kind === "github"
      ? [identity.owner, identity.repository, identity.workflow, identity.ref]
      : [identity.subject, identity.issuer].map(({ kind, text }) => [kind, text]);
  return JSON.stringify([common, who, window, wanted]);
}

const WORKFLOW =
  /^https:\/\/github\.com\/[^/]+\/([^/]+)\/\.github\/workflows\/([^/@]+?)(?:\.ya?ml)?@refs\/[^/]+\/(.+)$/;
const NAME_CHARACTERS = 48;

/** `app-release-v1.4.2` for a workflow, `dev-at-example.com` for an address. */
function nameFor(signer: LearnedSigner): string {
  const text =
    signer.kind === "key"
      ? signer.calledAfter
      : (WORKFLOW.exec(signer.identity.subject)?.slice(1).join("-") ??
        signer.identity.subject.replace("@", "-at-").replace(/^https?:\/\//, ""));
  const plain = text
    .replaceAll(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+/, "")
    .slice(0, NAME_CHARACTERS)
    .replace(/[._-]+$/, "");
  return plain === "" ? "signer" : plain;
}

// --- words ------------------------------------------------------------------------------------------------------------

const SCANS = ["vuln", "openvex"];

function notesOn(repository: string, images: readonly LearnedImage[]): readonly string[] {
  const refs = new Set(images.flatMap(signersOf).flatMap((signer) => refOf(signer)));
  const types = new Set(images.flatMap(({ attestedBy }) => [...attestedBy.keys()]));
  const scans = [...types].filter((type) => SCANS.includes(typeName(type)));
  return [
    ...(refs.size > 1
      ? [`${repository}: its images were signed at ${refs.size} refs; each is listed, and the next one will be refused`]
      : []),
    ...(refs.size === 1
      ? [`${repository}: what is signed at another ref than ${[...refs].join()} will be refused`]
      : []),
    ...(shapesOf(images).length > 1
      ? [
          `${repository}: its images do not all carry the same things; what each of them carries is a way to be accepted`,
        ]
      : []),
    ...scans.map(
      (type) => `${repository}: ${typeName(type)} is asked for, whatever it says; vulnerabilities: says what it may`,
    ),
  ];
}

function signersOf({ signedBy, attestedBy }: LearnedImage): readonly LearnedSigner[] {
  return [...signedBy, ...[...attestedBy.values()].flat()];
}

function refOf(signer: LearnedSigner): readonly string[] {
  const ref = signer.kind === "identity" ? signer.identity.claims["source-repository-ref"] : undefined;
  return ref === undefined ? [] : [ref];
}
