import type { Finding } from "../errors.ts";
import { resolveType, typeName } from "../formats/predicates.ts";
import type { Digest } from "../oci/digest.ts";
import type {
  EvidenceRequirement,
  Identity,
  Place,
  PolicyDocument,
  PolicyRequirement,
  Rule,
} from "../policy/document.ts";
import { personOf } from "../verify/persons.ts";
import { type LearnedSigner, Names } from "./learned-names.ts";

export type { LearnedSigner } from "./learned-names.ts";

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
