import { readFile } from "node:fs/promises";
import { inTurn, replaceFiles } from "../../src/io/disk/transaction.ts";

/** A process of its own: gives every file of the command line, the first of which is the anchor, the content `new`. */
const [anchor = "", ...others] = process.argv.slice(2);

await inTurn(anchor, {}, async () => {
  const files = await Promise.all(
    [anchor, ...others].map(async (path) => {
      const before = await readFile(path).catch(() => undefined);
      return { path, before, after: Buffer.from(`new ${path}`) };
    }),
  );
  await replaceFiles(anchor, files);
});
