import { decodeUtf8 } from "../core/bytes.ts";
import { CountersignError } from "../core/errors.ts";
import { reasonClass } from "../core/reasons.ts";
import type { TrustStatus } from "../core/trust/status.ts";
import type { Configuration } from "../io/config/configuration.ts";
import type { TrustInstance } from "../io/config/instances.ts";
import { trustDocument, trustText } from "../report/trusted-root.ts";
import { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { exitCodeOfClasses } from "./exit-codes.ts";
import { type Output, sayFinding } from "./output.ts";
import { configurationOf, instanceNamed, repositoryOf } from "./trust-instances.ts";
import { type Examined, examine } from "./trust-status.ts";
import { isSeenTwice } from "./verdicts.ts";

/** `trusted-root show`: what is on this machine. No connection is opened. */
export async function showTrust(
  context: Context,
  output: Output,
  names: readonly string[],
  config: string | undefined,
): Promise<void> {
  const configuration = await configurationOf(context, config);
  const instances = chosen(configuration, names) ?? configuration.instances;
  const examined = await examineAll(context, configuration, instances, "offline");
  await conclude(context, output, "trusted-root show", examined);
}

/** `trusted-root update`: asks the repositories now. */
export async function updateTrust(
  context: Context,
  output: Output,
  names: readonly string[],
  config: string | undefined,
): Promise<void> {
  const configuration = await configurationOf(context, config);
  const instances = chosen(configuration, names) ?? (await inUse(context, configuration));
  const examined = await examineAll(context, configuration, instances, "now");
  await conclude(context, output, "trusted-root update", examined);
}

/** The instances of the command line; undefined where it names none. */
function chosen(configuration: Configuration, names: readonly string[]): readonly TrustInstance[] | undefined {
  return names.length === 0 ? undefined : [...new Set(names)].map((name) => instanceNamed(configuration, name));
}

/** The default, and every other that was asked before: nobody is asked whom the user has nothing to do with. */
async function inUse(context: Context, configuration: Configuration): Promise<readonly TrustInstance[]> {
  const isUsed = async (instance: TrustInstance): Promise<boolean> => {
    if (instance.name === configuration.defaultInstance) return true;
    if (instance.source.kind === "file") return false;
    return (await repositoryOf(context, instance.source, NOBODY)).store.isKnown();
  };
  const used = await Promise.all(configuration.instances.map(isUsed));
  return configuration.instances.filter((_, at) => used[at] === true);
}

const NOBODY = {
  get services(): never {
    throw new CountersignError("internal", "a connection was wanted where none may be opened");
  },
};

async function examineAll(
  context: Context,
  configuration: Configuration,
  instances: readonly TrustInstance[],
  mode: "offline" | "now",
): Promise<readonly Examined[]> {
  const wiring = mode === "now" ? new Wiring(context) : undefined;
  try {
    const examined: Examined[] = [];
    for (const instance of instances) {
      examined.push(await examine(context, configuration, instance, wiring ?? NOBODY, mode));
    }
    return examined;
  } finally {
    await wiring?.close();
  }
}

/** The result, a line for each instance that cannot be used, and the exit code. */
async function conclude(
  context: Context,
  output: Output,
  command: string,
  examined: readonly Examined[],
): Promise<void> {
  const statuses = examined.map(({ status }) => status);
  const now = context.referenceTime;
  await output.result({
    text: (style) => trustText(statuses, style, now),
    json: () => trustDocument(command, statuses, now),
    more: { "trusted-root": () => onlyRoot(examined) },
  });
  const problems = statuses.flatMap(({ problem }) => problem ?? []);
  if (!isSeenTwice(context, output)) for (const status of statuses) sayProblem(context, status);
  context.exitCode = exitCodeOfClasses(problems.map(({ code }) => reasonClass(code)));
}

function sayProblem(context: Context, { name, problem }: TrustStatus): void {
  if (problem !== undefined) sayFinding(context, { ...problem, message: `${name}: ${problem.message}` });
}

/** The file itself, for `--trusted-root` on another machine. */
function onlyRoot(examined: readonly Examined[]): string {
  const [only, ...others] = examined;
  if (only === undefined || others.length > 0) {
    throw new CountersignError("usage", "one trust root fits into one file", {
      found: `${examined.length} instances`,
      wanted: "the name of one",
    });
  }
  return only.trustedRoot === undefined ? "" : decodeUtf8(only.trustedRoot);
}
