import assert from "node:assert/strict";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import type { Context } from "../../src/cli/context.ts";
import { openOutput } from "../../src/cli/output.ts";
import { findCases } from "../../src/cli/policy-cases.ts";
import { explainFinding } from "../../src/core/explain.ts";
import { REASONS, type ReasonCode } from "../../src/core/reasons.ts";
import { instant } from "../../src/core/time.ts";
import { runCases } from "../../src/ops/policy-cases.ts";
import { CASES, makeCases } from "../support/policy-cases/make.ts";

const FOLDER = join(import.meta.dirname, "../policy-cases");
/** Beside the cases. */
const OWN = ["README.md"];

function filesBelow(folder: string, prefix = ""): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) =>
    entry.isDirectory() ? filesBelow(join(folder, entry.name), `${prefix}${entry.name}/`) : [`${prefix}${entry.name}`],
  );
}

/** UPDATE_POLICY_CASES=1 writes what the table of test/support/policy-cases makes. */
function writeCases(made: ReadonlyMap<string, Uint8Array>): void {
  const old = filesBelow(FOLDER).filter((path) => !OWN.includes(path) && !made.has(path));
  for (const path of old) rmSync(join(FOLDER, path));
  for (const [path, bytes] of made) {
    mkdirSync(dirname(join(FOLDER, path)), { recursive: true });
    writeFileSync(join(FOLDER, path), bytes);
  }
}

/** A machine that has nothing: no home, no configuration, another time, and a network that is never asked. */
function emptyContext(): Context {
  const silent = { stream: new PassThrough(), isTerminal: false };
  return {
    env: {},
    workingDirectory: FOLDER,
    homeDirectory: join(FOLDER, "no-home"),
    stdin: new PassThrough(),
    stdout: silent,
    stderr: silent,
    referenceTime: instant(Date.UTC(2031, 0, 1)),
    signal: new AbortController().signal,
    exitCode: 0,
  };
}

const made = await makeCases();
if (process.env["UPDATE_POLICY_CASES"] === "1") writeCases(made);
const context = emptyContext();
const global = { format: "text", outputFile: undefined, quiet: true, debug: false, progress: false };
const results = await runCases(await findCases(context, openOutput(context, global), ["."], undefined));

describe("the cases of the policy language", () => {
  for (const { name, about, outcome, differences, verdict, finding } of results) {
    it(`${name}: ${about}`, () => {
      const said = [...(verdict?.reasons ?? []), ...(finding === undefined ? [] : [finding])].map(explainFinding);
      assert.equal(outcome, "passed", [...differences.map((each) => JSON.stringify(each)), ...said].join("\n"));
    });
  }

  it("are the files that the table makes, byte for byte, and no others", () => {
    const there = filesBelow(FOLDER).filter((path) => !OWN.includes(path));
    assert.deepEqual(there.toSorted(), [...made.keys()].toSorted());
    const differing = [...made].filter(([path, bytes]) => !readFileSync(join(FOLDER, path)).equals(bytes));
    assert.deepEqual(
      differing.map(([path]) => path),
      [],
    );
  });

  it("are a hundred at least, each tested, refusals far more than acceptances", () => {
    assert.ok(CASES.length >= 100, `${CASES.length} cases`);
    assert.deepEqual(results.map(({ name }) => name).toSorted(), CASES.map(({ name }) => name).toSorted());
    const accepted = CASES.filter(({ expected }) => expected === "accepted").length;
    assert.ok(accepted * 2 < CASES.length, `${accepted} of ${CASES.length} accept`);
  });

  it("reach every reason for which evidence can be refused, and what else a policy can say", () => {
    const reached = new Set(CASES.flatMap(({ expected }) => expected.split(/,? /).slice(1)));
    const refused = (Object.keys(REASONS) as ReasonCode[]).filter((code) => REASONS[code].class === "refused");
    const missing = [
      ...refused,
      "policy-invalid",
      "policy-untrusted",
      "key-published",
      "trust-stale",
      "limit-reached",
    ].filter((code) => !reached.has(code));
    // These are about an image's own bytes, which are not judged from a record.
    const bytes = ["size-mismatch", "manifest-invalid", "layout-invalid", "layer-invalid", "decompression-bomb"];
    // And these about files that name an image, and about its tag: what it is by its digest is judged.
    const names = ["unpinned", "lock-drift", "tag-moved"];
    // What signed tags are refused for, the last of the table, is not recorded either.
    const tags = refused.slice(refused.indexOf("tag-unlisted"));
    assert.deepEqual(missing, [...bytes, ...names, ...tags]);
  });

  it("are small files", () => {
    const large = filesBelow(FOLDER).filter((path) => statSync(join(FOLDER, path)).size > 24 * 1024);
    assert.deepEqual(large, []);
  });
});
