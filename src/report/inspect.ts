import type { Finding } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import type { Digest } from "../core/oci/digest.ts";
import { printable } from "../core/printable.ts";
import { plural } from "./amounts.ts";
import { findingMember, formatDocument } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";

/** A signature or attestation as it describes itself; nothing of it was proven. */
export interface UntrustedDescription {
  readonly format: string;
  readonly predicateType?: string | undefined;
  readonly keyHint?: string | undefined;
  readonly hasCertificate: boolean;
  readonly logEntries: number;
  readonly timestamps: number;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
  readonly subjects?: readonly Digest[] | undefined;
}

/** One manifest with what is attached to it and, for an index, what it lists. */
export interface InspectedNode {
  readonly kind: string;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly size: number;
  readonly artifactType?: string | undefined;
  readonly platform?: string | undefined;
  readonly via?: string | undefined;
  readonly tag?: string | undefined;
  readonly created?: string | undefined;
  readonly signatures: readonly UntrustedDescription[];
  readonly problems: readonly Finding[];
  readonly attached: readonly InspectedNode[];
  readonly manifests: readonly InspectedNode[];
}

export interface Inspection {
  readonly image: string;
  readonly name: string;
  readonly root: InspectedNode;
  readonly incomplete: boolean;
}

const CAVEAT = "Nothing here was verified: this is what is stored and what it says about itself.";
const INCOMPLETE = "Something could not be looked at: what is missing here is unknown, not absent.";

/** The tree, one line for each manifest and each signature in it. */
export function inspectionText(inspection: Inspection, style: Style = PLAIN): string {
  const lines = [
    style.heading(printable(inspection.name)),
    ...below(inspection.root, "", style),
    "",
    ...(inspection.incomplete ? [style.undetermined(INCOMPLETE)] : []),
    style.label(CAVEAT),
  ];
  return `${lines.join("\n")}\n`;
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
  const created = node.created === undefined ? "" : `, says it was made ${node.created}`;
  return `${node.kind}${platform}${type} ${node.digest}${via}${created}`;
}

const VIA: Readonly<Record<string, string>> = {
  "referrers-api": "the referrers API",
  "referrers-tag": "the referrers tag",
  layout: "the layout",
  "cosign-tag": "cosign's tag",
};

/** `bundle by key 3f2a…, type …, annotations env=prod`: format, who, what, and what it lacks. */
function describeSignature(signature: UntrustedDescription): string {
  const { format, predicateType, annotations = {}, logEntries, timestamps } = signature;
  const pairs = Object.entries(annotations).map(([name, value]) => `${name}=${value}`);
  return [
    `${format} ${describeMaker(signature)}`,
    ...(predicateType === undefined ? [] : [`type ${predicateType}`]),
    ...(pairs.length === 0 ? [] : [`annotations ${pairs.join(" ")}`]),
    logEntries === 0 ? "no log entry" : `${logEntries} in a log`,
    timestamps === 0 ? "no timestamp" : plural(timestamps, "timestamp"),
  ].join(", ");
}

function describeMaker({ hasCertificate, keyHint }: UntrustedDescription): string {
  if (hasCertificate) return "with a certificate";
  return keyHint === undefined ? "by a key that it does not name" : `by key ${keyHint}`;
}

/** docs/schemas/inspect.json. */
export function inspectionDocument(inspection: Inspection): string {
  return formatDocument("inspect", {
    image: inspection.image,
    name: inspection.name,
    digest: inspection.root.digest,
    verified: false,
    incomplete: inspection.incomplete,
    root: nodeMember(inspection.root),
  });
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
    signatures,
    problems: node.problems.map(findingMember),
    attached: node.attached.map(nodeMember),
    manifests: node.manifests.map(nodeMember),
  };
}
