import type { PublicKey } from "../crypto/public-key.ts";
import { CountersignError } from "../errors.ts";
import type {
  Identity,
  KeyIdentity,
  PolicyDocument,
  ProofDemands,
  TrustReference,
  WantedClaim,
  WantedText,
} from "../policy/document.ts";
import { namedWorkflow } from "../trust/github-identity.ts";
import { exactly, type IdentityCondition, type TextCondition } from "../trust/identity.ts";
import { pattern } from "../trust/pattern.ts";
import { atPlace } from "./at-place.ts";
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
export type Signers = Pick<Requirement, "keys" | "identities">;

/** By their names, and who of them is the same person. */
export type KeyHolders = ReadonlyMap<string, KeyHolder>;

/** Turns the names of a policy into keys and conditions on certificates. */
export class PolicySigners {
  readonly #document: PolicyDocument;
  readonly #material: RuleMaterial;
  readonly #identities = new Map<string, Promise<readonly IdentityRequirement[]>>();

  constructor(document: PolicyDocument, material: RuleMaterial) {
    this.#document = document;
    this.#material = material;
  }

  /** The keys of all these, which are compared: names may share some. @throws CountersignError as `RuleMaterial.keysOf`. */
  async holders(by: readonly string[]): Promise<KeyHolders> {
    const identities = this.#identitiesOf(by).filter((each) => each.kind === "keys");
    return personsOf(
      await Promise.all(identities.map(async (each) => ({ name: each.name, keys: await this.#keys(each) }))),
    );
  }

  /** @throws CountersignError as `RuleMaterial`; `policy-invalid` for a pattern that is none. */
  async of(by: readonly string[], holders: KeyHolders): Promise<Signers> {
    const signers = await Promise.all(this.#identitiesOf(by).map((identity) => this.#signers(identity, holders)));
    return { keys: signers.flatMap(({ keys }) => keys), identities: signers.flatMap(({ identities }) => identities) };
  }

  #identitiesOf(by: readonly string[]): readonly Identity[] {
    const names = new Set(by.flatMap((name) => this.#document.roles.get(name)?.members ?? [name]));
    return [...names].map((name) => {
      const identity = this.#document.identities.get(name);
      if (identity !== undefined) return identity;
      throw new CountersignError("policy-invalid", "a policy asks for somebody whom it does not name", { found: name });
    });
  }

  async #signers(identity: Identity, holders: KeyHolders): Promise<Signers> {
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

  /** Each key has terms of its own, so that none may come without. */
  async #keys(identity: KeyIdentity): Promise<readonly PublicKey[]> {
    const keys = await this.#material.keysOf(identity);
    if (keys.length === identity.keys.length) return keys;
    throw new CountersignError("internal", "a policy names other keys than were read", { found: identity.name });
  }

  /** A bare key's signature has no certificate to be judged: its times are proven for those who ask for them. */
  async #wantedKeys(identity: KeyIdentity, { keys, person }: KeyHolder): Promise<readonly WantedKey[]> {
    const { name, trust } = identity;
    const roots = trust === undefined ? [undefined] : await this.#believed(trust, identity.proof, false);
    return identity.keys.flatMap(({ window }, at) => {
      const key = keys[at];
      if (key === undefined) return [];
      return roots.map((root): WantedKey => {
        const demands = root && { ...root.demands, certificateLogs: 0, times: 0, currentTime: false };
        const proof = root && demands && { trust: root.trust, demands };
        return { ...key, terms: { name, person, window }, ...(proof && { proof }) };
      });
    });
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
    const condition = await atPlace(place, () => readCondition(identity));
    const roots = await this.#believed(identity.trust, identity.proof, identity.kind === "github");
    return roots.map((root) => ({ condition, ...root, terms: { name, window } }));
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
