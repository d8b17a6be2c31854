import type { YamlOutput } from "../../yaml-write.ts";
import { placeName } from "../document.ts";
import type { ImageGlob } from "../image-pattern.ts";
import { type ClusterAtom, clusterClause, identityMembers } from "./cluster-atoms.ts";
import { type Exported, type ExportSource, Losses } from "./conversion.ts";
import { anyBut, noneOf } from "./kyverno-images.ts";
import { isMoreSpecific, type PlainRule, plainRules, shareRepositories, textOf } from "./plain-rules.ts";
import { formatDocuments } from "./written.ts";

/**
 * ImageValidatingPolicies of Kyverno: one for each rule, about the images that it decides about, and one that refuses what no
 * rule is about.
 */
export function exportKyverno(source: ExportSource): Exported {
  const losses = new Losses();
  const rules = plainRules(source, losses);
  sayOfTags(rules, losses);
  const policies = rules.map((rule, at) => policyOf(rule, at, rules, { source, losses }));
  const content = formatDocuments([...policies, remainder(rules)]);
  return { files: [{ name: "image-validating-policies.yaml", content }], losses: losses.all, notes: NOTES };
}

const NOTES = [
  "Kyverno admits what no policy is about: the last policy of the file, which refuses it, belongs to the others.",
  "Image signatures count in bundles alone: of signatures in the form cosign-legacy Kyverno does not compare the repository.",
  "Images have to be written in full, docker.io/library/nginx:1.27 for nginx:1.27, where Kyverno does not do so itself.",
];

/**
 * A tag that Kyverno has resolved looks like one that somebody wrote beside a digest of their choice. By the latter no rule is
 * chosen, so what asks of the tag is asked beside what asks of its repository, and alone for nothing.
 */
function sayOfTags(rules: readonly PlainRule[], losses: Losses): void {
  for (const { rule, globs } of rules) {
    for (const [at, glob] of globs.entries()) {
      if (glob.tag !== undefined) losses.add(placeName(rule.images[at]?.place ?? rule.place), textOf(glob), TAGS);
    }
  }
}

const TAGS =
  "Kyverno cannot tell a tag that it resolved from one that was written beside any digest; what is asked of the repository is asked too, and without a rule for that it is refused";

interface Writing {
  readonly source: ExportSource;
  readonly losses: Losses;
}

function policyOf(rule: PlainRule, at: number, rules: readonly PlainRule[], writing: Writing): YamlOutput {
  const all = rule.clauses.map((clause) => clusterClause(clause, writing.source, writing.losses));
  const hopeless = all.find((clause) => clause.length === 0);
  const clauses = hopeless === undefined ? all : [hopeless];
  const names = new Names(clauses.flat());
  const { require } = rule.rule;
  const message =
    require.kind === "never" ? require.why : "the image lacks a signature or an attestation that the policy asks for";
  return document(`countersign-${at + 1}`, {
    validationActions: rule.isOpen ? ["Warn", "Audit"] : ["Deny"],
    matchImageReferences: [{ expression: decidedBy(rule, rules) }],
    attestors: names.attestors,
    ...(names.attestations.length > 0 && { attestations: names.attestations }),
    validations: clauses.map((clause) => ({ expression: forEachImage(names.expression(clause)), message })),
  });
}

/** What no rule is about, and what could be read as another name than it is written. */
function remainder(rules: readonly PlainRule[]): YamlOutput {
  const expression = noneOf(rules.flatMap(({ globs }) => globs.filter(({ tag }) => tag === undefined)));
  return document("countersign-all-others", {
    validationActions: ["Deny"],
    matchImageReferences: [{ expression }],
    attestors: [NOBODY],
    validations: [{ expression: forEachImage("false"), message: "no rule of the policy is about this image" }],
  });
}

function document(name: string, spec: { readonly [member: string]: YamlOutput }): YamlOutput {
  return {
    apiVersion: "policies.kyverno.io/v1",
    kind: "ImageValidatingPolicy",
    metadata: { name },
    spec: {
      failurePolicy: "Fail",
      matchConstraints: {
        resourceRules: [
          {
            apiGroups: [""],
            apiVersions: ["v1"],
            operations: ["CREATE", "UPDATE"],
            resources: ["pods", "pods/ephemeralcontainers"],
          },
        ],
      },
      validationConfigurations: { mutateDigest: true, verifyDigest: true, required: true },
      ...spec,
    },
  };
}

/** Whatever it is in: containers, init containers, ephemeral ones. */
function forEachImage(expression: string): string {
  return `images.all(kind, images[kind].all(image, ${expression}))`;
}

/** The images of which this rule's pattern is the most specific one. */
function decidedBy(rule: PlainRule, rules: readonly PlainRule[]): string {
  return rule.globs.map((glob) => anyBut(glob, moreSpecific(glob, rule, rules))).join(" || ");
}

function moreSpecific(glob: ImageGlob, rule: PlainRule, rules: readonly PlainRule[]): readonly ImageGlob[] {
  const others = rules.filter((other) => other !== rule).flatMap(({ globs }) => globs);
  const deciding = others.filter(({ tag }) => tag === undefined);
  return deciding.filter((other) => isMoreSpecific(other, glob) && shareRepositories(other, glob));
}

/** An attestor has to be there, be it for nothing. */
const NOBODY: YamlOutput = {
  name: "nobody",
  cosign: { keyless: { identities: [{ issuer: "https://issuer.invalid", subject: "nobody" }] } },
};

/** How the policy calls its attestors and attestations. */
class Names {
  readonly #attestors: Map<string, { readonly name: string; readonly by: ClusterAtom["by"] }> = new Map();
  readonly #attestations: Map<string, string> = new Map();

  constructor(atoms: readonly ClusterAtom[]) {
    for (const { by, type } of atoms) {
      const mark = JSON.stringify(by);
      if (!this.#attestors.has(mark)) this.#attestors.set(mark, { name: `a${this.#attestors.size + 1}`, by });
      if (!this.#attestations.has(type)) this.#attestations.set(type, `t${this.#attestations.size + 1}`);
    }
  }

  get attestors(): readonly YamlOutput[] {
    const all = [...this.#attestors.values()].map(({ name, by }) => ({ name, cosign: cosignOf(by) }));
    return all.length > 0 ? all : [NOBODY];
  }

  get attestations(): readonly YamlOutput[] {
    return [...this.#attestations].map(([type, name]) => ({ name, intoto: { type } }));
  }

  /** Any of these; a signature is the statement of its bundle: to verifyImageSignatures every statement is one. */
  expression(clause: readonly ClusterAtom[]): string {
    const calls = clause.map(({ by, type }) => {
      const attestor = this.#attestors.get(JSON.stringify(by))?.name ?? "";
      return `verifyAttestationSignatures(image, attestations.${this.#attestations.get(type) ?? ""}, [attestors.${attestor}]) > 0`;
    });
    return calls.length > 0 ? calls.join(" || ") : "false";
  }
}

function cosignOf(by: ClusterAtom["by"]): YamlOutput {
  if (by.kind === "key") return { key: { data: by.pem }, ctlog: { insecureIgnoreTlog: true, insecureIgnoreSCT: true } };
  return { keyless: { identities: [identityMembers(by.subject, by.issuer)] } };
}
