import { CountersignError } from "../core/errors.ts";
import { SIGNATURE_PREDICATE } from "../core/formats/envelope.ts";
import { makeAttestation } from "../core/formats/intoto.ts";
import type { PredicateText } from "../core/formats/predicate-file.ts";
import { isObject, type JsonObject, type JsonValue, parseJson, sameJson } from "../core/json.ts";
import { LIMITS } from "../core/limits.ts";
import type { SignedImage } from "../core/results.ts";
import type { SignatureReport } from "../core/verify/verdict.ts";
import { mapConcurrently } from "./concurrency.ts";
import { prepareAttestation, prepareStatement } from "./prepare-signature.ts";
import { DEFAULT_WORKERS, type SigningOptions, type SigningWork, signTarget } from "./sign.ts";
import type { Target } from "./verify.ts";

export interface AttestOptions extends SigningOptions {
  /** At least one; each is looked for and written on its own. */
  readonly formats: readonly ("bundle" | "cosign-attestation")[];
  readonly predicateType: string;
  readonly predicate: PredicateText;
}

/** Attests many images, each whatever becomes of the others, in the order they were given. */
export async function attestImages(targets: readonly Target[], options: AttestOptions): Promise<SignedImage[]> {
  return mapConcurrently(targets, options.maxWorkers ?? DEFAULT_WORKERS, (target) => attestImage(target, options));
}

/**
 * Says something of one image: a statement about its digest, signed and stored beside it. The same statement by the same
 * signer is not made twice. Statements add up; none takes the place of another, since what was signed stays true to
 * whoever kept it.
 *
 * @throws CountersignError `usage`, `interrupted`, `key-published`.
 */
export async function attestImage(target: Target, options: AttestOptions): Promise<SignedImage> {
  const { formats, predicateType, annotations, createdAt } = options;
  if (predicateType === SIGNATURE_PREDICATE) throw notAnAttestation();
  const work: SigningWork = {
    formats,
    attestation: { predicateTypes: [{ uri: predicateType, hasVersions: false }], conditions: [] },
    isSame: sameAs(options.predicate),
    prepare: async (format, { descriptor, ...subject }, signing) => {
      const { digest } = descriptor;
      const { repository } = subject;
      const predicate = options.predicate.json;
      const statement = makeAttestation({ digest, repository, annotations, predicateType, predicate });
      if (statement.byteLength > LIMITS.statementBytes) throw tooLarge(statement);
      const signed = { statement, predicateType };
      return format === "bundle"
        ? await prepareStatement({ descriptor, ...subject }, signing, signed, createdAt)
        : await prepareAttestation({ descriptor, ...subject }, signing, signed);
    },
  };
  return await signTarget(target, options, work);
}

function notAnAttestation(): CountersignError {
  return new CountersignError("usage", "this type of statement is the image's own signature", {
    found: SIGNATURE_PREDICATE,
    next: "sign the image with countersign sign",
  });
}

function tooLarge(statement: Uint8Array): CountersignError {
  return new CountersignError("limit-reached", "the statement is too large to be attested", {
    found: `${statement.byteLength} bytes`,
    wanted: `at most ${LIMITS.statementBytes} bytes`,
    next: "attest a smaller document, or one that names the large one by its digest",
  });
}

const READING = { what: "the predicate", code: "usage", maxBytes: LIMITS.signatureBytes } as const;

/** Whether a statement says what this predicate says. The time around a wrapped text is when it was said. */
function sameAs({ json, isWrapped }: PredicateText): (found: SignatureReport) => boolean {
  const wanted = parseJson(json, READING);
  const essence = (value: JsonValue | undefined): JsonValue | undefined =>
    isWrapped && isObject(value) ? withoutTime(value) : value;
  return ({ statement }) => sameJson(essence(statement?.["predicate"]), essence(wanted));
}

function withoutTime({ Timestamp: _, ...others }: JsonObject): JsonObject {
  return others;
}
