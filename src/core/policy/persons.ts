import { Alike } from "./alike.ts";
import type { EvidenceRequirement, Identity, PolicyRequirement, Role } from "./document.ts";
import { mostSeated } from "./matching.ts";

/** How many people could meet a requirement: these, or any number where a pattern says who. */
export type Crowd = ReadonlySet<string> | "any number";

/**
 * Who counts as one person: the keys of one identity are one, and identities that share a key, or that name the same subject
 * of the same issuer, are one. That two files hold the same key is only seen where their keys are given.
 */
export class Persons {
  readonly #identities: ReadonlyMap<string, Identity | undefined>;
  readonly #roles: ReadonlyMap<string, Pick<Role, "members"> | undefined>;
  /** The first identity with a mark, for every mark. */
  readonly #first = new Map<string, string>();
  readonly #alike = new Alike();

  constructor(
    identities: ReadonlyMap<string, Identity | undefined>,
    roles: ReadonlyMap<string, Pick<Role, "members"> | undefined>,
    keys: ReadonlyMap<string, readonly { readonly fingerprint: string }[]> = new Map(),
  ) {
    this.#identities = identities;
    this.#roles = roles;
    for (const [name, identity] of identities) {
      for (const mark of identity === undefined ? [] : (marksOf(identity) ?? [])) this.#join(name, mark);
      for (const { fingerprint } of keys.get(name) ?? []) this.#join(name, fingerprint);
    }
  }

  #join(name: string, mark: string): void {
    const other = this.#first.get(mark);
    if (other === undefined) this.#first.set(mark, name);
    else this.#alike.join(name, other);
  }

  /** The identities that names of identities and roles stand for. */
  identitiesOf(by: readonly string[]): readonly string[] {
    return [...new Set(by.flatMap((name) => this.#roles.get(name)?.members ?? [name]))];
  }

  /** Those of them that are named one by one, as the first name that each has. */
  personsOf(by: readonly string[]): readonly string[] {
    return this.identitiesOf(by).map((name) => this.#alike.find(name));
  }

  /** Who they are. What could not be read counts as anybody: that has been said already. */
  of(by: readonly string[]): Crowd {
    const persons = new Set<string>();
    for (const name of this.identitiesOf(by)) {
      const identity = this.#identities.get(name);
      if (identity === undefined || marksOf(identity) === undefined) return "any number";
      persons.add(this.#alike.find(name));
    }
    return persons;
  }
}

/** What one person alone has; undefined for a pattern, which different people meet. */
function marksOf(identity: Identity): readonly string[] | undefined {
  if (identity.kind === "github") return undefined;
  if (identity.kind === "keys") {
    return identity.keys.map(({ source }) =>
      source.kind === "pem" ? `pem ${source.pem.trim()}` : `file ${source.path}`,
    );
  }
  const { subject, issuer } = identity;
  return subject.kind === "exact" && issuer.kind === "exact"
    ? [JSON.stringify([subject.text, issuer.text])]
    : undefined;
}

/** Whose evidence a requirement asks for. */
export function wantedOf(requirement: EvidenceRequirement): readonly string[] {
  return requirement.kind === "vulnerabilities" ? requirement.scannedBy : requirement.by;
}

/** The identities and roles that a requirement names. */
export function namesIn(requirement: PolicyRequirement): readonly string[] {
  switch (requirement.kind) {
    case "all":
    case "any":
    case "threshold":
      return requirement.of.flatMap(namesIn);
    case "never":
    case "signedTag":
      return [];
    case "vulnerabilities":
      return [...requirement.scannedBy, ...(requirement.vex?.by ?? [])];
    default:
      return requirement.by;
  }
}

/** How many of the requirements different people can meet, each one another: the largest matching. */
export function mostMet(crowds: readonly Crowd[]): number {
  // So many people are enough for one more, whoever the others are.
  const counted = crowds.filter((crowd) => crowd !== "any number" && crowd.size < crowds.length);
  return mostSeated(counted) + (crowds.length - counted.length);
}
