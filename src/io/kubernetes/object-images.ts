import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { Mention, Reading, Workload } from "../../core/sources/mention.ts";

/** Stand-in until core/sources/kubernetes.ts has imagesOfObject. */
export function imagesOfObject(object: JsonObject, options: { readonly label: string }): Reading {
  const meta = member(object, "metadata");
  const name = meta["name"];
  const namespace = meta["namespace"];
  const workload: Workload = {
    kind: String(object["kind"]),
    name: typeof name === "string" ? name : "",
    ...(typeof namespace === "string" ? { namespace } : {}),
  };
  const spec = podSpec(object);
  const mentions: Mention[] = [];
  for (const list of ["containers", "initContainers", "ephemeralContainers"]) {
    const containers = spec[list];
    for (const container of Array.isArray(containers) ? containers : []) {
      if (!isObject(container)) continue;
      const { image } = container;
      if (typeof image !== "string") continue;
      mentions.push({
        image,
        kind: "cluster",
        place: { source: options.label },
        workload: { ...workload, container: String(container["name"]) },
      });
    }
  }
  return { mentions, problems: [] };
}

function podSpec(object: JsonObject): JsonObject {
  const spec = member(object, "spec");
  if (object["kind"] === "Pod") return spec;
  if (object["kind"] === "PodTemplate") return member(member(object, "template"), "spec");
  if (object["kind"] === "CronJob")
    return member(member(member(member(spec, "jobTemplate"), "spec"), "template"), "spec");
  return member(member(spec, "template"), "spec");
}

function member(value: JsonValue | undefined, name: string): JsonObject {
  const found = isObject(value) ? value[name] : undefined;
  return isObject(found) ? found : {};
}
