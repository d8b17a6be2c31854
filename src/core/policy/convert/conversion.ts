import type { PublicKey } from "../../crypto/public-key.ts";
import { LIMITS } from "../../limits.ts";
import type { PolicyDocument } from "../document.ts";

/** The enforcers whose policies are read and written here. */
export const DIALECTS = ["containers", "notation", "policy-controller", "kyverno"] as const;
export type Dialect = (typeof DIALECTS)[number];

/** What a conversion could not carry over. It never accepts more for it. */
export interface Loss {
  /** Where it stands in the source: `policy.yaml:14`, `policy.json: transports.docker."registry.example"[0]`. */
  readonly place: string;
  /** What is lost, in a few words. */
  readonly what: string;
  readonly why: string;
  /** `stricter`: the result refuses what the source accepts. `dropped`: it is gone, and `why` says what that comes to. */
  readonly effect: "stricter" | "dropped";
}

/** Gathers what is lost on the way; the same thing is said once. */
export class Losses {
  readonly #found: Map<string, Loss> = new Map();

  add(place: string, what: string, why: string, effect: Loss["effect"] = "stricter"): void {
    const loss = { place, what: shorten(what), why, effect };
    this.#found.set(JSON.stringify(loss), loss);
  }

  get all(): readonly Loss[] {
    return [...this.#found.values()];
  }
}

/** What a file calls something may be as long as the file. */
function shorten(text: string): string {
  return text.length <= LIMITS.imagePatternCharacters
    ? text
    : `${text.slice(0, LIMITS.imagePatternCharacters).toWellFormed()}…`;
}

/** A policy of somebody else's, read. */
export interface Imported {
  readonly document: PolicyDocument;
  readonly losses: readonly Loss[];
  /** What the reader should know, whatever is in the file. */
  readonly notes: readonly string[];
}

/** What is to be written, with the keys that the policy names. */
export interface ExportSource {
  readonly document: PolicyDocument;
  /** The keys of every identity that has some, by its name, in the order of the policy. */
  readonly keys: ReadonlyMap<string, readonly PublicKey[]>;
}

/** A policy for somebody else, written. */
export interface Exported {
  /** The first one is the policy itself; the names are relative, with `/` between folders. */
  readonly files: readonly [ExportedFile, ...ExportedFile[]];
  readonly losses: readonly Loss[];
  readonly notes: readonly string[];
}

export interface ExportedFile {
  readonly name: string;
  readonly content: string;
}
