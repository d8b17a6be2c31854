import type { Finding } from "../../../src/core/errors.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import type { ReasonCode } from "../../../src/core/reasons.ts";
import type { VerdictStatus } from "../../../src/core/verify/verdict.ts";
import type { Scene } from "./scene.ts";

/** A case as it is made: the folder's name, its policy, what is found about the image, what has to be said to it. */
export interface CaseSpec {
  /** `thresholds/one-person-twice`. */
  readonly name: string;
  readonly about: string;
  /** The text of its own policy, or the path of another one. */
  readonly policy: PolicySpec | string | { readonly file: string } | ((scene: Scene) => PolicySpec);
  /** What is stored about the image: as candidates, or in full. */
  readonly evidence?: (scene: Scene) => readonly UntrustedCandidate[] | FoundSpec;
  /** `refused wrong-key, unattested`: verdict and reasons; or `error policy-invalid`. */
  readonly expected: `accepted` | `${Exclude<VerdictStatus, "accepted">} ${string}` | `error ${ReasonCode}`;
  readonly warnings?: readonly ReasonCode[];
  readonly rule?: string;
  /** RFC 3339; when the evidence was recorded where nothing is said. */
  readonly now?: string;
  readonly platform?: string;
  /** More files of the folder. */
  readonly files?: (scene: Scene) => Readonly<Record<string, string | Uint8Array>>;
}

/** What was found, where it is more than candidates about the usual image. */
export interface FoundSpec {
  readonly repository?: string | "none";
  readonly tag?: string;
  readonly image?: "image" | "index" | "empty index";
  readonly candidates?: readonly UntrustedCandidate[];
  readonly obstacles?: readonly Finding[];
  /** Of an index, by the place in it; "all" are recorded where nothing is said, with nothing stored about them. */
  readonly children?: readonly (readonly UntrustedCandidate[])[];
}

/** A policy of one rule for the usual image: whom it names is filled in. */
export interface PolicySpec {
  /** What stands after `require:`; a line break where it is a block, indented by what the rule needs. */
  readonly require: string;
  /** Patterns, as they stand after `images:`. */
  readonly images?: string;
  /** Other members of the rule, a line each. */
  readonly rule?: readonly string[];
  /** Lines of its own below `identities:`, in the place of the usual ones of that name. */
  readonly identities?: Readonly<Record<string, string>>;
  /** Other members of the policy, a line each. */
  readonly members?: readonly string[];
}

/** Who is usually meant by a name. */
const USUAL: Readonly<Record<string, string>> = {
  alice: "{key: ../../keys/alice.pub}",
  bob: "{key: ../../keys/bob.pub}",
  carol: "{key: ../../keys/carol.pub}",
  scanner: "{key: ../../keys/scanner.pub}",
  erin: "{keyless: {subject: erin@example.com, issuer: https://login.example.com}, trust: acme}",
  release: "{github: {repository: acme/app, workflow: release.yml, ref: refs/tags/*}, trust: acme}",
};

export const REPOSITORY = "registry.example.com/acme/app";

export function policyText({
  require,
  images = REPOSITORY,
  rule = [],
  identities = {},
  members = [],
}: PolicySpec): string {
  const text = [require, ...rule, ...members].join("\n");
  const named = Object.entries({ ...USUAL, ...identities }).filter(
    ([name]) => Object.hasOwn(identities, name) || new RegExp(`\\b${name}\\b`).test(text),
  );
  const isAcme = named.some(([, value]) => /\btrust: acme\b/.test(value)) && !/^trust:/m.test(text);
  return [
    "apiVersion: countersign/v1",
    "kind: Policy",
    ...(named.length === 0 ? [] : ["identities:", ...named.map(([name, value]) => `  ${name}: ${value}`)]),
    ...(isAcme ? ["trust:", "  acme: {trustedRoot: ../../trust/acme-root.json}"] : []),
    ...members,
    "rules:",
    `  - images: ${images}`,
    ...rule.map((line) => `    ${line}`),
    `    require: ${require}`,
    "",
  ].join("\n");
}

/** As `expected.yaml` says it. */
export function expectationText(spec: CaseSpec): string {
  const [verdict = "", ...reasons] = spec.expected.split(/,? /);
  const { about, policy, now, platform, warnings, rule } = spec;
  return [
    `about: ${JSON.stringify(about)}`,
    ...(typeof policy === "object" && "file" in policy ? [`policy: ${policy.file}`] : []),
    ...(now === undefined ? [] : [`now: ${now}`]),
    ...(platform === undefined ? [] : [`platform: ${platform}`]),
    ...(verdict === "error" ? [`error: ${reasons[0]}`] : [`verdict: ${verdict}`]),
    ...(verdict === "error" || reasons.length === 0 ? [] : [`reasons: [${reasons.join(", ")}]`]),
    ...(warnings === undefined ? [] : [`warnings: [${warnings.join(", ")}]`]),
    ...(rule === undefined ? [] : [`rule: ${JSON.stringify(rule)}`]),
    "",
  ].join("\n");
}
