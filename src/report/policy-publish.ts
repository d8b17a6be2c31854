import type { Digest } from "../core/oci/digest.ts";
import type { PolicyDocument } from "../core/policy/document.ts";
import { printable } from "../core/printable.ts";
import { describeSignedBy, type SignedBy } from "../core/verify/verdict.ts";
import { plural } from "./amounts.ts";
import { formatDocument } from "./json.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

/** A policy that was stored in a registry just now. */
export interface PublishedPolicy {
  /** As the user called it: `oci://registry/repository:tag`. */
  readonly place: string;
  /** `registry/repository`. */
  readonly repository: string;
  /** Of the artifact. */
  readonly digest: Digest;
  readonly document: PolicyDocument;
  /** Key files whose content is in it. */
  readonly inside: readonly string[];
  readonly signedBy: readonly SignedBy[];
}

export function publishedText(published: PublishedPolicy, style: Style = PLAIN): string {
  const { place, digest, document, inside, signedBy } = published;
  const { rules, identities } = document;
  const rows: readonly Row[] = [
    ["policy", `${plural(rules.length, "rule")}, ${identitiesText(identities.size)} (${document.digest})`],
    ...(inside.length === 0 ? [] : [["keys inside", inside.join(", ")] as const]),
    ...signedBy.map((one): Row => ["signed by", describeSignedBy(one)]),
    ["pinned", `--policy ${pinned(published)}`],
  ];
  return formatBlock(
    `${style.accepted("published".padEnd(HEADING_WIDTH))}${printable(`${place}@${digest}`)}`,
    rows,
    style,
  );
}

function identitiesText(count: number): string {
  return count === 1 ? "1 identity" : `${count} identities`;
}

/** What names exactly this policy, for ever. */
function pinned({ repository, digest }: PublishedPolicy): string {
  return `oci://${repository}@${digest}`;
}

/** docs/schemas/policy-publish.json. */
export function publishedDocument(published: PublishedPolicy): string {
  const { place, digest, document, inside, signedBy } = published;
  return formatDocument("policy publish", {
    place,
    digest,
    pinned: pinned(published),
    policy: { digest: document.digest, rules: document.rules.length, identities: document.identities.size },
    keysInside: inside,
    signedBy,
  });
}
