import { type Command, Option } from "commander";
import { CountersignError } from "../core/errors.ts";
import type { Digest } from "../core/oci/digest.ts";
import type { ContentStore } from "../core/ports.ts";
import type { TagStatement } from "../core/results.ts";
import type { SignTagsResult } from "../core/tags/publish-results.ts";
import type { Wiring } from "../wire.ts";
import type { Context } from "./context.ts";
import { collect, flag, grouped, list, type RawOptions } from "./options.ts";
import type { Output } from "./output.ts";

const STATEMENT_GROUP = "Signed tags:";

/** On commands that sign images and may sign their tags in the same step. */
export function addTagStatementOptions(command: Command): Command {
  return grouped(command, STATEMENT_GROUP, [
    new Option(
      "--tag-statement",
      "sign that the tag means this image too, by the repository's signed tags and the role keys of this machine",
    ),
    new Option(
      "--tag-key <key>",
      "with --tag-statement, sign the tag with this role key as well (repeatable)",
    ).argParser(collect),
  ]);
}

/** The tags that are to be signed, one for each image. @throws CountersignError `usage` where an image names none. */
export function readTagStatements(raw: RawOptions, images: readonly string[]): boolean {
  const isWanted = flag(raw, "tagStatement");
  if (!isWanted && list(raw, "tagKey").length > 0) {
    throw new CountersignError("usage", "--tag-key says who signs a tag", {
      found: "--tag-key alone",
      wanted: "--tag-statement too",
    });
  }
  if (!isWanted) return false;
  if (raw["platform"] !== undefined) {
    throw new CountersignError("usage", "a tag means an image with all of its platforms", {
      found: "--tag-statement and --platform",
      wanted: "no platform",
    });
  }
  const nameless = images.find((image) => !isTagNamed(image));
  if (nameless === undefined) return true;
  throw new CountersignError("usage", "--tag-statement signs what a tag means, and none is named", {
    found: nameless,
    wanted: "registry/repository:tag, with or without a digest",
  });
}

/** In a registry, with the tag written out: `latest` is not signed because somebody said nothing. */
function isTagNamed(image: string): boolean {
  if (/^(?:oci|oci-archive|docker-archive|docker-daemon):/.test(image)) return false;
  const [name = ""] = image.split("@");
  return name.slice(name.lastIndexOf("/") + 1).includes(":");
}

/** Signs what the tag of an image means. @throws CountersignError as `signTags`; `publish-staged`, `write-unconfirmed`. */
export type StateTag = (image: string, store: ContentStore, digest: Digest) => Promise<TagStatement>;

interface Surroundings {
  readonly context: Context;
  readonly output: Output;
  readonly wiring: Wiring;
  readonly raw: RawOptions;
}

/** Opens the keys of this machine. What publishes signed tags is loaded for it alone. @throws CountersignError as `loadSigner`. */
export async function openTagStatement({ context, output, wiring, raw }: Surroundings): Promise<StateTag> {
  const [{ openRing }, { openPublisher }, { readNamedTag }, { signTags }] = await Promise.all([
    import("./tags-ring.ts"),
    import("./tags-publisher.ts"),
    import("./tags-repository.ts"),
    import("../ops/tags/sign.ts"),
  ]);
  const ring = openRing(context, output);
  for (const key of list(raw, "tagKey")) await ring.use(key, { name: "signer" });
  return async (image, store, digest) => {
    const named = readNamedTag(image);
    const { tag = "" } = named;
    const publisher = await openPublisher({ context, output, wiring, raw, ring }, named);
    const result = await signTags(publisher, { images: store, tags: [tag], digest });
    return toStatement(tag, result);
  };
}

/** What only waits is not signed yet: nobody who asks for the tag would get the image. */
function toStatement(tag: string, { tags, isChanged, publication, warnings }: SignTagsResult): TagStatement {
  if (publication.state === "staged") {
    const { code, message, found, wanted, next } = publication.finding;
    throw new CountersignError(code, message, { found, wanted, next });
  }
  if (publication.state === "pending") {
    const { role, open, missing } = publication.waiting;
    throw new CountersignError("publish-staged", `the tag ${tag} is not signed by enough of ${role}`, {
      found: `${missing} more wanted`,
      wanted: `signatures by ${missing} of ${open.join(", ")}`,
    });
  }
  const [shadow] = warnings;
  if (shadow !== undefined) throw new CountersignError(shadow.code, shadow.message, shadow);
  const roles = tags.find((one) => one.tag === tag)?.roles ?? [];
  return { tag, roles, state: isChanged ? "bound" : "unchanged" };
}
