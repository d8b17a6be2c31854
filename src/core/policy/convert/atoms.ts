import type { PublicKey } from "../../crypto/public-key.ts";
import { type KeyIdentity, placeName } from "../document.ts";
import type { Atom } from "./clauses.ts";
import type { ExportSource, Losses } from "./conversion.ts";

/** What an atom asks of its evidence beside who made it. */
export type Extra = "annotations" | "maxAge" | "nameBinding" | "where";

/** The things that an atom asks and that the target cannot be asked for; each is a loss, and the atom with it. */
export function asksMore(atom: Atom, known: readonly Extra[], losses: Losses): boolean {
  const { evidence } = atom;
  const missing = extrasOf(atom).filter((extra) => !known.includes(extra));
  for (const extra of missing) losses.add(placeName(evidence.place), EXTRAS[extra], NOT_CHECKED);
  return missing.length > 0;
}

const NOT_CHECKED = "the target does not check it; who is asked for it here is not accepted there";

const EXTRAS: Readonly<Record<Extra, string>> = {
  annotations: "annotations",
  maxAge: "maxAge",
  nameBinding: "nameBinding",
  where: "where",
};

function extrasOf({ evidence }: Atom): readonly Extra[] {
  const extras: Extra[] = evidence.maxAge === undefined ? [] : ["maxAge"];
  if (evidence.kind === "attestation") return evidence.where.length === 0 ? extras : [...extras, "where"];
  if (Object.keys(evidence.annotations).length > 0) extras.push("annotations");
  return evidence.nameBinding ? [...extras, "nameBinding"] : extras;
}

/**
 * The keys of somebody that are taken on no terms: whose signatures need nothing beside them and count whenever they were
 * made. What others can be told of keys is no more than this.
 */
export function plainKeys(identity: KeyIdentity, source: ExportSource, losses: Losses): readonly PublicKey[] {
  if (identity.trust !== undefined) {
    losses.add(
      placeName(identity.place),
      `${identity.name}: trust`,
      "the target cannot be told of the root that proves logs and times",
    );
    return [];
  }
  const keys = source.keys.get(identity.name) ?? [];
  return identity.keys.flatMap(({ window, place }, at) => {
    const key = keys[at];
    if (key === undefined) return [];
    if (window.from === undefined && window.until === undefined) return [key];
    losses.add(
      placeName(place),
      `${identity.name}: a key that is trusted for a time`,
      "the target trusts a key always or never; this one is left out",
    );
    return [];
  });
}
