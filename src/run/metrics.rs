//! `metrics.jsonl`: one line per evaluated epoch. A resumed run keeps those up to its checkpoint.

use std::path::PathBuf;

use serde_json::json;

use super::error::ReportError;
use super::journal::Journal;
use crate::train::event::EpochReport;

/// The file, and its lines parsed.
pub(super) struct Metrics {
    pub(super) journal: Journal,
    /// Number of lines that a resumed run found.
    pub(super) found: usize,
    pub(super) reports: Vec<EpochReport>,
}

impl Metrics {
    /// Opens the file, keeps its first `lines` lines and truncates the rest. Returns the dropped
    /// reports. A file with fewer lines keeps them.
    pub(super) fn open(
        path: PathBuf,
        lines: usize,
    ) -> Result<(Self, Vec<EpochReport>), ReportError> {
        let (mut found, mut reports, mut dropped) = (0, Vec::new(), Vec::new());
        let journal = Journal::open(path, |content| {
            let mut kept = 0;
            for line in content.split_inclusive(|byte| *byte == b'\n') {
                let counts = found < lines && line.ends_with(b"\n");
                if counts {
                    (found, kept) = (found + 1, kept + line.len());
                }
                // A line that does not parse still counts as a line.
                if let Ok(report) = serde_json::from_slice(line) {
                    let list = if counts { &mut reports } else { &mut dropped };
                    list.push(report);
                }
            }
            kept
        })?;
        let metrics = Metrics {
            journal,
            found,
            reports,
        };
        Ok((metrics, dropped))
    }

    /// Appends a line.
    pub(super) fn append(&mut self, report: &EpochReport) -> Result<(), ReportError> {
        let line = json!(report).to_string() + "\n";
        self.journal.append(line.as_bytes())?;
        self.reports.push(report.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            let (mut metrics, _) = Metrics::open(path.clone(), lines).unwrap();
            assert_eq!(metrics.found, kept.lines().count());
            metrics.journal.append(b"next\n").unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), format!("{kept}next\n"));
        }
    }

    #[test]
    fn reports_are_read_back_exactly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        let reports = [0, 2, 4].map(|epoch| EpochReport {
            epoch,
            test_elbo: -1.0 / (3 + epoch) as f64,
            train_loss: (epoch > 0).then_some(0.1 + 0.2),
            ..EpochReport::default()
        });
        let (mut metrics, _) = Metrics::open(path.clone(), 0).unwrap();
        for report in &reports {
            metrics.append(report).unwrap();
        }
        let (again, dropped) = Metrics::open(path, 2).unwrap();
        assert_eq!(again.reports, &reports[..2]);
        assert_eq!(dropped, &reports[2..]);
    }
}
