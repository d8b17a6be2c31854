import { type Finding, findingUnlessInterrupted } from "../errors.ts";
import type { PolicyDocument } from "../policy/document.ts";
import type { Instant } from "../time.ts";
import type { Everybody } from "./carried.ts";
import { Compiler, type RuleMaterial } from "./compile.ts";
import type { Believed, Exhibit } from "./exhibit.ts";

export interface KnownSigners {
  readonly everybody: Everybody;
  /** Keys and trust roots that could not be had: evidence that rests on them is not recognised. */
  readonly problems: readonly Finding[];
}

/**
 * Everybody whom a policy names anywhere; where there are certificates, everybody too for whom its trust roots and the
 * usual one vouch.
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
  const usual = exhibits.some(hasCertificate) ? [await attempt(() => material.trustFor(undefined))] : [];
  const known = signers.flatMap(gotten);
  const roots = [...known.flatMap(({ identities }) => identities), ...usual.flatMap(gotten).flat()];
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
