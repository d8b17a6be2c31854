import { type ChildProcess, spawn } from "node:child_process";
import { without } from "../test/interop/peers.ts";
import { RedisServer } from "../test/interop/redis.ts";
import { stopChild } from "../test/interop/servers.ts";
import { signedImages, startEmbedded } from "./audit.ts";
import { type Bench, ours } from "./bench.ts";
import { measure, median, type Run } from "./measure.ts";
import { spawnProxy } from "./proxy.ts";
import { decimal, type Section } from "./results.ts";

const DELAY_MS = 50;
const WORKERS = [1, 2, 4];
/** Images that one machine looks at at a time: few, so that it is the machines that are counted and not the processors of this one. */
const AT_A_TIME = "8";
const SECRET = "0123456789abcdef0123456789abcdef";

/** One audit on several machines: processes of their own that share a queue. */
export async function measureWorkers(bench: Bench): Promise<Section> {
  const section = {
    title: "Audits on several machines",
    method:
      `Signed images, all different, audited through a queue on Redis by 1, 2 and 4 processes that look at ${AT_A_TIME} images at a time,` +
      ` each request delayed by ${DELAY_MS} ms; beside one process without a queue that looks at as many at a time. The ratio is images a` +
      " second with the queue to those without: more is better.",
    columns: ["through the queue", "one process"],
  } as const;
  const missing = without("redis-server");
  if (missing !== false) return { ...section, rows: [], skipped: [missing] };
  const registry = await startEmbedded(bench, "workers");
  const redis = await RedisServer.start(bench.work.makeFolder("redis"));
  const proxy = await spawnProxy({ target: registry.address, delayMs: DELAY_MS });
  try {
    const images = await signedImages(bench, registry, bench.quick ? 80 : 800);
    const far = images.map((image) => image.replace(registry.address, proxy.address));
    const list = bench.work.write("workers.txt", `${far.join("\n")}\n`);
    const rate = (run: Run) => images.length / (run.ms / 1000);
    const rounds = bench.quick ? 1 : 3;
    const alone = await repeat(rounds, () => measure(auditOf(bench, list, ["--max-workers", AT_A_TIME])));
    const rows: Section["rows"][number][] = [];
    for (const count of WORKERS) {
      const runs = await repeat(rounds, () => withWorkers(bench, count, redis.url(), list));
      rows.push({
        what: `images a second, ${count} ${count === 1 ? "worker" : "workers"}`,
        ratio: decimal(median(runs.map(rate)) / median(alone.map(rate))),
        ours: decimal(median(runs.map(rate)), 1),
        peer: decimal(median(alone.map(rate)), 1),
      });
    }
    return { ...section, rows };
  } finally {
    await proxy.close();
    await redis.stop();
    await registry.stop();
  }
}

async function repeat(rounds: number, run: () => Promise<Run>): Promise<readonly Run[]> {
  const runs: Run[] = [];
  for (let round = 0; round < rounds; round++) runs.push(await run());
  return runs;
}

function auditOf(bench: Bench, list: string, more: readonly string[]) {
  const output = ["-o", "json", "--output-file", bench.work.path("workers.json")];
  const command = ours(bench, ["audit", "--key", bench.key.public, list, ...output, ...more]);
  return { ...command, env: { ...command.env, XDG_CACHE_HOME: fresh(bench) } };
}

let caches = 0;

/** A machine of its own: nothing is known from another run. */
function fresh(bench: Bench): string {
  caches += 1;
  return bench.work.path(`cache-${caches}`);
}

async function withWorkers(bench: Bench, count: number, url: string, list: string): Promise<Run> {
  const queue = { COUNTERSIGN_QUEUE_SECRET: SECRET };
  const workers = Array.from({ length: count }, (): ChildProcess => {
    const words = ["audit", "worker", "--once", "--queue", url, "--key", bench.key.public, "--max-workers", AT_A_TIME];
    const { path, args, env } = ours(bench, words);
    const own = { ...process.env, ...env, ...queue, XDG_CACHE_HOME: fresh(bench) };
    return spawn(path, args, { env: own, stdio: "ignore" });
  });
  try {
    const command = auditOf(bench, list, ["--queue", url]);
    return await measure({ ...command, env: { ...command.env, ...queue } });
  } finally {
    await Promise.all(workers.map(stopChild));
  }
}
