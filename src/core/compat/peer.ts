import type { SignatureFormat } from "../formats/envelope.ts";

/**
 * What other verifiers read, as data: one row for each range of versions that behaves alike. Every row was read in the
 * source that its facts name; `test/interop/doctor.test.ts` asks the released programs that run here whether it holds,
 * and docs/compatibility.md is held against it.
 */

export const PEER_NAMES = [
  "cosign3",
  "cosign2",
  "podman",
  "kyverno",
  "kyverno-bundle",
  "kyverno-ivp",
  "policy-controller",
  "policy-controller-bundle",
  "notation",
] as const;

export type PeerName = (typeof PEER_NAMES)[number];

/** Names that people use for the same verifier. */
export const PEER_ALIASES: Readonly<Record<string, PeerName>> = {
  skopeo: "podman",
  buildah: "podman",
  "cri-o": "podman",
  crio: "podman",
  cosign: "cosign3",
};

export interface Peer {
  /** As `--for` and `--require` take it; several rows can be one peer's versions. */
  readonly name: PeerName;
  readonly title: string;
  readonly versions: string;
  /** How it is told whose signature to ask for. */
  readonly asked: string;
  /**
   * Where it looks. `bundles-then-sig-tag`: one bundle that it can read, by whomever and of whatever kind, and it does not
   * look at the tag any more.
   */
  readonly looks: "sig-tag" | "bundles" | "bundles-then-sig-tag" | "notary";
  /** What it judges of an index: the manifest that was named, or that of each platform by its own signature. */
  readonly judges: "named" | "platforms";
  /** Bundles of other versions are skipped; all that can be read where absent. */
  readonly bundleVersions?: readonly string[];
  /** Which of a bundle's statements count: all that are about the image, or those of types that its rule lists. */
  readonly statements?: "all" | "listed";
  readonly takesKeys: boolean;
  readonly takesCertificates: boolean;
  /** How it is told that a key signs with another hash than SHA-256; absent where it cannot be. */
  readonly otherHash?: string;
  /** Whether a log entry has to lie beside a signature, by default. */
  readonly wantsLog: { readonly ofKeys: boolean; readonly ofCertificates: boolean };
  /** How it is told to do without; absent where it asks for none. */
  readonly withoutLog?: string;
  /** A bare key's signature needs a proven time too. */
  readonly wantsTimeOfKeys?: boolean;
  /** A certificate needs a certificate log's word in it, unless it is told this; it asks for none where absent. */
  readonly withoutScts?: string;
  /** How it is told to take a timestamp for the time where the log tells none (Rekor 2); absent where it does so by itself. */
  readonly timestampOption?: string;
  /** The repository in a legacy payload has to be the one that the image is pulled from. */
  readonly comparesName: boolean;
  /** With more referrers than this it refuses the image. */
  readonly stopsAbove?: number;
  /** One bundle that it cannot read, and it refuses the image. */
  readonly stopsAtBroken?: true;
  /** What has to be configured for it to look at all. */
  readonly needs: readonly string[];
  /** What `sign --for` writes: all of it has to be there for every image that this peer may see. */
  readonly writes: readonly SignatureFormat[];
  readonly facts: readonly Fact[];
}

export interface Fact {
  readonly says: string;
  /** Project, version and file. */
  readonly source: string;
}

/** What most verifiers ask for. */
export const LOGS_ALWAYS = { ofKeys: true, ofCertificates: true } as const;
