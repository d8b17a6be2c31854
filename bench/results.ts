import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, totalmem } from "node:os";
import { findPeer } from "../test/interop/peers.ts";

/** One figure. Cells are printed as they are, the ratio first. */
export interface Row {
  readonly what: string;
  /** "0.42", or empty where there is nothing to compare with. */
  readonly ratio: string;
  readonly ours: string;
  readonly peer: string;
  readonly goal?: Goal;
}

export interface Goal {
  readonly text: string;
  readonly met: boolean;
}

export interface Section {
  readonly title: string;
  /** What was done, so that another can do it again. */
  readonly method: string;
  /** Heads of the columns for ours and for the peer. */
  readonly columns: readonly [ours: string, peer: string];
  readonly rows: readonly Row[];
  /** What could not be measured, and why. */
  readonly skipped?: readonly string[];
}

export function decimal(value: number, digits = 2): string {
  return value.toFixed(digits);
}

export function milliseconds(value: number): string {
  return `${Math.round(value)} ms`;
}

export function atMost(limit: number, value: number, unit = ""): Goal {
  return { text: `≤ ${limit}${unit}`, met: value <= limit };
}

export function below(limit: number, value: number, unit = ""): Goal {
  return { text: `< ${limit}${unit}`, met: value < limit };
}

export function atLeast(limit: number, value: number, unit = ""): Goal {
  return { text: `≥ ${limit}${unit}`, met: value >= limit };
}

export function formatSection(section: Section): string {
  const [ours, peer] = section.columns;
  const head = ["measured", "ratio", ours, peer, "goal", ""];
  const body = section.rows.map((row) => [
    row.what,
    row.ratio,
    row.ours,
    row.peer,
    row.goal?.text ?? "",
    row.goal === undefined ? "" : row.goal.met ? "met" : "missed",
  ]);
  const table = [head, head.map((_, column) => (column === 0 ? "---" : "--:")), ...body];
  const skipped = (section.skipped ?? []).map((reason) => `Not measured: ${reason}.`);
  const lines = [`## ${section.title}`, "", section.method, "", ...table.map((cells) => `| ${cells.join(" | ")} |`)];
  return [...lines, ...(skipped.length === 0 ? [] : ["", ...skipped])].join("\n");
}

export function formatResults(sections: readonly Section[], command: string): string {
  const goals = sections.flatMap(({ rows }) => rows).flatMap(({ goal }) => (goal === undefined ? [] : [goal]));
  const met = goals.filter((goal) => goal.met).length;
  return [
    "# Results",
    "",
    `Measured ${new Date().toISOString().slice(0, 10)} with \`${command}\`: ${met} of ${goals.length} goals met.`,
    `Machine: ${describeMachine()}.`,
    `Versions: ${describeVersions().join(", ")}.`,
    "",
    "Where nothing else is said, every program runs in a process of its own, against the same registry on loopback, in turn",
    "within each round; times are medians, ratios are medians of the ratios within a round, ours to the peer's. The bench",
    "measures and asserts nothing: a goal that is missed is printed as missed.",
    "",
    ...sections.flatMap((section) => [formatSection(section), ""]),
  ].join("\n");
}

/** Cores, memory and processor; nothing that names the machine. */
function describeMachine(): string {
  const all = cpus();
  const gib = Math.round(totalmem() / 1024 ** 3);
  return `${all.length} cores, ${gib} GiB of memory, ${all[0]?.model ?? "unknown processor"}, ${process.platform} ${process.arch}`;
}

const VERSION_OF: Readonly<Record<string, { readonly args: readonly string[]; readonly pattern: RegExp }>> = {
  cosign: { args: ["version"], pattern: /GitVersion:\s+(\S+)/ },
  crane: { args: ["version"], pattern: /(\S+)/ },
  skopeo: { args: ["--version"], pattern: /version (\S+)/ },
  "docker-registry": { args: ["--version"], pattern: /distribution (\S+)/ },
};

function describeVersions(): readonly string[] {
  const peers = Object.entries(VERSION_OF).map(([name, { args, pattern }]) => {
    const path = findPeer(name);
    if (path === undefined) return `no ${name}`;
    const [, version = "unknown"] = pattern.exec(execFileSync(path, args, { encoding: "utf8" })) ?? [];
    return `${name === "docker-registry" ? "CNCF distribution" : name} ${version}`;
  });
  return [
    `Node ${process.version}`,
    ...peers,
    ...["sigstack-services", "sigstack-rekor"].flatMap(modulesIn),
    library(),
  ];
}

/** What a service was built of, as `.ci/sigstack.sh` wrote it down. */
function modulesIn(service: string): readonly string[] {
  const path = findPeer(service);
  if (path === undefined) return [`no ${service}`];
  const modules = readFileSync(`${path}.from`, "utf8").matchAll(/([a-z-]+)(?:\/v[0-9]+)?@(v[0-9.]+)/g);
  return [...modules].map(([, name, version]) => `${name} ${version}`);
}

/** What verifies bundles beside us. */
function library(): string {
  const { name, version } = createRequire(import.meta.url)("@sigstore/verify/package.json");
  return `${name} ${version}`;
}
