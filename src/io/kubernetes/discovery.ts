import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import type { CustomPath } from "../../core/sources/custom-paths.ts";
import { type ClusterApi, messageOf } from "./api.ts";
import type { Resource } from "./lists.ts";
import { memberOf } from "./owners.ts";

type Kind = Pick<CustomPath, "kind" | "group">;

/**
 * The custom resources of a cluster that are of one of these kinds, each in the version that the cluster prefers. Kinds
 * that it does not know are left out: there is nothing of them.
 *
 * @throws CountersignError `denied`, and what a request may end in.
 */
export async function customResources(api: ClusterApi, kinds: readonly Kind[]): Promise<readonly Resource[]> {
  if (kinds.length === 0) return [];
  const groups = objectsIn((await ask(api, "/apis", "the list of API groups"))["groups"]);
  const found: Resource[] = [];
  for (const each of groups) {
    const [group, version] = [each["name"], memberOf(each["preferredVersion"], "version")];
    if (typeof group !== "string" || typeof version !== "string") continue;
    const wanted = kinds.filter((kind) => kind.group === undefined || kind.group === group);
    if (wanted.length > 0) found.push(...(await resourcesOf(api, group, version, wanted)));
  }
  return found;
}

async function resourcesOf(
  api: ClusterApi,
  group: string,
  version: string,
  wanted: readonly Kind[],
): Promise<readonly Resource[]> {
  const path = `/apis/${encodeURIComponent(group)}/${encodeURIComponent(version)}`;
  const json = await ask(api, path, `the list of kinds of ${group}`);
  return objectsIn(json["resources"]).flatMap(({ name, kind, namespaced, verbs }) => {
    const isWanted = wanted.some((each) => each.kind === kind);
    // A name with a slash is a part of an object: `pods/status`.
    const isListed = Array.isArray(verbs) && verbs.includes("list") && typeof name === "string" && !name.includes("/");
    if (!isWanted || !isListed || typeof kind !== "string") return [];
    return [{ group, version, plural: name, kind, isClusterWide: namespaced === false }];
  });
}

async function ask(api: ClusterApi, path: string, what: string): Promise<JsonObject> {
  const { status, json } = await api.get(path, what, [403, 404, 503]);
  if (status === 200) return json;
  // The group is gone since it was listed, or served by an add-on that is down: the second may hide objects.
  if (status === 404) return {};
  throw new CountersignError(status === 403 ? "denied" : "server-error", `${api.target.name} does not give ${what}`, {
    found: `${status} (${messageOf(json) ?? "no reason"})`,
  });
}

function objectsIn(value: JsonValue | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
