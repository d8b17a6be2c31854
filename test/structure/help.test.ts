import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Command } from "commander";
import { documented, manPages } from "../../src/cli/docs.ts";
import { fullName, manualOf } from "../../src/cli/manual.ts";
import { buildProgram } from "../../src/cli/program.ts";
import { assertGolden } from "../support/golden.ts";
import { captureContext } from "../support/session.ts";

const { context } = captureContext();
const program = await buildProgram(context);
const commands = documented(program);

function pageOf(command: Command): string {
  const { context: own, stdout } = captureContext();
  command.configureOutput({ writeOut: (text) => void own.stdout.stream.write(text) });
  command.outputHelp();
  return stdout();
}

describe("the help pages", () => {
  it("are those of test/golden/help, so that they change on purpose (UPDATE_GOLDEN=1)", () => {
    const pages = commands.map((command): [string, string] => {
      return [`${fullName(command).replaceAll(" ", "-")}.txt`, pageOf(command)];
    });
    assertGolden("test/golden/help", new Map(pages));
  });

  it("fit a terminal of 80 columns, examples aside", () => {
    for (const command of commands) {
      const prose = pageOf(command).split("Examples:")[0] ?? "";
      const wide = prose.split("\n").filter((line) => line.length > 80);
      assert.deepEqual(wide, [], fullName(command));
    }
  });

  for (const command of commands.slice(1)) {
    it(`of ${fullName(command)} has a summary, a description and examples that name it`, () => {
      assert.notEqual(command.summary(), "");
      assert.match(command.description(), /\.$/);
      const examples = manualOf(command)?.examples ?? [];
      assert.ok(examples.length > 0, "no examples");
      for (const { command: line, purpose } of examples) {
        assert.ok(line.includes("countersign "), line);
        assert.notEqual(purpose, "");
      }
    });

    it(`of ${fullName(command)} describes every flag and argument`, () => {
      for (const option of command.options) assert.notEqual(option.description, "", option.flags);
      for (const argument of command.registeredArguments) assert.notEqual(argument.description, "", argument.name());
    });
  }
});

describe("the man pages", () => {
  it("are those of docs/man, made from the same definitions (UPDATE_GOLDEN=1)", () => {
    assertGolden("docs/man", manPages(program));
  });

  it("say the same summary as the table that the first page is made of", async () => {
    const light = await buildProgram(context, []);
    const summaries = (root: Command): readonly string[] =>
      root.commands.map((one) => `${one.name()} ${one.summary()}`);
    assert.deepEqual(summaries(light), summaries(program));
  });
});
