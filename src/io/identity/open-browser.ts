import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { posix, win32 } from "node:path";

type Environment = Readonly<Record<string, string | undefined>>;

/** Opens an address in the person's browser; false where nothing here can. */
export type OpenBrowser = (url: URL) => Promise<boolean>;

interface Opener {
  readonly program: string;
  readonly args: readonly string[];
}

/** Whether a browser that is opened here is one that the person sees. */
export function hasDisplay(env: Environment, platform: NodeJS.Platform = process.platform): boolean {
  if (platform === "darwin" || platform === "win32") return !env["SSH_CONNECTION"];
  return Boolean(env["DISPLAY"] || env["WAYLAND_DISPLAY"]);
}

/** The system's own way, run without a shell: an address is an argument and never a command. */
export function systemBrowser(env: Environment, platform: NodeJS.Platform = process.platform): OpenBrowser {
  return async (url) => {
    const opener = openerFor(env, platform);
    if (opener === undefined || (url.protocol !== "https:" && url.protocol !== "http:")) return false;
    const child = spawn(opener.program, [...opener.args, url.href], {
      env: { ...env },
      stdio: "ignore",
      detached: true,
      windowsHide: true,
    });
    child.unref();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    child.once("spawn", () => resolve(true)).once("error", () => resolve(false));
    return await promise;
  };
}

function openerFor(env: Environment, platform: NodeJS.Platform): Opener | undefined {
  if (platform === "darwin") return { program: "/usr/bin/open", args: [] };
  // `start` is a command of the shell's; this is what it comes to.
  if (platform === "win32") {
    const system = win32.join(env["SystemRoot"] || "C:\\Windows", "System32");
    return { program: win32.join(system, "rundll32.exe"), args: ["url.dll,FileProtocolHandler"] };
  }
  const program = absoluteProgram("xdg-open", env);
  return program === undefined ? undefined : { program, args: [] };
}

/** Looked for in the absolute folders of PATH only: a program of that name in the current folder is anyone's. */
function absoluteProgram(name: string, env: Environment): string | undefined {
  const folders = (env["PATH"] ?? "").split(":").filter((folder) => posix.isAbsolute(folder));
  return folders.map((folder) => posix.join(folder, name)).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
