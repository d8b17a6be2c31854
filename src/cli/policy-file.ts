import { resolve } from "node:path";
import { CountersignError } from "../core/errors.ts";
import { LIMITS } from "../core/limits.ts";
import { readNamedFile } from "../io/config/file.ts";
import type { Context } from "./context.ts";

/** The bytes of a policy on this machine. @throws CountersignError `policy-invalid`. */
export async function readPolicyFile({ workingDirectory }: Context, label: string): Promise<Uint8Array> {
  const bytes = await readBytes(resolve(workingDirectory, label), label);
  if (bytes !== undefined) return bytes;
  throw unreadable(label, { found: "there is no such file" });
}

async function readBytes(path: string, label: string): Promise<Uint8Array | undefined> {
  try {
    return await readNamedFile({ path, label }, LIMITS.policyBytes);
  } catch (thrown) {
    if (!(thrown instanceof CountersignError) || thrown.class === "interrupted") throw thrown;
    const { message, found, wanted } = thrown;
    throw unreadable(label, { found: found === undefined ? message : `${message}: ${found}`, wanted, cause: thrown });
  }
}

function unreadable(
  label: string,
  particulars: { readonly found: string; readonly wanted?: string | undefined; readonly cause?: unknown },
): CountersignError {
  return new CountersignError("policy-invalid", `the policy ${label} cannot be read`, {
    ...particulars,
    next: "check the path of the policy",
  });
}
