import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { displace } from "./displaced.ts";
import { flag, grouped, once, type RawOptions, text } from "./options.ts";

const SIGNED_TAG_GROUP = "Signed tags:";

/** How references are resolved where the repository has signed tags: on every command that ends in a verdict on images. */
export function addSignedTagOptions(command: Command): Command {
  displace(command, ["--signed-tag"], ["--disable-content-trust"]);
  displace(command, ["--disable-content-trust"], ["--signed-tag"]);
  return grouped(command, SIGNED_TAG_GROUP, [
    new Option(
      "--signed-tag <when>",
      "required: refuse what no signed tag of a pinned root covers; optional, the default, asks for none beyond the pinned" +
        " ones, which count in any case",
    ).choices(["required", "optional"]),
    new Option(
      "--pins <file>",
      "the roots that are pinned (default: countersign/pins.json of the user); none is ever picked up from the current folder",
    ).argParser(once("--pins")),
    new Option(
      "--tofu",
      "where no root is pinned, pin the one that is served, from now on, and require the signed tag",
    ),
    new Option("--check-tag", "ask what the registry's own tag names too, and warn where it is not what is signed"),
  ]);
}

/** Where Docker's users look for it. */
export function addContentTrustOption(command: Command): Command {
  return grouped(command, SIGNED_TAG_GROUP, [
    new Option(
      "--disable-content-trust",
      "as in docker: do not heed DOCKER_CONTENT_TRUST; a pin and a policy hold all the same",
    ),
  ]);
}

/** What is wanted of signed tags. */
export interface SignedTagOptions {
  /** undefined: as the environment says. */
  readonly isRequired: boolean | undefined;
  /** A file; undefined for the user's own. */
  readonly pins: string | undefined;
  readonly tofu: boolean;
  readonly checkTag: boolean;
}

/** @throws CountersignError `usage` for flags that contradict each other. */
export function readSignedTagOptions(raw: RawOptions): SignedTagOptions {
  const when = text(raw, "signedTag");
  const isDisabled = flag(raw, "disableContentTrust");
  const tofu = flag(raw, "tofu");
  if (isDisabled && (when === "required" || tofu)) {
    throw new CountersignError("usage", "a signed tag is required and is not", {
      found: `--disable-content-trust and ${tofu ? "--tofu" : "--signed-tag required"}`,
      wanted: "one of them",
    });
  }
  return {
    isRequired: tofu || when === "required" ? true : isDisabled || when === "optional" ? false : undefined,
    pins: text(raw, "pins"),
    tofu,
    checkTag: flag(raw, "checkTag"),
  };
}

const OFF: ReadonlySet<string> = new Set(["", "0", "f", "F", "false", "FALSE", "False"]);

/** As Docker reads it: whatever is no word for false turns it on (docker/cli, opts and strconv.ParseBool). */
export function isContentTrustOn(value: string | undefined): boolean {
  return value !== undefined && !OFF.has(value);
}
