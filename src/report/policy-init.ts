import type { Digest } from "../core/oci/digest.ts";
import { printable } from "../core/printable.ts";
import { formatDocument } from "./json.ts";
import type { Style } from "./style.ts";
import { formatRows, HEADING_WIDTH } from "./text.ts";

/** A policy that was written just now. */
export interface WrittenPolicy {
  /** As the user called it. */
  readonly file: string;
  readonly digest: Digest;
  /** The JSON Schema beside it. */
  readonly schema: string | undefined;
  readonly identities: readonly string[];
}

/** docs/schemas/policy-init.json. */
export function policyInitDocument({ file, digest, schema, identities }: WrittenPolicy): string {
  return formatDocument("policy init", { policy: file, digest, schema: schema ?? null, identities });
}

export function policyInitText({ file, schema, identities }: WrittenPolicy, style: Style): string {
  const heading = `${style.accepted("written".padEnd(HEADING_WIDTH))}${printable(file)}`;
  const rows = [
    ["trusts", identities.join(", ")] as const,
    ...(schema === undefined ? [] : [["schema", `${schema}, by which editors complete it`] as const]),
    ["next", `countersign policy check ${file}, then countersign verify --policy ${file} IMAGE`] as const,
  ];
  return `${heading}\n${formatRows(rows, style)}`;
}
