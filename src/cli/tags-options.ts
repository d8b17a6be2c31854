import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { DURATION_FORM, parseDuration } from "../core/policy/duration.ts";
import { collect, duration, flag, grouped, list, once, type RawOptions, text } from "./options.ts";

/** The flags of `countersign trust …` that more than one of its commands has. */

const KEYS_GROUP = "Keys:";
const PUBLISH_GROUP = "Publishing:";
const PINS_GROUP = "Pins:";

/** Which file of pins. */
export function addPinsOption(command: Command): Command {
  return grouped(command, PINS_GROUP, [
    new Option("--pins <file>", "the file of pinned roots (default: $XDG_CONFIG_HOME/countersign/pins.json)"),
  ]);
}

export function addYesOption(command: Command): Command {
  return command.addOption(new Option("-y, --yes", "answer yes to every question"));
}

export const REPOSITORY_ARGUMENT = "a repository: registry.example/acme/app";

export const PASSPHRASE_NOTE =
  "The passphrase of a key comes from COUNTERSIGN_KEY_PASSPHRASE_ROLE (ROOT, TARGETS, ONLINE or the signer's name in" +
  " upper-case letters), else from COUNTERSIGN_KEY_PASSPHRASE, else from a question on the terminal, else from all of standard" +
  " input.";

/** A KEY that the command line names. */
export const KEY_FORMS = "a file, env://NAME, pkcs11:…, or a key in a KMS: awskms://…";

export function onlineKeyOption(): Option {
  return new Option(
    "--online-key <key>",
    "sign snapshot and timestamp with this key (default: the one of this machine)",
  ).argParser(once("--online-key"));
}

/** Which private keys to use beside those of this machine's key folder. */
export function addRoleKeyOptions(command: Command, use: string): Command {
  return grouped(command, KEYS_GROUP, [
    new Option(
      "--key <key>",
      `${use} with this key: ${KEY_FORMS} (repeatable; default: those of this machine)`,
    ).argParser(collect),
    onlineKeyOption(),
  ]);
}

/** The key that says who may sign, and the one that publishes it. */
export function addTargetsKeyOptions(command: Command): Command {
  return grouped(command, KEYS_GROUP, [
    new Option(
      "--targets-key <key>",
      "sign with this targets key (repeatable; default: those of this machine)",
    ).argParser(collect),
    onlineKeyOption(),
  ]);
}

/** How setting up makes sure that nobody else did. */
export function addFirstWriterOption(command: Command): Command {
  return grouped(command, PUBLISH_GROUP, [
    new Option("--settle", "wait until whoever sets it up at the same time is done, and look again"),
  ]);
}

/** How a publish makes sure that it was not lost. */
export function addPublishOptions(command: Command): Command {
  return grouped(command, PUBLISH_GROUP, [
    new Option("--single-writer", "nobody else publishes to this repository at the same time: do not wait for others"),
    new Option("--settle", "always wait until whoever publishes at the same time is done, and look again"),
    new Option(
      "--allow-expired",
      "publish on top of metadata that has expired and was never seen on this machine: whoever runs the registry may be showing an" +
        " old state, and what was taken back since would count again",
    ),
  ]);
}

export interface PublishFlags {
  /** Undefined: where another writer was seen. */
  readonly settle: boolean | undefined;
  readonly allowsExpired: boolean;
}

/** @throws CountersignError `usage` for flags that contradict each other. */
export function readPublishFlags(raw: RawOptions): PublishFlags {
  refuseBoth(raw, ["settle", "--settle"], ["singleWriter", "--single-writer"]);
  const settle = flag(raw, "settle") ? true : flag(raw, "singleWriter") ? false : undefined;
  return { settle, allowsExpired: flag(raw, "allowExpired") };
}

/** @throws CountersignError `usage` where both are given. */
export function refuseBoth(raw: RawOptions, ...pair: readonly (readonly [name: string, spelled: string])[]): void {
  const given = pair.filter(([name]) => raw[name] !== undefined && raw[name] !== false);
  if (given.length < 2) return;
  throw new CountersignError("usage", "these flags contradict each other", {
    found: given.map(([, spelled]) => spelled).join(" and "),
    wanted: "one of them",
  });
}

/** `0` is no waiting at all; else as every duration. Milliseconds. */
export function waiting(value: string): number {
  return value === "0" ? 0 : duration(value);
}

/** `36h`, `30d`. Milliseconds. */
export function span(name: string): (value: string) => number {
  return (value) => {
    const milliseconds = parseDuration(value);
    if (milliseconds !== undefined) return milliseconds;
    throw new CountersignError("usage", `${name} takes a span of time`, { found: value, wanted: DURATION_FORM });
  };
}

export interface RoleKeyFlags {
  /** References, in the order in which they were given. */
  readonly keys: readonly string[];
  readonly onlineKey: string | undefined;
}

export function readRoleKeyFlags(raw: RawOptions): RoleKeyFlags {
  return { keys: list(raw, "key"), onlineKey: text(raw, "onlineKey") };
}
