import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit } from "../../../../src/core/audit/audit.ts";
import { auditText } from "../../../../src/report/audit/text.ts";
import { ANSI, PLAIN } from "../../../../src/report/style.ts";
import { digestFor, hiddenIn, imageOf, largeAudit, politeAudit, sampleAudit } from "../../../support/sample-audit.ts";

const textOf = (audit: Audit) => auditText(audit, { style: PLAIN });
const linesOf = (audit: Audit) => textOf(audit).split("\n");

describe("the audit's text", () => {
  it("prints nothing that a terminal acts on and nothing that hides, whoever wrote it", () => {
    assert.deepEqual(hiddenIn(textOf(sampleAudit())), []);
  });

  it("has no line that somebody else's text began", () => {
    const audit = sampleAudit({
      images: [imageOf("evil.example/a:1", { image: "evil.example/a\nrefused       good.example/b", pinned: false })],
      problems: [{ place: { source: "a\naccepted      all" }, finding: { code: "source-invalid", message: "b\nc" } }],
    });
    assert.deepEqual(
      linesOf(audit).filter((line) => /^(?:refused|c|accepted {6}all)/.test(line)),
      [],
    );
  });

  it("lists a bounded number of thousands of images, and says how many are left", () => {
    const text = textOf(largeAudit(20_000));
    assert.ok(text.split("\n").length < 1_000);
    assert.match(text, /^refused {7}1800 more; all of them with -o json$/m);
    assert.match(text, /^undetermined {2}900 more; all of them with -o json$/m);
    assert.match(text, /^accepted {6}\d+ pinned, and signed as wanted; all of them with -o json$/m);
  });

  it("calls nothing unsigned that could not be looked at", () => {
    const audit = politeAudit({ images: politeAudit().images.filter(({ verdict }) => verdict === "undetermined") });
    assert.doesNotMatch(textOf(audit), /unsigned|refused/);
  });

  it("puts first what needs action: refused, undetermined, moved, not pinned, and then the rest", () => {
    const rows = linesOf(politeAudit()).filter((line) => /^(?:refused|undetermined|accepted) {2,}\S+[/]/.test(line));
    const kinds = rows.map((line) => `${line.split(" ")[0]} ${/ (moved|no|yes) /.exec(line)?.[1]}`);
    assert.deepEqual([...new Set(kinds)], ["refused no", "undetermined no", "accepted moved", "accepted no"]);
  });

  it("lists what needs nothing as well where there is little of it", () => {
    const audit = politeAudit({ images: [imageOf(`registry.example/a@${digestFor("a")}`)] });
    assert.match(textOf(audit), /^accepted {6}registry\.example\/a@sha256:[0-9a-f]{12}… {2}release\.yml/m);
  });

  it("fits 120 columns where names are as long as names are", () => {
    assert.deepEqual(
      linesOf(politeAudit()).filter((line) => line.length > 120),
      [],
    );
  });

  it("gives a long name a line of its own instead of cutting it", () => {
    const image = `registry.example/${"long/".repeat(20)}name:1`;
    assert.match(textOf(politeAudit({ images: [imageOf(image)] })), new RegExp(`^accepted {6}${image}$`, "m"));
  });

  it("says what stops by cause and owner, and what to do", () => {
    const text = textOf(politeAudit());
    assert.match(text, /^What stops if this is enforced: 11 of 54 workloads, 3 more in doubt$/m);
    assert.match(text, /^ {2}wanted {8}release\.yml of acme\/app at refs\/tags\/\* {3}policy\.yaml:14$/m);
    assert.match(
      text,
      /^ {2}stops {9}team-shop: 3 workloads, 1 image: Deployment shop\/web, CronJob shop\/nightly, service app$/m,
    );
    assert.match(text, /^ {2}in doubt {6}team-data: 2 workloads/m);
    assert.match(text, /^ {2}next {10}release 1\.4\.3 through release\.yml, then verify again$/m);
    assert.match(
      text,
      /^ {2}1\. {12}sign registry\.example\/acme\/app:1\.4\.3@sha256:[0-9a-f]{12}… {3}wrong-identity$/m,
    );
  });

  it("says of nothing that it stops where everything is accepted", () => {
    const audit = politeAudit({ images: [imageOf("registry.example/a:1")], problems: [] });
    assert.doesNotMatch(textOf(audit), /stops|shortest way|unread/);
  });

  it("names every place that could not be read, with its line", () => {
    const text = textOf(politeAudit());
    assert.match(text, /^unread {8}2 places in which nobody knows which images are named$/m);
    assert.match(text, /^ {2}in {12}deploy\/broken\.yaml:7:3 {3}source-invalid$/m);
  });

  it("ends with what was counted, what was wanted, and what weakened it", () => {
    const text = textOf(politeAudit());
    assert.match(text, /^audit {9}6 refused, 3 undetermined, 43 accepted, 2 places unread$/m);
    assert.match(text, /^ {2}images {8}52, named in 96 places; 23 not pinned, 1 behind a tag that has moved$/m);
    assert.match(text, /^ {2}weakened by {3}--insecure-ignore-sct$/m);
  });

  it("says of a shard that it is not all", () => {
    assert.match(textOf(politeAudit({ shard: { index: 2, count: 5 } })), /^ {2}shard {9}2 of 5: not all images$/m);
  });

  it("has colours only where they are asked for", () => {
    assert.match(auditText(politeAudit(), { style: ANSI }), /\u001b\[31mrefused/);
    assert.equal(auditText(politeAudit(), { style: ANSI }).replace(/\u001b\[\d+m/g, ""), textOf(politeAudit()));
  });
});
