import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { parseLocation } from "../core/oci/location.ts";
import { displace } from "./displaced.ts";
import { flag, grouped, once, type RawOptions, text } from "./options.ts";

const TRUST_GROUP = "Whom to believe:";

/** Whose authorities and logs are believed: on every command that verifies or makes keyless signatures. */
export function addTrustOptions(command: Command): Command {
  displace(command, ["--trusted-root"], ["--trust"]);
  displace(command, ["--trust"], ["--trusted-root"]);
  return grouped(command, TRUST_GROUP, [
    new Option(
      "--trusted-root <file>",
      "believe the authorities, logs and timestamp authorities in this file only",
    ).argParser(once("--trusted-root")),
    new Option(
      "--trust <name>",
      "believe this instance: sigstore, github, or one of the configuration (default: sigstore)",
    ).argParser(once("--trust")),
    new Option("--offline", "open no connection: images on disk, and trust material that was fetched before"),
    new Option("--config <file>", "read this configuration instead of the user's own").argParser(once("--config")),
  ]);
}

/** Whom to believe. Choosing is the caller's; nothing that was signed has a say in it. */
export interface TrustOptions {
  /** A file; undefined where an instance is to be asked. */
  readonly trustedRoot: string | undefined;
  /** The name of an instance; undefined for the configuration's default. */
  readonly instance: string | undefined;
  readonly offline: boolean;
  /** A file. */
  readonly config: string | undefined;
}

/** @throws CountersignError `usage` for a file and a name at once. */
export function readTrustOptions(raw: RawOptions): TrustOptions {
  const options = {
    trustedRoot: text(raw, "trustedRoot"),
    instance: text(raw, "trust"),
    offline: flag(raw, "offline"),
    config: text(raw, "config"),
  };
  if (options.trustedRoot === undefined || options.instance === undefined) return options;
  throw new CountersignError("usage", "two things to believe in", {
    found: "--trusted-root and --trust",
    wanted: "one of them",
  });
}

/**
 * An image in a registry cannot be looked at without a connection.
 *
 * @throws CountersignError `usage`: nothing was opened.
 */
export function refuseRegistriesOffline({ offline }: Pick<TrustOptions, "offline">, images: readonly string[]): void {
  const remote = offline ? images.find((image) => isRemote(image)) : undefined;
  if (remote === undefined) return;
  throw new CountersignError("usage", "--offline opens no connection, and this image is behind one", {
    found: remote,
    wanted: "oci:DIR, oci-archive:FILE or docker-archive:FILE",
    next: "fetch the image while there is a network: countersign copy IMAGE oci:DIR",
  });
}

function isRemote(image: string): boolean {
  const { kind } = parseLocation(image);
  return kind === "registry" || kind === "docker-daemon";
}
