import { printable } from "../core/printable.ts";
import type { SignedFile } from "../core/results.ts";
import { describeSignedBy } from "../core/verify/verdict.ts";
import { formatDocument, proofMember } from "./json.ts";
import { describeProof } from "./sign.ts";
import { PLAIN, type Style } from "./style.ts";
import { formatBlock, HEADING_WIDTH, type Row } from "./text.ts";

/** A signed file, and where its bundle was written. */
export interface StoredFile extends SignedFile {
  readonly bundleFile: string;
}

export function signedFilesText(files: readonly StoredFile[], style: Style = PLAIN): string {
  return files.map((file) => fileText(file, style)).join("\n");
}

function fileText(file: StoredFile, style: Style): string {
  const heading = `${style.accepted("signed".padEnd(HEADING_WIDTH))}${printable(`${file.name}@${file.digest}`)}`;
  const { signedBy, proof } = file;
  const rows: readonly Row[] = [
    ...(signedBy === undefined ? [] : [["signed as", describeSignedBy(signedBy)] as const]),
    ["stored", `Sigstore bundle in ${file.bundleFile}${describeProof(proof)}`],
  ];
  return formatBlock(heading, rows, style);
}

/** docs/schemas/sign-blob.json. */
export function signedFilesDocument(files: readonly StoredFile[]): string {
  return formatDocument("sign-blob", {
    files: files.map(({ name, digest, bundleFile, signedBy, proof }) => ({
      file: name,
      digest,
      bundle: bundleFile,
      signedBy,
      proof: proof === undefined ? undefined : proofMember(proof),
    })),
  });
}
