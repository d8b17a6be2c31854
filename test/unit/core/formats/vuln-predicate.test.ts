import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readPredicate } from "../../../../src/core/formats/predicate-file.ts";
import { readScan } from "../../../../src/core/formats/scans/read.ts";
import type { Vulnerability } from "../../../../src/core/formats/scans/scan.ts";
import {
  REDUCED_PREDICATE,
  reducedPredicate,
  type ScanRecord,
  VULN_PREDICATE,
  vulnPredicate,
} from "../../../../src/core/formats/vuln-predicate.ts";
import { type JsonObject, parseJsonObject } from "../../../../src/core/json.ts";
import { instant } from "../../../../src/core/time.ts";
import { TRIVY_VULNERABLE } from "../../../support/scanners.ts";

const RECORD: ScanRecord = {
  uri: "pkg:github/aquasecurity/trivy@0.70.0",
  version: "0.70.0",
  database: { version: "2", lastUpdate: "2026-08-29T06:00:00Z" },
  parameters: ["image", "--format", "json", 'a "quoted" one'],
  startedAt: instant(Date.UTC(2026, 7, 30, 12)),
  finishedAt: instant(Date.UTC(2026, 7, 30, 12, 1)),
};

function parse(bytes: Uint8Array): JsonObject {
  return parseJsonObject(bytes, { what: "the predicate", code: "usage", maxBytes: bytes.byteLength });
}

function textOf(result: string, record: ScanRecord = RECORD): string {
  return Buffer.from(vulnPredicate(record, Buffer.from(result))).toString();
}

describe("the predicate of a scan", () => {
  it("has the members that cosign and Trivy write, with the time of the database beside them", () => {
    assert.equal(
      textOf("{}"),
      '{"invocation":{"parameters":["image","--format","json","a \\"quoted\\" one"],"uri":"","event_id":"","builder.id":""},' +
        '"scanner":{"uri":"pkg:github/aquasecurity/trivy@0.70.0","version":"0.70.0",' +
        '"db":{"uri":"","version":"2","lastUpdate":"2026-08-29T06:00:00Z"},"result":{}},' +
        '"metadata":{"scanStartedOn":"2026-08-30T12:00:00Z","scanFinishedOn":"2026-08-30T12:01:00Z"}}',
    );
    assert.match(textOf("{}", { ...RECORD, database: undefined }), /"db":\{"uri":"","version":""\}/);
  });

  it("takes the result over as it was printed: numbers of many digits, escapes, blanks in texts", () => {
    const result = '{ "n" : 1.00000000000000000001 ,\n\t"s":"a \\" b \\\\" , "u": "\\u00e9 é  x\\\\\\" y" }\n';
    assert.ok(
      textOf(result).includes('"result":{"n":1.00000000000000000001,"s":"a \\" b \\\\","u":"\\u00e9 é  x\\\\\\" y"}}'),
    );
    assert.deepEqual(JSON.parse(textOf(result)).scanner.result, JSON.parse(result));
  });

  it("is read in the time that its length takes, however long one text in it is", () => {
    const long = '\\"x '.repeat(1_000_000);
    assert.equal(JSON.parse(textOf(`{"d":"${long}"}`)).scanner.result.d.length, 3_000_000);
  });

  it("is what countersign attest takes for one, and what a policy reads", () => {
    const predicate = vulnPredicate(RECORD, Buffer.from(TRIVY_VULNERABLE));
    assert.ok(readPredicate(predicate, "vuln", VULN_PREDICATE, instant(0)));
    const scan = readScan(VULN_PREDICATE, { predicate: parse(predicate) });
    assert.deepEqual(
      scan.vulnerabilities.map(({ id }) => id),
      ["CVE-2024-0001", "CVE-2024-0002"],
    );
    assert.equal(scan.finishedAt, RECORD.finishedAt);
  });
});

describe("the reduced predicate of a scan", () => {
  const critical: Vulnerability = {
    id: "DSA-1",
    aliases: ["CVE-2024-0001"],
    severity: "critical",
    package: { name: "acme-libc", version: "1.0-1", purl: "pkg:deb/debian/acme-libc@1.0-1" },
    fixedIn: ["1.0-2", "1.1"],
    fixable: true,
  };
  const bare: Vulnerability = { id: "CVE-2024-2", aliases: [], severity: "unknown", fixedIn: [], fixable: undefined };
  const unfixed: Vulnerability = { ...bare, id: "CVE-2024-3", severity: "low", fixable: false };

  function reread(...scans: readonly [readonly Vulnerability[], ...(readonly Vulnerability[])[]]) {
    const [first, ...others] = scans.map((vulnerabilities, at) => ({
      record: { ...RECORD, startedAt: instant(at * 60_000), finishedAt: instant((at + 1) * 60_000) },
      scan: { vulnerabilities },
    }));
    assert.ok(first !== undefined);
    return readScan(REDUCED_PREDICATE, { predicate: parse(reducedPredicate([first, ...others])) });
  }

  it("says all that a vulnerability is judged by", () => {
    assert.deepEqual(reread([critical, bare, unfixed]).vulnerabilities, [critical, bare, unfixed]);
  });

  it("is of the type that in-toto describes, and what countersign attest takes for one", () => {
    const bytes = reducedPredicate([{ record: RECORD, scan: { vulnerabilities: [critical] } }]);
    assert.ok(readPredicate(bytes, "in-toto-vulns", REDUCED_PREDICATE, instant(0)));
    assert.deepEqual(parse(bytes), {
      scanner: {
        uri: RECORD.uri,
        version: RECORD.version,
        db: { version: "2", lastUpdate: "2026-08-29T06:00:00Z" },
        result: [
          {
            id: "DSA-1",
            severity: [{ method: "rating", score: "critical" }],
            annotations: [
              {
                aliases: ["CVE-2024-0001"],
                name: "acme-libc",
                version: "1.0-1",
                purl: "pkg:deb/debian/acme-libc@1.0-1",
                fixedIn: ["1.0-2", "1.1"],
                fixable: true,
              },
            ],
          },
        ],
      },
      metadata: { scanStartedOn: "2026-08-30T12:00:00Z", scanFinishedOn: "2026-08-30T12:01:00Z" },
    });
  });

  it("of several scans lists what any of them found, once", () => {
    const { vulnerabilities, finishedAt } = reread([critical], [], [critical, bare]);
    assert.deepEqual(vulnerabilities, [critical, bare]);
    assert.equal(finishedAt, 180_000);
  });

  it("keeps one of two packages apart from the other, and one severity from another", () => {
    const elsewhere = { ...critical, package: { name: "acme-libc-dev", version: "1.0-1" } };
    const milder = { ...critical, severity: "high" } as const;
    assert.equal(reread([critical, elsewhere], [milder]).vulnerabilities.length, 3);
  });

  it("of nothing is an empty list", () => {
    assert.deepEqual(reread([], []).vulnerabilities, []);
  });
});

describe("annotations of a vulnerability in in-toto's list that mean something else", () => {
  const cases: readonly (readonly [which: string, annotations: unknown])[] = [
    ["a text for whether it is fixable", [{ fixable: "no" }]],
    ["a number for it", [{ fixable: 0 }]],
    ["names of other things", [{ Name: "acme-libc", fixed: false, fixedVersion: "1" }]],
    ["texts", ["fixable", "false"]],
    ["nothing", null],
    ["a package that is no text", [{ name: { name: "acme-libc" }, fixedIn: "1.0", aliases: "CVE-2024-9" }]],
  ];
  for (const [which, annotations] of cases) {
    it(`tell nothing: ${which}`, () => {
      const result = [{ id: "CVE-2024-1", severity: [{ method: "nvd", score: "high" }], annotations }];
      const predicate = { scanner: { uri: "", result }, metadata: { scanFinishedOn: "2026-08-30T12:00:00Z" } };
      const { vulnerabilities } = readScan(REDUCED_PREDICATE, {
        predicate: parse(Buffer.from(JSON.stringify(predicate))),
      });
      assert.deepEqual(vulnerabilities, [
        { id: "CVE-2024-1", aliases: [], severity: "high", fixedIn: [], fixable: undefined },
      ]);
    });
  }
});
