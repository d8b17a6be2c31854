import { chmodSync, readFileSync } from "node:fs";
import { type Finished, findPeer } from "./peers.ts";
import type { Workplace } from "./workplace.ts";

/**
 * An environment in which podman keeps everything in this home and asks the machine for nothing that a sandbox lacks:
 * no overlay file system, no cgroups of its own, no network helper.
 */
export function containersEnvironment(work: Workplace): Readonly<Record<string, string>> {
  const storage = work.write(
    "containers/storage.conf",
    [
      "[storage]",
      'driver = "vfs"',
      `graphroot = ${JSON.stringify(work.path("containers/graph"))}`,
      `runroot = ${JSON.stringify(work.path("containers/run"))}`,
    ].join("\n"),
  );
  const helpers = work.makeFolder("containers/helpers");
  for (const name of ["netavark", "aardvark-dns"]) {
    // podman looks for these before anything else, and needs neither for a container without a network.
    chmodSync(work.write(`containers/helpers/${name}`, "#!/bin/sh\n"), 0o755);
  }
  const engine = work.write(
    "containers/containers.conf",
    [
      "[engine]",
      'cgroup_manager = "cgroupfs"',
      'events_logger = "file"',
      `helper_binaries_dir = [${JSON.stringify(helpers)}]`,
    ].join("\n"),
  );
  return { CONTAINERS_STORAGE_CONF: storage, CONTAINERS_CONF: engine, PODMAN_IGNORE_CGROUPSV1_WARNING: "1" };
}

const ISOLATED = ["run", "--rm", "--network=none"];
const LOW_LIMITS = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];

export const DOCKER_RUN: readonly (readonly string[])[] = [ISOLATED];

/** Ways to start a container, the plain one first: a sandbox may let nobody raise limits or make cgroups. */
export const PODMAN_RUN: readonly (readonly string[])[] = [
  ISOLATED,
  [...ISOLATED, ...LOW_LIMITS, "--cgroups=disabled"],
  ["--runtime", "runc", ...ISOLATED, ...LOW_LIMITS],
];

const GREETING = "hello from the verified image";

/** A program that runs alone in an image and greets; undefined where nothing here can link one statically. */
export async function makeStaticProgram(work: Workplace): Promise<Uint8Array | undefined> {
  const out = work.path("hello");
  const c = work.write("hello.c", `#include <stdio.h>\nint main(void) { puts("${GREETING}"); return 0; }\n`);
  const go = work.write("hello.go", `package main\n\nfunc main() { println("${GREETING}") }\n`);
  const attempts = [
    { compiler: "gcc", args: ["-static", "-Os", "-o", out, c], env: {} },
    { compiler: "go", args: ["build", "-o", out, go], env: { CGO_ENABLED: "0" } },
  ];
  for (const { compiler, args, env } of attempts) {
    if (findPeer(compiler) === undefined) continue;
    if ((await work.run(compiler, args, { env })).code === 0) return readFileSync(out);
  }
  return undefined;
}

/** What the greeting program printed, wherever its runtime prints. */
export function greets(finished: Finished): boolean {
  return `${finished.stdout}${finished.stderr}`.includes(GREETING);
}
