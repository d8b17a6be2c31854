import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { before, describe, it } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startProxy } from "../../bench/proxy.ts";
import type { Fault, FaultHook } from "../../src/testbed/faults.ts";
import { type FleetImage, makeFleet } from "./fleet.ts";
import { without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { killChild, REGISTRIES } from "./servers.ts";

const PROGRAM = fileURLToPath(new URL("../../bin/countersign.js", import.meta.url));
const COUNT = Number(process.env["COUNTERSIGN_FLEET"] ?? 2000);
const SHARDS = 3;
const KILLS = 5;

/** The members of docs/schemas/audit.json that are looked at here. */
interface AuditDocument {
  readonly images: readonly {
    readonly image: string;
    readonly verdict: string;
    readonly reasons: readonly { readonly code: string }[];
  }[];
}

for (const kind of REGISTRIES) {
  const missing = kind.missing || without("cosign");
  describe(`an audit of ${COUNT} images behind a proxy that throttles: ${kind.name}`, { skip: missing }, () => {
    const scene = useScene(kind);
    const { work } = scene;
    const keys = work.keyPair("alice");
    let fleet: readonly FleetImage[] = [];
    let whole = "";
    let onRequest = (): void => undefined;

    before(async () => {
      const wanted = await work.makeKey("alice");
      const other = await work.makeKey("eve");
      const { storage } = scene;
      const throttle = throttling();
      let isOpen = true;
      // Legacy signatures name the registry: the images are made where they are looked for.
      const proxy = await startProxy({
        target: scene.address,
        hook: (request) => {
          onRequest();
          return isOpen ? undefined : throttle(request);
        },
      });
      const { address } = scene.stopAtEnd({ address: proxy.address, stop: () => proxy.close() });
      fleet = await makeFleet({ work, kind, address, storage, count: COUNT, wanted, other, byCosign: 12 });
      isOpen = false;
      work.write("fleet.txt", fleet.map(({ reference }) => `${reference}\n`).join(""));
      await work.expect(0, ["audit", "plan", "fleet.txt", "-o", "json", "--output-file", "plan.json"]);
    });

    const flags = ["audit", "--plan", "plan.json", "--key", keys.public, "-t", "3s", "-o", "json"];
    /** Nothing is known from an earlier run. */
    const cold = (name: string) => ({ env: { XDG_CACHE_HOME: work.path(name) } });

    it("says of every image exactly what is true", async () => {
      whole = (await work.expect(1, flags, cold("whole"))).stdout;
      const { images } = JSON.parse(whole) as AuditDocument;
      assert.equal(images.length, fleet.length);
      const expected = new Map(fleet.map((one) => [one.reference, one]));
      const wrong = images.filter(({ image, verdict, reasons }) => {
        const { expected: status, reasons: codes } = expected.get(image) ?? {};
        const isAsExpected = verdict === status && (codes?.length === 0 || codes?.includes(reasons[0]?.code ?? ""));
        return !isAsExpected;
      });
      assert.deepEqual(wrong, []);
    });

    it("gives the same bytes in shards that are merged, in whatever order", async () => {
      const files = Array.from({ length: SHARDS }, (_, at) => `shard-${at + 1}.json`);
      for (const [at, file] of files.entries()) {
        await work.countersign([...flags, "--shard", `${at + 1}/${SHARDS}`, "--output-file", file], cold("shards"));
      }
      const merged = await work.expect(1, ["audit", "merge", ...files.toReversed(), "-o", "json"]);
      assert.equal(merged.stdout === whole, true, "the merged audit differs from the whole");
    });

    it("gives the same bytes where it was killed again and again and went on from its journal", async () => {
      const args = [...flags, "--journal", "audit.journal", "--output-file", "resumed.json"];
      for (let kill = 1; kill <= KILLS; kill++) await killAfter((kill * fleet.length) / (KILLS + 1), args);
      await work.expect(1, args, cold("killed"));
      assert.equal(readFileSync(work.path("resumed.json"), "utf8") === whole, true, "the resumed audit differs");
      assert.equal(existsSync(work.path("audit.journal")), false, "a journal that is done with is removed");
    });

    /** Kills an audit when its journal has as many images. */
    async function killAfter(images: number, args: readonly string[]): Promise<void> {
      const child = spawn(process.execPath, [PROGRAM, ...args], {
        cwd: work.folder,
        env: { ...process.env, ...work.environment, ...cold("killed").env },
        stdio: "ignore",
      });
      const journal = work.path("audit.journal");
      // The first line is the header.
      const recorded = () => (existsSync(journal) ? readFileSync(journal, "utf8").split("\n").length - 2 : 0);
      // By its own requests too: it comes to no end while nobody here has the time to look.
      let requests = 0;
      onRequest = () => {
        if (++requests % 10 === 0 && recorded() >= images) child.kill("SIGKILL");
      };
      while (recorded() < images) {
        assert.equal(child.exitCode, null, "it came to its end before it was killed");
        await sleep(10);
      }
      onRequest = () => undefined;
      await killChild(child);
      assert.equal(child.signalCode, "SIGKILL", "it came to its end before it was killed");
    }
  });
}

const PER_SECOND = 600;
const THROTTLED: Fault = { kind: "status", status: 429, retryAfter: "1" };

/** So many requests a second, else 429; and of those that pass, some fail with 503, are cut off, or never come to an end. */
function throttling(): FaultHook {
  let second = 0;
  let passed = 0;
  let total = 0;
  return () => {
    const now = Math.floor(performance.now() / 1000);
    if (now !== second) [second, passed] = [now, 0];
    if (passed >= PER_SECOND) return THROTTLED;
    passed += 1;
    total += 1;
    if (total % 997 === 0) return { kind: "stall" };
    if (total % 211 === 0) return { kind: "reset" };
    return total % 101 === 0 ? { kind: "status", status: 503 } : undefined;
  };
}
