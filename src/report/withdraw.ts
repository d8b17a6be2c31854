import type { Digest } from "../core/oci/digest.ts";
import type { Withdrawn, WithdrawnDigest } from "../core/policy/withdrawn.ts";
import { printable } from "../core/printable.ts";
import { formatInstant } from "../core/time.ts";
import type { SignatureProof } from "../core/trust/material.ts";
import { describeSignedBy, type SignedBy } from "../core/verify/verdict.ts";
import { plural } from "./amounts.ts";
import { formatDocument, proofMember } from "./json.ts";
import { describeProof } from "./sign.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

/** A list of withdrawn digests that was issued just now. */
export interface WithdrawResult {
  /** As the user called it. */
  readonly file: string;
  readonly bundleFile: string;
  /** Of the file. */
  readonly digest: Digest;
  readonly list: Withdrawn;
  readonly added: readonly WithdrawnDigest[];
  /** What was to be added and was on it already: its reason stays what it was. */
  readonly known: readonly WithdrawnDigest[];
  readonly signedBy?: SignedBy | undefined;
  readonly proof?: SignatureProof | undefined;
  /** Where it was stored too, and the artifact's digest. */
  readonly pushed?: { readonly place: string; readonly digest: Digest } | undefined;
}

export function withdrawText(result: WithdrawResult, style: Style = PLAIN): string {
  const { file, bundleFile, digest, list, added, known, signedBy, proof, pushed } = result;
  const rows: readonly Row[] = [
    ...added.map((one): Row => ["withdrawn", `${one.digest}: ${one.reason}`]),
    ...known.map((one): Row => ["already", `${one.digest}: ${one.reason}`]),
    ...(list.name === undefined ? [] : [["list", list.name] as const]),
    ["holds", plural(list.digests.length, "digest")],
    ["issued", formatInstant(list.issued)],
    ...(signedBy === undefined ? [] : [["signed as", describeSignedBy(signedBy)] as const]),
    ["stored", `Sigstore bundle in ${bundleFile}${describeProof(proof)}`],
    ...(pushed === undefined ? [] : [["pushed to", `${pushed.place}@${pushed.digest}`] as const]),
  ];
  const heading = `${style.accepted("issued".padEnd(HEADING_WIDTH))}${printable(`${file}@${digest}`)}`;
  return formatBlock(heading, rows, style);
}

/** docs/schemas/withdraw.json. */
export function withdrawDocument(result: WithdrawResult): string {
  const { file, bundleFile, digest, list, added, known, signedBy, proof, pushed } = result;
  return formatDocument("policy withdraw", {
    file,
    digest,
    bundle: bundleFile,
    name: list.name,
    issued: formatInstant(list.issued),
    digests: list.digests.length,
    added: added.map((one) => one.digest),
    known: known.map((one) => one.digest),
    signedBy,
    proof: proof === undefined ? undefined : proofMember(proof),
    pushed,
  });
}
