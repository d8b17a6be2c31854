import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import type { SignatureFormat } from "../core/formats/envelope.ts";
import { addFor, type PeerChoice, readFor } from "./for-peers.ts";
import { collect, flag, grouped, list, type RawOptions, readAnnotations, readRepository, text } from "./options.ts";
import { addSignatoryOptions, readSignatoryOptions, type SignatoryOptions } from "./signatory-options.ts";

const SIGN_GROUP = "Signing:";

/** Who signs, what is signed along, and how it is stored. */
export function addSigningOptions(command: Command): Command {
  addSignatoryOptions(command);
  grouped(command, SIGN_GROUP, [
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
  ]);
  return addFor(command);
}

export function addDryRun(command: Command): Command {
  return grouped(command, SIGN_GROUP, [
    new Option("--dry-run", "show what would be signed and stored; write nothing, and show nothing to any service"),
  ]);
}

export function addFinish(command: Command): Command {
  return grouped(command, SIGN_GROUP, [
    new Option("--finish", "sign nothing: add the log entries that --log-later left out, and store what is complete"),
  ]);
}

export interface SigningOptions {
  readonly signatory: SignatoryOptions;
  readonly annotations: Readonly<Record<string, string>>;
  readonly recursive: boolean;
  readonly formats: readonly SignatureFormat[];
  /** Verifiers that have to be able to read it; undefined where none are named. */
  readonly choice: PeerChoice | undefined;
  /** `registry/repository`, normalised: what legacy payloads name instead of where the image is. */
  readonly signAs: string | undefined;
  readonly dryRun: boolean;
}

/** @throws CountersignError `usage`: flags that contradict each other, an unknown format, an annotation that is no pair. */
export function readSigningOptions(raw: RawOptions): SigningOptions {
  const named = [...new Set(list(raw, "format").map(readFormat))];
  const choice = readFor(raw, named);
  const options: SigningOptions = {
    signatory: readSignatoryOptions(raw),
    annotations: readAnnotations(list(raw, "annotations")),
    recursive: flag(raw, "recursive") || choice?.recursive === true,
    formats: choice?.formats ?? (named.length === 0 ? ["bundle"] : named),
    choice,
    signAs: readSignAs(raw),
    dryRun: flag(raw, "dryRun"),
  };
  if (!options.signatory.logLater || !options.formats.includes("cosign-legacy")) return options;
  throw new CountersignError("usage", "a legacy signature cannot wait for its log entry", {
    found: "--log-later and --format cosign-legacy",
    wanted: "--log-later with bundles only",
  });
}

/** What of the flags is heeded where only log entries are added. @throws CountersignError `usage` for all others. */
export function readFinishOptions(raw: RawOptions): Pick<SigningOptions, "signatory" | "recursive" | "dryRun"> {
  const others: readonly (readonly [string, string])[] = [
    ["annotations", "-a"],
    ["format", "--format"],
    ["for", "--for"],
    ["signContainerIdentity", "--sign-container-identity"],
    ["identityToken", "--identity-token"],
    ["logLater", "--log-later"],
    ["oneCertificate", "--one-certificate"],
  ];
  const [, found] = others.find(([name]) => raw[name] !== undefined && raw[name] !== false) ?? [];
  if (found !== undefined) {
    throw new CountersignError("usage", "--finish signs nothing", {
      found: `--finish and ${found}`,
      wanted: "--finish, with the services to use and the public keys of signers",
    });
  }
  const signatory = readSignatoryOptions(raw);
  const services = signatory.services.kind === "none" ? ({ kind: "usual" } as const) : signatory.services;
  return { signatory: { ...signatory, services }, recursive: flag(raw, "recursive"), dryRun: flag(raw, "dryRun") };
}

function readSignAs(raw: RawOptions): string | undefined {
  const name = text(raw, "signContainerIdentity");
  return name === undefined ? undefined : readRepository("--sign-container-identity", name);
}

function readFormat(name: string): SignatureFormat {
  if (name === "bundle" || name === "cosign-legacy") return name;
  throw new CountersignError("usage", "not a signature format", { found: name, wanted: "bundle or cosign-legacy" });
}
