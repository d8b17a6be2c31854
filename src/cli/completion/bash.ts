import { type Completable, type CompletableCommand, everyCompletable, shellQuote } from "./tree.ts";

/** Needs nothing but bash 3.2: no bash-completion package. */
export function bashScript(root: CompletableCommand): string {
  const commands = everyCompletable(root);
  const below = commands.filter((command) => command !== root).map((command) => shellQuote(command.path));
  return `# bash completion for ${root.name}: source it, or install it in bash-completion's folder
_${root.name}() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path=${root.name} word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "$path $word" in
      ${below.join("|")}) path="$path $word" ;;
    esac
  done
  COMPREPLY=()
  case "$path $prev" in
${commands.flatMap(valueCases).join("\n")}
  esac
  case $path in
${commands.map(wordCase).join("\n")}
  esac
}
complete -o default -F _${root.name} ${root.name}
`;
}

/** After a flag that takes a value, only its values are offered; \`-o default\` offers files where there are none. */
function valueCases(command: CompletableCommand): readonly string[] {
  return command.flags.flatMap(({ names, value }) => {
    if (value === undefined) return [];
    const patterns = names.map((name) => shellQuote(`${command.path} ${name}`)).join("|");
    return [`    ${patterns}) ${reply(value)}return ;;`];
  });
}

function reply(value: Completable): string {
  if (value.kind === "choice") return `COMPREPLY=($(compgen -W ${shellQuote(value.choices.join(" "))} -- "$cur")); `;
  return value.kind === "file" ? "" : "compopt +o default 2>/dev/null; ";
}

function wordCase(command: CompletableCommand): string {
  const flags = command.flags.flatMap((flag) => flag.names);
  const choices = command.arguments.flatMap((argument) => (argument.kind === "choice" ? argument.choices : []));
  const words = [...command.children.map((child) => child.name), ...choices];
  return `    ${shellQuote(command.path)})
      if [[ $cur == -* ]]; then COMPREPLY=($(compgen -W ${shellQuote(flags.join(" "))} -- "$cur"))
      else COMPREPLY=($(compgen -W ${shellQuote(words.join(" "))} -- "$cur")); fi ;;`;
}
