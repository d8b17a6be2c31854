import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { AUDIT_FORMATS } from "../../../src/cli/audit-options.ts";
import { AuditedFleet, type Finished } from "../../support/audited.ts";
import { type Schema, violations } from "../../support/json-schema.ts";
import { copyTag, pushImage } from "../../support/session-image.ts";

const COUNT = 24;
const scope: (() => Promise<void>)[] = [];
let fleet: AuditedFleet;
let whole = "";

before(async () => {
  fleet = await AuditedFleet.make({ after: (work) => void scope.unshift(work) }, COUNT);
  await fleet.must("audit", "plan", "images.txt", "--output-file", "plan.json");
  const finished = await audit("--plan", "plan.json", "-o", "json");
  assert.equal(finished.code, 1, finished.stderr);
  whole = finished.stdout;
});
after(async () => {
  for (const work of scope) await work();
});

async function audit(...argv: readonly string[]): Promise<Finished> {
  return await fleet.run(["audit", "--key", "cosign.pub", ...argv]);
}

function inFleet(name: string): string {
  return join(fleet.folder, name);
}

function schemaOf(name: string): Schema {
  return JSON.parse(readFileSync(new URL(`../../../docs/schemas/${name}.json`, import.meta.url), "utf8"));
}

function requestsSince(start: number): readonly string[] {
  return fleet.registry.requests.slice(start).map(({ method, path }) => `${method} ${path}`);
}

describe("countersign audit", () => {
  it("has the right verdict on every image", () => {
    const { images, summary } = JSON.parse(whole);
    const wanted = Array.from({ length: COUNT }, (_, at) => {
      const code = at % 3 === 0 ? "unsigned" : at % 5 === 0 ? "wrong-key" : undefined;
      return [fleet.image(at), code];
    });
    const found = images.map((one: { image: string; reasons: { code: string }[] }) => [
      one.image,
      one.reasons[0]?.code,
    ]);
    assert.deepEqual(new Map(found), new Map(wanted as [string, string][]));
    assert.equal(summary.images, COUNT);
    assert.deepEqual(violations(JSON.parse(whole), schemaOf("audit")), []);
  });

  it("says the same in one process, in shards, with one worker and with many", async () => {
    for (const [index, extra] of ["1", "2", "3", "4"].entries()) {
      const shard = ["--shard", `${extra}/4`, "--max-workers", `${index * 20 + 1}`];
      await audit("--plan", "plan.json", ...shard, "-o", "json", "--output-file", `s${extra}.json`);
    }
    const files = ["s3.json", "s1.json", "s4.json", "s2.json"];
    const merged = await fleet.run(["audit", "merge", ...files, "-o", "json"]);
    assert.deepEqual([merged.code, merged.stdout === whole], [1, true]);
    const alone = await audit("--plan", "plan.json", "--max-workers", "1", "-o", "json");
    assert.equal(alone.stdout, whole);
  });

  it("takes its shard from an Indexed Job", async () => {
    const flags = ["audit", "--key", "cosign.pub", "--plan", "plan.json", "--shard", "auto/4", "-o", "json"];
    const { stdout } = await fleet.run(flags, { JOB_COMPLETION_INDEX: "1" });
    assert.equal(stdout, await readFile(inFleet("s2.json"), "utf8"));
  });

  it("does not merge what does not belong together", async () => {
    await fleet.run([
      "audit",
      "--key",
      "eve.pub",
      "--plan",
      "plan.json",
      "--shard",
      "2/4",
      "-o",
      "json",
      "--output-file",
      "e2.json",
    ]);
    for (const [files, why] of [
      [["s1.json", "s2.json", "s3.json"], /of 4 shards, 1 is missing/],
      [["s1.json", "s2.json", "s3.json", "s4.json", "s4.json"], /there twice/],
      [["s1.json", "e2.json", "s3.json", "s4.json"], /e2\.json: it is of another standard/],
      [["plan.json"], /plan\.json: the document is no audit/],
      [["images.txt"], /images\.txt: /],
    ] as const) {
      const { code, stdout, stderr } = await fleet.run(["audit", "merge", ...files]);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, why);
    }
  });

  it("prints every format, of an audit and of merged shards alike", async () => {
    for (const format of AUDIT_FORMATS) {
      const one = await audit("--plan", "plan.json", "-o", format);
      const merged = await fleet.run(["audit", "merge", "s1.json", "s2.json", "s3.json", "s4.json", "-o", format]);
      assert.ok(one.stdout.length > 500, format);
      assert.equal(merged.stdout, one.stdout, format);
    }
  });

  it("says few lines on standard error, however many images are refused", async () => {
    const { stderr } = await audit("--plan", "plan.json", "-o", "json");
    const lines = stderr.trimEnd().split("\n");
    assert.equal(lines.length, 6);
    assert.match(lines.at(-1) ?? "", /^countersign: 6 more refused images/);
  });

  it("has a plan whose document fits its schema, and says what it would look at", async () => {
    const plan = JSON.parse(await readFile(inFleet("plan.json"), "utf8"));
    assert.deepEqual(violations(plan, schemaOf("audit-plan")), []);
    assert.notDeepEqual(violations(plan, schemaOf("audit")), []);
    const { stdout } = await fleet.run(["audit", "plan", "images.txt", "-o", "text"]);
    assert.match(stdout, /^plan {10}24 images$/m);
  });
});

describe("the exit code of an audit", () => {
  it("is what --fail-on asks for", async () => {
    const good = fleet.image(1);
    await fleet.write("good.txt", `${good}\n`);
    await fleet.write("gone.txt", `${good}\n${fleet.registry.address}/team/app:gone\n`);
    await fleet.write("broken.txt", `${good}\nNot An Image\n`);
    for (const [argv, code] of [
      [["good.txt"], 0],
      [["images.txt"], 1],
      [["gone.txt"], 3],
      [["broken.txt"], 3],
      [["images.txt", "gone.txt"], 1],
      [["images.txt", "--fail-on", "none"], 0],
      [["gone.txt", "--fail-on", "refused"], 0],
      [["good.txt", "--fail-on", "unpinned"], 1],
      [["good.txt", "--fail-on", "drift"], 0],
    ] as const) {
      assert.equal((await audit(...argv)).code, code, argv.join(" "));
    }
  });

  it("is 2 where nothing is named, nothing was asked for, or that in two ways", async () => {
    await mkdir(inFleet("empty"));
    for (const argv of [
      ["empty"],
      ["nowhere.txt"],
      [],
      ["images.txt", "--plan", "plan.json"],
      ["--plan", "images.txt"],
      ["images.txt", "--shard", "1/4"],
      ["--plan", "plan.json", "--shard", "5/4"],
      ["images.txt", "--fail-on", "everything"],
      ["images.txt", "--files-url", "javascript:alert(1)"],
      ["images.txt", "--journal", "images.txt"],
    ]) {
      const { code, stdout } = await audit(...argv);
      assert.deepEqual([code, stdout], [2, ""], argv.join(" "));
    }
    assert.equal((await fleet.run(["audit", "images.txt"])).code, 2);
    assert.equal(await readFile(inFleet("images.txt"), "utf8").then((text) => text.split("\n").length), COUNT + 1);
  });

  it("is 1 where a tag has moved from its pin, and that is asked for", async () => {
    const image = `${fleet.registry.address}/team/drift:1`;
    await pushImage(image, "first");
    await fleet.must("sign", "--key", "cosign.key", "-y", image);
    const { images } = JSON.parse((await fleet.run(["verify", "--key", "cosign.pub", image, "-o", "json"])).stdout);
    await fleet.write("pinned.txt", `${image}@${images[0].digest}\n`);
    assert.equal((await audit("pinned.txt", "--fail-on", "drift,unpinned")).code, 0);
    await pushImage(image, "second");
    const { code, stdout } = await audit("pinned.txt", "--fail-on", "drift", "-o", "json");
    assert.equal(code, 1);
    assert.deepEqual([JSON.parse(stdout).images[0].drift, JSON.parse(stdout).images[0].verdict], [true, "accepted"]);
    assert.equal((await audit("pinned.txt")).code, 0);
  });
});

describe("the requests of an audit", () => {
  it("are one for each tag and three for each digest; a pin costs a HEAD and no second manifest", async () => {
    const base = `${fleet.registry.address}/team/many`;
    await pushImage(`${base}:0`, "many");
    for (let at = 1; at < 20; at++) await copyTag(`${base}:0`, `${base}:${at}`);
    await fleet.must("sign", "--key", "cosign.key", "-y", `${base}:0`);
    await fleet.write(
      "many.txt",
      Array.from({ length: 20 }, (_, at) => `${base}:${at}\n`)
        .join("")
        .repeat(10),
    );
    const home = { XDG_CACHE_HOME: inFleet("cold") };
    let start = fleet.registry.requests.length;
    assert.equal((await fleet.run(["audit", "--key", "cosign.pub", "many.txt"], home)).code, 0);
    assert.equal(requestsSince(start).length, 20 + 3);
    const { images } = JSON.parse(
      (await fleet.run(["verify", "--key", "cosign.pub", `${base}:0`, "-o", "json"])).stdout,
    );
    await fleet.write("pin.txt", `${base}:0@${images[0].digest}\n`);
    start = fleet.registry.requests.length;
    await fleet.run(["audit", "--key", "cosign.pub", "pin.txt"], home);
    const kinds = requestsSince(start).map((line) => line.replace(/sha256:.*/, "…").replace(/\/v2\/team\/many/, ""));
    assert.deepEqual(kinds.toSorted(), ["GET /manifests/…", "GET /referrers/…", "HEAD /manifests/0"]);
  });

  it("are asked again in a later round where the registry had turned them away", async () => {
    const asked = new Set<string>();
    fleet.registry.faults.when(
      ({ path }) =>
        path.includes("/referrers/") && asked.size < 12 && !asked.has(path) && asked.add(path) !== undefined,
      { kind: "status", status: 502 },
    );
    const { code, stdout } = await audit("--plan", "plan.json", "--retry", "0", "-o", "json");
    fleet.registry.faults.clear();
    assert.ok(asked.size > 0);
    assert.deepEqual([code, stdout === whole], [1, true]);
  });

  it("make nothing unsigned where they are turned away for good", async () => {
    fleet.registry.faults.when(({ path }) => path.includes("/referrers/"), { kind: "status", status: 500 });
    const { code, stdout } = await audit("images.txt", "--retry", "0", "-o", "json");
    fleet.registry.faults.clear();
    const { images } = JSON.parse(stdout);
    assert.equal(code, 3);
    assert.deepEqual(
      new Set(images.map((one: { reasons: { code: string }[] }) => one.reasons[0]?.code)),
      new Set(["server-error"]),
    );
  });
});

/** At the second repository, so that the first is known. */
async function interrupted(): Promise<Finished> {
  const argv = ["audit", "--key", "cosign.pub", "images.txt", "--journal", "j", "--max-workers", "1"];
  return await fleet.runAndInterrupt(argv, "/team/db/referrers/");
}

describe("an audit with a journal", () => {
  const WITH = ["--key", "cosign.pub", "--plan", "plan.json", "--journal", "audit.journal", "-o", "json"];

  it("that is killed again and again ends with the same bytes, and leaves nothing", async () => {
    const argv = ["audit", ...WITH, "--max-workers", "2", "--output-file", "killed.json"];
    let code: number | undefined;
    let kills = 0;
    for (; code === undefined && kills < 20; kills++) {
      code = await fleet.runAndKill(argv, kills < 3 ? 1 + Math.floor(Math.random() * 25) : Number.POSITIVE_INFINITY);
    }
    assert.equal(code, 1);
    assert.equal(await readFile(inFleet("killed.json"), "utf8"), whole);
    assert.equal(existsSync(inFleet("audit.journal")), false);
    assert.equal(existsSync(inFleet("audit.journal.lock")), false);
  });

  it("does not ask again for what was determined, and judges as of the first run's time", async () => {
    const first = await audit("--plan", "plan.json", "-o", "json");
    assert.equal((await interrupted()).code, 130);
    const [header = "", ...records] = (await readFile(inFleet("j"), "utf8")).split("\n");
    const known = records.length - 1;
    const start = fleet.registry.requests.length;
    const second = await audit("images.txt", "--journal", "j", "-o", "json");
    assert.equal(JSON.parse(second.stdout).at, JSON.parse(header.slice(17)).at);
    assert.ok(known > 0 && known < COUNT, `${known} records`);
    assert.match(second.stderr, new RegExp(`^${known} of 24 images are known from the journal$`, "m"));
    assert.equal(requestsSince(start).filter((line) => /manifests\/[0-9]+$/.test(line)).length, COUNT - known);
    assert.equal(
      second.stdout.replaceAll(/"at": "[^"]*"|"plan": "[^"]*"/g, ""),
      first.stdout.replaceAll(/"at": "[^"]*"|"plan": "[^"]*"/g, ""),
    );
    assert.equal(existsSync(inFleet("j")), false);
  });

  it("is not gone on with by another key, with other images, or where it was damaged", async () => {
    await interrupted();
    const journal = await readFile(inFleet("j"));
    const refused = async (why: RegExp, ...argv: readonly string[]): Promise<void> => {
      const { code, stderr, stdout } = await fleet.run(["audit", ...argv, "--journal", "j"]);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, why);
    };
    await refused(/j: the journal is by another standard/, "--key", "eve.pub", "images.txt");
    await refused(/j: the journal is of other images/, "--key", "cosign.pub", "good.txt");
    await refused(/j: the journal is of other images/, "--key", "cosign.pub", "--plan", "plan.json", "--shard", "1/2");
    assert.deepEqual(await readFile(inFleet("j")), journal);
    await writeFile(inFleet("j"), Buffer.from(journal).fill("x", 200, 201));
    await refused(/is no journal that can be gone on with/, "--key", "cosign.pub", "images.txt");
  });
});
