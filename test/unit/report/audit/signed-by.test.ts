import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import { parseWho, sightingsOf, signedBy } from "../../../../src/core/audit/signed-by.ts";
import { type SignedByAnswer, signedByDocument, signedByText } from "../../../../src/report/audit/signed-by.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";
import { ago, largeAudit, politeAudit, sampleAudit } from "../../../support/sample-audit.ts";

const SCHEMA: Schema = JSON.parse(
  readFileSync(new URL("../../../../docs/schemas/audit-signed-by.json", import.meta.url), "utf8"),
);
const DAY = 86_400_000;

function answerOf(who: string, audit = politeAudit(), days = 90): SignedByAnswer {
  const answer = signedBy(sightingsOf(audit), parseWho(who), ago(days * DAY));
  return { who, audits: [{ at: audit.at, sources: audit.sources }], answer };
}

describe("the answer to who signed", () => {
  it("tells what is proven from what is not, and what nobody could look at", () => {
    const text = signedByText(answerOf("releases"));
    assert.match(text, /^ {2}signed +2026-07-23T12:00:00Z, 40 days before the audit$/m);
    assert.match(text, /^ {2}signed +at a time that nothing proves$/m);
    assert.match(text, /^could not be looked at, and may be theirs as well\n {2}undetermined +quay\.example/m);
    assert.match(
      text,
      /\n\d+ signed since, \d+ at a time that nothing proves, 3 could not be looked at; of signatures that were accepted\n$/,
    );
  });

  it("says of nobody that no signature was accepted, not that they signed nothing", () => {
    const text = signedByText(answerOf("nobody"));
    assert.match(text, /nobody, of whom no signature was accepted/);
    assert.match(text, /0 signed since, 3 could not be looked at; of signatures that were accepted/);
  });

  it("is short however much they signed", () => {
    const text = signedByText(
      answerOf("https://github.com/acme/team-1/.github/workflows/release.yml@refs/tags/v1", largeAudit(20_000), 9000),
    );
    assert.match(text, /^\d+ more, all of them with -o json$/m);
    assert.ok(text.split("\n").length < 400);
  });

  it("prints nothing that a terminal would act on", () => {
    const hostile = sampleAudit().images.flatMap(({ signers }) => signers.map(({ as }) => as ?? ""));
    for (const who of hostile) {
      assert.doesNotMatch(signedByText(answerOf(who, sampleAudit())), /[^\n\P{Cc}]|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}/u);
    }
  });

  it("fits its schema", () => {
    for (const who of ["releases", "nobody", "SHA256:1f2e3d4c"]) {
      assert.deepEqual(violations(JSON.parse(signedByDocument(answerOf(who))), SCHEMA), []);
      assert.deepEqual(violations(JSON.parse(signedByDocument(answerOf(who, sampleAudit()))), SCHEMA), []);
    }
  });
});
