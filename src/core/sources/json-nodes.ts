import { isObject, type JsonObject, type JsonValue } from "../json.ts";
import type { SourcePlace } from "./mention.ts";
import type { SourceEntry, SourceNode } from "./source-node.ts";

/** A JSON value that stands in no file: what a cluster answers. Everything in it has one place, and nothing a span. */
export function nodeOfJson(value: JsonValue, place: SourcePlace): SourceNode {
  return new JsonNode(value, place);
}

class JsonNode implements SourceNode {
  readonly start = 0;
  readonly end = 0;
  readonly tag = undefined;
  readonly isShared = false;
  readonly place: SourcePlace;
  readonly #value: JsonValue;

  constructor(value: JsonValue, place: SourcePlace) {
    this.#value = value;
    this.place = place;
  }

  get kind(): SourceNode["kind"] {
    if (typeof this.#value !== "object" || this.#value === null) return "scalar";
    return Array.isArray(this.#value) ? "list" : "map";
  }

  get(name: string): SourceNode | undefined {
    const members = this.#members();
    const value = Object.hasOwn(members, name) ? members[name] : undefined;
    return value === undefined ? undefined : new JsonNode(value, this.place);
  }

  entries(): readonly SourceEntry[] {
    return Object.entries(this.#members()).map(([name, value]) => ({
      name,
      at: 0,
      colon: undefined,
      end: 0,
      value: new JsonNode(value, this.place),
    }));
  }

  #members(): JsonObject {
    return isObject(this.#value) ? this.#value : {};
  }

  items(): readonly SourceNode[] {
    return Array.isArray(this.#value) ? this.#value.map((item) => new JsonNode(item, this.place)) : [];
  }

  text(): string | undefined {
    const value = this.#value;
    return typeof value === "object" ? undefined : String(value);
  }

  span(): undefined {
    return undefined;
  }

  placeOf(): SourcePlace {
    return this.place;
  }
}
