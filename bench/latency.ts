import { pushImage } from "../test/interop/images.ts";
import { REGISTRIES, type RegistryKind } from "../test/interop/servers.ts";
import { type Bench, cosignVerify, forget, ourSign, ourVerify, standaloneVerify } from "./bench.ts";
import { alternate, type Command, measure, medianMs, pairedRatio } from "./measure.ts";
import { spawnProxy } from "./proxy.ts";
import { atMost, decimal, milliseconds, type Row, type Section } from "./results.ts";

const DELAY_MS = 20;

/** How long one verification takes, near and far. */
export async function measureLatency(bench: Bench): Promise<Section> {
  const rows: Row[] = [];
  const skipped: string[] = [];
  for (const kind of REGISTRIES) {
    if (kind.missing !== false) skipped.push(`${kind.name}: ${kind.missing}`);
    else rows.push(...(await timeOn(bench, kind)));
  }
  return {
    title: "One verification",
    method:
      `Wall time of one process from start to end, for one image by tag with one signature made by countersign. “${DELAY_MS} ms”` +
      " passes through a proxy that delays each request by so much; “loopback” does not. “First” knows nothing of registry" +
      " and image, “again” is the same image once more. “Executable” is the standalone one, “package” what npm installs, run" +
      " before on this machine: V8's code for it is there.",
    columns: ["countersign", "cosign"],
    rows,
    skipped,
  };
}

async function timeOn(bench: Bench, kind: RegistryKind): Promise<readonly Row[]> {
  const registry = await kind.start(bench.work.path(`latency-${kind.hasReferrersApi}`));
  const proxy = await spawnProxy({ target: registry.address, delayMs: DELAY_MS });
  try {
    const near = (await pushImage(registry.address, "time/app:1")).tagged;
    const far = near.replace(registry.address, proxy.address);
    await measure(ourSign(bench, near));
    return [
      ...(await timeOne(bench, `${DELAY_MS} ms a request: ${kind.name}`, far, 0.6)),
      ...(await timeOne(bench, `loopback: ${kind.name}`, near, 1.5)),
    ];
  } finally {
    await proxy.close();
    await registry.stop();
  }
}

type Form = (bench: Bench, ...images: readonly string[]) => Command;
const FORMS = [
  { form: "executable", verify: standaloneVerify },
  { form: "package", verify: ourVerify },
] as const satisfies readonly { readonly form: string; readonly verify: Form }[];

async function timeOne(bench: Bench, where: string, image: string, goal: number): Promise<readonly Row[]> {
  const ours = FORMS.flatMap(({ form, verify }) => {
    const first = () => {
      forget(bench);
      return measure(verify(bench, image));
    };
    return [[`first, ${form}`, first] as const, [`again, ${form}`, () => measure(verify(bench, image))] as const];
  });
  const contestants = { ...Object.fromEntries(ours), cosign: () => measure(cosignVerify(bench, image)) };
  // Whatever the rotation, a run of “first” before “again” has left the cache behind.
  const results = await alternate(contestants, bench.quick ? 3 : 15);
  return ours.map(([name]) => {
    const ratio = pairedRatio(results[name], results["cosign"]);
    return {
      what: `verify, ${name}, ${where}`,
      ratio: decimal(ratio),
      ours: milliseconds(medianMs(results[name])),
      peer: milliseconds(medianMs(results["cosign"])),
      ...(name.startsWith("first") ? { goal: atMost(goal, ratio, " ×") } : {}),
    };
  });
}
