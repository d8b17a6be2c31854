import { encodeUtf8 } from "../../bytes.ts";
import { parsePublicKey, publicKeyPem } from "../../crypto/public-key.ts";
import { SIGNATURE_PREDICATE } from "../../formats/envelope.ts";
import { digestOf } from "../../oci/digest.ts";
import type {
  Identity,
  KeylessIdentity,
  KeyReference,
  Place,
  PolicyDocument,
  PolicyRequirement,
  Rule,
  TrustReference,
} from "../document.ts";
import { formatPolicy } from "../format.ts";
import { parsePolicy } from "../parse.ts";
import type { Imported, Losses } from "./conversion.ts";

/** Where everything stands in a policy that nobody has written: it is written when it is printed. */
const NOWHERE: Place = { label: "imported", line: 1, column: 1 };

export type RequirementDraft = PolicyRequirement;

/** A policy that is put together from somebody else's. */
export class Draft {
  readonly #identities: Map<string, Identity> = new Map();
  readonly #names: Map<string, string> = new Map();
  readonly #trust: Map<string, TrustReference> = new Map();
  readonly #rules: Rule[] = [];

  /** The name of whoever has this key; the same one for the same key. @throws CountersignError `key-invalid`, `key-weak`. */
  keyPem(pem: string, wish: string, label: string): string {
    const written = publicKeyPem(parsePublicKey(pem, label));
    return this.#key({ kind: "pem", pem: written }, wish);
  }

  /** The same, in a file that is not looked at. */
  keyFile(path: string): string {
    return this.#key({ kind: "file", path }, (path.split(/[/\\]/).at(-1) ?? "").replace(/\.(?:pub|pem|crt|key)$/, ""));
  }

  /** The same whose signatures have to be in Sigstore's public log. */
  loggedKeyPem(pem: string, wish: string, label: string): string {
    const written = publicKeyPem(parsePublicKey(pem, label));
    return this.#key({ kind: "pem", pem: written }, wish, { trust: "sigstore", proof: { logs: 1 } });
  }

  /** Somebody whom a certificate names, by the authorities of Sigstore's public instance. */
  keyless(who: Pick<KeylessIdentity, "subject" | "issuer">, wish: string): string {
    const identity = { kind: "keyless", ...who, claims: [], trust: "sigstore", proof: {}, window: {} } as const;
    return this.#add(JSON.stringify(identity), wish, (name) => ({ ...identity, name, place: NOWHERE }));
  }

  #key(
    source: KeyReference["source"],
    wish: string,
    proven: Pick<Identity, "trust" | "proof"> = { proof: {} },
  ): string {
    const keys = [{ source, window: {}, place: NOWHERE }];
    const mark = JSON.stringify([source, proven]);
    return this.#add(mark, wish, (name) => ({ kind: "keys", name, keys, ...proven, place: NOWHERE }));
  }

  #add(mark: string, wish: string, make: (name: string) => Identity): string {
    const known = this.#names.get(mark);
    if (known !== undefined) return known;
    const name = this.#freeName(wish);
    this.#names.set(mark, name);
    this.#identities.set(name, make(name));
    return name;
  }

  #freeName(wish: string): string {
    const plain =
      wish
        .replace(/[^A-Za-z0-9]+/g, "-")
        .replace(/^-+|-+$/g, "")
        .slice(0, NAME_CHARACTERS) || "signer";
    const base = /^[A-Za-z]/.test(plain) ? plain : `key-${plain}`;
    let name = base;
    for (let count = 2; this.#identities.has(name); count++) name = `${base}-${count}`;
    return name;
  }

  rule(rule: Pick<Rule, "require"> & Partial<Rule> & { readonly patterns: readonly string[] }): void {
    const { patterns, ...said } = rule;
    this.#rules.push({
      images: patterns.map((text) => ({ text, place: NOWHERE })),
      mode: "enforce",
      platforms: "index",
      signedAs: [],
      exceptions: [],
      place: NOWHERE,
      ...said,
    });
  }

  /**
   * The policy as it will be read: written, and read again.
   *
   * @throws CountersignError `policy-invalid` where it is too large.
   */
  finish(label: string, losses: Losses, notes: readonly string[]): Imported {
    const document: PolicyDocument = {
      label,
      digest: digestOf(new Uint8Array()),
      identities: this.#identities,
      roles: new Map(),
      trust: this.#trust,
      withdrawn: [],
      rules: this.#rules,
    };
    // What is wrong with it stands in what is written, not in what was read.
    return {
      document: parsePolicy(encodeUtf8(formatPolicy(document)), `${label}, imported`),
      losses: losses.all,
      notes,
    };
  }
}

const NAME_CHARACTERS = 60;

/** Refuses everything, and says why. */
export function never(why: string): PolicyRequirement {
  return { kind: "never", why, place: NOWHERE };
}

/** All of these; itself where there is one. */
export function allOf(of: readonly PolicyRequirement[]): PolicyRequirement {
  const flat = unique(of.flatMap((one) => (one.kind === "all" ? one.of : [one])));
  const refusal = flat.find(({ kind }) => kind === "never");
  const [only, ...more] = flat;
  if (only === undefined) return never("nothing of it could be imported");
  if (refusal !== undefined) return refusal;
  return more.length === 0 ? only : { kind: "all", of: flat, place: NOWHERE };
}

/** Any of these; itself where there is one. Several signers of the same thing are one requirement. */
export function anyOf(of: readonly PolicyRequirement[]): PolicyRequirement {
  const flat = unique(of.flatMap((one) => (one.kind === "any" ? one.of : [one])));
  const useful = flat.filter(({ kind }) => kind !== "never");
  const merged = mergeSigners(useful.length > 0 ? useful : flat.slice(0, 1));
  const [only, ...more] = merged;
  if (only === undefined) return never("nothing of it could be imported");
  return more.length === 0 ? only : { kind: "any", of: merged, place: NOWHERE };
}

function unique(requirements: readonly PolicyRequirement[]): readonly PolicyRequirement[] {
  return [...new Map(requirements.map((one) => [JSON.stringify(one), one])).values()];
}

function mergeSigners(requirements: readonly PolicyRequirement[]): readonly PolicyRequirement[] {
  const merged = new Map<string, PolicyRequirement>();
  for (const one of requirements) {
    const isPlain = (one.kind === "signature" || one.kind === "attestation") && one.threshold === 1;
    const mark = isPlain ? JSON.stringify({ ...one, by: [] }) : JSON.stringify(one);
    const known = merged.get(mark);
    const isSame = isPlain && known !== undefined && known.kind === one.kind;
    merged.set(mark, isSame ? { ...one, by: [...new Set([...known.by, ...one.by])] } : one);
  }
  return [...merged.values()];
}

/** An image's own signature by one of these. */
export function signature(
  by: readonly string[],
  more: {
    readonly nameBinding?: boolean;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly threshold?: number;
  } = {},
): PolicyRequirement {
  const { nameBinding = false, annotations = {}, threshold = 1 } = more;
  return { kind: "signature", by: [...new Set(by)], threshold, annotations, nameBinding, place: NOWHERE };
}

/** A statement of a type by one of these; that of an image's signature is the signature itself. */
export function statement(by: readonly string[], type: string, threshold = 1): PolicyRequirement {
  if (type === SIGNATURE_PREDICATE) return signature(by, { threshold });
  return { kind: "attestation", by: [...new Set(by)], threshold, types: [type], where: [], place: NOWHERE };
}
