import type { Finding } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Composed, ComposedTooLong } from "./composed.ts";
import { BuildArguments, SetByBuilder } from "./dockerfile-arguments.ts";
import { fieldsOf, flagParts } from "./dockerfile-flags.ts";
import { type Instruction, readDockerfileLines, triggerOf, wordsOf } from "./dockerfile-lines.ts";
import type { Escaper } from "./dockerfile-words.ts";
import type { Mention, Reading, SourceText, Workload } from "./mention.ts";
import { type PlaceOf, placesIn } from "./places.ts";
import { invalid, problemAt, readReferenceText } from "./slot.ts";
import { VariableProblem } from "./variables.ts";

/**
 * The images that a Dockerfile or Containerfile is built from: `FROM`, `COPY --from`, `RUN --mount=…,from=`, the syntax
 * that it asks for. Stages are no images, `scratch` is none either. Build arguments have their defaults.
 */
export function readDockerfile(file: SourceText): Reading {
  const places = placesIn(file);
  if (file.text.length > LIMITS.dockerfileCharacters) {
    const about = { found: `${file.text.length} characters`, wanted: `at most ${LIMITS.dockerfileCharacters}` };
    return { mentions: [], problems: [problemAt(places(0), "a Dockerfile is too long to read", about)] };
  }
  const source = Composed.verbatim(file.text, 0);
  return readDockerfileText(source, places, (stage, step) => ({ kind: "stage", name: stage, container: step }));
}

/** @param workloadOf What a stage is called, and the step in it. */
export function readDockerfileText(
  source: Composed,
  placeOf: PlaceOf,
  workloadOf: (stage: string, step: string) => Workload,
): Reading {
  const reader = new DockerfileReader(source, placeOf, workloadOf);
  return reader.read();
}

/** What names an image, before it is known which build arguments serve others too. */
interface Named {
  readonly image: Composed;
  /** Where it is named. */
  readonly at: number;
  readonly stage: string;
  readonly step: string;
  readonly platform?: string | undefined;
}

/** The engine's name for no image at all. */
const SCRATCH = "scratch";
const STAGE_NAME = /^[a-z][a-z0-9-_.]*$/;
const OTHERS: ReadonlySet<string> = new Set(
  "add cmd entrypoint env expose healthcheck label maintainer shell stopsignal user volume workdir".split(" "),
);

class DockerfileReader {
  readonly #placeOf: PlaceOf;
  readonly #workloadOf: (stage: string, step: string) => Workload;
  readonly #arguments: BuildArguments;
  readonly #escaper: Escaper;
  readonly #instructions: readonly Instruction[];
  readonly #syntax: Composed | undefined;
  readonly #problems: { readonly at: number; readonly finding: Finding }[];
  readonly #named: Named[] = [];
  /** Names that images are built under here, in lower case; and how many stages there are by now. */
  readonly #stages = new Set<string>();
  /** The same for the whole file: what is copied may come from a stage further down. */
  readonly #allStages: ReadonlySet<string>;
  #stage = "";
  #stageCount = 0;

  constructor(source: Composed, placeOf: PlaceOf, workloadOf: (stage: string, step: string) => Workload) {
    const { escaper, syntax, instructions, problems } = readDockerfileLines(source);
    this.#placeOf = placeOf;
    this.#workloadOf = workloadOf;
    this.#escaper = escaper;
    this.#arguments = new BuildArguments(escaper);
    this.#instructions = instructions;
    this.#syntax = syntax;
    this.#problems = problems.map(({ at, message, found, wanted }) => ({
      at,
      finding: invalid(message, { found, wanted }),
    }));
    const names = instructions.filter(({ keyword }) => keyword === "from").map(({ rest }) => wordsOf(rest)[2]?.text);
    this.#allStages = new Set(names.flatMap((name) => (name === undefined ? [] : [name.toLowerCase()])));
  }

  read(): Reading {
    const syntax = this.#syntax;
    if (syntax !== undefined) this.#name({ image: syntax, at: syntax.start ?? 0, stage: "", step: "syntax" });
    for (const instruction of this.#instructions) this.#readInstruction(instruction);
    this.#sayUnknown();
    if (!this.#instructions.some(({ keyword }) => keyword === "from")) {
      this.#problem(0, "no image is built by this file", "no FROM", "FROM image");
    }
    const mentions = this.#named.flatMap((named) => this.#mentionOf(named));
    const problems = this.#problems.toSorted((a, b) => a.at - b.at);
    return { mentions, problems: problems.map(({ at, finding }) => ({ place: this.#placeOf(at), finding })) };
  }

  #readInstruction(instruction: Instruction): void {
    const { keyword, rest, at } = instruction;
    if (keyword === "from") this.#readFrom(instruction);
    else if (keyword === "arg") this.#readArgument(instruction);
    else if (keyword === "onbuild") this.#readSources({ ...triggerOf(rest, this.#escaper), at }, true);
    else this.#readSources(instruction, false);
  }

  #readArgument({ rest, at }: Instruction): void {
    const nameless = this.#arguments.define(rest, this.#stageCount > 0);
    if (nameless) this.#problem(at, "an ARG has no name", rest.text, "ARG NAME=value, without white space around =");
  }

  #readFrom({ flags, rest, at }: Instruction): void {
    const [base, as, name, ...others] = wordsOf(rest);
    const isNamed = as?.text.toLowerCase() === "as" && name !== undefined;
    this.#stage = isNamed ? name.text.toLowerCase() : String(this.#stageCount);
    this.#stageCount += 1;
    if (base === undefined || (as !== undefined && !isNamed) || others.length > 0) {
      this.#problem(at, "FROM is not written as it has to be", rest.text, "FROM image, or FROM image AS name");
    } else this.#readBase(flags, base, at);
    if (!isNamed) return;
    if (!STAGE_NAME.test(this.#stage)) {
      this.#problem(
        at,
        "a stage has a name that it cannot have",
        name.text,
        "a letter, then letters, digits, '-', '_' and '.'",
      );
    }
    this.#stages.add(this.#stage);
  }

  #readBase(flags: readonly Composed[], base: Composed, at: number): void {
    const platform = this.#platformOf(flags, at);
    this.#guarded(at, base, () => {
      const image = this.#baseOf(base);
      if (image === undefined || image.text === SCRATCH || this.#stages.has(image.text)) return;
      this.#name({ image, at: base.start ?? at, stage: this.#stage, step: "FROM", platform });
    });
  }

  /** Undefined where the builder chooses one of the stages, by the platform that it builds for. */
  #baseOf(base: Composed): Composed | undefined {
    try {
      return this.#arguments.expand(base);
    } catch (thrown) {
      if (thrown instanceof SetByBuilder && this.#arguments.chooses(base, this.#stages)) return undefined;
      throw thrown;
    }
  }

  #platformOf(flags: readonly Composed[], at: number): string | undefined {
    const flag = flags.map(flagParts).find(({ name }) => name === "platform");
    if (flag === undefined) return undefined;
    try {
      const platform = this.#arguments.expand(flag.value);
      this.#arguments.usedElsewhere(platform);
      return platform.text;
    } catch (thrown) {
      // The platform of whoever builds: no one platform is asked for.
      if (thrown instanceof SetByBuilder) return undefined;
      this.#caught(thrown, at, flag.value);
      return undefined;
    }
  }

  /** What is copied or mounted out of other images. */
  #readSources({ keyword, flags, at }: Instruction, isTrigger: boolean): void {
    const prefix = isTrigger ? "ONBUILD " : "";
    for (const { name, value } of flags.map(flagParts)) {
      if (keyword === "copy" && name === "from") this.#readSource(value, at, `${prefix}COPY --from`, /^[+-]?[0-9]+$/);
      if (keyword !== "run" || name !== "mount") continue;
      for (const field of fieldsOf(value)) {
        if (field.key === "from") this.#readSource(field.value, at, `${prefix}RUN --mount`);
      }
    }
  }

  /** @param index A stage by its number, where that is possible. */
  #readSource(image: Composed, at: number, step: string, index?: RegExp): void {
    const { text } = image;
    if (text === "" || text === SCRATCH || index?.test(text) === true || this.#allStages.has(text.toLowerCase()))
      return;
    if (text.includes("$")) {
      const wanted = "a stage of its own: FROM with the variable, AS name";
      this.#problem(image.start ?? at, `variables have no value in ${step}`, text, wanted);
    } else this.#name({ image, at: image.start ?? at, stage: this.#stage, step });
  }

  #name(named: Named): void {
    this.#named.push(named);
    this.#arguments.usedFor(named.image);
  }

  #mentionOf({ image, at, stage, step, platform }: Named): readonly Mention[] {
    const shared = this.#arguments.sharedIn(image);
    const fixed = shared === undefined ? image.fixed : `the build argument ${shared} serves for something else as well`;
    const read = readReferenceText(image.text, shared === undefined ? image.locate : () => undefined, fixed);
    if ("finding" in read) {
      this.#problems.push({ at, finding: read.finding });
      return [];
    }
    const workload = this.#workloadOf(stage === "" ? "syntax" : stage, step);
    return [{ ...read, kind: "dockerfile", place: this.#placeOf(at), workload, platform }];
  }

  /** Nothing that BuildKit does not know is taken for an instruction of another builder. */
  #sayUnknown(): void {
    const known = (keyword: string): boolean => OTHERS.has(keyword) || /^(?:from|arg|onbuild|copy|run)$/.test(keyword);
    const [first, ...others] = this.#instructions.filter(({ keyword }) => !known(keyword));
    if (first === undefined) return;
    const more = others.length === 0 ? "" : ` (and ${others.length} more in this file)`;
    this.#problem(
      first.at,
      `a line begins with no instruction${more}`,
      first.keyword.toUpperCase(),
      "an instruction of a Dockerfile",
    );
  }

  #guarded(at: number, about: Composed, work: () => void): void {
    try {
      work();
    } catch (thrown) {
      this.#caught(thrown, at, about);
    }
  }

  #caught(thrown: unknown, at: number, about: Composed): void {
    if (thrown instanceof ComposedTooLong) {
      this.#problem(at, "a text is too long to be an image", about.text, "a reference");
    } else if (thrown instanceof VariableProblem) {
      this.#problem(
        about.start ?? at,
        `it cannot be told which image is meant: ${thrown.message}`,
        about.text,
        thrown.wanted,
      );
    } else throw thrown;
  }

  #problem(at: number, message: string, found: string, wanted: string): void {
    this.#problems.push({ at, finding: invalid(message, { found: found || "nothing", wanted }) });
  }
}
