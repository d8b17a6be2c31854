import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Audit } from "../../../../src/core/audit/audit.ts";
import { auditJunit } from "../../../../src/report/audit/junit.ts";
import { hiddenIn, imageOf, largeAudit, politeAudit, sampleAudit } from "../../../support/sample-audit.ts";
import { allOf, parseXml, type XmlElement } from "../../../support/xml.ts";

const suitesOf = (audit: Audit): XmlElement => parseXml(auditJunit(audit));
const number = ({ attributes }: XmlElement, name: string) => Number(attributes[name]);

describe("the audit's JUnit", () => {
  it("is well-formed, whatever names and messages say", () => {
    const root = suitesOf(sampleAudit());
    assert.equal(root.name, "testsuites");
    assert.ok(allOf(root, "testcase").length > 100);
  });

  it("has no character that XML 1.0 forbids, and none that hides", () => {
    assert.deepEqual(hiddenIn(auditJunit(sampleAudit())), []);
  });

  it("gives nobody's text a line of its own", () => {
    const text = auditJunit(sampleAudit());
    assert.deepEqual(
      text.split("\n").filter((line) => /^(?:two|three)/.test(line)),
      [],
    );
  });

  it("counts as failures what was refused, and as errors what could not be looked at or read", () => {
    const root = suitesOf(politeAudit());
    const refused = politeAudit()
      .images.filter(({ verdict }) => verdict === "refused")
      .flatMap(({ uses }) => uses);
    assert.equal(number(root, "failures"), refused.length);
    assert.equal(allOf(root, "failure").length, refused.length);
    assert.equal(number(root, "errors"), 3 + 2);
    assert.equal(allOf(root, "error").length, 5);
  });

  it("counts in every suite what is in it", () => {
    for (const suite of allOf(suitesOf(sampleAudit()), "testsuite")) {
      assert.equal(number(suite, "tests"), allOf(suite, "testcase").length);
      assert.equal(number(suite, "failures"), allOf(suite, "failure").length);
      assert.equal(number(suite, "errors"), allOf(suite, "error").length);
    }
  });

  it("says with a failure what was found, what was wanted, and what to do", () => {
    const [failure] = allOf(suitesOf(politeAudit()), "failure");
    assert.equal(failure?.attributes["type"], "wrong-identity");
    assert.equal(failure?.attributes["message"], "wrong-identity: no wanted identity signed this digest");
    assert.match(failure?.text ?? "", /^ {2}found {3}build\.yml of acme\/app/m);
    assert.match(failure?.text ?? "", /^ {2}wanted {2}release\.yml of acme\/app/m);
    assert.match(failure?.text ?? "", /^ {2}next {4}release 1\.4\.3/m);
    assert.match(failure?.text ?? "", /^deploy\/shop\/web\.yaml:12:16$/m);
  });

  it("names the file and the line of a case, and none for what is no file", () => {
    const cases = allOf(suitesOf(politeAudit()), "testcase");
    const inFile = cases.find(({ attributes }) => attributes["classname"] === "deploy/shop/jobs.yaml");
    assert.deepEqual([inFile?.attributes["file"], inFile?.attributes["line"]], ["deploy/shop/jobs.yaml", "41"]);
    const inCluster = cases.find(({ attributes }) => attributes["classname"] === "cluster://production");
    assert.deepEqual([inCluster?.attributes["file"], inCluster?.attributes["line"]], [undefined, undefined]);
  });

  it("lets pass what is accepted, and says what may change", () => {
    const root = suitesOf(politeAudit({ images: [imageOf("registry.example/a:1", { uses: [] })], problems: [] }));
    assert.deepEqual([number(root, "tests"), number(root, "failures"), number(root, "errors")], [1, 0, 0]);
    assert.match(allOf(root, "system-out")[0]?.text ?? "", /not pinned/);
  });

  it("has a case for every use of thousands of images", () => {
    assert.equal(number(suitesOf(largeAudit(3_000)), "tests"), 3_000);
  });
});
