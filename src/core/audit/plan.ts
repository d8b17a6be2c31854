import { compareTexts, encodeUtf8 } from "../bytes.ts";
import { CountersignError, type Finding, toFinding } from "../errors.ts";
import { nextStep } from "../explain.ts";
import { wellFormedJson } from "../json.ts";
import { type Digest, digestOf } from "../oci/digest.ts";
import { parseLocation } from "../oci/location.ts";
import { formatReference, type Reference } from "../oci/reference.ts";
import type { Mention, Reading, SourcePlace, SourceProblem } from "../sources/mention.ts";
import type { Instant } from "../time.ts";
import type { AuditPlan, Use } from "./audit.ts";

/** A plan before it has a digest. */
export type PlanContent = Omit<AuditPlan, "digest">;

/**
 * What an audit looks at: every reference that is mentioned, once, with all the places that mention it. The same mentions
 * give the same plan in whatever order they come. A mention that is no reference becomes a problem of the place it stands at.
 */
export function makePlan(sources: readonly string[], reading: Reading, at: Instant): AuditPlan {
  const merged = new Map<string, { readonly reference: Reference; readonly uses: Use[] }>();
  const problems = [...reading.problems];
  for (const mention of reading.mentions) {
    const reference = referenceOf(mention);
    if ("code" in reference) {
      problems.push({ place: mention.place, finding: reference });
      continue;
    }
    const image = formatReference(reference);
    const item = merged.get(image) ?? { reference, uses: [] };
    item.uses.push(useOf(mention));
    merged.set(image, item);
  }
  const sorted = [...merged.values()].toSorted((a, b) => compareReferences(a.reference, b.reference));
  return sealPlan({
    at,
    sources: [...new Set(sources)].toSorted(compareTexts),
    items: sorted.map(({ reference, uses }) => ({
      image: formatReference(reference),
      uses: distinct(uses, compareUses),
    })),
    problems: distinct(problems, compareProblems),
  });
}

/** The plan with its digest. */
export function sealPlan({ at, sources, items, problems }: PlanContent): AuditPlan {
  const digest = digestOf(encodeUtf8(canonical([at, sources, canonicalItems({ items, problems })])));
  return { at, sources, items, problems, digest };
}

/** The same plan as of another time: of a run that is taken up again. */
export function planAt(plan: AuditPlan, at: Instant): AuditPlan {
  return sealPlan({ ...plan, at });
}

/** What is looked at, and where it stands: the same for two plans that differ in nothing but their time. */
export function digestOfItems(plan: Pick<AuditPlan, "items" | "problems">): Digest {
  return digestOf(encodeUtf8(canonical(canonicalItems(plan))));
}

// --- mentions ---------------------------------------------------------------------------------------------------------

/** Normalised; or why there is nothing that could be looked at. */
function referenceOf({ image }: Mention): Reference | Finding {
  try {
    const location = parseLocation(image);
    if (location.kind === "registry") return location.reference;
    return {
      code: "source-invalid",
      message: "an image that is on one machine alone is not audited",
      found: image,
      wanted: "[registry/]repository[:tag][@digest]",
    };
  } catch (error) {
    if (!(error instanceof CountersignError)) throw error;
    const { message, found, wanted } = toFinding(error);
    return { code: "source-invalid", message, found, wanted };
  }
}

function useOf({ image, kind, place, workload }: Mention): Use {
  return { as: image, kind, place, ...(workload !== undefined && { workload }) };
}

// --- one order, the same on every machine -----------------------------------------------------------------------------

/** The order of a plan. */
export function compareReferences(a: Reference, b: Reference): number {
  return (
    compareTexts(a.registry, b.registry) ||
    compareTexts(a.repository, b.repository) ||
    compareTexts(a.tag, b.tag) ||
    compareTexts(a.digest, b.digest)
  );
}

function compareUses(a: Use, b: Use): number {
  return comparePlaces(a.place, b.place) || compareTexts(canonicalUse(a), canonicalUse(b));
}

function compareProblems(a: SourceProblem, b: SourceProblem): number {
  return comparePlaces(a.place, b.place) || compareTexts(canonicalProblem(a), canonicalProblem(b));
}

/** The whole of a file before any line of it. */
function comparePlaces(a: SourcePlace, b: SourcePlace): number {
  return compareTexts(a.source, b.source) || (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0);
}

/** Sorted, each once: a file that two sources name is read twice and says nothing new the second time. */
function distinct<Item>(items: readonly Item[], compare: (a: Item, b: Item) => number): readonly Item[] {
  return items.toSorted(compare).filter((item, at, all) => {
    const before = all[at - 1];
    return before === undefined || compare(before, item) !== 0;
  });
}

// --- canonical bytes --------------------------------------------------------------------------------------------------

function canonicalItems({ items, problems }: Pick<AuditPlan, "items" | "problems">): readonly unknown[] {
  return [items.map(({ image, uses }) => [image, uses.map(canonicalUse)]), problems.map(canonicalProblem)];
}

function canonicalUse({ as, kind, place, workload }: Use): string {
  const runs = workload && [workload.kind, workload.namespace, workload.name, workload.container, workload.owner];
  return canonical([as, kind, ...placeValues(place), runs]);
}

function canonicalProblem({ place, finding }: SourceProblem): string {
  const { code, message, found, wanted } = finding;
  return canonical([...placeValues(place), code, message, found, wanted, nextStep(finding), finding.place]);
}

function placeValues({ source, line, column }: SourcePlace): readonly unknown[] {
  return [source, line, column];
}

/** In an array, JSON writes what is undefined as null: every value keeps its place. Half characters do not survive a file. */
function canonical(values: readonly unknown[]): string {
  return wellFormedJson(values);
}
