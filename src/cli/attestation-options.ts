import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { PREDICATE_ALIASES, type PredicateType, resolveType } from "../core/formats/predicates.ts";
import type { Instant } from "../core/time.ts";
import type { AttestationRequirement } from "../core/verify/requirement.ts";
import { collect, grouped, list, type RawOptions } from "./options.ts";

/** Which attestation is wanted instead of a signature, and what it has to say. */
export function addAttestationOptions(command: Command): Command {
  return grouped(command, "Attestations:", [
    new Option(
      "--type <type>",
      `judge by attestations of this type instead: ${PREDICATE_ALIASES.join(", ")}, or a URI (repeatable: any of them)`,
    ).argParser(collect),
    new Option(
      "--where <expression>",
      "what the attestation has to say: CEL over its statement, such as 'predicate.buildDefinition.buildType ==" +
        ' "https://example.com/build/v1"\' (may be given more than once: all of them have to hold)',
    ).argParser(collect),
  ]);
}

/** As they were written. */
export interface AttestationOptions {
  readonly types: readonly PredicateType[];
  readonly conditions: readonly string[];
}

/** undefined where no type was given. @throws CountersignError `usage`: a condition alone, an unknown type. */
export function readAttestationOptions(raw: RawOptions): AttestationOptions | undefined {
  const types = list(raw, "type");
  const conditions = list(raw, "where");
  if (types.length > 0) return { types: types.flatMap(resolveType), conditions };
  if (conditions.length === 0) return undefined;
  throw new CountersignError("usage", "nothing says which attestation the condition is on", {
    found: "--where alone",
    wanted: "--type TYPE too",
  });
}

/** @throws CountersignError `usage` for broken CEL. */
export async function compileAttestation(
  options: AttestationOptions | undefined,
  now: Instant,
): Promise<AttestationRequirement | undefined> {
  if (options === undefined) return undefined;
  const { types: predicateTypes, conditions } = options;
  if (conditions.length === 0) return { predicateTypes, conditions: [] };
  const { compileCondition } = await import("../core/policy/cel.ts");
  return { predicateTypes, conditions: await Promise.all(conditions.map((text) => compileCondition(text, now))) };
}
