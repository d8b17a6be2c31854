import { CountersignError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { SourceNode } from "./source-node.ts";

/** Where a custom resource names images: in objects of one kind, at the end of a path through their members. */
export interface CustomPath {
  readonly kind: string;
  /** Any where there is none. */
  readonly group: string | undefined;
  readonly steps: readonly PathStep[];
}

/** A member by its name, or every item of a list. */
type PathStep = string | typeof EVERY_ITEM;

const EVERY_ITEM = Symbol("[*]");
const FORM = /^(?<kind>[A-Za-z][A-Za-z0-9]*)(?:\.(?<group>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?))?=(?<path>.+)$/;
const STEP = /\.(?<name>[A-Za-z0-9_$/-]+)|(?<every>\[\*\])/y;

/**
 * `Prometheus.monitoring.coreos.com=.spec.image`: kind, group (any without one), and a path of names and `[*]`, every item
 * of a list. It ends at a reference, or at a mapping that has `containers` as the specification of a pod has.
 *
 * @throws CountersignError `usage`.
 */
export function parseCustomPath(text: string): CustomPath {
  const { kind, group, path } = FORM.exec(text)?.groups ?? {};
  if (kind === undefined || path === undefined || text.length > LIMITS.imagePathCharacters) throw invalid(text);
  return { kind, group, steps: stepsOf(path, text) };
}

function stepsOf(path: string, text: string): readonly PathStep[] {
  const steps: PathStep[] = [];
  STEP.lastIndex = 0;
  while (STEP.lastIndex < path.length) {
    const step = STEP.exec(path);
    if (step === null) throw invalid(text);
    steps.push(step.groups?.["name"] ?? EVERY_ITEM);
  }
  return steps;
}

function invalid(text: string): CountersignError {
  return new CountersignError("usage", "this says no place of images in a kind of object", {
    found: text,
    wanted: "KIND[.GROUP]=.name.list[*].name, as in Prometheus.monitoring.coreos.com=.spec.image",
  });
}

/** What stands at the end of a path, and the mappings that it leads through, outermost first. */
export interface Found {
  readonly node: SourceNode;
  readonly through: readonly SourceNode[];
}

/** Everything at the end of a path; nothing where the object has no such members. */
export function valuesAt(object: SourceNode, steps: readonly PathStep[]): readonly Found[] {
  return steps.reduce<readonly Found[]>(
    (found, step) => found.flatMap((one) => taken(one, step)),
    [{ node: object, through: [] }],
  );
}

function taken({ node, through }: Found, step: PathStep): readonly Found[] {
  if (step === EVERY_ITEM) return node.items().map((item) => ({ node: item, through }));
  const next = node.get(step);
  return next === undefined ? [] : [{ node: next, through: [...through, node] }];
}

// --- resources that are well known ---------------------------------------------------------------------------------------------

const PROMETHEUS = "monitoring.coreos.com";
const TEKTON = "tekton.dev";
const ARGO = "argoproj.io";

const TEKTON_TASK = [".steps[*].image", ".sidecars[*].image", ".stepTemplate.image"];
const TEKTON_PIPELINE = [".tasks[*].taskSpec", ".finally[*].taskSpec"].flatMap((task) => below(task, TEKTON_TASK));
/** A template's pod: one container, a script, or a set of them, each with helpers; written in place by steps and tasks. */
const ARGO_POD = ["", ".containerSet"].flatMap((part) => [part, `${part}.container.image`, `${part}.script.image`]);
const ARGO_TEMPLATE = [...ARGO_POD, ".sidecars[*].image"];
const ARGO_TEMPLATES = [".templates[*]", ".templateDefaults"].flatMap((template) =>
  ["", ".steps[*][*].inline", ".dag.tasks[*].inline"].flatMap((inline) => below(`${template}${inline}`, ARGO_TEMPLATE)),
);

function below(path: string, paths: readonly string[]): readonly string[] {
  return paths.map((one) => `${path}${one}`);
}

/**
 * Custom resources that name images elsewhere than in the template of a pod: of the Prometheus operator (its API reference,
 * `monitoring.coreos.com/v1`), Tekton Pipelines (`tekton.dev/v1`) and Argo Workflows (its field reference).
 */
export const WELL_KNOWN_PATHS: readonly CustomPath[] = [
  ...known(PROMETHEUS, ["Prometheus", "PrometheusAgent", "Alertmanager", "ThanosRuler"], [".spec", ".spec.image"]),
  ...known(PROMETHEUS, ["Prometheus"], [".spec.thanos.image"]),
  ...known(TEKTON, ["Task", "ClusterTask"], below(".spec", TEKTON_TASK)),
  ...known(TEKTON, ["TaskRun"], below(".spec.taskSpec", TEKTON_TASK)),
  ...known(TEKTON, ["Pipeline"], below(".spec", TEKTON_PIPELINE)),
  ...known(TEKTON, ["PipelineRun"], below(".spec.pipelineSpec", TEKTON_PIPELINE)),
  ...known(TEKTON, ["StepAction"], [".spec.image"]),
  ...known(ARGO, ["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"], below(".spec", ARGO_TEMPLATES)),
  ...known(ARGO, ["CronWorkflow"], below(".spec.workflowSpec", ARGO_TEMPLATES)),
];

function known(group: string, kinds: readonly string[], paths: readonly string[]): readonly CustomPath[] {
  return kinds.flatMap((kind) => paths.map((path) => ({ kind, group, steps: stepsOf(path, path) })));
}
