import { makeStatement } from "../../../src/core/formats/intoto.ts";
import { bundleOf, signKeyless } from "../sigstore/sign.ts";
import { MINUTE, NOW } from "../sigstore/times.ts";
import { ERIN, type Scene, workflow } from "./scene.ts";
import type { CaseSpec, PolicySpec } from "./spec.ts";

const BY_ERIN = "{signature: {by: erin}}";
const BY_RELEASE = "{signature: {by: release}}";

/** The rule with another identity of the usual name. */
function by(name: string, identity: string): PolicySpec {
  return { require: `{signature: {by: ${name}}}`, identities: { [name]: `${identity.slice(0, -1)}, trust: acme}` } };
}

function keyless(members: string): PolicySpec {
  return by("erin", `{keyless: {${members}}}`);
}

const EXACT = "subject: erin@example.com, issuer: https://login.example.com";

/** The same signature with one thing of it replaced. */
function altered(
  scene: Scene,
  change: (made: ReturnType<typeof signKeyless>) => Partial<ReturnType<typeof signKeyless>>,
) {
  const signed = signKeyless(scene.acme, { certificate: ERIN, what: { statement: makeStatement(scene.digest) } });
  return [
    { format: "bundle", origin: { via: "referrers-api" }, bytes: bundleOf({ ...signed, ...change(signed) }) } as const,
  ];
}

/** Signatures with certificates: who, and what proves it. */
export const KEYLESS_CASES: readonly CaseSpec[] = [
  {
    name: "keyless/exact",
    about: "the subject and the issuer that are wanted",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless(ERIN)],
    expected: "accepted",
  },
  {
    name: "keyless/another-subject",
    about: "somebody else of the same issuer",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless({ ...ERIN, subject: { email: "mallory@example.com" } })],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/another-issuer",
    about: "the same address, vouched for by another issuer",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless({ ...ERIN, issuer: "https://login.example.net" })],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/only-case-differs",
    about: "upper and lower case are different letters in a name that is wanted exactly",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless({ ...ERIN, subject: { email: "Erin@example.com" } })],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/pattern-matches-the-whole",
    about: "a pattern has to match the whole of a subject",
    policy: keyless("subjectPattern: '[a-z]+@example\\.com', issuer: https://login.example.com"),
    evidence: (scene) => [scene.keyless(ERIN)],
    expected: "accepted",
  },
  {
    name: "keyless/pattern-matches-a-part",
    about: "a pattern that matches a part of the subject does not do",
    policy: keyless("subjectPattern: '[a-z]+@example\\.com', issuer: https://login.example.com"),
    evidence: (scene) => [scene.keyless({ ...ERIN, subject: { email: "erin@example.com.evil.example" } })],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/issuer-pattern-matches-a-part",
    about: "the same of an issuer",
    policy: keyless("subject: erin@example.com, issuerPattern: 'https://login\\.example\\.com'"),
    evidence: (scene) => [scene.keyless({ ...ERIN, issuer: "https://login.example.com.evil.example" })],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/claim-met",
    about: "a claim of the certificate, exactly",
    policy: keyless(`${EXACT}, claims: {source-repository-ref: refs/heads/main}`),
    evidence: (scene) => [scene.keyless({ ...ERIN, claims: { "source-repository-ref": "refs/heads/main" } })],
    expected: "accepted",
  },
  {
    name: "keyless/claim-has-another-value",
    about: "the claim says something else",
    policy: keyless(`${EXACT}, claims: {source-repository-ref: refs/heads/main}`),
    evidence: (scene) => [scene.keyless({ ...ERIN, claims: { "source-repository-ref": "refs/heads/maine" } })],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/claim-is-absent",
    about: "a claim that is not there meets nothing",
    policy: keyless(`${EXACT}, claims: {source-repository-ref: {pattern: '.*'}}`),
    evidence: (scene) => [scene.keyless(ERIN)],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/claim-pattern-met",
    about: "a claim by a pattern",
    policy: keyless(`${EXACT}, claims: {source-repository-ref: {pattern: 'refs/tags/v[0-9.]+'}}`),
    evidence: (scene) => [scene.keyless({ ...ERIN, claims: { "source-repository-ref": "refs/tags/v1.4.2" } })],
    expected: "accepted",
  },
  {
    name: "keyless/workflow",
    about: "the release workflow at a tag",
    policy: { require: BY_RELEASE },
    evidence: (scene) => [scene.keyless(workflow())],
    expected: "accepted",
  },
  {
    name: "keyless/workflow-at-a-branch",
    about: "the release workflow at a branch",
    policy: { require: BY_RELEASE },
    evidence: (scene) => [scene.keyless(workflow("refs/heads/main"))],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/workflow-ref-deeper",
    about: "one star does not go across a slash",
    policy: { require: BY_RELEASE },
    evidence: (scene) => [scene.keyless(workflow("refs/tags/nightly/v1"))],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/another-workflow",
    about: "another workflow of the same repository",
    policy: { require: BY_RELEASE },
    evidence: (scene) => [scene.keyless(workflow(undefined, "build.yml"))],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/workflow-of-another-repository",
    about: "the same file in another repository of the same owner",
    policy: { require: BY_RELEASE },
    evidence: (scene) => [scene.keyless(workflow(undefined, undefined, "acme/app-fork"))],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/owner",
    about: "any workflow of an owner",
    policy: by("release", "{github: {owner: acme}}"),
    evidence: (scene) => [scene.keyless(workflow("refs/heads/main", "build.yml", "acme/tools"))],
    expected: "accepted",
  },
  {
    name: "keyless/another-owner",
    about: "an owner whose name only begins alike",
    policy: by("release", "{github: {owner: acme}}"),
    evidence: (scene) => [scene.keyless(workflow(undefined, undefined, "acme-evil/app"))],
    expected: "refused wrong-identity",
  },
  {
    name: "keyless/by-another-authority",
    about: "an authority that nobody believes vouches for the wanted name",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless(ERIN, {}, scene.evil)],
    expected: "refused certificate-untrusted",
  },
  {
    name: "keyless/signed-after-the-certificate",
    about: "the certificate had ended when it was used",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless({ ...ERIN, notBefore: NOW - 60 * MINUTE, notAfter: NOW - 50 * MINUTE })],
    expected: "refused certificate-untrusted",
  },
  {
    name: "keyless/certificate-in-no-log",
    about: "no log of certificates vouches for it",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless({ ...ERIN, sctBy: [] })],
    expected: "refused certificate-untrusted",
  },
  {
    name: "keyless/not-logged",
    about: "no log holds the signature, though an authority knows when it was made",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless(ERIN, { logs: [] })],
    expected: "refused log-entry-missing",
  },
  {
    name: "keyless/log-entry-of-another",
    about: "the log entry is about another signature",
    policy: { require: BY_ERIN },
    evidence: (scene) => altered(scene, () => ({ logEntries: signKeyless(scene.acme).logEntries })),
    expected: "refused log-entry-invalid",
  },
  {
    name: "keyless/at-no-time",
    about: "a log that tells no time, and nobody else does",
    policy: { require: BY_ERIN },
    evidence: (scene) => [scene.keyless(ERIN, { logs: [scene.acme.log2], timestampAuthorities: [] })],
    expected: "refused timestamp-missing",
  },
  {
    name: "keyless/timestamp-of-another",
    about: "the timestamp is about another signature",
    policy: { require: BY_ERIN },
    evidence: (scene) =>
      altered(scene, ({ certificates: [leaf] }) => ({
        timestamps: [scene.acme.timestampAuthority.timestamp(Buffer.from(leaf ?? []))],
      })),
    expected: "refused timestamp-invalid",
  },
  {
    name: "keyless/statement-exchanged",
    about: "certificate and log entry are those of another statement",
    policy: { require: BY_ERIN },
    evidence: (scene) => altered(scene, () => ({ statement: makeStatement(scene.digest, { env: "prod" }) })),
    expected: "refused log-entry-invalid",
  },
  {
    name: "keyless/demands-of-the-policy",
    about: "the policy wants a timestamp too, and there is none",
    policy: {
      require: BY_ERIN,
      members: ["trust:", "  acme: {trustedRoot: ../../trust/acme-root.json, timestamps: 1}"],
    },
    evidence: (scene) => [scene.keyless(ERIN)],
    expected: "refused timestamp-missing",
  },
  {
    name: "keyless/demands-met",
    about: "log and timestamp, as the policy wants them",
    policy: {
      require: BY_ERIN,
      members: ["trust:", "  acme: {trustedRoot: ../../trust/acme-root.json, timestamps: 1}"],
    },
    evidence: (scene) => [scene.keyless(ERIN, { timestampAuthorities: [scene.acme.timestampAuthority] })],
    expected: "accepted",
  },
  {
    name: "keyless/trust-of-the-case",
    about: "a policy that names no trust root is judged by the one beside the case",
    policy: { require: BY_ERIN, identities: { erin: `{keyless: {${EXACT}}}` } },
    evidence: (scene) => [scene.keyless(ERIN)],
    files: (scene) => ({ "trusted_root.json": scene.acme.trustedRoot }),
    expected: "accepted",
  },
  {
    name: "keyless/no-trust-beside-the-case",
    about: "without a trust root nothing is judged: what is on the machine has no say in a test",
    policy: { require: BY_ERIN, identities: { erin: `{keyless: {${EXACT}}}` } },
    evidence: (scene) => [scene.keyless(ERIN)],
    expected: "error trust-invalid",
  },
];
