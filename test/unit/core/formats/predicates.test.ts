import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  describeType,
  describeTypes,
  isOfType,
  PREDICATE_ALIASES,
  resolveType,
  typeName,
} from "../../../../src/core/formats/predicates.ts";
import { thrownBy } from "../../../support/codes.ts";

/** cosign's (cmd/cosign/cli/options/predicate.go), with what it writes for them. */
const COSIGN = {
  slsaprovenance: "https://slsa.dev/provenance/v0.2",
  slsaprovenance02: "https://slsa.dev/provenance/v0.2",
  slsaprovenance1: "https://slsa.dev/provenance/v1",
  link: "https://in-toto.io/Link/v1",
  spdx: "https://spdx.dev/Document",
  spdxjson: "https://spdx.dev/Document",
  cyclonedx: "https://cyclonedx.org/bom",
  vuln: "https://cosign.sigstore.dev/attestation/vuln/v1",
  openvex: "https://openvex.dev/ns",
  custom: "https://cosign.sigstore.dev/attestation/v1",
};

function isNamed(name: string, predicateType: string): boolean {
  return resolveType(name).some((type) => isOfType(predicateType, type));
}

describe("the types of attestations", () => {
  for (const [alias, uri] of Object.entries(COSIGN)) {
    it(`${alias} is cosign's ${uri}`, () => {
      assert.equal(resolveType(alias)[0].uri, uri);
      assert.ok(isNamed(alias, uri));
    });
  }

  it("has those that cosign has no name for", () => {
    assert.equal(resolveType("vsa")[0].uri, "https://slsa.dev/verification_summary/v1");
    assert.equal(resolveType("in-toto-vulns")[0].uri, "https://in-toto.io/attestation/vulns/v0.2");
    assert.ok(isNamed("in-toto-vulns", "https://in-toto.io/attestation/vulns/v0.1"));
    assert.ok(isNamed("svr", "https://in-toto.io/attestation/svr/v0.1"));
  });

  it("takes what is written with a version for the same type where its specification has such", () => {
    for (const [alias, uri] of [
      ["spdxjson", "https://spdx.dev/Document/v2.3"],
      ["spdxjson", "https://spdx.dev/Document/v3"],
      ["cyclonedx", "https://cyclonedx.org/bom/v1.4"],
      ["openvex", "https://openvex.dev/ns/v0.2.0"],
    ] as const) {
      assert.ok(isNamed(alias, uri), uri);
      assert.equal(typeName(uri), alias);
    }
  });

  it("takes nothing else behind a URI for a version", () => {
    for (const uri of [
      "https://spdx.dev/Document/",
      "https://spdx.dev/Document/v",
      "https://spdx.dev/Document/v2.3/x",
      "https://spdx.dev/Document/v2.3.4.5",
      "https://spdx.dev/Document/2.3",
      "https://spdx.dev/Document/v2.3\n",
      "https://spdx.dev/Documents",
      "https://spdx.dev/Document?v2.3",
      "https://spdx.dev.example.com/Document",
      "https://evil.example.com/https://spdx.dev/Document",
    ]) {
      assert.ok(!isNamed("spdxjson", uri), uri);
    }
  });

  it("keeps apart the versions of a type whose specification gives each a URI of its own", () => {
    assert.ok(!isNamed("slsaprovenance1", "https://slsa.dev/provenance/v0.2"));
    assert.ok(!isNamed("slsaprovenance", "https://slsa.dev/provenance/v1"));
    assert.ok(!isNamed("slsaprovenance1", "https://slsa.dev/provenance/v1.0"));
    assert.ok(!isNamed("slsaprovenance1", "https://slsa.dev/provenance/v11"));
    assert.ok(!isNamed("vuln", "https://in-toto.io/attestation/vulns/v0.2"));
    assert.ok(!isNamed("custom", "https://cosign.sigstore.dev/attestation/vuln/v1"));
  });

  it("compares URIs exactly: no other case, no slash more, no escape", () => {
    for (const uri of [
      "https://SLSA.dev/provenance/v1",
      "https://slsa.dev/provenance/v1/",
      "https://slsa.dev/provenance/V1",
      "http://slsa.dev/provenance/v1",
      "https://slsa.dev/provenance%2fv1",
      " https://slsa.dev/provenance/v1",
      "",
    ]) {
      assert.ok(!isNamed("slsaprovenance1", uri), uri);
    }
  });

  it("takes any URI as it is, without versions", () => {
    assert.deepEqual(resolveType("https://acme.example/review/v1"), [
      { uri: "https://acme.example/review/v1", hasVersions: false },
    ]);
    assert.deepEqual(resolveType("https://spdx.dev/Document"), [
      { uri: "https://spdx.dev/Document", hasVersions: false },
    ]);
    assert.deepEqual(resolveType("urn:acme:review"), [{ uri: "urn:acme:review", hasVersions: false }]);
  });

  it("finds what cosign 1 wrote, whose types had no scheme", () => {
    assert.ok(isNamed("custom", "cosign.sigstore.dev/attestation/v1"));
    assert.ok(isNamed("vuln", "cosign.sigstore.dev/attestation/vuln/v1"));
    assert.equal(resolveType("cosign.sigstore.dev/attestation/v1")[0].uri, "cosign.sigstore.dev/attestation/v1");
  });

  for (const name of [
    "",
    "provenance",
    "SLSAProvenance1",
    "slsaprovenance2",
    "slsa.dev/provenance/v1",
    "https:",
    "https://acme.example/with blank",
    "https://acme.example/line\nbreak",
    "https://acme.example/ümlaut",
    "constructor",
    "__proto__",
  ]) {
    it(`${JSON.stringify(name)} is no type, and the list is shown`, () => {
      const error = thrownBy(() => resolveType(name), "usage");
      for (const alias of PREDICATE_ALIASES) assert.ok(error.wanted?.includes(alias), alias);
    });
  }

  it("are called by their short names in reports, strangers by their URI", () => {
    assert.equal(typeName("https://slsa.dev/provenance/v0.2"), "slsaprovenance02");
    assert.equal(describeType("https://slsa.dev/provenance/v1"), "slsaprovenance1 (https://slsa.dev/provenance/v1)");
    assert.equal(describeType("https://acme.example/review"), "https://acme.example/review");
    assert.equal(typeName("https://sigstore.dev/cosign/sign/v1"), "image signature");
    assert.equal(describeTypes(resolveType("spdxjson")), "https://spdx.dev/Document (any version)");
  });
});
