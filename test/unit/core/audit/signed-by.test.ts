import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AuditedSigner } from "../../../../src/core/audit/audit.ts";
import { isExact, matchesWho, parseWho, type Sighting, signedBy } from "../../../../src/core/audit/signed-by.ts";
import { instant } from "../../../../src/core/time.ts";
import { ago, imageOf, refusedOf, SAMPLE_AT, undeterminedOf, workflowOf } from "../../../support/sample-audit.ts";

const DAY = 86_400_000;
const HEX = "1f2e3d4c5b6a79880123456789abcdef0123456789abcdef0123456789abcdef";
const KEY: AuditedSigner = {
  kind: "key",
  name: `release.pub (SHA256:${HEX.slice(0, 16)}…)`,
  id: `SHA256:${HEX}`,
  as: "releases",
  format: "bundle",
};
const WORKFLOW = workflowOf("acme/app", 2 * DAY);
const PERSON: AuditedSigner = {
  kind: "identity",
  name: "ops@example.com (accounts.example.com)",
  id: "https://accounts.example.com ops@example.com",
  format: "bundle",
  signedAt: ago(DAY),
};

function seen(image: Sighting["image"], isCurrent = true): Sighting {
  return { at: SAMPLE_AT, isCurrent, image };
}

describe("whose signatures are asked for", () => {
  const means = (text: string) => [KEY, WORKFLOW, PERSON].filter((signer) => matchesWho(parseWho(text), signer));

  it("is a key by its fingerprint or the beginning of that, whatever its case", () => {
    for (const text of [KEY.id, `SHA256:${HEX.slice(0, 4)}`, `sha256:${HEX.toUpperCase()}`, HEX, HEX.slice(0, 12)]) {
      assert.deepEqual(means(text), [KEY], text);
    }
  });

  it("is an identity by its subject alone, or by issuer and subject", () => {
    assert.deepEqual(means("ops@example.com"), [PERSON]);
    assert.deepEqual(means(PERSON.id), [PERSON]);
    assert.deepEqual(means(WORKFLOW.id.split(" ")[1] ?? ""), [WORKFLOW]);
  });

  it("is whom the policy calls so, or whose key file is called so", () => {
    assert.deepEqual(means("releases"), [KEY]);
    assert.deepEqual(means("release.pub"), [KEY]);
    assert.deepEqual(means(WORKFLOW.name), [WORKFLOW]);
  });

  it("is nobody by a part of a name, by another issuer, or by a part of the middle of a fingerprint", () => {
    for (const text of [
      "ops@example.co",
      "s@example.com",
      "example.com",
      "https://accounts.example.com",
      "https://evil.example ops@example.com",
      "release",
      "Releases",
      HEX.slice(4, 20),
      `SHA256:${HEX.slice(0, 3)}`,
      "SHA256:",
      "",
      " ",
    ]) {
      assert.deepEqual(means(text), [], text);
    }
  });

  it("is exact where nobody else can be meant", () => {
    const exact = [KEY.id, HEX, PERSON.id];
    assert.deepEqual(
      exact.map((text) => isExact(parseWho(text))),
      [true, true, true],
    );
    const vague = ["ops@example.com", HEX.slice(0, 12), "releases", "release.pub"];
    assert.deepEqual(
      vague.map((text) => isExact(parseWho(text))),
      [false, false, false, false],
    );
  });
});

describe("what somebody signed since a time", () => {
  const key = parseWho(KEY.id);
  const since = ago(7 * DAY);
  const at = (days: number): AuditedSigner => ({ ...KEY, signedAt: ago(days * DAY) });
  const by = (name: string, ...signers: readonly AuditedSigner[]) => seen(imageOf(`r.example/${name}:1`, { signers }));

  it("is what is proven to be signed since then, the newest first", () => {
    const answer = signedBy(
      [by("old", at(9)), by("older", at(3)), by("newest", at(1)), by("other", PERSON)],
      key,
      since,
    );
    assert.deepEqual(
      answer.signed.map(({ image }) => image.image),
      ["r.example/newest:1", "r.example/older:1"],
    );
    assert.deepEqual([answer.unproven.length, answer.earlier], [0, 1]);
  });

  it("includes what was signed at that very time, and nothing a moment before", () => {
    const before = { ...KEY, signedAt: instant(since - 1) };
    const answer = signedBy([by("at", { ...KEY, signedAt: since }), by("before", before)], key, since);
    assert.deepEqual([answer.signed.length, answer.earlier], [1, 1]);
  });

  it("lists apart what is signed at a time that nothing proves: it may be since then", () => {
    const answer = signedBy([by("unproven", KEY), by("both", at(9), KEY)], key, since);
    assert.deepEqual([answer.signed.length, answer.unproven.length, answer.earlier], [0, 2, 0]);
    assert.equal(answer.unproven[0]?.signedAt, undefined);
  });

  it("has everything where no time is given, but unproven times stay so", () => {
    const answer = signedBy([by("old", at(900)), by("unproven", KEY)], key);
    assert.deepEqual([answer.signed.length, answer.unproven.length, answer.earlier], [1, 1, 0]);
  });

  it("has images that are refused for something else, with their signature", () => {
    const refused = seen(refusedOf("r.example/a:1", [{ code: "scan-old", message: "" }], { signers: [at(1)] }));
    assert.equal(signedBy([refused], key, since).signed.length, 1);
  });

  it("says what could not be looked at now, and nothing of what could not once", () => {
    const throttled = undeterminedOf("r.example/a:1", [{ code: "throttled", message: "" }]);
    assert.equal(signedBy([seen(throttled), seen(throttled, false)], key, since).unseen.length, 1);
  });

  it("names nobody where they signed nothing that was accepted", () => {
    const { signers, signed } = signedBy([by("other", PERSON)], key, since);
    assert.deepEqual([signers, signed], [[], []]);
  });

  it("names everybody who was meant, each once", () => {
    const twin = { ...KEY, id: `SHA256:${HEX.slice(0, 60)}0000` };
    const answer = signedBy([by("a", KEY), by("b", twin), by("c", KEY)], parseWho(`SHA256:${HEX.slice(0, 8)}`));
    assert.deepEqual(
      answer.signers.map(({ id }) => id),
      [twin.id, KEY.id],
    );
  });
});
