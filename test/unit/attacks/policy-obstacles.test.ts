import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Finding } from "../../../src/core/errors.ts";
import { judgeEach } from "../../../src/core/verify/platforms.ts";
import { judgedBy, policyText, rulebookOf } from "../../support/policies.ts";
import { bundleOf, testSigner, testSubject } from "../../support/signatures.ts";

/** Evidence that is kept from being read, beside bytes that were changed. */

const alice = testSigner("alice.pub");
const subject = testSubject();
const CHANGED: Finding = { code: "digest-mismatch", message: "other bytes" };
const THROTTLED: Finding = { code: "throttled", message: "on purpose" };
const EXCEPTED = "    exceptions: [{images: registry.example.com/, owner: ops, reason: why, expires: 2099-01-01}]\n";

async function judge(rule: string, obstacles: readonly Finding[], isSigned = false): Promise<string> {
  const rulebook = rulebookOf(policyText({ alice: "{key: alice.pub}" }, "{signature: {by: alice}}", rule), {
    keys: { "alice.pub": alice.publicKey },
  });
  const candidates = isSigned ? [bundleOf(alice, subject.descriptor.digest)] : [];
  return (await judgedBy(rulebook, { subject, candidates, obstacles })).status;
}

describe("bytes that do not match their digest", () => {
  for (const [what, rule] of [
    ["a rule that only warns", "    mode: warn\n"],
    ["an exception", EXCEPTED],
  ] as const) {
    it(`are not lifted by ${what}, whatever else could not be seen`, async () => {
      assert.equal(await judge(rule, [CHANGED]), "refused");
      assert.equal(await judge(rule, [CHANGED, THROTTLED]), "undetermined");
      assert.equal(await judge(rule, [THROTTLED]), "accepted");
      assert.equal(await judge(rule, [CHANGED, THROTTLED], true), "accepted", "what is met needs no lifting");
    });
  }
});

describe("a platform whose evidence was changed", () => {
  it("is not lifted with its index either", async () => {
    const rulebook = rulebookOf(
      policyText({ alice: "{key: alice.pub}" }, "{signature: {by: alice}}", "    platforms: each\n    mode: warn\n"),
      { keys: { "alice.pub": alice.publicKey } },
    );
    const judgement = await judgedBy(rulebook, { subject, candidates: [], obstacles: [CHANGED, THROTTLED] });
    const { descriptor } = testSubject("an index");
    const ruling = await rulebook.rulingOf({ repository: subject.repository, digest: descriptor.digest });
    const child = { descriptor: subject.descriptor, judgement };
    assert.equal(judgeEach([child], ruling, { ...subject, descriptor }, rulebook.now).status, "undetermined");
  });
});
