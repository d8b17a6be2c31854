import type { Given } from "./given.ts";
import type { Peer } from "./peer.ts";
import type { PredictedVerdict, Prediction } from "./prediction.ts";
import type { Remedy } from "./shortfall.ts";

/** What to do so that a peer accepts: commands to copy, and what no command does. Never a wish to ask for less. */
export function adviceFor(remedy: Remedy, peer: Peer, given: Given): readonly string[] {
  switch (remedy) {
    case "sign":
    case "sign-every-platform":
      return [sign(peer, given)];
    case "sign-with-services":
      return [sign(peer, given, { withServices: true })];
    case "sign-as-wanted":
      return [`${sign(peer, given)} (by whom was asked for)`];
    case "sign-here":
      return [sign(peer, given), "or, for a mirror, signedIdentity exactRepository or remapIdentity in policy.json"];
    case "sign-with-p256":
      return ["countersign key generate --algorithm ecdsa-p256", sign(peer, { ...given, signer: "key" })];
    case "sign-without-key":
      return [sign(peer, { ...given, signer: "identity" })];
    case "sign-bundle":
      return [`countersign sign --format bundle${signerFlags(peer, given, false)} ${given.image}`];
    case "thin-out":
      return ["remove what refers to the image and is not needed"];
    case "notation":
      return [`notation sign ${given.image} (countersign writes no Notary signatures)`];
  }
}

/** Predictions that say the same of several peers, as one: their commands name all of them. */
export interface Alike {
  readonly predictions: readonly [Prediction, ...Prediction[]];
  readonly add: readonly string[];
}

/** Groups predictions by all but whom they are about, in their order. */
export function alike(predictions: readonly Prediction[]): readonly Alike[] {
  const groups = new Map<string, [Prediction, ...Prediction[]]>();
  for (const prediction of predictions) {
    const { verdict, because, needs, add, peer } = prediction;
    const told = isHopeful(verdict) ? needs : [];
    const key = JSON.stringify([verdict, because, told, add.map((step) => forPeers(step, peer, ""))]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [prediction]);
    else group.push(prediction);
  }
  return [...groups.values()].map((group) => {
    const names = [...new Set(group.map(({ peer }) => peer))].join(",");
    const [{ add, peer }] = group;
    return { predictions: group, add: add.map((step) => forPeers(step, peer, names)) };
  });
}

/** What it needs beside is of interest where it may accept. */
export function isHopeful(verdict: PredictedVerdict): boolean {
  return verdict === "accepts" || verdict === "depends";
}

function forPeers(step: string, peer: string, names: string): string {
  return step.replace(` --for ${peer} `, ` --for ${names} `);
}

function sign(peer: Peer, given: Given, { withServices = false } = {}): string {
  return `countersign sign --for ${peer.name}${signerFlags(peer, given, withServices)} ${given.image}`;
}

/** Keyless, services sign along anyway; with a key, those that the peer asks for have to be named. */
function signerFlags({ wantsLog, takesKeys }: Peer, { signer, ignoresLog }: Given, withServices: boolean): string {
  if (signer === "identity" || !takesKeys) return "";
  return withServices || (wantsLog.ofKeys && !ignoresLog) ? " --key KEY --signing-config FILE" : " --key KEY";
}
