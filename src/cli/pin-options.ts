import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import { DURATION_FORM, parseDuration } from "../core/policy/duration.ts";
import { displace } from "./displaced.ts";
import { flag, grouped, once, type RawOptions, text } from "./options.ts";
import { VERIFYING } from "./policy-options.ts";
import { POLICY_PIN_FLAGS } from "./policy-pin-options.ts";

const PIN_GROUP = "Pins:";

/** Beside `countersign.lock` in the working directory. */
export const DEFAULT_LOCK = "countersign.lock";

/** What --no-verify takes the place of. */
const JUDGING = ["--policy", "--as", ...POLICY_PIN_FLAGS, ...VERIFYING.all];

const CHANGING = ["--update", "--diff", "--no-verify"];

export function addPinOptions(command: Command): Command {
  grouped(command, PIN_GROUP, [
    new Option("--check", "ask nobody and write nothing: is everything pinned, and to what the lock file says?"),
    new Option("--update", "move pins to what their tags name now, where that is accepted"),
    new Option(
      "--cool-down <duration>",
      "with --update, only to digests that are known to be accepted for this long: 3d, 12h",
    ).argParser(readCoolDown),
    new Option("--lock <file>", `the lock file (default: ${DEFAULT_LOCK})`).argParser(once("--lock")),
    new Option("--diff", "print what would change as a unified diff, and write nothing"),
    new Option("--no-verify", "pin what the tags name without verifying it: nobody vouches for these digests"),
  ]);
  displace(command, ["--check"], CHANGING);
  displace(command, CHANGING, ["--check"]);
  displace(command, ["--no-verify"], JUDGING);
  return displace(command, JUDGING, ["--no-verify"]);
}

export interface PinOptions {
  readonly mode: "pin" | "check" | "diff";
  readonly update: boolean;
  /** Milliseconds. */
  readonly coolDown: number | undefined;
  /** As the user names it. */
  readonly lock: string;
  readonly isVerified: boolean;
}

/**
 * @param isOnLine Whether a flag was on the command line itself.
 * @throws CountersignError `usage` for flags that contradict each other.
 */
export function readPinOptions(raw: RawOptions, isOnLine: (name: string) => boolean): PinOptions {
  const [isCheck, isDiff, update] = [flag(raw, "check"), flag(raw, "diff"), flag(raw, "update")];
  const coolDown = raw["coolDown"];
  const isVerified = raw["verify"] !== false;
  const given = [update && "--update", isDiff && "--diff", !isVerified && "--no-verify"].filter((one) => one !== false);
  if (isCheck && given.length > 0) throw contradiction("--check asks nobody and changes nothing", "--check", given);
  if (!update && isOnLine("coolDown")) {
    throw new CountersignError("usage", "--cool-down says how old must be what a pin moves to", {
      found: "--cool-down alone",
      wanted: "--update too",
    });
  }
  const judging = isVerified ? [] : JUDGING.filter((name) => isOnLine(new Option(name).attributeName()));
  if (judging.length > 0) throw contradiction("--no-verify asks nobody who signed", "--no-verify", judging);
  return {
    mode: isCheck ? "check" : isDiff ? "diff" : "pin",
    update,
    coolDown: typeof coolDown === "number" ? coolDown : undefined,
    lock: text(raw, "lock") ?? DEFAULT_LOCK,
    isVerified,
  };
}

function contradiction(message: string, flagName: string, others: readonly string[]): CountersignError {
  return new CountersignError("usage", message, {
    found: [flagName, ...others].join(" and "),
    wanted: "one of them",
  });
}

function readCoolDown(value: string): number {
  const coolDown = parseDuration(value);
  if (coolDown !== undefined) return coolDown;
  throw new CountersignError("usage", "--cool-down takes a span of time", { found: value, wanted: DURATION_FORM });
}
