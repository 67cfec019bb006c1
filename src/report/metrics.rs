//! `metrics.jsonl`: a line per epoch, of which a run that goes on keeps those that count.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::event::EpochReport;

/// The file, open at its end.
pub(super) struct Metrics {
    path: PathBuf,
    file: File,
    lines: usize,
}

impl Metrics {
    /// Opens the file with its first `lines` lines; what lies behind them is cut off. A file
    /// that has fewer keeps those.
    pub(super) fn open(path: PathBuf, lines: usize) -> io::Result<Self> {
        let mut options = OpenOptions::new();
        let file = options.create(true).append(true).open(&path)?;
        let content = fs::read(&path)?;
        let mut ends = content.iter().enumerate().filter(|(_, b)| **b == b'\n');
        let whole = ends.by_ref().take(lines).map(|(at, _)| at as u64 + 1);
        let ends: Vec<u64> = whole.collect();
        file.set_len(ends.last().copied().unwrap_or(0))?;
        let lines = ends.len();
        Ok(Metrics { path, file, lines })
    }

    /// Lines there are.
    pub(super) fn lines(&self) -> usize {
        self.lines
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a line.
    pub(super) fn append(&mut self, report: &EpochReport) -> io::Result<()> {
        let line = serde_json::to_string(report)? + "\n";
        self.file.write_all(line.as_bytes())?;
        self.lines += 1;
        Ok(())
    }

    /// Waits until all lines are on the disk, so that a checkpoint may count them.
    pub(super) fn flush(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_do_not_count_and_torn_lines_are_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        for (content, lines, kept) in [
            ("", 0, ""),
            ("", 2, ""),
            ("a\nb\n", 2, "a\nb\n"),
            ("a\nb\nc\n", 2, "a\nb\n"),
            ("a\nb\nto", 2, "a\nb\n"),
            ("a\nto", 2, "a\n"),
            ("a\nb\n", 0, ""),
        ] {
            fs::write(&path, content).unwrap();
            let mut metrics = Metrics::open(path.clone(), lines).unwrap();
            assert_eq!(metrics.lines(), kept.lines().count());
            metrics.file.write_all(b"next\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}next\n"));
        }
    }
}
