//! `cvae-gpu completions`

use crate::cli::terminal;
use clap::{Args, Command};
use clap_complete::Shell;

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

impl CompletionsArgs {
    /// Writes the script for `program`.
    pub fn run(self, program: &Command) -> anyhow::Result<()> {
        let mut command = visible(program);
        let name = command.get_name().to_owned();
        // Into memory, since the generator panics on a closed pipe.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command, name, &mut script);
        let mut script = String::from_utf8(script)?;
        if self.shell == Shell::Bash {
            // The script spells a name with a hyphen in two ways:
            // https://github.com/clap-rs/clap/issues/6421
            script = script.replace("cvae__subcmd__gpu", "cvae__gpu");
        }
        Ok(terminal::write_bytes(script.as_bytes())?)
    }
}

/// The command without its hidden options, which the generators would complete.
fn visible(command: &Command) -> Command {
    let arguments = command.get_arguments().filter(|a| !a.is_hide_set());
    let shown = Command::new(command.get_name().to_owned())
        .about(command.get_about().cloned().unwrap_or_default())
        .args(arguments.cloned())
        .subcommands(command.get_subcommands().map(visible));
    match command.get_version() {
        Some(version) => shown.version(version.to_owned()),
        None => shown,
    }
}
