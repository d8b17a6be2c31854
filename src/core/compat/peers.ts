import { CLUSTER_PEERS } from "./cluster-peers.ts";
import { COSIGN_PEERS } from "./cosign-peers.ts";
import { PEER_ALIASES, PEER_NAMES, type Peer, type PeerName } from "./peer.ts";

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
export const PEERS: readonly Peer[] = [...COSIGN_PEERS, PODMAN, ...CLUSTER_PEERS, NOTATION];

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
