import { CountersignError } from "../core/errors.ts";
import { STRICT_CEILINGS, STRICT_LIFETIMES, USUAL_CEILINGS, USUAL_LIFETIMES } from "../core/tags/lifetimes.ts";
import { HEAD_TAG, type TopLevelRole } from "../core/tags/names.ts";
import type { RoleSigner } from "../core/tags/write.ts";
import type { Instant } from "../core/time.ts";
import { systemClock } from "../io/http/clock.ts";
import type { KeyRing, NamedRoleKey, NewRoleKey } from "../io/tags/key-ring.ts";
import { PinsOnDisk } from "../io/tags/pins.ts";
import { type InitWish, initTrust, type RoleKeysWish } from "../ops/tags/init.ts";
import { type InitAddition, initDocument, initText } from "../report/tags/administration.ts";
import type { Context } from "./context.ts";
import { openWiring } from "./images.ts";
import { flag, list, number, type RawOptions, readRegistryOptions, text } from "./options.ts";
import type { Output } from "./output.ts";
import { requireYes } from "./tags-consent.ts";
import { openRepository, pinsPlace, type Repository, readRepository } from "./tags-repository.ts";
import { openRing } from "./tags-ring.ts";

/** `countersign trust init REPO`. */
export async function initTags(context: Context, output: Output, name: string, raw: RawOptions): Promise<void> {
  const { gun, reference } = readRepository(name);
  const flags = readInitFlags(raw);
  const place = pinsPlace(context, raw);
  // A file that is named and is not there yet is made.
  const pins = new PinsOnDisk({ ...place, isNamed: false });
  await requireNoOtherPin(pins, place.label, gun);
  const wiring = await openWiring(context, output, readRegistryOptions(raw), [
    gun,
    ...(flags.location === undefined ? [] : [flags.location.gun]),
  ]);
  try {
    const store = await openRepository(wiring, flags.location ?? { reference }, "write");
    if (flags.makesKeys) await agree(context, gun, flags.yes);
    const ring = openRing(context, output);
    const keys = await roleKeys(ring, gun, flags, context.referenceTime);
    const result = await initTrust({
      store,
      gun,
      head: HEAD_TAG,
      aliases: flags.aliases,
      roles: keys.roles,
      lifetimes: flags.strict ? STRICT_LIFETIMES : USUAL_LIFETIMES,
      ceilings: flags.strict ? STRICT_CEILINGS : USUAL_CEILINGS,
      now: context.referenceTime,
      settle: settleWhere(flag(raw, "settle"), context, output),
      keep: keys.keep,
    });
    const { location } = flags;
    await pins.put(location === undefined ? result.pin : { ...result.pin, location: location.gun });
    const addition: InitAddition = {
      keyFolder: keys.makesKeys ? ring.folder : undefined,
      pinsFile: place.label,
      cautions: cautionsOf(keys.roles.root),
    };
    await output.result({
      text: (style) => initText(result, addition, context.referenceTime, style),
      json: () => initDocument(result, addition),
    });
  } finally {
    await wiring.close();
  }
}

/** Says what it waits for. */
export function settleWhere(isWanted: boolean, { signal }: Context, output: Output): InitWish["settle"] {
  if (!isWanted) return undefined;
  return async (milliseconds) => {
    const seconds = Math.ceil(milliseconds / 1000);
    output.note(`countersign: looking again in ${seconds} s whether somebody else has set it up in this moment`);
    await systemClock.sleep(milliseconds, signal);
  };
}

interface InitFlags {
  readonly rootKeys: readonly string[];
  readonly threshold: number;
  readonly targetsKey: string | undefined;
  readonly onlineKey: string | undefined;
  readonly aliases: readonly string[];
  readonly location: Repository | undefined;
  readonly strict: boolean;
  readonly yes: boolean;
  /** Some of the keys are not named. */
  readonly makesKeys: boolean;
}

function readInitFlags(raw: RawOptions): InitFlags {
  const rootKeys = list(raw, "rootKey");
  const [targetsKey, onlineKey, location] = [text(raw, "targetsKey"), text(raw, "onlineKey"), text(raw, "location")];
  return {
    rootKeys,
    threshold: number(raw, "threshold") ?? 1,
    targetsKey,
    onlineKey,
    aliases: list(raw, "alias").map((name) => readRepository(name).gun),
    location: location === undefined ? undefined : readRepository(location),
    strict: flag(raw, "strict"),
    yes: flag(raw, "yes"),
    makesKeys: rootKeys.length === 0 || targetsKey === undefined || onlineKey === undefined,
  };
}

/** A pin is somebody's decision: setting up anew must not pass over it. */
async function requireNoOtherPin(pins: PinsOnDisk, label: string, gun: string): Promise<void> {
  const pin = await pins.find(gun);
  if (pin === undefined) return;
  throw new CountersignError("destination-exists", `a root of ${gun} is pinned here already`, {
    found: `${pin.root} in ${label}`,
    wanted: "no pin",
    next: `if it was set up before and is gone for good: countersign trust pin --remove ${gun}, then set it up anew`,
  });
}

async function agree(context: Context, gun: string, yes: boolean): Promise<void> {
  const lines = [
    `New keys will decide what the tags of ${gun} stand for.`,
    "Without the root key nothing can be renewed, ever: keep a copy of it in another place.",
  ];
  await requireYes(context, { lines, question: "Make keys and set up signed tags?" }, yes);
}

interface InitKeys {
  readonly roles: Readonly<Record<TopLevelRole, RoleKeysWish>>;
  readonly makesKeys: boolean;
  /** Written down before anything is published. */
  readonly keep: () => Promise<void>;
}

/** Passphrases are asked for here, one after the other, before anything is sent. */
async function roleKeys(ring: KeyRing, gun: string, flags: InitFlags, now: Instant): Promise<InitKeys> {
  const kept: (NewRoleKey | NamedRoleKey)[] = [];
  const signerFor = async (name: string, reference: string | undefined): Promise<RoleSigner> => {
    const purpose = { name, gun };
    const key = await (reference === undefined ? ring.generate(purpose, now) : ring.name(reference, purpose, now));
    kept.push(key);
    return key;
  };
  const root: RoleSigner[] = [];
  for (const reference of flags.rootKeys.length === 0 ? [undefined] : flags.rootKeys) {
    root.push(await signerFor("root", reference));
  }
  const targets = await signerFor("targets", flags.targetsKey);
  const online = { signers: [(await signerFor("online", flags.onlineKey)).signer], threshold: 1 };
  return {
    roles: {
      root: { signers: root.map(({ signer }) => signer), threshold: flags.threshold },
      targets: { signers: [targets.signer], threshold: 1 },
      snapshot: online,
      timestamp: online,
    },
    makesKeys: flags.makesKeys,
    keep: async () => {
      for (const key of kept) await key.keep();
    },
  };
}

function cautionsOf({ signers, threshold }: RoleKeysWish): readonly string[] {
  if (threshold > 1) return [];
  return signers.length === 1
    ? ["one root key decides everything: who has it can replace all others, and if it is lost nothing can be renewed"]
    : [`each of the ${signers.length} root keys decides everything by itself: --threshold 2 asks for two of them`];
}
