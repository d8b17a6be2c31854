/**
 * Runs the OCI distribution conformance program (opencontainers/distribution-spec, conformance/) against the embedded
 * registry, in memory and on a folder. The program is looked for at COUNTERSIGN_CONFORMANCE, then as every peer.
 * Exit code 1 for any failure; a missing program is a printed, counted skip.
 */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startRegistry } from "../../src/testbed/registry.ts";
import { findPeer } from "../interop/peers.ts";

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** The names of what did not pass. */
  readonly complaints: readonly string[];
}

/** Tests that are about the next version of the specification and are off in 1.1, and one that it leaves to choice. */
const NOT_IN_1_1: ReadonlySet<string> = new Set([
  "Blob upload cancel",
  "Manifest put with tag params",
  "Tag Param",
  "Tag Param sha512",
  "Sparse Manifests",
]);

/** All that the registry is claimed to do; the program would otherwise accept an unsupported call as a skip. */
const CLAIMED = {
  OCI_TLS: "disabled",
  OCI_VERSION: "1.1",
  OCI_API_PUSH: "true",
  OCI_API_BLOBS_DELETE: "true",
  OCI_API_MANIFESTS_DELETE: "true",
  OCI_API_TAGS_DELETE: "true",
  OCI_API_REFERRER: "true",
  OCI_DATA_SHA512: "true",
} as const;

const TIMEOUT_MS = 120_000;

async function main(): Promise<number> {
  const program = process.env["COUNTERSIGN_CONFORMANCE"] ?? findPeer("conformance");
  if (program === undefined || !existsSync(program)) {
    console.log(`skipped: no conformance program${program === undefined ? "" : ` at ${program}`}`);
    console.log("0 passed, 0 failed, 2 skipped");
    return 0;
  }
  const folder = await mkdtemp(join(tmpdir(), "countersign-conformance-"));
  try {
    const inMemory = await conform(program, join(folder, "results-memory"), undefined);
    const onDisk = await conform(program, join(folder, "results-disk"), join(folder, "registry"));
    report("in memory", inMemory);
    report("on a folder", onDisk);
    return inMemory.failed + onDisk.failed === 0 ? 0 : 1;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function conform(program: string, results: string, root: string | undefined): Promise<Outcome> {
  await using registry = await startRegistry({ root, keepRequests: false, onError: (error) => console.error(error) });
  const env = { ...CLAIMED, OCI_REGISTRY: registry.address, OCI_RESULTS_DIR: results, HOME: results };
  await new Promise<void>((done) => {
    // Its exit code says little: 0 also where it could not be set up, so only the results count.
    execFile(program, { env, timeout: TIMEOUT_MS, maxBuffer: 64 * 1024 * 1024 }, () => done());
  });
  return await readResults(results);
}

async function readResults(folder: string): Promise<Outcome> {
  const [yaml, junit] = await Promise.all(["results.yaml", "junit.xml"].map((name) => readIfThere(join(folder, name))));
  const statuses = readStatuses(yaml ?? "");
  const total = countOf(junit, "tests");
  const failed = countOf(junit, "failures") + countOf(junit, "errors");
  const skipped = countOf(junit, "skipped") + countOf(junit, "disabled");
  const complaints = [...statuses]
    .filter(([name, status]) => status !== "Pass" && !(status === "Disabled" && NOT_IN_1_1.has(name)))
    .map(([name, status]) => `${name}: ${status}`);
  if (statuses.size === 0 || total === 0) complaints.push("the program left no results");
  return { passed: total - failed - skipped, failed: Math.max(failed, complaints.length), skipped, complaints };
}

async function readIfThere(path: string): Promise<string> {
  return existsSync(path) ? await readFile(path, "utf8") : "";
}

/** The lines under `apis:` and `data:`: a name and `Pass`, `FAIL`, `Skip`, `Disabled` or `Error`. */
function readStatuses(yaml: string): ReadonlyMap<string, string> {
  const statuses = new Map<string, string>();
  let counts = false;
  for (const line of yaml.split("\n")) {
    if (/^\S/.test(line)) counts = line === "apis:" || line === "data:";
    const [, name, status] = /^ {2}([^:]+): (\w+)$/.exec(line) ?? [];
    if (counts && name !== undefined && status !== undefined) statuses.set(name, status);
  }
  return statuses;
}

/** An attribute of the first `<testsuite>`; one that is not there counts as 0, as the program leaves zeros out. */
function countOf(junit: string | undefined, attribute: string): number {
  const [suite = ""] = /<testsuite [^>]*>/.exec(junit ?? "") ?? [];
  return Number(new RegExp(` ${attribute}="([0-9]+)"`).exec(suite)?.[1] ?? 0);
}

function report(where: string, outcome: Outcome): void {
  for (const complaint of outcome.complaints) console.log(`  ${complaint}`);
  console.log(
    `${where}: ${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped (OCI distribution-spec 1.1)`,
  );
}

process.exitCode = await main();
