import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import {
  collect,
  count,
  flag,
  grouped,
  list,
  number,
  type RawOptions,
  readAnnotations,
  readRepository,
  text,
} from "./options.ts";

const VERIFY_GROUP = "Verification:";

/** Whose signature is wanted: on every command that ends in a verdict. */
export function addVerifyOptions(command: Command): Command {
  return grouped(command, VERIFY_GROUP, [
    new Option(
      "--key <key>",
      "accept signatures by this public key: a file or env://NAME (repeatable: any of them)",
    ).argParser(collect),
    new Option("--threshold <n>", "how many distinct keys must have signed (default: 1)").argParser(
      count("--threshold", 1),
    ),
    new Option("-a, --annotations <name=value>", "an annotation the signature must carry (repeatable)").argParser(
      collect,
    ),
    new Option("-r, --recursive", "judge the index and every platform in it"),
    new Option("--signed-as <name>", "for mirrors: the repository the image was signed under (repeatable)").argParser(
      collect,
    ),
    new Option(
      "--bundle <file>",
      "judge by the Sigstore bundle in this file instead of what is stored beside the image (repeatable)",
    ).argParser(collect),
    new Option("--insecure-ignore-tlog", "state that no transparency log is asked for (with keys, none is)"),
    new Option("--exit-codes <table>", "exit codes for refusals")
      .choices(["countersign", "cosign"])
      .default("countersign"),
  ]);
}

export interface VerifyOptions {
  /** At least one: a file or `env://NAME`. */
  readonly keys: readonly string[];
  readonly threshold: number;
  readonly annotations: Readonly<Record<string, string>>;
  readonly recursive: boolean;
  /** `registry/repository`, normalised. */
  readonly signedAs: readonly string[];
  /** Files. */
  readonly bundles: readonly string[];
  /** As they shall be printed in the verdict. */
  readonly weakened: readonly string[];
  readonly exitCodes: "countersign" | "cosign";
}

/** @throws CountersignError `usage`: no key, an annotation that is not a pair. */
export function readVerifyOptions(raw: RawOptions): VerifyOptions {
  const keys = list(raw, "key");
  if (keys.length === 0) {
    throw new CountersignError("usage", "nothing says whose signature is wanted", {
      found: "no --key",
      wanted: "--key KEY",
    });
  }
  return {
    keys,
    threshold: number(raw, "threshold") ?? 1,
    annotations: readAnnotations(list(raw, "annotations")),
    recursive: flag(raw, "recursive"),
    signedAs: list(raw, "signedAs").map((name) => readRepository("--signed-as", name)),
    bundles: list(raw, "bundle"),
    weakened: weakenings(raw),
    exitCodes: text(raw, "exitCodes") === "cosign" ? "cosign" : "countersign",
  };
}

/** Every flag that weakens a check, in the order of the help page. */
function weakenings(raw: RawOptions): readonly string[] {
  const flags: readonly (readonly [string, string])[] = [
    ["insecureIgnoreTlog", "--insecure-ignore-tlog"],
    ["allowHttpRegistry", "--allow-http-registry"],
    ["allowInsecureRegistry", "--allow-insecure-registry"],
  ];
  return flags.flatMap(([name, spelled]) => (flag(raw, name) ? [spelled] : []));
}
