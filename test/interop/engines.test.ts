import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { before, describe, it, type TestContext } from "node:test";
import { containersEnvironment, DOCKER_RUN, greets, makeStaticProgram, PODMAN_RUN } from "./engines.ts";
import { fetchConfigDigest, type PushedImage, pushImage, pushIndex } from "./images.ts";
import { type Finished, without } from "./peers.ts";
import { useScene } from "./scene.ts";
import { REGISTRIES, type Server, startDockerd } from "./servers.ts";
import type { Workplace } from "./workplace.ts";

/** A container engine in a home of its own. */
interface Engine {
  readonly name: "docker" | "podman";
  readonly needs: readonly string[];
  readonly start: (work: Workplace) => Promise<Server | undefined>;
  /** What leads countersign and the engine's own command line to it. */
  readonly environment: (work: Workplace, server: Server | undefined) => Readonly<Record<string, string>>;
  /** Ways to run an image, each to be tried. */
  readonly ways: readonly (readonly string[])[];
  /** The scheme under which push takes an image from it. */
  readonly scheme?: string;
}

const ENGINES: readonly Engine[] = [
  {
    name: "docker",
    needs: ["dockerd", "docker"],
    start: (work) => startDockerd(work.path("dockerd")),
    environment: (_work, server) => ({ DOCKER_HOST: server?.address ?? "" }),
    ways: DOCKER_RUN,
    scheme: "docker-daemon",
  },
  {
    name: "podman",
    needs: ["podman"],
    start: () => Promise.resolve(undefined),
    environment: (work) => containersEnvironment(work),
    ways: PODMAN_RUN,
  },
];

for (const kind of REGISTRIES) {
  for (const engine of ENGINES) {
    const missing = kind.missing || without(...engine.needs);
    describe(`pull --to ${engine.name}: ${kind.name}`, { skip: missing }, () => {
      const scene = useScene(kind);
      const { work } = scene;
      const [alice, eve] = [work.keyPair("alice"), work.keyPair("eve")];
      const started: { server?: Server | undefined; program?: Uint8Array | undefined } = {};

      before(async () => {
        await work.makeKey("alice");
        await work.makeKey("eve");
        const server = await engine.start(work);
        started.server = server === undefined ? undefined : scene.stopAtEnd(server);
        started.program = await makeStaticProgram(work);
      });
      const env = () => engine.environment(work, started.server);
      const pull = (code: number, key: { readonly public: string }, image: string) =>
        work.expect(code, ["pull", "--key", key.public, "--to", engine.name, image], { env: env() });
      const ask = (...args: readonly string[]): Promise<Finished> => work.run(engine.name, args, { env: env() });

      async function images(): Promise<readonly string[]> {
        return (await ask("images", "--all", "--quiet", "--no-trunc")).stdout.split("\n").sort();
      }

      /** The engine's identity of an image is the digest of its configuration, which the verified manifest names. */
      async function holds(image: PushedImage, reference: string): Promise<void> {
        const inspected = await ask("image", "inspect", "--format", "{{.Id}}", reference);
        assert.equal(inspected.code, 0, inspected.stderr);
        const id = inspected.stdout.trim().replace(/^sha256:/, "");
        assert.equal(`sha256:${id}`, await fetchConfigDigest(scene.address, image));
      }

      async function runs(t: TestContext, reference: string): Promise<void> {
        const failures: string[] = [];
        for (const way of engine.ways) {
          const finished = await ask(...way, reference);
          if (finished.code === 0 && greets(finished)) return t.diagnostic("inspected and run");
          failures.push(finished.stderr.trim().split("\n").at(-1) ?? "");
        }
        t.diagnostic(`inspected, not run: ${failures.join("; ")}`);
      }

      it("ends with an image that inspects, and where the sandbox allows runs, as the verified one", async (t) => {
        const content = started.program ?? new Uint8Array([0]);
        const image = await pushImage(scene.address, "engine/hello:1", {
          file: { name: "hello", content },
          entrypoint: ["/hello"],
        });
        await work.expect(0, ["sign", "--key", alice.secret, "-y", image.tagged]);
        await pull(0, alice, image.tagged);
        await holds(image, image.tagged);
        if (started.program === undefined) t.diagnostic("inspected, not run: no compiler that links statically");
        else await runs(t, image.tagged);
      });

      it("takes this machine's platform of a signed index", async () => {
        const { index, platforms } = await pushIndex(scene.address, "engine/index:1");
        await work.expect(0, ["sign", "--key", alice.secret, "-y", index.tagged]);
        await pull(0, alice, index.tagged);
        const [ours] = platforms;
        assert.ok(ours !== undefined);
        await holds(ours, index.tagged);
      });

      it("leaves the engine as it was when the image is not signed, or by another key", async () => {
        const unsigned = await pushImage(scene.address, "engine/unsigned:1");
        const theirs = await pushImage(scene.address, "engine/eve:1");
        await work.expect(0, ["sign", "--key", eve.secret, "-y", theirs.tagged]);
        const earlier = await images();
        await pull(1, alice, unsigned.tagged);
        await pull(1, alice, theirs.tagged);
        assert.deepEqual(await images(), earlier);
        assert.notEqual((await ask("image", "inspect", unsigned.tagged)).code, 0);
      });

      if (engine.scheme !== undefined)
        it("gives an image back to push, which publishes it signed", async () => {
          const image = await pushImage(scene.address, "engine/published:1");
          await work.expect(0, ["sign", "--key", alice.secret, "-y", image.tagged]);
          await pull(0, alice, image.tagged);
          const target = `${scene.address}/engine/published-again:1`;
          const source = `${engine.scheme}:${image.tagged}`;
          await work.expect(0, ["push", "--key", alice.secret, "-y", source, target], { env: env() });
          await work.judge("accepted", ["verify", "--key", alice.public, target]);
          assert.equal((await ask("pull", target)).code, 0);
          await holds(image, target);
        });

      it("is undetermined, with a reason, when the engine does not answer", async () => {
        const image = await pushImage(scene.address, "engine/absent:1");
        await work.expect(0, ["sign", "--key", alice.secret, "-y", image.tagged]);
        const nowhere = { DOCKER_HOST: `unix://${work.path("no-socket")}`, PATH: "/nonexistent" };
        const args = ["pull", "--key", alice.public, "--to", engine.name, image.tagged];
        const finished = await work.expect(3, args, { env: { ...env(), ...nowhere } });
        assert.match(`${finished.stdout}${finished.stderr}`, /engine-error/);
        assert.equal(existsSync(work.path("no-socket")), false);
      });
    });
  }
}
