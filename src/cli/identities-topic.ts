import { workflowPattern } from "../core/trust/github-identity.ts";
import { CLAIMS, type ClaimName, GITHUB_ISSUER } from "../core/trust/identity.ts";
import { formatDocument } from "../report/json.ts";
import type { Result } from "./output.ts";

/** `countersign help identities`: how keyless signers are named, and every claim that can be asked for. */
export function identitiesTopic(): Result {
  return {
    text: (style) =>
      [
        INTRODUCTION,
        style.heading("Claims (--certificate-claim NAME=VALUE)"),
        `${CLAIM_LINES.join("\n")}\n`,
        style.heading("gh's flags"),
        GITHUB,
        style.heading("What has to be proven"),
        PROOFS,
      ].join("\n"),
    json: () =>
      formatDocument("help identities", {
        claims: CLAIM_NAMES.map((name) => ({ name, oid: `${ARC}.${CLAIMS[name]}`, meaning: MEANINGS[name] })),
      }),
  };
}

const ARC = "1.3.6.1.4.1.57264.1";

const INTRODUCTION = `A keyless signature carries a certificate that names its signer (an email address, a URI such as a workflow's, or a
user name) and the OIDC issuer that vouched for the name. Say both: a name means nothing without its issuer, at another
one anybody may call himself so.

  --certificate-identity, --certificate-oidc-issuer                 the text exactly, letter by letter
  --certificate-identity-regexp, --certificate-oidc-issuer-regexp   a pattern in RE2's syntax

A pattern has to match the whole text, from its first letter to its last. Other tools are content with a part:
^https://github.com/acme/ is met by no workflow here, https://github\\.com/acme/.* by every workflow of acme. The pattern
.* is met by every name: it is allowed, and means that whoever signed is welcome.

A certificate that names nobody, or more than one, is refused whatever is wanted.
`;

const MEANINGS: Readonly<Record<ClaimName, string>> = {
  "github-workflow-trigger": "GitHub: the event, such as push (older form)",
  "github-workflow-sha": "GitHub: the commit (older form)",
  "github-workflow-name": "GitHub: the workflow's name (older form)",
  "github-workflow-repository": "GitHub: the repository, owner/name (older form)",
  "github-workflow-ref": "GitHub: the ref, such as refs/heads/main (older form)",
  "build-signer-uri": "what signed: the workflow, a shared one too, with its ref",
  "build-signer-digest": "the commit of what signed",
  "runner-environment": "where it ran: github-hosted, self-hosted",
  "source-repository-uri": "the repository that was built",
  "source-repository-digest": "the commit that was built",
  "source-repository-ref": "the ref that was built",
  "source-repository-identifier": "the repository's number, which outlives its name",
  "source-repository-owner-uri": "the owner of the repository",
  "source-repository-owner-identifier": "the owner's number, which outlives the name",
  "build-config-uri": "the workflow that was started, with its ref",
  "build-config-digest": "the commit of the workflow that was started",
  "build-trigger": "the event that started it",
  "run-invocation-uri": "the run",
  "source-repository-visibility": "public, internal or private, when it was signed",
  "deployment-environment": "the environment that it deployed to",
  "token-subject": "the subject of the identity token",
};

const CLAIM_NAMES = Object.keys(CLAIMS) as readonly ClaimName[];
const CLAIM_LINES = CLAIM_NAMES.map((name) => `  ${name.padEnd(36)}${MEANINGS[name]}`);

const GITHUB = `--repo OWNER/NAME stands for these, case ignored (upper case stands for what you give):

  --certificate-oidc-issuer ${GITHUB_ISSUER}
  --certificate-identity-regexp '${workflowPattern("OWNER", "NAME")}'
  --certificate-claim source-repository-uri=https://github.com/OWNER/NAME

--owner OWNER stands for these:

  --certificate-oidc-issuer ${GITHUB_ISSUER}
  --certificate-identity-regexp '${workflowPattern("OWNER", undefined)}'
  --certificate-claim source-repository-owner-uri=https://github.com/OWNER

Where a workflow of another repository signs, name it with --certificate-identity (or -regexp) beside --repo: it then
takes the place of the pattern, and the repository still has to be the one that was built. Signatures by Sigstore's
public authority have to be in its log, those by GitHub's own need a timestamp of GitHub's; which of them made a
certificate is found out by its chain, and what it says of itself does not count.
`;

const PROOFS = `The certificate has to lead to an authority of the trust root, and to have been valid when the signature was made. By
default the signature has to be in one transparency log, the certificate in one certificate transparency log (SCT), and
the time has to be vouched for by the log or by a timestamp authority. Whatever is not asked for is named in the verdict
among what was not checked, and every flag that asks for less is named too:

  --use-signed-timestamps        a timestamp authority has to vouch for the time
  --insecure-ignore-tlog         no transparency log is needed
  --insecure-ignore-sct          no certificate transparency log is needed
  --insecure-use-current-time    where nothing proves the time, the certificate has to be valid now

With --key and --trusted-root, a log of the trust root has to hold the signature.
`;
