import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readVexDocument, VEX_TYPES, type VexDocument } from "../../../../../src/core/formats/scans/openvex.ts";
import type { JsonObject, JsonValue } from "../../../../../src/core/json.ts";
import { LIMITS } from "../../../../../src/core/limits.ts";
import { at, OPENVEX, refusal, SCANNED, scanVector, statementWith } from "../../../../support/scans.ts";

const DOCUMENT = scanVector("openvex/v0.2.0");

function read(document: JsonObject, type = OPENVEX): VexDocument {
  return readVexDocument(type, statementWith(type, document));
}

function saying(statement: JsonValue): JsonObject {
  return { ...DOCUMENT, statements: [statement] };
}

const FIXED = { vulnerability: { name: "CVE-2026-1" }, status: "fixed" };
const NOT_AFFECTED = { ...FIXED, status: "not_affected", justification: "component_not_present" };

describe("an OpenVEX document", () => {
  it("of version 0.2.0 is read", () => {
    assert.deepEqual(read(DOCUMENT), {
      issuedAt: at("2026-06-09T08:00:00Z"),
      statements: [
        {
          ids: ["CVE-2026-2001", "DSA-2001-1"],
          status: "not_affected",
          why: "vulnerable_code_not_in_execute_path",
          at: at("2026-06-08T14:00:00.5Z"),
          products: [
            {
              names: [`pkg:oci/app@${SCANNED.replace(":", "%3A")}`],
              digests: [SCANNED],
              parts: [{ names: ["pkg:deb/debian/libssl3"], digests: [] }],
            },
          ],
        },
        { ids: ["CVE-2026-2002"], status: "fixed", why: undefined, at: at("2026-06-09T08:00:00Z"), products: [] },
      ],
    });
  });

  it("of version 0.0.1 is read: texts for vulnerabilities and products, parts beside them", () => {
    const { statements } = read(scanVector("openvex/v0.0.1"));
    assert.deepEqual(statements[0]?.products, [
      {
        names: [`pkg:oci/app@${SCANNED}`],
        digests: [SCANNED],
        parts: [{ names: ["pkg:deb/debian/libssl3@3.0.11-1~deb12u2"], digests: [] }],
      },
    ]);
    assert.equal(statements[0]?.why, "The library is there and never loaded.");
  });

  for (const type of ["https://openvex.dev/ns", "https://openvex.dev/ns/v0.0.1", "https://openvex.dev/ns/v0.2.0"]) {
    it(`is read in a statement of type ${type}`, () => assert.equal(read(DOCUMENT, type).statements.length, 2));
  }
  for (const type of ["https://openvex.dev", "https://openvex.dev/ns/", "text/vex", "https://cyclonedx.org/bom"]) {
    it(`is not read in a statement of type ${type}`, () => {
      assert.equal(refusal(() => read(DOCUMENT, type)).code, "scan-invalid");
    });
  }

  it("is of the types that are gathered", () => assert.equal(VEX_TYPES[0].uri, "https://openvex.dev/ns"));

  it("was issued when it was last changed, and a statement holds since it was last changed", () => {
    const later = {
      ...saying({ ...FIXED, timestamp: "2026-06-01T00:00:00Z", last_updated: "2026-06-03T00:00:00Z" }),
      last_updated: "2026-06-10T00:00:00Z",
    };
    assert.equal(read(later).issuedAt, at("2026-06-10T00:00:00Z"));
    assert.equal(read(later).statements[0]?.at, at("2026-06-03T00:00:00Z"));
  });

  it("may name a vulnerability by its IRI alone, and has aliases", () => {
    const vulnerability = { "@id": "https://vulnerabilities.example/CVE-2026-1", aliases: ["GHSA-1", ""] };
    assert.deepEqual(read(saying({ ...FIXED, vulnerability })).statements[0]?.ids, [
      "HTTPS://VULNERABILITIES.EXAMPLE/CVE-2026-1",
      "GHSA-1",
    ]);
  });

  it("may name products by identifiers and hashes", () => {
    const hex = SCANNED.slice("sha256:".length);
    const product = {
      identifiers: { purl: "pkg:oci/app", cpe23: "cpe:2.3:a:acme:app" },
      hashes: { "SHA-256": hex.toUpperCase(), md5: "0" },
    };
    assert.deepEqual(read(saying({ ...FIXED, products: [product] })).statements[0]?.products, [
      { names: ["pkg:oci/app", "cpe:2.3:a:acme:app"], digests: [SCANNED, "md5:0"], parts: [] },
    ]);
  });

  it("may say nothing", () => assert.deepEqual(read({ ...DOCUMENT, statements: [] }).statements, []));

  const { "@context": _context, ...noContext } = DOCUMENT;
  const { timestamp: _timestamp, ...noTime } = DOCUMENT;
  const REFUSED: readonly (readonly [string, JsonObject])[] = [
    ["that is empty", {}],
    ["without a context", noContext],
    ["of a version that is not known", { ...DOCUMENT, "@context": "https://openvex.dev/ns/v0.3.0" }],
    ["of another context", { ...DOCUMENT, "@context": "https://example.com/ns" }],
    ["with a list for a context", { ...DOCUMENT, "@context": ["https://openvex.dev/ns"] }],
    ["without a time", noTime],
    ["with a time that is none", { ...DOCUMENT, timestamp: "June" }],
    ["with a change at a time that is none", { ...DOCUMENT, last_updated: "June" }],
    ["of version 0", { ...DOCUMENT, version: 0 }],
    ["of a version that is an object which is no text", { ...DOCUMENT, version: { toString: 1 } }],
    ["of version one", { ...DOCUMENT, version: "one" }],
    ["without statements", { ...DOCUMENT, statements: null }],
    ["with an object for statements", { ...DOCUMENT, statements: {} }],
    ["with a text for a statement", saying("fixed")],
    ["with a statement without a status", saying({ vulnerability: { name: "CVE-2026-1" } })],
    ["with a status that is not known", saying({ ...FIXED, status: "resolved" })],
    ["with a status that is an object which is no text", saying({ ...FIXED, status: { toString: 1 } })],
    ["with a status in upper case", saying({ ...FIXED, status: "Fixed" })],
    ["with a statement about no vulnerability", saying({ status: "fixed" })],
    ["with a vulnerability without a name", saying({ ...FIXED, vulnerability: {} })],
    ["with a vulnerability of an empty name", saying({ ...FIXED, vulnerability: "" })],
    ["with a number for a vulnerability's name", saying({ ...FIXED, vulnerability: { name: 1 } })],
    ["with a text for aliases", saying({ ...FIXED, vulnerability: { name: "CVE-2026-1", aliases: "GHSA-1" } })],
    ["with not_affected without a reason", saying({ ...FIXED, status: "not_affected" })],
    [
      "with not_affected for an empty reason",
      saying({ ...FIXED, status: "not_affected", justification: "", impact_statement: "" }),
    ],
    ["with a justification that is not known", saying({ ...NOT_AFFECTED, justification: "we_like_it" })],
    [
      "with a justification that is not known, and an impact",
      saying({ ...NOT_AFFECTED, justification: "x", impact_statement: "y" }),
    ],
    ["with a number for a justification", saying({ ...NOT_AFFECTED, justification: 1 })],
    ["with a statement of a time that is none", saying({ ...FIXED, timestamp: "June" })],
    ["with an object for products", saying({ ...FIXED, products: {} })],
    ["with a product that is nothing", saying({ ...FIXED, products: [{}] })],
    ["with null for a product", saying({ ...FIXED, products: [null] })],
    ["with an empty text for a product", saying({ ...FIXED, products: [""] })],
    ["with a product of subcomponents alone", saying({ ...FIXED, products: [{ subcomponents: [{ "@id": "a" }] }] })],
    ["with a subcomponent that is nothing", saying({ ...FIXED, products: [{ "@id": "a", subcomponents: [{}] }] })],
    ["with a text for subcomponents", saying({ ...FIXED, products: [{ "@id": "a", subcomponents: "b" }] })],
    ["with a text for hashes", saying({ ...FIXED, products: [{ "@id": "a", hashes: "b" }] })],
    ["with a list for identifiers", saying({ ...FIXED, products: [{ "@id": "a", identifiers: [] }] })],
  ];
  for (const [what, document] of REFUSED) {
    it(`${what} is refused as a whole`, () => assert.equal(refusal(() => read(document)).code, "scan-invalid"));
  }

  it("of more statements or products than are read reaches a limit", () => {
    const statements = Array.from({ length: LIMITS.vexStatements + 1 }, () => FIXED);
    assert.equal(refusal(() => read({ ...DOCUMENT, statements })).code, "limit-reached");
    assert.equal(read({ ...DOCUMENT, statements: statements.slice(1) }).statements.length, LIMITS.vexStatements);
    const products = Array.from({ length: LIMITS.vexProducts / 2 }, () => ({ "@id": "a" }));
    const half = { ...FIXED, products };
    assert.equal(read({ ...DOCUMENT, statements: [half, half] }).statements.length, 2);
    const one = { ...FIXED, products: [{ "@id": "a" }] };
    assert.equal(refusal(() => read({ ...DOCUMENT, statements: [half, half, one] })).code, "limit-reached");
    const more = { ...FIXED, products: [...products, ...products, { "@id": "a" }] };
    assert.equal(refusal(() => read(saying(more))).code, "limit-reached");
  });
});
