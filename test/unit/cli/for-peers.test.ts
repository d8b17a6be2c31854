import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { addFinish, addSigningOptions, readFinishOptions, readSigningOptions } from "../../../src/cli/sign-options.ts";
import { thrownBy } from "../../support/codes.ts";

function parse(...argv: readonly string[]): Command {
  const command = new Command("x").exitOverride().configureOutput({ writeErr: () => {} });
  addFinish(addSigningOptions(command));
  command.parse([...argv, "--key", "k.key"], { from: "user" });
  return command;
}

const read = (...argv: readonly string[]) => readSigningOptions(parse(...argv).opts());

describe("sign --for", () => {
  it("chooses what the named verifiers read, one by one or separated by commas", () => {
    assert.deepEqual(read("--for", "cosign3").formats, ["bundle"]);
    assert.deepEqual(read("--for", "kyverno").formats, ["cosign-legacy"]);
    for (const flags of [
      ["--for", "cosign3,podman"],
      ["--for", "cosign3", "--for", " podman"],
      ["--for=skopeo,cosign"],
    ]) {
      assert.deepEqual(read(...flags).formats, ["bundle", "cosign-legacy"]);
    }
  });

  it("signs every platform where one of them judges platforms", () => {
    assert.equal(read("--for", "podman").recursive, true);
    assert.equal(read("--for", "kyverno").recursive, false);
    assert.equal(read("--for", "kyverno", "-r").recursive, true);
    assert.equal(read().recursive, false);
  });

  it("takes formats that cover what is needed, and refuses fewer", () => {
    const all = ["--format", "cosign-legacy", "--format", "bundle"];
    assert.deepEqual(read("--for", "podman", ...all).formats, ["cosign-legacy", "bundle"]);
    const error = thrownBy(() => read("--for", "podman,cosign3", "--format", "bundle"), "usage");
    assert.equal(error.wanted, "--format cosign-legacy too, or --for alone");
  });

  it("refuses names of nobody, and verifiers that nothing is written for", () => {
    for (const name of ["docker", "", "cosign3,", "__proto__"]) thrownBy(() => read("--for", name), "usage");
    thrownBy(() => read("--for", "notation"), "unsupported");
    thrownBy(() => read("--for", "cosign3,notation"), "unsupported");
  });

  it("does not wait for a log entry where a legacy signature is needed", () => {
    const flags = ["--rekor-url", "https://log.example.com", "--log-later"];
    assert.equal(read("--for", "cosign3", ...flags).signatory.logLater, true);
    thrownBy(() => read("--for", "podman", ...flags), "usage");
  });

  it("signs nothing with --finish", () => {
    thrownBy(() => readFinishOptions(parse("--finish", "--for", "podman").opts()), "usage");
  });

  it("changes nothing where it is not given", () => {
    assert.equal(read().choice, undefined);
    assert.deepEqual(read().formats, ["bundle"]);
  });
});
