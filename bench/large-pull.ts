import { randomFillSync } from "node:crypto";
import { rmSync } from "node:fs";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { ARCHITECTURE, digestOf, OCI_MANIFEST, pushBlob, pushJson, pushManifest } from "../test/interop/images.ts";
import { without } from "../test/interop/peers.ts";
import { startDistribution } from "../test/interop/servers.ts";
import { type Bench, ourSign, ours, theirs } from "./bench.ts";
import { alternate, type Command, measure, median, medianMs, pairedRatio, type Run } from "./measure.ts";
import { atMost, below, decimal, type Row, type Section } from "./results.ts";

const MIB = 1024 * 1024;
const LAYERS = 8;
const MEMORY_GOAL_MIB = 200;
const LAYER = "application/vnd.oci.image.layer.v1.tar+gzip";

/** What the layers hold: the first is what a benchmark makes easily, the second is nearer to what images hold. */
const CONTENTS = [
  { name: "random content", compressible: 0 },
  { name: "content that gzip halves", compressible: 0.5 },
] as const;

/** A large image into an OCI layout: time and memory. */
export async function measureLargePull(bench: Bench): Promise<Section> {
  const missing = without("docker-registry", "crane", "skopeo");
  const size = bench.quick ? 64 : 1024;
  const section = {
    title: "A large image",
    method:
      `An image of ${size} MiB in ${LAYERS} gzip layers, from CNCF distribution on loopback into a new OCI layout on disk.` +
      " countersign verifies the signature first, checks every blob against its digest and every layer against its diff_id" +
      " after decompression; crane and skopeo check the blobs' digests. Memory is the high-water mark of resident memory.",
    columns: ["countersign", "crane · skopeo"] as const,
  };
  if (missing !== false) return { ...section, rows: [], skipped: [missing] };
  const registry = await startDistribution(bench.work.path("large"));
  try {
    const rows: Row[] = [];
    for (const content of CONTENTS) {
      const image = await pushLarge(registry.address, size * MIB, content.compressible);
      await measure(ourSign(bench, image));
      rows.push(...(await pullAll(bench, image, `${size} MiB, ${content.name}`)));
    }
    return { ...section, rows };
  } finally {
    await registry.stop();
  }
}

async function pullAll(bench: Bench, image: string, what: string): Promise<readonly Row[]> {
  const out = bench.work.path("pulled");
  const pull = (command: Command) => async (): Promise<Run> => {
    rmSync(out, { recursive: true, force: true });
    return measure(command, { watchMemory: true });
  };
  const verified = ["pull", "--key", bench.key.public, "--to", `oci:${out}`, image];
  const copied = ["copy", "--insecure-policy", "--src-tls-verify=false", `docker://${image}`, `oci:${out}:1`];
  const contestants = {
    ours: pull(ours(bench, verified)),
    crane: pull(theirs(bench, "crane", ["pull", "--format=oci", image, out])),
    skopeo: pull(theirs(bench, "skopeo", copied)),
  };
  const results = await alternate(contestants, bench.quick ? 1 : 5);
  rmSync(out, { recursive: true, force: true });
  const [our = [], crane = [], skopeo = []] = [results["ours"], results["crane"], results["skopeo"]];
  const faster = medianMs(crane) < medianMs(skopeo) ? crane : skopeo;
  const ratio = pairedRatio(our, faster);
  const peak = (runs: readonly Run[]) => median(runs.map((run) => run.peakMiB));
  const seconds = (runs: readonly Run[]) => `${decimal(medianMs(runs) / 1000)} s`;
  const mebibytes = (runs: readonly Run[]) => `${Math.round(peak(runs))} MiB`;
  return [
    {
      what: `wall time, ${what}`,
      ratio: decimal(ratio),
      ours: seconds(our),
      peer: `${seconds(crane)} · ${seconds(skopeo)}`,
      goal: atMost(1, ratio, " × the faster"),
    },
    {
      what: `peak memory, ${what}`,
      ratio: decimal(peak(our) / Math.min(peak(crane), peak(skopeo))),
      ours: mebibytes(our),
      peer: `${mebibytes(crane)} · ${mebibytes(skopeo)}`,
      goal: below(MEMORY_GOAL_MIB, peak(our), " MiB"),
    },
  ];
}

/** An image of this many compressed bytes. @returns its reference. */
async function pushLarge(address: string, bytes: number, compressible: number): Promise<string> {
  const repository = `large/random-${compressible === 0 ? "only" : "half"}`;
  const layers = [];
  const diffIds: string[] = [];
  for (let n = 0; n < LAYERS; n++) {
    const tar = makeContent(Math.round(bytes / LAYERS / (1 - compressible)), compressible);
    layers.push(await pushBlob(address, repository, LAYER, await promisify(gzip)(tar, { level: 1 })));
    diffIds.push(digestOf(tar));
  }
  const config = await pushJson(address, repository, "application/vnd.oci.image.config.v1+json", {
    architecture: ARCHITECTURE,
    os: "linux",
    config: {},
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = { schemaVersion: 2, mediaType: OCI_MANIFEST, config, layers };
  return (await pushManifest(address, repository, "1", manifest)).tagged;
}

const BLOCK = 64 * 1024;

/** Random bytes of which this part of every block is the same letter. What is inside the tar does not matter to a pull. */
function makeContent(bytes: number, compressible: number): Buffer {
  const content = Buffer.alloc(bytes, "x");
  for (let at = 0; at < bytes; at += BLOCK) {
    const end = Math.min(at + Math.round(BLOCK * (1 - compressible)), bytes);
    randomFillSync(content, at, end - at);
  }
  return content;
}
