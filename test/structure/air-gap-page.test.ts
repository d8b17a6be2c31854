import assert from "node:assert/strict";
import { cp, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, it, type TestContext } from "node:test";
import { run } from "../../src/cli/main.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { instant } from "../../src/core/time.ts";
import { startRegistry } from "../../src/testbed/registry.ts";
import { httpServer } from "../support/http-server.ts";
import { captureContext, splitCommand } from "../support/session.ts";
import { pushImage } from "../support/session-image.ts";
import { SessionSigstore } from "../support/session-sigstore.ts";
import { temporaryFolder } from "../support/temp.ts";
import { DAY, TestRepository } from "../support/tuf-repository.ts";
import { ROOT } from "./source-files.ts";

const text = await readFile(join(ROOT, "docs/air-gap.md"), "utf8");

type Machine = "outside" | "inside";

/** The page's commands in their order, and on which of the two machines each is typed. */
const steps = [...text.matchAll(/^<!-- on: (outside|inside) -->\n```console\n([\s\S]*?)^```$/gm)].flatMap(
  ([, machine, lines = ""]) =>
    lines
      .trim()
      .split("\n")
      .map((line) => ({ machine: machine as Machine, line })),
);

/** Two machines, and what there is around the one with a network. */
class Procedure {
  readonly #folder: string;
  /** The page's names, and where they are here. */
  readonly #places: ReadonlyMap<string, string>;
  readonly #now: number;
  readonly #env: Record<string, string> = { COSIGN_PASSWORD: "pw" };

  private constructor(folder: string, registry: string, now: number) {
    this.#folder = folder;
    this.#places = new Map([
      ["registry.internal.example", `${registry}/inside`],
      ["registry.example", registry],
    ]);
    this.#now = now;
  }

  static async open(t: TestContext): Promise<Procedure> {
    const registry = await startRegistry();
    const sigstore = new SessionSigstore();
    const now = Date.now();
    const trustedRoot = sigstore.create("acme");
    const tuf = new TestRepository({ now: now - 1000 }).addTarget("trusted_root.json", trustedRoot).publishTargets();
    const mirror = await httpServer(tuf.handler());
    t.after(() => Promise.all([registry.close(), mirror.close()]).then(() => undefined));
    const procedure = new Procedure(await temporaryFolder(t), registry.address, now);
    const outside = procedure.#home("outside");
    await mkdir(outside);
    await writeFile(join(outside, "root.json"), tuf.startRoot);
    const init = `countersign trusted-root init acme --mirror http://${mirror.host} --root root.json`;
    for (const line of ["countersign key generate", init]) await procedure.type("outside", line);
    for (const name of ["acme/app:1.4.2", "acme/db:9"]) {
      const image = `${registry.address}/${name}`;
      await pushImage(image, name);
      await sigstore.sign("acme", image, ["email:release@acme.example", "issuer:https://login.acme.example"]);
      await procedure.type("outside", `countersign sign --key cosign.key ${image}`);
    }
    // Inside there are the public key and the start root, and nothing that was ever fetched.
    await cp(outside, procedure.#home("inside"), { recursive: true });
    for (const name of [".cache", ".local", "cosign.key"]) {
      await rm(join(procedure.#home("inside"), name), { recursive: true });
    }
    return procedure;
  }

  #home(machine: Machine): string {
    return join(this.#folder, machine);
  }

  async type(machine: Machine, line: string): Promise<void> {
    const argv = splitCommand(line, this.#env).words.slice(1);
    const home = this.#home(machine);
    const { context, stdout, stderr } = captureContext({
      env: this.#env,
      workingDirectory: home,
      homeDirectory: home,
      referenceTime: instant(this.#now),
    });
    assert.equal(
      await run(
        argv.map((word) => this.#placed(word)),
        context,
      ),
      0,
      `${line}\n${stdout()}${stderr()}`,
    );
    const [, file] = machine === "outside" ? (/--to (\S+\.tar)/.exec(line) ?? []) : [];
    if (file !== undefined) await this.#carry(file, stdout());
  }

  #placed(word: string): string {
    return [...this.#places].reduce((text, [name, place]) => text.replace(name, place), word);
  }

  async #carry(file: string, printed: string): Promise<void> {
    await cp(join(this.#home("outside"), file), join(this.#home("inside"), file));
    const [, digest] = /^ {2}digest +(sha256:[0-9a-f]{64})$/m.exec(printed) ?? [];
    if (file === "kit.tar" && digest !== undefined) this.#env["DIGEST"] = digest;
  }
}

describe("docs/air-gap.md", () => {
  it("has commands on both machines, one a line", () => {
    assert.ok(steps.length >= 12);
    assert.deepEqual([...new Set(steps.map(({ machine }) => machine))], ["outside", "inside"]);
    assert.deepEqual(
      steps.filter(({ line }) => !line.startsWith("$ countersign ")),
      [],
    );
  });

  it("is a procedure that works, from its first command to its last", async (t) => {
    const procedure = await Procedure.open(t);
    for (const { machine, line } of steps) await procedure.type(machine, line.slice(2));
  });

  it("says when load begins to warn", () => {
    assert.equal(LIMITS.trustWarningMs, 3 * DAY);
    assert.match(text, /With three days left `load` begins to warn/);
  });
});
