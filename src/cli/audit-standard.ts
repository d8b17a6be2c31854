import type { AuditStandard } from "../core/audit/audit.ts";
import { makeStandard, type PolicyMeaning } from "../core/audit/standard.ts";
import { encodeUtf8 } from "../core/bytes.ts";
import { CountersignError, type Finding, toFinding } from "../core/errors.ts";
import { digestOf } from "../core/oci/digest.ts";
import { platformName } from "../core/oci/platform.ts";
import type { Rule } from "../core/policy/document.ts";
import { digestPatterns, matchRule } from "../core/policy/images.ts";
import { Compiler } from "../core/verify/compile.ts";
import type { Criterion, ImageName } from "../core/verify/criterion.ts";
import { type Judging, nameFor } from "./judging.ts";
import type { OpenPolicy } from "./policy.ts";
import type { VerifyOptions } from "./verify-options.ts";

/**
 * What is required of these images, by flags or by a policy.
 *
 * @throws CountersignError for a policy that cannot be used, and `interrupted`.
 */
export async function standardOf(
  judging: Judging,
  flags: OtherFlags,
  images: readonly string[],
): Promise<AuditStandard> {
  const { requirement, policy, weakened = [], tags } = judging;
  const asked = policy ? await meaningOf(policy, images) : "rulingOf" in requirement ? "signed-tag" : requirement;
  const repositories = new Set(images.flatMap((image) => nameFor(image).repository ?? []));
  const also = [...whatElse(judging, flags), ...tagWords(tags.isRequired, await tags.rootsOf(repositories))];
  return makeStandard({ asked, also, weakened });
}

/** What decides what is told, and is in no requirement. */
interface OtherFlags extends Pick<VerifyOptions, "github"> {
  readonly lookForScans: boolean;
}

function whatElse({ recursive, platform, bundles }: Judging, { github, lookForScans }: OtherFlags): readonly string[] {
  return [
    ...(recursive === true ? ["on every platform too"] : []),
    ...(platform === undefined ? [] : [`for ${platformName(platform)}`]),
    ...(bundles ?? []).map((bytes) => `in the bundle ${digestOf(bytes)}`),
    ...(github === undefined ? [] : [`or at ${github.api.href}`]),
    ...(lookForScans ? ["with the age of scans"] : []),
  ];
}

/** Which roots are pinned decides what tags mean: who has others judges by another standard. */
function tagWords(isRequired: boolean, roots: readonly string[]): readonly string[] {
  const digest = digestOf(encodeUtf8(JSON.stringify(roots)));
  return [
    ...(isRequired ? ["by a signed tag"] : []),
    ...(roots.length === 0 ? [] : [`by the signed tags of pinned roots (${digest.slice(0, DIGEST_SHOWN)}…)`]),
  ];
}

/** Enough to tell two sets of roots apart, and no collision to be had: 128 bits. */
const DIGEST_SHOWN = "sha256:".length + 32;

/** Only those rules are read that an image may fall under, as `prepareRules` does: nobody needs the keys of the others. */
async function meaningOf(
  { document, material, rulebook }: OpenPolicy,
  images: readonly string[],
): Promise<PolicyMeaning> {
  const { label: name, digest } = document;
  const names = images.map((image) => nameFor(image)).map(asJudged);
  const matched = names.filter((one) => matchRule(document, one) !== undefined);
  const repositories = [...new Set(names.map(({ repository = "" }) => repository))];
  const rules = new Set([
    ...matched.flatMap((one) => matchRule(document, one)?.rule ?? []),
    ...repositories.flatMap((repository) => digestPatterns(document, repository).map(({ rule }) => rule)),
  ]);
  const compiler = new Compiler(document, material, rulebook.now);
  const criterionOf = async (rule: Rule): Promise<PolicyMeaning["rules"][number]> => {
    const { line, column } = rule.place;
    return {
      place: `${line}:${column}`,
      criterion: await orFinding<Criterion>(() => compiler.criterion(rule.require)),
    };
  };
  const [first] = matched;
  const withdrawn = first && (await orFinding(async () => (await rulebook.rulingOf(first)).withdrawn));
  return { name, digest, rules: await Promise.all([...rules].map(criterionOf)), withdrawn: withdrawn ?? new Map() };
}

/** A tag beside a digest chooses no rule. */
function asJudged({ repository, tag, digest }: ImageName): ImageName {
  return { repository, tag: digest === undefined ? tag : undefined, digest };
}

/** What may pass is each image's own finding later. */
async function orFinding<Value>(read: () => Promise<Value>): Promise<Value | Finding> {
  try {
    return await read();
  } catch (error) {
    const isLater = error instanceof CountersignError && error.class !== "usage" && error.class !== "interrupted";
    if (!isLater) throw error;
    return toFinding(error);
  }
}
