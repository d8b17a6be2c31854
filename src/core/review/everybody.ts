import { type Finding, findingUnlessInterrupted } from "../errors.ts";
import type { PolicyDocument } from "../policy/document.ts";
import type { Instant } from "../time.ts";
import { Compiler, type RuleMaterial } from "../verify/compile.ts";
import type { Believed, Exhibit } from "../verify/exhibit.ts";
import { carriedBy, type Everybody } from "./carried.ts";

export interface KnownSigners {
  readonly everybody: Everybody;
  /** Keys and trust roots that could not be had: evidence that rests on them is not recognised. */
  readonly problems: readonly Finding[];
}

/**
 * Everybody whom a policy names anywhere, and for whom its trust roots vouch; where there are certificates that those do not
 * know, the usual one too.
 */
export async function everybodyIn(
  document: PolicyDocument,
  material: RuleMaterial,
  now: Instant,
  exhibits: readonly Exhibit[],
): Promise<KnownSigners> {
  const compiler = new Compiler(document, material, now);
  const signers = await Promise.all(
    [...document.identities.keys()].map((name) => attempt(() => compiler.signers([name]))),
  );
  const known = signers.flatMap(gotten);
  const own = distinct(known.flatMap(({ identities }) => identities));
  const unproven = exhibits.some((exhibit) => hasCertificate(exhibit) && !isProvenBy(own, exhibit, now));
  const usual = unproven ? [await attempt(() => material.trustFor(undefined))] : [];
  const roots = [...own, ...usual.flatMap(gotten).flat()];
  return {
    everybody: { keys: known.flatMap(({ keys }) => keys), roots: distinct(roots), now },
    problems: [...signers, ...usual].flatMap((each) => ("problem" in each ? [each.problem] : [])),
  };
}

export function hasCertificate(exhibit: Exhibit): boolean {
  try {
    return exhibit.open().envelope.certificates.length > 0;
  } catch {
    return false;
  }
}

function isProvenBy(roots: readonly Believed[], exhibit: Exhibit, now: Instant): boolean {
  return "claim" in carriedBy(exhibit, { keys: [], roots, now });
}

/** Whose word is taken, each once for what it takes to be believed. */
function distinct(roots: readonly Believed[]): readonly Believed[] {
  const seen = new Map<Believed["trust"], Set<string>>();
  return roots.flatMap(({ trust, demands }) => {
    const known = seen.get(trust) ?? new Set();
    seen.set(trust, known);
    const wanted = JSON.stringify(demands);
    if (known.has(wanted)) return [];
    known.add(wanted);
    return [{ trust, demands }];
  });
}

type Attempt<Value> = { readonly value: Value } | { readonly problem: Finding };

async function attempt<Value>(work: () => Promise<Value>): Promise<Attempt<Value>> {
  try {
    return { value: await work() };
  } catch (error) {
    return { problem: findingUnlessInterrupted(error) };
  }
}

function gotten<Value>(attempted: Attempt<Value>): readonly Value[] {
  return "value" in attempted ? [attempted.value] : [];
}
