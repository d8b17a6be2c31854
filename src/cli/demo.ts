import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CountersignError, type Finding, toFinding } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import type { ReasonCode } from "../core/reasons.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { formatDocument } from "../report/json.ts";
import type { Style } from "../report/style.ts";
import type { Context } from "./context.ts";
import { DemoWorld } from "./demo-world.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** One thing that is shown, and what must come of it. */
interface Scene {
  readonly title: string;
  /** What happens, in one sentence, before the outcome. */
  readonly story: string;
  readonly expected: "accepted" | ReasonCode;
  readonly play: (world: DemoWorld) => Promise<readonly Verdict[] | Finding>;
}

interface Played {
  readonly scene: Scene;
  readonly outcome: "accepted" | Finding;
}

const BEFORE: readonly Scene[] = [
  {
    title: "verify",
    story: "the image was made, pushed and signed; a consumer with the public key looks",
    expected: "accepted",
    play: async (world) => world.verify(await world.publish("shop/app", "1.0")),
  },
  {
    title: "pull",
    story: "verified first, then fetched by digest, every byte hashed on the way",
    expected: "accepted",
    play: async (world) => world.pull(await world.publish("shop/app", "1.0")),
  },
];

const TAMPERING: readonly Scene[] = [
  {
    title: "a changed layer",
    story: "somebody changes one byte of a layer on the registry's disk",
    expected: "digest-mismatch",
    play: async (world) => {
      const image = await world.publish("shop/layer", "1.0");
      await world.flipByte(image.layer);
      return world.pull(image);
    },
  },
  {
    title: "a changed manifest",
    story: "the registry serves another manifest under the digest that was signed",
    expected: "digest-mismatch",
    play: async (world) => {
      const image = await world.publish("shop/manifest", "1.0");
      await world.flipByte(image.manifest);
      return world.verify({ ...image, byDigest: true });
    },
  },
  {
    title: "a moved tag",
    story: "somebody with push rights points the tag at an image of their own",
    expected: "unsigned",
    play: async (world) => {
      const image = await world.publish("shop/tag", "1.0");
      await world.pushOver(image);
      return world.verify(image);
    },
  },
  {
    title: "a stripped signature",
    story: "the signature is deleted from the registry",
    expected: "unsigned",
    play: async (world) => {
      const image = await world.publish("shop/stripped", "1.0");
      world.strip(image);
      return world.verify(image);
    },
  },
  {
    title: "another key",
    story: "the image is signed, but by somebody else",
    expected: "wrong-key",
    play: async (world) => world.verify(await world.publishAsStranger("shop/stranger", "1.0")),
  },
  {
    title: "a copied signature",
    story: "the publisher's signature of another image is attached to this one",
    expected: "wrong-digest",
    play: async (world) => world.verify(await world.publishWithCopiedSignature("shop/copied", "1.0")),
  },
  {
    title: "a throttled registry",
    story: "the registry answers 429 when it is asked for signatures: that is not the same as unsigned",
    expected: "throttled",
    play: async (world) => {
      const image = await world.publish("shop/throttled", "1.0");
      world.throttleReferrers();
      return world.verify(image);
    },
  },
];

/** Plays every scene; 1 where one did not end as it must. */
export async function runDemo(context: Context, output: Output): Promise<ExitCode> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-demo-"));
  try {
    await using world = await DemoWorld.open(context, folder);
    const before = await playAll(world, BEFORE);
    const after = await playAll(world, TAMPERING);
    const surprises = [...before, ...after].filter((played) => !isExpected(played));
    await output.result({
      text: (style) => demoText(world.address, before, after, style),
      json: () => formatDocument("demo", { scenes: [...before, ...after].map(sceneMember) }),
    });
    return surprises.length === 0 ? EXIT_CODES.done : EXIT_CODES.refused;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function playAll(world: DemoWorld, scenes: readonly Scene[]): Promise<readonly Played[]> {
  const played: Played[] = [];
  for (const scene of scenes) played.push({ scene, outcome: await playOne(world, scene) });
  return played;
}

async function playOne(world: DemoWorld, scene: Scene): Promise<"accepted" | Finding> {
  try {
    const outcome = await scene.play(world);
    if ("code" in outcome) return outcome;
    return outcome.flatMap((verdict) => verdict.reasons)[0] ?? "accepted";
  } catch (error) {
    if (error instanceof CountersignError && error.class === "interrupted") throw error;
    return toFinding(error);
  }
}

function codeOf({ outcome }: Played): string {
  return outcome === "accepted" ? outcome : outcome.code;
}

function isExpected(played: Played): boolean {
  return codeOf(played) === played.scene.expected;
}

function sceneMember(played: Played): object {
  const { scene } = played;
  return { title: scene.title, expected: scene.expected, outcome: codeOf(played), asExpected: isExpected(played) };
}

function demoText(address: string, before: readonly Played[], after: readonly Played[], style: Style): string {
  const refusals = after.filter(isExpected).length;
  const total = before.length + after.length;
  const expected = [...before, ...after].filter(isExpected).length;
  const ending =
    expected === total
      ? `All ${refusals} kept the door shut. Next: countersign key generate, countersign sign, countersign verify.`
      : `${total - expected} of ${total} did not end as they must. Please report this.`;
  return [
    `A registry at ${address}, a fresh key, everything in memory.`,
    "",
    style.heading("An image is published"),
    ...before.map((played) => sceneText(played, style)),
    "",
    style.heading("Then somebody tampers with it"),
    ...after.map((played) => sceneText(played, style)),
    "",
    ending,
    "",
  ].join("\n");
}

function sceneText(played: Played, style: Style): string {
  const { scene, outcome } = played;
  const title = scene.title.padEnd(22);
  const story = `                ${scene.story}`;
  if (outcome === "accepted")
    return `  ${style.accepted("accepted".padEnd(12))}  ${title}${surprise(played)}\n${story}`;
  const verdict =
    outcome.code === "throttled" ? style.undetermined("undetermined") : style.refused("refused".padEnd(12));
  return `  ${verdict}  ${title}${outcome.code}${surprise(played)}\n${story}\n                ${explainFinding(outcome)}`;
}

function surprise(played: Played): string {
  return isExpected(played) ? "" : `   EXPECTED ${played.scene.expected}`;
}
