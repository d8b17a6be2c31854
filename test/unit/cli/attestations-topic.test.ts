import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { attestationsTopic } from "../../../src/cli/attestations-topic.ts";
import { PREDICATE_ALIASES, resolveType } from "../../../src/core/formats/predicates.ts";
import { compileCondition } from "../../../src/core/policy/cel.ts";
import { instant } from "../../../src/core/time.ts";
import { PLAIN } from "../../../src/report/style.ts";
import { rejectedBy } from "../../support/codes.ts";

const topic = attestationsTopic();
const text = topic.text(PLAIN);
const { types, functions } = JSON.parse(topic.json());
const examples = text.split("Examples\n")[1]?.match(/^ {2}\S.*$/gm) ?? [];

describe("countersign help attestations", () => {
  it("has every short name with all that it stands for", () => {
    assert.deepEqual(
      types.map(({ name }: { name: string }) => name),
      PREDICATE_ALIASES,
    );
    for (const name of PREDICATE_ALIASES) for (const { uri } of resolveType(name)) assert.ok(text.includes(uri), uri);
  });

  it("has examples that are conditions", async () => {
    assert.ok(examples.length >= 5);
    for (const example of examples) await compileCondition(example.trim(), instant(0));
  });

  it("has every function that a condition may call, in its text too", async () => {
    for (const name of functions as readonly string[]) assert.match(text, new RegExp(`\\b${name}\\b`), name);
    for (const name of ["split", "join", "indexOf", "substring", "json", "getDayOfYear"]) {
      assert.ok(!functions.includes(name));
      await rejectedBy(() => compileCondition(`predicate.${name}()`), "usage");
    }
  });

  it("fits lines of 120 columns", () => {
    assert.deepEqual(
      text.split("\n").filter((line) => line.length > 120),
      [],
    );
  });
});
