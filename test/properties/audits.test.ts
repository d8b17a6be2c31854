import assert from "node:assert/strict";
import fc from "fast-check";
import type { Audit, AuditedImage, AuditedSigner, Use } from "../../src/core/audit/audit.ts";
import { diffAudits } from "../../src/core/audit/diff.ts";
import { shortestFix } from "../../src/core/audit/fix.ts";
import { parseAudit } from "../../src/core/audit/parse.ts";
import { tallyWorkloads } from "../../src/core/audit/workloads.ts";
import type { Finding } from "../../src/core/errors.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { REASONS, type ReasonCode, reasonClass } from "../../src/core/reasons.ts";
import type { SourceProblem } from "../../src/core/sources/mention.ts";
import { instant } from "../../src/core/time.ts";
import { auditDocument } from "../../src/report/audit/json.ts";
import { property } from "../support/property.ts";

// --- any audit --------------------------------------------------------------------------------------------------------

/** Any characters, half pairs aside, which a document cannot say. */
const text = fc.string({ unit: "binary", maxLength: 12 });
const word = fc.constantFrom("a", "b", "web", "team-a", "deploy/a.yaml", "cluster://one");
const time = fc.integer({ min: 0, max: 4_000_000_000_000 }).map((milliseconds) => instant(milliseconds));
const digest = fc.constantFrom(..."abc").map((digit): Digest => `sha256:${digit.repeat(64)}` as Digest);
const codes = Object.keys(REASONS) as ReasonCode[];

function findings(class_: (code: ReasonCode) => boolean): fc.Arbitrary<Finding> {
  const code = fc.constantFrom(...codes.filter(class_));
  return part({ code, message: text, next: text }, { found: text, wanted: word, place: word });
}

/** An object with some of its optional members, and no member that is undefined. */
function part<Required, Optional>(
  required: { [Name in keyof Required]: fc.Arbitrary<Required[Name]> },
  optional: { [Name in keyof Optional]: fc.Arbitrary<Optional[Name]> },
): fc.Arbitrary<Required & Partial<Optional>> {
  const some = fc.record(optional, { requiredKeys: [] });
  return fc
    .tuple(fc.record(required), some)
    .map(([one, other]) => ({ ...one, ...other }) as Required & Partial<Optional>);
}

const finding = findings(() => true);
const place = part({ source: word }, { line: fc.integer({ min: 1 }), column: fc.integer({ min: 1 }) });
const workload = part({ kind: word, name: word }, { namespace: word, container: text, owner: word });
const use: fc.Arbitrary<Use> = part(
  { as: text, kind: fc.constantFrom("kubernetes" as const, "list" as const, "cluster" as const), place },
  { workload },
);
const signer: fc.Arbitrary<AuditedSigner> = part(
  {
    kind: fc.constantFrom("key" as const, "identity" as const),
    name: text,
    id: word,
    format: fc.constantFrom("bundle" as const, "cosign-legacy" as const),
  },
  { as: text, signedAt: time },
);
const verdict = fc.oneof(
  fc.constant({ verdict: "accepted", reasons: [] } as const),
  fc.record({
    verdict: fc.constant("refused" as const),
    reasons: fc.array(
      findings((code) => reasonClass(code) === "refused"),
      { minLength: 1, maxLength: 3 },
    ),
  }),
  fc.record({
    verdict: fc.constant("undetermined" as const),
    reasons: fc.array(
      findings((code) => reasonClass(code) === "undetermined"),
      { minLength: 1, maxLength: 3 },
    ),
  }),
);
const name = fc.constantFrom("r.example/a:1", "r.example/a:2", "r.example/b", `r.example/a:1@sha256:${"a".repeat(64)}`);
const facts = part(
  {
    image: name,
    name: text,
    warnings: fc.array(finding, { maxLength: 2 }),
    signers: fc.array(signer, { maxLength: 3 }),
    pinned: fc.boolean(),
    drift: fc.boolean(),
    checked: fc.array(text, { maxLength: 2 }),
    notChecked: fc.array(text, { maxLength: 2 }),
    uses: fc.array(use, { maxLength: 4 }),
  },
  {
    digest,
    because: text,
    rule: part({ place: text }, { name: text }),
    tagDigest: digest,
    tagFinding: finding,
    scannedAt: time,
  },
);
const image: fc.Arbitrary<AuditedImage> = fc.tuple(facts, verdict).map(([one, other]) => ({ ...one, ...other }));
const problem: fc.Arbitrary<SourceProblem> = fc.record({ place, finding });
const standard = part(
  { wanted: text, digest, weakened: fc.array(text, { maxLength: 2 }) },
  { policy: fc.record({ name: text, digest }) },
);
const whole: fc.Arbitrary<Audit> = fc.record({
  at: time,
  sources: fc.array(word, { maxLength: 3 }),
  plan: digest,
  standard,
  images: fc.array(image, { maxLength: 6 }),
  problems: fc.array(problem, { maxLength: 2 }),
});

// --- what holds for it ------------------------------------------------------------------------------------------------

property("an audit is read back from its document exactly, and written again byte for byte", [whole], (audit) => {
  const document = auditDocument(audit);
  const back = parseAudit(Buffer.from(document), "audit.json");
  assert.deepEqual(back, structuredClone(audit));
  assert.equal(auditDocument(back), document);
});

property(
  "the shortest fix frees each stopped workload once, and none that could not be looked at",
  [whole],
  (audit) => {
    const freed = shortestFix(audit).reduce((sum, { frees }) => sum + frees, 0);
    assert.ok(freed <= tallyWorkloads(audit).stopped);
    const looked = { ...audit, images: audit.images.filter(({ verdict }) => verdict !== "undetermined") };
    const all = shortestFix(looked).reduce((sum, { frees }) => sum + frees, 0);
    assert.equal(all, tallyWorkloads(looked).stopped);
  },
);

property(
  "an audit is not different from itself, and what is new one way is gone the other",
  [whole, whole],
  (one, other) => {
    assert.deepEqual(diffAudits(one, one).images, []);
    const count = (a: Audit, b: Audit, change: string) =>
      diffAudits(a, b).images.filter(({ changes }) => changes.some((found) => found === change)).length;
    const gone = count(other, { ...one, problems: [] }, "gone");
    assert.equal(count({ ...one, problems: [] }, other, "new"), gone);
  },
);

property("the document of an audit says nothing that a terminal would act on", [whole], (audit) => {
  const hidden = /[^\n\P{Cc}]|\p{Cf}|\p{Zl}|\p{Zp}|\p{Cs}/u;
  assert.doesNotMatch(auditDocument(audit), hidden);
});
