import { type Fact, LOGS_ALWAYS, type Peer } from "./peer.ts";

/** cosign itself. */

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

/** The newest first. */
export const COSIGN_PEERS: readonly Peer[] = [COSIGN3, COSIGN2_LATE, COSIGN2_EARLY];
