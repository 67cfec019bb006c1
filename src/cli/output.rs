//! Output files of commands: checked before the work, written atomically after it, all or none. `-` is
//! standard output, which is written last.

use std::fs;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use cvae_gpu::files::atomic::{self, Staged};
use serde_json::json;
use tempfile::SpooledTempFile;

use super::common::Common;
use super::paths::is_standard;
use super::terminal::{copy, print, print_json};

/// Most bytes for standard output that are held in memory; more are in a temporary file.
const IN_MEMORY: usize = 64 << 20;

/// Options that contradict each other, which only shows in their values.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// The output files of a command.
pub struct Output<'a> {
    common: &'a Common,
    json: bool,
    files: Vec<Staged>,
    /// The bytes for standard output.
    stream: Option<SpooledTempFile>,
    /// Standard output is one of the files.
    streams: bool,
}

impl<'a> Output<'a> {
    /// Checks that all `files` can be written, are distinct, and are none of the `inputs`. With `json` the
    /// command prints a document, so that no file may be standard output.
    pub fn new<'b>(
        common: &'a Common,
        json: bool,
        files: impl IntoIterator<Item = &'b Path>,
        inputs: &[&Path],
    ) -> anyhow::Result<Self> {
        let (standard, files): (Vec<&Path>, Vec<&Path>) =
            files.into_iter().partition(|file| is_standard(file));
        let streams = !standard.is_empty();
        if standard.len() > 1 {
            let refused = "`-` is named for two outputs: name a file for one of them";
            return Err(Usage(refused.into()).into());
        }
        if streams && json {
            let refused =
                "--json and `-` both write to standard output: name a file, or leave out --json";
            return Err(Usage(refused.into()).into());
        }
        for (i, file) in files.iter().enumerate() {
            if let Some(input) = inputs.iter().find(|input| is_in(file, input)) {
                let (file, input) = (file.display(), input.display());
                bail!("{file} is an input ({input}) and would be overwritten: name another file");
            }
            let same = |other: &&Path| resolved(file).is_some_and(|a| Some(a) == resolved(other));
            if files[..i].iter().any(same) {
                bail!(
                    "{} is named for two outputs: name two files",
                    file.display()
                );
            }
            // A temporary file in the same folder, dropped at once.
            let staged = atomic::stage(file, |_| Ok(()));
            drop(staged.map_err(|e| unwritable(file, &e))?);
        }
        Ok(Output {
            common,
            json,
            files: Vec::new(),
            stream: None,
            streams,
        })
    }

    /// Writes a temporary file of these bytes, which [`Output::commit`] puts in place.
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        self.write_with(path, |file| file.write_all(bytes))
    }

    /// Writes a temporary file, which [`Output::commit`] puts in place.
    pub fn write_with(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        if is_standard(path) {
            let mut spool = SpooledTempFile::new(IN_MEMORY);
            write(&mut spool).context("cannot write a temporary file; check the free space")?;
            self.stream = Some(spool);
            return Ok(());
        }
        let staged = atomic::stage(path, write);
        self.files.push(staged.map_err(|e| unwritable(path, &e))?);
        Ok(())
    }

    /// Puts all files in place; the result is their names.
    pub fn commit(self) -> anyhow::Result<Vec<String>> {
        let mut files = Vec::new();
        for file in self.files {
            let path = file.path().to_owned();
            file.commit().map_err(|e| unwritable(&path, &e))?;
            self.common.say(&format!("Wrote {}", path.display()));
            files.push(path.display().to_string());
        }
        if let Some(mut stream) = self.stream {
            stream.rewind()?;
            copy(&mut stream)?;
        }
        Ok(files)
    }

    /// Puts all files in place; as JSON prints their names, and the number of images they show, if any.
    pub fn finish(self, images: Option<usize>) -> anyhow::Result<()> {
        let json = self.json;
        let files = self.commit()?;
        match images {
            _ if !json => Ok(()),
            Some(images) => print_json(&json!({ "images": images, "files": files })),
            None => print_json(&json!({ "files": files })),
        }
    }

    /// Where the report of a command goes that writes files beside it.
    pub fn report(&self) -> Report<'a> {
        Report {
            common: self.common,
            aside: self.streams,
        }
    }
}

/// A report for people: on standard output, or on standard error if a file is written to the former.
pub struct Report<'a> {
    common: &'a Common,
    aside: bool,
}

impl Report<'_> {
    /// Prints a line.
    pub fn line(&self, text: &str) -> io::Result<()> {
        match self.aside {
            true => {
                self.common.say(text);
                Ok(())
            }
            false => print(text),
        }
    }
}
/// The error of a file that cannot be written.
fn unwritable(path: &Path, error: &io::Error) -> anyhow::Error {
    let file = path.display();
    let parent = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    match parent.filter(|folder| !folder.exists()) {
        Some(folder) => anyhow!(
            "cannot write {file}: there is no folder {}; make it, or name another",
            folder.display()
        ),
        None => anyhow!(
            "cannot write {file}: {error}; check the path, its permissions and the free space"
        ),
    }
}

/// The path without `.`, `..` and links, also of a file that does not exist yet.
fn resolved(path: &Path) -> Option<PathBuf> {
    if let Ok(whole) = fs::canonicalize(path) {
        return Some(whole);
    }
    let folder = Path::new(".").join(path.parent()?);
    Some(fs::canonicalize(folder).ok()?.join(path.file_name()?))
}

/// True if `file` exists and is `input` or is inside it.
fn is_in(file: &Path, input: &Path) -> bool {
    let (file, input) = (fs::canonicalize(file), fs::canonicalize(input));
    matches!((file, input), (Ok(file), Ok(input)) if file.starts_with(&input))
}
