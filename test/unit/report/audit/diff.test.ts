import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { AuditedImage } from "../../../../src/core/audit/audit.ts";
import { type AuditDiff, CHANGES, diffAudits } from "../../../../src/core/audit/diff.ts";
import { describeDiff, diffText } from "../../../../src/report/audit/diff.ts";
import { diffDocument } from "../../../../src/report/audit/diff-json.ts";
import { diffMarkdown } from "../../../../src/report/audit/diff-markdown.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";
import {
  digestFor,
  HOSTILE,
  imageOf,
  largeAudit,
  politeAudit,
  refusedOf,
  sampleAudit,
  workflowOf,
} from "../../../support/sample-audit.ts";

const SCHEMA: Schema = JSON.parse(
  readFileSync(new URL("../../../../docs/schemas/audit-diff.json", import.meta.url), "utf8"),
);
const APP = "registry.example/acme/app:1";

function diffOf(before: readonly AuditedImage[], after: readonly AuditedImage[]): AuditDiff {
  const side = (images: readonly AuditedImage[]) => politeAudit({ images, problems: [] });
  return diffAudits(side(before), side(after));
}

const TURNED = diffOf(
  [imageOf(APP, { signers: [workflowOf("acme/app", 0)] })],
  [
    refusedOf(APP, [
      {
        code: "wrong-identity",
        message: "another one signed",
        found: "build.yml",
        wanted: "release.yml",
        place: "policy.yaml:4",
      },
    ]),
  ],
);

describe("the text of a comparison", () => {
  it("says of an image what it was, why it is refused now, who is lost and who runs it", () => {
    const text = diffText(TURNED);
    for (const line of [
      /^newly refused +registry\.example\/acme\/app:1@sha256:[0-9a-f]{64} {3}wrong-identity$/m,
      /^ {2}was +accepted, signed by release\.yml of acme\/app/m,
      /^ {2}because +another one signed$/m,
      /^ {2}wanted +release\.yml {3}policy\.yaml:4$/m,
      /^ {2}signer lost +release\.yml of acme\/app/m,
      /^ {2}also +signer lost$/m,
      /^ {2}runs in +Deployment shop\/web \(deploy\/shop\/web\.yaml\)$/m,
      /^1 newly refused, 1 with a signer lost$/m,
    ]) {
      assert.match(text, line);
    }
  });

  it("says loudly, and first, that the audits asked for different things", () => {
    const { standard } = politeAudit();
    const diff = diffAudits(
      politeAudit({ standard: { wanted: "a.pub", digest: digestFor("a"), weakened: [] } }),
      politeAudit(),
    );
    const text = diffText(diff);
    assert.match(text, /^the audits asked for different things: a verdict may differ for that alone\n/);
    assert.ok(text.includes(`asked then    a.pub; everything that decides: ${digestFor("a")}`));
    assert.ok(text.includes(`asked now     policy.yaml (${standard.policy?.digest})`));
    assert.match(diffMarkdown(diff), /^> \*\*Careful:\*\* the audits asked for different things/m);
  });

  it("says that the older audit was named second", () => {
    const later = { ...politeAudit(), at: (politeAudit().at + 1000) as ReturnType<typeof politeAudit>["at"] };
    assert.match(diffText(diffAudits(later, politeAudit())), /^the first audit is the newer one/);
    assert.doesNotMatch(diffText(diffAudits(politeAudit(), later)), /newer one/);
  });

  it("does not say accepted or refused of what could not be looked at", () => {
    const throttled = { ...imageOf(APP), verdict: "undetermined" as const, signers: [] };
    const reasons = [
      { code: "wrong-key", message: "another key" } as const,
      { code: "throttled", message: "later" } as const,
    ];
    const text = diffText(diffOf([imageOf(APP)], [{ ...throttled, reasons }]));
    assert.match(text, /^newly undetermined .*throttled$/m);
    assert.doesNotMatch(text, /another key|signer lost|unsigned/);
  });

  it("is short however much is different, and says what it leaves out", () => {
    const diff = diffAudits(politeAudit({ images: [], problems: [] }), largeAudit(3_000));
    const text = diffText(diff);
    assert.ok(text.split("\n").length < 600);
    assert.match(text, /^newly refused +280 more, all of them with -o json$/m);
    assert.ok(diffMarkdown(diff).length < 65_536);
  });

  it("says that nothing is different", () => {
    assert.equal(describeDiff(diffOf([imageOf(APP)], [imageOf(APP)])), "nothing is different");
  });

  it("has a word for every change", () => {
    const image = {
      image: APP,
      before: undefined,
      after: imageOf(APP),
      signersLost: [],
      signersNew: [],
      workloads: [],
    };
    for (const change of CHANGES) {
      const diff = { ...diffOf([], []), images: [{ ...image, changes: [change] }] };
      assert.doesNotMatch(diffText(diff), /undefined/);
      assert.match(describeDiff(diff), /^1 [a-z ]+$/);
    }
  });
});

describe("what others wrote into two audits", () => {
  const diff = diffAudits(politeAudit({ problems: [] }), sampleAudit());

  it("is printed with its control characters escaped", () => {
    for (const text of [diffText(diff), diffMarkdown(diff)]) {
      assert.doesNotMatch(text, /[^\n\P{Cc}]|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}/u);
    }
  });

  it("makes no markup and no mention in a comment", () => {
    const code = /(`+)(?!`)(?:.*?[^`])\1(?!`)/g;
    const outside = diffMarkdown(diff).replace(code, "");
    assert.doesNotMatch(outside, /<script|<img|\]\(|@acme|hidden|\*\*bold/);
  });

  it("fits the schema", () => {
    assert.deepEqual(violations(JSON.parse(diffDocument(diff)), SCHEMA), []);
    assert.deepEqual(violations(JSON.parse(diffDocument(TURNED)), SCHEMA), []);
    assert.ok(HOSTILE.script.length > 0);
  });
});
