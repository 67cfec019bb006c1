//! `cvae-gpu completions`

use crate::cli::terminal;
use clap::builder::PossibleValuesParser;
use clap::{Arg, Args, Command, ValueHint};
use clap_complete::Shell;
use cvae_gpu::data::known;
use cvae_gpu::ops;
use cvae_gpu::train::preset;

/// Print a shell's script that completes commands, options and their values
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu completions fish > ~/.config/fish/completions/cvae-gpu.fish
  cvae-gpu completions zsh > ~/.zfunc/_cvae-gpu         a folder of $fpath
  cvae-gpu completions powershell >> $PROFILE
  source <(cvae-gpu completions bash)                   in ~/.bashrc")]
pub struct CompletionsArgs {
    /// Shell to write for
    #[arg(value_enum)]
    shell: Shell,
}

/// Prints the indices of the adapters.
const INDICES: &str = "cvae-gpu devices 2>/dev/null | cut -c1-5 | grep -o '[0-9][0-9]*'";
/// Stands for them in a generated script.
const INDEX: &str = "ADAPTER_INDEX";

/// Values that the parser does not know, because others are valid too.
enum Open {
    /// Names, or paths.
    NamesOrFiles(Vec<&'static str>),
    Names(Vec<&'static str>),
    /// The indices of the adapters.
    Adapters,
}

impl Open {
    /// Those of an argument, by its name in every command.
    fn of(arg: &Arg) -> Option<Open> {
        Some(match arg.get_id().as_str() {
            "data" | "source" => Open::NamesOrFiles(sets()),
            "arch" => Open::NamesOrFiles(presets()),
            "print" => Open::Names(ops::sources().iter().map(|s| s.name).collect()),
            "adapter" => Open::Adapters,
            _ => return None,
        })
    }

    fn values(self) -> Vec<&'static str> {
        match self {
            Open::NamesOrFiles(names) | Open::Names(names) => names,
            Open::Adapters => vec![INDEX],
        }
    }
}

fn sets() -> Vec<&'static str> {
    known::KNOWN.iter().map(|set| set.name).collect()
}

fn presets() -> Vec<&'static str> {
    preset::PRESETS.iter().map(|preset| preset.name).collect()
}

impl CompletionsArgs {
    /// Writes the script for `program`.
    pub fn run(self, program: &Command) -> anyhow::Result<()> {
        let mut command = visible(program);
        let name = command.get_name().to_owned();
        // Into memory, since the generator panics on a closed pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        let script = opened(self.shell, String::from_utf8(script)?);
        Ok(terminal::write_bytes(script.as_bytes())?)
    }
}

/// The command without its hidden options, which the generators would complete, and with open values.
fn visible(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|a| !a.is_hide_set());
    let shown = Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .args(arguments.cloned().map(valued))
        .subcommands(command.get_subcommands().map(visible));
    match command.get_version() {
        Some(version) => shown.version(version.to_owned()),
        None => shown,
    }
}

/// The argument with its open values. Numbers and the like complete to nothing, not to files.
fn valued(arg: Arg) -> Arg {
    let hint = arg.get_value_hint();
    let is_closed = !arg.get_possible_values().is_empty();
    match Open::of(&arg) {
        Some(open) => arg.value_parser(PossibleValuesParser::new(open.values())),
        None if is_closed || hint != ValueHint::Unknown => arg,
        None if !arg.get_action().takes_values() => arg,
        None => arg.value_hint(ValueHint::Other),
    }
}

/// The generated script with files beside names, and with a call for the indices of the adapters.
///
/// The generators take either names or files. Bash needs no change: where no name fits, it takes files.
fn opened(shell: Shell, script: String) -> String {
    let mixed = [sets(), presets()];
    match shell {
        // The script spells a name with a hyphen in two ways:
        // https://github.com/clap-rs/clap/issues/6421
        Shell::Bash => script
            .replace("cvae__subcmd__gpu", "cvae__gpu")
            .replace(INDEX, &format!("$({INDICES})")),
        Shell::Zsh => {
            // The specifications of arguments are in single quotes.
            let indices = INDICES.replace('\'', "\"");
            let script = script.replace(
                &format!("({INDEX})"),
                &format!("{{compadd -- $({indices})}}"),
            );
            mixed.iter().fold(script, |script, names| {
                let names = names.join(" ");
                script.replace(
                    &format!(":({names})"),
                    &format!(":{{compadd -- {names}; _files}}"),
                )
            })
        }
        Shell::Fish => {
            let script = script.replace(&format!("{INDEX}\\t''"), &format!("({INDICES})"));
            mixed.iter().fold(script, |script, names| {
                let first = names.first().unwrap_or(&"");
                script.replace(
                    &format!(" -r -f -a \"{first}\\t"),
                    &format!(" -r -F -a \"{first}\\t"),
                )
            })
        }
        _ => script,
    }
}
