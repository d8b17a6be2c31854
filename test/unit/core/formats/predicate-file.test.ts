import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { readPredicate } from "../../../../src/core/formats/predicate-file.ts";
import { resolveType } from "../../../../src/core/formats/predicates.ts";
import type { JsonObject } from "../../../../src/core/json.ts";
import { LIMITS } from "../../../../src/core/limits.ts";
import { instant } from "../../../../src/core/time.ts";
import { thrownBy } from "../../../support/codes.ts";

const AT = instant(Date.UTC(2026, 5, 1, 12));

function read(type: string, file: string | Uint8Array): string {
  const bytes = typeof file === "string" ? Buffer.from(file) : file;
  return Buffer.from(readPredicate(bytes, type, resolveType(type)[0].uri, AT).json).toString();
}

function refused(type: string, file: string | Uint8Array | JsonObject): string {
  const content = typeof file === "string" || file instanceof Uint8Array ? file : JSON.stringify(file);
  const { found, wanted } = thrownBy(() => read(type, content), "usage");
  return `${found}, not ${wanted}`;
}

/** The least that each type has, and the members that it cannot do without. */
const GOOD: Readonly<Record<string, JsonObject>> = {
  slsaprovenance1: {
    buildDefinition: { buildType: "https://example.com/b", externalParameters: {} },
    runDetails: { builder: { id: "https://example.com/builder" } },
  },
  slsaprovenance: { builder: { id: "https://example.com/builder" }, buildType: "https://example.com/b" },
  spdxjson: { spdxVersion: "SPDX-2.3" },
  cyclonedx: { bomFormat: "CycloneDX" },
  vuln: { scanner: { result: {} }, metadata: { scanFinishedOn: "2026-06-10T10:00:00Z" } },
  "in-toto-vulns": { scanner: { result: [] }, metadata: { scanFinishedOn: "2026-06-10T10:00:00Z" } },
  openvex: { "@context": "https://openvex.dev/ns/v0.2.0", statements: [] },
  vsa: { verifier: {}, resourceUri: "pkg:oci/app", verificationResult: "PASSED" },
  svr: { verifier: {}, properties: [] },
  "test-result": { result: "PASSED", configuration: [] },
  link: { name: "build", materials: [], products: [] },
};

describe("a predicate's file", () => {
  for (const [type, json] of Object.entries(GOOD)) {
    it(`of type ${type} is taken, with members that are not known`, () => {
      const text = JSON.stringify({ more: [1], ...json });
      assert.equal(read(type, text), text);
    });

    for (const member of Object.keys(json)) {
      it(`of type ${type} is refused without ${member}, and says so`, () => {
        const { [member]: _, ...lacking } = json;
        assert.ok(refused(type, lacking).includes(`"${member}"`));
        assert.ok(refused(type, { ...lacking, [member]: null }).includes(`"${member}"`));
      });
    }
  }

  it("is kept byte for byte: spaces, the order of members, numbers as they were written", () => {
    const text = ' { "b": 1.10, "a": 1e2,\n "spdxVersion": "SPDX-2.3", "c": "\\u00e9" } \n';
    assert.equal(read("spdxjson", text), text);
  });

  it("of a scan has a result, and says when that was found", () => {
    for (const type of ["vuln", "in-toto-vulns"]) {
      const { scanner = null, metadata = null } = GOOD[type] ?? {};
      for (const lacking of [{}, { result: null }]) {
        assert.match(refused(type, { scanner: lacking, metadata }), /"result" in "scanner"/);
      }
      for (const lacking of [{}, { scanFinishedOn: null }, { scanStartedOn: "2026-06-10T10:00:00Z" }]) {
        assert.match(refused(type, { scanner, metadata: lacking }), /"scanFinishedOn" that is a text in "metadata"/);
      }
    }
  });

  it("of SPDX 3 has a graph instead of a version", () => {
    read("spdxjson", '{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[]}');
    refused("spdxjson", '{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":{}}');
  });

  it("of a type that nobody knows is any object", () => {
    assert.equal(read("https://acme.example/review/v1", '{"ok":true}'), '{"ok":true}');
    assert.equal(read("https://acme.example/review/v1", "{}"), "{}");
  });

  it("with a version in its type has to look like the type too", () => {
    refused("https://spdx.dev/Document/v2.3", '{"bomFormat":"CycloneDX"}');
    refused("https://cyclonedx.org/bom/v1.5", '{"spdxVersion":"SPDX-2.3"}');
  });

  it("says what it looks like instead", () => {
    assert.match(refused("spdxjson", { bomFormat: "CycloneDX" }), /^a CycloneDX document/);
    assert.match(refused("cyclonedx", { spdxVersion: "SPDX-2.3" }), /^an SPDX document/);
    assert.match(refused("slsaprovenance1", GOOD["slsaprovenance"] ?? {}), /^SLSA provenance v0\.2/);
    assert.match(refused("slsaprovenance", GOOD["slsaprovenance1"] ?? {}), /^SLSA provenance v1/);
    assert.match(refused("vuln", { Results: [], SchemaVersion: 2 }), /^an object with "Results", "SchemaVersion"/);
    assert.match(refused("vuln", {}), /^an empty object/);
  });

  const WRAPPED: readonly (readonly [string, JsonObject])[] = [
    ["a whole in-toto statement", { _type: "s", predicateType: "p", subject: [], predicate: {} }],
    ["a DSSE envelope", { payloadType: "application/vnd.in-toto+json", payload: "e30=", signatures: [] }],
    ["a Sigstore bundle", { mediaType: "m", verificationMaterial: {}, dsseEnvelope: {} }],
  ];
  for (const [what, json] of WRAPPED) {
    it(`is refused where it is ${what}, whatever the type`, () => {
      assert.match(refused("https://acme.example/review/v1", json), new RegExp(`^${what}`));
      assert.match(refused("slsaprovenance1", { ...json, ...GOOD["slsaprovenance1"] }), new RegExp(`^${what}`));
    });
  }

  const NOT_STRICT: readonly (readonly [string, string | Uint8Array])[] = [
    ["nothing", ""],
    ["no JSON", "SPDXVersion: SPDX-2.3"],
    ["a list", "[]"],
    ["a string", '"CycloneDX"'],
    ["null", "null"],
    ["two documents", "{}{}"],
    ["a member twice (tools read different ones)", '{"bomFormat":"CycloneDX","a":1,"a":2}'],
    ["a member twice, the second one escaped", '{"bomFormat":"CycloneDX","a":1,"\\u0061":2}'],
    ["a member __proto__", '{"bomFormat":"CycloneDX","__proto__":{}}'],
    ["a number that a reader would round", '{"bomFormat":"CycloneDX","n":9007199254740993}'],
    ["half a surrogate pair", '{"bomFormat":"CycloneDX","s":"\\ud800"}'],
    ["a byte order mark", "\ufeff{}"],
    ["no UTF-8", Buffer.from([0x7b, 0xff, 0x7d])],
    ["UTF-16, as some shells write it", Buffer.from('{"bomFormat":"CycloneDX"}', "utf16le")],
  ];
  for (const [what, file] of NOT_STRICT) {
    it(`is refused where it is ${what}`, () => void refused("cyclonedx", file));
  }

  it("is bounded: in base64, with its signer's proof, it has to be a signature that is read", () => {
    const large = Buffer.alloc(LIMITS.statementBytes + 1, "x");
    thrownBy(() => read("custom", large), "limit-reached");
    thrownBy(() => read("cyclonedx", large), "limit-reached");
    assert.ok((LIMITS.statementBytes * 4) / 3 + 128 * 1024 < LIMITS.signatureBytes);
  });
});

describe("custom", () => {
  it("wraps any text with the time, as cosign does (pkg/cosign/attestation)", () => {
    assert.equal(read("custom", "hello\n"), '{"Data":"hello\\n","Timestamp":"2026-06-01T12:00:00Z"}');
    assert.equal(read("custom", '{"a":1}'), '{"Data":"{\\"a\\":1}","Timestamp":"2026-06-01T12:00:00Z"}');
    assert.equal(read("custom", "<&>"), '{"Data":"\\u003c\\u0026\\u003e","Timestamp":"2026-06-01T12:00:00Z"}');
    assert.equal(read("https://cosign.sigstore.dev/attestation/v1", ""), read("custom", ""));
  });

  it("is a text", () => {
    thrownBy(() => read("custom", Buffer.from([0xff, 0xfe])), "usage");
  });
});

describe("spdx", () => {
  it("is the tag-value form as one text", () => {
    assert.equal(read("spdx", "SPDXVersion: SPDX-2.3\n"), '"SPDXVersion: SPDX-2.3\\n"');
  });

  for (const file of ["", "hello", '{"spdxVersion":"SPDX-2.3"}', "NotSPDXVersion: SPDX-2.3"]) {
    it(`is not ${JSON.stringify(file)}`, () => void refused("spdx", file));
  }
});
