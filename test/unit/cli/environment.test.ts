import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command, Option } from "commander";
import { applyEnvironment, variableOf } from "../../../src/cli/environment.ts";
import { addRegistryOptions } from "../../../src/cli/options.ts";
import { addVerifyOptions } from "../../../src/cli/verify-options.ts";
import { isUsage } from "../../support/usage.ts";

function options(env: Record<string, string>, ...argv: readonly string[]): Record<string, unknown> {
  const command = addRegistryOptions(addVerifyOptions(new Command("test"))).option("--no-progress", "no bars");
  command.action(() => undefined).parse([...argv], { from: "user" });
  applyEnvironment(command, env);
  return command.opts();
}

describe("flags from the environment", () => {
  it("are called after the flag", () => {
    assert.equal(variableOf(new Option("-t, --timeout <duration>")), "COUNTERSIGN_TIMEOUT");
    assert.equal(variableOf(new Option("--no-progress")), "COUNTERSIGN_NO_PROGRESS");
    assert.equal(variableOf(new Option("--help")), undefined);
  });

  it("give a flag its value, read as on the command line", () => {
    const given = options({ COUNTERSIGN_RETRY: "0", COUNTERSIGN_REGISTRY_CACERT: "ca.pem", COUNTERSIGN_TIMEOUT: "2m" });
    assert.deepEqual([given["retry"], given["registryCacert"], given["timeout"]], [0, "ca.pem", 120_000]);
  });

  it("give a repeatable flag the values between the commas", () => {
    assert.deepEqual(options({ COUNTERSIGN_KEY: "a.pub,b.pub" })["key"], ["a.pub", "b.pub"]);
  });

  it("lose against the command line, lists included", () => {
    const given = options({ COUNTERSIGN_RETRY: "1", COUNTERSIGN_KEY: "a.pub" }, "--retry", "2", "--key", "b.pub");
    assert.deepEqual([given["retry"], given["key"]], [2, ["b.pub"]]);
  });

  it("win against a default", () => {
    assert.equal(options({ COUNTERSIGN_EXIT_CODES: "cosign" })["exitCodes"], "cosign");
  });

  it("count as not set where they are empty", () => {
    assert.equal(options({ COUNTERSIGN_RETRY: "" })["retry"], undefined);
  });

  it("switch flags without a value on and off", () => {
    for (const on of ["1", "true", "yes", "on", "TRUE"]) {
      assert.equal(options({ COUNTERSIGN_RECURSIVE: on })["recursive"], true);
      assert.equal(options({ COUNTERSIGN_NO_PROGRESS: on })["progress"], false);
    }
    for (const off of ["0", "false", "no", "off"])
      assert.equal(options({ COUNTERSIGN_RECURSIVE: off })["recursive"], false);
  });

  const wrong: readonly Record<string, string>[] = [
    { COUNTERSIGN_RECURSIVE: "maybe" },
    { COUNTERSIGN_RETRY: "many" },
    { COUNTERSIGN_TIMEOUT: "soon" },
    { COUNTERSIGN_PLATFORM: "linux" },
    { COUNTERSIGN_EXIT_CODES: "podman" },
  ];
  for (const env of wrong) {
    it(`are named when they cannot be used: ${JSON.stringify(env)}`, () => {
      const [name = ""] = Object.keys(env);
      assert.throws(
        () => options(env),
        (error) => isUsage(error) && error instanceof Error && error.message.includes(name),
      );
    });
  }
});
