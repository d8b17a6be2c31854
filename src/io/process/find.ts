import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { delimiter, isAbsolute, join } from "node:path";

/**
 * The absolute path of a program in PATH; undefined where it is not installed. Empty and relative entries of PATH mean
 * the current folder or one below it, which may be a stranger's checkout: they are passed over.
 */
export async function findProgram(
  name: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const file = process.platform === "win32" ? `${name}.exe` : name;
  // The system's variable, and no setting of ours: countersign env does not list it.
  const { PATH = "" } = env;
  const folders = PATH.split(delimiter).filter(isAbsolute);
  for (const folder of folders) {
    const path = join(folder, file);
    if (await isProgram(path)) return path;
  }
  return undefined;
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
