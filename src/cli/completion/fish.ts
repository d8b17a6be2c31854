import { type Completable, type CompletableCommand, everyCompletable, shellQuote } from "./tree.ts";

export function fishScript(root: CompletableCommand): string {
  const commands = everyCompletable(root);
  const below = commands.filter((command) => command !== root).map((command) => quote(command.path));
  return `# fish completion for ${root.name}: source it, or install it in fish's completions folder
function __${root.name}_at
    set -l path ${root.name}
    for word in (commandline -opc)[2..]
        if contains -- "$path $word" ${below.join(" ")}
            set path "$path $word"
        end
    end
    test "$path" = "$argv[1]"
end
complete -c ${root.name} -f
${commands.flatMap((command) => commandLines(root.name, command)).join("\n")}
`;
}

function commandLines(name: string, command: CompletableCommand): readonly string[] {
  const prefix = `complete -c ${name} -n ${quote(`__${name}_at ${quote(command.path)}`)}`;
  return [
    ...command.children.map((child) => `${prefix} -a ${quote(child.name)} -d ${quote(child.summary)}`),
    ...command.arguments.flatMap((argument) => argumentLine(prefix, argument)),
    ...command.flags.map(({ names, description, value }) => {
      const spelled = names.map((one) => (one.startsWith("--") ? `-l ${one.slice(2)}` : `-s ${one.slice(1)}`));
      return `${prefix} ${spelled.join(" ")}${value === undefined ? "" : valueFlags(value)} -d ${quote(description)}`;
    }),
  ];
}

function argumentLine(prefix: string, argument: Completable): readonly string[] {
  if (argument.kind === "choice") return [`${prefix} -a ${quote(argument.choices.join(" "))}`];
  return argument.kind === "file" ? [`${prefix} -F`] : [];
}

function valueFlags(value: Completable): string {
  if (value.kind === "choice") return ` -x -a ${quote(value.choices.join(" "))}`;
  return value.kind === "file" ? " -r -F" : " -x";
}

/** In fish's single quotes the backslash escapes itself and the quote. */
function quote(text: string): string {
  return shellQuote(text.replaceAll("\\", "\\\\"));
}
