import { CountersignError } from "../errors.ts";
import { readVexDocument, type VexComponent, type VexProduct, type VexStatement } from "../formats/scans/openvex.ts";
import { type PackageUrl, parsePurl, purlCovers } from "../formats/scans/purl.ts";
import { isObject, type JsonObject } from "../json.ts";
import { LIMITS } from "../limits.ts";
import { type Digest, digestAlgorithm, digestHex } from "../oci/digest.ts";
import { formatInstant, type Instant } from "../time.ts";
import { formatDuration } from "./duration.ts";
import type { SignedStatement } from "./vulnerabilities.ts";

/** How sure it is that a statement is about something. One that answers has to be certain, one that does not only possible. */
type Certainty = "certain" | "possible";

/** One product of one statement, where it is or may be the image. */
interface Claim {
  readonly status: VexStatement["status"];
  readonly why: string | undefined;
  readonly at: Instant;
  readonly certainty: Certainty;
  /** The names of each vulnerable part, and undefined for those that are no package URL; none where it is all of the image. */
  readonly parts: readonly (readonly (PackageUrl | undefined)[])[];
}

/** What a document says of a vulnerability. */
export type Saying = Pick<Claim, "status" | "why" | "at">;

/** The statements of a VEX document that are or may be about one image, by vulnerability. */
export class ImageVex {
  readonly signer: string;
  readonly #claims = new Map<string, Claim[]>();
  readonly #now: Instant;

  /**
   * @param maxAge milliseconds since it was signed, or since it says that it was issued.
   * @throws CountersignError `scan-invalid`, `scan-old`, `limit-reached`: it is not used.
   */
  constructor(signed: SignedStatement, maxAge: number | undefined, subject: Digest, now: Instant) {
    const { issuedAt, statements } = readVexDocument(signed.predicateType, signed.statement);
    checkAge(signed.signedAt ?? issuedAt, maxAge, now);
    this.signer = signed.signer;
    this.#now = now;
    const image = new Image(subject, signed.statement);
    for (const statement of statements) this.#add(statement, claimsOf(statement, image));
  }

  #add({ ids }: VexStatement, claims: readonly Claim[]): void {
    for (const id of new Set(ids)) {
      const known = this.#claims.get(id) ?? [];
      for (const claim of claims) known.push(claim);
      this.#claims.set(id, known);
      const size = known.reduce((sum, { parts }) => sum + 1 + parts.length, 0);
      if (size > LIMITS.vexClaims) {
        throw new CountersignError("limit-reached", "it says too much of one vulnerability in one image", {
          found: `${size} products and parts`,
          wanted: `at most ${LIMITS.vexClaims}`,
        });
      }
    }
  }

  /**
   * The latest that it says of a vulnerability; where it says several things of one time, what answers for nothing.
   *
   * @param ids its names, folded.
   * @param vulnerable the package that it is in.
   */
  latest(ids: readonly string[], vulnerable: PackageUrl | undefined): Saying | undefined {
    const claims = ids.flatMap((id) => this.#claims.get(id) ?? []);
    return claims
      .filter((claim) => this.#applies(claim, vulnerable))
      .reduce<Claim | undefined>(
        (latest, claim) => (latest === undefined || supersedes(claim, latest) ? claim : latest),
        undefined,
      );
  }

  #applies({ status, at, certainty, parts }: Claim, vulnerable: PackageUrl | undefined): boolean {
    const part = parts.length === 0 ? "certain" : partOf(parts, vulnerable);
    if (!isAnswer(status)) return part !== undefined;
    return certainty === "certain" && part === "certain" && at <= this.#now + LIMITS.scanSkewMs;
  }
}

export function isAnswer(status: VexStatement["status"]): status is "not_affected" | "fixed" {
  return status === "not_affected" || status === "fixed";
}

function supersedes(claim: Claim, other: Claim): boolean {
  return claim.at > other.at || (claim.at === other.at && !isAnswer(claim.status));
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

function claimsOf({ status, why, at, products }: VexStatement, image: Image): readonly Claim[] {
  // OpenVEX, "Data Inheritance": without products it is about the subject of the statement that it is in.
  if (products.length === 0) return [{ status, why, at, certainty: "certain", parts: [] }];
  return products.flatMap((product) => {
    const certainty = image.is(product);
    return certainty === undefined ? [] : [{ status, why, at, certainty, parts: partsOf(product) }];
  });
}

function partsOf({ parts }: VexProduct): Claim["parts"] {
  return parts.map(({ names }) => names.map(parsePurl));
}

/** Whether the vulnerable package is one of the parts; undefined where it is none of them. */
function partOf(parts: Claim["parts"], vulnerable: PackageUrl | undefined): Certainty | undefined {
  if (vulnerable === undefined) return "possible";
  const names = parts.flat();
  if (names.some((name) => name !== undefined && purlCovers(name, vulnerable))) return "certain";
  const isNamed = parts.every((part) => part.length > 0 && !part.includes(undefined));
  return isNamed ? undefined : "possible";
}

/** The image that is judged, as whoever signed a statement about it calls it. */
class Image {
  readonly #digest: Digest;
  /** The names of the subjects that have its digest. */
  readonly #names: ReadonlySet<string>;

  constructor(digest: Digest, statement: JsonObject) {
    this.#digest = digest;
    const subjects = Array.isArray(statement["subject"]) ? statement["subject"].filter(isObject) : [];
    const own = subjects.filter(
      ({ digest: hashes }) => isObject(hashes) && hashes[digestAlgorithm(digest)] === digestHex(digest),
    );
    this.#names = new Set(own.flatMap(({ name }) => (typeof name === "string" && name !== "" ? [name] : [])));
  }

  /** A digest decides. Without one, a name is the image's where the signer called the image so. Undefined: another image. */
  is({ names, digests }: VexComponent): Certainty | undefined {
    if (digests.length > 0) {
      const comparable = digests.filter((digest) => digest.startsWith(`${digestAlgorithm(this.#digest)}:`));
      if (comparable.length === 0) return "possible";
      return comparable.every((digest) => digest === this.#digest) ? "certain" : undefined;
    }
    return names.some((name) => this.#names.has(name) || this.#isRepository(name)) ? "certain" : "possible";
  }

  /** `pkg:oci/app?repository_url=registry.example/acme/app`: every version of what the signer named. */
  #isRepository(name: string): boolean {
    const purl = parsePurl(name);
    if (purl?.type !== "oci" || purl.version !== undefined || purl.qualifiers.has("tag")) return false;
    return this.#names.has(purl.qualifiers.get("repository_url") ?? "");
  }
}
