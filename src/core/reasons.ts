/**
 * Every reason Countersign can give, in one closed table. A reason's class decides the verdict and the exit code;
 * no other place maps one to the other. `countersign help reasons` prints this table.
 */

/**
 * - `refused`: the evidence was seen and it does not do (exit 1)
 * - `undetermined`: it could not be looked at, or the work could not be finished (exit 3)
 * - `usage`: the call, a key or a configuration cannot be used; nothing was checked (exit 2)
 * - `credentials`: the registry wants credentials and none were found (exit 4)
 * - `interrupted`: stopped by the user (exit 130)
 */
export type ReasonClass = "refused" | "undetermined" | "usage" | "credentials" | "interrupted";

interface Reason {
  readonly class: ReasonClass;
  /** One sentence for the documentation: what it means. */
  readonly meaning: string;
  /** What the person can do; never a suggestion to loosen a policy. */
  readonly next: string;
}

export const REASONS = {
  // --- refused: what was found is not what was wanted -------------------------------------------------------------
  unsigned: {
    class: "refused",
    meaning: "Every place a signature can be stored was read, and there is none.",
    next: "ask the publisher to sign this digest, or deploy a digest that is signed",
  },
  "wrong-key": {
    class: "refused",
    meaning: "There are signatures, but none was made by a key that was asked for.",
    next: "check that you hold the publisher's current public key",
  },
  "bad-signature": {
    class: "refused",
    meaning: "A signature that names the wanted key does not verify over the content it comes with.",
    next: "treat the signature as tampered with; ask the publisher to sign again",
  },
  "wrong-digest": {
    class: "refused",
    meaning: "A signature by a wanted key is about other bytes: it was copied from another image.",
    next: "treat the repository as tampered with; ask the publisher to sign this digest",
  },
  "wrong-repository": {
    class: "refused",
    meaning: "A signature by a wanted key names another repository than the one asked for.",
    next: "for a mirror, say under which name the image was signed with --signed-as",
  },
  "wrong-annotations": {
    class: "refused",
    meaning: "A signature by a wanted key lacks an annotation that was asked for, or has another value.",
    next: "ask the publisher which annotations the release carries",
  },
  "not-a-signature": {
    class: "refused",
    meaning:
      "A wanted key signed a statement about this image, but of another kind: an attestation is not a signature.",
    next: "ask the publisher to sign the image itself",
  },
  "malformed-signature": {
    class: "refused",
    meaning: "Something is stored as a signature but is not one: its format is broken.",
    next: "ask the publisher to sign again with a current tool",
  },
  "wrong-identity": {
    class: "refused",
    meaning: "A signature is proven, but by another identity than the one asked for.",
    next: "check which workflow or person signs this publisher's releases; release through it, then verify again",
  },
  "certificate-untrusted": {
    class: "refused",
    meaning:
      "A signing certificate does not lead to the trust root, was not valid when it signed, or is of a wrong kind.",
    next: "check that you hold the trust root of the authority that the publisher signs with",
  },
  "log-entry-missing": {
    class: "refused",
    meaning: "A signature is in no transparency log that the trust root knows, and one was asked for.",
    next: "ask the publisher to log the signature: countersign sign --finish",
  },
  "log-entry-invalid": {
    class: "refused",
    meaning: "A log entry is not about this signature, or the log's proof of it does not hold.",
    next: "treat the signature as tampered with; ask the publisher to sign again",
  },
  "timestamp-missing": {
    class: "refused",
    meaning: "Nothing proves when a signature was made, so nothing proves that its certificate was valid then.",
    next: "ask the publisher to sign with a timestamp authority or a log that your trust root knows",
  },
  "timestamp-invalid": {
    class: "refused",
    meaning: "A timestamp is not about this signature, or its authority's signature does not hold.",
    next: "treat the signature as tampered with; ask the publisher to sign again",
  },
  unattested: {
    class: "refused",
    meaning: "Every place an attestation can be stored was read, and there is none of the wanted type.",
    next: "ask the publisher for an attestation of this type, or attest it yourself: countersign attest",
  },
  "condition-not-met": {
    class: "refused",
    meaning: "An attestation by a wanted signer does not say what the condition asks for.",
    next: "look at what it says: countersign inspect --attestation TYPE -o json IMAGE",
  },
  "threshold-not-met": {
    class: "refused",
    meaning: "Fewer distinct keys signed than were asked for.",
    next: "ask the missing signers to sign this digest",
  },
  "no-policy": {
    class: "refused",
    meaning: "The policy has no rule for this image, and what it does not name it does not accept.",
    next: "ask whoever keeps the policy whether this image is meant to be used; countersign policy which shows the rules",
  },
  forbidden: {
    class: "refused",
    meaning: "The policy's rule for this image accepts nothing.",
    next: "use another image; the rule says why",
  },
  withdrawn: {
    class: "refused",
    meaning: "This digest is on a signed list of those that were taken back.",
    next: "deploy a digest that was not taken back; the list says why",
  },
  "signer-distrusted": {
    class: "refused",
    meaning:
      "A wanted signer signed outside the time in which the policy trusts it, or nothing proves that it was inside.",
    next: "ask the publisher to sign again with what is trusted today",
  },
  "evidence-old": {
    class: "refused",
    meaning: "A signature or an attestation is older than the policy allows.",
    next: "ask the publisher to build and sign again",
  },
  unscanned: {
    class: "refused",
    meaning: "Every place a scan can be stored was read, and there is none by anybody whose scans are believed.",
    next: "scan this digest and sign the result: countersign scan --attest",
  },
  "scan-old": {
    class: "refused",
    meaning: "The newest scan of this image is older than the policy allows.",
    next: "scan this digest again and sign the result: countersign scan --attest",
  },
  "scan-invalid": {
    class: "refused",
    meaning: "A signed scan or VEX statement cannot be read as one.",
    next: "scan this digest again with a current scanner and sign the result: countersign scan --attest",
  },
  vulnerable: {
    class: "refused",
    meaning: "A signed scan names vulnerabilities that the policy does not allow.",
    next: "update what is vulnerable and build again, or have it stated in VEX that it is not affected",
  },
  "exception-expired": {
    class: "refused",
    meaning: "An exception for this image has come to its end.",
    next: "mend what it was for; its owner is named in the policy",
  },
  "digest-mismatch": {
    class: "refused",
    meaning: "The bytes that arrived do not hash to the digest that names them.",
    next: "treat the registry, mirror or archive as tampered with or damaged; fetch from another copy",
  },
  "size-mismatch": {
    class: "refused",
    meaning: "More or fewer bytes arrived than the descriptor says.",
    next: "treat the registry, mirror or archive as tampered with or damaged; fetch from another copy",
  },
  "manifest-invalid": {
    class: "refused",
    meaning: "The manifest or index is not a valid one, or could be read in two ways.",
    next: "push the image again with a current tool",
  },
  "layout-invalid": {
    class: "refused",
    meaning: "A layout or archive is damaged, could be read in two ways, or holds a link or a name that leads outside.",
    next: "make the layout or archive again with a current tool, or fetch another copy",
  },
  "layer-invalid": {
    class: "refused",
    meaning: "A layer does not decompress to what the image's configuration says.",
    next: "push the image again with a current tool, then sign the new digest",
  },
  "decompression-bomb": {
    class: "refused",
    meaning: "A layer grows beyond the limit when it is decompressed.",
    next: "do not run this image; ask the publisher what it is",
  },
  "platform-missing": {
    class: "refused",
    meaning: "The index does not list the platform that was asked for.",
    next: "choose one of the listed platforms with --platform",
  },
  unpinned: {
    class: "refused",
    meaning: "A file names an image by a tag alone, which can mean other bytes tomorrow.",
    next: "pin it to a verified digest: countersign pin",
  },
  "lock-drift": {
    class: "refused",
    meaning: "A file and the lock file name different digests for an image, or the lock file does not know it.",
    next: "find out who changed which of the two; countersign pin verifies what the files name and writes the lock file",
  },
  "tag-moved": {
    class: "refused",
    meaning: "The tag names another digest now than the one that is pinned.",
    next: "see what is new behind the tag; countersign pin --update moves the pin once that is accepted",
  },

  // Signed tags: what the repository's own metadata says, verified from the pinned root on.
  "tag-unlisted": {
    class: "refused",
    meaning: "The repository has signed tags, and no role that may binds this tag.",
    next: "ask the publisher to sign the tag: countersign trust sign",
  },
  "digest-unlisted": {
    class: "refused",
    meaning: "The repository has signed tags, and this digest is not among what its publisher released.",
    next: "use the tag, or ask the publisher whether this digest was released",
  },
  revoked: {
    class: "refused",
    meaning: "The publisher has taken this tag or digest back.",
    next: "do not run it; the publisher's reason is named, a newer tag may be signed",
  },
  "binding-mismatch": {
    class: "refused",
    meaning: "The reference names a tag and a digest, and the tag is signed for another digest.",
    next: "find out where the digest comes from; the signed one is named",
  },
  "binding-old": {
    class: "refused",
    meaning: "The tag was bound longer ago than the policy allows, however fresh the metadata around it is.",
    next: "ask the publisher for a current release, or to confirm this one: countersign trust sign --confirm",
  },
  "signed-tags-missing": {
    class: "refused",
    meaning: "Signed tags are demanded, and the repository has none.",
    next: "ask the publisher to set them up: countersign trust init",
  },
  "signed-tags-vanished": {
    class: "refused",
    meaning: "The repository's signed tags were seen here before or a root is pinned for them, and now they are gone.",
    next: "treat the registry as tampered with; ask the publisher to push the trust metadata again",
  },
  rollback: {
    class: "refused",
    meaning: "A rollback: the registry serves metadata that is older than what was seen here before.",
    next: "treat the registry or mirror as tampered with or lagging; what was seen before stays in force",
  },
  frozen: {
    class: "refused",
    meaning: "Frozen: the newest metadata that the registry serves has expired, so nothing says that it is current.",
    next: "ask the publisher to run countersign trust refresh; check this machine's clock",
  },
  forked: {
    class: "refused",
    meaning: "Two different files under one version: somebody shows different people different things.",
    next: "treat the registry as tampered with, or the publisher's keys as used twice; ask the publisher",
  },
  "mix-and-match": {
    class: "refused",
    meaning: "A file of metadata is not the one, or not of the version, that the metadata above it lists.",
    next: "treat the registry as tampered with; ask the publisher to publish again: countersign trust refresh",
  },
  "role-vanished": {
    class: "refused",
    meaning: "A role that the snapshot listed before is missing from it.",
    next: "treat the registry as tampered with; ask the publisher",
  },
  "version-implausible": {
    class: "refused",
    meaning: "A version number lies so far ahead that no later one could follow: the attempt of a fast-forward.",
    next: "ask the publisher to rotate the online key: countersign trust rotate online",
  },
  "lifetime-exceeded": {
    class: "refused",
    meaning: "Metadata claims to live longer than the root allows, although its signature is good.",
    next: "ask the publisher to rotate the key that signed it",
  },
  "signature-threshold": {
    class: "refused",
    meaning: "A role's metadata lacks valid signatures by the keys that count now.",
    next: "ask the publisher whether a key was removed; treat the registry as tampered with otherwise",
  },
  "duplicate-key": {
    class: "refused",
    meaning: "One key is listed under two ids, or one key signed twice, which would make one signer count as two.",
    next: "do not use these signed tags; ask the publisher",
  },
  "keyid-mismatch": {
    class: "refused",
    meaning: "The id of a key is not the hash of the key.",
    next: "do not use these signed tags; ask the publisher",
  },
  "root-chain-broken": {
    class: "refused",
    meaning: "A new root is not signed by both the keys of the root before it and its own.",
    next: "treat the registry as tampered with; ask the publisher on another way",
  },
  "root-version-gap": {
    class: "refused",
    meaning: "A root is missing between the trusted one and the next that is served.",
    next: "ask the publisher to push the roots again; none may ever be left out",
  },
  "root-expired": {
    class: "refused",
    meaning: "The newest root has expired.",
    next: "ask the publisher to renew it: countersign trust rotate root",
  },
  "root-of-another": {
    class: "refused",
    meaning: "The root is for another repository than the one asked for: somebody's trust was copied here.",
    next: "ask for the image under its own name, or have the publisher add this one to the root's aliases",
  },
  "pin-mismatch": {
    class: "refused",
    meaning: "The root that is pinned for this repository is not among those that it serves.",
    next: "ask the publisher on another way whether trust was set up anew, before you pin another root",
  },
  "pattern-unsupported": {
    class: "refused",
    meaning: "A delegation has a pattern that different clients read differently.",
    next: "ask the publisher for patterns of literals, * and ? alone",
  },
  "metadata-malformed": {
    class: "refused",
    meaning: "Trust metadata or the head that names it is damaged, or could be read in two ways.",
    next: "treat the registry as tampered with or damaged; ask the publisher to publish again",
  },

  // --- undetermined: we could not look, so we do not know ----------------------------------------------------------
  unreachable: {
    class: "undetermined",
    meaning: "The registry or service could not be reached: name, port, TLS or network.",
    next: "check the name, the port, the proxy and the network, then try again",
  },
  timeout: {
    class: "undetermined",
    meaning: "No progress within the time limit.",
    next: "try again; raise --timeout for a slow network",
  },
  throttled: {
    class: "undetermined",
    meaning: "The registry or service asked us to slow down, and kept asking until the tries were used up.",
    next: "try again later; until then the image counts as not verified",
  },
  "server-error": {
    class: "undetermined",
    meaning: "The registry or service failed with a server error on every try.",
    next: "try again later; until then the image counts as not verified",
  },
  denied: {
    class: "undetermined",
    meaning: "The registry refused access with the credentials that were used.",
    next: "log in with an account that may read this repository and, to sign, push or copy into it, write there",
  },
  "not-found": {
    class: "undetermined",
    meaning: "The registry, layout or archive holds no such repository, tag or digest.",
    next: "check the name, and the tag or path; registries also hide what a login would show",
  },
  "not-a-registry": {
    class: "undetermined",
    meaning: "What answered does not speak the registry protocol: a web page, a login portal.",
    next: "check the host name, and whether a proxy or login page stands in between",
  },
  "protocol-error": {
    class: "undetermined",
    meaning: "The registry answered with something the protocol does not allow.",
    next: "report it to the registry's operator",
  },
  "redirect-refused": {
    class: "undetermined",
    meaning: "The registry redirected somewhere that may not be followed.",
    next: "report it to the registry's operator; nothing was sent there",
  },
  "limit-reached": {
    class: "undetermined",
    meaning: "More was offered than will be read: a size, a count or a depth limit was reached.",
    next: "remove what does not belong there, then try again",
  },
  "trust-stale": {
    class: "undetermined",
    meaning: "The trust material is too old to be believed and could not be refreshed.",
    next: "refresh it with countersign trusted-root update, or load a newer air-gap kit",
  },
  "trust-rejected": {
    class: "undetermined",
    meaning:
      "What the trust repository offered is not a valid successor of what was trusted: rolled back, forked, unsigned.",
    next: "keep what you have, and find out who answers for the repository before you trust it again",
  },
  "clock-rollback": {
    class: "undetermined",
    meaning: "This machine's clock stands before a time that was seen here already: no expiry can be judged by it.",
    next: "set the clock right, then try again",
  },
  "publish-staged": {
    class: "undetermined",
    meaning: "What was signed is stored and waits: for more signatures, or for who holds the online key.",
    next: "run countersign trust refresh where the online key is, or have another signer approve",
  },
  "tags-immutable": {
    class: "undetermined",
    meaning: "The registry does not let a tag be moved, and the trust metadata needs one that can be.",
    next: "exempt the tag in the registry's settings, or keep the metadata in another repository or as referrers",
  },
  "write-conflict": {
    class: "undetermined",
    meaning: "Other writers kept changing the same list while we added to it, until the tries were used up.",
    next: "try again; nothing of the other writers was lost",
  },
  "write-unconfirmed": {
    class: "undetermined",
    meaning: "The registry accepted what was written but does not show it on reading back.",
    next: "try again, and report it to the registry's operator",
  },
  "disk-error": {
    class: "undetermined",
    meaning: "Reading or writing on this machine failed: disk full, no permission, input/output error.",
    next: "make room or fix the permission, then run the same command again",
  },
  "engine-error": {
    class: "undetermined",
    meaning: "The container engine (docker, podman) is missing or failed.",
    next: "check that the engine is installed and running",
  },
  "key-unavailable": {
    class: "undetermined",
    meaning:
      "A key in a KMS or an HSM could not be used: its plug-in, its service or its token failed or was too slow.",
    next: "check the login to the service or the token, then run the same command again",
  },
  "scanner-error": {
    class: "undetermined",
    meaning: "A scanner is missing, failed, or said something that cannot be read.",
    next: "check that the scanner is installed and has its database, then run the same command again",
  },
  "source-invalid": {
    class: "undetermined",
    meaning:
      "A file in which images are looked for cannot be read at this place, so nobody knows which images it names.",
    next: "correct the file at that place, or render the template first and name what comes out",
  },
  internal: {
    class: "undetermined",
    meaning: "Countersign itself failed. Nothing was accepted.",
    next: "please report it, with the output of the same command under --debug",
  },

  // --- usage: nothing was checked ----------------------------------------------------------------------------------
  usage: {
    class: "usage",
    meaning: "The command line is not one of those described in --help.",
    next: "see countersign --help",
  },
  "reference-invalid": {
    class: "usage",
    meaning: "The image reference is malformed or could be read in two ways.",
    next: "write it as [registry/]repository[:tag][@digest]",
  },
  "key-invalid": {
    class: "usage",
    meaning: "The file or value is not a key of a supported kind.",
    next: "see countersign key --help for the kinds that are supported",
  },
  "key-weak": {
    class: "usage",
    meaning: "The key is too weak or of a kind that is not accepted.",
    next: "generate a new key with countersign key generate",
  },
  "key-password": {
    class: "usage",
    meaning: "The key file is encrypted or the token wants a PIN, and what was given does not open it.",
    next: "give the right password in COSIGN_PASSWORD, at the prompt or on standard input",
  },
  "key-published": {
    class: "usage",
    meaning: "This key is published as an example, so anyone can sign with it; only a loopback registry accepts it.",
    next: "make a key of your own with countersign key generate",
  },
  "configuration-invalid": {
    class: "usage",
    meaning: "A configuration file, a credential helper's answer or an environment variable cannot be used.",
    next: "correct the named file or variable",
  },
  "trust-invalid": {
    class: "usage",
    meaning: "A trust root or a signing configuration cannot be used.",
    next: "get the file again from the authority's operator",
  },
  "no-pin": {
    class: "usage",
    meaning: "Signed tags are demanded and no root is pinned for the repository, so nothing says whom to believe.",
    next: "pin the root that the publisher names: countersign trust pin",
  },
  "role-key-missing": {
    class: "usage",
    meaning: "No key on this machine may sign this for the repository.",
    next: "name the key with --key, or ask who maintains the repository to add you: countersign trust signer add",
  },
  "policy-invalid": {
    class: "usage",
    meaning: "A policy, or what it names, cannot be used.",
    next: "correct the policy at the place that is named; countersign policy check says all that is wrong with it",
  },
  "policy-untrusted": {
    class: "usage",
    meaning:
      "A policy that was fetched, or a list that a policy names, is not signed by who has to sign it, or is another one than was pinned.",
    next: "ask whoever keeps it; use none that nobody answers for",
  },
  "token-invalid": {
    class: "usage",
    meaning: "An identity token is not one, has expired, or is meant for somebody else.",
    next: "get a new token with the audience that the authority asks for",
  },
  "identity-missing": {
    class: "usage",
    meaning: "Nothing says who signs: no key, no token, and no pipeline that gives one.",
    next: "give --key or --identity-token, or run where the pipeline offers an identity token",
  },
  "consent-missing": {
    class: "usage",
    meaning: "Signing would publish something for ever, and nobody agreed to it.",
    next: "say yes at the question, or give --yes",
  },
  "destination-exists": {
    class: "usage",
    meaning: "The destination exists already and is not overwritten.",
    next: "choose another destination or remove it first",
  },
  "record-invalid": {
    class: "usage",
    meaning:
      "A lock file, plan, shard, journal or store cannot be used: damaged, of a newer version, or of another run.",
    next: "use the version that wrote it, or move the file away and start again",
  },
  unsupported: {
    class: "usage",
    meaning: "This cannot be done with this kind of source or destination.",
    next: "see the command's --help for the kinds it takes",
  },

  // --- the other two ------------------------------------------------------------------------------------------------
  "credentials-missing": {
    class: "credentials",
    meaning: "The registry wants credentials and none were found for it.",
    next: "log in with docker login or podman login, or give --registry-username and --registry-password-stdin",
  },
  interrupted: {
    class: "interrupted",
    meaning: "Stopped by a signal. Nothing half-written is left.",
    next: "run the same command again",
  },
} as const satisfies Record<string, Reason>;

export type ReasonCode = keyof typeof REASONS;

/** The class of a reason: it alone decides between refused, undetermined and the rest. */
export function reasonClass(code: ReasonCode): ReasonClass {
  return REASONS[code].class;
}
