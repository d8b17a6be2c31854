import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import type { UntrustedCandidate } from "../core/formats/envelope.ts";
import { parseCandidate, readClaim } from "../core/formats/format.ts";
import { isOfType, type PredicateType } from "../core/formats/predicates.ts";
import { LIMITS } from "../core/limits.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { AttestationListing, FoundAttestation } from "../core/results.ts";
import { Budget } from "./budget.ts";
import { gather } from "./gather.ts";
import { describeEnvelope } from "./inspect.ts";
import { resolveTarget, type Target } from "./verify.ts";

/**
 * All attestations of some types that are stored beside an image and beside every manifest of an index, with what they
 * say. Judges nothing.
 *
 * @throws CountersignError where the image cannot be looked at, and `interrupted`.
 */
export async function listAttestations(target: Target, types: readonly PredicateType[]): Promise<AttestationListing> {
  const root = await resolveTarget(target);
  const { digest } = root.descriptor;
  const entries = root.kind === "index" ? root.manifests.map((entry) => entry.digest) : [];
  const within = new Budget({ items: LIMITS.indexCandidates, bytes: LIMITS.candidateBytes });
  const attestations: FoundAttestation[] = [];
  const problems: Finding[] = [];
  for (const beside of new Set([digest, ...entries])) {
    const found = await listBeside(target, beside, types, within);
    attestations.push(...found.attestations);
    problems.push(...found.problems);
  }
  const tag = target.tag === undefined ? "" : `:${target.tag}`;
  return { image: target.image, name: `${target.store.location}${tag}@${digest}`, digest, attestations, problems };
}

async function listBeside(
  target: Target,
  beside: Digest,
  types: readonly PredicateType[],
  within: Budget,
): Promise<Pick<AttestationListing, "attestations" | "problems">> {
  const attestations: FoundAttestation[] = [];
  const problems: Finding[] = [];
  for await (const { candidates, obstacles } of gather(target.store, beside, { types, within })) {
    problems.push(...obstacles);
    for (const candidate of candidates) {
      try {
        attestations.push(...(await readAttestation(candidate, beside, types)));
      } catch (error) {
        problems.push(findingUnlessInterrupted(error));
      }
    }
  }
  return { attestations: attestations.toSorted(byPlace), problems };
}

async function readAttestation(
  candidate: UntrustedCandidate,
  beside: Digest,
  types: readonly PredicateType[],
): Promise<readonly FoundAttestation[]> {
  const envelope = parseCandidate(candidate);
  const { predicateType, statement } = readClaim(envelope);
  if (statement === undefined || !types.some((type) => isOfType(predicateType, type))) return [];
  const { payloadType, payload, signature, origin } = envelope;
  const description = await describeEnvelope(envelope);
  return [{ beside, origin, description, statement, envelope: { payloadType, payload, signature } }];
}

/** Several are read at once and come as they come. */
function byPlace(a: FoundAttestation, b: FoundAttestation): number {
  return placeOf(a) < placeOf(b) ? -1 : 1;
}

function placeOf({ origin, description }: FoundAttestation): string {
  return `${description.predicateType} ${origin.via} ${origin.manifest} ${String(origin.layer).padStart(5, "0")}`;
}
