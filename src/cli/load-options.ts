import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { type Digest, parseDigest } from "../core/oci/digest.ts";
import { parseLocation } from "../core/oci/location.ts";
import type { CollectionLocation } from "../io/layout/collection.ts";
import { parsePrefix, type RegistryPrefix } from "../ops/kit-place.ts";
import { displace } from "./displaced.ts";
import { flag, grouped, once, type RawOptions, text } from "./options.ts";

const KIT_GROUP = "The kit:";

export function addLoadOptions(command: Command): Command {
  displace(command, ["--trust-kit"], ["--trusted-root"]);
  return grouped(command, KIT_GROUP, [
    new Option("--to <place>", "where its images go: HOST[:PORT][/PATH], oci:DIR or oci-archive:FILE").argParser(
      once("--to"),
    ),
    new Option("--list", "show what is in it and whether it is whole; judge nothing, write nothing"),
    new Option("--digest <digest>", "it has to be exactly this kit: the digest that save printed").argParser(
      once("--digest"),
    ),
    new Option("--trust-kit", "believe the trust roots in it instead of this machine's own; needs --digest"),
    new Option(
      "--update-trust",
      "take newer trust roots out of it for this machine's instances, verified by TUF from this machine's own start",
    ),
  ]);
}

/** Where images go: below a path in a registry, or into a new layout. */
export type LoadPlace =
  | { readonly kind: "registry"; readonly prefix: RegistryPrefix }
  | { readonly kind: "files"; readonly location: CollectionLocation };

export interface LoadOptions {
  /** undefined: nowhere. */
  readonly place: LoadPlace | undefined;
  /** As the user wrote it. */
  readonly to: string | undefined;
  readonly isListing: boolean;
  readonly digest: Digest | undefined;
  readonly trustKit: boolean;
  readonly updateTrust: boolean;
}

/** @throws CountersignError `usage`, `reference-invalid`: nothing to do, or two things that exclude each other. */
export function readLoadOptions(raw: RawOptions): LoadOptions {
  const to = text(raw, "to");
  const digest = text(raw, "digest");
  const options = {
    to,
    place: to === undefined ? undefined : readPlace(to),
    isListing: flag(raw, "list"),
    digest: digest === undefined ? undefined : parseDigest(digest),
    trustKit: flag(raw, "trustKit"),
    updateTrust: flag(raw, "updateTrust"),
  };
  requireSense(options, raw);
  return options;
}

function requireSense({ to, isListing, digest, trustKit, updateTrust }: LoadOptions, raw: RawOptions): void {
  const extra = [to && "--to", trustKit && "--trust-kit", updateTrust && "--update-trust"].find(Boolean);
  if (isListing && extra) throw contradiction("--list changes nothing", `--list and ${extra}`, "one of them");
  if (trustKit && digest === undefined) {
    // Whoever hands the kit over could have put any root into it.
    throw contradiction(
      "nothing says whose word the kit's trust roots are",
      "--trust-kit alone",
      "--digest sha256:… too",
    );
  }
  const named = trustKit ? text(raw, "trustedRoot") : undefined;
  if (named !== undefined) {
    throw contradiction("two things to believe in", "--trust-kit and --trusted-root", "one of them");
  }
  if (to !== undefined || isListing || updateTrust) return;
  throw contradiction("nothing says what to do with the kit", "no --to", "--to PLACE, --list or --update-trust");
}

function contradiction(message: string, found: string, wanted: string): CountersignError {
  return new CountersignError("usage", message, { found, wanted });
}

function readPlace(to: string): LoadPlace {
  if (!/^(?:oci|oci-archive|docker-archive|docker-daemon):/.test(to))
    return { kind: "registry", prefix: parsePrefix(to) };
  const location = parseLocation(to);
  const isFile = location.kind === "oci-layout" || location.kind === "oci-archive";
  if (isFile && location.tag === undefined && location.digest === undefined) {
    return { kind: "files", location: { kind: location.kind, path: location.path } };
  }
  throw new CountersignError("usage", "not a place for the images of a kit", {
    found: to,
    wanted: "HOST[:PORT][/PATH], oci:DIR or oci-archive:FILE, without a tag: every image keeps its own",
  });
}
