import type { PublicKey } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import type { PredicateType } from "../formats/predicates.ts";
import { resolveType } from "../formats/predicates.ts";
import {
  type AttestationRequirement,
  type EvidenceRequirement,
  type Identity,
  type KeyIdentity,
  type Place,
  type PolicyDocument,
  type PolicyRequirement,
  type ProofDemands,
  placeName,
  type TrustReference,
  type VulnerabilitiesRequirement,
  type WantedClaim,
  type WantedText,
} from "../policy/document.ts";
import type { Instant } from "../time.ts";
import { namedWorkflow } from "../trust/github-identity.ts";
import { exactly, type IdentityCondition, type TextCondition } from "../trust/identity.ts";
import { pattern } from "../trust/pattern.ts";
import type { Criterion, EvidenceLeaf, Leaf, VulnerabilitiesLeaf } from "./criterion.ts";
import type { Believed } from "./exhibit.ts";
import { type KeyHolder, personsOf } from "./key-persons.ts";
import type { IdentityRequirement, Requirement, WantedKey } from "./requirement.ts";

/** What a policy names and does not hold: read when a rule is first asked for that needs it. */
export interface RuleMaterial {
  /** In the order of its keys. @throws CountersignError `policy-invalid`, `key-published`. */
  keysOf(identity: KeyIdentity): Promise<readonly PublicKey[]>;
  /**
   * Whom to believe, with what their signatures usually bring: as the policy says, an instance of that name, or as the
   * caller chooses. For GitHub's identities that can be several.
   */
  trustFor(reference: TrustReference | string | undefined, isGithub?: boolean): Promise<readonly Believed[]>;
}

/** Everybody whom a requirement names, ready to be held against signatures. */
type Signers = Pick<Requirement, "keys" | "identities">;

/** Turns the requirements of a policy into what evidence is held against. */
export class Compiler {
  readonly #document: PolicyDocument;
  readonly #material: RuleMaterial;
  readonly #now: Instant;
  readonly #identities = new Map<string, Promise<readonly IdentityRequirement[]>>();

  constructor(document: PolicyDocument, material: RuleMaterial, now: Instant) {
    this.#document = document;
    this.#material = material;
    this.#now = now;
  }

  /** @throws CountersignError what the material fails with; `policy-invalid` for a pattern, a type or a condition that is none. */
  async criterion(requirement: PolicyRequirement): Promise<Criterion> {
    const named = new Set(namesIn(requirement).flatMap((name) => this.#expand(name)));
    return await new RuleCompiler(this, await this.#holders(named)).criterion(requirement);
  }

  /** Whose word is taken for a list of digests. @throws as `criterion`. */
  async signers(by: readonly string[]): Promise<Requirement> {
    const holders = await this.#holders(new Set(by.flatMap((name) => this.#expand(name))));
    return this.requirement(await this.signersFor(by, holders));
  }

  requirement(signers: Signers, more: Partial<Requirement> = {}): Requirement {
    return { ...signers, threshold: 1, annotations: {}, signedAs: [], now: this.#now, ...more };
  }

  get now(): Instant {
    return this.#now;
  }

  /** The names of identities that a name stands for. */
  #expand(name: string): readonly string[] {
    return this.#document.roles.get(name)?.members ?? [name];
  }

  async signersFor(by: readonly string[], holders: ReadonlyMap<string, KeyHolder>): Promise<Signers> {
    const names = [...new Set(by.flatMap((name) => this.#expand(name)))];
    const signers = await Promise.all(names.map((name) => this.#signersNamed(this.#identity(name), holders)));
    return { keys: signers.flatMap(({ keys }) => keys), identities: signers.flatMap(({ identities }) => identities) };
  }

  #identity(name: string): Identity {
    const identity = this.#document.identities.get(name);
    if (identity !== undefined) return identity;
    throw new CountersignError("policy-invalid", "a policy asks for somebody whom it does not name", { found: name });
  }

  async #signersNamed(identity: Identity, holders: ReadonlyMap<string, KeyHolder>): Promise<Signers> {
    if (identity.kind !== "keys") return { keys: [], identities: await this.#identityRequirements(identity) };
    const holder = holders.get(identity.name);
    return { keys: holder === undefined ? [] : await this.#wantedKeys(identity, holder), identities: [] };
  }

  async #believed(name: string | undefined, proof: ProofDemands, isGithub: boolean): Promise<readonly Believed[]> {
    const reference = name === undefined ? undefined : (this.#document.trust.get(name) ?? name);
    const roots = await this.#material.trustFor(reference, isGithub);
    return roots.map(({ trust, demands }) => {
      const { logs = demands.logs, certificateLogs = demands.certificateLogs, timestamps = demands.timestamps } = proof;
      return { trust, demands: { ...demands, logs, certificateLogs, timestamps } };
    });
  }

  // --- keys -----------------------------------------------------------------------------------------------------------

  async #holders(names: ReadonlySet<string>): Promise<ReadonlyMap<string, KeyHolder>> {
    const identities = [...names].map((name) => this.#identity(name)).filter((each) => each.kind === "keys");
    const held = await Promise.all(
      identities.map(async ({ name }, at) => ({ name, keys: await this.#keys(identities[at]) })),
    );
    return personsOf(held);
  }

  async #keys(identity: KeyIdentity | undefined): Promise<readonly PublicKey[]> {
    return identity === undefined ? [] : await this.#material.keysOf(identity);
  }

  /** A bare key's signature has no certificate to be judged: its times are proven for those who ask for them. */
  async #wantedKeys(identity: KeyIdentity, { keys, person }: KeyHolder): Promise<readonly WantedKey[]> {
    const { name, trust } = identity;
    const roots = trust === undefined ? [undefined] : await this.#believed(trust, identity.proof, false);
    return keys.flatMap((key, at) =>
      roots.map((root) => {
        const terms = { name, person, window: identity.keys[at]?.window ?? {} };
        const demands = root && { ...root.demands, certificateLogs: 0, times: 0, currentTime: false };
        return { ...key, terms, ...(root && demands && { proof: { trust: root.trust, demands } }) };
      }),
    );
  }

  // --- certificates ---------------------------------------------------------------------------------------------------

  #identityRequirements(identity: Exclude<Identity, KeyIdentity>): Promise<readonly IdentityRequirement[]> {
    const known = this.#identities.get(identity.name);
    if (known !== undefined) return known;
    const requirements = this.#readIdentity(identity);
    this.#identities.set(identity.name, requirements);
    requirements.catch(() => this.#identities.delete(identity.name));
    return requirements;
  }

  async #readIdentity(identity: Exclude<Identity, KeyIdentity>): Promise<readonly IdentityRequirement[]> {
    const { name, window, place } = identity;
    const condition = await at(place, () => readCondition(identity));
    const roots = await this.#believed(identity.trust, identity.proof, identity.kind === "github");
    return roots.map((root) => ({ condition, ...root, terms: { name, window } }));
  }
}

/** One rule's: everybody in it is known, and who of them is the same person. */
class RuleCompiler {
  readonly #compiler: Compiler;
  readonly #holders: ReadonlyMap<string, KeyHolder>;

  constructor(compiler: Compiler, holders: ReadonlyMap<string, KeyHolder>) {
    this.#compiler = compiler;
    this.#holders = holders;
  }

  async criterion(requirement: PolicyRequirement): Promise<Criterion> {
    const { place } = requirement;
    switch (requirement.kind) {
      case "all":
      case "any":
        return {
          kind: requirement.kind,
          of: await Promise.all(requirement.of.map((each) => this.criterion(each))),
          place,
        };
      case "threshold": {
        const of = await Promise.all(requirement.of.map((each) => this.#leaf(each)));
        return { kind: "threshold", count: requirement.count, of, place };
      }
      case "never": {
        const finding = { code: "forbidden", message: requirement.why, place: placeName(place) } as const;
        return { kind: "never", finding, place };
      }
      default:
        return await this.#leaf(requirement);
    }
  }

  async #leaf(requirement: EvidenceRequirement): Promise<Leaf> {
    if (requirement.kind === "vulnerabilities") return await this.#scans(requirement);
    const { by, threshold, maxAge, place } = requirement;
    const signers = await this.#signers(by);
    const own =
      requirement.kind === "signature"
        ? { annotations: requirement.annotations, nameBinding: requirement.nameBinding }
        : { attestation: await this.#attestation(requirement) };
    const evidence: EvidenceLeaf = {
      kind: "evidence",
      requirement: this.#compiler.requirement(signers, { threshold, maxAge, ...own }),
      place,
    };
    return evidence;
  }

  async #signers(by: readonly string[]): Promise<Signers> {
    return await this.#compiler.signersFor(by, this.#holders);
  }

  async #attestation({ types, where, place }: AttestationRequirement): Promise<Requirement["attestation"]> {
    const predicateTypes = await at(place, async () => types.flatMap((type) => resolveType(type)));
    const { compileCondition } = await import("../policy/cel.ts");
    const compile = (each: (typeof where)[number]) =>
      at(each.place, () => compileCondition(each.text, this.#compiler.now));
    return { predicateTypes, conditions: await Promise.all(where.map(compile)) };
  }

  async #scans(requirement: VulnerabilitiesRequirement): Promise<VulnerabilitiesLeaf> {
    const { scannedBy, vex, place, maxAge, severityAtMost, fixableOnly, except } = requirement;
    const { assessScan, SCAN_TYPES, VEX_TYPES } = await import("../policy/vulnerabilities.ts");
    const asking = async (by: readonly string[], predicateTypes: readonly PredicateType[]): Promise<Requirement> => {
      const attestation = { predicateTypes, conditions: [] };
      return this.#compiler.requirement(await this.#signers(by), { attestation });
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

function namesIn(requirement: PolicyRequirement): readonly string[] {
  switch (requirement.kind) {
    case "all":
    case "any":
    case "threshold":
      return requirement.of.flatMap(namesIn);
    case "never":
      return [];
    case "vulnerabilities":
      return [...requirement.scannedBy, ...(requirement.vex?.by ?? [])];
    default:
      return requirement.by;
  }
}

async function readCondition(identity: Exclude<Identity, KeyIdentity>): Promise<IdentityCondition> {
  const claims = await Promise.all(identity.claims.map(readClaim));
  if (identity.kind === "github") return await namedWorkflow(identity, claims);
  return { subject: await readText(identity.subject), issuer: await readText(identity.issuer), claims };
}

async function readClaim({ name, wanted }: WantedClaim): Promise<IdentityCondition["claims"][number]> {
  return { name, condition: await readText(wanted) };
}

async function readText({ kind, text }: WantedText): Promise<TextCondition> {
  return kind === "exact" ? exactly(text) : await pattern(text);
}

/** What is wrong with a part of a policy is wrong with the policy, at its place. */
async function at<Result>(place: Place, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof CountersignError) || error.code !== "usage") throw error;
    const { message, found, wanted } = error;
    const where = placeName(place);
    throw new CountersignError("policy-invalid", message, {
      found: found === undefined ? where : `${where}: ${found}`,
      wanted,
      cause: error,
    });
  }
}
