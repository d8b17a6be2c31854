import type { AuditPlan } from "../core/audit/audit.ts";
import { makePlan } from "../core/audit/plan.ts";
import { parsePlan } from "../core/audit/plan-file.ts";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { readNamedFile } from "./named-file.ts";
import { type RawOptions, type RegistryOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { readSourceOptions, type SourceOptions } from "./source-options.ts";
import { type Catalogs, readSources } from "./sources.ts";

/** Where an audit looks for images. */
export interface SourceWish {
  readonly sources: readonly string[];
  /** A plan's file, in place of sources. */
  readonly plan?: string | undefined;
  readonly raw: RawOptions;
}

export interface Planned {
  readonly plan: AuditPlan;
  /** What sources were read by that are no files: whoever goes on uses it, and closes it. */
  readonly wiring: Wiring | undefined;
}

/**
 * What is audited: what a plan lists, or what sources name.
 *
 * @throws CountersignError `usage` where that is nothing; `record-invalid` for a file that is no plan.
 */
export async function readPlan(context: Context, output: Output, wish: SourceWish): Promise<Planned> {
  const { sources, plan: file, raw } = wish;
  if (file !== undefined) return { plan: requireImages(await readPlanFile(context, file)), wiring: undefined };
  const options = readSourceOptions(raw);
  const registry = readRegistryOptions(raw);
  refuseTwoReaders(registry, sources);
  const catalogs = sources.filter((source) => /^(?:registry|cluster):\/\//.test(source));
  const wiring = catalogs.length === 0 ? undefined : await openCatalogs(context, output, registry, catalogs);
  try {
    const reading = await readSources(context, sources, options, wiring && catalogsOf(wiring, options));
    return { plan: requireImages(makePlan(sources, reading, context.referenceTime)), wiring };
  } catch (thrown) {
    await wiring?.close();
    throw thrown;
  }
}

async function readPlanFile(context: Context, file: string): Promise<AuditPlan> {
  const wish = { flag: "--plan", holds: "what countersign audit plan wrote", maxBytes: LIMITS.auditBytes };
  return parsePlan(await readNamedFile(context, file, wish), file);
}

/** Nothing that was looked at is no success. @throws CountersignError `usage`. */
function requireImages(plan: AuditPlan): AuditPlan {
  const { items, problems, sources } = plan;
  if (items.length > 0 || problems.length > 0) return plan;
  throw new CountersignError("usage", "no image is named there", { found: sources.join(", ") });
}

function refuseTwoReaders({ passwordFromStdin }: RegistryOptions, sources: readonly string[]): void {
  if (!passwordFromStdin || !sources.includes("-")) return;
  throw new CountersignError("usage", "standard input can be read once", {
    found: "--registry-password-stdin, and - as a source",
    wanted: "one of them; the password may be in COUNTERSIGN_REGISTRY_PASSWORD",
  });
}

// --- registries and clusters ------------------------------------------------------------------------------------------

/** Login flags are for the registry that is listed, where one is. */
async function openCatalogs(
  context: Context,
  output: Output,
  registry: RegistryOptions,
  catalogs: readonly string[],
): Promise<Wiring> {
  const { parseRegistrySource } = await import("../io/registry/catalog.ts");
  const registries = catalogs.filter((source) => source.startsWith("registry://")).map(parseRegistrySource);
  return await openWiring(
    context,
    output,
    registry,
    registries.map((place) => `${place.registry}/any`),
  );
}

function catalogsOf(wiring: Wiring, { namespaces: named, customPaths, ownerLabels }: SourceOptions): Catalogs {
  const namespaces = named.length === 0 ? undefined : named;
  return {
    listRegistry: (source) => wiring.listRegistry(source),
    readCluster: (source) => wiring.readCluster(source, { namespaces, customPaths, ownerLabels }),
  };
}
