import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";
import type { Audit } from "../../../../src/core/audit/audit.ts";
import { auditSarif } from "../../../../src/report/audit/sarif.ts";
import { type Schema, violations } from "../../../support/json-schema.ts";
import { imageOf, largeAudit, politeAudit, refusedOf, sampleAudit, useOf } from "../../../support/sample-audit.ts";

const SCHEMA: Schema = JSON.parse(
  readFileSync(new URL("../../../vectors/sarif/sarif-schema-2.1.0.json", import.meta.url), "utf8"),
);

interface Location {
  readonly physicalLocation: {
    readonly artifactLocation: { readonly uri: string; readonly uriBaseId?: string };
    readonly region: { readonly startLine: number; readonly startColumn?: number };
  };
  readonly logicalLocations?: readonly { readonly fullyQualifiedName: string; readonly kind: string }[];
}

interface Result {
  readonly ruleId: string;
  readonly ruleIndex: number;
  readonly level: string;
  readonly message: { readonly text: string };
  readonly locations: readonly Location[];
  readonly partialFingerprints: Readonly<Record<string, string>>;
  readonly properties?: { readonly image?: string };
}

interface Run {
  readonly tool: {
    readonly driver: { readonly rules: readonly { readonly id: string; readonly help: { readonly text: string } }[] };
  };
  readonly columnKind: string;
  readonly invocations: readonly {
    readonly toolExecutionNotifications?: readonly { readonly message: { readonly text: string } }[];
  }[];
  readonly results: readonly Result[];
}

function textOf(audit: Audit): string {
  return auditSarif(audit, { version: "1.2.3" });
}

function runOf(audit: Audit): Run {
  const { runs } = JSON.parse(textOf(audit)) as { readonly runs: readonly [Run] };
  return runs[0];
}

const uriOf = (result: Result | undefined) => result?.locations[0]?.physicalLocation.artifactLocation.uri;

describe("the audit's SARIF", () => {
  it("is valid by the schema of SARIF 2.1.0, whatever names and messages say", () => {
    assert.deepEqual(violations(JSON.parse(textOf(sampleAudit())), SCHEMA), []);
  });

  it("is valid without a single image", () => {
    assert.deepEqual(violations(JSON.parse(textOf(politeAudit({ images: [], problems: [] }))), SCHEMA), []);
  });

  it("would not be valid by that schema with a line 0 or a member of our own", () => {
    const text = textOf(politeAudit());
    assert.notDeepEqual(violations(JSON.parse(text.replace('"startLine": 12', '"startLine": 0')), SCHEMA), []);
    assert.notDeepEqual(violations(JSON.parse(text.replace('"startLine": 12', '"row": 12')), SCHEMA), []);
    assert.notDeepEqual(
      violations(JSON.parse(text.replace('"deploy/shop/web.yaml"', '"deploy/ web.yaml"')), SCHEMA),
      [],
    );
  });

  it("has an error for every refused image, and no error for one that could not be looked at", () => {
    const audit = sampleAudit();
    const errors = new Set(
      runOf(audit)
        .results.filter(({ level }) => level === "error")
        .map(({ properties }) => properties?.image),
    );
    const refused = audit.images.filter(({ verdict }) => verdict === "refused");
    assert.equal(errors.size, refused.length);
    assert.ok(refused.length > 5);
    const undetermined = runOf(politeAudit()).results.filter(({ ruleId }) => ruleId === "throttled");
    assert.deepEqual(
      undetermined.map(({ level }) => level),
      ["warning", "warning"],
    );
  });

  it("tells each use at its line and column, counted as JavaScript counts them", () => {
    const run = runOf(politeAudit());
    const wrong = run.results.filter(({ ruleId }) => ruleId === "wrong-identity");
    assert.equal(run.columnKind, "utf16CodeUnits");
    assert.deepEqual(wrong.map(uriOf), ["deploy/shop/web.yaml", "deploy/shop/jobs.yaml", "compose.yaml"]);
    assert.deepEqual(wrong[1]?.locations[0]?.physicalLocation.region, { startLine: 41, startColumn: 16 });
    assert.equal(wrong[1]?.locations[0]?.logicalLocations?.[0]?.kind, "CronJob");
  });

  it("gives every location an artifact: code scanning refuses a whole file for one that has none", () => {
    const results = runOf(sampleAudit()).results;
    assert.ok(results.every(({ locations }) => locations.length > 0));
    const cluster = results.find(({ ruleId }) => ruleId === "not-found");
    assert.equal(uriOf(cluster), "cluster/production");
    assert.equal(
      cluster?.locations[0]?.logicalLocations?.[0]?.fullyQualifiedName,
      "cluster://production/CronJob shop/old-job",
    );
  });

  it("escapes what an address cannot hold, and never makes one that leads elsewhere", () => {
    const sources = [
      "./a b/ü.yaml",
      "c:/d.yaml",
      "javascript:alert(1)",
      "//evil.example/x",
      "/abs/e.yaml",
      "a\u202eb",
      "\ud800",
    ];
    const uses = sources.map((source, at) => useOf("a.example/b:1", { source, name: `w${at}` }));
    const results = runOf(
      politeAudit({ images: [refusedOf("a.example/b:1", [{ code: "unsigned", message: "none" }], { uses })] }),
    ).results;
    assert.deepEqual(results.filter(({ ruleId }) => ruleId === "unsigned").map(uriOf), [
      "a%20b/%C3%BC.yaml",
      "c%3A/d.yaml",
      "javascript%3Aalert%281%29",
      "file:////evil.example/x",
      "file:///abs/e.yaml",
      "a%E2%80%AEb",
      "%EF%BF%BD",
    ]);
  });

  it("has the same fingerprints when lines move, and others for another workload or reason", () => {
    const prints = (line: number, name: string, code: "unsigned" | "wrong-key") => {
      const uses = [useOf("a.example/b:1", { line, name })];
      const images = [refusedOf("a.example/b:1", [{ code, message: "x" }], { uses })];
      return runOf(politeAudit({ images, problems: [] })).results[0]?.partialFingerprints["countersign/v1"];
    };
    assert.equal(prints(3, "web", "unsigned"), prints(30, "web", "unsigned"));
    assert.notEqual(prints(3, "web", "unsigned"), prints(3, "api", "unsigned"));
    assert.notEqual(prints(3, "web", "unsigned"), prints(3, "web", "wrong-key"));
  });

  it("never has the same fingerprint twice, even for the same workload named twice", () => {
    const use = useOf("a.example/b:1");
    const images = [refusedOf("a.example/b:1", [{ code: "unsigned", message: "x" }], { uses: [use, use] })];
    const results = [...runOf(politeAudit({ images })).results, ...runOf(sampleAudit()).results.slice(0, 0)];
    const prints = results.map(({ partialFingerprints }) => partialFingerprints["countersign/v1"]);
    assert.equal(new Set(prints).size, prints.length);
  });

  it("gives code scanning the fingerprint that the upload cannot compute: of what stands in no line of a file", () => {
    const results = runOf(politeAudit()).results;
    const named = results.filter(
      ({ partialFingerprints }) => partialFingerprints["primaryLocationLineHash"] !== undefined,
    );
    assert.ok(named.length > 0);
    assert.ok(named.every((result) => uriOf(result)?.startsWith("cluster/")));
  });

  it("says of a file that it is not pinned, and not of a cluster", () => {
    const uses = [
      useOf("a.example/b:1"),
      useOf("a.example/b:1", { source: "cluster://x", kind: "cluster", line: undefined }),
    ];
    const results = runOf(politeAudit({ images: [imageOf("a.example/b:1", { uses })], problems: [] })).results;
    assert.deepEqual(
      results.map((result) => [result.ruleId, result.level, uriOf(result)]),
      [["unpinned", "warning", "deploy/shop/web.yaml"]],
    );
  });

  it("takes standard input for no file", () => {
    const uses = [useOf("a.example/b:1", { source: "-", kind: "list", line: 3 })];
    const results = runOf(
      politeAudit({
        images: [refusedOf("a.example/b:1", [{ code: "unsigned", message: "none" }], { uses })],
        problems: [],
      }),
    ).results;
    assert.deepEqual(
      results.map((result) => [result.ruleId, uriOf(result)]),
      [["unsigned", "standard-input"]],
    );
  });

  it("warns of a tag that has moved, and of what could not be read", () => {
    const results = runOf(politeAudit()).results;
    assert.deepEqual(
      results.filter(({ ruleId }) => ruleId === "tag-moved").map(({ level }) => level),
      ["warning"],
    );
    const unread = results.find(({ ruleId }) => ruleId === "source-invalid");
    assert.deepEqual(unread?.locations[0]?.physicalLocation.region, { startLine: 7, startColumn: 3 });
  });

  it("keeps to what code scanning takes, refused images first, and says what it left out", () => {
    const images = largeAudit(2).images.flatMap((image) => {
      const uses = Array.from({ length: 20_000 }, (_, at) => useOf(image.image, { line: at + 1, name: `w${at}` }));
      return [{ ...image, uses }];
    });
    const last = refusedOf("z.example/last:1", [{ code: "unsigned", message: "none" }]);
    const run = runOf(politeAudit({ images: [...images, last], problems: [] }));
    assert.equal(run.results.length, 25_000);
    assert.ok(run.results.some(({ properties }) => properties?.image === "z.example/last:1"));
    assert.match(run.invocations[0]?.toolExecutionNotifications?.[0]?.message.text ?? "", /^\d+ results were left out/);
  });

  it("keeps to the locations that code scanning shows of a result, and says how many are left", () => {
    const uses = Array.from({ length: 130 }, (_, at) =>
      useOf("a.example/b:1", { source: "cluster://x", kind: "cluster", line: undefined, name: `w${at}` }),
    );
    const [result] = runOf(
      politeAudit({ images: [refusedOf("a.example/b:1", [{ code: "unsigned", message: "none" }], { uses })] }),
    ).results;
    assert.equal(result?.locations.length, 100);
    assert.match(result?.message.text ?? "", /It is named in 30 more places\.$/);
  });

  it("makes no link of somebody else's words", () => {
    const messages = runOf(sampleAudit()).results.map(({ message }) => message.text);
    assert.ok(messages.some((text) => text.includes("[link\\](https")));
    assert.ok(messages.every((text) => !/(?<!\\)\]\(/.test(text)));
  });

  it("explains every rule that it uses", () => {
    const { results, tool } = runOf(politeAudit());
    const { rules } = tool.driver;
    assert.ok(results.every(({ ruleId, ruleIndex }) => rules[ruleIndex]?.id === ruleId));
    assert.equal(new Set(results.map(({ ruleId }) => ruleId)).size, rules.length);
    assert.match(rules.find(({ id }) => id === "unpinned")?.help.text ?? "", /Next: pin it to a verified digest/);
  });
});
