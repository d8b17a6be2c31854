import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { captureContext } from "../../support/session.ts";

const workingDirectory = mkdtempSync(join(tmpdir(), "documents-"));
after(() => rmSync(workingDirectory, { recursive: true, force: true }));

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../../docs/schemas/${name}.json`, import.meta.url), "utf8"));
}

async function documentOf(...argv: readonly string[]): Promise<Record<string, unknown>> {
  const env = { COSIGN_PASSWORD: "pw", COUNTERSIGN_KEY_PASSPHRASE: "pw", COUNTERSIGN_NO_SUCH_FLAG: "1", NO_COLOR: "1" };
  const { context, stdout, stderr } = captureContext({ workingDirectory, homeDirectory: workingDirectory, env });
  assert.equal(await run([...argv, "-o", "json"], context), 0, stderr());
  return JSON.parse(stdout());
}

/** In this order: later ones look at the keys that the first makes. */
const DOCUMENTS: readonly (readonly [schema: string, line: string])[] = [
  ["key", "key generate -q"],
  ["key", "key import cosign.key"],
  ["key", "key public cosign.key"],
  ["key", "key inspect cosign.key"],
  ["key", "key inspect cosign.pub"],
  ["env", "env"],
  ["help", "help reasons"],
  ["help", "help exit-codes"],
  ["help", "help environment"],
  ["help", "help identities"],
  ["help", "help attestations"],
  ["demo", "demo"],
  ["trust-key", "trust key generate alice"],
  ["trust-key", "trust key load cosign.key --name ops"],
  ["trust-key", "trust key list"],
  ["trust-key-export", "trust key export alice"],
  ["trust-key-export", "trust key export alice --private"],
];

describe("the documents of commands that judge no image", () => {
  for (const [schema, line] of DOCUMENTS) {
    it(`countersign ${line} -o json fits docs/schemas/${schema}.json`, async () => {
      const document = await documentOf(...line.split(" "));
      assert.deepEqual(violations(document, schemaOf(schema)), []);
      assert.equal(document["schemaVersion"], 1);
    });
  }

  it("do not fit another command's schema, nor with a member lacking or unexpected", async () => {
    const document = await documentOf("key", "inspect", "cosign.pub");
    for (const name of ["env", "help", "demo", "verdicts"]) {
      assert.notDeepEqual(violations(document, schemaOf(name)), [], name);
    }
    const { fingerprint: _left, ...lacking } = document;
    assert.notDeepEqual(violations(lacking, schemaOf("key")), []);
    assert.notDeepEqual(violations({ ...document, password: "pw" }, schemaOf("key")), []);
  });
});
