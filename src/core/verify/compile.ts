import { type PredicateType, resolveType } from "../formats/predicates.ts";
import {
  type AttestationRequirement,
  type EvidenceRequirement,
  type PolicyDocument,
  type PolicyRequirement,
  placeName,
  type VulnerabilitiesRequirement,
} from "../policy/document.ts";
import { namesIn } from "../policy/persons.ts";
import type { Instant } from "../time.ts";
import { atPlace } from "./at-place.ts";
import type { Criterion, Leaf, VulnerabilitiesLeaf } from "./criterion.ts";
import { type KeyHolders, PolicySigners, type RuleMaterial, type Signers } from "./policy-signers.ts";
import type { Requirement } from "./requirement.ts";

export type { RuleMaterial } from "./policy-signers.ts";

/** Turns the requirements of a policy into what evidence is held against. */
export class Compiler {
  readonly #signers: PolicySigners;
  readonly #now: Instant;

  constructor(document: PolicyDocument, material: RuleMaterial, now: Instant) {
    this.#signers = new PolicySigners(document, material);
    this.#now = now;
  }

  /** @throws CountersignError what the material fails with; `policy-invalid` for a pattern, a type or a condition that is none. */
  async criterion(requirement: PolicyRequirement): Promise<Criterion> {
    return await this.#criterion(requirement, await this.#signers.holders(namesIn(requirement)));
  }

  /** Whose word is taken for a list of digests. @throws as `criterion`. */
  async signers(by: readonly string[]): Promise<Requirement> {
    return this.#requirement(await this.#signers.of(by, await this.#signers.holders(by)));
  }

  #requirement(signers: Signers, more: Partial<Requirement> = {}): Requirement {
    return { ...signers, threshold: 1, annotations: {}, signedAs: [], now: this.#now, ...more };
  }

  async #criterion(requirement: PolicyRequirement, holders: KeyHolders): Promise<Criterion> {
    const { kind, place } = requirement;
    switch (kind) {
      case "all":
      case "any": {
        const of = await Promise.all(requirement.of.map((each) => this.#criterion(each, holders)));
        return { kind, of, place };
      }
      case "threshold": {
        const of = await Promise.all(requirement.of.map((each) => this.#leaf(each, holders)));
        return { kind, count: requirement.count, of, place };
      }
      case "never":
        return { kind, finding: { code: "forbidden", message: requirement.why, place: placeName(place) }, place };
      case "signedTag":
        return { kind: "binding", place };
      default:
        return await this.#leaf(requirement, holders);
    }
  }

  async #leaf(requirement: EvidenceRequirement, holders: KeyHolders): Promise<Leaf> {
    if (requirement.kind === "vulnerabilities") return await this.#scans(requirement, holders);
    const { by, threshold, maxAge, place } = requirement;
    const signers = await this.#signers.of(by, holders);
    const own =
      requirement.kind === "signature"
        ? { annotations: requirement.annotations, nameBinding: requirement.nameBinding }
        : { attestation: await this.#attestation(requirement) };
    return { kind: "evidence", requirement: this.#requirement(signers, { threshold, maxAge, ...own }), place };
  }

  async #attestation({ types, where, place }: AttestationRequirement): Promise<Requirement["attestation"]> {
    const predicateTypes = await atPlace(place, async () => types.flatMap((type) => resolveType(type)));
    if (where.length === 0) return { predicateTypes, conditions: [] };
    const { compileCondition } = await import("../policy/cel.ts");
    const compile = (each: (typeof where)[number]) => atPlace(each.place, () => compileCondition(each.text, this.#now));
    return { predicateTypes, conditions: await Promise.all(where.map(compile)) };
  }

  async #scans(requirement: VulnerabilitiesRequirement, holders: KeyHolders): Promise<VulnerabilitiesLeaf> {
    const { scannedBy, vex, place, maxAge, severityAtMost, fixableOnly, except } = requirement;
    const { assessScan, SCAN_TYPES, VEX_TYPES } = await import("../policy/vulnerabilities.ts");
    const asking = async (by: readonly string[], predicateTypes: readonly PredicateType[]): Promise<Requirement> => {
      const attestation = { predicateTypes, conditions: [] };
      return this.#requirement(await this.#signers.of(by, holders), { attestation });
    };
    return {
      kind: "vulnerabilities",
      scan: await asking(scannedBy, SCAN_TYPES),
      vex: vex && (await asking(vex.by, VEX_TYPES)),
      demands: { maxAge, severityAtMost, fixableOnly, except, vexMaxAge: vex?.maxAge },
      assess: assessScan,
      place,
    };
  }
}
