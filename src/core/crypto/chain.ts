import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { ReasonCode } from "../reasons.ts";
import { describeWindow, formatInstant, type Instant } from "../time.ts";
import {
  allowsUsage,
  type Certificate,
  describeCertificate,
  describeIssuer,
  EXTENSIONS,
  isSameCertificate,
  isSelfIssued,
  KEY_USAGE,
  mayHaveIssued,
} from "./certificate.ts";

/** What a certificate is for (RFC 5280, section 4.2.1.12). */
export const PURPOSES = {
  codeSigning: { oid: "1.3.6.1.5.5.7.3.3", name: "code signing" },
  timeStamping: { oid: "1.3.6.1.5.5.7.3.8", name: "time stamping" },
} as const;

export type Purpose = (typeof PURPOSES)[keyof typeof PURPOSES];

/** An authority of a trust root, by whose word certificates are believed in its window. */
export interface Anchor {
  /** What it is called when printing. */
  readonly name: string;
  /** From what issues to what is believed without asking, the last. */
  readonly chain: readonly Certificate[];
  /** The window of the trust root, ends included; the authority's certificates have theirs beside it. */
  readonly from: Instant;
  readonly until: Instant | undefined;
}

export interface ChainQuestion<A extends Anchor> {
  readonly leaf: Certificate;
  /** May help to find the way and are never believed by themselves. */
  readonly intermediates: readonly Certificate[];
  readonly anchors: readonly A[];
  readonly purpose: Purpose;
  /** At all of which everything has to be valid. */
  readonly times: readonly Instant[];
  /** The reason that is given where there is no way. */
  readonly code: ReasonCode;
  /** How messages call the leaf: "the signing certificate". */
  readonly what: string;
}

export interface ProvenChain<A extends Anchor> {
  /** The leaf first, what is believed last. */
  readonly path: readonly Certificate[];
  readonly anchor: A;
  /** Who signed the leaf. */
  readonly issuer: Certificate;
}

/**
 * Finds the way from a certificate to an authority (RFC 5280, section 6), shortest first: names, signatures, life at all
 * the times, CA flag and path length, key usage, purpose; names may not be constrained and nothing critical be unknown.
 *
 * An authority is believed as it is listed. What lies beside a signature may stand below the first certificate of the list
 * and never in its place: else one that an authority gave up would go on under the window of the next.
 *
 * @throws CountersignError `code`, or `limit-reached`.
 */
export function proveChain<A extends Anchor>(question: ChainQuestion<A>): ProvenChain<A> {
  checkLeaf(question);
  return new Search(question).run();
}

/**
 * Whether there may be a way at all, by names and key identifiers alone: what is of another instance altogether needs no
 * signature to be checked.
 */
export function mayLead({
  leaf,
  intermediates,
  anchors,
}: Pick<ChainQuestion<Anchor>, "leaf" | "intermediates" | "anchors">): boolean {
  const reached = [leaf];
  for (const child of reached) {
    if (anchors.some(({ chain: [first] }) => first !== undefined && mayHaveIssued(first, child))) return true;
    reached.push(...intermediates.filter((each) => !reached.includes(each) && mayHaveIssued(each, child)));
  }
  return false;
}

// --- the leaf ---------------------------------------------------------------------------------------------------------

function checkLeaf({ leaf, purpose, times, code, what }: ChainQuestion<Anchor>): void {
  const wrong =
    (leaf.isCa ? { found: "an authority's certificate", wanted: "one that only signs" } : undefined) ??
    (allowsUsage(leaf, KEY_USAGE.digitalSignature)
      ? undefined
      : { found: "a key that may not sign", wanted: "key usage digitalSignature" }) ??
    (leaf.purposes?.has(purpose.oid) === true
      ? undefined
      : { found: describePurposes(leaf), wanted: `a certificate for ${purpose.name} (${purpose.oid})` }) ??
    unknownCritical(leaf);
  if (wrong !== undefined) throw new CountersignError(code, `${what} is of a wrong kind`, wrong);
  const outside = outsideLife(leaf, times);
  if (outside !== undefined) throw new CountersignError(code, `${what} was not valid when it signed`, outside);
}

function describePurposes({ purposes }: Certificate): string {
  return purposes === undefined ? "no extended key usage" : `extended key usage ${[...purposes].join(", ")}`;
}

const UNDERSTOOD: ReadonlySet<string> = new Set([
  EXTENSIONS.keyUsage,
  EXTENSIONS.subjectAlternativeName,
  EXTENSIONS.basicConstraints,
  EXTENSIONS.extendedKeyUsage,
  // No policy is asked for, so whatever it allows will do.
  EXTENSIONS.policies,
]);

interface Wrong {
  readonly found: string;
  readonly wanted: string;
}

/** RFC 5280, section 4.2: what is critical and not understood ends it. So do constraints on names, which are not. */
function unknownCritical({ extensions }: Certificate): Wrong | undefined {
  if (extensions.has(EXTENSIONS.nameConstraints)) {
    return { found: "constraints on names, which are not understood", wanted: "an authority without them" };
  }
  for (const [oid, { critical }] of extensions) {
    if (critical && !UNDERSTOOD.has(oid)) {
      return { found: `the critical extension ${oid}`, wanted: "only critical extensions that are understood" };
    }
  }
  return undefined;
}

function outsideLife({ notBefore, notAfter }: Certificate, times: readonly Instant[]): Wrong | undefined {
  return outsideWindow("valid", notBefore, notAfter, times);
}

function outsideWindow(
  word: string,
  from: Instant,
  until: Instant | undefined,
  times: readonly Instant[],
): Wrong | undefined {
  const outside = times.find((time) => time < from || (until !== undefined && time > until));
  if (outside === undefined) return undefined;
  return { found: `the time ${formatInstant(outside)}`, wanted: `${word} ${describeWindow(from, until)}` };
}

// --- the way ----------------------------------------------------------------------------------------------------------

class Search<A extends Anchor> {
  readonly #question: ChainQuestion<A>;
  #signatures = 0;
  /** Where ways ended that names and signatures allowed: the first is told. */
  #obstacle: Wrong | undefined;

  constructor(question: ChainQuestion<A>) {
    this.#question = question;
  }

  run(): ProvenChain<A> {
    const { anchors, leaf, code, what } = this.#question;
    for (const anchor of anchors) {
      const path = this.#through(anchor);
      const [, issuer] = path ?? [];
      if (path !== undefined && issuer !== undefined) return { path, anchor, issuer };
    }
    throw new CountersignError(code, `${what} does not lead to an authority of the trust root`, {
      found: this.#obstacle?.found ?? `one by ${describeIssuer(leaf)}`,
      wanted: this.#obstacle?.wanted ?? (anchors.map(({ name }) => name).join(" or ") || "a trust root with one"),
    });
  }

  #through(anchor: A): readonly Certificate[] | undefined {
    const [first, ...above] = anchor.chain;
    const below = first && this.#below(first);
    if (first === undefined || below === undefined) return undefined;
    const path = [...below, first];
    for (const issuer of above) {
      if (!this.#leads(path, issuer)) return undefined;
      path.push(issuer);
    }
    const outside = outsideWindow("believed", anchor.from, anchor.until, this.#question.times);
    if (outside === undefined) return path;
    this.#obstacle ??= { found: outside.found, wanted: `${anchor.name}, ${outside.wanted} in the trust root` };
    return undefined;
  }

  /** From the leaf to below an authority. The shortest way there is also the one that path lengths allow most of. */
  #below(authority: Certificate): readonly Certificate[] | undefined {
    const rest = new Set(this.#question.intermediates);
    const ways: (readonly Certificate[])[] = [[this.#question.leaf]];
    for (const way of ways) {
      if (this.#leads(way, authority)) return way;
      for (const issuer of rest) {
        if (!this.#leads(way, issuer)) continue;
        rest.delete(issuer);
        ways.push([...way, issuer]);
      }
    }
    return undefined;
  }

  /** Whether the way may go on with this issuer. */
  #leads(path: readonly Certificate[], issuer: Certificate): boolean {
    const child = path.at(-1);
    if (child === undefined || !mayHaveIssued(issuer, child)) return false;
    if (path.some((each) => isSameCertificate(each, issuer)) || !this.#isSigned(child, issuer)) return false;
    const wrong = this.#wrongIssuer(path, issuer);
    this.#obstacle ??= wrong;
    return wrong === undefined;
  }

  #isSigned(child: Certificate, issuer: Certificate): boolean {
    const known = memory.get(child)?.get(issuer);
    if (known !== undefined) return known;
    this.#signatures += 1;
    if (this.#signatures > LIMITS.chainSignatures) {
      throw new CountersignError("limit-reached", "the certificates lead in too many directions", {
        found: `more than ${LIMITS.chainSignatures} signatures to check`,
        wanted: "a chain of certificates",
      });
    }
    return remember(child, issuer, child.isSignedBy(issuer));
  }

  #wrongIssuer(path: readonly Certificate[], issuer: Certificate): Wrong | undefined {
    const { purpose, times } = this.#question;
    const name = () => describeCertificate(issuer);
    const outside = outsideLife(issuer, times);
    if (outside !== undefined) return { found: outside.found, wanted: `${name()}, ${outside.wanted}` };
    if (!issuer.isCa || !allowsUsage(issuer, KEY_USAGE.certificateSigning)) {
      return { found: `${name()}, which is no authority`, wanted: "one that may sign certificates" };
    }
    const between = path.slice(1).filter((each) => !isSelfIssued(each)).length;
    if (issuer.pathLength !== undefined && between > issuer.pathLength) {
      return { found: `${between} authorities below ${name()}`, wanted: `at most ${issuer.pathLength}` };
    }
    if (issuer.purposes !== undefined && !issuer.purposes.has(purpose.oid) && !issuer.purposes.has(ANY_PURPOSE)) {
      return {
        found: `${name()}, which does not vouch for ${purpose.name}`,
        wanted: `an authority for ${purpose.name}`,
      };
    }
    return unknownCritical(issuer);
  }
}

const ANY_PURPOSE = "2.5.29.37.0";

/** Which signatures hold: those between certificates of a trust root are checked once, however many signatures come. */
const memory = new WeakMap<Certificate, WeakMap<Certificate, boolean>>();

function remember(child: Certificate, issuer: Certificate, isSigned: boolean): boolean {
  const known = memory.get(child) ?? new WeakMap<Certificate, boolean>();
  memory.set(child, known.set(issuer, isSigned));
  return isSigned;
}
