import { CountersignError, type Finding } from "../errors.ts";
import { readVexDocument, type VexComponent, type VexProduct, type VexStatement } from "../formats/scans/openvex.ts";
import { parsePurl, purlCovers } from "../formats/scans/purl.ts";
import { foldId, type Vulnerability } from "../formats/scans/scan.ts";
import { isObject, type JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, digestAlgorithm, digestHex } from "../oci/digest.ts";
import { formatInstant, type Instant } from "../time.ts";
import { formatDuration } from "./duration.ts";
import type { SignedStatement, VulnerabilityDemands } from "./vulnerabilities.ts";

/** What somebody who is believed says of a vulnerability of the image. */
export interface VexAnswer {
  readonly signer: string;
  readonly status: "not_affected" | "fixed";
  /** The justification. */
  readonly why: string | undefined;
  readonly at: Instant;
  /** Whose later document says otherwise. It takes nothing back: whoever can delete it could hide it as well. */
  readonly contradictedBy: string | undefined;
}

/**
 * VEX documents about one image. Within a document the latest statement holds; among documents, any that answers for a
 * vulnerability does.
 */
export class Exploitability {
  /** What is wrong with documents that are not used. */
  readonly warnings: readonly Finding[];
  readonly #documents: readonly UsableDocument[];

  /** @param subject the image that the statements are about. */
  constructor(statements: readonly SignedStatement[], demands: VulnerabilityDemands, subject: Digest, now: Instant) {
    const warnings: Finding[] = [];
    this.#documents = statements.flatMap((signed) => {
      try {
        return [new UsableDocument(signed, demands.vexMaxAge, subject, now)];
      } catch (error) {
        if (!(error instanceof CountersignError)) throw error;
        const { code, message, found, wanted } = error;
        warnings.push({ code, message: `VEX of ${signed.signer} is not used: ${message}`, found, wanted });
        return [];
      }
    });
    this.warnings = warnings;
  }

  /** Undefined where nobody answers for it. */
  answer(vulnerability: Vulnerability): VexAnswer | undefined {
    const said = this.#documents.flatMap((document) => {
      const latest = document.latest(vulnerability);
      return latest === undefined ? [] : [{ signer: document.signer, ...latest }];
    });
    const answering = said.flatMap(({ signer, status, why, at }) =>
      status === "not_affected" || status === "fixed" ? [{ signer, status, why, at }] : [],
    );
    const [first, ...others] = answering;
    if (first === undefined) return undefined;
    const newest = others.reduce((a, b) => (b.at > a.at ? b : a), first);
    const contrary = said.find(({ status, at }) => !isAnswer(status) && at > newest.at);
    return { ...newest, contradictedBy: contrary?.signer };
  }
}

function isAnswer(status: VexStatement["status"]): boolean {
  return status === "not_affected" || status === "fixed";
}

/** How sure it is that a statement is about something. One that answers has to be certain, one that does not only possible. */
type Certainty = "certain" | "possible" | "no";

interface Applicable {
  readonly status: VexStatement["status"];
  readonly why: string | undefined;
  readonly at: Instant;
}

/** A document that can be read and is not too old, with its statements by vulnerability. */
class UsableDocument {
  readonly signer: string;
  readonly #statements = new Map<string, VexStatement[]>();
  readonly #subject: Digest;
  readonly #names: ReadonlySet<string>;
  readonly #now: Instant;

  /** @throws CountersignError `scan-invalid`, `scan-old`, `limit-reached`. */
  constructor(signed: SignedStatement, maxAge: number | undefined, subject: Digest, now: Instant) {
    const { issuedAt, statements } = readVexDocument(signed.predicateType, signed.statement);
    checkAge(signed.signedAt ?? issuedAt, maxAge, now);
    this.signer = signed.signer;
    this.#subject = subject;
    this.#names = subjectNames(signed.statement, subject);
    this.#now = now;
    for (const statement of statements) {
      for (const id of new Set(statement.ids)) {
        const known = this.#statements.get(id);
        if (known === undefined) this.#statements.set(id, [statement]);
        else known.push(statement);
      }
    }
  }

  /** What holds for a vulnerability of the image; where it says several things at one time, what answers for nothing. */
  latest(vulnerability: Vulnerability): Applicable | undefined {
    const ids = [vulnerability.id, ...vulnerability.aliases].map(foldId);
    const statements = new Set(ids.flatMap((id) => this.#statements.get(id) ?? []));
    const applicable = [...statements].filter((statement) => this.#applies(statement, vulnerability));
    return applicable.reduce<VexStatement | undefined>(
      (latest, statement) => (latest === undefined || this.#supersedes(statement, latest) ? statement : latest),
      undefined,
    );
  }

  #supersedes(statement: VexStatement, other: VexStatement): boolean {
    return statement.at > other.at || (statement.at === other.at && !isAnswer(statement.status));
  }

  #applies(statement: VexStatement, vulnerability: Vulnerability): boolean {
    const certainty = this.#certainty(statement.products, vulnerability);
    if (!isAnswer(statement.status)) return certainty !== "no";
    return certainty === "certain" && statement.at <= this.#now + LIMITS.scanSkewMs;
  }

  #certainty(products: readonly VexProduct[], vulnerability: Vulnerability): Certainty {
    // OpenVEX, "Data Inheritance": without products it is about the subject of the statement that it is in.
    if (products.length === 0) return "certain";
    return most(products.map((product) => least(this.#isImage(product), isPart(product.parts, vulnerability))));
  }

  /** A digest decides. Without one, a name is the image's where the signer called the image so. */
  #isImage({ names, digests }: VexComponent): Certainty {
    if (digests.length > 0) {
      const comparable = digests.filter((digest) => digest.startsWith(`${digestAlgorithm(this.#subject)}:`));
      if (comparable.length === 0) return "possible";
      return comparable.every((digest) => digest === this.#subject) ? "certain" : "no";
    }
    return names.some((name) => this.#names.has(name) || this.#isRepository(name)) ? "certain" : "possible";
  }

  /** `pkg:oci/app?repository_url=registry.example/acme/app`: every version of what the signer named. */
  #isRepository(name: string): boolean {
    const purl = parsePurl(name);
    if (purl?.type !== "oci" || purl.version !== undefined) return false;
    return this.#names.has(purl.qualifiers.get("repository_url") ?? "") && !purl.qualifiers.has("tag");
  }
}

function checkAge(at: Instant, maxAge: number | undefined, now: Instant): void {
  if (at > now + LIMITS.scanSkewMs) {
    throw new CountersignError("scan-invalid", "it is of the future", { found: formatInstant(at) });
  }
  if (maxAge !== undefined && now - at > maxAge) {
    const wanted = `at most ${formatDuration(maxAge)} old`;
    throw new CountersignError("scan-old", "it is too old", { found: `of ${formatInstant(at)}`, wanted });
  }
}

/** What the signer calls the image: the names of the subjects that have its digest. */
function subjectNames(statement: JsonObject, subject: Digest): ReadonlySet<string> {
  const subjects = Array.isArray(statement["subject"]) ? statement["subject"] : [];
  const names = subjects.flatMap((entry) => {
    if (!isObject(entry) || !isObject(entry["digest"]) || typeof entry["name"] !== "string") return [];
    return entry["digest"][digestAlgorithm(subject)] === digestHex(subject) && entry["name"] !== ""
      ? [entry["name"]]
      : [];
  });
  return new Set(names);
}

/** Whether the vulnerable package is among the parts of a product that a statement is about. */
function isPart(parts: readonly VexComponent[], vulnerability: Vulnerability): Certainty {
  if (parts.length === 0) return "certain";
  const vulnerable = parsePurl(vulnerability.package?.purl ?? "");
  if (vulnerable === undefined) return "possible";
  const certainties = parts.flatMap(({ names }) =>
    names.map((name): Certainty => {
      const purl = parsePurl(name);
      if (purl === undefined) return "possible";
      return purlCovers(purl, vulnerable) ? "certain" : "no";
    }),
  );
  return certainties.length === 0 ? "possible" : most(certainties);
}

const CERTAINTIES: readonly Certainty[] = ["no", "possible", "certain"];

function least(a: Certainty, b: Certainty): Certainty {
  return CERTAINTIES.indexOf(a) < CERTAINTIES.indexOf(b) ? a : b;
}

function most(all: readonly Certainty[]): Certainty {
  return all.reduce((best, next) => (CERTAINTIES.indexOf(next) > CERTAINTIES.indexOf(best) ? next : best), "no");
}
