import { Command, Option } from "commander";
import { CountersignError } from "../../core/errors.ts";
import type { Context } from "../context.ts";
import { withManual } from "../manual.ts";
import { globalOptions } from "../options.ts";
import { openOutput } from "../output.ts";

/** `countersign registry …`: the embedded registry. */
export function registryCommand(context: Context): Command {
  const command = new Command("registry")
    .description("The embedded OCI registry, for trying things out and for tests.")
    .addCommand(serveCommand(context).summary("start the embedded registry"));
  return withManual(command, {
    examples: [{ command: "countersign registry serve", purpose: "a registry at 127.0.0.1:5000, in memory" }],
    seeAlso: ["countersign demo"],
  });
}

interface ServeFlags {
  readonly listen: string;
  readonly root?: string;
  readonly referrersApi: boolean;
  readonly basicAuth?: string;
}

function serveCommand(context: Context): Command {
  const command = new Command("serve")
    .description("Serves the OCI distribution API, version 1.1, over plain HTTP until it is interrupted.")
    .addOption(
      new Option("--listen <addr>", "where to listen: HOST:PORT; port 0 is any free one").default(DEFAULT_LISTEN),
    )
    .addOption(new Option("--root <dir>", "keep everything in this folder instead of in memory"))
    .addOption(new Option("--no-referrers-api", "answer 404 to the referrers API, as older registries do"))
    .addOption(new Option("--basic-auth <user:file>", "let in only this user, with the password in this file"))
    .action(async (flags: ServeFlags, self: Command) => {
      const { serveRegistry } = await import("../registry-action.ts");
      await serveRegistry(context, openOutput(context, globalOptions(self)), {
        listen: parseListen(flags.listen),
        root: flags.root,
        referrersApi: flags.referrersApi,
        login: flags.basicAuth === undefined ? undefined : parseLogin(flags.basicAuth),
      });
    });
  return withManual(command, {
    examples: [
      { command: "countersign registry serve", purpose: "at 127.0.0.1:5000; gone when it ends" },
      {
        command: "countersign registry serve --listen 127.0.0.1:0 --root images",
        purpose: "at any free port, kept in the folder images",
      },
      {
        command: "countersign registry serve --no-referrers-api",
        purpose: "a stand-in for a registry without the referrers API",
      },
    ],
    notes: [
      "The address is printed on standard error as soon as it answers. SIGINT and SIGTERM end it with exit code 0.",
      "Whoever reaches the address may read, change and delete everything, unless --basic-auth is given; and it speaks" +
        " plain HTTP only. It is made for one machine: other addresses than loopback ones are warned about.",
      "A folder survives restarts, also after kill -9, and is served by one process at a time.",
    ],
    seeAlso: ["countersign demo"],
  });
}

const DEFAULT_LISTEN = "127.0.0.1:5000";

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** `HOST:PORT`, `[IPv6]:PORT`; a bare `:PORT` is every address of the machine. @throws CountersignError `usage`. */
export function parseListen(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]/\s]*)):([0-9]{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || port === undefined || Number(port) > 65_535) {
    throw new CountersignError("usage", "not an address to listen on", {
      found: text,
      wanted: "HOST:PORT, such as 127.0.0.1:5000 or [::1]:5000",
    });
  }
  return { host: host === "" ? "0.0.0.0" : host, port: Number(port) };
}

export interface Login {
  readonly user: string;
  readonly passwordFile: string;
}

/** @throws CountersignError `usage`. */
export function parseLogin(text: string): Login {
  const colon = text.indexOf(":");
  const [user, passwordFile] = [text.slice(0, Math.max(colon, 0)), text.slice(colon + 1)];
  if (user !== "" && passwordFile !== "") return { user, passwordFile };
  // What was given may hold a password put there by mistake: it is not repeated.
  throw new CountersignError("usage", "not a user and a password file", { wanted: "--basic-auth USER:FILE" });
}
