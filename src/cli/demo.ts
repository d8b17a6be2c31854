import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Finding, findingUnlessInterrupted } from "../core/errors.ts";
import { explainFinding } from "../core/explain.ts";
import { type ReasonCode, reasonClass } from "../core/reasons.ts";
import type { Verdict } from "../core/verify/verdict.ts";
import { formatDocument } from "../report/json.ts";
import type { Style } from "../report/style.ts";
import type { Context } from "./context.ts";
import { DemoWorld } from "./demo-world.ts";
import { EXIT_CODES, type ExitCode } from "./exit-codes.ts";
import type { Output } from "./output.ts";

/** One thing that is shown: what happens, what one would type to look at it, and what must come of it. */
interface Scene {
  readonly story: string;
  /** Without `countersign`; the registry's address goes before every image. */
  readonly command: (address: string) => string;
  readonly expected: "accepted" | ReasonCode;
  readonly play: (world: DemoWorld) => Promise<readonly Verdict[] | Finding>;
}

interface Played {
  readonly scene: Scene;
  readonly outcome: "accepted" | Finding;
}

const verifying = (image: string) => (address: string) => `verify --key publisher.pub ${address}/${image}`;
const pulling = (image: string) => (address: string) => `pull --key publisher.pub --to oci:out ${address}/${image}`;

const BEFORE: readonly Scene[] = [
  {
    story: "A publisher pushes an image and signs it",
    command: (address) => `sign --key publisher.key ${address}/shop/app:1.0`,
    expected: "accepted",
    play: async (world) => {
      await world.publish("shop/app", "1.0");
      return [];
    },
  },
  {
    story: "A consumer who has the public key verifies it",
    command: verifying("shop/app:1.0"),
    expected: "accepted",
    play: async (world) => world.verify(await world.publish("shop/app", "1.0")),
  },
  {
    story: "and pulls it: verified first, then fetched by digest, every byte hashed on the way",
    command: pulling("shop/app:1.0"),
    expected: "accepted",
    play: async (world) => world.pull(await world.publish("shop/app", "1.0")),
  },
];

const TAMPERING: readonly Scene[] = [
  {
    story: "One byte of a layer is changed on the registry's disk",
    command: pulling("shop/layer:1.0"),
    expected: "digest-mismatch",
    play: async (world) => {
      const image = await world.publish("shop/layer", "1.0");
      await world.flipByte(image.layer);
      return world.pull(image);
    },
  },
  {
    story: "The registry serves another manifest under the digest that was signed",
    command: verifying("shop/manifest@sha256:…"),
    expected: "digest-mismatch",
    play: async (world) => {
      const image = await world.publish("shop/manifest", "1.0");
      await world.flipByte(image.manifest);
      return world.verify({ ...image, byDigest: true });
    },
  },
  {
    story: "Somebody with push rights moves the tag to an image of their own",
    command: verifying("shop/tag:1.0"),
    expected: "unsigned",
    play: async (world) => {
      const image = await world.publish("shop/tag", "1.0");
      await world.pushOver(image);
      return world.verify(image);
    },
  },
  {
    story: "The signature is deleted",
    command: verifying("shop/stripped:1.0"),
    expected: "unsigned",
    play: async (world) => {
      const image = await world.publish("shop/stripped", "1.0");
      world.strip(image);
      return world.verify(image);
    },
  },
  {
    story: "The image is signed, but by somebody else",
    command: verifying("shop/stranger:1.0"),
    expected: "wrong-key",
    play: async (world) => world.verify(await world.publishAsStranger("shop/stranger", "1.0")),
  },
  {
    story: "The publisher's signature of another image is attached to this one",
    command: verifying("shop/copied:1.0"),
    expected: "wrong-digest",
    play: async (world) => world.verify(await world.publishWithCopiedSignature("shop/copied", "1.0")),
  },
  {
    story: "The registry is too busy to say which signatures there are: that is not the same as unsigned",
    command: verifying("shop/busy:1.0"),
    expected: "throttled",
    play: async (world) => {
      const image = await world.publish("shop/busy", "1.0");
      world.throttleReferrers();
      return world.verify(image);
    },
  },
];

/** Plays every scene; 1 where one did not end as it must. */
export async function runDemo(context: Context, output: Output): Promise<ExitCode> {
  const folder = await mkdtemp(join(tmpdir(), "countersign-demo-"));
  try {
    const world = await DemoWorld.open(context, folder);
    const [before, after] = await playBoth(world).finally(() => world.close());
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

async function playBoth(world: DemoWorld): Promise<readonly [readonly Played[], readonly Played[]]> {
  return [await playAll(world, BEFORE), await playAll(world, TAMPERING)];
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
    return findingUnlessInterrupted(error);
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
  return { story: scene.story, expected: scene.expected, outcome: codeOf(played), asExpected: isExpected(played) };
}

function demoText(address: string, before: readonly Played[], after: readonly Played[], style: Style): string {
  const all = [...before, ...after];
  const missed = all.filter((played) => !isExpected(played)).length;
  const scenes = all.map((played, at) => sceneText(played, at + 1, address, style));
  return [
    `A registry at ${address} and a fresh key pair, all in memory. Nothing leaves this machine.`,
    "",
    ...scenes.slice(0, before.length),
    style.heading("Now somebody tampers."),
    "",
    ...scenes.slice(before.length),
    missed === 0
      ? `${before.length} accepted, ${after.length} kept out. To try it yourself: countersign registry serve, and countersign --help.`
      : `${missed} of ${all.length} did not end as they must. Please report this.`,
    "",
  ].join("\n");
}

const INDENT = "    ";

function sceneText(played: Played, number: number, address: string, style: Style): string {
  const { scene, outcome } = played;
  const lines = [
    `${String(number).padStart(2)}  ${style.heading(scene.story)}`,
    `${INDENT}${style.label(`$ countersign ${scene.command(address)}`)}`,
    `${INDENT}${outcomeText(outcome, style)}${isExpected(played) ? "" : `   EXPECTED ${scene.expected}`}`,
  ];
  return `${lines.join("\n")}\n`;
}

function outcomeText(outcome: Played["outcome"], style: Style): string {
  if (outcome === "accepted") return style.accepted("accepted");
  const status = reasonClass(outcome.code) === "refused" ? "refused" : "undetermined";
  return `${style[status](status)}  ${shortenDigests(explainFinding(outcome))}`;
}

/** Enough of a digest to tell two apart on one screen. */
function shortenDigests(text: string): string {
  return text.replace(/(sha256:[0-9a-f]{12})[0-9a-f]{52}/g, "$1…");
}
