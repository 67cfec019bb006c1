//! `cvae-gpu man`

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::cli::terminal;
use anyhow::Context;
use clap::builder::Resettable;
use clap::{Args, Command, ValueHint};
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};

use super::output::Output;
use super::paths;
use crate::cli::common::Common;

/// Print the manual page, or write the pages of all commands into a folder
#[derive(Args)]
#[command(after_help = "\
Examples:
  cvae-gpu man > cvae-gpu.1
  cvae-gpu man --out ~/.local/share/man/man1     then: man cvae-gpu-train")]
pub struct ManArgs {
    /// Folder for cvae-gpu.1, cvae-gpu-train.1 and so on, one page per command
    #[arg(long, value_name = "DIR", value_parser = paths::folder(), value_hint = ValueHint::DirPath)]
    out: Option<PathBuf>,
}

impl ManArgs {
    /// Writes the pages of `program`.
    pub fn run(self, program: Command, common: &Common) -> anyhow::Result<()> {
        let mut command = program.disable_help_subcommand(true);
        command.build();
        let Some(folder) = self.out else {
            return Ok(terminal::write_bytes(&page(&command)?.1)?);
        };
        fs::create_dir_all(&folder).with_context(|| {
            format!(
                "cannot make the folder {}; check the path and its permissions",
                folder.display()
            )
        })?;
        let mut pages = Vec::new();
        collect(&command, &folder, &mut pages)?;
        let files = pages.iter().map(|(path, _)| path.as_path());
        let mut output = Output::new(common, false, files, &[])?;
        for (path, text) in &pages {
            output.write(path, text)?;
        }
        output.commit()?;
        Ok(())
    }
}

/// The pages of a command and of its subcommands.
fn collect(
    command: &Command,
    folder: &Path,
    pages: &mut Vec<(PathBuf, Vec<u8>)>,
) -> io::Result<()> {
    let (name, text) = page(command)?;
    pages.push((folder.join(name), text));
    let mut below = command.get_subcommands().filter(|c| !c.is_hide_set());
    below.try_for_each(|command| collect(command, folder, pages))
}

/// The file name and the text of a page. The generator would join the lines of the examples, so they
/// get a section of their own.
fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let more = command.get_after_help().map(ToString::to_string);
    let man = Man::new(command.clone().after_help(Resettable::Reset))
        .source(concat!("cvae-gpu ", env!("CARGO_PKG_VERSION")))
        .manual("User Commands");
    let mut text = Vec::new();
    man.render(&mut text)?;
    let more = more.unwrap_or_default();
    let mut roff = Roff::new();
    for (i, paragraph) in more.split("\n\n").filter(|p| !p.is_empty()).enumerate() {
        let is_example = paragraph.starts_with("Example");
        match i {
            _ if is_example => roff.control("SH", ["EXAMPLES"]),
            1 => roff.control("SH", ["NOTES"]),
            _ => roff.control("PP", []),
        };
        if is_example {
            roff.control("nf", []);
        }
        for line in paragraph.lines().skip(usize::from(is_example)) {
            roff.text([roman(line)]);
        }
        if is_example {
            roff.control("fi", []);
        }
    }
    roff.to_writer(&mut text)?;
    Ok((man.get_filename(), text))
}
