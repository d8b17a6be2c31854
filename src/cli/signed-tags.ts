import { CountersignError } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import type { RequiredIdentity } from "../core/tags/binding.ts";
import type { RootPin } from "../core/tags/pin.ts";
import type { Requirement } from "../core/verify/requirement.ts";
import type { TagJudging } from "../ops/judging.ts";
import type { OpenTags, Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { CONTENT_TRUST, isOn } from "./environment.ts";
import type { RawOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { pinsFile } from "./pins-place.ts";
import { isContentTrustOn, readSignedTagOptions, type SignedTagOptions } from "./signed-tag-options.ts";
import { readProofOptions, type SignerOptions } from "./signer-options.ts";
import { type FindTrust, readSigners } from "./signers.ts";
import { readTrustOptions } from "./trust-options.ts";

/** Everything that signed tags are opened with. */
export interface TagFlags {
  readonly tags: SignedTagOptions;
  /** What proves signatures that a binding asks for. */
  readonly signers: Pick<SignerOptions, "proof" | "trust">;
  readonly signedAs: readonly string[];
}

/** Of a command that judges nothing by signatures, and obeys pins all the same. */
export function readTagFlags(raw: RawOptions): TagFlags {
  const signers = { proof: readProofOptions(raw), trust: readTrustOptions(raw) };
  return { tags: readSignedTagOptions(raw), signers, signedAs: [] };
}

/** Signed tags, with what there is to say of the pins that decide. */
export interface OpenedTags extends TagJudging {
  /** For each of these repositories that has one: its name, the name that trust is bound to, and the pinned root. Sorted. */
  rootsOf(repositories: Iterable<string>): Promise<readonly string[]>;
  /** The repository that a pin names for the trust metadata of this one; undefined where they are in one place. */
  locationOf(repository: string): Promise<string | undefined>;
}

interface Surroundings {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly find?: FindTrust | undefined;
}

/**
 * Signed tags as a door takes them, by the pins of this machine or of the file that is named.
 *
 * @throws CountersignError `configuration-invalid` where a file is named that is not there.
 */
export async function openSignedTags(around: Surroundings, flags: TagFlags): Promise<OpenedTags> {
  const { context, output, wiring } = around;
  const { tofu, pins, isRequired, checkTag } = flags.tags;
  const opened = await wiring.signedTags({
    pins: pinsFile(context, pins),
    now: context.referenceTime,
    tofu,
    checkTag,
    onPinned: (pin) => output.warn(describePinned(pin)),
    warn: (finding) => output.warn(explainFinding(finding)),
  });
  return {
    signedTags: opened.signedTags,
    rootsOf: (repositories) => rootsOf(opened.pins, repositories),
    locationOf: async (repository) => (await pinOf(opened.pins, repository))?.location,
    isRequired: isRequired ?? isDemanded(context, output),
    signedBy: (identities) => requirementOn(around, flags, identities),
  };
}

/**
 * The pins that there are, for what is not run itself: nothing is refused because a flag or the environment demands signed tags of
 * what is run.
 *
 * @throws CountersignError as `openSignedTags`.
 */
export async function openPins(
  around: Surroundings,
  flags: TagFlags,
  more: Partial<Pick<SignedTagOptions, "checkTag" | "tofu">> = {},
): Promise<OpenedTags> {
  return await openSignedTags(around, { ...flags, tags: { ...flags.tags, ...more, isRequired: false } });
}

async function pinOf(pins: OpenTags["pins"], repository: string): Promise<RootPin | undefined> {
  return await pins.find(await pins.originOf(repository));
}

async function rootsOf(pins: OpenTags["pins"], repositories: Iterable<string>): Promise<readonly string[]> {
  const roots = new Set<string>();
  for (const repository of repositories) {
    const pin = await pinOf(pins, repository);
    if (pin !== undefined) roots.add(`${repository} ${pin.gun} ${pin.root}`);
  }
  return [...roots].toSorted();
}

/** First use is a leap of faith: what it rests on is said, so that somebody can compare it. */
function describePinned({ gun, root, rootKeyIds, threshold }: RootPin): string {
  const keys = rootKeyIds.length === 1 ? "the key" : `${threshold} of the keys`;
  const signed = `root ${root}, signed by ${keys} ${rootKeyIds.join(", ")}`;
  return `pinned on first use for ${gun}: ${signed}; compare them with what the publisher names`;
}

const DOCKER = "DOCKER_CONTENT_TRUST";

/** Whether the environment wants a signed tag. */
function isDemanded({ env }: Context, output: Output): boolean {
  if (isOn(env[CONTENT_TRUST] ?? "")) return true;
  if (!isContentTrustOn(env[DOCKER])) return false;
  output.note(
    `${DOCKER} is heeded: what no signed tag covers is refused. Docker's own commands do not heed it any more`,
  );
  return true;
}

/** A signature by one of these identities, proven as the flags or the configuration say. */
async function requirementOn(
  { context, output, wiring, find }: Surroundings,
  { signers, signedAs }: TagFlags,
  wanted: readonly RequiredIdentity[],
): Promise<Requirement> {
  const read = wanted.map(({ identity, issuer }) => {
    const named = { kind: "named", subject: exact(identity), issuer: exact(issuer), claims: [] } as const;
    return readSigners(context, output, { ...signers, keys: [], identity: named }, wiring, find);
  });
  const identities = (await Promise.all(read)).flatMap((each) => each.identities);
  const now = context.referenceTime;
  return { keys: [], identities, threshold: 1, annotations: {}, signedAs, now };
}

function exact(text: string): { readonly kind: "exact"; readonly text: string } {
  return { kind: "exact", text };
}

/** Where nothing but a signed tag could decide, and there is none to be had. @throws CountersignError `usage`. */
export async function requirePinned(
  { signedTags, isRequired }: TagJudging,
  repositories: readonly (string | undefined)[],
): Promise<void> {
  // Then each image says for itself that it has no pin.
  if (isRequired) return;
  for (const repository of repositories) {
    if (repository !== undefined && (await signedTags.isPinned(repository))) continue;
    throw new CountersignError("usage", "nothing says whose signature is wanted", {
      found: `neither a policy, nor a key, nor an identity${repository === undefined ? "" : `, and no pinned root of ${repository}`}`,
      wanted: "--policy FILE, --key KEY, or --certificate-identity NAME and --certificate-oidc-issuer URL",
    });
  }
}
