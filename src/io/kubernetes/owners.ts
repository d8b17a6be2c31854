import { CountersignError } from "../../core/errors.ts";
import { isObject, type JsonObject, type JsonValue } from "../../core/json.ts";
import { LIMITS } from "../../core/limits.ts";

/** Who made an object and answers for it: its controller among its owners ("Owners and Dependents"). */
export interface Owner {
  readonly uid: string;
  /** `apps`; empty for the core group. */
  readonly group: string;
  readonly kind: string;
  readonly name: string;
}

export function ownerOf(object: JsonObject): Owner | undefined {
  const references = memberOf(object["metadata"], "ownerReferences");
  const controller = Array.isArray(references)
    ? references.find((one) => memberOf(one, "controller") === true)
    : undefined;
  const [uid, kind, name] = ["uid", "kind", "name"].map((each) => memberOf(controller, each));
  const apiVersion = memberOf(controller, "apiVersion");
  if (typeof uid !== "string" || typeof kind !== "string" || typeof name !== "string") return undefined;
  const group = typeof apiVersion === "string" && apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
  return { uid, group, kind, name };
}

/** More steps than anything takes; owners that own each other are an error of whoever wrote them. */
const STEPS = 8;

/** Who stands between a pod and what somebody asked for: remembered of ReplicaSets and Jobs, and of nothing else. */
export class Owners {
  readonly #byUid = new Map<string, Owner>();

  /** @throws CountersignError `limit-reached`. */
  remember(object: JsonObject, owner: Owner): void {
    const uid = memberOf(object["metadata"], "uid");
    if (typeof uid !== "string") return;
    if (this.#byUid.size >= LIMITS.clusterOwners) {
      throw new CountersignError(
        "limit-reached",
        "the cluster has more ReplicaSets and Jobs than will be kept in mind",
        {
          wanted: `at most ${LIMITS.clusterOwners}`,
        },
      );
    }
    this.#byUid.set(uid, owner);
  }

  /** Whoever is at the beginning of the chain. */
  first(owner: Owner): Owner {
    let at = owner;
    for (let step = 0; step < STEPS; step++) {
      const above = this.#byUid.get(at.uid);
      if (above === undefined) return at;
      at = above;
    }
    return at;
  }
}

/** A member of an object, and undefined of anything else. */
export function memberOf(value: JsonValue | undefined, name: string): JsonValue | undefined {
  return isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined;
}
