import { type Command, Option } from "commander";
import { type CustomPath, parseCustomPath } from "../core/sources/custom-paths.ts";
import { FILE_KINDS, type FileKind } from "../core/sources/detect.ts";
import { collect, grouped, list, once, type RawOptions, text } from "./options.ts";

const SOURCE_GROUP = "Sources:";

/** How images are found in files and folders: of `pin` and `audit`. */
export function addSourceOptions(command: Command): Command {
  return grouped(command, SOURCE_GROUP, [
    new Option("--source-kind <kind>", "what the files are, where their names and texts do not tell")
      .choices(FILE_KINDS)
      .argParser(kindOf),
    new Option(
      "--exclude <glob>",
      "leave out what lies in folders under such a name or path; .git and node_modules always are (repeatable)",
    ).argParser(collect),
    new Option(
      "--image-path <kind=path>",
      "where custom resources name images, as in Prometheus.monitoring.coreos.com=.spec.image (repeatable)",
    ).argParser(collect),
    new Option(
      "--owner-label <name>",
      "a label or annotation that says who answers for a workload (repeatable; default: owner, team, app.kubernetes.io/part-of)",
    ).argParser(collect),
  ]);
}

/** What of clusters is looked at: of `audit`. */
export function addClusterOptions(command: Command): Command {
  return grouped(command, SOURCE_GROUP, [
    new Option("--namespace <name>", "of cluster://, look at this namespace only (repeatable)").argParser(collect),
  ]);
}

export interface SourceOptions {
  readonly kind: FileKind | undefined;
  readonly exclude: readonly string[];
  readonly customPaths: readonly CustomPath[];
  readonly ownerLabels: readonly string[] | undefined;
  readonly namespaces: readonly string[];
}

/** @throws CountersignError `usage`. */
export function readSourceOptions(raw: RawOptions): SourceOptions {
  const labels = list(raw, "ownerLabel");
  return {
    kind: FILE_KINDS.find((kind) => kind === text(raw, "sourceKind")),
    exclude: list(raw, "exclude"),
    customPaths: list(raw, "imagePath").map(parseCustomPath),
    ownerLabels: labels.length === 0 ? undefined : labels,
    namespaces: list(raw, "namespace"),
  };
}

function kindOf(value: string, previous: unknown): string {
  return once("--source-kind")(value, previous);
}
