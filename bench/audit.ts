import { pushImage, pushManifest } from "../test/interop/images.ts";
import { REGISTRIES, type Server } from "../test/interop/servers.ts";
import { type Bench, forget, ourSign, ours, theirs } from "./bench.ts";
import { alternate, type Command, measure, median, type Results, type Run } from "./measure.ts";
import { spawnProxy } from "./proxy.ts";
import { atLeast, atMost, decimal, type Row, type Section } from "./results.ts";

const FAR_MS = 50;
const AGAINST_ONE = 20;
const AGAINST_EIGHT = 5;
/** Images that the loops of cosign take: they need no more to show their rate. */
const LOOP_OF_ONE = 16;
const LOOP_OF_EIGHT = 64;
const COPIES = 10;
/** Four each, and what the registry is asked once. */
const GOAL_REQUESTS = 4.05;
const SIGNED_PER_CALL = 400;

interface Place {
  readonly bench: Bench;
  readonly registry: Server;
  /** Signed images, all different. */
  readonly images: readonly string[];
}

/** Audits of many images: how fast beside loops of cosign, how many requests, how much memory. */
export async function measureAudit(bench: Bench): Promise<Section> {
  const registry = await startEmbedded(bench, "audit");
  try {
    const images = await signedImages(bench, registry, bench.quick ? 400 : 20_000);
    const place = { bench, registry, images };
    const rows = [
      ...(await measureRates(place, 0)),
      ...(await measureRates(place, FAR_MS)),
      await countRequests(place),
      ...(await measureDuplicates(place)),
      ...(await measureMemory(place)),
    ];
    return {
      title: "Audits",
      method:
        "Signed images, all different, named in a list and audited by one process without a cache. The loops are `xargs` with one" +
        ` and with eight cosign at a time, over ${LOOP_OF_ONE} and ${LOOP_OF_EIGHT} of them. All speak to one embedded registry, through a` +
        " proxy where requests are counted or delayed. The ratio of images a second is ours to theirs: more is better.",
      columns: ["countersign", "cosign loop"],
      rows,
    };
  } finally {
    await registry.stop();
  }
}

export function startEmbedded(bench: Bench, folder: string): Promise<Server> {
  const kind = REGISTRIES.find(({ hasReferrersApi }) => hasReferrersApi);
  if (kind === undefined) throw new Error("no registry with the referrers API");
  return kind.start(bench.work.path(folder));
}

/** Images that share a layer and differ in an annotation, each signed with a bundle. */
export async function signedImages(bench: Bench, { address }: Server, count: number): Promise<readonly string[]> {
  const repository = "audit/app";
  const base = await pushImage(address, `${repository}:base`);
  const response = await fetch(`http://${address}/v2/${repository}/manifests/base`, {
    headers: { accept: base.descriptor.mediaType },
  });
  const manifest = (await response.json()) as { readonly mediaType: string };
  const images: string[] = [];
  for (let at = 0; at < count; at++) {
    const annotations = { "org.opencontainers.image.title": `image ${at}` };
    images.push((await pushManifest(address, repository, `v${at}`, { ...manifest, annotations })).tagged);
  }
  for (let from = 0; from < count; from += SIGNED_PER_CALL) {
    await measure(ourSign(bench, ...images.slice(from, from + SIGNED_PER_CALL)));
  }
  return images;
}

function auditOf({ bench }: Place, name: string, images: readonly string[]): Command {
  const list = bench.work.write(`${name}.txt`, `${images.join("\n")}\n`);
  const output = ["-o", "json", "--output-file", bench.work.path(`${name}.json`)];
  return ours(bench, ["audit", "--key", bench.key.public, list, ...output]);
}

/** `xargs` starts one cosign for each image, `processes` at a time. */
function cosignLoop({ bench }: Place, name: string, images: readonly string[], processes: number): Command {
  const list = bench.work.write(`${name}.txt`, `${images.join("\n")}\n`);
  const { path, args, env } = theirs(bench, "cosign", [
    "verify",
    ...["--key", bench.key.public, "--insecure-ignore-tlog=true"],
  ]);
  return { ...theirs(bench, "xargs", ["-a", list, "-P", `${processes}`, "-n", "1", path, ...args]), env };
}

// --- images a second --------------------------------------------------------------------------------------------------

async function measureRates(place: Place, delayMs: number): Promise<readonly Row[]> {
  const { bench, registry, images } = place;
  const many = images.slice(0, bench.quick ? 200 : 2000);
  // Where nothing is delayed, nothing stands in between: a proxy would be slower than what is measured.
  const proxy = delayMs === 0 ? undefined : await spawnProxy({ target: registry.address, delayMs });
  const through = (some: readonly string[]) =>
    proxy === undefined ? some : some.map((image) => image.replace(registry.address, proxy.address));
  const audit = auditOf(place, "many", through(many));
  const one = cosignLoop(place, "one", through(images.slice(0, LOOP_OF_ONE)), 1);
  const eight = cosignLoop(place, "eight", through(images.slice(0, LOOP_OF_EIGHT)), 8);
  try {
    const results = await alternate(
      {
        ours: () => {
          forget(bench);
          return measure(audit);
        },
        one: () => measure(one),
        eight: () => measure(eight),
      },
      bench.quick ? 1 : 5,
    );
    const at = delayMs === 0 ? "on loopback" : `at ${delayMs} ms a request`;
    const ourRate = { runs: results["ours"] ?? [], images: many.length };
    return [
      rateRow(`images a second ${at}, beside one cosign at a time`, ourRate, results, "one", LOOP_OF_ONE, AGAINST_ONE),
      rateRow(`images a second ${at}, beside eight at a time`, ourRate, results, "eight", LOOP_OF_EIGHT, AGAINST_EIGHT),
    ];
  } finally {
    await proxy?.close();
  }
}

interface Rate {
  readonly runs: readonly Run[];
  readonly images: number;
}

function rateRow(what: string, ours: Rate, results: Results, name: string, images: number, goal: number): Row {
  const peer = results[name] ?? [];
  const ratio = median(ours.runs.map((run, round) => perSecond(ours.images, run) / perSecond(images, peer[round])));
  return {
    what,
    ratio: decimal(ratio, 1),
    ours: decimal(median(ours.runs.map((run) => perSecond(ours.images, run))), 1),
    peer: decimal(median(peer.map((run) => perSecond(images, run))), 1),
    goal: atLeast(goal, ratio, " ×"),
  };
}

function perSecond(images: number, run: Run | undefined): number {
  return images / ((run?.ms ?? Number.NaN) / 1000);
}

// --- requests, duplicates, memory -------------------------------------------------------------------------------------

async function countRequests(place: Place): Promise<Row> {
  const { bench, registry, images } = place;
  const proxy = await spawnProxy({ target: registry.address, delayMs: 0 });
  const some = images.slice(0, 200).map((image) => image.replace(registry.address, proxy.address));
  const count = async (command: Command): Promise<number> => {
    await proxy.reset();
    await measure(command);
    return (await proxy.requests()).length;
  };
  try {
    forget(bench);
    const ourRequests = (await count(auditOf(place, "counted", some))) / some.length;
    const few = some.slice(0, LOOP_OF_ONE);
    const theirRequests = (await count(cosignLoop(place, "counted-one", few, 1))) / few.length;
    return {
      what: "requests an image",
      ratio: decimal(ourRequests / theirRequests),
      ours: decimal(ourRequests),
      peer: decimal(theirRequests),
      goal: atMost(GOAL_REQUESTS, ourRequests),
    };
  } finally {
    await proxy.close();
  }
}

/** The same images, each mentioned ten times: nine in ten mentions are of what is known already. */
async function measureDuplicates(place: Place): Promise<readonly Row[]> {
  const { bench, images } = place;
  const once = images.slice(0, 200);
  const often = Array.from({ length: COPIES }, () => once).flat();
  const run = (name: string, list: readonly string[]) => () => {
    forget(bench);
    return measure(auditOf(place, name, list));
  };
  const results = await alternate({ often: run("often", often), once: run("once", once) }, bench.quick ? 1 : 5);
  const [mentioned, distinct] = [results["often"] ?? [], results["once"] ?? []];
  const ratio = median(mentioned.map(({ ms }, round) => ms / (distinct[round]?.ms ?? Number.NaN)));
  const shown = (runs: readonly Run[]) => `${Math.round(median(runs.map(({ ms }) => ms)))} ms`;
  return [
    {
      what: `${often.length} mentions of ${once.length} images, beside ${once.length} mentions of them`,
      ratio: decimal(ratio),
      ours: shown(mentioned),
      peer: `ours: ${shown(distinct)}`,
    },
  ];
}

async function measureMemory(place: Place): Promise<readonly Row[]> {
  const { bench, images } = place;
  const sizes = bench.quick ? [40, 400] : [2_000, 20_000];
  const peaks: number[] = [];
  for (const size of sizes) {
    forget(bench);
    const { peakMiB } = await measure(auditOf(place, `memory-${size}`, images.slice(0, size)), { watchMemory: true });
    peaks.push(peakMiB);
  }
  const [less = 0, more = 0] = peaks;
  const [few = 1, many = 1] = sizes;
  const each = ((more - less) * 1024) / (many - few);
  return [
    {
      what: `peak memory, ${many} images beside ${few}`,
      ratio: decimal(more / less),
      ours: `${Math.round(more)} MiB, ${decimal(each, 1)} KiB a further image`,
      peer: `ours: ${Math.round(less)} MiB`,
    },
  ];
}
