import { publicKeyPem } from "../../crypto/public-key.ts";
import { SIGNATURE_PREDICATE } from "../../formats/envelope.ts";
import { resolveType } from "../../formats/predicates.ts";
import { type KeylessIdentity, placeName, type WantedText } from "../document.ts";
import { asksMore, plainKeys } from "./atoms.ts";
import type { Atom, Clause } from "./clauses.ts";
import type { ExportSource, Losses } from "./conversion.ts";

/** What enforcers in clusters can be asked for: a statement of a type by a key, or by whom Sigstore's authorities name. */
export interface ClusterAtom {
  readonly by:
    | { readonly kind: "key"; readonly name: string; readonly pem: string }
    | { readonly kind: "keyless"; readonly name: string; readonly subject: WantedText; readonly issuer: WantedText };
  /** A URI; that of an image's signature too, which is a statement in a bundle. */
  readonly type: string;
}

/** The atoms of a clause that can be asked for; each other is a loss. */
export function clusterClause(clause: Clause, source: ExportSource, losses: Losses): readonly ClusterAtom[] {
  const atoms = clause.flatMap((atom) => clusterAtoms(atom, source, losses));
  return [...new Map(atoms.map((atom) => [JSON.stringify(atom), atom])).values()];
}

function clusterAtoms(atom: Atom, source: ExportSource, losses: Losses): readonly ClusterAtom[] {
  if (asksMore(atom, [], losses)) return [];
  const signers = signersOf(atom, source, losses);
  return signers.flatMap((by) => typesOf(atom).map((type) => ({ by, type })));
}

function typesOf({ evidence }: Atom): readonly string[] {
  if (evidence.kind === "signature") return [SIGNATURE_PREDICATE];
  return evidence.types.flatMap((type) => resolveType(type).map(({ uri }) => uri));
}

function signersOf({ by }: Atom, source: ExportSource, losses: Losses): readonly ClusterAtom["by"][] {
  const { name, place } = by;
  if (by.kind === "keys") {
    return plainKeys(by, source, losses).map((key) => ({ kind: "key", name, pem: publicKeyPem(key) }));
  }
  const why = by.kind === "github" ? GITHUB : problemOf(by);
  if (why === undefined && by.kind === "keyless") {
    return [{ kind: "keyless", name, subject: by.subject, issuer: by.issuer }];
  }
  losses.add(placeName(place), name, why ?? GITHUB);
  return [];
}

const GITHUB =
  "the target does not compare the source repository that a certificate names; a workflow that others may call would sign for them too";

function problemOf({ claims, trust, proof, window }: KeylessIdentity): string | undefined {
  const [claim] = claims;
  if (claim !== undefined) return `the target does not compare ${claim.name}`;
  if (window.from !== undefined || window.until !== undefined) return "the target trusts somebody always or never";
  if (trust === undefined)
    return "which authorities are meant is up to whoever runs countersign; say trust: sigstore for the public ones";
  if (trust !== "sigstore") return "the target is told of Sigstore's public instance alone";
  const isUsual = (proof.logs ?? 1) <= 1 && (proof.timestamps ?? 0) === 0 && (proof.certificateLogs ?? 1) <= 1;
  return isUsual ? undefined : "the target asks for one log entry and one promise of a log, and for no more";
}

/** As Go's regular expressions find it: ours have to match the whole. */
export function wholePattern(text: string): string {
  return `^(?:${text})$`;
}

/** `issuer` and `subject`, or `issuerRegExp` and `subjectRegExp`, as both enforcers name them. */
export function identityMembers(subject: WantedText, issuer: WantedText): Readonly<Record<string, string>> {
  return { ...textMember("issuer", issuer), ...textMember("subject", subject) };
}

function textMember(name: string, { kind, text }: WantedText): Readonly<Record<string, string>> {
  return kind === "exact" ? { [name]: text } : { [`${name}RegExp`]: wholePattern(text) };
}
