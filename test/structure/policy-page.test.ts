import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { buildProgram } from "../../src/cli/program.ts";
import type { PolicyDocument } from "../../src/core/policy/document.ts";
import { formatPolicy } from "../../src/core/policy/format.ts";
import { lintPolicy } from "../../src/core/policy/lint.ts";
import { LINTS } from "../../src/core/policy/lint-codes.ts";
import { parsePolicy } from "../../src/core/policy/parse.ts";
import { IDENTITY_FIELDS } from "../../src/core/policy/parse-identities.ts";
import { REQUIREMENTS } from "../../src/core/policy/parse-requirement.ts";
import { EXCEPTION_FIELDS, RULE_FIELDS } from "../../src/core/policy/parse-rules.ts";
import { instant } from "../../src/core/time.ts";
import { captureContext } from "../support/session.ts";
import { blocksOf } from "./readme-text.ts";
import { ROOT } from "./source-files.ts";

const text = readFileSync(join(ROOT, "docs/policy.md"), "utf8");
const examples = blocksOf(text).flatMap(({ language, lines }) =>
  language === "yaml" ? [`${lines.join("\n")}\n`] : [],
);
const [first = "", second = ""] = examples;

/** Those of the page's part on identities, and the scanner of its first example. */
const SCANNER = "  scanner: {keyless: {subject: scanner@acme.example, issuer: https://login.acme.example}}\n";
const IDENTITIES = second.replace("identities:\n", `identities:\n${SCANNER}`);

/** A part of a policy as a whole one. */
function whole(part: string): string {
  if (part.startsWith("apiVersion:")) return part;
  const head = "apiVersion: countersign/v1\n";
  if (part === second) return `${head}${part}rules: []\n`;
  return part.startsWith("- ") ? `${head}${IDENTITIES}rules:\n${part}` : `${head}${IDENTITIES}${part}rules: []\n`;
}

function read(part: string): PolicyDocument {
  return parsePolicy(Buffer.from(whole(part)), "docs/policy.md");
}

describe("docs/policy.md", () => {
  it("has examples that are read as they are meant", () => {
    assert.ok(examples.length >= 6);
    for (const example of examples) {
      const policy = read(example);
      assert.equal(parsePolicy(Buffer.from(formatPolicy(policy)), "x").rules.length, policy.rules.length);
    }
  });

  it("has a first example that nothing is to be said about", () => {
    assert.deepEqual(lintPolicy(read(first), { now: instant(Date.UTC(2026, 10, 1)), instances: [] }), []);
  });

  it("lists what policy check points at, as the source does", () => {
    const rows = [...text.matchAll(/^\| `([a-z-]+)` \| (error|warning|note) \| (.*) \|$/gm)].map(([, ...row]) => row);
    assert.deepEqual(
      rows,
      Object.entries(LINTS).map(([code, { severity, meaning }]) => [code, severity, meaning]),
    );
  });

  it("tells of every member of an identity, a rule, an exception and a requirement", () => {
    const silent = [...IDENTITY_FIELDS, ...RULE_FIELDS, ...EXCEPTION_FIELDS, ...REQUIREMENTS].filter(
      (name) => !new RegExp(`\\b${name}\\b`).test(text),
    );
    assert.deepEqual(silent, []);
  });

  it("names commands that there are", async () => {
    const program = await buildProgram(captureContext().context);
    const policy = program.commands.find((command) => command.name() === "policy");
    const named = new Set([...text.matchAll(/countersign policy ([a-z]+)/g)].map(([, name]) => name));
    const known = policy?.commands.map((command) => command.name()) ?? [];
    assert.deepEqual(
      [...named].filter((name) => !known.includes(name ?? "")),
      [],
    );
    assert.ok(named.size >= 3);
  });
});
