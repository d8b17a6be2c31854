import { describeLapse } from "../core/dct/verify.ts";
import { CountersignError } from "../core/errors.ts";
import { explainBriefly } from "../core/explain.ts";
import { STRICT_CEILINGS, STRICT_LIFETIMES, USUAL_CEILINGS, USUAL_LIFETIMES } from "../core/tags/lifetimes.ts";
import { HEAD_TAG } from "../core/tags/names.ts";
import { findDockerKeys } from "../io/notary/key-files.ts";
import { PinsOnDisk } from "../io/tags/pins.ts";
import { migrateTrust } from "../ops/tags/migrate.ts";
import { type MigrationPlan, planMigration } from "../ops/tags/migration-plan.ts";
import { type MigrationReport, migrationDocument, migrationText } from "../report/tags/migration.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { flag, type RawOptions, readRegistryOptions } from "./options.ts";
import type { Output } from "./output.ts";
import { requireYes } from "./tags-consent.ts";
import { DockerKeys } from "./tags-docker-keys.ts";
import { type DockerData, type DockerSource, readDockerData, readDockerSource } from "./tags-docker-source.ts";
import { settleWhere } from "./tags-init-action.ts";
import {
  MigrationKeyChoice,
  type MigrationKeyFlags,
  type MigrationKeys,
  readMigrationKeyFlags,
} from "./tags-migrate-keys.ts";
import { rolePassphrases } from "./tags-passphrase.ts";
import { openRepository, pinsPlace, readRepository } from "./tags-repository.ts";
import { openRing } from "./tags-ring.ts";

/** `countersign trust migrate REPO --from-notary URL | --from-dct`. */
export async function migrateTags(context: Context, output: Output, name: string, raw: RawOptions): Promise<void> {
  requireOneSource(raw);
  const repository = readRepository(name);
  const source = readDockerSource(context, raw);
  const flags = readMigrationKeyFlags(raw);
  const place = pinsPlace(context, raw);
  const pins = new PinsOnDisk({ ...place, isNamed: false });
  await requireNoPin(pins, place.label, repository.gun);
  const wiring = await openWiring(context, output, readRegistryOptions(raw), [repository.gun]);
  try {
    const store = await openRepository(wiring, repository, "write");
    const data = await readDockerData(context, wiring, source, repository);
    const plan = await planMigration(data.repository, store);
    if (source.server === undefined) requireTags(plan, data);
    const report = reportOf(data, plan);
    if (flag(raw, "dryRun")) return await say(context, output, report);
    await agree(context, report, flag(raw, "yes"));
    const { keys, ring } = await chooseKeys(context, output, source, flags, data, plan);
    const strict = flag(raw, "strict");
    const result = await migrateTrust({
      ...{ plan, ring, store },
      head: HEAD_TAG,
      aliases: [],
      roles: keys.roles,
      vouchers: keys.vouchers,
      lifetimes: strict ? STRICT_LIFETIMES : USUAL_LIFETIMES,
      ceilings: strict ? STRICT_CEILINGS : USUAL_CEILINGS,
      now: context.referenceTime,
      settle: settleWhere(flag(raw, "settle"), context, output),
      keep: async () => {
        for (const made of keys.made) await made.keep();
      },
    });
    await pins.put(result.init.pin);
    const { hasContinuity, origins } = keys;
    const done = { ...result, hasContinuity, origins, keyFolder: ring.folder, pinsFile: place.label };
    await say(context, output, { ...report, done });
  } finally {
    await wiring.close();
  }
}

/** @throws CountersignError `usage`. */
function requireOneSource(raw: RawOptions): void {
  const isServer = raw["fromNotary"] !== undefined;
  const isLocal = flag(raw, "fromDct");
  if (isServer !== isLocal) return;
  throw new CountersignError("usage", isServer ? "there are two sources" : "no source is named", {
    wanted: "--from-notary URL for a Notary server, or --from-dct for what Docker kept on this machine",
  });
}

async function requireNoPin(pins: PinsOnDisk, label: string, gun: string): Promise<void> {
  const pin = await pins.find(gun);
  if (pin === undefined) return;
  throw new CountersignError("destination-exists", `a root of ${gun} is pinned here already`, {
    found: `${pin.root} in ${label}`,
    wanted: "no pin",
    next: `look at what is there: countersign trust inspect ${gun}`,
  });
}

/** Docker keeps what it has read, not what it has just pushed: an empty list is an old one. */
function requireTags({ gun, tags }: MigrationPlan, { location }: DockerData): void {
  if (tags.length > 0) return;
  throw new CountersignError("signed-tags-missing", "what Docker kept of this repository lists no tag", {
    found: location,
    wanted: "at least one signed tag",
    next: `have Docker read it once more, docker trust inspect ${gun}, or take it from the server with --from-notary`,
  });
}

function reportOf(data: DockerData, plan: MigrationPlan): MigrationReport {
  const { repository, location, anchor, lapses } = data;
  return {
    plan,
    source: { location, anchor, rootVersion: repository.root.version, lapses: lapses.map(describeLapse) },
    done: undefined,
  };
}

/** People look over what they are about to sign: what the tags stood for, and what does not come along. */
async function agree(context: Context, { plan, source }: MigrationReport, yes: boolean): Promise<void> {
  const tags = plan.tags.filter(({ state }) => state !== "gone");
  const lines = [
    `${plan.gun}, by root ${source.rootVersion} of Docker Content Trust (${source.location}):`,
    ...tags.map(({ tag, digest, signers }) => `  ${tag} is ${digest}, by ${signers.join(" ") || "Repo Admin"}`),
    ...source.lapses.map((lapse) => `  warning: ${lapse}`),
    ...plan.notices.map((notice) => `  warning: ${explainBriefly(notice)}`),
  ];
  await requireYes(context, { lines, question: "Sign all of this, and set up signed tags?" }, yes);
}

async function chooseKeys(
  context: Context,
  output: Output,
  { trustFolder }: DockerSource,
  flags: MigrationKeyFlags,
  { repository }: DockerData,
  plan: MigrationPlan,
): Promise<{ readonly keys: MigrationKeys; readonly ring: ReturnType<typeof openRing> }> {
  const ask = rolePassphrases(context);
  const ring = openRing(context, output, ask);
  const docker = new DockerKeys(context, output, await findDockerKeys(trustFolder), ask);
  const choice = new MigrationKeyChoice(context, ring, docker, flags, repository.gun);
  return { keys: await choice.choose(repository, plan), ring };
}

async function say(context: Context, output: Output, report: MigrationReport): Promise<void> {
  await output.result({
    text: (style) => migrationText(report, context.referenceTime, style),
    json: () => migrationDocument(report),
  });
}
