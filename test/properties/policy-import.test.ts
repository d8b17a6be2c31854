import assert from "node:assert/strict";
import fc from "fast-check";
import { encodeUtf8 } from "../../src/core/bytes.ts";
import { digestOf } from "../../src/core/oci/digest.ts";
import type { Dialect } from "../../src/core/policy/convert/conversion.ts";
import { importPolicy } from "../../src/core/policy/convert/convert.ts";
import {
  containersAccepts,
  type Evidence,
  pemOf,
  policyControllerAccepts,
  type Shown,
  weAcceptKeys,
} from "../support/foreign-policies.ts";
import { property } from "../support/property.ts";

const DIGEST = digestOf(encodeUtf8("a"));
const REPOSITORIES = ["registry.example/a", "registry.example/a/b", "registry.example/ab", "other.example/a"];
const NAMES = ["alice", "bob", "carol"];

/** What a signer has signed, in every form that it could be in. */
const facts = fc.uniqueArray(
  fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom<Evidence["kind"]>("signature", "slsaprovenance1")),
  {
    maxLength: 5,
    selector: ([by, kind]) => `${by} ${kind}`,
  },
);
const shown: fc.Arbitrary<Shown> = fc
  .record({ repository: fc.constantFrom(...REPOSITORIES), tag: fc.constantFrom("1", "2"), facts })
  .map(({ repository, tag, facts: of }) => ({
    repository,
    tag,
    digest: DIGEST,
    evidence: of.flatMap(([by, kind]) =>
      (["legacy", "bundle"] as const).map((form) => ({ by, kind, form, names: repository })),
    ),
  }));

function acceptsNoMore(
  content: string,
  dialect: Dialect,
  images: readonly Shown[],
  theirs: (image: Shown) => boolean,
): void {
  const { document } = importPolicy(encodeUtf8(content), "imported", dialect);
  for (const image of images) {
    if (weAcceptKeys(document, image)) assert.ok(theirs(image), `${JSON.stringify(image)}\n${content}`);
  }
}

const keyData = fc.constantFrom(...NAMES).map((name) => Buffer.from(pemOf(name)).toString("base64"));
const requirement = fc.oneof(
  fc.constant({ type: "insecureAcceptAnything" }),
  fc.constant({ type: "reject" }),
  fc.record({ type: fc.constant("sigstoreSigned"), keyData, signedIdentity: fc.constant({ type: "matchRepository" }) }),
  fc.record({
    type: fc.constant("sigstoreSigned"),
    keyDatas: fc.array(keyData, { minLength: 1, maxLength: 2 }),
    signedIdentity: fc.constant({ type: "matchRepository" }),
  }),
);
const requirements = fc.array(requirement, { minLength: 1, maxLength: 3 });
const SCOPES = [
  "",
  "registry.example",
  "registry.example/a",
  "registry.example/a/b",
  "registry.example/a:1",
  `registry.example/a@${DIGEST}`,
  "*.example",
];
const policyJson = fc
  .record({ default: requirements, scopes: fc.dictionary(fc.constantFrom(...SCOPES), requirements, { maxKeys: 4 }) })
  .map(({ default: fallback, scopes }) => JSON.stringify({ default: fallback, transports: { docker: scopes } }));

property(
  "an imported policy.json accepts no more than it did",
  [policyJson, fc.array(shown, { minLength: 4, maxLength: 8 })],
  (content, images) => {
    // By tag: by digest their scopes with tags are passed over, and ours are asked about the same bytes.
    acceptsNoMore(content, "containers", images, (image) => containersAccepts(content, image, false));
  },
);

const GLOBS = [
  "**",
  "registry.example/**",
  "registry.example/a*",
  "registry.example/a**",
  "registry.example/a/*",
  "*.example/**",
  "registry.example/a@*",
  `registry.example/a@${DIGEST}`,
  "registry.example/a",
  "registry.example/a:1",
];
const authority = fc.oneof(
  fc.constantFrom("pass", "fail").map((action) => ({ name: "static", static: { action } })),
  fc.constantFrom(...NAMES).map((name) => ({ name, key: { data: pemOf(name) } })),
  fc.constantFrom(...NAMES).map((name) => ({
    name,
    key: { data: pemOf(name) },
    attestations: [{ name: "slsa", predicateType: "https://slsa.dev/provenance/v1" }],
  })),
);
const clusterPolicy = fc
  .record({
    images: fc.uniqueArray(fc.constantFrom(...GLOBS), { minLength: 1, maxLength: 2 }),
    authorities: fc.array(authority, { minLength: 1, maxLength: 2 }),
    mode: fc.constantFrom("enforce", "enforce", "warn"),
  })
  .map(({ images, ...spec }) => ({
    apiVersion: "policy.sigstore.dev/v1beta1",
    kind: "ClusterImagePolicy",
    metadata: { name: "p" },
    spec: { images: images.map((glob) => ({ glob })), ...spec },
  }));
const clusterPolicies = fc
  .array(clusterPolicy, { minLength: 1, maxLength: 4 })
  .map((all) => all.map((one) => JSON.stringify(one)).join("\n---\n"));

property(
  "imported ClusterImagePolicies accept no more than they did",
  [clusterPolicies, fc.array(shown, { minLength: 4, maxLength: 8 })],
  (content, images) => {
    acceptsNoMore(content, "policy-controller", images, (image) => policyControllerAccepts(content, image));
  },
);

interface Check {
  readonly names: readonly string[];
  readonly isStatement: boolean;
  readonly least: number;
}

interface ImagePolicy {
  readonly globs: readonly string[];
  readonly checks: readonly Check[];
  readonly denies: boolean;
}

const imagePolicy = fc.record<ImagePolicy>({
  globs: fc.uniqueArray(
    fc.constantFrom(
      "*",
      "registry.example/*",
      "registry.example/a*",
      "registry.example/a:*",
      "registry.example/a:1",
      "registry.example/a/?",
    ),
    { maxLength: 2 },
  ),
  checks: fc.array(
    fc.record<Check>({
      names: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 3 }),
      isStatement: fc.boolean(),
      least: fc.constantFrom(1, 1, 2),
    }),
    { minLength: 1, maxLength: 2 },
  ),
  denies: fc.constantFrom(true, true, false),
});

function imageValidatingPolicy({ globs, checks, denies }: ImagePolicy): unknown {
  return {
    apiVersion: "policies.kyverno.io/v1",
    kind: "ImageValidatingPolicy",
    metadata: { name: "p" },
    spec: {
      validationActions: [denies ? "Deny" : "Audit"],
      ...(globs.length > 0 && { matchImageReferences: globs.map((glob) => ({ glob })) }),
      attestors: NAMES.map((name) => ({
        name,
        cosign: { key: { data: pemOf(name) }, ctlog: { insecureIgnoreTlog: true } },
      })),
      attestations: [{ name: "slsa", intoto: { type: "https://slsa.dev/provenance/v1" } }],
      validations: checks.map(({ names, isStatement, least }) => {
        const list = `[${names.map((name) => `attestors.${name}`).join(", ")}]`;
        const call = isStatement
          ? `verifyAttestationSignatures(image, attestations.slsa, ${list})`
          : `verifyImageSignatures(image, ${list})`;
        return { expression: `images.containers.map(image, ${call}).all(e, e >= ${least})` };
      }),
    },
  };
}

function kyvernoAdmits({ globs, checks, denies }: ImagePolicy, { repository, tag, evidence }: Shown): boolean {
  const matches = (glob: string) =>
    new RegExp(`^${glob.replaceAll(".", "\\.").replaceAll("*", ".*").replaceAll("?", ".")}$`).test(
      `${repository}:${tag ?? "latest"}`,
    );
  if (!denies || (globs.length > 0 && !globs.some(matches))) return true;
  return checks.every(({ names, isStatement, least }) => {
    const found = names.filter((name) =>
      evidence.some(({ by, kind }) => by === name && (kind === "slsaprovenance1") === isStatement),
    );
    return found.length >= least;
  });
}

property(
  "imported ImageValidatingPolicies accept no more than they did",
  [fc.array(imagePolicy, { minLength: 1, maxLength: 3 }), fc.array(shown, { minLength: 4, maxLength: 8 })],
  (policies, images) => {
    const content = policies.map((one) => JSON.stringify(imageValidatingPolicy(one))).join("\n---\n");
    acceptsNoMore(content, "kyverno", images, (image) => policies.every((one) => kyvernoAdmits(one, image)));
  },
);
