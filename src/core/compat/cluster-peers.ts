import { LOGS_ALWAYS, type Peer } from "./peer.ts";

/** What admits images to clusters. */

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

export const CLUSTER_PEERS: readonly Peer[] = [
  KYVERNO,
  KYVERNO_BUNDLE_LATE,
  KYVERNO_BUNDLE_EARLY,
  KYVERNO_IVP_LATE,
  KYVERNO_IVP_EARLY,
  POLICY_CONTROLLER,
  POLICY_CONTROLLER_BUNDLE,
];
