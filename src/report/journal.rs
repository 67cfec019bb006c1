//! Files that only grow, entry by entry, and are cut back to what counts when a run goes on.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The file, open at its end.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens the file, which need not be there. Given its content, `keep` says how many bytes of
    /// it count; those behind are cut off.
    pub(super) fn open(path: PathBuf, keep: impl FnOnce(&[u8]) -> usize) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&path)?;
        let content = fs::read(&path)?;
        let kept = keep(&content).min(content.len());
        if kept < content.len() {
            file.set_len(kept as u64)?;
        }
        Ok(Journal { path, file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends an entry in one write.
    pub(super) fn append(&mut self, entry: &[u8]) -> io::Result<()> {
        self.file.write_all(entry)
    }

    /// Waits until all entries are on the disk, so that a checkpoint may count them.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}
