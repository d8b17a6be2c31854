import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { ImageFacts } from "../../../../src/core/audit/audit.ts";
import { formatFacts, parseFacts } from "../../../../src/core/audit/facts.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";
import { digestFor, imageOf, refusedOf } from "../../../support/sample-audit.ts";

const IMAGE = "registry.example/acme/app:1";
const BYTES = 100_000;
const read = (text: string): ImageFacts => parseFacts(text, "a result", BYTES);

function factsOf(image: ReturnType<typeof imageOf>): ImageFacts {
  const { pinned, drift, uses, ...facts } = image;
  return facts;
}

const ACCEPTED = factsOf(
  imageOf(IMAGE, {
    scannedAt: instant(Date.UTC(2026, 7, 1, 3, 4, 5, 678)),
    tagDigest: digestFor("the tag"),
    tagFinding: { code: "throttled", message: "asked too often", next: "wait" },
    warnings: [{ code: "scan-old", message: "soon too old", place: "policy.yaml:31", next: "scan again" }],
  }),
);

function changed(changes: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...JSON.parse(formatFacts(ACCEPTED)), ...changes });
}

describe("facts on their way", () => {
  it("are read back as they were", () => {
    assert.deepEqual(read(formatFacts(ACCEPTED)), ACCEPTED);
  });

  it("are read back without a digest, a rule and a signer", () => {
    const { digest, rule, because, ...unresolved } = factsOf(
      refusedOf(IMAGE, [{ code: "manifest-invalid", message: "two ways to read it", next: "push it again" }]),
    );
    assert.deepEqual(read(formatFacts(unresolved)), unresolved);
  });

  it("carry the next step that goes with the code, so that everybody writes the same of it", () => {
    const facts = factsOf(refusedOf(IMAGE, [{ code: "unsigned", message: "there is no signature" }]));
    const [reason] = read(formatFacts(facts)).reasons;
    assert.match(reason?.next ?? "", /sign this digest/);
    assert.equal(formatFacts(read(formatFacts(facts))), formatFacts(facts));
  });

  it("are one line, whatever a registry has said", () => {
    const message = "one\r\ntwo\u2028\u001b[2J\ud800";
    const text = formatFacts(factsOf(refusedOf(IMAGE, [{ code: "unsigned", message }])));
    assert.doesNotMatch(text, /[\r\n\u001b]/);
    assert.equal(read(text).reasons[0]?.message, message.toWellFormed());
  });
});

describe("facts that are not what we write", () => {
  const refused: Readonly<Record<string, string>> = {
    "no JSON": "accepted",
    "an array": "[]",
    "an unknown member": changed({ trusted: true }),
    "a member of the plan": changed({ pinned: true }),
    "uses of their own": changed({ uses: [] }),
    "an unknown verdict": changed({ verdict: "fine" }),
    "an acceptance with reasons": changed({ reasons: [{ code: "unsigned", message: "none", next: "sign" }] }),
    "a refusal without a reason": changed({ verdict: "refused" }),
    "an unknown code": changed({ verdict: "refused", reasons: [{ code: "maybe", message: "none", next: "sign" }] }),
    "a digest that is none": changed({ digest: "sha256:12" }),
    "no digest and no null": changed({ digest: undefined }),
    "a time that is none": changed({ scannedAt: "yesterday" }),
    "a signer of an unknown format": changed({ signers: [{ kind: "key", name: "a", id: "b", format: "pgp" }] }),
    "an image that is no text": changed({ image: 7 }),
    "a member twice": formatFacts(ACCEPTED).replace("{", '{"image":"registry.example/other:1",'),
  };
  for (const [what, text] of Object.entries(refused)) {
    it(`are refused: ${what}`, () => {
      assert.match(thrownBy(() => read(text), "record-invalid").message, /^a result: /);
    });
  }

  it("are not read where they are larger than agreed", () => {
    thrownBy(() => parseFacts(formatFacts(ACCEPTED), "a result", 100), "limit-reached");
  });
});
