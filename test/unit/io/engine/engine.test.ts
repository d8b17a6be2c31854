import assert from "node:assert/strict";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { LIMITS } from "../../../../src/core/limits.ts";
import { digestOf } from "../../../../src/core/oci/digest.ts";
import { parseReference } from "../../../../src/core/oci/reference.ts";
import { docker } from "../../../../src/io/engine/docker.ts";
import type { Engine } from "../../../../src/io/engine/engine.ts";
import { podman } from "../../../../src/io/engine/podman.ts";
import { run } from "../../../../src/io/engine/process.ts";
import { rejectedBy } from "../../../support/codes.ts";

const DIGEST = digestOf(Buffer.from("the manifest"));
const CONFIG = digestOf(Buffer.from("the configuration"));
const OTHER = digestOf(Buffer.from("another"));
const NAME = "registry.example/acme/app";
const PULL = { reference: parseReference(`${NAME}:1.4`), digest: DIGEST };

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "countersign-engine-"));
});
after(() => rm(folder, { recursive: true, force: true }));

/** An engine that is a shell script: it notes its arguments, one line a call, and does what `body` says. */
async function engine(make: typeof docker, body: string): Promise<Engine & { calls(): Promise<string[]> }> {
  const program = join(folder, `engine-${Math.random().toString(16).slice(2)}`);
  await writeFile(program, `#!/bin/sh\necho "$@" >> "${program}.calls"\n${body}\n`);
  await chmod(program, 0o755);
  const calls = async (): Promise<string[]> => (await readFile(`${program}.calls`, "utf8")).trim().split("\n");
  return Object.assign(make({ program, env: process.env }), { calls });
}

function shows(id: string, ...repoDigests: string[]): string {
  return `cat <<'JSON'\n${JSON.stringify([{ Id: id, RepoDigests: repoDigests, RepoTags: ["x"] }])}\nJSON`;
}

/** A script's body that answers `image inspect`, and says yes to the rest. */
function inspecting(answer: string): string {
  return `[ "$1 $2" = "image inspect" ] || exit 0\n${answer}`;
}

describe("Handing an accepted image to an engine", () => {
  it("has docker pull the digest, asks back, tags, and asks back again", async () => {
    const on = await engine(docker, inspecting(shows(CONFIG, `${NAME}@${DIGEST}`)));
    assert.deepEqual(await on.pull(PULL), { id: CONFIG, repoDigests: [`${NAME}@${DIGEST}`] });
    assert.deepEqual(await on.calls(), [
      `pull --quiet ${NAME}@${DIGEST}`,
      `image inspect ${NAME}@${DIGEST}`,
      `tag ${NAME}@${DIGEST} ${NAME}:1.4`,
      `image inspect ${NAME}:1.4`,
    ]);
  });

  it("puts no tag on what has none", async () => {
    const on = await engine(podman, inspecting(shows(CONFIG, `${NAME}@${DIGEST}`)));
    await on.pull({ reference: parseReference(`${NAME}@${OTHER}`), digest: DIGEST });
    assert.deepEqual((await on.calls()).length, 2);
  });

  it("allows podman plain HTTP for a loopback registry, and for no other", async () => {
    const local = "127.0.0.1:5000/app";
    const on = await engine(podman, inspecting(shows(CONFIG, `${local}@${DIGEST}`, `${NAME}@${DIGEST}`)));
    await on.pull({ reference: parseReference(local), digest: DIGEST });
    await on.pull(PULL);
    const pulls = (await on.calls()).filter((call) => call.startsWith("pull"));
    assert.deepEqual(pulls, [`pull --quiet --tls-verify=false ${local}@${DIGEST}`, `pull --quiet ${NAME}@${DIGEST}`]);
  });

  it("reads Docker's short names, and identifiers without their algorithm as podman gives them", async () => {
    const on = await engine(podman, inspecting(shows(CONFIG.slice("sha256:".length), `alpine@${DIGEST}`)));
    const image = await on.pull({ reference: parseReference("alpine:3"), digest: DIGEST });
    assert.deepEqual(image, { id: CONFIG, repoDigests: [`docker.io/library/alpine@${DIGEST}`] });
  });

  it("refuses what the engine holds under another digest, and puts no tag on it", async () => {
    for (const repoDigests of [[], [`${NAME}@${OTHER}`], [`evil.example/acme/app@${DIGEST}`]]) {
      const on = await engine(docker, inspecting(shows(CONFIG, ...repoDigests)));
      await rejectedBy(() => on.pull(PULL), "digest-mismatch");
      assert.equal(
        (await on.calls()).some((call) => call.startsWith("tag")),
        false,
      );
    }
  });

  it("refuses where the tag then leads to something else", async () => {
    const body = `case "$3" in *@*) ${shows(CONFIG, `${NAME}@${DIGEST}`)}\n;; *) ${shows(OTHER)}\n;; esac`;
    const on = await engine(docker, `[ "$1 $2" = "image inspect" ] || exit 0\n${body}`);
    await rejectedBy(() => on.pull(PULL), "digest-mismatch");
  });

  it("loads an archive and compares what the engine calls it", async () => {
    const on = await engine(docker, inspecting(shows(CONFIG)));
    assert.equal((await on.load({ archive: "/x/a.tar", ids: [DIGEST, CONFIG], name: `${NAME}:1.4` })).id, CONFIG);
    assert.deepEqual(await on.calls(), ["load --quiet --input /x/a.tar", `image inspect ${NAME}:1.4`]);
  });

  it("refuses where the archive's name leads to another image", async () => {
    const on = await engine(docker, inspecting(shows(OTHER)));
    await rejectedBy(() => on.load({ archive: "a.tar", ids: [CONFIG], name: `${NAME}:1.4` }), "digest-mismatch");
  });

  it("refuses where nothing that was loaded has one of the identifiers", async () => {
    const on = await engine(docker, inspecting('echo "Error: No such image: $3" >&2; exit 1'));
    await rejectedBy(() => on.load({ archive: "a.tar", ids: [CONFIG, DIGEST] }), "digest-mismatch");
    assert.equal((await on.calls()).length, 3);
  });

  it("saves an image, podman in Docker's format", async () => {
    for (const [make, format] of [
      [docker, ""],
      [podman, "--format docker-archive "],
    ] as const) {
      const on = await engine(make, inspecting(shows(CONFIG)));
      await on.save("app:1", "/x/a.tar");
      assert.equal((await on.calls()).at(-1), `save ${format}--output /x/a.tar app:1`);
    }
  });

  it("says not-found for an image that the engine does not have", async () => {
    const on = await engine(
      podman,
      inspecting('echo "Error: inspecting object: app:1: image not known" >&2; exit 125'),
    );
    await rejectedBy(() => on.save("app:1", "a.tar"), "not-found");
  });
});

describe("Names never become options", () => {
  for (const name of ["--help", "-v", "", "a b", "app:1\nx", "$(id)"]) {
    it(JSON.stringify(name), async () => {
      const on = await engine(docker, inspecting(shows(CONFIG)));
      await rejectedBy(() => on.save(name, "a.tar"), "reference-invalid");
      await assert.rejects(on.calls(), { code: "ENOENT" }, "nothing was run");
    });
  }

  it("nor do paths", async () => {
    const on = await engine(docker, inspecting(shows(CONFIG)));
    await on.save("app:1", "-o.tar");
    assert.equal((await on.calls()).at(-1), "save --output ./-o.tar app:1");
  });
});

describe("An engine that fails", () => {
  it("is missing: says what to install or to set", async () => {
    const on = docker({ env: { COUNTERSIGN_DOCKER: join(folder, "nothing-here") } });
    const error = await rejectedBy(() => on.pull(PULL), "engine-error");
    assert.match(error.next, /COUNTERSIGN_DOCKER/);
  });

  it("cannot be run", async () => {
    await rejectedBy(() => podman({ env: { COUNTERSIGN_PODMAN: folder } }).pull(PULL), "engine-error");
  });

  it("exits with an error: its last line is what was found", async () => {
    const on = await engine(docker, "echo progress >&2; echo 'manifest unknown' >&2; exit 1");
    const error = await rejectedBy(() => on.pull(PULL), "engine-error");
    assert.equal(error.found, "manifest unknown");
  });

  it("exits with an error and says nothing", async () => {
    const on = await engine(docker, "exit 7");
    assert.match((await rejectedBy(() => on.pull(PULL), "engine-error")).found ?? "", /7/);
  });

  it("has no daemon: says to start it, and does not call the image missing", async () => {
    const on = await engine(docker, "echo 'Cannot connect to the Docker daemon at unix:///x.' >&2; exit 1");
    assert.match((await rejectedBy(() => on.save("app:1", "a.tar"), "engine-error")).next, /start the Docker daemon/);
  });

  it("is killed", async () => {
    const on = await engine(docker, "kill -9 $$");
    await rejectedBy(() => on.pull(PULL), "engine-error");
  });

  for (const [name, answer] of Object.entries({
    "no JSON": "echo hello",
    nothing: "true",
    "no image": "echo '[]'",
    "two images": `echo '[{"Id":"${CONFIG}"},{"Id":"${CONFIG}"}]'`,
    "an image without an identifier": "echo '[{}]'",
    "an identifier that is none": `echo '[{"Id":"../../etc"}]'`,
  })) {
    it(`answers with ${name}`, async () => {
      const on = await engine(docker, inspecting(answer));
      await rejectedBy(() => on.pull(PULL), "engine-error");
    });
  }

  it("prints without end", async () => {
    const on = await engine(docker, "exec yes");
    const error = await rejectedBy(() => on.pull(PULL), "engine-error");
    assert.match(error.wanted ?? "", new RegExp(String(LIMITS.engineOutputBytes)));
  });
});

describe("Running a program", () => {
  it("ends it when the command is interrupted", { timeout: 30_000 }, async () => {
    const abort = new AbortController();
    const running = run("/bin/sh", ["-c", "echo started; exec sleep 60"], {
      env: process.env,
      timeoutMs: 60_000,
      signal: abort.signal,
    });
    setTimeout(() => abort.abort(), 100);
    await rejectedBy(() => running, "interrupted");
    await rejectedBy(() => run("sleep", ["60"], { env: {}, timeoutMs: 1000, signal: abort.signal }), "interrupted");
  });

  it("ends it when its time is over", { timeout: 30_000 }, async () => {
    await rejectedBy(
      () => run("/bin/sh", ["-c", "exec sleep 60"], { env: process.env, timeoutMs: 100 }),
      "engine-error",
    );
  });

  it("does not wait for what it left running", { timeout: 30_000 }, async () => {
    const result = await run("/bin/sh", ["-c", "sleep 40 & echo done"], { env: process.env, timeoutMs: 60_000 });
    assert.equal(result.stdout.trim(), "done");
  });

  it("hands over the environment it is given and no other", async () => {
    const { stdout } = await run("/bin/sh", ["-c", "echo $DOCKER_HOST-$HOME"], {
      env: { DOCKER_HOST: "unix:///x" },
      timeoutMs: 5000,
    });
    assert.equal(stdout.trim(), "unix:///x-");
  });
});
