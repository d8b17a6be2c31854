import { decodeBase64, encodeBase64, encodeHex, equalBytes } from "../bytes.ts";
import { CountersignError } from "../errors.ts";
import type { UntrustedInclusionProof } from "../formats/envelope.ts";
import { LIMITS } from "../limits.ts";
import type { Log } from "./root.ts";

function invalid(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("log-entry-invalid", message, { found, wanted });
}

/**
 * Holds a log's checkpoint (C2SP tlog-checkpoint) against the proof that it comes with and the log that it is of, and
 * leaves of it what that log signed: lines of witnesses, whose keys nobody here knows, prove nothing.
 *
 * The signature is not verified here. The text that comes back is to be verified with the log's key.
 *
 * @throws CountersignError `log-entry-invalid`.
 */
export function ownCheckpoint(proof: UntrustedInclusionProof, log: Log): string {
  const { text, lines } = splitNote(proof.checkpoint);
  const [origin = "", size = "", root = ""] = text.split("\n");
  const name = log.names.find((each) => origin === each || isTree(origin, each));
  if (name === undefined) {
    throw new CountersignError("log-entry-invalid", "a checkpoint is of another log", {
      found: `origin ${origin}`,
      wanted: `origin ${log.names.join(" or ")}`,
      next: "if the log is your own, let it call itself by the host name of its address (Rekor 1: rekor_server.hostname)",
    });
  }
  if (size !== String(proof.treeSize)) {
    throw invalid("a checkpoint is of a tree of another size", size, `${proof.treeSize}, as the proof says`);
  }
  const hash = decodeBase64(root);
  if (hash === undefined || !equalBytes(hash, proof.rootHash)) {
    throw invalid(
      "a checkpoint is of another tree",
      `root ${root}`,
      `${encodeBase64(proof.rootHash)}, as the proof says`,
    );
  }
  // As verifiers of notes do: the first of several lines by one key counts.
  const own = lines.find((line) => line.name === name && equalBytes(line.keyId, log.checkpointKeyId));
  if (own === undefined) {
    const found = lines.map((line) => describeSigner(line.name, line.keyId)).join(", ");
    throw invalid("a checkpoint is not signed by its log", found, describeSigner(name, log.checkpointKeyId));
  }
  // The library looks for the name in the log's address, and for the key by the first bytes of the log's id.
  const signature = encodeBase64(Buffer.concat([log.id.subarray(0, 4), own.signature]));
  return `${text}\n\u2014 ${log.name} ${signature}\n`;
}

/** As verifiers of notes write it: `rekor.example.com+c0d23d6a`. */
function describeSigner(name: string, keyId: Uint8Array): string {
  return `${name}+${encodeHex(keyId)}`;
}

/** Rekor 1 has many trees in one log: `rekor.sigstore.dev - 2605736670972794746`. */
function isTree(origin: string, name: string): boolean {
  return origin.startsWith(`${name} - `) && /^[0-9]{1,20}$/.test(origin.slice(name.length + 3));
}

interface NoteSignature {
  readonly name: string;
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

const LINE = /^\u2014 (\S+) ([A-Za-z0-9+/=]+)$/;

/** C2SP signed-note: the text with its last newline, an empty line, and one line for each signature. */
function splitNote(note: string): { readonly text: string; readonly lines: readonly NoteSignature[] } {
  const at = note.indexOf("\n\n");
  const lines = note.slice(at + 2).split("\n");
  if (at === -1 || lines.pop() !== "" || lines.length === 0 || lines.length > LIMITS.checkpointLines) {
    throw invalid("a checkpoint is not a signed note", "another form", "text, an empty line, signatures");
  }
  return { text: note.slice(0, at + 1), lines: lines.map(readLine) };
}

function readLine(line: string): NoteSignature {
  const [, name = "", content = ""] = LINE.exec(line) ?? [];
  const bytes = decodeBase64(content);
  if (name === "" || bytes === undefined || bytes.byteLength < 5) {
    throw invalid("a line of a checkpoint is not a signature", JSON.stringify(line.slice(0, 80)), "\u2014 NAME BASE64");
  }
  return { name, keyId: bytes.subarray(0, 4), signature: bytes.subarray(4) };
}
