import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { applyEnvironment } from "../../../src/cli/environment.ts";
import { addPinOptions, readPinOptions } from "../../../src/cli/pin-options.ts";
import { addVerifyOptions } from "../../../src/cli/verify-options.ts";
import { isUsage } from "../../support/usage.ts";

function read(line: string, env: Readonly<Record<string, string>> = {}) {
  const warnings: string[] = [];
  const command = addVerifyOptions(addPinOptions(new Command("pin"))).exitOverride();
  command.parse(line === "" ? [] : line.split(" "), { from: "user" });
  applyEnvironment(command, env, (warning) => warnings.push(warning));
  const options = readPinOptions(command.opts(), (name) => command.getOptionValueSource(name) === "cli");
  return { ...options, warnings };
}

const DAY = 86_400_000;

describe("the flags of pin", () => {
  it("are to pin, verified, with a lock file in the working directory, where nothing is said", () => {
    const { warnings: _none, ...options } = read("");
    const lock = "countersign.lock";
    assert.deepEqual(options, { mode: "pin", update: false, coolDown: undefined, lock, isVerified: true });
  });

  it("are read one by one", () => {
    assert.equal(read("--check").mode, "check");
    assert.equal(read("--diff").mode, "diff");
    assert.deepEqual(
      [read("--update --cool-down 3d").coolDown, read("--update --cool-down 3d").update],
      [3 * DAY, true],
    );
    assert.deepEqual([read("--lock l").lock, read("--no-verify").isVerified], ["l", false]);
  });

  for (const line of [
    "--check --update",
    "--check --diff",
    "--check --no-verify",
    "--cool-down 3d",
    "--update --cool-down 0d",
    "--update --cool-down three",
    "--no-verify --key cosign.pub",
    "--no-verify --policy policy.yaml",
    "--no-verify --repo acme/app",
    "--no-verify --insecure-ignore-tlog",
    "--lock a --lock b",
  ]) {
    it(`are refused where they contradict each other: ${line}`, () => assert.throws(() => read(line), isUsage));
  }

  it("of the environment give way to what contradicts them on the command line, and say so", () => {
    const gave = (line: string, env: Readonly<Record<string, string>>) => {
      const { mode, isVerified, warnings } = read(line, env);
      return [mode, isVerified, warnings.map((warning) => warning.split(" ")[0])];
    };
    assert.deepEqual(gave("--check", { COUNTERSIGN_UPDATE: "1" }), ["check", true, ["COUNTERSIGN_UPDATE"]]);
    assert.deepEqual(gave("--update", { COUNTERSIGN_CHECK: "1" }), ["pin", true, ["COUNTERSIGN_CHECK"]]);
    assert.deepEqual(gave("--key a.pub", { COUNTERSIGN_NO_VERIFY: "1" }), ["pin", true, ["COUNTERSIGN_NO_VERIFY"]]);
    assert.deepEqual(gave("--no-verify", { COUNTERSIGN_KEY: "a.pub" }), ["pin", false, ["COUNTERSIGN_KEY"]]);
  });

  it("may have a cool-down in the environment, for when there is an update", () => {
    const env = { COUNTERSIGN_COOL_DOWN: "3d" };
    assert.equal(read("", env).mode, "pin");
    assert.equal(read("--update", env).coolDown, 3 * DAY);
  });
});
