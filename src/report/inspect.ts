import { encodeHex } from "../core/bytes.ts";
import { explainFinding, formatName, shortFingerprint } from "../core/explain.ts";
import { SIGNATURE_PREDICATE } from "../core/formats/envelope.ts";
import { describeType } from "../core/formats/predicates.ts";
import type { Digest } from "../core/oci/digest.ts";
import { printable } from "../core/printable.ts";
import type { InspectedNode, Inspection, UntrustedDescription } from "../core/results.ts";
import { describeSignedTag } from "../core/tags/signed-tag-words.ts";
import { formatInstant } from "../core/time.ts";
import type { ClaimedMaterial } from "../core/trust/claimed-material.ts";
import { describeIdentity } from "../core/trust/identity-mismatch.ts";
import { plural } from "./amounts.ts";
import { findingMember, formatDocument, signedTagMember } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";

const CAVEAT =
  "Nothing here was verified: a signature claims its key. Yours, in the same form: countersign key inspect FILE.";
const KEYLESS_CAVEAT = "Identities, log entries and times are claims too: countersign verify proves them, or refuses.";
const INCOMPLETE = "Something could not be looked at: what is missing here is unknown, not absent.";

/** The tree, one line for each manifest and each signature in it. */
export function inspectionText(inspection: Inspection, style: Style = PLAIN): string {
  const lines = [
    style.heading(printable(inspection.name)),
    ...signedTagLines(inspection, style),
    ...below(inspection.root, "", style),
    "",
    ...(inspection.incomplete ? [style.undetermined(INCOMPLETE)] : []),
    style.label(inspection.signedTag === undefined ? CAVEAT : CAVEAT.replace("Nothing here", "Nothing in the tree")),
    ...(claimsMore(inspection.root) ? [style.label(KEYLESS_CAVEAT)] : []),
  ];
  return `${lines.join("\n")}\n`;
}

/** Proven, other than what follows: what the publisher signed, and whether the tree is of that. */
function signedTagLines({ signedTag, root }: Inspection, style: Style): readonly string[] {
  if (signedTag === undefined) return [];
  if ("code" in signedTag) return [style.refused(printable(`signed tag: ${explainFinding(signedTag)}`))];
  const { binding, freshUntil } = signedTag;
  const line = `signed tag: ${describeSignedTag(signedTag)}, current until ${formatInstant(freshUntil)}`;
  if (binding.digest === root.digest) return [style.accepted(printable(line))];
  return [style.undetermined(printable(`${line}, for another image: ${binding.digest}`))];
}

function claimsMore({ signatures, attached, manifests }: InspectedNode): boolean {
  return signatures.some(({ claimed }) => claimed !== undefined) || [...attached, ...manifests].some(claimsMore);
}

interface Branch {
  readonly line: string;
  readonly node?: InspectedNode;
}

function below(node: InspectedNode, indent: string, style: Style): readonly string[] {
  const branches: readonly Branch[] = [
    ...node.problems.map((finding) => ({ line: style.undetermined(printable(`problem: ${explainFinding(finding)}`)) })),
    ...node.signatures.map((signature) => ({ line: printable(describeSignature(signature)) })),
    ...node.attached.map((child) => ({ line: printable(describeNode(child)), node: child })),
    ...node.manifests.map((child) => ({ line: printable(describeNode(child)), node: child })),
  ];
  return branches.flatMap(({ line, node: child }, at) => {
    const last = at === branches.length - 1;
    const further = child === undefined ? [] : below(child, `${indent}${last ? "    " : "│   "}`, style);
    return [`${indent}${last ? "└── " : "├── "}${line}`, ...further];
  });
}

function describeNode(node: InspectedNode): string {
  const platform = node.platform === undefined ? "" : ` ${node.platform}`;
  const type = node.kind === "artifact" && node.artifactType !== undefined ? ` ${node.artifactType}` : "";
  const via = node.via === undefined ? "" : `, by ${VIA[node.via] ?? node.via}`;
  const created = node.created === undefined ? "" : `, dated ${node.created}`;
  return `${node.kind}${platform}${type} ${shortDigest(node.digest)}${via}${created}`;
}

/** Enough to tell two apart on one screen; the whole of it is in the JSON. The image itself is named in full. */
function shortDigest(digest: Digest): string {
  return digest.replace(/^([a-z0-9]+:[0-9a-f]{12})[0-9a-f]+$/, "$1…");
}

const VIA: Readonly<Record<string, string>> = {
  "referrers-api": "the referrers API",
  "referrers-tag": "the referrers tag",
  layout: "the layout",
  "cosign-tag": "cosign's tag",
};

/** `Sigstore bundle, claims key SHA256:1f2e…, env=prod, no log entry, no timestamp`: how, who, what, and what it lacks. */
function describeSignature(signature: UntrustedDescription): string {
  const { format, predicateType, annotations = {}, timestamps } = signature;
  const pairs = Object.entries(annotations).map(([name, value]) => `${name}=${value}`);
  return [
    formatName(format),
    describeMaker(signature),
    ...(predicateType === undefined || predicateType === SIGNATURE_PREDICATE
      ? []
      : [`type ${describeType(predicateType)}`]),
    ...(pairs.length === 0 ? [] : [`annotations ${pairs.join(" ")}`]),
    describeEntries(signature),
    timestamps === 0 ? "no timestamp" : plural(timestamps, "timestamp"),
    ...describeTime(signature),
  ].join(", ");
}

/** An attacker may have stored as many as fit: the first few are enough to look one up. */
const ENTRIES_SHOWN = 4;

function describeEntries({ logEntries, claimed }: UntrustedDescription): string {
  if (logEntries === 0) return "no log entry";
  const indexes = claimed?.logIndexes.slice(0, ENTRIES_SHOWN) ?? [];
  const more = logEntries - indexes.length;
  return `log ${logEntries === 1 ? "entry" : "entries"} ${[...indexes, ...(more > 0 ? [`${more} more`] : [])].join(" and ")}`;
}

/** The earliest of its times; where there is none, when the certificate may have been used. */
export function describeTime({ claimed }: UntrustedDescription): readonly string[] {
  const [first] = claimed?.times ?? [];
  if (first !== undefined) return [`signed at ${formatInstant(first.at)}`];
  const validity = claimed?.validity;
  return validity === undefined
    ? []
    : [`certificate from ${formatInstant(validity.from)} to ${formatInstant(validity.until)}`];
}

/** Who claims to have made it. */
export function describeMaker({ hasCertificate, keyHint, claimed }: UntrustedDescription): string {
  if (claimed?.identity !== undefined) return `claims to be by ${describeIdentity(claimed.identity)}`;
  if (claimed?.problem !== undefined) return `with an unusable certificate: ${claimed.problem.message}`;
  if (hasCertificate) return "with a certificate";
  return keyHint === undefined ? "names no key" : `claims key ${shortFingerprint(keyFingerprint(keyHint))}`;
}

/** A hint is the same hash as a fingerprint, in base64; of what is neither, the hint as it is. */
function keyFingerprint(hint: string): string {
  return /^[A-Za-z0-9+/]{43}=$/.test(hint) ? `SHA256:${encodeHex(Buffer.from(hint, "base64"))}` : hint;
}

/** docs/schemas/inspect.json. */
export function inspectionDocument(inspection: Inspection): string {
  return formatDocument("inspect", {
    image: inspection.image,
    name: inspection.name,
    digest: inspection.root.digest,
    verified: false,
    incomplete: inspection.incomplete,
    signedTag: signedTagOf(inspection),
    root: nodeMember(inspection.root),
  });
}

function signedTagOf({ signedTag }: Inspection): Readonly<Record<string, unknown>> | undefined {
  if (signedTag === undefined) return undefined;
  return "code" in signedTag ? { finding: findingMember(signedTag) } : signedTagMember(signedTag);
}

function nodeMember(node: InspectedNode): Readonly<Record<string, unknown>> {
  const { kind, digest, mediaType, size, artifactType, platform, via, tag, created, signatures } = node;
  return {
    kind,
    digest,
    mediaType,
    size,
    artifactType,
    platform,
    via,
    tag,
    created,
    signatures: signatures.map(descriptionMember),
    problems: node.problems.map(findingMember),
    attached: node.attached.map(nodeMember),
    manifests: node.manifests.map(nodeMember),
  };
}

/** The same in a document. */
export function descriptionMember({ claimed, ...signature }: UntrustedDescription): Readonly<Record<string, unknown>> {
  const { keyHint } = signature;
  const keyClaimed = keyHint === undefined ? undefined : keyFingerprint(keyHint);
  return { ...signature, keyClaimed, claimed: claimed === undefined ? undefined : claimedMember(claimed) };
}

function claimedMember({
  identity,
  problem,
  validity,
  logIndexes,
  times,
}: ClaimedMaterial): Readonly<Record<string, unknown>> {
  return {
    identity,
    problem: problem === undefined ? undefined : findingMember(problem),
    validity:
      validity === undefined ? undefined : { from: formatInstant(validity.from), until: formatInstant(validity.until) },
    logIndexes,
    times: times.map(({ by, at }) => ({ by, at: formatInstant(at) })),
  };
}
