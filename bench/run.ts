/**
 * `npm run bench`: measures countersign beside its peers and writes bench/RESULTS.md.
 *
 *   npm run bench -- [--quick] [--only requests,latency,bulk,audit,workers,tags,keyless,bundles,policy,judging,large-pull,start-up]
 *
 * With either flag the results are printed and nothing is written: only a whole run is worth keeping.
 */
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { without } from "../test/interop/peers.ts";
import { Workplace } from "../test/interop/workplace.ts";
import { measureAudit } from "./audit.ts";
import { type Bench, buildPrograms, SOURCE } from "./bench.ts";
import { measureBulk } from "./bulk.ts";
import { measureBundles } from "./bundles.ts";
import { measureJudging } from "./judging.ts";
import { measureKeyless } from "./keyless.ts";
import { measureLargePull } from "./large-pull.ts";
import { measureLatency } from "./latency.ts";
import { measurePolicy } from "./policy.ts";
import { measureRequests } from "./requests.ts";
import { formatResults, formatSection, type Section } from "./results.ts";
import { measureStartUp } from "./start-up.ts";
import { measureTags } from "./tags.ts";
import { measureWorkers } from "./workers.ts";

const SUBJECTS: Readonly<Record<string, (bench: Bench) => Promise<Section>>> = {
  requests: measureRequests,
  latency: measureLatency,
  bulk: measureBulk,
  audit: measureAudit,
  workers: measureWorkers,
  tags: measureTags,
  keyless: measureKeyless,
  bundles: measureBundles,
  policy: measurePolicy,
  judging: measureJudging,
  "large-pull": measureLargePull,
  "start-up": measureStartUp,
};

const { values: options } = parseArgs({ options: { quick: { type: "boolean" }, only: { type: "string" } } });
const chosen = options.only?.split(",") ?? Object.keys(SUBJECTS);
const unknown = chosen.filter((name) => SUBJECTS[name] === undefined);
const missing = without("cosign");
if (unknown.length > 0 || missing !== false) {
  console.error(
    missing === false ? `no such subject: ${unknown.join(", ")}` : `the bench compares, and cosign is ${missing}`,
  );
  process.exit(2);
}

const work = new Workplace().open();
try {
  const key = await work.makeKey("bench");
  const bench = { work, key, quick: options.quick === true, ...buildPrograms(work), source: SOURCE };
  const sections: Section[] = [];
  for (const name of chosen) {
    console.error(`measuring ${name} …`);
    const section = await SUBJECTS[name]?.(bench);
    if (section === undefined) continue;
    sections.push(section);
    console.log(`${formatSection(section)}\n`);
  }
  if (options.quick !== true && options.only === undefined) {
    const file = fileURLToPath(new URL("RESULTS.md", import.meta.url));
    writeFileSync(file, formatResults(sections, "npm run bench"));
    console.error(`written: bench/RESULTS.md`);
  }
} finally {
  work.remove();
}
