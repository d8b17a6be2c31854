import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";
import { type ClusterApi, messageOf } from "./api.ts";

/** A kind of object, and where the API lists it. */
export interface Resource {
  /** `apps`; empty for the core group. */
  readonly group: string;
  readonly version: string;
  /** `deployments`. */
  readonly plural: string;
  readonly kind: string;
  /** Lists of it have no namespace. */
  readonly isClusterWide?: boolean | undefined;
}

/** `deployments.apps`, as kubectl and roles name it. */
export function resourceName({ plural, group }: Resource): string {
  return group === "" ? plural : `${plural}.${group}`;
}

/**
 * All objects of a kind, page by page ("Retrieving large results sets in chunks"). A cluster that has forgotten the next
 * page (410) is asked for the list from its beginning again: objects may come twice, and none is lost.
 *
 * @param namespace Objects of all where it is left out.
 * @returns nothing at all where the cluster does not know the kind.
 * @throws CountersignError `denied` with the verb and the kind that are lacking, and what a request may end in.
 */
export async function* objectsOf(
  api: ClusterApi,
  resource: Resource,
  namespace?: string,
): AsyncGenerator<readonly JsonObject[], void, undefined> {
  const list = new List(api, resource, namespace);
  for (let count = 0; count < LIMITS.clusterPages; count++) {
    const page = await list.next();
    if (page === undefined) return;
    yield page;
    if (list.isAtEnd) return;
  }
  throw list.tooLong(`more than ${LIMITS.clusterPages} pages`);
}

class List {
  isAtEnd = false;
  readonly #api: ClusterApi;
  readonly #resource: Resource;
  readonly #namespace: string | undefined;
  readonly #what: string;
  #continue: string | undefined;
  #size: number = LIMITS.clusterPage;
  #restarts = 0;

  constructor(api: ClusterApi, resource: Resource, namespace: string | undefined) {
    this.#api = api;
    this.#resource = resource;
    this.#namespace = namespace;
    this.#what = `the list of ${resourceName(resource)}`;
  }

  /** undefined where there is no such kind. */
  async next(): Promise<readonly JsonObject[] | undefined> {
    for (;;) {
      const answer = await this.#page();
      if (answer === undefined) continue;
      const { status, json } = answer;
      if (status === 404) return this.#missing(json);
      if (status === 403) throw this.#forbidden(json);
      if (status !== 410) return this.#objects(json);
      this.#restart(json);
    }
  }

  /** undefined for a page that was too large: fewer objects are asked for next. */
  async #page(): Promise<{ readonly status: number; readonly json: JsonObject } | undefined> {
    try {
      return await this.#api.get(this.#path(), this.#what, [403, 404, 410]);
    } catch (thrown) {
      const isTooLarge = thrown instanceof CountersignError && thrown.code === "limit-reached" && this.#size > 1;
      if (!isTooLarge) throw thrown;
      this.#size = Math.ceil(this.#size / 8);
      return undefined;
    }
  }

  #path(): string {
    const { group, version, plural } = this.#resource;
    const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
    const within = this.#namespace === undefined ? "" : `/namespaces/${encodeURIComponent(this.#namespace)}`;
    const query = new URLSearchParams({ limit: String(this.#size) });
    if (this.#continue !== undefined) query.set("continue", this.#continue);
    return `${base}${within}/${plural}?${query}`;
  }

  /** Groups come and go with versions and add-ons; the core is there, or this is no cluster. */
  #missing(json: JsonObject): undefined {
    if (this.#resource.group !== "") return undefined;
    throw new CountersignError("not-found", `${this.#api.target.name} has no ${this.#what}`, {
      found: `404 (${messageOf(json) ?? "no reason"})`,
      next: "check the cluster's address: its path may be wrong",
    });
  }

  #restart(json: JsonObject): void {
    this.#restarts += 1;
    this.#continue = undefined;
    if (this.#restarts <= LIMITS.clusterRestarts) return;
    throw this.tooLong(`410 (${messageOf(json) ?? "expired"}) each time, before its end was reached`);
  }

  #objects(json: JsonObject): readonly JsonObject[] {
    const items = json["items"] ?? [];
    const { metadata } = json;
    if (!Array.isArray(items)) throw this.#unreadable("items that are no list");
    const next = isObject(metadata) ? metadata["continue"] : undefined;
    const isMore = typeof next === "string" && next !== "";
    if (isMore && next === this.#continue) throw this.#unreadable("a next page that is the one before");
    this.#continue = isMore ? next : undefined;
    this.isAtEnd = !isMore;
    const { group, version, kind } = this.#resource;
    const apiVersion = group === "" ? version : `${group}/${version}`;
    // Items of a list leave out what they all are.
    return items.filter(isObject).map((item) => ({ ...item, metadata: slim(item["metadata"]), apiVersion, kind }));
  }

  #forbidden(json: JsonObject): CountersignError {
    const where = this.#namespace === undefined ? "in all namespaces" : `in the namespace ${this.#namespace}`;
    const name = resourceName(this.#resource);
    return new CountersignError("denied", `you may not list ${name} ${where} of ${this.#api.target.name}`, {
      found: `403 (${messageOf(json) ?? "no reason"})`,
      wanted: `the verb list on ${name} ${where}`,
      next: "ask for a role that allows it (ClusterRole view does), or name the namespaces that you may read",
    });
  }

  #unreadable(found: string): CountersignError {
    return new CountersignError("protocol-error", `${this.#what} of ${this.#api.target.name} cannot be read`, {
      found,
    });
  }

  tooLong(found: string): CountersignError {
    return new CountersignError("limit-reached", `${this.#what} of ${this.#api.target.name} comes to no end`, {
      found,
      next: "try again when the cluster has less to do, or name namespaces one by one",
    });
  }
}

/** Without the record of who set which field, which is as long as all the rest. */
function slim(metadata: JsonValue | undefined): JsonValue {
  if (!isObject(metadata)) return {};
  const { managedFields: _, ...rest } = metadata;
  return rest;
}
