import { pushImage } from "../test/interop/images.ts";
import { REGISTRIES } from "../test/interop/servers.ts";
import { type Bench, cosignVerify, forget, ourSign, ourVerify } from "./bench.ts";
import { alternate, measure, median, type Run } from "./measure.ts";
import { spawnProxy } from "./proxy.ts";
import { atLeast, decimal, type Section } from "./results.ts";

const DELAY_MS = 50;
const GOAL = 20;

/** Many signed images in one call, on a network that is far away. */
export async function measureBulk(bench: Bench): Promise<Section> {
  const [many, few] = bench.quick ? [20, 3] : [200, 10];
  const registry = await startEmbeddedRegistry(bench);
  const proxy = await spawnProxy({ target: registry.address, delayMs: DELAY_MS });
  try {
    const near: string[] = [];
    for (let n = 0; n < many; n++) near.push((await pushImage(registry.address, `bulk/app:${n}`)).tagged);
    await measure(ourSign(bench, ...near));
    const far = near.map((image) => image.replace(registry.address, proxy.address));
    const results = await alternate(
      {
        ours: () => {
          forget(bench);
          return measure(ourVerify(bench, ...far));
        },
        cosign: () => measure(cosignVerify(bench, ...far.slice(0, few))),
      },
      bench.quick ? 1 : 5,
    );
    const [ours = [], theirs = []] = [results["ours"], results["cosign"]];
    const ratio = median(ours.map((run, round) => rate(many, run) / rate(few, theirs[round])));
    return {
      title: "Many images in one call",
      method:
        `Signed images, all different, verified by one process through a proxy that delays each request by ${DELAY_MS} ms;` +
        ` countersign judges ${many} and starts without a cache, cosign, which takes one after the other, the first ${few} of them.` +
        " The ratio is ours to cosign's images a second: more is better.",
      columns: ["countersign", "cosign"],
      rows: [
        {
          what: "images a second",
          ratio: decimal(ratio, 1),
          ours: decimal(median(ours.map((run) => rate(many, run))), 1),
          peer: decimal(median(theirs.map((run) => rate(few, run))), 1),
          goal: atLeast(GOAL, ratio, " ×"),
        },
      ],
    };
  } finally {
    await proxy.close();
    await registry.stop();
  }
}

function startEmbeddedRegistry(bench: Bench) {
  const kind = REGISTRIES.find(({ hasReferrersApi }) => hasReferrersApi);
  if (kind === undefined) throw new Error("no registry with the referrers API");
  return kind.start(bench.work.path("bulk"));
}

/** Images a second. */
function rate(images: number, run: Run | undefined): number {
  return images / ((run?.ms ?? Number.NaN) / 1000);
}
