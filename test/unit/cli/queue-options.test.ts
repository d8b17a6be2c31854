import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { run } from "../../../src/cli/main.ts";
import { captureContext } from "../../support/session.ts";

const SECRET = { COUNTERSIGN_QUEUE_SECRET: "0123456789abcdef0123456789abcdef" };
const QUEUE = ["--queue", "redis://queue.example"];
const WORKER = ["audit", "worker", "--key", "cosign.pub"];
const AUDIT = ["audit", "--key", "cosign.pub", "images.txt"];

/** What is said of a call that opens no connection, since it is refused before. */
async function refused(argv: readonly string[], env: Readonly<Record<string, string>> = SECRET): Promise<string> {
  const { context, stdout, stderr } = captureContext({ env });
  const code = await run([...argv, "-o", "json"], context);
  assert.equal(code, 2, stderr());
  assert.doesNotMatch(stdout() + stderr(), /hunter2/);
  const { error } = JSON.parse(stdout()) as { error: { code: string; message: string } };
  return `${error.code}: ${error.message}`;
}

describe("a queue on the command line", () => {
  it("is wanted by a worker", async () => {
    assert.equal(await refused(WORKER), "usage: nothing says where the audits are");
  });

  for (const [what, argv] of [
    ["a worker", [...WORKER, ...QUEUE]],
    ["an audit", [...AUDIT, ...QUEUE]],
  ] as const) {
    it(`is of no use to ${what} without a secret, nor with one that can be guessed`, async () => {
      const missing = "configuration-invalid: nothing tells results in the queue from forged ones";
      assert.equal(await refused(argv, {}), missing);
      assert.equal(await refused(argv, { COUNTERSIGN_QUEUE_SECRET: "" }), missing);
      const short = { COUNTERSIGN_QUEUE_SECRET: "hunter2-hunter2-hunter2-hunter2" };
      assert.equal(await refused(argv, short), "configuration-invalid: the queue's secret is too short");
    });

    it(`has an address that ${what} can read, whoever says it`, async () => {
      const bad = "http://me:hunter2@queue.example";
      const rest = argv.filter((word) => !QUEUE.includes(word));
      assert.equal(await refused([...rest, "--queue", bad]), "usage: --queue: not an address of a queue");
      assert.match(await refused(rest, { ...SECRET, COUNTERSIGN_QUEUE: bad }), /not an address of a queue$/);
    });
  }

  it("takes the place of parts and of a journal", async () => {
    for (const flags of [
      ["--shard", "1/2", "--plan", "plan.json"],
      ["--journal", "audit.journal", "images.txt"],
    ]) {
      const said = await refused(["audit", "--key", "cosign.pub", ...flags, ...QUEUE]);
      assert.equal(said, "usage: an audit through a queue has neither parts nor a journal");
    }
  });

  it("gives way to parts where it is only in the environment, and says so", async () => {
    const { context, stderr } = captureContext({
      env: { ...SECRET, COUNTERSIGN_QUEUE: "redis://:hunter2@queue.example" },
    });
    await run(["audit", "--key", "cosign.pub", "--shard", "1/2", "--plan", "no-plan.json"], context);
    assert.match(stderr(), /COUNTERSIGN_QUEUE is not heeded: --shard/);
    assert.doesNotMatch(stderr(), /hunter2/);
  });

  it("has a rate, which is nothing without it", async () => {
    assert.equal(
      await refused([...AUDIT, "--queue-rate", "5/s"]),
      "usage: --queue-rate is for the machines of a queue",
    );
    for (const rate of ["0", "-1", "fast", "1/d", "1.5"]) {
      assert.match(
        await refused([...AUDIT, ...QUEUE, "--queue-rate", rate]),
        /^usage: --queue-rate takes a number of images/,
      );
    }
  });

  it("has workers for several audits, for which a password on standard input is none", async () => {
    const flags = ["--registry-username", "me", "--registry-password-stdin"];
    const said = await refused([...WORKER, ...QUEUE, ...flags]);
    assert.equal(said, "usage: a worker for several audits cannot read a password from standard input");
  });

  it("is not shown by countersign env, nor is its secret", async () => {
    const env = { COUNTERSIGN_QUEUE: "redis://:hunter2@queue.example", COUNTERSIGN_QUEUE_SECRET: "hunter2".repeat(6) };
    const { context, stdout } = captureContext({ env });
    await run(["env"], context);
    assert.match(stdout(), /^COUNTERSIGN_QUEUE=\(set, not shown\)$/m);
    assert.match(stdout(), /^COUNTERSIGN_QUEUE_SECRET=\(set, not shown\)$/m);
    assert.doesNotMatch(stdout(), /hunter2/);
  });
});
