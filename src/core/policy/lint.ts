import type { PublicKey } from "../crypto/public-key.ts";
import { isPublishedKey } from "../crypto/published.ts";
import type { Instant } from "../time.ts";
import type { Identity, Place, PolicyDocument, PolicyRequirement } from "./document.ts";
import { LINTS, type LintCode, type LintSeverity } from "./lint-codes.ts";
import { lintImages } from "./lint-images.ts";
import { lintPattern } from "./lint-patterns.ts";
import { BUILT_IN_TRUST } from "./parse-identities.ts";
import { mostMet, namesIn, Persons, wantedOf } from "./persons.ts";

/** Something to look at in a policy that can be used. */
export interface LintFinding {
  readonly code: LintCode;
  readonly severity: LintSeverity;
  /** What it is about, in one line. */
  readonly message: string;
  readonly next: string;
  readonly place: Place;
}

export interface LintOptions {
  readonly now: Instant;
  /** The keys of identities by name, where they were read. */
  readonly keys?: ReadonlyMap<string, readonly Pick<PublicKey, "fingerprint">[]> | undefined;
  /** The trust instances that this machine knows, where that was found out. */
  readonly instances?: readonly string[] | undefined;
}

/** Notes what was found. */
export type Report = (code: LintCode, place: Place, message: string) => void;

/** What to look at, in the order of the file. */
export function lintPolicy(document: PolicyDocument, options: LintOptions): readonly LintFinding[] {
  const findings: LintFinding[] = [];
  const report: Report = (code, place, message) => {
    const { severity, next } = LINTS[code];
    findings.push({ code, severity, message, next, place });
  };
  for (const identity of document.identities.values()) lintIdentity(identity, document, options, report);
  lintUse(document, report);
  for (const { source, maxAge, place } of document.withdrawn) {
    const name = source.kind === "file" ? source.path : source.reference;
    if (maxAge === undefined) report("list-ageless", place, `the list ${name} may be of any age`);
  }
  lintImages(document, report);
  const persons = new Persons(document.identities, document.roles, options.keys);
  for (const rule of document.rules) {
    if (rule.mode === "warn") report("warn-mode", rule.place, `${rule.name ?? rule.images[0]?.text} only warns`);
    for (const exception of rule.exceptions) lintException(exception, "the exception", options.now, report);
    lintRequirement(rule.require, { document, persons, now: options.now, report });
  }
  if (document.rules.length === 0) {
    report("no-rules", { label: document.label, line: 1, column: 1 }, "the policy has no rule");
  }
  return findings.toSorted((a, b) => a.place.line - b.place.line || a.place.column - b.place.column);
}

// --- identities -------------------------------------------------------------------------------------------------------

function lintIdentity(identity: Identity, document: PolicyDocument, options: LintOptions, report: Report): void {
  const { name, place, trust } = identity;
  if (options.keys?.get(name)?.some(isPublishedKey) === true) {
    report("key-published", place, `a key of ${name} is published as an example`);
  }
  const source = trust === undefined ? undefined : document.trust.get(trust)?.source;
  const instance = source?.kind === "instance" ? source.instance : source === undefined ? trust : undefined;
  const known = [...BUILT_IN_TRUST, ...(options.instances ?? [])];
  if (instance !== undefined && options.instances !== undefined && !known.includes(instance)) {
    report("trust-unknown", place, `${instance}, which ${name} rests on, is not known on this machine`);
  }
  if (identity.kind === "keyless") {
    lintPattern("subject", identity.subject, identity, report);
    lintPattern("issuer", identity.issuer, identity, report);
  }
  if (identity.kind !== "keys" || trust !== undefined) return;
  for (const key of identity.keys) {
    if (key.window.from ?? key.window.until) {
      report("time-unproven", key.place, `when a key of ${name} signed is wanted, and nothing proves it`);
    }
  }
}

/** What nothing names. */
function lintUse(document: PolicyDocument, report: Report): void {
  const named = new Set([
    ...document.rules.flatMap(({ require }) => namesIn(require)),
    ...document.withdrawn.flatMap(({ by }) => by),
  ]);
  const members = new Set([...document.roles.values()].flatMap((role) => role.members));
  const trusts = new Set([...document.identities.values()].flatMap(({ trust }) => trust ?? []));
  for (const { name, place } of document.roles.values()) {
    if (!named.has(name)) report("unused", place, `the role ${name} is not used`);
  }
  for (const { name, place } of document.identities.values()) {
    if (!named.has(name) && !members.has(name)) report("unused", place, `the identity ${name} is not used`);
  }
  for (const { name, place } of document.trust.values()) {
    if (!trusts.has(name)) report("unused", place, `the trust ${name} is not used`);
  }
}

// --- requirements -----------------------------------------------------------------------------------------------------

interface Surroundings {
  readonly document: PolicyDocument;
  readonly persons: Persons;
  readonly now: Instant;
  readonly report: Report;
}

function lintRequirement(requirement: PolicyRequirement, around: Surroundings): void {
  const { persons, report, now } = around;
  switch (requirement.kind) {
    case "all":
    case "any":
      for (const part of requirement.of) lintRequirement(part, around);
      return;
    case "never":
    case "signedTag":
      return;
    case "threshold": {
      for (const part of requirement.of) lintRequirement(part, around);
      const wanted = requirement.of.map(wantedOf);
      const most = mostMet(wanted.map((by) => persons.of(by)));
      lintThreshold(wanted, { count: requirement.count, most, place: requirement.place }, around);
      return;
    }
    case "vulnerabilities":
      for (const exception of requirement.except) lintException(exception, exception.id, now, report);
      lintAge(requirement.vex?.maxAge, requirement.vex?.by ?? [], requirement.place, around);
      return;
    default: {
      lintAge(requirement.maxAge, requirement.by, requirement.place, around);
      const { by, threshold: count, place } = requirement;
      if (count === 1) return;
      const crowd = persons.of(by);
      const most = crowd === "any number" ? count : crowd.size;
      lintThreshold(
        by.map((name) => [name]),
        { count, most, place },
        around,
      );
    }
  }
}

interface Counted {
  readonly count: number;
  readonly most: number;
  readonly place: Place;
}

function lintThreshold(
  groups: readonly (readonly string[])[],
  { count, most, place }: Counted,
  around: Surroundings,
): void {
  const { persons, report } = around;
  if (most < count)
    report("threshold-unmeetable", place, `${count} people are wanted, and all the keys are those of ${most}`);
  const seen = new Set<string>();
  const twice = new Set<string>();
  for (const group of groups) {
    for (const person of persons.personsOf(group)) (seen.has(person) ? twice : seen).add(person);
  }
  if (twice.size > 0) report("same-person", place, `${[...twice].join(", ")}: named more than once, and counted once`);
}

/** A time that no signature of these can prove: those by a key without a trust root. */
function lintAge(maxAge: number | undefined, by: readonly string[], place: Place, around: Surroundings): void {
  if (maxAge === undefined) return;
  const { document, persons, report } = around;
  const timeless = persons.identitiesOf(by).filter((name) => {
    const identity = document.identities.get(name);
    return identity?.kind === "keys" && identity.trust === undefined;
  });
  if (timeless.length > 0) report("time-unproven", place, `maxAge: nothing proves when ${timeless.join(", ")} signed`);
}

const YEAR = 366 * 86_400_000;

function lintException(
  { expires, place }: { readonly expires: Instant; readonly place: Place },
  what: string,
  now: Instant,
  report: Report,
): void {
  if (expires <= now) report("exception-expired", place, `${what} has expired`);
  else if (expires - now > YEAR) report("exception-long", place, `${what} lasts longer than a year`);
}
