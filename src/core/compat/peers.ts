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

const LOGS_ALWAYS = { ofKeys: true, ofCertificates: true } as const;

const COSIGN_HASH: Fact = {
  says: "a key that is named verifies SHA-256, whatever its curve; Ed25519 verifies in its pure form",
  source: "sigstore/cosign v3.1.3, cmd/cosign/cli/verify/verify.go, pkg/signature/keys.go",
};

const LEGACY_DIGEST: Fact = {
  says: "signatures are the layers under the tag sha256-HEX.sig, of the very manifest that was named",
  source: "sigstore/cosign v2.6.4, pkg/cosign/verify.go, pkg/oci/remote/remote.go",
};

const BUNDLES_FIRST: Fact = {
  says: "one readable bundle of version 0.3 among the referrers, of whatever predicate type, and the tag is not looked at",
  source: "sigstore/cosign v3.1.3, cmd/cosign/cli/verify/verify.go, pkg/cosign/verify.go (GetBundles)",
};

const ANY_PREDICATE: Fact = {
  says: "the predicate type is not compared: an attestation by the wanted signer counts as a signature",
  source: "sigstore/cosign v3.1.3, pkg/cosign/verify.go (verifyImageAttestationsSigstoreBundle)",
};

const COSIGN3: Peer = {
  name: "cosign3",
  title: "cosign",
  versions: "3.0 to 3.1",
  asked: "cosign verify --key, or --certificate-identity and --certificate-oidc-issuer",
  looks: "bundles-then-sig-tag",
  judges: "named",
  bundleVersions: ["0.3"],
  statements: "all",
  takesKeys: true,
  takesCertificates: true,
  otherHash: "--signature-digest-algorithm",
  wantsLog: LOGS_ALWAYS,
  withoutScts: "--insecure-ignore-sct",
  withoutLog: "--insecure-ignore-tlog=true",
  comparesName: false,
  needs: [],
  writes: ["bundle"],
  facts: [
    BUNDLES_FIRST,
    ANY_PREDICATE,
    COSIGN_HASH,
    {
      says: "a certificate needs an embedded SCT, a log entry, and a time: the log's, or (from 3.0.5) a timestamp for Rekor 2",
      source: "sigstore/cosign v3.1.3, pkg/cosign/verify.go (verificationOptions), pkg/cosign/verify_bundle.go",
    },
    {
      says: "the referrers API is asked first, the fallback tag only where there is no API",
      source: "google/go-containerregistry v0.21, pkg/v1/remote/referrers.go",
    },
  ],
};

const COSIGN2: Pick<Peer, "name" | "title" | "asked" | "judges" | "takesKeys" | "takesCertificates" | "otherHash"> = {
  name: "cosign2",
  title: "cosign",
  asked: COSIGN3.asked,
  judges: "named",
  takesKeys: true,
  takesCertificates: true,
  otherHash: "--signature-digest-algorithm",
};

const COSIGN2_LATE: Peer = {
  ...COSIGN2,
  versions: "2.6.3 to 2.6.4",
  looks: "bundles-then-sig-tag",
  bundleVersions: ["0.3"],
  statements: "all",
  wantsLog: LOGS_ALWAYS,
  withoutScts: "--insecure-ignore-sct",
  timestampOption: "--use-signed-timestamps",
  withoutLog: "--insecure-ignore-tlog=true",
  comparesName: false,
  needs: [],
  writes: ["cosign-legacy"],
  facts: [
    {
      says: "bundles are looked for without a flag, and where there is one the tag is not looked at",
      source: "sigstore/cosign v2.6.3 and v2.6.4, cmd/cosign/cli/verify/verify.go",
    },
    LEGACY_DIGEST,
  ],
};

const COSIGN2_EARLY: Peer = {
  ...COSIGN2,
  versions: "2.0 to 2.6.2",
  looks: "sig-tag",
  wantsLog: LOGS_ALWAYS,
  withoutScts: "--insecure-ignore-sct",
  withoutLog: "--insecure-ignore-tlog=true",
  comparesName: false,
  needs: [],
  writes: ["cosign-legacy"],
  facts: [
    {
      says: "bundles of images are read with --new-bundle-format alone (2.6), before that not at all",
      source: "sigstore/cosign v2.0.0 to v2.6.2, cmd/cosign/cli/verify/verify.go",
    },
    LEGACY_DIGEST,
  ],
};

const PODMAN: Peer = {
  name: "podman",
  title: "podman, skopeo, buildah, CRI-O",
  versions: "containers/image 5.24 to 5.36",
  asked: "policy.json, sigstoreSigned with keyPath, or with fulcio and rekorPublicKeyPath",
  looks: "sig-tag",
  judges: "platforms",
  takesKeys: true,
  takesCertificates: true,
  wantsLog: { ofKeys: false, ofCertificates: true },
  comparesName: true,
  needs: [
    "use-sigstore-attachments: true in registries.d",
    "signedIdentity matchRepository, since the payload names no tag",
  ],
  writes: ["cosign-legacy"],
  facts: [
    {
      says: "signatures are the layers under the tag sha256-HEX.sig, in an OCI manifest; bundles are not read",
      source: "containers/image v5.36.2, docker/docker_image_src.go, docker/docker_client.go",
    },
    {
      says: "SHA-256 is the only hash, for keys and for certificates",
      source: "containers/image v5.36.2, signature/internal/sigstore_payload.go",
    },
    {
      says: "the payload's docker-reference is compared with the name pulled; the default wants a tag or digest in it",
      source: "containers/image v5.36.2, signature/policy_eval_sigstore.go, signature/policy_reference_match.go",
    },
    {
      says: "a certificate needs the log's promise (SET) in the annotations; a key only where rekorPublicKeyPath is set",
      source: "containers/image v5.36.2, signature/policy_eval_sigstore.go",
    },
    {
      says: "of an index, the manifest of the platform that is copied is judged, by its own signature",
      source: "containers/image v5.36.2, copy/single.go",
    },
  ],
};

const KYVERNO: Peer = {
  name: "kyverno",
  title: "Kyverno ClusterPolicy, verifyImages",
  versions: "1.13 to 1.19",
  asked: "attestors.entries.keys or .keyless, of type Cosign (the default)",
  looks: "sig-tag",
  judges: "named",
  takesKeys: true,
  takesCertificates: true,
  otherHash: "signatureAlgorithm",
  wantsLog: LOGS_ALWAYS,
  withoutScts: "ctlog: {ignoreSCT: true}",
  withoutLog: "rekor: {ignoreTlog: true}",
  comparesName: false,
  needs: [],
  writes: ["cosign-legacy"],
  facts: [
    {
      says: "type Cosign reads the tag alone; an entry that is not stored is looked for in rekor.sigstore.dev",
      source:
        "kyverno/kyverno v1.19.0, pkg/image/verifiers/cpol/cosign/verifier.go, pkg/engine/internal/imageverifier.go",
    },
    {
      says: "ignoreTlog is false unless the rule says otherwise; SHA-256 unless signatureAlgorithm does",
      source: "kyverno/kyverno v1.19.0, pkg/image/verifiers/cpol/cosign/cosign.go",
    },
  ],
};

const KYVERNO_BUNDLE_EARLY: Peer = {
  name: "kyverno-bundle",
  title: "Kyverno ClusterPolicy, type SigstoreBundle",
  versions: "1.13 to 1.18",
  asked: "attestors.entries.keyless, of type SigstoreBundle",
  looks: "bundles",
  judges: "named",
  statements: "all",
  takesKeys: false,
  takesCertificates: true,
  wantsLog: LOGS_ALWAYS,
  withoutLog: "rekor: {ignoreTlog: true}",
  comparesName: false,
  stopsAbove: 50,
  stopsAtBroken: true,
  needs: ["type: SigstoreBundle in the rule"],
  writes: ["bundle"],
  facts: [
    {
      says: "an identity is always required, so that a bundle by a bare key is never accepted",
      source: "kyverno/kyverno v1.17.0, pkg/cosign/sigstore.go (buildPolicy)",
    },
    {
      says: "an image with more than 50 referrers, or with a bundle that cannot be read, is refused",
      source: "kyverno/kyverno v1.17.0, pkg/cosign/sigstore.go (fetchBundles)",
    },
  ],
};

const KYVERNO_BUNDLE_LATE: Peer = {
  ...KYVERNO_BUNDLE_EARLY,
  versions: "1.19",
  asked: "attestors.entries.keys or .keyless, of type SigstoreBundle",
  takesKeys: true,
  otherHash: "signatureAlgorithm",
  wantsTimeOfKeys: true,
  facts: [
    {
      says: "keys are taken; unless its ctlog says ignoreSCT, a key's signature too needs a log's time or a timestamp",
      source: "kyverno/kyverno v1.19.0, pkg/image/verifiers/cpol/cosign/sigstore.go (buildVerifyOptions)",
    },
    {
      says: "as before for more than 50 referrers and broken bundles; predicate types are not compared for a signature",
      source: "kyverno/kyverno v1.19.0, pkg/image/verifiers/cpol/cosign/sigstore.go (fetchBundles)",
    },
  ],
};

const KYVERNO_IVP_LATE: Peer = {
  name: "kyverno-ivp",
  title: "Kyverno ImageValidatingPolicy",
  versions: "1.17 to 1.19",
  asked: "attestors.cosign.key or .keyless",
  looks: "bundles-then-sig-tag",
  judges: "named",
  bundleVersions: ["0.3"],
  statements: "all",
  takesKeys: true,
  takesCertificates: true,
  otherHash: "hashAlgorithm",
  wantsLog: LOGS_ALWAYS,
  withoutScts: "ctlog: {insecureIgnoreSCT: true}",
  withoutLog: "ctlog: {insecureIgnoreTlog: true}",
  comparesName: false,
  needs: [],
  writes: ["cosign-legacy"],
  facts: [
    {
      says: "bundles are looked for first, and where there is one of version 0.3 the tag is not looked at",
      source: "kyverno/kyverno v1.19.0, pkg/image/verifiers/ivpol/cosign/verifier.go",
    },
    {
      says: "without a ctlog, the entry has to be stored: no log is asked for it",
      source: "kyverno/kyverno v1.19.0, pkg/image/verifiers/ivpol/cosign/opts.go (getRekor)",
    },
  ],
};

const KYVERNO_IVP_EARLY: Peer = {
  name: "kyverno-ivp",
  title: "Kyverno ImageValidatingPolicy",
  versions: "1.14 to 1.16",
  asked: KYVERNO_IVP_LATE.asked,
  looks: "sig-tag",
  judges: "named",
  takesKeys: true,
  takesCertificates: true,
  otherHash: "hashAlgorithm",
  wantsLog: LOGS_ALWAYS,
  withoutScts: "ctlog: {insecureIgnoreSCT: true}",
  withoutLog: "ctlog: {insecureIgnoreTlog: true}",
  comparesName: false,
  needs: [],
  writes: ["cosign-legacy"],
  facts: [
    {
      says: "the tag alone is read; bundles came with 1.17",
      source: "kyverno/kyverno v1.15.0, pkg/imageverification/imageverifiers/cosign/verifier.go",
    },
  ],
};

const POLICY_CONTROLLER: Peer = {
  name: "policy-controller",
  title: "policy-controller",
  versions: "0.12 to 0.15",
  asked: "ClusterImagePolicy, authorities.key or .keyless",
  looks: "sig-tag",
  judges: "named",
  takesKeys: true,
  takesCertificates: true,
  otherHash: "key.hashAlgorithm",
  wantsLog: { ofKeys: false, ofCertificates: true },
  withoutScts: "keyless.insecureIgnoreSCT: true",
  comparesName: false,
  needs: [],
  writes: ["cosign-legacy"],
  facts: [
    {
      says: "signatureFormat is legacy unless the authority says bundle: the tag alone is read",
      source: "sigstore/policy-controller v0.15.1, pkg/webhook/validator.go (checkOptsFromAuthority)",
    },
    {
      says: "a key's authority asks for a log only where it has a ctlog; a keyless one asks for a stored entry of Rekor's",
      source: "sigstore/policy-controller v0.15.1, pkg/webhook/validator.go (rekorClientAndKeysFromAuthority)",
    },
  ],
};

const POLICY_CONTROLLER_BUNDLE: Peer = {
  name: "policy-controller-bundle",
  title: "policy-controller, signatureFormat: bundle",
  versions: "0.13 to 0.15",
  asked: "ClusterImagePolicy, authorities.keyless with signatureFormat: bundle",
  looks: "bundles",
  judges: "named",
  bundleVersions: ["0.3"],
  statements: "listed",
  takesKeys: false,
  takesCertificates: true,
  wantsLog: { ofKeys: true, ofCertificates: true },
  withoutScts: "keyless.insecureIgnoreSCT: true",
  timestampOption: "rfc3161timestamp",
  comparesName: false,
  needs: ["signatureFormat: bundle in the authority"],
  writes: ["bundle"],
  facts: [
    {
      says: "with signatureFormat: bundle, an authority has to be keyless",
      source: "sigstore/policy-controller v0.15.1, pkg/webhook/validator.go (checkOptsFromAuthority)",
    },
    {
      says: "and has to list attestations: for signatures, the cosign library it calls answers that it cannot read bundles",
      source: "sigstore/cosign v2.5.0 and v3.0.5, pkg/cosign/verify.go (VerifyImageSignatures)",
    },
  ],
};

const NOTATION: Peer = {
  name: "notation",
  title: "notation",
  versions: "1.0 to 1.3",
  asked: "trustpolicy.json and a trust store of certificates",
  looks: "notary",
  judges: "named",
  takesKeys: false,
  takesCertificates: true,
  wantsLog: { ofKeys: false, ofCertificates: false },
  comparesName: false,
  needs: [],
  writes: [],
  facts: [
    {
      says: "signatures are referrers of type application/vnd.cncf.notary.signature; nothing of Sigstore's is read",
      source: "notaryproject/notation-go v1.3.2, registry/repository.go",
    },
  ],
};

/** In the order of a report. */
export const PEERS: readonly Peer[] = [
  COSIGN3,
  COSIGN2_LATE,
  COSIGN2_EARLY,
  PODMAN,
  KYVERNO,
  KYVERNO_BUNDLE_LATE,
  KYVERNO_BUNDLE_EARLY,
  KYVERNO_IVP_LATE,
  KYVERNO_IVP_EARLY,
  POLICY_CONTROLLER,
  POLICY_CONTROLLER_BUNDLE,
  NOTATION,
];

/** The peer that a name or an alias means; undefined for any other text. */
export function peerNamed(text: string): PeerName | undefined {
  const name = text.toLowerCase();
  if (Object.hasOwn(PEER_ALIASES, name)) return PEER_ALIASES[name];
  return PEER_NAMES.find((each) => each === name);
}

/** All rows of these peers. */
export function rowsOf(names: readonly PeerName[]): readonly Peer[] {
  return PEERS.filter(({ name }) => names.includes(name));
}
