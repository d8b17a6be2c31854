import assert from "node:assert/strict";
import { ECDH, generateKeyPairSync } from "node:crypto";
import { describe, it } from "node:test";
import { formatPem } from "../../../src/core/crypto/pem.ts";
import { parsePublicKey } from "../../../src/core/crypto/public-key.ts";
import type { UntrustedCandidate } from "../../../src/core/formats/envelope.ts";
import { rejectedBy } from "../../support/codes.ts";
import { believing, judgedBy, policyText, rulebookOf, type World } from "../../support/policies.ts";
import { bundleOf, legacyOf, testSigner, testSubject } from "../../support/signatures.ts";
import type { IssueOptions } from "../../support/sigstore/authority.ts";
import { bundleCandidate, fakeSigstore, signKeyless } from "../../support/sigstore/sign.ts";

/** One person who wants to be counted as two. */

const subject = testSubject();
const { digest } = subject.descriptor;
const sigstore = fakeSigstore();
const believed = await believing(sigstore);
const alice = testSigner("alice.pub");
const ISSUER = "https://issuer.example.com";

function signed(certificate: Partial<IssueOptions>): UntrustedCandidate {
  return bundleCandidate(signKeyless(sigstore, { certificate }));
}

/** Whether two are counted, in either way of asking for two. */
async function areTwo(
  identities: Readonly<Record<string, string>>,
  candidates: readonly UntrustedCandidate[],
  world: World = {},
): Promise<boolean> {
  const names = Object.keys(identities);
  const [first = "", last = first] = [names[0], names.at(-1)];
  const requires = [
    `{signature: {by: [${names.join(", ")}], threshold: 2}}`,
    `{threshold: {count: 2, of: [{signature: {by: ${first}}}, {signature: {by: ${last}}}]}}`,
  ];
  const statuses = await Promise.all(
    requires.map(async (require) => {
      const rulebook = rulebookOf(policyText(identities, require), { roots: { "": [believed] }, ...world });
      return (await judgedBy(rulebook, { subject, candidates })).status;
    }),
  );
  assert.equal(statuses[0], statuses[1]);
  return statuses[0] === "accepted";
}

describe("one key", () => {
  it("is one person under two names, in two files, in two forms of signatures", async () => {
    const again = { ...alice.publicKey, label: "again.pub" };
    const keys = { "alice.pub": alice.publicKey, "again.pub": again };
    const candidates = [bundleOf(alice, digest), bundleOf(alice, digest, { n: "2" }), legacyOf(alice, digest)];
    assert.equal(await areTwo({ a: "{key: alice.pub}", b: "{key: again.pub}" }, candidates, { keys }), false);
  });

  it("is one person with a third name that has keys of two", async () => {
    const bob = testSigner("bob.pub");
    const keys = { "alice.pub": alice.publicKey, "bob.pub": bob.publicKey };
    const named = { a: "{key: alice.pub}", both: "{keys: [{key: alice.pub}, {key: bob.pub}]}", b: "{key: bob.pub}" };
    await rejectedBy(() => areTwo(named, [], { keys }), "policy-invalid");
    const files = { ...keys, "alice2.pub": alice.publicKey, "bob2.pub": bob.publicKey };
    const hidden = { ...named, both: "{keys: [{key: alice2.pub}, {key: bob2.pub}]}" };
    const candidates = [bundleOf(alice, digest), bundleOf(bob, digest)];
    const all = "{signature: {by: [a, both, b], threshold: 2}}";
    const { status } = await judgedBy(rulebookOf(policyText(hidden, all), { keys: files }), { subject, candidates });
    assert.equal(status, "refused");
  });

  it("has one encoding: a compressed point is no key", async () => {
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
    const der = publicKey.export({ type: "spki", format: "der" });
    const point = ECDH.convertKey(der.subarray(-65), "prime256v1", undefined, undefined, "compressed");
    assert.ok(point instanceof Uint8Array);
    const algorithm = der.subarray(2, der.length - 68);
    const body = Buffer.concat([algorithm, Buffer.from([3, point.length + 1, 0]), point]);
    const compressed = formatPem({
      label: "PUBLIC KEY",
      content: Buffer.concat([Buffer.from([0x30, body.length]), body]),
    });
    await rejectedBy(async () => parsePublicKey(compressed, "the key"), "key-invalid");
  });
});

describe("one certificate's subject", () => {
  const keyless = (subjectPattern: string, issuer = ISSUER, more = ""): string =>
    `{keyless: {subjectPattern: '${subjectPattern}', issuer: '${issuer}'${more}}}`;

  it("is one person by whichever name and claims it is wanted, and in whichever case an address is written", async () => {
    const candidates = ["push", "schedule"].map((trigger, n) =>
      signed({
        subject: { email: n === 0 ? "dev@example.com" : "DEV@example.com" },
        claims: { "build-trigger": trigger },
      }),
    );
    const named = {
      a: keyless("(?i)dev@example[.]com", ISSUER, ", claims: {build-trigger: push}"),
      b: keyless("(?i)dev@.*", ISSUER, ", claims: {build-trigger: schedule}"),
    };
    assert.equal(await areTwo(named, candidates), false);
  });

  const RUNNERS: readonly (readonly [what: string, issuer: string, uri: string])[] = [
    ["GitHub's", "https://token.actions.githubusercontent.com", "https://github.com/acme/app/.github/workflows/r.yml"],
    [
      "an enterprise's",
      "https://token.actions.githubusercontent.com/acme",
      "https://github.com/acme/app/.github/workflows/r.yml",
    ],
    ["GitLab's", "https://gitlab.com", "https://gitlab.com/acme/app//.gitlab-ci.yml"],
  ];
  for (const [what, issuer, uri] of RUNNERS) {
    it(`is one person where ${what} job ran for two tags, and two where two jobs did`, async () => {
      const at = (job: string, tag: string) => signed({ subject: { uri: `${job}@refs/tags/${tag}` }, issuer });
      const named = { a: keyless("https://.*@refs/tags/.*", issuer) };
      assert.equal(await areTwo(named, [at(uri, "v1"), at(uri, "v2"), at(uri, "v1@refs/tags/v3")]), false);
      assert.equal(await areTwo(named, [at(uri, "v1"), at(uri.replace("app", "tools"), "v1")]), true);
    });
  }
});
