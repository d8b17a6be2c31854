import { LIMITS } from "../limits.ts";
import type { Definitions } from "./gitlab-variables.ts";
import type { SourceNode } from "./yaml-text.ts";

/** A job with what it inherits (GitLab CI/CD YAML syntax reference, "extends", "default", "inherit"). */
export interface Job {
  readonly name: string;
  readonly image: SourceNode | undefined;
  readonly services: SourceNode | undefined;
  readonly definitions: Definitions;
}

/** Names at the top of a file that are no jobs. */
const RESERVED: ReadonlySet<string> = new Set(
  "after_script before_script cache default image include services spec stages types variables workflow".split(" "),
);

/** The jobs of one document. */
export class GitlabJobs {
  /** Those that run. */
  readonly running: readonly Job[];
  /** What others may take over: hidden jobs, and what `default` says. */
  readonly templates: readonly Job[];
  readonly #document: SourceNode;

  constructor(document: SourceNode) {
    this.#document = document;
    const jobs = document.entries().filter(({ name, value }) => !RESERVED.has(name) && value.kind === "map");
    const hidden = jobs.filter(({ name }) => name.startsWith("."));
    const running = jobs.filter(({ name }) => !name.startsWith("."));
    this.running = running.map(({ name, value }) => this.#job(name, value, true));
    this.templates = [
      {
        name: "default",
        image: this.#default("image"),
        services: this.#default("services"),
        definitions: this.#definitions([]),
      },
      ...hidden.map(({ name, value }) => this.#job(name, value, false)),
    ];
  }

  #job(name: string, node: SourceNode, inherits: boolean): Job {
    const chain = this.#chain(node);
    const own = (member: string): SourceNode | undefined =>
      chain.find((job) => job.get(member) !== undefined)?.get(member);
    // A job that triggers another pipeline runs in no image.
    const takesDefault = inherits && own("trigger") === undefined;
    const inherited = (member: string): SourceNode | undefined =>
      takesDefault && inheritsDefault(own("inherit"), member) ? this.#default(member) : undefined;
    return {
      name,
      image: own("image") ?? inherited("image"),
      services: own("services") ?? inherited("services"),
      definitions: this.#definitions(chain),
    };
  }

  #default(member: string): SourceNode | undefined {
    return this.#document.get("default")?.get(member) ?? this.#document.get(member);
  }

  /** A job and what it extends, each before what it goes before: of a list, the last one counts most. */
  #chain(node: SourceNode): readonly SourceNode[] {
    const chain = new Set<SourceNode>();
    const visit = (job: SourceNode, depth: number): void => {
      // GitLab itself follows eleven levels.
      if (depth > LIMITS.variableDepth || chain.size > LIMITS.imageAlternatives || chain.has(job)) return;
      chain.add(job);
      const bases = job.get("extends");
      const names = bases?.kind === "list" ? bases.items().map((base) => base.text()) : [bases?.text()];
      for (const name of names.toReversed()) {
        const base = name === undefined ? undefined : this.#document.get(name);
        if (base !== undefined) visit(base, depth + 1);
      }
    };
    visit(node, 0);
    return [...chain];
  }

  #definitions(chain: readonly SourceNode[]): Definitions {
    const matrices = chain.map((job) => job.get("parallel")?.get("matrix")).find((matrix) => matrix !== undefined);
    const own = chain.find((job) => job.get("rules") !== undefined)?.get("rules");
    const rules = [own, this.#document.get("workflow")?.get("rules")].flatMap((list) => list?.items() ?? []);
    const globals = this.#document.get("variables");
    return (name) => {
      const fromMatrix = (matrices?.items() ?? []).flatMap((entry) => valuesOf(entry.get(name)));
      if (fromMatrix.length > 0) return fromMatrix;
      const base = [...chain.map((job) => job.get("variables")), globals].find((all) => all?.get(name) !== undefined);
      const chosen = rules.flatMap((rule) => rule.get("variables")?.get(name) ?? []);
      return [base?.get(name) ?? [], chosen].flat();
    };
  }
}

function valuesOf(node: SourceNode | undefined): readonly SourceNode[] {
  if (node === undefined) return [];
  return node.kind === "list" ? node.items() : [node];
}

function inheritsDefault(inherit: SourceNode | undefined, member: string): boolean {
  const wanted = inherit?.get("default");
  if (wanted === undefined) return true;
  return wanted.kind === "list" ? wanted.items().some((item) => item.text() === member) : wanted.text() !== "false";
}
