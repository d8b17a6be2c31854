import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { type AttestFlags, addAttestOptions, readAttestOptions } from "../../../src/cli/attest-options.ts";
import { thrownBy } from "../../support/codes.ts";

function read(...argv: readonly string[]): AttestFlags {
  const command = addAttestOptions(new Command("attest").exitOverride().configureOutput({ writeErr: () => {} }));
  return readAttestOptions(command.parse([...argv], { from: "user" }).opts());
}

function refused(...argv: readonly string[]): string {
  const { message, found } = thrownBy(() => read(...argv), "usage");
  return `${message}: ${found}`;
}

const KEY = ["--key", "k"] as const;
const FILE = ["--predicate", "f.json"] as const;
const TYPE = ["--type", "slsaprovenance1"] as const;

describe("the flags of attest", () => {
  it("name a type, a document and who signs", () => {
    const flags = read(...KEY, ...TYPE, ...FILE);
    assert.equal(flags.predicateType, "https://slsa.dev/provenance/v1");
    assert.deepEqual([flags.predicate, flags.signatory.key, flags.formats], ["f.json", "k", ["bundle"]]);
    assert.deepEqual([flags.recursive, flags.dryRun, flags.signAs], [false, false, undefined]);
  });

  it("take a URI as it is, and the first type of a short name that has several", () => {
    assert.equal(read(...KEY, ...FILE, "--type", "https://acme.example/t").predicateType, "https://acme.example/t");
    assert.equal(
      read(...KEY, ...FILE, "--type", "in-toto-vulns").predicateType,
      "https://in-toto.io/attestation/vulns/v0.2",
    );
  });

  it("want both: nothing is guessed, as cosign guesses custom", () => {
    assert.match(refused(...KEY, ...FILE), /no --type/);
    assert.match(refused(...KEY, ...TYPE), /no --predicate/);
    assert.match(refused(...KEY, ...TYPE, "--predicate", ""), /no --predicate/);
    assert.match(refused(...KEY, ...FILE, "--type", ""), /no --type/);
  });

  it("take each once", () => {
    thrownBy(() => read(...KEY, ...TYPE, ...FILE, "--type", "vuln"), "usage");
    thrownBy(() => read(...KEY, ...TYPE, ...FILE, "--predicate", "g.json"), "usage");
  });

  it("refuse an unknown type, and the type of signatures", () => {
    assert.match(refused(...KEY, ...FILE, "--type", "provenance"), /not a type of attestation: provenance/);
    assert.match(refused(...KEY, ...FILE, "--type", "https://sigstore.dev/cosign/sign/v1"), /own signature/);
  });

  it("store as asked, each format once, cosign's old one with a key alone", () => {
    const both = ["--format", "bundle", "--format", "cosign-legacy"];
    assert.deepEqual(read(...KEY, ...TYPE, ...FILE, ...both, ...both).formats, ["bundle", "cosign-attestation"]);
    assert.match(refused(...TYPE, ...FILE, ...both), /without --key/);
    assert.match(refused(...KEY, ...TYPE, ...FILE, ...both, "--tlog-upload", "true"), /with services/);
    assert.match(refused(...KEY, ...TYPE, ...FILE, ...both, "--signing-config", "s.json"), /with services/);
    assert.match(refused(...KEY, ...TYPE, ...FILE, "--format", "notation-jws"), /notation-jws/);
    assert.match(refused(...KEY, ...TYPE, ...FILE, "--format", "cosign-attestation"), /cosign-attestation/);
  });

  it("take SPDX's text in cosign's old form only: in a bundle nobody reads it", () => {
    const spdx = [...KEY, ...FILE, "--type", "spdx"];
    assert.deepEqual(read(...spdx, "--format", "cosign-legacy").formats, ["cosign-attestation"]);
    assert.match(refused(...spdx), /tag-value/);
    assert.match(refused(...spdx, "--format", "cosign-legacy", "--format", "bundle"), /tag-value/);
  });
});
