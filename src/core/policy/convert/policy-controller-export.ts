import { SIGNATURE_PREDICATE } from "../../formats/envelope.ts";
import type { YamlOutput } from "../../yaml-write.ts";
import { placeName } from "../document.ts";
import { type ImageGlob, isExact } from "../image-pattern.ts";
import type { Clause } from "./clauses.ts";
import { type ClusterAtom, clusterClause, identityMembers } from "./cluster-atoms.ts";
import { type Exported, type ExportSource, Losses } from "./conversion.ts";
import { askedBeside, isMoreSpecific, type PlainRule, plainRules, shareRepositories, textOf } from "./plain-rules.ts";
import { formatDocuments } from "./written.ts";

/** ClusterImagePolicies of sigstore/policy-controller: one for each part of a rule, since all that match have to be met. */
export function exportPolicyController(source: ExportSource): Exported {
  const losses = new Losses();
  const rules = plainRules(source, losses);
  sayWhatOverlaps(rules, losses);
  const policies = rules.flatMap((rule, at) => policiesOf(rule, at, { source, rules, losses }));
  const content = formatDocuments([CONFIGURATION, ...policies]);
  return { files: [{ name: "cluster-image-policies.yaml", content }], losses: losses.all, notes: NOTES };
}

/** What a rule refuses is refused by what is in force, not by what is the default today. */
const CONFIGURATION: YamlOutput = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name: "config-policy-controller", namespace: "cosign-system" },
  // `enable-oci11` takes attestations from the referrers API without verifying them (policy-controller, validation.go).
  data: { "no-match-policy": "deny", "enable-oci11": "false" },
};

const NOTES = [
  "policy-controller judges only what is deployed in namespaces labelled policy.sigstore.dev/include=true.",
  "It refuses what no policy is about while no-match-policy is deny: the ConfigMap in the file says so.",
  "Image signatures count in bundles alone, by keyless signers: of keys it reads no bundles.",
];

interface Writing {
  readonly source: ExportSource;
  readonly rules: readonly PlainRule[];
  readonly losses: Losses;
}

function policiesOf(rule: PlainRule, at: number, writing: Writing): readonly YamlOutput[] {
  const { losses, rules } = writing;
  const { images } = rule.rule;
  for (const [index, glob] of rule.globs.entries()) {
    if (globOf(glob) === undefined)
      losses.add(placeName(images[index]?.place ?? rule.rule.place), textOf(glob), NO_GLOB);
  }
  const globs = rule.globs.flatMap((glob) => globOf(glob) ?? []);
  if (globs.length === 0) return [];
  const beside = rule.globs.flatMap((glob) => askedBeside(glob, rule, rules, (one) => globOf(one) !== undefined));
  const own = rule.clauses.map((clause) => ({ clause, mode: rule.isOpen ? "warn" : "enforce" }));
  const added = beside.map((clause) => ({ clause, mode: "enforce" }));
  const parts = [...own, ...added].map(({ clause, mode }) => ({ mode, atoms: readableAtoms(clause, rule, writing) }));
  const hopeless = parts.find(({ mode, atoms }) => mode === "enforce" && atoms.length === 0);
  return (hopeless === undefined ? parts : [hopeless]).map(({ mode, atoms }, part) => ({
    apiVersion: "policy.sigstore.dev/v1beta1",
    kind: "ClusterImagePolicy",
    metadata: { name: `countersign-${at + 1}-${part + 1}` },
    spec: { images: globs.map((glob) => ({ glob })), authorities: authoritiesOf(atoms, rule), mode },
  }));
}

const NO_GLOB =
  "policy-controller compares digests alone, in plain characters; what only this pattern is for is refused, and what a broader one is for too is asked both";

function readableAtoms(clause: Clause, { rule }: PlainRule, { source, losses }: Writing): readonly ClusterAtom[] {
  return clusterClause(clause, source, losses).filter((atom) => isReadable(atom, placeName(rule.place), losses));
}

/** Any of them; where there is none, one that fails. */
function authoritiesOf(atoms: readonly ClusterAtom[], { rule }: PlainRule): YamlOutput {
  if (atoms.length > 0) return atoms.map(authorityOf);
  const message =
    rule.require.kind === "never" ? rule.require.why : "nothing that policy-controller could check would do";
  return [{ name: "nobody", static: { action: "fail", message } }];
}

/** In the form cosign-legacy, which it reads of keys, it does not compare the repository that was signed. */
function isReadable({ by, type }: ClusterAtom, place: string, losses: Losses): boolean {
  if (by.kind === "keyless" || type !== SIGNATURE_PREDICATE) return true;
  losses.add(place, `image signatures by ${by.name}`, KEY_SIGNATURES);
  return false;
}

const KEY_SIGNATURES =
  "policy-controller reads no bundles of keys, and does not compare the repository that a signature in the form cosign-legacy names";

function authorityOf({ by, type }: ClusterAtom, at: number): YamlOutput {
  const name = `${by.name}-${at + 1}`;
  const attestations = [{ name: "statement", predicateType: type }];
  if (by.kind === "key") return { name, key: { data: by.pem }, attestations };
  return {
    name,
    keyless: { url: "https://fulcio.sigstore.dev", identities: [identityMembers(by.subject, by.issuer)] },
    ctlog: { url: "https://rekor.sigstore.dev" },
    signatureFormat: "bundle",
    attestations,
  };
}

const HUB = "docker.io/";

/** The same for `registry/repository@digest`, as go-containerregistry writes it; undefined where it cannot be said. */
function globOf(glob: ImageGlob): string | undefined {
  const { name, tag, digest } = glob;
  if (tag !== undefined || !/^[a-zA-Z0-9-_:/*.]+$/.test(name)) return undefined;
  const [host = ""] = name.split("/", 1);
  if (!isExact(glob) && host.includes("*") && host !== "**" && !/^\*\.(?![^/]*docker)/.test(host)) return undefined;
  const full = name.startsWith(HUB) ? `index.${name}` : name;
  return `${full}@${digest ?? "*"}`;
}

/** Where ours ask the more specific rule alone, theirs ask both. */
function sayWhatOverlaps(rules: readonly PlainRule[], losses: Losses): void {
  for (const rule of rules) {
    const enforced = rules.filter((other) => other !== rule && !other.isOpen).flatMap(({ globs }) => globs);
    for (const [at, glob] of rule.globs.entries()) {
      if (globOf(glob) === undefined) continue;
      const broader = enforced.find((other) => isMoreSpecific(glob, other) && shareRepositories(glob, other));
      if (broader === undefined) continue;
      const place = placeName(rule.rule.images[at]?.place ?? rule.rule.place);
      losses.add(place, textOf(glob), `policy-controller asks what ${textOf(broader)} is asked for as well`);
    }
  }
}
