import type { KeyAlgorithm } from "../crypto/algorithms.ts";
import { CountersignError } from "../errors.ts";
import type { SignatureFormat } from "../formats/envelope.ts";
import { algorithmName, ownHash } from "./algorithm.ts";
import type { Peer, PeerName } from "./peer.ts";
import { rowsOf } from "./peers.ts";

/** What has to be written for verifiers to read it. */
export interface Choice {
  readonly formats: readonly SignatureFormat[];
  /** One of them judges each platform of an index by its own signature. */
  readonly recursive: boolean;
}

/** @throws CountersignError `unsupported` for a verifier that reads nothing that is written here. */
export function chooseFor(names: readonly PeerName[]): Choice {
  const rows = rowsOf(names);
  const unread = rows.find(({ writes }) => writes.length === 0);
  if (unread !== undefined) {
    throw new CountersignError("unsupported", `nothing that ${unread.title} reads is written here yet`, {
      found: `--for ${unread.name}`,
      wanted: "a verifier of cosign's formats",
      next: "sign for it with its own program, beside what is written here",
    });
  }
  const needed = new Set(rows.flatMap(({ writes }) => writes));
  return {
    formats: FORMATS.filter((format) => needed.has(format)),
    recursive: rows.some(({ judges }) => judges === "platforms"),
  };
}

const FORMATS: readonly SignatureFormat[] = ["bundle", "cosign-legacy"];

/**
 * Before anything is signed: whether these verifiers can read what this key would sign. Of a peer whose versions differ, one
 * that reads it is enough.
 *
 * @throws CountersignError `unsupported`.
 */
export function requireReadableKey(names: readonly PeerName[], algorithm: KeyAlgorithm): void {
  for (const name of names) {
    const rows = rowsOf([name]);
    const [row] = rows;
    if (row === undefined) continue;
    if (rows.every(({ takesKeys }) => !takesKeys)) throw takesNoKeys(row);
    const hash = ownHash(algorithm);
    if (hash !== undefined) throw takesNoHash(row, algorithm, hash);
  }
}

function takesNoKeys({ title, name, asked }: Peer): CountersignError {
  return new CountersignError("unsupported", `${title} takes no signatures by a key`, {
    found: `--for ${name} and --key`,
    wanted: `keyless signatures: ${asked}`,
    next: "sign without --key",
  });
}

function takesNoHash({ title, otherHash }: Peer, algorithm: KeyAlgorithm, hash: string): CountersignError {
  const told = otherHash === undefined ? "" : `, unless it is told otherwise (${otherHash})`;
  return new CountersignError("unsupported", `${title} cannot verify what this key signs`, {
    found: `an ${algorithmName(algorithm)} key, which signs ${hash}`,
    wanted: `SHA-256, the hash that keys are verified with${told}`,
    next: "sign with a P-256 key: countersign key generate --algorithm ecdsa-p256",
  });
}
