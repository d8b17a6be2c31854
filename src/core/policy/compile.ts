import { CountersignError } from "../errors.ts";
import type { Instant } from "../time.ts";
import { pattern } from "../trust/pattern.ts";
import type { YamlError } from "../yaml.ts";
import { compileCondition } from "./cel.ts";
import type { Identity, Place, PolicyDocument, PolicyRequirement } from "./document.ts";
import { policyProblem } from "./parse-scope.ts";

/** A text of a policy that has to compile, and where it stands. */
interface Source {
  readonly text: string;
  readonly place: Place;
}

/**
 * Compiles every condition and pattern of a policy: what a rulebook does with those of the rule that it opens, and
 * `policy check` with all. Every one that does not, in the order of the file.
 */
export async function findUncompilable(document: PolicyDocument, now: Instant): Promise<readonly YamlError[]> {
  const conditions = document.rules.flatMap(({ require }) => conditionsIn(require));
  const patterns = [...document.identities.values()].flatMap(patternsIn);
  const found = [
    ...(await Promise.all(patterns.map((source) => tryOut(source, () => pattern(source.text))))),
    ...(await Promise.all(conditions.map((source) => tryOut(source, () => compileCondition(source.text, now))))),
  ];
  return found.filter((problem) => problem !== undefined).toSorted((a, b) => (a.at?.line ?? 0) - (b.at?.line ?? 0));
}

async function tryOut({ place }: Source, compile: () => Promise<unknown>): Promise<YamlError | undefined> {
  try {
    await compile();
    return undefined;
  } catch (thrown) {
    if (!(thrown instanceof CountersignError)) throw thrown;
    const { message, found, wanted = "" } = thrown;
    return policyProblem(place, found === undefined ? message : `${message}: ${found}`, wanted);
  }
}

function conditionsIn(requirement: PolicyRequirement): readonly Source[] {
  if (requirement.kind === "attestation") return requirement.where;
  if (requirement.kind === "all" || requirement.kind === "any" || requirement.kind === "threshold") {
    return requirement.of.flatMap(conditionsIn);
  }
  return [];
}

function patternsIn(identity: Identity): readonly Source[] {
  if (identity.kind === "keys") return [];
  const claims = identity.claims.map(({ wanted }) => wanted);
  const texts = identity.kind === "keyless" ? [identity.subject, identity.issuer, ...claims] : claims;
  return texts.filter(({ kind }) => kind === "pattern").map(({ text }) => ({ text, place: identity.place }));
}
