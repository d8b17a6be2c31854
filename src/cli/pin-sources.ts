import { readFile, realpath } from "node:fs/promises";
import { resolve } from "node:path";
import { readKubernetes } from "../core/sources/kubernetes.ts";
import type { Mention, Reading, SourceProblem, SourceText } from "../core/sources/mention.ts";
import type { Context } from "./context.ts";
import type { Output } from "./output.ts";

export interface SourceFile extends SourceText {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface Sources {
  readonly mentions: readonly Mention[];
  readonly problems: readonly SourceProblem[];
  readonly files: readonly SourceFile[];
  readonly read: (file: SourceText) => Reading;
}

export async function readPinSources(context: Context, _output: Output, sources: readonly string[]): Promise<Sources> {
  const files = await Promise.all(
    sources.map(async (label): Promise<SourceFile> => {
      const path = await realpath(resolve(context.workingDirectory, label));
      const bytes = await readFile(path);
      return { label, path, bytes, text: bytes.toString("utf8") };
    }),
  );
  const read = (file: SourceText): Reading => readKubernetes(file);
  const readings = files.map(read);
  return {
    mentions: readings.flatMap(({ mentions }) => mentions),
    problems: readings.flatMap(({ problems }) => problems),
    files,
    read,
  };
}
