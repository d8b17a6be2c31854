import type { Finding } from "../errors.ts";
import { SIGNATURE_PREDICATE } from "../formats/envelope.ts";
import { isOfType, typeNames } from "../formats/predicates.ts";
import { type Place, placeName } from "../policy/document.ts";
import type { Assessment, SignedStatement } from "../policy/vulnerabilities.ts";
import { checkBinding, describeSignedTag } from "../tags/signed-tag-words.ts";
import type { Instant } from "../time.ts";
import { weigh } from "./conclude.ts";
import type { BindingLeaf, EvidenceLeaf, Leaf, VulnerabilitiesLeaf } from "./criterion.ts";
import type { Subject } from "./evidence.ts";
import { examineExhibit } from "./examine.ts";
import type { Exhibit } from "./exhibit.ts";
import { isUnseen, nearestFirst } from "./findings.ts";
import { signerId } from "./persons.ts";
import { describeWanted } from "./prove-signer.ts";
import type { Requirement } from "./requirement.ts";
import { describeSignedBy, type SignatureReport, type VerdictStatus } from "./verdict.ts";

/** What the evidence so far comes to for one leaf. */
export interface LeafResult {
  readonly status: VerdictStatus;
  /** Nearest to acceptance first; empty exactly when accepted. */
  readonly reasons: readonly Finding[];
  /** Everybody who met it by themselves: who they count as, and that in words. */
  readonly signers: ReadonlyMap<string, string>;
  /** What could not be looked at: somebody else may have met it too. */
  readonly unseen: readonly Finding[];
  /** What to look at though it is met. */
  readonly warnings: readonly Finding[];
}

/** A leaf, and what became of every exhibit before it. */
export interface HeardLeaf {
  readonly leaf: Leaf;
  examine(exhibit: Exhibit): void;
  /** One for each exhibit that was examined, in their order; undefined of a leaf that no exhibit is about. */
  reports(): readonly SignatureReport[] | undefined;
  weigh(exhibits: readonly Exhibit[], obstacles: readonly Finding[]): LeafResult;
}

export function hearLeaf(leaf: Leaf, subject: Subject, now: Instant): HeardLeaf {
  switch (leaf.kind) {
    case "evidence":
      return new HeardEvidence(leaf, subject);
    case "vulnerabilities":
      return new HeardScans(leaf, subject, now);
    case "binding":
      return new HeardBinding(leaf, subject, now);
  }
}

/** Whether a requirement is about statements of a kind at all: others are no attempt at it. */
function isAbout({ attestation }: Requirement, kind: string): boolean {
  if (attestation === undefined) return kind === SIGNATURE_PREDICATE;
  return attestation.predicateTypes.some((type) => isOfType(kind, type));
}

/** Without those that turned out to be something else, and good for it: they are not why this is not met. */
function attemptsAt(
  requirement: Requirement,
  reports: readonly SignatureReport[],
  exhibits: readonly Exhibit[],
): readonly SignatureReport[] {
  return reports.filter(({ accepted }, at) => {
    const kind = exhibits[at]?.kind;
    return accepted || kind === undefined || isAbout(requirement, kind);
  });
}

/** Findings as they are about this place of a policy; what could not be looked at is about none. */
function placed(findings: readonly Finding[], place: Place | undefined): readonly Finding[] {
  if (place === undefined) return findings;
  const name = placeName(place);
  return findings.map((finding) => (isUnseen(finding) ? finding : { ...finding, place: name }));
}

// --- signatures and attestations --------------------------------------------------------------------------------------

class HeardEvidence implements HeardLeaf {
  readonly leaf: EvidenceLeaf;
  readonly #subject: Subject;
  readonly #reports: SignatureReport[] = [];

  constructor(leaf: EvidenceLeaf, subject: Subject) {
    this.leaf = leaf;
    this.#subject = subject;
  }

  examine(exhibit: Exhibit): void {
    this.#reports.push(examineExhibit(exhibit, this.#subject, this.leaf.requirement));
  }

  reports(): readonly SignatureReport[] {
    return this.#reports;
  }

  weigh(exhibits: readonly Exhibit[], obstacles: readonly Finding[]): LeafResult {
    const { requirement, place } = this.leaf;
    const attempts = attemptsAt(requirement, this.#reports, exhibits);
    const { status, reasons, signers } = weigh(attempts, obstacles, requirement);
    const unseen = [...obstacles, ...findingsOf(attempts)].filter(isUnseen);
    return { status, reasons: placed(reasons, place), signers, unseen, warnings: [] };
  }
}

// --- the signed tag ---------------------------------------------------------------------------------------------------

/** What was proven before the image was there to be looked at. */
class HeardBinding implements HeardLeaf {
  readonly leaf: BindingLeaf;
  readonly #result: LeafResult;

  constructor(leaf: BindingLeaf, { signedTag }: Subject, now: Instant) {
    this.leaf = leaf;
    const finding = checkBinding(signedTag, leaf.maxAge, now);
    const unmet = finding === undefined ? [] : placed([finding], leaf.place);
    this.#result = {
      status: finding === undefined ? "accepted" : isUnseen(finding) ? "undetermined" : "refused",
      reasons: unmet,
      signers: new Map(typeof signedTag === "object" ? [["signed tag", describeSignedTag(signedTag)]] : []),
      unseen: unmet.filter(isUnseen),
      warnings: [],
    };
  }

  examine(): void {}

  reports(): undefined {
    return undefined;
  }

  weigh(): LeafResult {
    return this.#result;
  }
}

// --- scans ------------------------------------------------------------------------------------------------------------

/** Any acceptable scan will do: who could hide a bad one by removing it could do so anyway. */
class HeardScans implements HeardLeaf {
  readonly leaf: VulnerabilitiesLeaf;
  readonly #subject: Subject;
  readonly #now: Instant;
  readonly #scans: SignatureReport[] = [];
  readonly #vex: SignatureReport[] = [];
  /** By the place in `#scans`; as long as no other VEX statement comes in. */
  #assessments = new Map<number, Assessment>();
  #vexHeard = 0;

  constructor(leaf: VulnerabilitiesLeaf, subject: Subject, now: Instant) {
    this.leaf = leaf;
    this.#subject = subject;
    this.#now = now;
  }

  examine(exhibit: Exhibit): void {
    const { scan, vex } = this.leaf;
    this.#scans.push(examineExhibit(exhibit, this.#subject, scan));
    if (vex !== undefined) this.#vex.push(examineExhibit(exhibit, this.#subject, vex));
  }

  reports(): readonly SignatureReport[] {
    this.#assess();
    return this.#scans.map((report, at) => {
      const assessment = this.#assessments.get(at);
      if (assessment?.acceptable === false) return { ...report, accepted: false, finding: assessment.finding };
      const vex = this.#vex[at];
      return report.accepted || vex?.accepted !== true ? report : vex;
    });
  }

  weigh(exhibits: readonly Exhibit[], obstacles: readonly Finding[]): LeafResult {
    const { scan, place } = this.leaf;
    this.#assess();
    const good = this.#assessed().filter(({ assessment }) => assessment.acceptable);
    const signers = new Map(good.flatMap(({ report }) => signerEntry(report)));
    const attempts = attemptsAt(scan, this.#scans, exhibits);
    const findings = [...obstacles, ...findingsOf(attempts), ...this.#refusals()];
    const unseen = nearestFirst([...findings, ...findingsOf(this.#vex)].filter(isUnseen));
    if (signers.size > 0) {
      return { status: "accepted", reasons: [], signers, unseen, warnings: placed(this.#warnings(), place) };
    }
    if (unseen.length > 0) return { status: "undetermined", reasons: unseen, signers, unseen, warnings: [] };
    const absent = this.#assessments.size > 0 ? [] : [unscanned(scan)];
    const reasons = placed(nearestFirst([...findings, ...absent]), place);
    return { status: "refused", reasons, signers, unseen, warnings: [] };
  }

  #assess(): void {
    const { assess, demands } = this.leaf;
    const vex = this.#vex.flatMap(statementOf);
    if (vex.length !== this.#vexHeard) this.#assessments = new Map();
    this.#vexHeard = vex.length;
    for (const [at, report] of this.#scans.entries()) {
      const [scan] = this.#assessments.has(at) ? [] : statementOf(report);
      if (scan === undefined) continue;
      this.#assessments.set(at, assess(scan, vex, demands, this.#subject.descriptor.digest, this.#now));
    }
  }

  #assessed(): readonly { readonly assessment: Assessment; readonly report: SignatureReport }[] {
    return [...this.#assessments].flatMap(([at, assessment]) => {
      const report = this.#scans[at];
      return report === undefined ? [] : [{ assessment, report }];
    });
  }

  #refusals(): readonly Finding[] {
    return this.#assessed().flatMap(({ assessment }) => (assessment.acceptable ? [] : [assessment.finding]));
  }

  /** What an acceptable scan has that somebody answers for, and the newer ones that are not acceptable. */
  #warnings(): readonly Finding[] {
    const assessments = this.#assessed().map(({ assessment }) => assessment);
    const good = assessments.filter((each) => each.acceptable);
    const newest = Math.max(...good.map(({ scannedAt }) => scannedAt));
    const newer = assessments.flatMap((each) =>
      !each.acceptable && (each.scannedAt ?? Number.NEGATIVE_INFINITY) > newest ? [each.finding] : [],
    );
    const told = good.filter(({ scannedAt }) => scannedAt === newest).flatMap(({ warnings }) => warnings);
    return [...nearestFirst(newer.map(besideNewer)), ...nearestFirst(told)];
  }
}

function besideNewer(finding: Finding): Finding {
  return { ...finding, message: `a newer scan than the one that counts: ${finding.message}` };
}

function findingsOf(reports: readonly SignatureReport[]): readonly Finding[] {
  return reports.flatMap(({ finding }) => (finding === undefined ? [] : [finding]));
}

function signerEntry({ signedBy }: SignatureReport): readonly (readonly [id: string, words: string])[] {
  return signedBy === undefined ? [] : [[signerId(signedBy), describeSignedBy(signedBy)]];
}

function statementOf({ accepted, predicateType, statement, signedBy, proof }: SignatureReport): SignedStatement[] {
  if (!accepted || predicateType === undefined || statement === undefined || signedBy === undefined) return [];
  return [{ predicateType, statement, signer: describeSignedBy(signedBy), signedAt: proof?.signedAt }];
}

function unscanned(scan: Requirement): Finding {
  return {
    code: "unscanned",
    message: "nobody who is believed has scanned the image",
    found: "no such scan",
    wanted: `a signed scan (${typeNames(scan.attestation?.predicateTypes ?? [])}) by ${describeWanted(scan)}`,
  };
}
