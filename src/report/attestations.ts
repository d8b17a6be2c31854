import { encodeBase64 } from "../core/bytes.ts";
import { explainFinding, formatName, originName } from "../core/explain.ts";
import { describeType } from "../core/formats/predicates.ts";
import { printable } from "../core/printable.ts";
import type { AttestationListing, FoundAttestation } from "../core/results.ts";
import { describeMaker, describeTime, descriptionMember } from "./inspect.ts";
import { findingMember, formatDocument } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatBlock, type Row } from "./text.ts";

const CAVEAT =
  "Nothing here was verified: whoever may write to the repository can store it. countersign verify --type does.";

/** Who claims to have attested what; what they say is in the JSON. */
export function attestationsText(listing: AttestationListing, style: Style = PLAIN): string {
  const { attestations, problems } = listing;
  const rows = [
    ...(attestations.length + problems.length === 0 ? [["attestations", "none of this type"] as const] : []),
    ...attestations.map((found): Row => ["attestation", attestationLine(found, listing)]),
    ...problems.map((finding): Row => ["problem", explainFinding(finding)]),
  ];
  return `${formatBlock(style.heading(printable(listing.name)), rows, style)}\n${style.label(CAVEAT)}\n`;
}

function attestationLine({ beside, origin, description }: FoundAttestation, listing: AttestationListing): string {
  const { format, predicateType = "", subjects = [] } = description;
  return [
    describeType(predicateType),
    describeMaker(description),
    ...describeTime(description),
    ...(beside === listing.digest ? [] : [`of ${beside}`]),
    ...(subjects.includes(beside) ? [] : ["about something else"]),
    `${formatName(format)} from ${originName(origin)}`,
  ].join(", ");
}

/** docs/schemas/attestations.json. */
export function attestationsDocument({ image, name, digest, attestations, problems }: AttestationListing): string {
  return formatDocument("inspect", {
    image,
    name,
    digest,
    verified: false,
    incomplete: problems.length > 0,
    attestations: attestations.map(attestationMember),
    problems: problems.map(findingMember),
  });
}

function attestationMember({ beside, origin, description, statement, envelope }: FoundAttestation): object {
  const { payloadType, payload, signature } = envelope;
  return {
    beside,
    origin,
    ...descriptionMember(description),
    statement,
    envelope: { payloadType, payload: encodeBase64(payload), signatures: [{ sig: encodeBase64(signature) }] },
  };
}
