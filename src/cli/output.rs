//! Output files of commands: checked before the work, written atomically after it, all or none.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cvae_gpu::files::atomic::{self, Staged};
use serde_json::json;

use super::common::Common;
use super::terminal::print_json;

/// The output files of a command.
pub struct Output<'a> {
    common: &'a Common,
    json: bool,
    files: Vec<Staged>,
}

impl<'a> Output<'a> {
    /// Checks that all `files` can be written, are distinct, and are none of the `inputs`.
    pub fn new<'b>(
        common: &'a Common,
        json: bool,
        files: impl IntoIterator<Item = &'b Path>,
        inputs: &[&Path],
    ) -> anyhow::Result<Self> {
        let files: Vec<&Path> = files.into_iter().collect();
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
            drop(staged.with_context(|| cannot_write(file))?);
        }
        Ok(Output {
            common,
            json,
            files: Vec::new(),
        })
    }

    /// Writes a temporary file of these bytes, which [`Output::finish`] commits.
    pub fn write(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        self.write_with(path, |file| file.write_all(bytes))
    }

    /// Writes a temporary file, which [`Output::finish`] commits.
    pub fn write_with(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        let staged = atomic::stage(path, write);
        self.files.push(staged.with_context(|| cannot_write(path))?);
        Ok(())
    }

    /// Commits all files and prints their names; as JSON with the number of images they show, if any.
    pub fn finish(self, images: Option<usize>) -> anyhow::Result<()> {
        let mut files = Vec::new();
        for file in self.files {
            let path = file.path().to_owned();
            file.commit().with_context(|| cannot_write(&path))?;
            self.common.say(&format!("Wrote {}", path.display()));
            files.push(path.display().to_string());
        }
        match images {
            _ if !self.json => Ok(()),
            Some(images) => print_json(&json!({ "images": images, "files": files })),
            None => print_json(&json!({ "files": files })),
        }
    }
}

fn cannot_write(path: &Path) -> String {
    let hint = "check the path, its permissions and the free space";
    format!("cannot write {}; {hint}", path.display())
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
