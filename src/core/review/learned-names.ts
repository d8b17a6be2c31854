import type { Identity, KeyIdentity, KeylessIdentity, Place, PolicyDocument, WantedClaim } from "../policy/document.ts";
import { type CertificateIdentity, CLAIMS, type ClaimName } from "../trust/identity.ts";

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

const NOWHERE: Place = { label: "", line: 1, column: 1 };

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
export class Names {
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
