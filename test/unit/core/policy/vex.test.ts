import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Vulnerability } from "../../../../src/core/formats/scans/scan.ts";
import type { JsonObject } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { Exploitability, type VexAnswer } from "../../../../src/core/policy/vex.ts";
import type { SignedStatement } from "../../../../src/core/policy/vulnerabilities.ts";
import { instant } from "../../../../src/core/time.ts";
import { at, OPENVEX, OTHER_IMAGE, SCANNED, statementWith } from "../../../support/scans.ts";

const NOW = at("2026-06-20T00:00:00Z");
const DAY = 24 * 60 * 60 * 1000;
const HEX = SCANNED.slice("sha256:".length);
const OTHER_HEX = OTHER_IMAGE.slice("sha256:".length);

const VULNERABILITY: Vulnerability = {
  id: "CVE-2026-1",
  aliases: ["GHSA-1"],
  severity: "critical",
  package: { name: "libssl3", version: "3.0.11", purl: "pkg:deb/debian/libssl3@3.0.11?arch=amd64" },
  fixedIn: [],
  fixable: undefined,
};

const NOT_AFFECTED: JsonObject = {
  vulnerability: { name: "CVE-2026-1" },
  status: "not_affected",
  justification: "component_not_present",
};
const AFFECTED: JsonObject = { vulnerability: { name: "CVE-2026-1" }, status: "affected", action_statement: "update" };
const INVESTIGATED: JsonObject = { vulnerability: { name: "CVE-2026-1" }, status: "under_investigation" };

function signed(
  statements: readonly JsonObject[],
  more: Partial<SignedStatement> = {},
  document: JsonObject = {},
): SignedStatement {
  const predicate = {
    "@context": "https://openvex.dev/ns/v0.2.0",
    timestamp: "2026-06-10T00:00:00Z",
    version: 1,
    statements,
    ...document,
  };
  return { predicateType: OPENVEX, statement: statementWith(OPENVEX, predicate), signer: "alice", ...more };
}

function exploitability(documents: readonly SignedStatement[], vexMaxAge?: number): Exploitability {
  const demands = { maxAge: DAY, severityAtMost: "none", fixableOnly: false, except: [], vexMaxAge } as const;
  return new Exploitability(documents, demands, SCANNED, NOW);
}

function answer(statements: readonly JsonObject[], vulnerability = VULNERABILITY): VexAnswer | undefined {
  return exploitability([signed(statements)]).answer(vulnerability);
}

/** Statements with `products`, and whether one of them answers. */
function isAnsweredFor(...products: readonly (JsonObject | string)[]): boolean {
  return answer([{ ...NOT_AFFECTED, products }]) !== undefined;
}

describe("a VEX statement answers for a vulnerability", () => {
  it("that is not_affected or fixed, and says who said so and why", () => {
    assert.deepEqual(answer([NOT_AFFECTED]), {
      signer: "alice",
      status: "not_affected",
      why: "component_not_present",
      at: at("2026-06-10T00:00:00Z"),
      contradictedBy: undefined,
    });
    assert.equal(answer([{ vulnerability: { name: "CVE-2026-1" }, status: "fixed" }])?.status, "fixed");
  });

  it("by any of its names, in any case", () => {
    assert.ok(answer([{ ...NOT_AFFECTED, vulnerability: { name: "GHSA-1" } }]));
    assert.ok(answer([{ ...NOT_AFFECTED, vulnerability: { name: "X-1", aliases: ["cve-2026-1"] } }]));
    assert.ok(answer([{ ...NOT_AFFECTED, vulnerability: "CVE-2026-1" }]));
    assert.ok(answer([{ ...NOT_AFFECTED, vulnerability: { "@id": "CVE-2026-1" } }]));
  });

  for (const [what, statement] of [
    ["affected", AFFECTED],
    ["under investigation", INVESTIGATED],
  ] as const) {
    it(`not where it is ${what}`, () => assert.equal(answer([statement]), undefined));
  }

  it("not where it is another", () => {
    assert.equal(answer([{ ...NOT_AFFECTED, vulnerability: { name: "CVE-2026-11" } }]), undefined);
    assert.equal(answer([{ ...NOT_AFFECTED, vulnerability: { name: "CVE-2026" } }]), undefined);
    assert.equal(answer([{ ...NOT_AFFECTED, vulnerability: { "@id": "https://example.com/CVE-2026-1" } }]), undefined);
    assert.equal(answer([]), undefined);
  });
});

describe("a VEX statement's product is this image", () => {
  const GOOD: readonly (readonly [string, JsonObject | string])[] = [
    ["by the digest in a package URL", { "@id": `pkg:oci/app@sha256%3A${HEX}?repository_url=other.example/app` }],
    ["by the digest in an identifier", { identifiers: { purl: `pkg:oci/app@sha256:${HEX}` } }],
    ["by a reference", { "@id": `registry.example/acme/app@sha256:${HEX}` }],
    ["by its hash", { hashes: { "sha-256": HEX } }],
    ["by its hash under in-toto's name", { hashes: { sha256: HEX } }],
    ["by its hash beside hashes of other kinds", { hashes: { "sha-256": HEX, "sha-512": "0", md5: "0" } }],
    ["by the name that its signer gave the image", { "@id": "registry.example/acme/app" }],
    [
      "by a package URL of all versions of what its signer named",
      { "@id": "pkg:oci/app?repository_url=registry.example/acme/app" },
    ],
    ["in the form of the first version", `pkg:oci/app@sha256:${HEX}`],
  ];
  for (const [what, product] of GOOD) it(what, () => assert.ok(isAnsweredFor(product)));

  it("where it names none: it is about the subject of the statement around it", () => assert.ok(isAnsweredFor()));
  it("if one of several is", () =>
    assert.ok(isAnsweredFor({ "@id": "pkg:oci/other" }, { hashes: { "sha-256": HEX } })));

  const BAD: readonly (readonly [string, JsonObject | string])[] = [
    ["of another digest", { "@id": `pkg:oci/app@sha256%3A${OTHER_HEX}` }],
    [
      "of another digest, under the name of the image",
      { "@id": "registry.example/acme/app", hashes: { "sha-256": OTHER_HEX } },
    ],
    ["of two digests", { "@id": `pkg:oci/app@sha256:${HEX}`, hashes: { "sha-256": OTHER_HEX } }],
    ["of a digest of another kind alone", { hashes: { "sha-512": "0".repeat(128) } }],
    ["of a part of the digest", { hashes: { "sha-256": HEX.slice(0, 63) } }],
    ["with the digest as a plain text", { "@id": HEX }],
    ["of another name", { "@id": "registry.example/acme/application" }],
    ["of a tag", { "@id": "pkg:oci/app@1.4.2?repository_url=registry.example/acme/app" }],
    ["of a tag in a qualifier", { "@id": "pkg:oci/app?repository_url=registry.example/acme/app&tag=1.4.2" }],
    ["of another repository", { "@id": "pkg:oci/app?repository_url=registry.example/acme" }],
    ["of no repository", { "@id": "pkg:oci/app" }],
    ["of a package, not an image", { "@id": "pkg:deb/debian/libssl3@3.0.11" }],
    ["of a package in the image, by the repository", { "@id": "pkg:deb/app?repository_url=registry.example/acme/app" }],
  ];
  for (const [what, product] of BAD) it(`not where it is one ${what}`, () => assert.ok(!isAnsweredFor(product)));

  it("not by a name that its signer gave another subject", () => {
    const document = signed([{ ...NOT_AFFECTED, products: ["registry.example/acme/other"] }]);
    const subject = [
      { name: "registry.example/acme/app", digest: { sha256: HEX } },
      { name: "registry.example/acme/other", digest: { sha256: OTHER_HEX } },
    ];
    const statement = { ...document.statement, subject };
    assert.equal(exploitability([{ ...document, statement }]).answer(VULNERABILITY), undefined);
  });
});

describe("a VEX statement's subcomponents", () => {
  const IMAGE = { hashes: { "sha-256": HEX } };
  function answers(subcomponents: readonly (JsonObject | string)[], vulnerability = VULNERABILITY): boolean {
    return answer([{ ...NOT_AFFECTED, products: [{ ...IMAGE, subcomponents }] }], vulnerability) !== undefined;
  }

  for (const name of [
    "pkg:deb/debian/libssl3",
    "pkg:deb/debian/libssl3@3.0.11",
    "pkg:deb/debian/libssl3@3.0.11?arch=amd64",
  ]) {
    it(`answer for the vulnerable package: ${name}`, () => assert.ok(answers([{ "@id": name }])));
  }
  it("answer by any of them, and by any of its names", () => {
    assert.ok(answers([{ "@id": "pkg:npm/x" }, { "@id": "urn:y", identifiers: { purl: "pkg:deb/debian/libssl3" } }]));
  });
  it("that are not given leave all of the image", () => assert.ok(answers([])));

  for (const name of [
    "pkg:deb/debian/libssl3@3.0.12",
    "pkg:deb/debian/zlib1g",
    "pkg:deb/debian/libssl3?arch=arm64",
    "libssl3",
  ]) {
    it(`do not answer for another package: ${name}`, () => assert.ok(!answers([{ "@id": name }])));
  }
  it("do not answer by a hash, which no scan has", () => assert.ok(!answers([{ hashes: { "sha-256": HEX } }])));
  it("do not answer where the scan does not say which package it is", () => {
    const { package: _, ...unplaced } = VULNERABILITY;
    assert.ok(!answers([{ "@id": "pkg:deb/debian/libssl3" }], unplaced));
    assert.ok(!answers([{ "@id": "pkg:deb/debian/libssl3" }], { ...unplaced, package: { name: "libssl3" } }));
  });
});

describe("several statements in one VEX document", () => {
  const earlier = { timestamp: "2026-06-01T00:00:00Z" };
  const later = { timestamp: "2026-06-09T00:00:00Z" };

  it("hold by time: the latest, wherever it stands", () => {
    for (const order of [(list: readonly JsonObject[]) => list, (list: readonly JsonObject[]) => list.toReversed()]) {
      assert.ok(
        answer(
          order([
            { ...AFFECTED, ...earlier },
            { ...NOT_AFFECTED, ...later },
          ]),
        ),
      );
      assert.equal(
        answer(
          order([
            { ...NOT_AFFECTED, ...earlier },
            { ...AFFECTED, ...later },
          ]),
        ),
        undefined,
      );
      assert.equal(
        answer(
          order([
            { ...NOT_AFFECTED, ...earlier },
            { ...INVESTIGATED, ...later },
          ]),
        ),
        undefined,
      );
    }
  });

  it("that have no time are of the document's", () => {
    assert.equal(answer([{ ...NOT_AFFECTED, ...later }, AFFECTED]), undefined);
    assert.ok(answer([{ ...AFFECTED, ...later }, NOT_AFFECTED]));
  });

  it("of one time that differ answer for nothing, in whatever order", () => {
    assert.equal(answer([NOT_AFFECTED, AFFECTED]), undefined);
    assert.equal(answer([AFFECTED, NOT_AFFECTED]), undefined);
  });

  it("are taken back by one that may be about the image: by name, by package, or by another name of the vulnerability", () => {
    for (const contrary of [
      { ...AFFECTED, products: ["pkg:oci/app"] },
      { ...AFFECTED, products: [{ hashes: { "sha-512": "0".repeat(128) } }] },
      { ...AFFECTED, products: [{ hashes: { "sha-256": HEX }, subcomponents: [{ "@id": "libssl" }] }] },
      {
        ...AFFECTED,
        products: [{ hashes: { "sha-256": HEX }, subcomponents: [{ hashes: { "sha-256": OTHER_HEX } }] }],
      },
      { ...AFFECTED, vulnerability: { name: "GHSA-1" } },
    ]) {
      assert.equal(
        answer([
          { ...NOT_AFFECTED, ...earlier },
          { ...contrary, ...later },
        ]),
        undefined,
      );
    }
  });

  it("are not taken back by one that is about something else", () => {
    for (const contrary of [
      { ...AFFECTED, products: [{ hashes: { "sha-256": OTHER_HEX } }] },
      { ...AFFECTED, products: [{ hashes: { "sha-256": HEX }, subcomponents: ["pkg:npm/x"] }] },
      { ...AFFECTED, vulnerability: { name: "CVE-2026-2" } },
    ]) {
      assert.ok(
        answer([
          { ...NOT_AFFECTED, ...earlier },
          { ...contrary, ...later },
        ]),
      );
    }
  });

  it("do not answer from the future, and do take back from there", () => {
    const future = { timestamp: "2026-07-01T00:00:00Z" };
    assert.equal(answer([{ ...NOT_AFFECTED, ...future }]), undefined);
    assert.equal(
      answer([
        { ...NOT_AFFECTED, ...earlier },
        { ...AFFECTED, ...future },
      ]),
      undefined,
    );
    assert.ok(
      answer([
        { ...NOT_AFFECTED, ...earlier },
        { ...NOT_AFFECTED, ...future },
      ]),
    );
  });
});

describe("several VEX documents", () => {
  it("answer if any does; a later one that says otherwise is told of, and takes nothing back", () => {
    const contrary = signed([AFFECTED], { signer: "bob" }, { timestamp: "2026-06-15T00:00:00Z" });
    for (const documents of [
      [signed([NOT_AFFECTED]), contrary],
      [contrary, signed([NOT_AFFECTED])],
    ]) {
      assert.equal(exploitability(documents).answer(VULNERABILITY)?.contradictedBy, "bob");
    }
  });

  it("answer with the newest", () => {
    const newer = signed([NOT_AFFECTED], { signer: "bob" }, { timestamp: "2026-06-15T00:00:00Z" });
    assert.equal(exploitability([signed([NOT_AFFECTED]), newer]).answer(VULNERABILITY)?.signer, "bob");
    const contrary = signed([AFFECTED], {}, { timestamp: "2026-06-12T00:00:00Z" });
    assert.equal(exploitability([contrary, newer]).answer(VULNERABILITY)?.contradictedBy, undefined);
  });

  it("that cannot be read are left out, and told of", () => {
    const broken = signed([{ ...NOT_AFFECTED, justification: "x" }], { signer: "bob" });
    const { warnings } = exploitability([broken]);
    assert.equal(exploitability([broken]).answer(VULNERABILITY), undefined);
    assert.equal(warnings[0]?.code, "scan-invalid");
    assert.match(warnings[0]?.message ?? "", /^VEX of bob is not used: statement 0 of the VEX document/);
    assert.ok(exploitability([broken, signed([NOT_AFFECTED])]).answer(VULNERABILITY));
  });
});

describe("a VEX document that says too much of one vulnerability", () => {
  const statements = (length: number): readonly JsonObject[] => Array.from({ length }, () => NOT_AFFECTED);

  it("is not used, and others are", () => {
    assert.ok(answer(statements(LIMITS.vexClaims)));
    const long = signed(statements(LIMITS.vexClaims + 1), { signer: "bob" });
    assert.equal(exploitability([long]).answer(VULNERABILITY), undefined);
    assert.equal(exploitability([long]).warnings[0]?.code, "limit-reached");
    assert.ok(exploitability([long, signed([NOT_AFFECTED])]).answer(VULNERABILITY));
  });

  it("is used where what it says is of other images", () => {
    const products = Array.from({ length: LIMITS.vexClaims + 1 }, () => ({ hashes: { "sha-256": OTHER_HEX } }));
    assert.ok(answer([{ ...NOT_AFFECTED, products: [...products, { hashes: { "sha-256": HEX } }] }]));
  });

  it("is not used for its parts either", () => {
    const subcomponents = Array.from({ length: LIMITS.vexClaims }, () => "pkg:deb/debian/libssl3");
    assert.equal(answer([{ ...NOT_AFFECTED, products: [{ hashes: { "sha-256": HEX }, subcomponents }] }]), undefined);
    const [, ...fewer] = subcomponents;
    assert.ok(answer([{ ...NOT_AFFECTED, products: [{ hashes: { "sha-256": HEX }, subcomponents: fewer }] }]));
  });
});

describe("the age of a VEX document", () => {
  it("is that of its signature where it is proven, else what it says itself", () => {
    const old = signed([NOT_AFFECTED]);
    assert.ok(exploitability([old], 10 * DAY).answer(VULNERABILITY));
    assert.equal(exploitability([old], 10 * DAY - 1).answer(VULNERABILITY), undefined);
    assert.ok(exploitability([{ ...old, signedAt: at("2026-06-19T00:00:00Z") }], DAY).answer(VULNERABILITY));
    assert.equal(
      exploitability([{ ...old, signedAt: at("2026-06-18T00:00:00Z") }], DAY).answer(VULNERABILITY),
      undefined,
    );
  });

  it("is told of where it is too great", () => {
    const [warning] = exploitability([signed([NOT_AFFECTED])], DAY).warnings;
    assert.deepEqual(warning, {
      code: "scan-old",
      message: "VEX of alice is not used: it is too old",
      found: "of 2026-06-10T00:00:00Z",
      wanted: "at most 1d old",
    });
  });

  it("does not matter where the policy does not ask", () => {
    assert.ok(
      exploitability([signed([NOT_AFFECTED], {}, { timestamp: "1999-01-01T00:00:00Z" })]).answer(VULNERABILITY),
    );
  });

  it("is not below zero, but for what clocks differ", () => {
    const issued = (milliseconds: number): SignedStatement =>
      signed(
        [{ ...NOT_AFFECTED, timestamp: "2026-06-01T00:00:00Z" }],
        {},
        { timestamp: new Date(NOW + milliseconds).toISOString() },
      );
    assert.ok(exploitability([issued(LIMITS.scanSkewMs)]).answer(VULNERABILITY));
    assert.equal(exploitability([issued(LIMITS.scanSkewMs + 1)]).answer(VULNERABILITY), undefined);
    assert.equal(exploitability([issued(LIMITS.scanSkewMs + 1)]).warnings[0]?.code, "scan-invalid");
    const proven = { ...signed([NOT_AFFECTED]), signedAt: instant(NOW + LIMITS.scanSkewMs + 1) };
    assert.equal(exploitability([proven]).answer(VULNERABILITY), undefined);
  });
});
