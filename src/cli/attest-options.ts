import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { SIGNATURE_PREDICATE } from "../core/formats/envelope.ts";
import { PREDICATE_ALIASES, resolveType } from "../core/formats/predicates.ts";
import {
  collect,
  flag,
  grouped,
  list,
  once,
  type RawOptions,
  readAnnotations,
  readRepository,
  text,
} from "./options.ts";
import { addSignatoryOptions, readSignatoryOptions, type SignatoryOptions } from "./signatory-options.ts";

const ATTEST_GROUP = "What is attested:";

/** Who attests, and what. */
export function addAttestOptions(command: Command): Command {
  grouped(command, ATTEST_GROUP, [
    new Option("--type <type>", `${PREDICATE_ALIASES.join(", ")}, or a URI`).argParser(once("--type")),
    new Option("--predicate <file>", "the document of that type; - for standard input").argParser(once("--predicate")),
    new Option("-a, --annotations <name=value>", "an annotation to sign along (repeatable)").argParser(collect),
    new Option("-r, --recursive", "attest the index and every platform in it"),
    new Option(
      "--format <format>",
      "how to store the attestation: bundle (default) or cosign-legacy (repeatable)",
    ).argParser(collect),
    new Option(
      "--sign-container-identity <name>",
      "the repository that the statement shall name (default: where the image is)",
    ),
    new Option("--dry-run", "show what would be attested and stored; write nothing, and ask no service for anything"),
  ]);
  return addSignatoryOptions(command);
}

export interface AttestFlags {
  readonly signatory: SignatoryOptions;
  /** As it was given: an alias, or the URI. */
  readonly type: string;
  readonly predicateType: string;
  /** A file, or `-`. */
  readonly predicate: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly recursive: boolean;
  readonly formats: readonly ("bundle" | "cosign-attestation")[];
  /** `registry/repository`, normalised. */
  readonly signAs: string | undefined;
  readonly dryRun: boolean;
}

/** @throws CountersignError `usage`: no type or predicate, one that there is not, flags that contradict each other. */
export function readAttestOptions(raw: RawOptions): AttestFlags {
  const type = required(raw, "type", "--type", "what kind of statement it is", "--type slsaprovenance1");
  const formats = list(raw, "format").map(readFormat);
  const signAs = text(raw, "signContainerIdentity");
  const options: AttestFlags = {
    signatory: readSignatoryOptions(raw),
    type,
    predicateType: resolveType(type)[0].uri,
    predicate: required(raw, "predicate", "--predicate", "what to attest", "--predicate provenance.json"),
    annotations: readAnnotations(list(raw, "annotations")),
    recursive: flag(raw, "recursive"),
    formats: formats.length === 0 ? ["bundle"] : [...new Set(formats)],
    signAs: signAs === undefined ? undefined : readRepository("--sign-container-identity", signAs),
    dryRun: flag(raw, "dryRun"),
  };
  refuseSignature(options);
  refuseLegacyServices(options);
  refuseTextInBundle(options);
  return options;
}

function required(raw: RawOptions, name: string, spelled: string, what: string, example: string): string {
  const given = text(raw, name);
  if (given !== undefined && given !== "") return given;
  throw new CountersignError("usage", `nothing says ${what}`, { found: `no ${spelled}`, wanted: example });
}

function readFormat(name: string): "bundle" | "cosign-attestation" {
  if (name === "bundle") return name;
  if (name === "cosign-legacy") return "cosign-attestation";
  throw new CountersignError("usage", "not a format of attestations", {
    found: name,
    wanted: "bundle or cosign-legacy",
  });
}

/** Whoever reads signatures would take it for one. */
function refuseSignature({ predicateType }: AttestFlags): void {
  if (predicateType !== SIGNATURE_PREDICATE) return;
  throw new CountersignError("usage", "this type of statement is the image's own signature", {
    found: predicateType,
    next: "sign the image with countersign sign",
  });
}

/** What a bundle states is an object (in-toto, spec/v1/statement.md): cosign 3 does not read back what it writes there. */
function refuseTextInBundle({ type, formats }: AttestFlags): void {
  if (type !== "spdx" || !formats.includes("bundle")) return;
  throw new CountersignError("usage", "SPDX's tag-value form cannot be attested in a bundle", {
    found: "--type spdx and --format bundle",
    wanted: "--type spdxjson with SPDX as JSON, or --format cosign-legacy",
  });
}

function refuseLegacyServices({ formats, signatory }: AttestFlags): void {
  if (!formats.includes("cosign-attestation")) return;
  if (signatory.key !== undefined && signatory.services.kind === "none") return;
  throw new CountersignError("usage", "an attestation in cosign's old format is made with a key alone", {
    found:
      signatory.key === undefined ? "--format cosign-legacy without --key" : "--format cosign-legacy with services",
    wanted: "--key and no service, or --format bundle",
  });
}
