import type { Requirement } from "./requirement.ts";
import type { SignatureReport } from "./verdict.ts";
import type { Judgement } from "./verify.ts";

/** What a verdict says was checked and what was not, in the words of the field. */
export interface Checks {
  readonly checked: readonly string[];
  readonly notChecked: readonly string[];
}

/** The scope of the question: what was asked about an index and its platforms. */
export type Scope = "image" | "index only" | "platform through its index" | "platform";

export interface Surroundings {
  /** What the image's place is called there; a layout or an archive has no name to compare with. */
  readonly repository: string | undefined;
  /** Layers and configuration are fetched and checked next. */
  readonly contentFollows: boolean;
}

export function describeChecks(
  judgement: Judgement,
  requirement: Requirement,
  scope: Scope,
  { repository, contentFollows }: Surroundings,
): Checks {
  const counted = judgement.signatures.filter((report) => report.accepted);
  if (judgement.status !== "accepted") return { checked: [], notChecked: [] };
  const legacy = counted.some((report) => report.format === "cosign-legacy");
  const named = repository !== undefined || requirement.signedAs.length > 0;
  const bundle = counted.some((report) => report.format === "bundle");
  return {
    checked: [
      "digest",
      "signature",
      ...provenChecks(counted),
      ...(bundle ? ["statement type"] : []),
      ...(legacy && named ? ["repository name"] : []),
      ...Object.entries(requirement.annotations).map(([name, value]) => `annotation ${name}=${value}`),
      ...(scope === "platform through its index" ? ["platform listed in the signed index"] : []),
    ],
    notChecked: [
      ...(contentFollows ? [] : ["layers (a pull checks them)"]),
      ...unprovenChecks(counted),
      "whether the tag is current",
      ...(legacy && !named ? ["repository name (a file has none)"] : []),
      ...(scope === "index only" ? ["platforms (only the index was asked for)"] : []),
    ],
  };
}

/** What every signature that counted was proven by; the numbers are those of the first. */
function provenChecks(counted: readonly SignatureReport[]): readonly string[] {
  const proofs = counted.flatMap(({ proof }) => (proof === undefined ? [] : [proof]));
  const [first] = proofs;
  if (first === undefined || proofs.length < counted.length) return [];
  const authorities = new Set(first.timestamps.map(({ authority }) => authority)).size;
  return [
    ...(counted.every(({ signedBy }) => signedBy?.kind === "identity") ? ["identity", "certificate chain"] : []),
    ...(proofs.every(({ certificateLogs }) => certificateLogs.length > 0) ? ["SCT"] : []),
    ...(proofs.every(({ logs }) => logs.length > 0) ? first.logs.map(({ index }) => `log entry ${index}`) : []),
    ...(proofs.every(({ timestamps }) => timestamps.length > 0)
      ? [`timestamp by ${authorities} ${authorities === 1 ? "authority" : "authorities"}`]
      : []),
  ];
}

function unprovenChecks(counted: readonly SignatureReport[]): readonly string[] {
  const keyless = counted.every(({ signedBy }) => signedBy?.kind === "identity");
  return [
    ...(keyless && counted.some(({ proof }) => proof?.certificateLogs.length === 0) ? ["SCT"] : []),
    ...(counted.some(({ proof }) => (proof?.logs.length ?? 0) === 0) ? ["transparency log"] : []),
    ...(counted.some(({ proof }) => proof?.signedAt === undefined) ? ["time of signing"] : []),
  ];
}
