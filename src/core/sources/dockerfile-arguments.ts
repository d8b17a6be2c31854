import { Composed, ComposedTooLong, type Use } from "./composed.ts";
import { type Escaper, expandWord, type Lookup } from "./dockerfile-words.ts";
import { VariableProblem } from "./variables.ts";

/** Set by whoever builds, for the platform that is built for (Dockerfile reference, "Automatic platform ARGs"). */
const AUTOMATIC = /^(?:TARGET|BUILD)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)$|^TARGETSTAGE$/;

/** What a text says depends on where it is built. */
export class SetByBuilder extends VariableProblem {
  constructor(at: number, name: string) {
    super(at, `${name} is set by the builder`, "a value that stands in the file");
  }
}

/** One `ARG NAME[=default]` before the first FROM. */
interface Definition {
  readonly value: Composed | undefined;
  /** Why it has no value that could be told. */
  readonly failure: VariableProblem | ComposedTooLong | undefined;
  /** What it was used for. */
  readonly images: Set<string>;
  isUsedElsewhere: boolean;
}

/** The build arguments that FROM can use, with their defaults, and what each of them serves for. */
export class BuildArguments {
  readonly #escaper: Escaper;
  readonly #definitions = new Map<string, Definition>();
  readonly #uses = new Map<Use, Definition>();

  constructor(escaper: Escaper) {
    this.#escaper = escaper;
  }

  /**
   * Reads `NAME[=default] …`. In a stage, a name alone asks for the value that was given before the first FROM.
   *
   * @returns Whether a name is missing.
   */
  define(text: Composed, isInStage: boolean): boolean {
    let isNameless = text.text === "";
    for (const word of quotedWords(text, this.#escaper)) {
      const equals = word.text.indexOf("=");
      const name = equals === -1 ? word.text : word.text.slice(0, equals);
      if (name === "") isNameless = true;
      else if (isInStage) this.#inherit(name, equals === -1);
      else this.#definitions.set(name, this.#defined(equals === -1 ? undefined : word.slice(equals + 1)));
    }
    return isNameless;
  }

  /** @throws VariableProblem, SetByBuilder among them; ComposedTooLong. */
  expand(word: Composed): Composed {
    return expandWord(word, this.#escaper, this.#lookup);
  }

  /** Whether a name that the builder completes can be one of these stages; a name in a registry never is. */
  chooses(word: Composed, stages: ReadonlySet<string>): boolean {
    const lookup: Lookup = (name, at) => {
      try {
        return this.#lookup(name, at);
      } catch (thrown) {
        if (thrown instanceof SetByBuilder) return Composed.foreign(ANYTHING);
        throw thrown;
      }
    };
    const { text } = expandWord(word, this.#escaper, lookup);
    if (/[/:@]/.test(text)) return false;
    const parts = text.split(ANYTHING);
    return [...stages].some((stage) => hasParts(stage, parts));
  }

  usedFor(image: Composed): void {
    for (const definition of this.#definitionsOf(image)) definition.images.add(image.text);
  }

  usedElsewhere(text: Composed): void {
    for (const definition of this.#definitionsOf(text)) definition.isUsedElsewhere = true;
  }

  /** An argument whose value cannot be another for this image alone. */
  sharedIn(image: Composed): string | undefined {
    return image.uses.find((use) => {
      const definition = this.#uses.get(use);
      return definition !== undefined && (definition.isUsedElsewhere || definition.images.size > 1);
    })?.variable;
  }

  #defined(word: Composed | undefined): Definition {
    const definition = { images: new Set<string>(), isUsedElsewhere: false };
    try {
      return { ...definition, value: word && this.expand(word), failure: undefined };
    } catch (thrown) {
      if (!(thrown instanceof VariableProblem || thrown instanceof ComposedTooLong)) throw thrown;
      return { ...definition, value: undefined, failure: thrown };
    }
  }

  #inherit(name: string, isAlone: boolean): void {
    const definition = this.#definitions.get(name);
    if (!isAlone || definition === undefined) return;
    definition.isUsedElsewhere = true;
    if (definition.value !== undefined) this.usedElsewhere(definition.value);
  }

  #definitionsOf(text: Composed): readonly Definition[] {
    return text.uses.flatMap((use) => this.#uses.get(use) ?? []);
  }

  readonly #lookup: Lookup = (name, at) => {
    const definition = this.#definitions.get(name);
    if (definition?.failure !== undefined) throw definition.failure;
    if (definition?.value === undefined) {
      if (AUTOMATIC.test(name)) throw new SetByBuilder(at, name);
      return undefined;
    }
    const use = { variable: name };
    this.#uses.set(use, definition);
    return definition.value.usedBy(use);
  };
}

/** In no name of a stage. */
const ANYTHING = "\0";

function hasParts(name: string, [first = "", ...others]: readonly string[]): boolean {
  if (!name.startsWith(first)) return false;
  let at = first.length;
  for (const [index, part] of others.entries()) {
    const found = index === others.length - 1 ? name.length - part.length : name.indexOf(part, at);
    if (found < at || !name.startsWith(part, found)) return false;
    at = found + part.length;
  }
  return at === name.length;
}

/** Words with their quotes and escapes, cut at white space that is neither quoted nor escaped. */
function quotedWords(text: Composed, escaper: Escaper): readonly Composed[] {
  const words: Composed[] = [];
  const characters = text.text;
  let begun = -1;
  let quote = "";
  for (let at = 0; at <= characters.length; at += 1) {
    const character = characters.charAt(at);
    if (quote === "" && (character === "" || /\s/.test(character))) {
      if (begun !== -1) words.push(text.slice(begun, at));
      begun = -1;
      continue;
    }
    if (begun === -1) begun = at;
    if (character === escaper && quote !== "'") at += 1;
    else if (character === quote) quote = "";
    else if (quote === "" && (character === "'" || character === '"')) quote = character;
  }
  return begun === -1 ? words : [...words, text.slice(begun)];
}
