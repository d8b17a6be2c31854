import type { Use } from "../../core/audit/audit.ts";
import { describeWorkload } from "../../core/audit/breaks.ts";
import { encodeUtf8 } from "../../core/bytes.ts";
import { digestHex, digestOf } from "../../core/oci/digest.ts";
import { printable } from "../../core/printable.ts";
import { isFile, sourceUri } from "./files.ts";
import type { SarifFinding } from "./sarif-findings.ts";

/** Code scanning shows as many locations of a result. */
const LOCATIONS = 100;

type Place = Pick<Use, "place" | "workload">;

/** The first hundred, and how many are left. */
export function locationsOf(places: readonly Place[]) {
  return { locations: places.slice(0, LOCATIONS).map(locationOf), left: Math.max(0, places.length - LOCATIONS) };
}

function locationOf({ place, workload }: Place) {
  const { line, column } = place;
  const region = { startLine: line ?? 1, ...(line !== undefined && column !== undefined && { startColumn: column }) };
  return {
    physicalLocation: { artifactLocation: { uri: sourceUri(place), uriBaseId: baseOf(place) }, region },
    ...(workload !== undefined && {
      logicalLocations: [
        {
          name: printable(workload.container ?? workload.name),
          fullyQualifiedName: printable(`${place.source}/${describeWorkload({ source: place.source, ...workload })}`),
          kind: printable(workload.kind),
        },
      ],
    }),
  };
}

/** An absolute address has no base. */
function baseOf({ source }: Place["place"]): string | undefined {
  return source.startsWith("/") ? undefined : "%SRCROOT%";
}

/**
 * What makes a result the same in the next run (3.27.17): not its line, which moves. Where nobody can hash the line either
 * (a cluster, a file as a whole) it goes by the name that code scanning compares; elsewhere the upload computes that one.
 */
export function fingerprintsOf({ code, key, places }: SarifFinding, count: (key: string) => number) {
  const [{ place, workload }] = places;
  const path = [workload?.kind, workload?.namespace, workload?.name, workload?.container];
  const identity = JSON.stringify([code, key, place.source, ...path.map((part) => part ?? null)]);
  const hash = digestHex(digestOf(encodeUtf8(`${identity} ${count(identity)}`)));
  const isHashed = isFile(place) && place.line !== undefined;
  return { "countersign/v1": hash, ...(!isHashed && { primaryLocationLineHash: `${hash.slice(0, 16)}:1` }) };
}
