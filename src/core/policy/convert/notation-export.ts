import { placeName } from "../document.ts";
import { type ImageGlob, isExact } from "../image-pattern.ts";
import { type Exported, type ExportSource, Losses } from "./conversion.ts";
import { type PlainRule, plainRules, shareRepositories, textOf } from "./plain-rules.ts";

/**
 * A trust policy for notation, version 1.0. It trusts certificates by X.509 authorities, which our policies do not name yet:
 * it can say what is let through unsigned, and refuses all else, since what no statement is about is refused.
 */
export function exportNotation(source: ExportSource): Exported {
  const losses = new Losses();
  const rules = plainRules(source, losses);
  const scopes = new Set(rules.flatMap((rule) => openScopes(rule, rules, losses)));
  const statements = [...scopes].map((scope, at) => ({
    name: `let-through-${at + 1}`,
    registryScopes: [scope],
    signatureVerification: { level: "skip" },
  }));
  const policy = { version: "1.0", trustPolicies: statements.length > 0 ? statements : [NOTHING] };
  const content = `${JSON.stringify(policy, undefined, 2)}\n`;
  return { files: [{ name: "trustpolicy.json", content }], losses: losses.all, notes: NOTES };
}

/** The repositories that a rule lets through whatever they are. */
function openScopes(
  { rule, globs, isOpen }: PlainRule,
  rules: readonly PlainRule[],
  losses: Losses,
): readonly string[] {
  if (rule.require.kind !== "never") losses.add(placeName(rule.place), rule.name ?? "a rule", SIGNATURES);
  if (!isOpen || rule.require.kind !== "never") return [];
  return globs.flatMap((glob, at) => {
    const isScope = isExact(glob) && (glob.tag ?? glob.digest) === undefined;
    const why = isScope ? (hasVersions(glob, rules) ? VERSIONS : undefined) : SCOPES;
    if (why === undefined) return [glob.name];
    losses.add(placeName(rule.images[at]?.place ?? rule.place), textOf(glob), why);
    return [];
  });
}

/** Whether some rule asks more of a tag or digest: notation does not tell them apart. */
function hasVersions(glob: ImageGlob, rules: readonly PlainRule[]): boolean {
  const asking = rules.filter(({ isOpen, rule }) => !(isOpen && rule.require.kind === "never"));
  return asking.some(({ globs }) =>
    globs.some((one) => (one.tag ?? one.digest) !== undefined && shareRepositories(one, glob)),
  );
}

/** A policy without a statement is none; this one is about what there cannot be (RFC 6761), and accepts nothing. */
const NOTHING = {
  name: "nothing",
  registryScopes: ["registry.invalid/nothing"],
  signatureVerification: { level: "strict" },
  trustStores: ["ca:nothing"],
  trustedIdentities: ["*"],
};

const SIGNATURES =
  "notation trusts certificates of X.509 authorities, and those are not in this policy; it refuses these images";
const SCOPES = "scopes of notation are single repositories; what else the pattern is for is refused";
const VERSIONS =
  "a rule asks more of some tag or digest of it, and notation knows repositories alone; it refuses all of them";
const NOTES = [
  "notation refuses what no statement is about: refusals need none.",
  "Add statements for your trust stores to let notation accept what its own signatures prove.",
];
