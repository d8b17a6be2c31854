import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Command } from "commander";
import { applyEnvironment } from "../../../src/cli/environment.ts";
import {
  addContentTrustOption,
  addSignedTagOptions,
  isContentTrustOn,
  readSignedTagOptions,
  type SignedTagOptions,
} from "../../../src/cli/signed-tag-options.ts";
import { addTagStatementOptions, readTagStatements } from "../../../src/cli/tag-statement.ts";
import { addTrustOptions } from "../../../src/cli/trust-options.ts";
import { readTaggedOptions, readVerifyOptions } from "../../../src/cli/verify-options.ts";
import { thrownBy } from "../../support/codes.ts";

function given(env: Record<string, string>, ...flags: readonly string[]): Readonly<Record<string, unknown>> {
  const command = addTrustOptions(addContentTrustOption(addSignedTagOptions(new Command())));
  command.exitOverride().configureOutput({ writeErr: () => undefined });
  command.parse(flags, { from: "user" });
  applyEnvironment(command, env, () => undefined);
  return command.opts();
}

function read(env: Record<string, string>, ...flags: readonly string[]): SignedTagOptions {
  return readSignedTagOptions(given(env, ...flags));
}

describe("what is wanted of signed tags", () => {
  it("is what the environment says where no flag does", () => {
    assert.deepEqual(read({}), { isRequired: undefined, pins: undefined, tofu: false, checkTag: false });
  });

  it("is required by flag, by variable, and by first use", () => {
    assert.equal(read({}, "--signed-tag", "required").isRequired, true);
    assert.equal(read({ COUNTERSIGN_SIGNED_TAG: "required" }).isRequired, true);
    assert.equal(read({}, "--tofu").isRequired, true);
    assert.equal(read({}, "--tofu", "--signed-tag", "optional").isRequired, true);
  });

  it("is taken back by flag", () => {
    assert.equal(read({}, "--signed-tag", "optional").isRequired, false);
    assert.equal(read({}, "--disable-content-trust").isRequired, false);
  });

  it("is nothing that contradicts itself", () => {
    for (const flag of [["--signed-tag", "required"], ["--tofu"]]) {
      thrownBy(() => read({}, "--disable-content-trust", ...flag), "usage");
    }
    thrownBy(() => read({}, "--pins", "a.json", "--pins", "b.json"), "usage");
  });

  it("goes by the command line where the environment says the contrary", () => {
    assert.equal(read({ COUNTERSIGN_SIGNED_TAG: "required" }, "--disable-content-trust").isRequired, false);
    assert.equal(read({ COUNTERSIGN_DISABLE_CONTENT_TRUST: "1" }, "--signed-tag", "required").isRequired, true);
  });

  it("takes its pins from a flag or a variable, and from nowhere else", () => {
    assert.equal(read({}, "--pins", "mine.json").pins, "mine.json");
    assert.equal(read({ COUNTERSIGN_PINS: "theirs.json" }).pins, "theirs.json");
  });
});

describe("DOCKER_CONTENT_TRUST", () => {
  it("is on for whatever is no word for false, as Docker read it", () => {
    for (const value of ["1", "true", "yes", "on", "2", "anything"]) assert.ok(isContentTrustOn(value), value);
    for (const value of [undefined, "", "0", "f", "F", "false", "FALSE", "False"]) {
      assert.ok(!isContentTrustOn(value), `on for ${value}`);
    }
  });
});

describe("COUNTERSIGN_TRUST", () => {
  it("is an instance for --trust, unless its value is a switch", () => {
    assert.equal(given({ COUNTERSIGN_TRUST: "github" })["trust"], "github");
    for (const value of ["1", "true", "on", "0", "no"])
      assert.equal(given({ COUNTERSIGN_TRUST: value })["trust"], undefined);
  });
});

describe("a command that may do with a signed tag alone", () => {
  it("needs nobody's name", () => {
    assert.equal(readTaggedOptions({}).byTagAlone, true);
    assert.equal(readTaggedOptions({ recursive: true, signedAs: ["docker.io/acme/app"] }).byTagAlone, true);
    assert.equal(readTaggedOptions({ key: ["a.pub"] }).byTagAlone, false);
  });

  it("needs one for all that asks something of a signature: it would be asked of nothing", () => {
    for (const raw of [
      { threshold: 2 },
      { annotations: ["a=b"] },
      { type: ["vuln"] },
      { where: ["true"] },
      { bundle: ["a.json"] },
      { useSignedTimestamps: true },
      { insecureIgnoreTlog: true },
    ]) {
      thrownBy(() => readTaggedOptions(raw), "usage");
    }
    thrownBy(() => readVerifyOptions({}), "usage");
  });
});

describe("--tag-statement", () => {
  const images = ["registry.example/acme/app:1"];

  it("is for a tag that is written out", () => {
    assert.equal(readTagStatements({}, ["registry.example/acme/app"]), false);
    assert.equal(readTagStatements({ tagStatement: true }, images), true);
    assert.equal(readTagStatements({ tagStatement: true }, [`${images[0]}@sha256:${"a".repeat(64)}`]), true);
    for (const image of ["app", "localhost:5000/app", `localhost:5000/app@sha256:${"a".repeat(64)}`, "oci:build:1"]) {
      thrownBy(() => readTagStatements({ tagStatement: true }, [...images, image]), "usage");
    }
  });

  it("is for all platforms, and its key is for nothing else", () => {
    thrownBy(() => readTagStatements({ tagStatement: true, platform: { os: "linux" } }, images), "usage");
    thrownBy(() => readTagStatements({ tagKey: ["a.key"] }, images), "usage");
    assert.deepEqual(
      addTagStatementOptions(new Command()).options.map(({ long }) => long),
      ["--tag-statement", "--tag-key"],
    );
  });
});
