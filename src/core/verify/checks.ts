import type { Requirement } from "./requirement.ts";
import type { Judgement } from "./verify.ts";

/** What a verdict says was checked and what was not, in the words of the field. */
export interface Checks {
  readonly checked: readonly string[];
  readonly notChecked: readonly string[];
}

/** The scope of the question: what was asked about an index and its platforms. */
export type Scope = "image" | "index only" | "platform through its index" | "platform";

const NOT_CHECKED_WITH_KEYS = ["transparency log", "time of signing", "whether the tag is current"];

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
      ...(bundle ? ["statement type"] : []),
      ...(legacy && named ? ["repository name"] : []),
      ...Object.entries(requirement.annotations).map(([name, value]) => `annotation ${name}=${value}`),
      ...(scope === "platform through its index" ? ["platform listed in the signed index"] : []),
    ],
    notChecked: [
      ...(contentFollows ? [] : ["layers (a pull checks them)"]),
      ...NOT_CHECKED_WITH_KEYS,
      ...(legacy && !named ? ["repository name (a file has none)"] : []),
      ...(scope === "index only" ? ["platforms (only the index was asked for)"] : []),
    ],
  };
}
