import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { completionScript, type Shell } from "../../../src/cli/completion.ts";
import { buildProgram } from "../../../src/cli/program.ts";
import { captureContext } from "../../support/session.ts";

const program = await buildProgram(captureContext().context);
let directory = "";
before(() => {
  directory = mkdtempSync(join(tmpdir(), "completion-"));
  for (const shell of ["bash", "zsh", "fish"] as const)
    writeFileSync(scriptOf(shell), completionScript(shell, program));
});
after(() => rmSync(directory, { recursive: true }));

function scriptOf(shell: Shell): string {
  return join(directory, shell === "zsh" ? "_countersign" : `countersign.${shell}`);
}

/** What the shell itself offers for a line that ends where the cursor is. */
const ASK: Readonly<Record<Shell, (line: string) => readonly string[]>> = {
  bash(line) {
    const words = line.split(" ");
    const quoted = words.map((word) => `'${word}'`).join(" ");
    return execute("bash", [
      "-c",
      `source "$0"; COMP_WORDS=(${quoted}); COMP_CWORD=${words.length - 1}; _countersign; printf '%s\\n' "\${COMPREPLY[@]}"`,
      scriptOf("bash"),
    ]);
  },
  zsh(line) {
    // zsh completes in a line editor only, and that needs a terminal: zpty is its own.
    const driver = `
zmodload zsh/zpty
zpty inner zsh -f -i
await() { zpty -r -m inner output "*$1*" }
zpty -w inner 'PS1=; PS2=; fpath=(${directory} $fpath); autoload -Uz compinit; compinit -D -u; zstyle ":completion:*" list-prompt ""
compadd() { local -a all; builtin compadd -O all "$@"; captured+=($all); builtin compadd "$@" }
show() { typeset -ga captured; captured=(); zle complete-word; print -r -- "<<$captured>>"; }
zle -C complete-word complete-word _main_complete; zle -N show; bindkey "^X" show; print ready''-now'
await ready-now
zpty -w -n inner ${JSON.stringify(line)}$'\\x18'
await '>>'
print -r -- "\${\${output##*<<}%%>>*}"
zpty -d inner`;
    return execute("zsh", ["-f", "-c", driver]).flatMap((words) => words.split(" "));
  },
  fish(line) {
    const offered = execute("fish", ["--no-config", "-c", `source ${scriptOf("fish")}; complete -C '${line}'`]);
    return offered.map((candidate) => candidate.split("\t")[0] ?? "");
  },
};

function execute(program: string, argv: readonly string[]): readonly string[] {
  const { stdout, stderr, status } = spawnSync(program, [...argv], {
    encoding: "utf8",
    timeout: 60_000,
    cwd: directory,
    // A shell complains of a locale that the machine does not have.
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  assert.equal(stderr, "");
  assert.equal(status, 0);
  return stdout.split(/\r?\n/).filter((one) => one !== "");
}

const CASES: readonly (readonly [string, readonly string[]])[] = [
  ["countersign ke", ["key"]],
  ["countersign key ", ["generate", "import", "inspect", "public"]],
  ["countersign key gene", ["generate"]],
  ["countersign completion ", ["bash", "fish", "zsh"]],
  ["countersign env -o ", ["json", "text"]],
  ["countersign key generate --alg", ["--algorithm"]],
  ["countersign -o json key gene", ["generate"]],
];

for (const shell of ["bash", "zsh", "fish"] as const) {
  const missing = spawnSync(shell, ["--version"]).error !== undefined;
  const skip = missing ? `${shell} is not installed` : false;
  describe(`completion in ${shell}`, { skip }, () => {
    for (const [line, offered] of CASES) {
      it(`offers ${offered.join(", ")} after "${line}"`, () => {
        assert.deepEqual([...new Set(ASK[shell](line))].toSorted(), offered);
      });
    }

    it("offers no cosign alias of ours, which would only be in the way", () => {
      assert.deepEqual(ASK[shell]("countersign generate"), []);
    });
  });
}
