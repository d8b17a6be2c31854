import { PEER_NAMES, type PeerName } from "../core/compat/peer.ts";
import { peerNamed } from "../core/compat/peers.ts";
import { CountersignError } from "../core/errors.ts";
import { list, type RawOptions } from "./options.ts";

/** Names of verifiers, given one by one or separated by commas. @throws CountersignError `usage` for a name of none. */
export function readPeers(raw: RawOptions, name: string, spelled: string): readonly PeerName[] {
  const given = list(raw, name).flatMap((text) => text.split(","));
  return [...new Set(given.map((text) => readPeer(text.trim(), spelled)))];
}

function readPeer(text: string, spelled: string): PeerName {
  const peer = peerNamed(text);
  if (peer !== undefined) return peer;
  throw new CountersignError("usage", `${spelled} takes names of verifiers`, {
    found: text === "" ? "an empty name" : text,
    wanted: PEER_NAMES.join(", "),
  });
}
