import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { before, describe, it, mock } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { type ProxyHook, startProxy } from "../../bench/proxy.ts";
import type { ImageFacts } from "../../src/core/audit/audit.ts";
import {
  jobId,
  QUEUE_PREFIX,
  type QueuedRun,
  QueueSecret,
  queueName,
  sealResult,
} from "../../src/core/audit/queued.ts";
import { LIMITS } from "../../src/core/limits.ts";
import { parseQueueAddress } from "../../src/io/queue/address.ts";
import { shareAudit } from "../../src/io/queue/coordinator.ts";
import { QueueLink } from "../../src/io/queue/link.ts";
import { RunQueues, recordKey } from "../../src/io/queue/run-queues.ts";
import type { Fault } from "../../src/testbed/faults.ts";
import { selfSigned } from "../support/certificate.ts";
import { freePort } from "../support/free-port.ts";
import { digestFor, SAMPLE_AT } from "../support/sample-audit.ts";
import { makeFleet } from "./fleet.ts";
import { type Finished, without } from "./peers.ts";
import { RedisServer } from "./redis.ts";
import { useScene } from "./scene.ts";
import { startEmbedded, stopChild } from "./servers.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));
const COUNT = 120;
/** Images that a worker looks at at a time. */
const HANDS = 4;
const SECRET = "0123456789abcdef0123456789abcdef";

/** A worker or an audit in a process of its own, whose end and words can be waited for. */
interface Running {
  readonly child: ChildProcess;
  readonly finished: Promise<Finished>;
  /** Until standard error holds this. */
  says(words: RegExp): Promise<void>;
}

describe("an audit through a queue on Redis", { skip: without("redis-server") }, () => {
  const scene = useScene({ start: startEmbedded });
  const { work } = scene;
  const alice = work.keyPair("alice");
  const eve = work.keyPair("eve");
  const running = new Set<ChildProcess>();
  let redis: RedisServer;
  let proxy: Awaited<ReturnType<typeof startProxy>>;
  let hook: ProxyHook = () => undefined;
  let database = 0;
  let whole = "";

  before(async () => {
    const [wanted, other] = [await work.makeKey("alice"), await work.makeKey("eve")];
    const { address, storage } = scene;
    const kind = { hasReferrersApi: true };
    const fleet = await makeFleet({ work, kind, address, storage, count: COUNT, wanted, other, byCosign: 0 });
    proxy = await startProxy({ target: address, hook: (request) => hook(request) });
    scene.stopAtEnd({ address: proxy.address, stop: () => proxy.close() });
    redis = await RedisServer.start(work.makeFolder("redis"), "--databases", "64");
    scene.stopAtEnd({ address: redis.url(), stop: () => redis.stop() });
    scene.stopAtEnd({ address: "", stop: async () => void (await Promise.all([...running].map(stopChild))) });
    const list = fleet.map(({ reference }) => reference.replace(address, proxy.address));
    work.write("fleet.txt", `${list.join("\n")}\n`);
    await work.expect(0, ["audit", "plan", "fleet.txt", "--output-file", "plan.json"]);
    whole = (await work.expect(1, ["audit", "--plan", "plan.json", ...judging, "-o", "json"])).stdout;
  });

  const judging = ["--key", alice.public];

  /** A run that nobody works on. */
  const small: QueuedRun = {
    id: "0".repeat(32),
    at: SAMPLE_AT,
    plan: digestFor("plan"),
    standard: { wanted: "anything", digest: digestFor("standard"), weakened: [] },
    images: ["registry.example/a:1", "registry.example/b:1"],
  };

  /** Each test has a database of its own, and a machine for each process: nothing is known from an earlier one. */
  function start(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
    const child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd: work.folder,
      env: {
        ...process.env,
        ...work.environment,
        XDG_CACHE_HOME: work.path(`cache-${running.size}`),
        COUNTERSIGN_QUEUE: redis.url(database),
        COUNTERSIGN_QUEUE_SECRET: SECRET,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(child);
    const output = { stdout: "", stderr: "" };
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output.stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
    const finished = new Promise<Finished>((resolve) => child.once("close", (code) => resolve({ code, ...output })));
    return {
      child,
      finished,
      says: (words) => until(() => words.test(output.stderr), `${words} on standard error`),
    };
  }

  const audit = (...args: readonly string[]) =>
    start(["audit", "--plan", "plan.json", ...judging, "-o", "json", ...args]);
  const worker = (...args: readonly string[]) =>
    start(["audit", "worker", ...judging, "--max-workers", String(HANDS), ...args]);

  async function until(holds: () => boolean | Promise<boolean>, what: string): Promise<void> {
    // A quarter of an hour and more: it is there to end, not to be kept.
    for (let tries = 0; tries < 18_000; tries++) {
      if (await holds()) return;
      await sleep(50);
    }
    assert.fail(`waited in vain for ${what}`);
  }

  /** Everything in the test's database. */
  async function withRedis<Result>(look: (client: Redis) => Promise<Result>): Promise<Result> {
    const client = new Redis(redis.url(database));
    try {
      return await look(client);
    } finally {
      client.disconnect();
    }
  }

  async function finishedJobs(): Promise<number> {
    return await withRedis(async (client) => {
      const [key] = await client.keys(`${QUEUE_PREFIX}:*:completed`);
      return key === undefined ? 0 : await client.zcard(key);
    });
  }

  /** Those that workers have in their hands. */
  async function takenImages(): Promise<readonly string[]> {
    return await withRedis(async (client) => {
      const [active = ""] = await client.keys(`${QUEUE_PREFIX}:*:active`);
      const ids = await client.lrange(active, 0, -1);
      const jobs = await Promise.all(ids.map((id) => client.hget(active.replace(/active$/, id), "data")));
      return jobs.map((data) => (JSON.parse(data ?? "{}") as { image: string }).image);
    });
  }

  /** How many workers look for an audit. */
  async function idleWorkers(): Promise<number> {
    const clients = await withRedis(async (client) => (await client.client("LIST")) as string);
    return clients.split("\n").filter((line) => line.includes(` db=${database} `) && line.includes(" cmd=zrange "))
      .length;
  }

  function each(fault: Fault): ProxyHook {
    return () => fault;
  }

  /** The result is that of one process, and nothing is left in the server. */
  async function assertWhole(audit: Running): Promise<void> {
    const { code, stdout, stderr } = await audit.finished;
    assert.equal(code, 1, stderr);
    assert.equal(stdout === whole, true, `the audit differs from that of one process\n${stderr}`);
    await until(async () => (await withRedis((client) => client.dbsize())) === 0, "an empty database");
  }

  const slowly = each({ kind: "delay", ms: 100 });

  function test(name: string, body: () => Promise<void>): void {
    it(name, async () => {
      database += 1;
      hook = () => undefined;
      await body();
      await Promise.all([...running].map(stopChild));
    });
  }

  test("with two workers gives the bytes of one process", async () => {
    const workers = [worker("--once"), worker("--once")];
    await until(async () => (await idleWorkers()) === workers.length, "both workers");
    const result = audit();
    // No image comes to its end before both have as many as they take.
    const all = until(async () => (await takenImages()).length === workers.length * HANDS, "images in all hands");
    hook = async () => void (await all);
    await all;
    await assertWhole(result);
    const results = await Promise.all(workers.map(({ finished }) => finished));
    for (const { code, stderr } of results) assert.equal(code, 0, stderr);
    const counts = results.map(({ stdout }) => Number.parseInt(stdout, 10));
    assert.equal(
      counts.reduce((sum, count) => sum + count),
      COUNT,
      "each image is examined once",
    );
    assert.ok(Math.min(...counts) > 0, `both take part: ${counts}`);
  });

  test("survives a worker that is killed with images in its hands", async () => {
    hook = slowly;
    const [first, , result] = [worker(), worker(), audit()];
    await until(async () => (await finishedJobs()) > 5, "the first results");
    first.child.kill("SIGKILL");
    await assertWhole(result);
  });

  test("survives a Redis that is killed and started again", async () => {
    hook = slowly;
    const [, , result] = [worker(), worker(), audit()];
    await until(async () => (await finishedJobs()) > 5, "the first results");
    await redis.kill();
    await sleep(1000);
    await redis.start();
    await assertWhole(result);
  });

  test("survives a Redis that has forgotten everything", async () => {
    hook = slowly;
    const [, , result] = [worker(), worker(), audit()];
    await until(async () => (await finishedJobs()) > 5, "the first results");
    await withRedis((client) => client.flushdb());
    await assertWhole(result);
  });

  test("loses no image where a worker sweeps up what it takes for forgotten while it is asked for again", async () => {
    const secret = new QueueSecret(SECRET);
    const [worker, owner] = [await openQueues(small, "worker"), await openQueues(small, "owner")];
    try {
      await owner.queues.publish(secret);
      mock.method(worker.link.redis, "del", async (...keys: readonly string[]) => {
        await owner.queues.publish(secret);
        return await owner.link.redis.del([...keys]);
      });
      await worker.queues.sweep();
      await owner.queues.publish(secret);
      assert.equal((await owner.queues.counts()).known, small.images.length);
    } finally {
      for (const { link } of [worker, owner]) link.close();
    }
  });

  test("is taken away once by all who sweep it up at the same moment", async () => {
    const secret = new QueueSecret(SECRET);
    const opened = await Promise.all(
      (["owner", "owner", "worker", "worker", "worker"] as const).map((as) => openQueues(small, as)),
    );
    try {
      for (let round = 0; round < 20; round++) {
        await opened[0]?.queues.publish(secret);
        await Promise.all(opened.map(({ queues }, at) => (at < 2 ? queues.forget() : queues.sweep())));
        assert.equal(await withRedis((client) => client.dbsize()), 0);
      }
    } finally {
      for (const { link } of opened) link.close();
    }
  });

  test("is found by workers again where another audit of the same run has taken its record away last", async () => {
    const stop = new AbortController();
    const address = parseQueueAddress(redis.url(database));
    const shared = shareAudit(small, { address, secret: new QueueSecret(SECRET), signal: stop.signal });
    const other = await openQueues(small, "owner");
    try {
      await until(async () => (await other.queues.counts()).known === small.images.length, "the images");
      await withRedis((client) => client.del(recordKey(small.id)));
      await until(async () => await other.queues.isWanted(), "the record");
    } finally {
      stop.abort(new Error("enough"));
      await assert.rejects(shared, /enough/);
      other.link.close();
    }
  });

  test("keeps its limit though somebody sweeps up while it is asked for", async () => {
    const [worker, owner] = [await openQueues(small, "worker"), await openQueues(small, "owner")];
    try {
      const [name = ""] = owner.queues.names;
      const swept = mock.method(owner.link.redis, "hset", async (...args: Parameters<Redis["hset"]>) => {
        swept.mock.restore();
        const set = await owner.link.redis.hset(...args);
        await worker.queues.sweep();
        return set;
      });
      await owner.queues.publish(new QueueSecret(SECRET), 7);
      assert.equal(swept.mock.callCount(), 1);
      assert.equal(await withRedis((client) => client.hget(`${QUEUE_PREFIX}:${name}:meta`, "max")), "7");
    } finally {
      for (const { link } of [worker, owner]) link.close();
    }
  });

  test("is not made faster by another audit of the same run that names no rate", async () => {
    const owners = [await openQueues(small, "owner"), await openQueues(small, "owner")];
    try {
      const [name = ""] = owners[0]?.queues.names ?? [];
      for (const [at, rate] of [7, undefined, 3, undefined].entries()) {
        await owners[at % 2]?.queues.publish(new QueueSecret(SECRET), rate);
        const max = await withRedis((client) => client.hget(`${QUEUE_PREFIX}:${name}:meta`, "max"));
        assert.equal(max, at < 2 ? "7" : "3");
      }
    } finally {
      for (const { link } of owners) link.close();
    }
  });

  test("goes on where somebody who began to sweep it up was killed", async () => {
    hook = slowly;
    const [, killed] = [worker(), audit()];
    await until(async () => (await finishedJobs()) > COUNT / 3, "a third of the results");
    killed.child.kill("SIGKILL");
    await killed.finished;
    await withRedis(async (client) => {
      const metas = await client.keys(`${QUEUE_PREFIX}:*:meta`);
      for (const meta of metas) await client.hset(meta, "paused", 1);
      assert.notEqual(metas.length, 0);
    });
    await assertWhole(audit());
  });

  async function openQueues(run: QueuedRun, as: "owner" | "worker") {
    const link = await QueueLink.open(parseQueueAddress(redis.url(database)));
    return { link, queues: await RunQueues.open(link, run, as) };
  }

  test("goes on with what is there when it is killed and started again with the same plan", async () => {
    hook = slowly;
    proxy.reset();
    const [, killed] = [worker(), audit()];
    await until(async () => (await finishedJobs()) > COUNT / 3, "a third of the results");
    killed.child.kill("SIGKILL");
    await killed.finished;
    await assertWhole(audit());
    const manifests = proxy.requests().filter((request) => /^GET \S+\/manifests\/v\d+$/.test(request));
    assert.equal(new Set(manifests).size, manifests.length, "no image is asked for twice");
  });

  test("gives both of two audits that run at once their result, whichever ends first", async () => {
    worker();
    for (const { code, stdout, stderr } of await Promise.all([audit().finished, audit().finished])) {
      assert.equal(code, 1, stderr);
      assert.equal(stdout === whole, true, stderr);
    }
  });

  test("is not worked on by a worker that would judge by something else", async () => {
    const result = audit();
    const once = start(["audit", "worker", "--once", "--key", eve.public]);
    const { code, stderr } = await once.finished;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /record-invalid/);
    assert.match(stderr, /eve\.pub.*alice\.pub/s);
    const patient = start(["audit", "worker", "--key", eve.public]);
    await patient.says(/is not worked on: the audit in the queue requires something else/);
    assert.equal(await finishedJobs(), 0);
    worker();
    await assertWhole(result);
    patient.child.kill("SIGTERM");
    const ended = await patient.finished;
    assert.equal(ended.code, 0, ended.stderr);
    assert.match(ended.stdout, /^0 images examined/);
  });

  test("is not worked on by a worker with another secret", async () => {
    const result = audit();
    const secret = { COUNTERSIGN_QUEUE_SECRET: SECRET.replace("0", "1") };
    const stranger = start(["audit", "worker", "--once", ...judging], secret);
    const { code, stderr } = await stranger.finished;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /record-invalid/);
    worker();
    await assertWhole(result);
  });

  /** Puts a result where a worker would have put it, for the first image. */
  async function forge(make: (run: string, image: string) => string): Promise<void> {
    await withRedis(async (client) => {
      const waiting = `${QUEUE_PREFIX}:*:wait`;
      await until(async () => (await client.keys(waiting)).length > 0, "images in the queue");
      const [run = ""] = await client.zrange(`${QUEUE_PREFIX}:audits`, "0", "0");
      const [first] = (JSON.parse(whole) as { images: { image: string; verdict: string }[] }).images.filter(
        ({ verdict }) => verdict === "refused",
      );
      assert.ok(first !== undefined);
      const queue = `${QUEUE_PREFIX}:${queueName(run, first.image)}`;
      const id = jobId(first.image);
      await client.hset(`${queue}:${id}`, { returnvalue: JSON.stringify(make(run, first.image)), finishedOn: "1" });
      await client.lrem(`${queue}:wait`, 0, id);
      await client.zadd(`${queue}:completed`, "1", id);
    });
  }

  const accepting = (image: string): ImageFacts => ({
    image,
    name: image,
    verdict: "accepted",
    ...{ reasons: [], warnings: [], signers: [], checked: [], notChecked: [] },
  });

  test("believes no result by somebody who can write to Redis and has not the secret", async () => {
    const result = audit();
    const other = new QueueSecret(SECRET.replace("0", "1"));
    await forge((run, image) => sealResult(run, image, { facts: accepting(image) }, other));
    worker();
    const { code, stdout, stderr } = await result.finished;
    assert.equal(code, 2, stderr);
    assert.equal((JSON.parse(stdout) as { error: { code: string } }).error.code, "record-invalid");
  });

  test("believes no result that was sealed for another image", async () => {
    const result = audit();
    const ours = new QueueSecret(SECRET);
    const elsewhere = `${proxy.address}/fleet/app-00:v19`;
    await forge((run) => sealResult(run, elsewhere, { facts: accepting(elsewhere) }, ours));
    worker();
    const { code, stderr } = await result.finished;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /record-invalid/);
  });

  test("does not fetch a result that is larger than any of ours", async () => {
    const result = audit();
    await forge(() => "x".repeat(2 * LIMITS.queueResultBytes + 1));
    worker();
    const { code, stderr } = await result.finished;
    assert.equal(code, 3, stderr);
    assert.match(stderr, /limit-reached/);
  });

  test("does not know what became of an image that no worker came to an end with", async () => {
    const result = audit();
    const image = await withRedis(async (client) => {
      await until(async () => (await client.keys(`${QUEUE_PREFIX}:*:wait`)).length > 0, "images in the queue");
      const [wait = ""] = await client.keys(`${QUEUE_PREFIX}:*:wait`);
      const id = (await client.rpop(wait)) ?? "";
      const job = wait.replace(/wait$/, id);
      await client.hset(job, { failedReason: "job stalled more than allowable limit", finishedOn: "1" });
      await client.zadd(wait.replace(/wait$/, "failed"), "1", id);
      return (JSON.parse((await client.hget(job, "data")) ?? "") as { image: string }).image;
    });
    worker();
    const { code, stdout, stderr } = await result.finished;
    assert.equal(code, 1, stderr);
    const { images } = JSON.parse(stdout) as { images: { image: string; verdict: string; reasons: unknown[] }[] };
    const [lost, ...others] = images.filter(({ verdict }) => verdict === "undetermined");
    assert.deepEqual([lost?.image, others], [image, []]);
    assert.match(JSON.stringify(lost?.reasons), /every worker that looked at it ended before it was done/);
  });

  test("tries again what may pass, before it is told", async () => {
    const seen = new Set<string>();
    hook = ({ url }) => {
      if (seen.has(url) || !/\/manifests\/v\d+$/.test(url)) return undefined;
      seen.add(url);
      return { kind: "status", status: 500 };
    };
    worker("--retry", "0");
    await assertWhole(audit());
  });

  test("asks for no image that somebody else put into the queue", async () => {
    hook = slowly;
    proxy.reset();
    const result = audit();
    await withRedis(async (client) => {
      await until(async () => (await client.keys(`${QUEUE_PREFIX}:*:wait`)).length > 0, "images in the queue");
      const [wait = ""] = await client.keys(`${QUEUE_PREFIX}:*:wait`);
      const job = wait.replace(/wait$/, "image-evil");
      const image = `${proxy.address}/stolen/app:1`;
      await client.hset(job, { name: "image", data: JSON.stringify({ image }), opts: "{}", timestamp: "1" });
      await client.lpush(wait, "image-evil");
    });
    worker();
    await assertWhole(result);
    assert.deepEqual(
      proxy.requests().filter((request) => request.includes("stolen")),
      [],
    );
  });

  test("begins with no more images in a second than --queue-rate, on all machines together", async () => {
    const began: number[] = [];
    hook = ({ method, url }) => {
      if (method === "GET" && /\/manifests\/v\d+$/.test(url)) began.push(performance.now());
      return undefined;
    };
    const rate = 20;
    const [, , , result] = [worker(), worker(), worker(), audit("--queue-rate", `${rate}/s`)];
    await assertWhole(result);
    const seconds = ((began.at(-1) ?? 0) - (began[0] ?? 0)) / 1000;
    // The first and the last second may be short ones, and a busy machine may see the first image late.
    assert.ok(began.length / rate / 2 < seconds, `${began.length} images in ${seconds} s`);
  });

  test("leaves a registry alone, on all machines, when it asks one of them to wait", async () => {
    const WAIT_S = 8;
    const told = Promise.withResolvers<void>();
    const began: { readonly at: number; readonly url: string }[] = [];
    let count = 0;
    /** Once all machines are told: until when, and what they have in their hands. */
    const heard = told.promise.then(async () => {
      let to = 0;
      await until(async () => {
        to = await pausedUntil();
        return to > 0;
      }, "a pause of the queue");
      return { to, taken: await takenImages(), from: performance.now() };
    });
    hook = async ({ method, url }) => {
      if (method === "GET" && /\/manifests\/v\d+$/.test(url)) began.push({ at: performance.now(), url });
      if (++count < 40) return { kind: "delay", ms: 20 };
      if (count > 40) return void (await heard);
      told.resolve();
      return { kind: "status", status: 429, retryAfter: String(WAIT_S) };
    };
    const [, , result] = [worker("--max-workers", "2"), worker("--max-workers", "2"), audit()];
    const pause = await heard;
    await assertWhole(result);
    // What is under way on both comes to its end, and nothing else is begun with.
    const underWay = pause.taken.map((image) => image.replace(/^[^/]+(\/.+):/, "/v2$1/manifests/"));
    assert.ok(underWay.length <= 4, underWay.join());
    const meanwhile = began.filter(({ at, url }) => at > pause.from && at < pause.to && !underWay.includes(url));
    assert.deepEqual(meanwhile, [], "images that were begun with while the registry wanted none");
    assert.ok(
      began.some(({ at }) => at >= pause.to),
      "there were images left",
    );
  });

  /** By this process's clock; 0 where there is none: the second that a rate counts in is no pause. */
  async function pausedUntil(): Promise<number> {
    const asked = performance.now();
    const left = await withRedis(async (client) => {
      const [limiter = ""] = await client.keys(`${QUEUE_PREFIX}:*:limiter`);
      return await client.pttl(limiter);
    });
    return left > 2000 ? asked + left : 0;
  }

  test("touches nothing of others who use the same server", async () => {
    const theirs = { "countersignature:1": "a", "bull:queue:meta": "b", "audit-1": "c" };
    await withRedis(async (client) => void (await client.mset(theirs)));
    worker();
    const { code, stderr } = await audit().finished;
    assert.equal(code, 1, stderr);
    await withRedis(async (client) => {
      await until(async () => (await client.dbsize()) === 3, "what was there before");
      assert.deepEqual(await client.mget(Object.keys(theirs)), Object.values(theirs));
      const left = await Promise.all(Object.keys(theirs).map((key) => client.ttl(key)));
      assert.deepEqual(left, [-1, -1, -1], "nothing of theirs expires");
    });
  });

  test("leaves nothing behind for ever where its machines are killed", async () => {
    hook = slowly;
    const [one, result] = [worker(), audit()];
    await until(async () => (await finishedJobs()) > 5, "the first results");
    result.child.kill("SIGKILL");
    await result.finished;
    const forever = () =>
      withRedis(async (client) => {
        const keys = await client.keys("*");
        const times = await Promise.all(keys.map((key) => client.ttl(key)));
        return keys.filter((_, at) => times[at] === -1);
      });
    await until(async () => (await forever()).length === 0, "an end for every key");
    one.child.kill("SIGKILL");
    await one.finished;
    // Of a few bytes, which come and go with the images that are taken, the last may stay.
    assert.deepEqual(
      (await forever()).filter((key) => !/:(?:marker|stalled)$/.test(key)),
      [],
    );
  });

  test("clears up when it is interrupted, and its workers give back what they have", async () => {
    hook = each({ kind: "delay", ms: 300 });
    const [one, result] = [worker(), audit()];
    await until(async () => (await finishedJobs()) > 5, "the first results");
    one.child.kill("SIGTERM");
    const ended = await one.finished;
    assert.equal(ended.code, 0, ended.stderr);
    await withRedis(async (client) => {
      const [active] = await client.keys(`${QUEUE_PREFIX}:*:active`);
      assert.equal(active === undefined ? 0 : await client.llen(active), 0, "nothing is in the hands of nobody");
    });
    result.child.kill("SIGINT");
    assert.equal((await result.finished).code, 130);
    assert.equal(await withRedis((client) => client.dbsize()), 0);
  });

  test("is unreachable, in words without a password, where no server answers", async () => {
    const nobody = { COUNTERSIGN_QUEUE: redis.url(0, "hunter2").replace(/:\d+\//, ":1/") };
    const both = [["--plan", "plan.json"], ["worker"]].map((args) => start(["audit", ...args, ...judging], nobody));
    for (const { code, stdout, stderr } of await Promise.all(both.map(({ finished }) => finished))) {
      assert.equal(code, 3, stderr);
      assert.match(stderr, /unreachable/);
      assert.doesNotMatch(stdout + stderr, /hunter2/);
    }
  });

  test("does not work in another database than it was told to", async () => {
    const { code, stderr } = await start(["audit", "worker", ...judging], { COUNTERSIGN_QUEUE: redis.url(64) })
      .finished;
    assert.equal(code, 2, stderr);
    assert.match(stderr, /configuration-invalid/);
  });

  it("logs in where the server wants a password, and says of a wrong one that it was refused", async () => {
    const guarded = await RedisServer.start(work.makeFolder("guarded"), "--requirepass", "hunter2-hunter2");
    try {
      const right = { COUNTERSIGN_QUEUE: guarded.url(0, "hunter2-hunter2") };
      const one = start(["audit", "worker", ...judging, "--once"], right);
      const args = ["audit", "--plan", "plan.json", ...judging, "-o", "json"];
      const { code, stdout, stderr } = await start(args, right).finished;
      assert.equal(code, 1, stderr);
      assert.equal(stdout === whole, true, stderr);
      assert.equal((await one.finished).code, 0);
      for (const password of [undefined, "wrong-password"]) {
        const refused = await start(args, { COUNTERSIGN_QUEUE: guarded.url(0, password) }).finished;
        assert.equal(refused.code, 3, refused.stderr);
        assert.match(refused.stderr, /denied/);
        assert.doesNotMatch(refused.stdout + refused.stderr, /hunter2|wrong-password/);
      }
    } finally {
      await guarded.stop();
    }
  });

  it("speaks TLS with a server whose authority it was told, and with no other", async () => {
    const { pem, key } = selfSigned("queue");
    const certificate = work.write("queue.pem", pem);
    const secret = work.write("queue.key", key.export({ type: "pkcs8", format: "pem" }));
    const port = await freePort();
    const flags = ["--tls-port", `${port}`, "--tls-cert-file", certificate, "--tls-key-file", secret];
    const server = await RedisServer.start(work.makeFolder("tls"), ...flags, "--tls-auth-clients", "no");
    try {
      const queue = { COUNTERSIGN_QUEUE: `rediss://127.0.0.1:${port}` };
      const trusting = { ...queue, SSL_CERT_FILE: certificate };
      const one = start(["audit", "worker", ...judging, "--once"], trusting);
      const args = ["audit", "--plan", "plan.json", ...judging, "-o", "json"];
      const { code, stdout, stderr } = await start(args, trusting).finished;
      assert.equal(code, 1, stderr);
      assert.equal(stdout === whole, true, stderr);
      assert.equal((await one.finished).code, 0);
      const refused = await start(args, queue).finished;
      assert.equal(refused.code, 3, refused.stderr);
      assert.match(refused.stderr, /self-signed certificate/);
    } finally {
      await server.stop();
    }
  });
});
