import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** What can run something at its end: the context of a test or of a hook. */
interface Scope {
  after(work: () => Promise<void>): void;
}

/** A folder of the test's own, removed with everything in it when the test ends. */
export async function temporaryFolder(scope: Scope): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "countersign-test-")));
  scope.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}
