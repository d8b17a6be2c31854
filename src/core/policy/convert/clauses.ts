import { LIMITS } from "../../limits.ts";
import {
  type AttestationRequirement,
  type EvidenceRequirement,
  type Identity,
  type PolicyDocument,
  type PolicyRequirement,
  placeName,
  type SignatureRequirement,
  type WantedText,
} from "../document.ts";
import type { ExportSource, Losses } from "./conversion.ts";

/** The smallest thing that other enforcers can be asked for: evidence of a kind by one identity. */
export interface Atom {
  readonly by: Identity;
  readonly evidence: SignatureRequirement | AttestationRequirement;
}

/** Any of these. An empty one is met by nothing. */
export type Clause = readonly Atom[];

/** Met by nothing. */
const REFUSED: readonly Clause[] = [[]];

/**
 * A requirement as all of some clauses, each any of some atoms: what enforcers without an algebra of their own can say. The
 * clauses are met exactly where the requirement is, or by less, and then a loss says so.
 */
export function clausesOf(requirement: PolicyRequirement, source: ExportSource, losses: Losses): readonly Clause[] {
  return new Flattening(source, losses).flatten(requirement);
}

class Flattening {
  readonly #source: ExportSource;
  readonly #losses: Losses;

  constructor(source: ExportSource, losses: Losses) {
    this.#source = source;
    this.#losses = losses;
  }

  flatten(requirement: PolicyRequirement): readonly Clause[] {
    switch (requirement.kind) {
      case "never":
        return REFUSED;
      case "all":
        return this.#bounded(
          requirement,
          requirement.of.flatMap((part) => this.flatten(part)),
        );
      case "any":
        return this.#any(
          requirement,
          requirement.of.map((part) => this.flatten(part)),
        );
      case "threshold":
        return this.#threshold(requirement, requirement.count, requirement.of);
      case "vulnerabilities":
        return this.#refuse(requirement, "vulnerabilities", "no other enforcer reads scans as a policy asks for them");
      case "signedTag":
        return this.#refuse(requirement, "a signed tag", "no other enforcer resolves tags by signed metadata");
      default:
        return this.#evidence(requirement);
    }
  }

  #evidence(evidence: SignatureRequirement | AttestationRequirement): readonly Clause[] {
    const identities = namedBy(evidence.by, this.#source.document);
    const one = identities.map((by) => ({ by, evidence }));
    if (evidence.threshold === 1) return [one];
    const persons = this.#persons(identities);
    if (persons === undefined) return this.#refuse(evidence, "a threshold", THRESHOLD_OF_PATTERNS);
    const atoms = persons.map((person) => one.filter(({ by }) => person.includes(by)));
    return this.#atLeast(evidence, evidence.threshold, atoms);
  }

  /** Any of several alternatives: one clause of each, in every combination. */
  #any(requirement: PolicyRequirement, alternatives: readonly (readonly Clause[])[]): readonly Clause[] {
    let combined: readonly Clause[] = [[]];
    for (const clauses of alternatives) {
      const longer = combined.flatMap((left) => clauses.map((right) => [...left, ...right]));
      if (this.#tooMany(longer)) return this.#refuse(requirement, "any", TOO_MANY);
      combined = longer;
    }
    return combined;
  }

  #threshold(requirement: PolicyRequirement, count: number, of: readonly EvidenceRequirement[]): readonly Clause[] {
    const leaves = of.map((leaf) => this.flatten(leaf));
    if (count === 1) return this.#any(requirement, leaves);
    const single = leaves.flatMap((clauses) => (clauses.length === 1 ? clauses : []));
    const people = single.map((clause) => this.#persons([...new Set(clause.map(({ by }) => by))]));
    const isSimple = single.length === leaves.length && people.every((persons) => persons !== undefined);
    if (!isSimple || !this.#areApart(single)) {
      return this.#refuse(requirement, "a threshold", "who counts for which part of it cannot be said");
    }
    return this.#atLeast(requirement, count, single);
  }

  /** Nobody may meet two of them: else one signature could count twice. */
  #areApart(clauses: readonly Clause[]): boolean {
    const names = clauses.map((clause) => new Set(clause.flatMap(({ by }) => this.#marks(by))));
    return names.every((mine, at) =>
      names.slice(at + 1).every((others) => ![...mine].some((mark) => others.has(mark))),
    );
  }

  /** So many of these, each by somebody else: of any so many that could be missing but one, one is not. */
  #atLeast(place: PolicyRequirement, count: number, parts: readonly Clause[]): readonly Clause[] {
    if (count > parts.length) return this.#refuse(place, "a threshold", "it is above the number of different signers");
    const size = parts.length - count + 1;
    const subsets = subsetsOf(parts, size, LIMITS.convertedClauses);
    if (subsets === undefined) return this.#refuse(place, "a threshold", TOO_MANY);
    return subsets.map((subset) => subset.flat());
  }

  /** Identities that share a key, or are called the same, are one person; undefined where a pattern may stand for many. */
  #persons(identities: readonly Identity[]): readonly (readonly Identity[])[] | undefined {
    let persons: readonly { readonly marks: ReadonlySet<string>; readonly of: readonly Identity[] }[] = [];
    for (const identity of identities) {
      const marks = this.#marks(identity);
      if (marks.length === 0) return undefined;
      const same = persons.filter((person) => marks.some((mark) => person.marks.has(mark)));
      const merged = {
        marks: new Set([...marks, ...same.flatMap((person) => [...person.marks])]),
        of: [...same.flatMap((person) => person.of), identity],
      };
      persons = [...persons.filter((person) => !same.includes(person)), merged];
    }
    return persons.map(({ of }) => of);
  }

  /** What tells a person from others; nothing where it is a pattern. */
  #marks(identity: Identity): readonly string[] {
    if (identity.kind === "keys") return (this.#source.keys.get(identity.name) ?? []).map((key) => key.fingerprint);
    if (identity.kind === "github") return [];
    const parts: readonly WantedText[] = [identity.subject, identity.issuer];
    if (parts.some(({ kind }) => kind === "pattern")) return [];
    return [JSON.stringify(parts.map(({ text }) => text))];
  }

  #bounded(requirement: PolicyRequirement, clauses: readonly Clause[]): readonly Clause[] {
    return this.#tooMany(clauses) ? this.#refuse(requirement, requirement.kind, TOO_MANY) : clauses;
  }

  #tooMany(clauses: readonly Clause[]): boolean {
    return clauses.length > LIMITS.convertedClauses;
  }

  #refuse({ place }: PolicyRequirement, what: string, why: string): readonly Clause[] {
    this.#losses.add(placeName(place), what, `${why}; what asks for it is met by nothing`);
    return REFUSED;
  }
}

const TOO_MANY = `written out it has more than ${LIMITS.convertedClauses} parts`;
const THRESHOLD_OF_PATTERNS = "a pattern may stand for any number of signers, and elsewhere they are not told apart";

/** Everybody whom these names of identities and roles stand for, once. */
function namedBy(by: readonly string[], { identities, roles }: PolicyDocument): readonly Identity[] {
  const names = new Set(by.flatMap((name) => roles.get(name)?.members ?? [name]));
  return [...names].flatMap((name) => identities.get(name) ?? []);
}

/** All the ways to choose so many; undefined where there are more than `most`. */
function subsetsOf<T>(all: readonly T[], size: number, most: number): readonly (readonly T[])[] | undefined {
  let chosen: readonly { readonly of: readonly T[]; readonly next: number }[] = [{ of: [], next: 0 }];
  for (let length = 0; length < size; length++) {
    const last = all.length - (size - length);
    chosen = chosen.flatMap(({ of, next }) =>
      all.slice(next, last + 1).map((one, at) => ({ of: [...of, one], next: next + at + 1 })),
    );
    if (chosen.length > most) return undefined;
  }
  return chosen.map(({ of }) => of);
}
