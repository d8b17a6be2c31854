import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command, Option } from "commander";
import { displace } from "../../../src/cli/displaced.ts";
import { applyEnvironment, variableOf } from "../../../src/cli/environment.ts";
import { addRegistryOptions } from "../../../src/cli/options.ts";
import { addTrustOptions, readTrustOptions } from "../../../src/cli/trust-options.ts";
import { addVerifyOptions } from "../../../src/cli/verify-options.ts";
import { thrownBy } from "../../support/codes.ts";
import { isUsage } from "../../support/usage.ts";

interface Given {
  readonly values: Record<string, unknown>;
  readonly warnings: readonly string[];
}

/** Flags of which one takes the place of another. */
function given(env: Record<string, string>, ...argv: readonly string[]): Given {
  const command = addTrustOptions(new Command("test")).option("--key <key>").option("--policy <file>");
  displace(command, ["--policy"], ["--key"]);
  command.action(() => undefined).parse([...argv], { from: "user" });
  const warnings: string[] = [];
  applyEnvironment(command, env, (line) => void warnings.push(line));
  return { values: command.opts(), warnings };
}

function options(env: Record<string, string>, ...argv: readonly string[]): Record<string, unknown> {
  const command = addRegistryOptions(addVerifyOptions(new Command("test"))).option("--no-progress", "no bars");
  command.action(() => undefined).parse([...argv], { from: "user" });
  applyEnvironment(command, env, () => undefined);
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

describe("flags of which one takes the place of another", () => {
  it("on the command line keep the environment's out, and say so", () => {
    const { values, warnings } = given({ COUNTERSIGN_KEY: "a.pub" }, "--policy", "p.yaml");
    assert.deepEqual([values["policy"], values["key"]], ["p.yaml", undefined]);
    assert.deepEqual(warnings, ["COUNTERSIGN_KEY is not heeded: --policy on the command line takes its place"]);
  });

  it("do not keep it out where they have their value from the environment themselves", () => {
    const { values, warnings } = given({ COUNTERSIGN_KEY: "a.pub", COUNTERSIGN_POLICY: "p.yaml" });
    assert.deepEqual([values["policy"], values["key"], warnings], ["p.yaml", "a.pub", []]);
  });

  it("take it in one direction only", () => {
    const { values } = given({ COUNTERSIGN_POLICY: "p.yaml" }, "--key", "a.pub");
    assert.deepEqual([values["policy"], values["key"]], ["p.yaml", "a.pub"]);
  });

  it("are those that say whom to believe", () => {
    const file = given({ COUNTERSIGN_TRUST: "github" }, "--trusted-root", "root.json");
    assert.deepEqual([file.values["trust"], file.warnings.length], [undefined, 1]);
    assert.equal(readTrustOptions(file.values).trustedRoot, "root.json");
    const name = given({ COUNTERSIGN_TRUSTED_ROOT: "root.json" }, "--trust", "github");
    assert.deepEqual([name.values["trustedRoot"], name.warnings.length], [undefined, 1]);
    assert.equal(readTrustOptions(name.values).instance, "github");
  });

  it("still contradict each other where both are in the environment", () => {
    const { values } = given({ COUNTERSIGN_TRUST: "github", COUNTERSIGN_TRUSTED_ROOT: "root.json" });
    thrownBy(() => readTrustOptions(values), "usage");
  });

  it("are not looked at where the value could not be read: it is not used", () => {
    assert.deepEqual(given({ COUNTERSIGN_TRUST: "" }, "--trusted-root", "root.json").warnings, []);
  });
});
