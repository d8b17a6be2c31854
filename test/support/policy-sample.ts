import type { PolicyDocument } from "../../src/core/policy/document.ts";
import { parsePolicy } from "../../src/core/policy/parse.ts";

export const SAMPLE_DIGEST = `sha256:${"0".repeat(64)}`;

/** A policy that says everything that one can say. */
export const SAMPLE_POLICY = `apiVersion: countersign/v1
kind: Policy
identities:
  alice: {key: alice.pub, trustedFrom: 2026-01-01, distrustedSince: "2027-01-01T00:00:00Z"}
  bob:
    keys:
      - {key: bob-2025.pub, distrustedSince: 2026-09-01T00:00:00Z}
      - {key: ../keys/bob-2026.pub, trustedFrom: 2026-09-01}
    trust: acme
    proof: {timestamps: 1, logs: 0, certificateLogs: 0}
  inline:
    key: |
      -----BEGIN PUBLIC KEY-----
      MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
      -----END PUBLIC KEY-----
  release: {github: {repository: acme/app, workflow: release.yml, ref: refs/tags/*}}
  anything-of-acme: {github: {owner: acme, claims: {runner-environment: github-hosted}}, trust: github}
  dana:
    keyless:
      subject: dana@acme.example
      issuer: https://login.acme.example
      claims: {source-repository-ref: {pattern: refs/heads/.*}, build-trigger: push}
    trust: lab
    trustedFrom: 2026-01-01
    proof: {logs: 1}
  builders:
    keyless: {subjectPattern: 'https://ci\\.acme\\.example/builds/.*', issuerPattern: 'https://(a|b)\\.acme\\.example'}
roles:
  maintainers: [alice, bob]
  scanners: dana
trust:
  acme: {trustedRoot: acme-root.json, logs: 0, timestamps: 1, certificateLogs: 0}
  lab: {instance: lab}
withdrawn:
  - {file: withdrawn.json, name: production, by: dana, maxAge: 7d}
  - {artifact: "oci://registry.example/policies/withdrawn:latest", by: [maintainers, dana]}
rules:
  - name: acme images come from their release workflow
    images: [registry.example/acme/app, registry.example/acme/]
    require:
      all:
        - signature: {by: release, maxAge: 90d, annotations: {env: prod}, nameBinding: true}
        - signature: {by: maintainers, threshold: 2}
        - threshold: {count: 2, of: [{signature: {by: alice}}, {attestation: {type: test-result, by: [bob, release]}}]}
        - attestation:
            type: [slsaprovenance1, "https://example.com/type/v1"]
            by: release
            threshold: 1
            maxAge: 36h
            where: ['predicate.buildDefinition.buildType == "https://example.com/build"', "size(subject) == 1"]
        - vulnerabilities:
            scannedBy: scanners
            maxAge: 7d
            severityAtMost: medium
            fixableOnly: true
            vex: {by: alice, maxAge: 90d}
            except:
              - {id: CVE-2026-1, owner: dana@acme.example, reason: not called, expires: 2027-01-31}
        - any: [{signature: {by: inline}}, {never: nobody else}]
    mode: enforce
    platforms: each
    signedAs: [docker.io/acme/app, {prefix: mirror.example/, signedPrefix: docker.io/}]
    exceptions:
      - {digest: "${SAMPLE_DIGEST}", owner: dana@acme.example, reason: the old one, expires: 2027-01-31T12:00:00Z}
      - {digests: ["${SAMPLE_DIGEST}"], images: registry.example/acme/x, owner: dana, reason: why, expires: 2027-02-01}
  - images: ["registry.example/*/tools-**", "registry.example/acme/app:1.4", "registry.example/x@${SAMPLE_DIGEST}"]
    require: {signature: {by: [anything-of-acme, builders]}}
    mode: warn
    platforms: index
    signedTag: required
    maxBindingAge: 90d
    digestPulls: signed
  - images: registry.example/old/
    require: {never: "this registry was closed"}
`;

export function samplePolicy(): PolicyDocument {
  return policyOf(SAMPLE_POLICY);
}

export function policyOf(text: string): PolicyDocument {
  return parsePolicy(Buffer.from(text), "policy.yaml");
}

/** A policy of these rules, with two people, a role and a workflow. */
export function policyWith(rules: string): PolicyDocument {
  return policyOf(`${HEAD}rules:\n${rules}`);
}

export const HEAD = `apiVersion: countersign/v1
identities:
  alice: {key: alice.pub}
  bob: {key: bob.pub}
  release: {github: {repository: acme/app}}
roles: {team: [alice, bob]}
`;

/** A document without what its text does not say: where things stand in it. */
export function withoutPlaces(document: PolicyDocument): unknown {
  return strip({ ...document, label: "", digest: "" });
}

function strip(value: unknown): unknown {
  if (value instanceof Map) return new Map([...value].map(([name, member]) => [name, strip(member)]));
  if (Array.isArray(value)) return value.map(strip);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).filter(([name, member]) => name !== "place" || typeof member === "string");
  return Object.fromEntries(members.map(([name, member]) => [name, strip(member)]));
}
