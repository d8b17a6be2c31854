import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { addScanOptions, readScanOptions } from "../../../src/cli/scan-options.ts";
import { thrownBy } from "../../support/codes.ts";

function read(...argv: readonly string[]) {
  const command = addScanOptions(new Command("scan")).exitOverride();
  command.parse(["--scanner", "trivy", ...argv], { from: "user" });
  return readScanOptions(command.opts(), (name) => command.getOptionValueSource(name) === "cli");
}

describe("the flags of a scan", () => {
  it("say what to scan with, and hand flags on as they are", () => {
    const flags = read("--scanner-arg=--offline-scan", "--scanner-arg", "--cache-dir", "--scan-timeout", "5m", "-r");
    assert.deepEqual(flags.scannerArguments, ["--offline-scan", "--cache-dir"]);
    assert.equal(flags.timeoutMs, 300_000);
    assert.equal(flags.recursive, true);
    assert.equal(flags.attest, undefined);
  });

  it("say whether something is signed, and by whom", () => {
    const { attest } = read("--attest", "--reduced", "--key", "cosign.key", "-a", "env=prod");
    assert.equal(attest?.signatory.key, "cosign.key");
    assert.equal(attest?.reduced, true);
    assert.deepEqual(attest?.annotations, { env: "prod" });
  });

  it("are refused where they speak of a signature that is not made", () => {
    for (const flag of [["--key", "cosign.key"], ["--reduced"], ["-a", "a=b"], ["--identity-token", "token"]]) {
      thrownBy(() => read(...flag), "usage");
    }
  });

  it("are not where a variable names a key: it is there for all commands", () => {
    assert.equal(readScanOptions({ scanner: "trivy", key: "cosign.key" }, () => false).attest, undefined);
  });

  it("are refused without a scanner", () => {
    thrownBy(() => readScanOptions({}, () => false), "usage");
  });
});
