import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import type { SignatureFormat } from "../core/formats/envelope.ts";
import { collect, flag, grouped, list, type RawOptions, readAnnotations, readRepository, text } from "./options.ts";

const SIGN_GROUP = "Signing:";

/** What is signed with, and how it is stored. */
export function addSigningOptions(command: Command): Command {
  return grouped(command, SIGN_GROUP, [
    new Option("--key <key>", "sign with this private key: a file or env://NAME"),
    new Option("-a, --annotations <name=value>", "an annotation to sign along (repeatable)").argParser(collect),
    new Option("-r, --recursive", "sign the index and every platform in it"),
    new Option(
      "--format <format>",
      "how to store the signature: bundle (default) or cosign-legacy (repeatable)",
    ).argParser(collect),
    new Option(
      "--sign-container-identity <name>",
      "the repository that cosign-legacy signatures shall name (default: where the image is); layouts and archives need it",
    ),
    new Option("-y, --yes", "answer yes to every question"),
  ]);
}

export function addDryRun(command: Command): Command {
  return grouped(command, SIGN_GROUP, [
    new Option("--dry-run", "show what would be signed and stored, and write nothing"),
  ]);
}

export interface SigningOptions {
  /** A file or `env://NAME`. */
  readonly key: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly recursive: boolean;
  readonly formats: readonly SignatureFormat[];
  /** `registry/repository`, normalised: what legacy payloads name instead of where the image is. */
  readonly signAs: string | undefined;
  readonly yes: boolean;
  readonly dryRun: boolean;
}

/** @throws CountersignError `usage`: no key, an unknown format, an annotation that is not a pair. */
export function readSigningOptions(raw: RawOptions): SigningOptions {
  const key = text(raw, "key");
  if (key === undefined) {
    throw new CountersignError("usage", "nothing to sign with", { found: "no --key", wanted: "--key KEY" });
  }
  const formats = list(raw, "format").map(readFormat);
  return {
    key,
    annotations: readAnnotations(list(raw, "annotations")),
    recursive: flag(raw, "recursive"),
    formats: formats.length === 0 ? ["bundle"] : [...new Set(formats)],
    signAs: readSignAs(raw),
    yes: flag(raw, "yes"),
    dryRun: flag(raw, "dryRun"),
  };
}

function readSignAs(raw: RawOptions): string | undefined {
  const name = text(raw, "signContainerIdentity");
  return name === undefined ? undefined : readRepository("--sign-container-identity", name);
}

function readFormat(name: string): SignatureFormat {
  if (name === "bundle" || name === "cosign-legacy") return name;
  throw new CountersignError("usage", "not a signature format", { found: name, wanted: "bundle or cosign-legacy" });
}
