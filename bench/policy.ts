import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { matchRule } from "../src/core/policy/images.ts";
import { parsePolicy } from "../src/core/policy/parse.ts";
import type { Bench } from "./bench.ts";
import { alternate, medianMs, pairedRatio, type Run } from "./measure.ts";
import { below, decimal, milliseconds, type Row, type Section } from "./results.ts";

const RULES = 1_000;
const IDENTITIES = 100;
const GOAL_MS = 100;

/** What it takes to read a large policy, and to find in it the rule that an image falls under. */
export async function measurePolicy(bench: Bench): Promise<Section> {
  const rounds = bench.quick ? 3 : 21;
  const text = policyText(RULES);
  const file = bench.work.write("large-policy.yaml", text);
  const inProcess = await alternate(
    { ours: async () => first("ours", file), library: async () => first("library", file) },
    rounds,
  );
  const bytes = Buffer.from(text);
  const again = await alternate({ ours: async () => time(() => parsePolicy(bytes, "policy.yaml")) }, rounds);
  const firstMs = medianMs(inProcess["ours"]);
  const rows: readonly Row[] = [
    {
      what: "read, for the first time in a process",
      ratio: decimal(pairedRatio(inProcess["ours"], inProcess["library"])),
      ours: milliseconds(firstMs),
      peer: milliseconds(medianMs(inProcess["library"])),
      goal: below(GOAL_MS, firstMs, " ms"),
    },
    { what: "read again", ratio: "", ours: milliseconds(medianMs(again["ours"])), peer: "" },
    await findingRow(bench),
  ];
  return {
    title: "Reading a policy",
    method:
      `A policy of ${RULES} rules, each with two patterns, a signature and an attestation, and of ${IDENTITIES} identities,` +
      ` ${Math.round(bytes.byteLength / 1024)} KiB: read, checked, its patterns compared for ambiguity. Beside it the yaml package alone,` +
      " which makes nodes of the same text and nothing more. Each in a process of its own, modules loaded before. The rule of an" +
      " image is found by its name alone: the ratio is of the time with all rules to that with one.",
    columns: ["countersign", "yaml"],
    rows,
  };
}

function policyText(rules: number): string {
  const identities = Array.from({ length: IDENTITIES }, (_, at) =>
    at % 2 === 0
      ? `  release-${at}:\n    github: {repository: acme/app-${at}, workflow: release.yml, ref: refs/tags/*}\n`
      : `  person-${at}: {key: keys/person-${at}.pub}\n`,
  );
  const all = Array.from({ length: rules }, (_, at) => {
    const by = `release-${2 * (at % (IDENTITIES / 2))}`;
    return (
      `  - name: team ${at} images come from their release workflow\n` +
      `    images: [registry.example/team-${at}/app, registry.example/team-${at}/]\n` +
      `    require:\n      all:\n        - signature: {by: ${by}, maxAge: 90d}\n` +
      `        - attestation: {type: slsaprovenance1, by: ${by}}\n`
    );
  });
  return `apiVersion: countersign/v1\nkind: Policy\nidentities:\n${identities.join("")}rules:\n${all.join("")}`;
}

const SOURCE = fileURLToPath(new URL("../src/core/policy/parse.ts", import.meta.url));

/** The time of the first reading in a process, loading aside. */
function first(reader: "ours" | "library", file: string): Run {
  const [module, read] =
    reader === "ours"
      ? [SOURCE, "parsePolicy(bytes, 'policy.yaml')"]
      : [fileURLToPath(import.meta.resolve("yaml")), "parseDocument(bytes.toString('utf8'))"];
  const script =
    "const { readFileSync } = await import('node:fs'); const bytes = readFileSync(process.argv[2]);" +
    ` const { parsePolicy, parseDocument } = await import(process.argv[1]); const started = performance.now(); ${read};` +
    " console.log(performance.now() - started);";
  const printed = execFileSync(process.execPath, ["--input-type=module", "-e", script, module, file], {
    encoding: "utf8",
  });
  return { ms: Number(printed), peakMiB: 0 };
}

function time(work: () => unknown): Run {
  const started = performance.now();
  work();
  return { ms: performance.now() - started, peakMiB: 0 };
}

const NAMES = 100_000;

async function findingRow(bench: Bench): Promise<Row> {
  const finder = (rules: number) => {
    const policy = parsePolicy(Buffer.from(policyText(rules)), "policy.yaml");
    return async () =>
      time(() => {
        for (let at = 0; at < NAMES; at += 1) {
          if (matchRule(policy, { repository: `registry.example/team-${at % rules}/tools` }) === undefined) {
            throw new Error("a rule was not found");
          }
        }
      });
  };
  const runs = await alternate({ many: finder(RULES), one: finder(1) }, bench.quick ? 3 : 11);
  const rate = (name: "many" | "one") => decimal(NAMES / (medianMs(runs[name]) / 1000), 0);
  return {
    what: `rules found a second, among ${RULES} and (right) of 1`,
    ratio: decimal(pairedRatio(runs["many"], runs["one"])),
    ours: rate("many"),
    peer: rate("one"),
  };
}
