import { Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { parseLocation } from "../core/oci/location.ts";
import { repositoryName } from "../core/oci/reference.ts";
import type { ImageName } from "../core/policy/document.ts";
import { displace } from "./displaced.ts";
import { addIdentityOptions } from "./identity-options.ts";
import { grouped, once, type RawOptions, text } from "./options.ts";
import { addPolicyPinOptions, POLICY_PIN_FLAGS, type PolicyPinOptions, readPolicyPin } from "./policy-pin-options.ts";
import { addProofOptions } from "./signer-options.ts";

const POLICY_GROUP = "By a trust policy:";

/** Which policy judges: on every command that ends in a verdict on images. */
export function addPolicyOptions(command: Command, replaced: ReplacedFlags): Command {
  grouped(command, POLICY_GROUP, [
    new Option(
      "--policy <file>",
      `judge by the rules in this file or at oci://registry/repository, which take the place of ${replaced.shown}; none is ever picked up unasked`,
    ).argParser(once("--policy")),
    ...(replaced.judgesFiles ? [asOption()] : []),
  ]);
  addPolicyPinOptions(command);
  displace(command, ["--policy"], replaced.all);
  return displace(command, replaced.naming, ["--policy", "--as", ...POLICY_PIN_FLAGS]);
}

function asOption(): Option {
  return new Option(
    "--as <name>",
    "with --policy, by whose rules an image in a folder or an archive is judged: registry/repository[:tag]",
  ).argParser(once("--as"));
}

/** Flags that a policy takes the place of. Long names. */
export interface ReplacedFlags {
  readonly all: readonly string[];
  /** Those of them that say who must have signed. */
  readonly naming: readonly string[];
  /** The same on the help page. */
  readonly shown: string;
  /** Images without a name of their own are judged too. */
  readonly judgesFiles: boolean;
}

/** On commands that verify. */
export const VERIFYING: ReplacedFlags = replacedFlags("--key", [
  ...["--threshold", "--annotations", "--signed-as", "--type", "--where"],
]);

/** On push, where `--key` and annotations are those of the signature that is made. */
export const PUBLISHING: ReplacedFlags = replacedFlags("--verify-key", ["--threshold"]);

function replacedFlags(key: string, more: readonly string[]): ReplacedFlags {
  const [identity, proof] = [addIdentityOptions, addProofOptions].map(longNames);
  const naming = [key, ...(identity ?? [])];
  return {
    all: [...naming, ...more, ...(proof ?? [])],
    naming,
    judgesFiles: key === "--key",
    shown: [key, "--certificate-…", "--owner", "--repo", ...more, "--use-signed-timestamps", "--insecure-…"].join(", "),
  };
}

/** A policy, and what images without a name of their own are called for it. */
export interface PolicyOptions {
  /** As the user called it: a file, or `oci://…`. */
  readonly file: string;
  readonly as: ImageName | undefined;
  /** Whose it has to be, where it is fetched. */
  readonly pin: PolicyPinOptions;
}

/** undefined where flags say what is wanted. @throws CountersignError `usage` where a policy and such flags both do. */
export function readPolicyOptions(raw: RawOptions, replaced: ReplacedFlags): PolicyOptions | undefined {
  const file = text(raw, "policy");
  const as = text(raw, "as");
  const pin = readPolicyPin(raw, file);
  if (file === undefined) {
    if (as === undefined) return undefined;
    throw contradiction("--as says by which rules of a policy an image is judged", "--as alone", "--policy FILE too");
  }
  const beside = replaced.all.filter((name) => isGiven(raw, name));
  if (beside.length > 0) {
    throw contradiction(
      "a policy says who must have signed and what proves it",
      `--policy and ${beside.join(", ")}`,
      "one of them: what these flags ask for can be written into the policy",
    );
  }
  return { file, as: as === undefined ? undefined : readName(as), pin };
}

function isGiven(raw: RawOptions, long: string): boolean {
  const value = raw[new Option(long).attributeName()];
  return value !== undefined && value !== false;
}

/** What is not said is not supposed: no tag is none, not `latest`. */
function readName(given: string): ImageName {
  const location = parseLocation(given);
  if (location.kind === "registry" && location.reference.digest === undefined) {
    const { tag } = location.reference;
    return { repository: repositoryName(location.reference), tag: given.endsWith(`:${tag}`) ? tag : undefined };
  }
  throw contradiction("--as takes the name of an image in a registry", given, "registry/repository[:tag]");
}

/**
 * A name is for images that have none: those in registries are judged by what they are called there.
 *
 * @throws CountersignError `usage`.
 */
export function refuseRenaming({ as }: Pick<PolicyOptions, "as">, images: readonly string[]): void {
  if (as === undefined || images.some((image) => parseLocation(image).kind !== "registry")) return;
  throw contradiction(
    "--as is for images that have no name of their own",
    images[0] ?? "no image",
    "oci:DIR, oci-archive:FILE or docker-archive:FILE; a policy's signedAs is for mirrors",
  );
}

function contradiction(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("usage", message, { found, wanted });
}

function longNames(add: (command: Command) => Command): readonly string[] {
  return add(new Command()).options.flatMap(({ long }) => long ?? []);
}
