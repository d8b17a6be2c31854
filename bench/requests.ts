import { pushImage } from "../test/interop/images.ts";
import { REGISTRIES, type RegistryKind } from "../test/interop/servers.ts";
import { type Bench, cosignSign, cosignVerify, forget, ourSign, ourVerify } from "./bench.ts";
import { type Command, measure } from "./measure.ts";
import { spawnProxy } from "./proxy.ts";
import { atMost, decimal, type Row, type Section } from "./results.ts";

interface Goals {
  readonly first: number;
  /** Another image once it is known what the registry can do. */
  readonly later: number;
  /** The same image a second time. */
  readonly again: number;
  /** Where `{}` has to be stored first, and it is to be found out what the registry can do. */
  readonly signFirst?: number | undefined;
  readonly sign: number;
}

const GOALS: Goals = { first: 4, later: 4, again: 2, signFirst: 8, sign: 8 };

/** An upload is two requests there, so that a first signature cannot do with eight: see below what each of them is for. */
const WITHOUT_API: Goals = { ...GOALS, first: 5, signFirst: undefined };

/** What one run of a program costs. */
interface Counts {
  readonly requests: number;
  readonly connections: number;
}

interface Pair {
  readonly ours: Counts;
  readonly theirs: Counts;
}

/** How many requests each verb costs, and how many connections, counted between the program and the registry. */
export async function measureRequests(bench: Bench): Promise<Section> {
  const rows: Row[] = [];
  const skipped: string[] = [];
  for (const kind of REGISTRIES) {
    if (kind.missing !== false) skipped.push(`${kind.name}: ${kind.missing}`);
    else rows.push(...(await countOn(bench, kind, kind.hasReferrersApi ? GOALS : WITHOUT_API)));
  }
  return {
    title: "Requests",
    method:
      "A proxy counts the requests between one run of the program and the registry, and the connections that they take. Each tool signs images of its own" +
      " with the same key, without a transparency log; every run is a process of its own, and “first” has no cache." +
      " On distribution 2 another signature is the image, the list under the tag (is it signed already?), two for the" +
      " bundle, its manifest, and the list again, written, and read back; the first one adds the question whether there" +
      " is the referrers API, and two for the empty configuration. Eight is the goal where cosign takes 14.",
    columns: ["countersign", "cosign"],
    rows,
    skipped,
  };
}

async function countOn(bench: Bench, kind: RegistryKind, goals: Goals): Promise<readonly Row[]> {
  const registry = await kind.start(bench.work.path(`requests-${kind.hasReferrersApi}`));
  const proxy = await spawnProxy({ target: registry.address, delayMs: 0 });
  const count = async (command: Command): Promise<Counts> => {
    await proxy.reset();
    await measure(command);
    return { requests: (await proxy.requests()).length, connections: await proxy.connections() };
  };
  const push = async (name: string) =>
    (await pushImage(registry.address, name)).tagged.replace(registry.address, proxy.address);
  try {
    const [our1, our2] = [await push("ours/app:1"), await push("ours/app:2")];
    const [their1, their2] = [await push("theirs/app:1"), await push("theirs/app:2")];
    forget(bench);
    const sign = { ours: await count(ourSign(bench, our1)), theirs: await count(cosignSign(bench, their1)) };
    const signLater = { ours: await count(ourSign(bench, our2)), theirs: await count(cosignSign(bench, their2)) };
    forget(bench);
    const first = { ours: await count(ourVerify(bench, our1)), theirs: await count(cosignVerify(bench, their1)) };
    const later = { ours: await count(ourVerify(bench, our2)), theirs: await count(cosignVerify(bench, their2)) };
    const again = { ours: await count(ourVerify(bench, our1)), theirs: await count(cosignVerify(bench, their1)) };
    return [
      rowOf(`verify by tag, first`, kind, first, goals.first),
      rowOf(`verify by tag, another image of the registry`, kind, later, goals.later),
      rowOf(`verify by tag, the same image again`, kind, again, goals.again),
      rowOf(`sign by tag, first`, kind, sign, goals.signFirst),
      rowOf(`sign by tag, another image of the repository`, kind, signLater, goals.sign),
      connectionRow("verify by tag, first", kind, first),
      connectionRow("sign by tag, first", kind, sign),
    ];
  } finally {
    await proxy.close();
    await registry.stop();
  }
}

function rowOf(what: string, kind: RegistryKind, { ours, theirs }: Pair, goal: number | undefined): Row {
  return {
    what: `${what}: ${kind.name}`,
    ratio: decimal(ours.requests / theirs.requests),
    ours: `${ours.requests}`,
    peer: `${theirs.requests}`,
    ...(goal === undefined ? {} : { goal: atMost(goal, ours.requests) }),
  };
}

/** Over TLS each of them takes two round trips more than the requests on it. */
function connectionRow(what: string, kind: RegistryKind, { ours, theirs }: Pair): Row {
  return {
    what: `connections, ${what}: ${kind.name}`,
    ratio: decimal(ours.connections / theirs.connections),
    ours: `${ours.connections}`,
    peer: `${theirs.connections}`,
  };
}
