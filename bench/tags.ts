import { rmSync } from "node:fs";
import type { Server } from "../test/interop/servers.ts";
import { startEmbedded } from "./audit.ts";
import { type Bench, forget, ours } from "./bench.ts";
import { type Command, measure, median } from "./measure.ts";
import { type RemoteProxy, spawnProxy } from "./proxy.ts";
import { atMost, decimal, milliseconds, type Row, type Section } from "./results.ts";
import { bindTags, PASSPHRASE, pushTags } from "./tag-repository.ts";

const SIZES = [20, 1000, 10_000] as const;
const QUICK_SIZES = [20, 300] as const;
/** The head alone, then what it lists that the client does not have, and the image's manifest in the end. */
const GOALS = { cold: 9, published: 7, warm: 2 } as const;
/** Against the smallest repository: a search that grows with the number of tags would be far above it. */
const FLAT = 1.5;
/** Bytes that a first pull may take with 10,000 tags. */
const COLD_BYTES = 128 * 1024;

interface Place {
  readonly bench: Bench;
  readonly proxy: RemoteProxy;
  /** As countersign knows it: behind the proxy. */
  readonly repository: string;
  readonly tags: number;
}

/** What one run moves, and how long it takes. */
interface Cost {
  readonly requests: number;
  readonly sent: number;
  readonly received: number;
  readonly ms: number;
}

interface Costs {
  readonly tags: number;
  readonly cold: Cost;
  readonly warm: Cost;
  readonly published: Cost;
  readonly publish: Cost;
}

/** Signed tags: what a verification and a publish cost, by the number of tags in the repository. */
export async function measureTags(bench: Bench): Promise<Section> {
  const registry = await startEmbedded(bench, "tags");
  const proxy = await spawnProxy({ target: registry.address, delayMs: 0 });
  try {
    const places: Place[] = [];
    for (const tags of bench.quick ? QUICK_SIZES : SIZES) places.push(await prepare(bench, registry, proxy, tags));
    const costs = await costsOf(places);
    const few = costs[0];
    return {
      title: "Signed tags",
      method:
        "A repository with a root, a targets role and an online key of its own, every tag bound, one image each. “First” knows" +
        " nothing but the pinned root; “again” finds nothing new; “after a publish” knows the state before it. Requests and bytes" +
        " of content are counted between the program and the registry and contain those for the image's own manifest. The ratio" +
        ` is to the repository with ${few?.tags} tags.`,
      columns: ["countersign", `with ${few?.tags} tags`],
      rows: costs.flatMap((own) => rowsOf(own, few ?? own)),
    };
  } finally {
    await proxy.close();
    await registry.stop();
  }
}

function tagOf(at: number): string {
  return `v${at}`;
}

function trust({ bench }: Place, args: readonly string[]): Command {
  const command = ours(bench, ["trust", ...args]);
  return { ...command, env: { ...command.env, COUNTERSIGN_KEY_PASSPHRASE: PASSPHRASE } };
}

/** Binds a tag anew, as a release does. */
function sign(place: Place, at: number): Command {
  const note = ["--note", `released at ${new Date().toISOString()}`];
  return trust(place, ["sign", "-y", "--single-writer", ...note, `${place.repository}:${tagOf(at)}`]);
}

// --- what it costs ----------------------------------------------------------------------------------------------------

async function prepare(bench: Bench, registry: Server, proxy: RemoteProxy, tags: number): Promise<Place> {
  const name = `tags/app-${tags}`;
  const place = { bench, proxy, repository: `${proxy.address}/${name}`, tags };
  const all = Array.from({ length: tags }, (_, at) => tagOf(at));
  const pushed = await pushTags(registry.address, name, all);
  await measure(trust(place, ["init", "-y", place.repository]));
  await bindTags(bench.work, place.repository, pushed);
  return place;
}

/** All repositories within each round, so that drift of the machine meets them alike. */
async function costsOf(places: readonly Place[]): Promise<readonly Costs[]> {
  const rounds: Costs[][] = [];
  for (let round = -1; round < (places[0]?.bench.quick === true ? 1 : 7); round++) {
    const costs: Costs[] = [];
    for (const place of places) costs.push(await costsOnce(place, Math.max(round, 0)));
    // The first round fills the page cache and Node's compile cache.
    if (round >= 0) rounds.push(costs);
  }
  return places.map(({ tags }, at) =>
    medianOf(
      tags,
      rounds.flatMap((costs) => costs[at] ?? []),
    ),
  );
}

async function costsOnce(place: Place, round: number): Promise<Costs> {
  const { bench, tags, repository } = place;
  const at = Math.floor(((round + 0.5) * tags) / 10) % tags;
  forgetTags(bench);
  const verify = ours(bench, ["verify", `${repository}:${tagOf(at)}`]);
  const cold = await cost(place, verify);
  const warm = await cost(place, verify);
  const publish = await cost(place, sign(place, at));
  return { tags, cold, warm, publish, published: await cost(place, verify) };
}

function medianOf(tags: number, rounds: readonly Costs[]): Costs {
  const middle = (name: Exclude<keyof Costs, "tags">): Cost => {
    const of = (part: keyof Cost) => median(rounds.map((costs) => costs[name][part]));
    return { requests: of("requests"), sent: of("sent"), received: of("received"), ms: of("ms") };
  };
  const [cold, warm] = [middle("cold"), middle("warm")];
  return { tags, cold, warm, published: middle("published"), publish: middle("publish") };
}

async function cost({ proxy }: Place, command: Command): Promise<Cost> {
  await proxy.reset();
  const { ms } = await measure(command);
  return { requests: (await proxy.requests()).length, ...(await proxy.bytes()), ms };
}

/** Nothing is remembered but the pin. */
function forgetTags(bench: Bench): void {
  forget(bench);
  rmSync(bench.work.path("home/.local/state/countersign"), { recursive: true, force: true });
}

// --- rows -------------------------------------------------------------------------------------------------------------

function rowsOf(costs: Costs, few: Costs): readonly Row[] {
  const { tags } = costs;
  const isLargest = tags >= 10_000;
  const at = `${tags.toLocaleString("en")} tags`;
  return [
    requestRow(`verify by signed tag, first: requests, ${at}`, costs.cold, few.cold, GOALS.cold),
    requestRow(
      `verify by signed tag, after a publish: requests, ${at}`,
      costs.published,
      few.published,
      GOALS.published,
    ),
    requestRow(`verify by signed tag, again: requests, ${at}`, costs.warm, few.warm, GOALS.warm),
    {
      ...byteRow(`verify by signed tag, first: bytes, ${at}`, costs.cold.received, few.cold.received),
      ...(isLargest ? { goal: atMost(COLD_BYTES, costs.cold.received, " B") } : {}),
    },
    byteRow(`verify by signed tag, after a publish: bytes, ${at}`, costs.published.received, few.published.received),
    byteRow(`verify by signed tag, again: bytes, ${at}`, costs.warm.received, few.warm.received),
    timeRow(`verify by signed tag, first: time, ${at}`, costs.cold, few.cold, FLAT),
    timeRow(`verify by signed tag, again: time, ${at}`, costs.warm, few.warm, FLAT),
    requestRow(`publish one tag: requests, ${at}`, costs.publish, few.publish),
    byteRow(`publish one tag: bytes sent, ${at}`, costs.publish.sent, few.publish.sent),
    byteRow(`publish one tag: bytes received, ${at}`, costs.publish.received, few.publish.received),
    timeRow(`publish one tag: time, ${at}`, costs.publish, few.publish),
  ];
}

function requestRow(what: string, { requests }: Cost, few: Cost, goal?: number): Row {
  const ratio = decimal(requests / few.requests);
  return {
    what,
    ratio,
    ours: `${requests}`,
    peer: `${few.requests}`,
    ...(goal === undefined ? {} : { goal: atMost(goal, requests) }),
  };
}

function byteRow(what: string, bytes: number, few: number): Row {
  const ratio = few === 0 ? "" : decimal(bytes / few);
  return { what, ratio, ours: kib(bytes), peer: kib(few) };
}

function timeRow(what: string, { ms }: Cost, few: Cost, goal?: number): Row {
  const ratio = ms / few.ms;
  return {
    what,
    ratio: decimal(ratio),
    ours: milliseconds(ms),
    peer: milliseconds(few.ms),
    ...(goal === undefined ? {} : { goal: atMost(goal, ratio, " ×") }),
  };
}

function kib(bytes: number): string {
  return `${decimal(bytes / 1024, 1)} KiB`;
}
