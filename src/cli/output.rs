//! Output files of commands: checked before the work, written atomically after it, all or none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cvae_gpu::files::atomic::{self, Staged};
use serde::Serialize;

use crate::cli::common::Common;
use crate::cli::terminal::print_json;

/// The output files of a command.
pub struct Output<'a> {
    common: &'a Common,
    json: bool,
    files: Vec<Staged>,
}

/// The document of `--json`.
#[derive(Serialize)]
struct Written {
    #[serde(skip_serializing_if = "is_zero")]
    images: usize,
    files: Vec<String>,
}

impl<'a> Output<'a> {
    /// Checks that all `files` can be written, are distinct, and are none of the `inputs`.
    pub fn new(
        common: &'a Common,
        json: bool,
        files: &[Option<&Path>],
        inputs: &[&Path],
    ) -> anyhow::Result<Self> {
        let files: Vec<&Path> = files.iter().copied().flatten().collect();
        for (i, file) in files.iter().enumerate() {
            if let Some(input) = inputs.iter().find(|input| is_in(file, input)) {
                let (file, input) = (file.display(), input.display());
                bail!("{file} is an input ({input}) and would be overwritten: name another file");
            }
            if files[..i].iter().any(|other| same(file, other)) {
                bail!(
                    "{} is named for two outputs: name two files",
                    file.display()
                );
            }
            check_writable(file).with_context(|| cannot_write(file))?;
        }
        Ok(Output {
            common,
            json,
            files: Vec::new(),
        })
    }

    /// Writes a temporary file, which [`Output::finish`] commits.
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let staged = atomic::stage(path, |file| file.write_all(bytes));
        self.files.push(staged.with_context(|| cannot_write(path))?);
        Ok(())
    }

    /// Commits all files and prints their names; as JSON with the number of images they show.
    pub fn finish(self, images: usize) -> anyhow::Result<()> {
        let mut files = Vec::new();
        for file in self.files {
            let path = file.path().to_owned();
            file.commit().with_context(|| cannot_write(&path))?;
            self.common.say(&format!("Wrote {}", path.display()));
            files.push(path.display().to_string());
        }
        if !self.json {
            return Ok(());
        }
        print_json(&Written { images, files }, true)
    }
}

fn cannot_write(path: &Path) -> String {
    let hint = "check the path, its permissions and the free space";
    format!("cannot write {}; {hint}", path.display())
}

/// A converted model has no images.
fn is_zero(images: &usize) -> bool {
    *images == 0
}

/// The path without `.`, `..` and links, also of a file that does not exist yet.
fn resolved(path: &Path) -> Option<PathBuf> {
    if let Ok(whole) = fs::canonicalize(path) {
        return Some(whole);
    }
    let folder = Path::new(".").join(path.parent()?);
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

fn same(a: &Path, b: &Path) -> bool {
    resolved(a).is_some_and(|a| Some(a) == resolved(b))
}

/// True if `file` exists and is `input` or is inside it.
fn is_in(file: &Path, input: &Path) -> bool {
    let (file, input) = (fs::canonicalize(file), fs::canonicalize(input));
    matches!((file, input), (Ok(file), Ok(input)) if file.starts_with(&input))
}

/// Tests writing by a temporary file in the same folder.
fn check_writable(path: &Path) -> io::Result<()> {
    atomic::stage(path, |_| Ok(())).map(drop)
}
