//! Files that commands write: checked before the work, written whole after it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cvae_gpu::tensor_file;
use serde::Serialize;

use super::{Common, print_json, say};

/// What a command was asked to write, and what it must not harm.
pub struct Output<'a> {
    common: &'a Common,
    json: bool,
    written: Vec<String>,
}

/// What `--json` says of the files of a command.
#[derive(Serialize)]
struct Written {
    #[serde(skip_serializing_if = "is_zero")]
    images: usize,
    files: Vec<String>,
}

impl<'a> Output<'a> {
    /// Checks, before any work, that every file of `files` can be written and that none of them
    /// is one of `inputs` or another of them.
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
                bail!("{file} is read here ({input}) and would be overwritten: name another file");
            }
            if files[..i].iter().any(|other| same(file, other)) {
                bail!(
                    "{} is named for two outputs: name two files",
                    file.display()
                );
            }
            check_writable(file).with_context(|| {
                let hint = "check the path, its permissions and the free space";
                format!("cannot write {}; {hint}", file.display())
            })?;
        }
        Ok(Output {
            common,
            json,
            written: Vec::new(),
        })
    }

    /// Writes a file, all of it or nothing.
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        tensor_file::write_atomically(path, bytes)?;
        self.written.push(path.display().to_string());
        if !self.common.quiet {
            say(&format!("Wrote {}", path.display()));
        }
        Ok(())
    }

    /// Prints what was written, where JSON is wanted; it came of so many images.
    pub fn finish(self, images: usize) -> anyhow::Result<()> {
        if !self.json {
            return Ok(());
        }
        let files = self.written;
        print_json(&Written { images, files }, true)
    }
}

/// A model that is converted comes of no images.
fn is_zero(images: &usize) -> bool {
    *images == 0
}

/// The path without `.`, `..` and links, also of a file that is not there yet.
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

/// True if `file` is there and is `input`, or lies in it.
fn is_in(file: &Path, input: &Path) -> bool {
    let (file, input) = (fs::canonicalize(file), fs::canonicalize(input));
    matches!((file, input), (Ok(file), Ok(input)) if file.starts_with(&input))
}

/// Tries what writing will need: a file in the same folder. What was there stays.
fn check_writable(path: &Path) -> anyhow::Result<()> {
    if path.is_dir() {
        bail!("it is a folder");
    }
    let folder = Path::new(".").join(path.parent().unwrap_or(Path::new("")));
    tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(folder)?;
    Ok(())
}
