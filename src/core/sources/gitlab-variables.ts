import { LIMITS } from "../limits.ts";
import { Composed, ComposedTooLong, type Use } from "./composed.ts";
import { nameAt, VariableProblem } from "./variables.ts";
import { composedOf } from "./yaml-images.ts";
import type { SourceNode } from "./yaml-text.ts";

/** GitLab CI/CD variables reference, "Predefined CI/CD variables": they have their values in a pipeline only. */
const PREDEFINED = /^(?:CI|GITLAB|CHAT|TRIGGER)_|^(?:CI|KUBECONFIG)$/;

/** Where the values of a job's variables stand in the file; several where rules or a matrix choose one. */
export type Definitions = (name: string) => readonly SourceNode[];

/** One way in which a text can be read, and the definitions that had a part in it. */
export interface Expansion {
  readonly text: Composed;
  readonly definitions: ReadonlyMap<Use, SourceNode>;
}

/**
 * A text with the variables of a job put in (`$NAME`, `${NAME}`), in every way that the file knows. What is set elsewhere,
 * in a project, by GitLab or by who starts a pipeline, cannot be known.
 *
 * @throws VariableProblem, ComposedTooLong.
 */
export function expandGitlab(text: Composed, definitions: Definitions): readonly Expansion[] {
  const choosers = choosersIn(text, definitions);
  const count = choosers.reduce((product, { nodes }) => Math.min(product * nodes.length, Number.MAX_SAFE_INTEGER), 1);
  if (count > LIMITS.imageAlternatives) {
    throw new VariableProblem(0, "its variables have more values together than are read", "fewer combinations");
  }
  return [...Array(count).keys()].map((at) => new Expander(chosenBy(choosers, at, definitions)).expand(text));
}

interface Chooser {
  readonly name: string;
  readonly nodes: readonly SourceNode[];
}

/** The variables with several values that a text uses, also through others. */
function choosersIn(text: Composed, definitions: Definitions): readonly Chooser[] {
  const seen = new Set<string>();
  const left = [...namesIn(text.text)];
  const found: Chooser[] = [];
  for (let name = left.pop(); name !== undefined; name = left.pop()) {
    if (seen.has(name)) continue;
    if (seen.size >= LIMITS.variableUses) throw new ComposedTooLong();
    seen.add(name);
    const nodes = definitions(name);
    if (nodes.length > 1) found.push({ name, nodes });
    left.push(...nodes.flatMap((node) => namesIn(node.text() ?? "")));
  }
  return found.toReversed();
}

function namesIn(text: string): readonly string[] {
  return [...text.matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)/g)].map(([, name = ""]) => name);
}

/** The combination with a number: one value for every variable. */
function chosenBy(choosers: readonly Chooser[], number: number, definitions: Definitions): Choice {
  let rest = number;
  const chosen = new Map<string, SourceNode>();
  for (const { name, nodes } of choosers) {
    const node = nodes[rest % nodes.length];
    rest = Math.floor(rest / nodes.length);
    if (node !== undefined) chosen.set(name, node);
  }
  return (name) => chosen.get(name) ?? definitions(name)[0];
}

type Choice = (name: string) => SourceNode | undefined;

class Expander {
  readonly #choice: Choice;
  readonly #definitions = new Map<Use, SourceNode>();

  constructor(choice: Choice) {
    this.#choice = choice;
  }

  expand(text: Composed): Expansion {
    return { text: this.#read(text, 0), definitions: this.#definitions };
  }

  #read(source: Composed, depth: number): Composed {
    const { text } = source;
    const parts: Composed[] = [];
    for (let at = 0; at < text.length; ) {
      const dollar = text.indexOf("$", at);
      parts.push(source.slice(at, dollar === -1 ? text.length : dollar));
      if (dollar === -1) break;
      const [value, next] = this.#dollar(source, dollar, depth);
      parts.push(value);
      at = next;
    }
    return Composed.join(parts);
  }

  #dollar(source: Composed, at: number, depth: number): readonly [Composed, number] {
    const { text } = source;
    const isBraced = text.charAt(at + 1) === "{";
    const begin = isBraced ? at + 2 : at + 1;
    const name = nameAt(text, begin);
    const end = begin + name.length;
    if (name !== "" && (!isBraced || text.charAt(end) === "}")) {
      return [this.#valueOf(name, at, depth), isBraced ? end + 1 : end];
    }
    if (text.charAt(at + 1) === "$") return [source.slice(at, at + 1), at + 2];
    if (text.charAt(at + 1) === "[") {
      throw new VariableProblem(at, "an input is given by whoever includes the file", "a name, a tag and a digest");
    }
    throw new VariableProblem(at, "GitLab knows no such form of a variable", "$NAME or $" + "{NAME}");
  }

  #valueOf(variable: string, at: number, depth: number): Composed {
    const node = this.#choice(variable);
    const value = node && composedOf(node.kind === "map" ? (node.get("value") ?? node) : node);
    if (node === undefined || value === undefined) throw unknown(variable, at);
    if (depth >= LIMITS.variableDepth) {
      throw new VariableProblem(at, `the value of ${variable} leads back to itself`, "values that end");
    }
    const use = { variable };
    this.#definitions.set(use, node);
    return this.#read(value, depth + 1).usedBy(use);
  }
}

function unknown(name: string, at: number): VariableProblem {
  const wanted = "a value under variables: in this file";
  return PREDEFINED.test(name)
    ? new VariableProblem(at, `${name} is set by GitLab when a pipeline runs`, wanted)
    : new VariableProblem(at, `the variable ${name} has no value in this file`, wanted);
}
