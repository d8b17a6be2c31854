import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import { join } from "node:path";
import { describe, it } from "node:test";
import { CountersignError } from "../../src/core/errors.ts";
import type { Digest } from "../../src/core/oci/digest.ts";
import { parseReference } from "../../src/core/oci/reference.ts";
import { HEAD_TAG } from "../../src/core/tags/names.ts";
import { DEFAULT_TAG_DEMAND } from "../../src/core/tags/signed-tag.ts";
import { openRegistry } from "../../src/io/registry/store.ts";
import { openSignedTags } from "../../src/io/tags/client.ts";
import type { Fault } from "../../src/testbed/faults.ts";
import { type Registry, startRegistry } from "../../src/testbed/registry.ts";
import { TestClock } from "../support/registry-client.ts";
import { IMAGE, MemoryPins, NOW, OTHER, TagRepository } from "../support/tag-repository.ts";
import { temporaryFolder } from "../support/temp.ts";
import { FAULTS } from "./every-request.ts";

const NAME = "acme/app";
/** So many that the head does not carry its files: they are asked for one by one. */
const TAGS = 150;

/** A repository with signed tags in the embedded registry, and what clients know of it. */
class Stage {
  readonly registry: Registry;
  readonly repo: TagRepository;
  readonly #folder: string;
  readonly #pins = new MemoryPins();
  #clients = 0;

  private constructor(registry: Registry, folder: string) {
    this.registry = registry;
    this.#folder = folder;
    this.repo = new TagRepository({ gun: `${registry.address}/${NAME}` });
    for (let at = 0; at < TAGS; at++) this.repo.bind(`v${at}`, OTHER);
  }

  static async open(folder: string): Promise<Stage> {
    const stage = new Stage(await startRegistry(), folder);
    stage.release(IMAGE);
    await stage.#pins.put(stage.repo.pin(1, { gun: `${stage.registry.address}/${NAME}` }));
    return stage;
  }

  /** Binds `1.0` anew and publishes it. */
  release(digest: Digest): void {
    const { store } = this.repo.bind("1.0", digest).release();
    const { control } = this.registry;
    for (const bytes of store.blobs.values()) control.putBlob(NAME, bytes);
    for (const { bytes, mediaType } of store.manifests.values()) control.putManifest(NAME, bytes, mediaType);
    control.moveTag(NAME, HEAD_TAG, this.repo.head ?? ("" as Digest));
  }

  /** A client's folder: a new one, or with what another client knows. */
  async client(like?: string): Promise<string> {
    const folder = join(this.#folder, `client-${++this.#clients}`);
    if (like !== undefined) await cp(like, folder, { recursive: true });
    return folder;
  }

  /** What the client says that `1.0` is: nothing but the tag's binding is ever an answer. */
  async ask(stateFolder: string, idleMs?: number): Promise<Digest | CountersignError> {
    const options = {
      env: {},
      homeDirectory: "/nonexistent",
      certificateFolders: [],
      clock: new TestClock(),
      tries: 2,
    };
    const reference = parseReference(`${this.registry.address}/${NAME}:1.0`);
    const store = openRegistry(reference, { ...options, ...(idleMs === undefined ? {} : { idleMs }) });
    const tags = openSignedTags({ pins: this.#pins, stateFolder, now: NOW });
    try {
      const answer = await tags.resolve({ store, tag: "1.0", digest: undefined, demand: DEFAULT_TAG_DEMAND });
      assert.ok(answer.signedTag, "a root is pinned: an answer without a signed tag is none");
      return answer.signedTag.binding.digest;
    } catch (thrown) {
      if (thrown instanceof CountersignError) return thrown;
      throw thrown;
    } finally {
      await store.close();
    }
  }

  requests(): readonly string[] {
    return this.registry.requests.map(({ method, path }) => `${method} ${path}`);
  }
}

interface Round {
  /** What the client knows before. */
  readonly knows: string | undefined;
  readonly requests: readonly string[];
  readonly wanted: Digest;
  /** What it may answer with instead, while the registry does not answer as it should: what it knows and has not expired. */
  readonly known: Digest | undefined;
}

/** Somebody who was never here, and somebody who knows what was before; both by what is asked when nothing is broken. */
async function goodRounds(stage: Stage): Promise<readonly Round[]> {
  const here = await stage.client();
  assert.equal(await stage.ask(here), IMAGE);
  stage.registry.restart();
  assert.equal(await stage.ask(here), IMAGE);
  assert.equal(stage.requests().length, 1, "nothing is new");
  stage.release(OTHER);
  const round = async (knows: string | undefined, known: Digest | undefined): Promise<Round> => {
    stage.registry.restart();
    assert.equal(await stage.ask(await stage.client(knows)), OTHER);
    return { knows, requests: [...new Set(stage.requests())], wanted: OTHER, known };
  };
  return [await round(undefined, undefined), await round(here, IMAGE)];
}

async function tryOnce(stage: Stage, fault: Fault, { knows, wanted, known }: Round, request: string): Promise<void> {
  const client = await stage.client(knows);
  stage.registry.faults.when(({ method, path }) => `${method} ${path}` === request, fault);
  const outcome = await stage.ask(client, fault.kind === "stall" ? 50 : undefined);
  stage.registry.faults.clear();
  const where = `${knows === undefined ? "never here" : "here before"}: ${request}`;
  if (outcome instanceof CountersignError) assert.match(outcome.class, /^(refused|undetermined|credentials)$/, where);
  else assert.ok(outcome === wanted || outcome === known, `${where}: ${outcome}`);
  assert.equal(await stage.ask(client), wanted, `${where}, then nothing`);
}

describe("a signed tag, resolved while one request goes wrong in every way", { concurrency: 8 }, () => {
  for (const [what, { fault }] of Object.entries(FAULTS)) {
    it(`${what}: the signed digest, or an error with a reason; and the next run is right`, async (t) => {
      const stage = await Stage.open(await temporaryFolder(t));
      t.after(() => stage.registry.close());
      const rounds = await goodRounds(stage);
      assert.deepEqual(
        rounds.map(({ requests }) => requests.length),
        [4, 3],
      );
      for (const round of rounds) for (const request of round.requests) await tryOnce(stage, fault, round, request);
    });
  }
});
