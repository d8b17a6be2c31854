/** What commands on images that are named elsewhere take. */
export const SOURCE_ARGUMENT =
  "a file or folder with manifests, a list of images, registry://HOST[/PREFIX], cluster://[CONTEXT], or - for standard input";
