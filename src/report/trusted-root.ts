import { explainBriefly } from "../core/explain.ts";
import { printable } from "../core/printable.ts";
import { describeAge, formatInstant, type Instant } from "../core/time.ts";
import type { TrustRoot } from "../core/trust/root.ts";
import type { TrustStatus } from "../core/trust/status.ts";
import { findingMember, formatDocument } from "./json.ts";
import type { Style } from "./style.ts";

/** docs/schemas/trusted-root.json. */
export function trustDocument(command: string, statuses: readonly TrustStatus[], now: Instant): string {
  return formatDocument(command, { instances: statuses.map((status) => statusMember(status, now)) });
}

function statusMember(status: TrustStatus, now: Instant): Readonly<Record<string, unknown>> {
  const { name, origin, isDefault, source, state, refreshedAt, expires, roles, root, problem } = status;
  return {
    name,
    origin,
    default: isDefault,
    source,
    state,
    refreshedAt: timeMember(refreshedAt),
    expires: timeMember(expires),
    daysLeft: expires === undefined ? undefined : daysLeft(expires, now),
    metadata: roles.map((role) => ({ ...role, expires: formatInstant(role.expires) })),
    ...(root === undefined ? {} : rootMembers(root)),
    problem: problem === undefined ? undefined : findingMember(problem),
  };
}

function timeMember(at: Instant | undefined): string | undefined {
  return at === undefined ? undefined : formatInstant(at);
}

const DAY = 86_400_000;

/** Whole days; none where it has expired. */
export function daysLeft(expires: Instant, now: Instant): number {
  return Math.max(0, Math.floor((expires - now) / DAY));
}

/** A log by its host name, an authority by whoever runs it: its certificate's name says less. */
interface Believed {
  readonly name: string;
  readonly from: Instant;
  readonly until: Instant | undefined;
}

interface Group {
  readonly member: string;
  readonly label: string;
  readonly entries: readonly Believed[];
}

function groupsOf({ authorities, logs, certificateLogs, timestampAuthorities }: TrustRoot): readonly Group[] {
  const byOperator = (list: typeof authorities) =>
    list.map(({ operator, from, until }) => ({ name: operator, from, until }));
  return [
    { member: "authorities", label: "authorities", entries: byOperator(authorities) },
    { member: "logs", label: "logs", entries: logs },
    { member: "certificateLogs", label: "cert logs", entries: certificateLogs },
    { member: "timestampAuthorities", label: "timestamps", entries: byOperator(timestampAuthorities) },
  ];
}

function rootMembers(root: TrustRoot): Readonly<Record<string, unknown>> {
  const members = groupsOf(root).map(({ member, entries }) => [
    member,
    entries.map(({ name, from, until }) => ({ name, from: formatInstant(from), until: timeMember(until) })),
  ]);
  return Object.fromEntries(members);
}

const WIDTH = 12;

/** One block an instance, a line for each thing to know of it. */
export function trustText(statuses: readonly TrustStatus[], style: Style, now: Instant): string {
  return statuses.map((status) => statusText(status, style, now)).join("\n");
}

function statusText(status: TrustStatus, style: Style, now: Instant): string {
  const { name, isDefault, source } = status;
  const where = source.kind === "tuf" ? source.mirror : source.file;
  const rows = [...stateRows(status, now), ...(status.root === undefined ? [] : rootRows(status.root, now))];
  const lines = rows.map(([label, text]) => `  ${style.label(label.padEnd(WIDTH))}${printable(text)}\n`);
  return `${style.heading(printable(name))}  ${printable(where)}${isDefault ? " (default)" : ""}\n${lines.join("")}`;
}

type Row = readonly [label: string, text: string];

function stateRows({ state, refreshedAt, expires, roles, problem }: TrustStatus, now: Instant): readonly Row[] {
  const versions = roles.map(({ role, version }) => `${role} ${version}`).join(", ");
  const age = refreshedAt === undefined ? [] : ([[AGE_LABELS[state], describeAge(refreshedAt, now)]] as const);
  return [
    ...(problem === undefined ? [] : ([["problem", explainBriefly(problem)]] as const)),
    ...age,
    ...(expires === undefined ? [] : ([["valid", validity(expires, now)]] as const)),
    ...(versions === "" ? [] : ([["metadata", versions]] as const)),
  ];
}

const AGE_LABELS = { current: "refreshed", due: "refreshed", seed: "built in", unusable: "refreshed" } as const;

function validity(expires: Instant, now: Instant): string {
  return now < expires
    ? `until ${formatInstant(expires)}, ${daysLeft(expires, now)} days left`
    : `until ${formatInstant(expires)}, which was ${describeAge(expires, now)}`;
}

/** Those of one name together, in the order of the file. */
function rootRows(root: TrustRoot, now: Instant): readonly Row[] {
  return groupsOf(root).flatMap(({ label, entries }): Row[] => {
    const byName = Map.groupBy(entries, ({ name }) => name);
    return [...byName].map(([name, windows], at) => [
      at === 0 ? label : "",
      `${name}, ${describeWindows(windows, now)}`,
    ]);
  });
}

function describeWindows(windows: readonly Believed[], now: Instant): string {
  const from = Math.min(...windows.map((window) => window.from));
  const ends = windows.map((window) => window.until);
  const last = ends.some((end) => end === undefined) ? undefined : Math.max(...ends.map(Number));
  const many = windows.length === 1 ? "" : ` (${windows.length} windows)`;
  return `since ${dayOf(from)}${last === undefined ? "" : `${last < now ? ", ended" : ", until"} ${dayOf(last)}`}${many}`;
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}
