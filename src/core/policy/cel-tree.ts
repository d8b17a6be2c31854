import { LIMITS } from "../limits.ts";
import type { Meter } from "./cel-meter.ts";
import { lengthOf, type Weights, weightOf } from "./cel-values.ts";

type Evaluate = (this: CelNode, evaluator: unknown, node: unknown, context: unknown) => unknown;

/** A node of a parsed expression, as far as the library's own walk over it looks. */
export interface CelNode {
  readonly op: string;
  readonly args: unknown;
  readonly start: number;
  readonly end: number;
  /** What a macro such as `all` was expanded to. */
  readonly meta: Readonly<Record<string, unknown>>;
  evaluate: Evaluate;
}

/** How much of a node's value its parent reads: the first level of it for a loop, all of it for a comparison. */
interface Use {
  isLooped: boolean;
  isRead: boolean;
}

/** These look at all of both operands. */
const READING: ReadonlySet<string> = new Set(["==", "!=", "in", "+"]);

/** Every node of an expression once, with what a macro made of it. @throws RangeError nested too deeply. */
export function collectNodes(root: CelNode): ReadonlyMap<CelNode, Use> {
  const uses = new Map<CelNode, Use>();
  collect(root, 0, uses);
  for (const node of uses.keys()) {
    if (READING.has(node.op)) for (const operand of nodesIn(node.args)) use(operand, uses).isRead = true;
    for (const looped of nodesIn(iterable(node))) use(looped, uses).isLooped = true;
  }
  return uses;
}

function collect(value: unknown, depth: number, uses: Map<CelNode, Use>): void {
  if (typeof value !== "object" || value === null) return;
  if (depth > NESTED) throw new RangeError("nested too deeply");
  if (isNode(value)) {
    if (uses.has(value)) return;
    use(value, uses);
    const parts = value.op === "value" ? [] : [value.args, value.meta["alternate"], value.meta["macro"]];
    for (const part of parts) collect(part, depth + 1, uses);
  } else if (Array.isArray(value) || Object.getPrototypeOf(value) === Object.prototype) {
    for (const part of Object.values(value)) collect(part, depth + 1, uses);
  }
}

function use(node: CelNode, uses: Map<CelNode, Use>): Use {
  const known = uses.get(node) ?? { isLooped: false, isRead: false };
  uses.set(node, known);
  return known;
}

/** A macro puts a few levels of its own, lists and objects, between an expression and the one in it. */
const NESTED = 8 * LIMITS.conditionDepth;

export function isNode(value: unknown): value is CelNode {
  if (typeof value !== "object" || value === null) return false;
  return "op" in value && "args" in value && "meta" in value && "evaluate" in value;
}

function nodesIn(value: unknown): readonly CelNode[] {
  const items: readonly unknown[] = Array.isArray(value) ? value : [value];
  return items.filter(isNode);
}

function iterable({ op, args }: CelNode): unknown {
  const isLoop = op === "comprehension" && typeof args === "object" && args !== null;
  return isLoop && "iterable" in args ? args.iterable : undefined;
}

/**
 * Counts every evaluation of every node, and what of its value is read by what stands around it. A node is evaluated by
 * calling its `evaluate`, which on the first call puts another function in its own place: the setter keeps that one.
 */
export function meterNodes(nodes: ReadonlyMap<CelNode, Use>, meter: Meter, weights: Weights): void {
  for (const [node, use] of nodes) {
    let evaluate = node.evaluate;
    const counted: Evaluate = (evaluator, self, context) => {
      meter.spend(1);
      try {
        const value = evaluate.call(node, evaluator, self, context);
        meter.spend(costOf(value, use, weights));
        return value;
      } catch (error) {
        meter.spend(STEPS_AN_ERROR);
        throw error;
      }
    };
    Object.defineProperty(node, "evaluate", {
      get: () => counted,
      set: (next: Evaluate) => {
        evaluate = next;
      },
    });
  }
}

/** What an error costs on its way up through a node: making one takes far longer than a step. */
const STEPS_AN_ERROR = 10;

/** Every operation on a text may read all of it; a list or map is handed on as it is. */
function costOf(value: unknown, { isLooped, isRead }: Use, weights: Weights): number {
  if (isRead || typeof value === "string") return weightOf(value, weights);
  return isLooped ? lengthOf(value) : 0;
}
