//! Append-only files, truncated to their valid entries when a run is resumed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::error::{ReportError, io_error};
use crate::files::regular;

/// The file, open at its end.
pub(super) struct Journal {
    path: PathBuf,
    file: File,
}

impl Journal {
    /// Opens or creates the file. `keep` returns how many bytes of the content are valid; the rest is
    /// truncated.
    pub(super) fn open(
        path: PathBuf,
        keep: impl FnOnce(&[u8]) -> usize,
    ) -> Result<Self, ReportError> {
        let open = || {
            // Not in append mode: on Windows such a handle cannot truncate the file.
            let mut file = regular::open_own(&path)?;
            let size = file.metadata()?.len();
            let mut content = Vec::new();
            (&mut file).take(size).read_to_end(&mut content)?;
            let kept = keep(&content).min(content.len()) as u64;
            if kept < size {
                file.set_len(kept)?;
            }
            file.seek(SeekFrom::Start(kept))?;
            io::Result::Ok(file)
        };
        let file = open().map_err(io_error(&path))?;
        Ok(Journal { path, file })
    }

    /// Appends an entry in one write.
    pub(super) fn append(&mut self, entry: &[u8]) -> Result<(), ReportError> {
        let written = self.file.write_all(entry);
        written.map_err(io_error(&self.path))
    }

    /// Flushes all entries to disk, so that a checkpoint may count them.
    pub(super) fn flush(&self) -> Result<(), ReportError> {
        self.file.sync_data().map_err(io_error(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn entries_follow_what_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        fs::write(&path, "one two").unwrap();
        let mut journal = Journal::open(path.clone(), |_| 4).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one ");
        journal.append(b"three ").unwrap();
        journal.append(b"four").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"one three four");
    }

    /// Only Windows refuses to truncate a file in append mode, so this checks the mode itself.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_handle_is_not_append_only() {
        use std::os::fd::AsRawFd;

        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path().join("journal"), |_| 0).unwrap();
        let path = format!("/proc/self/fdinfo/{}", journal.file.as_raw_fd());
        let about = fs::read_to_string(path).unwrap();
        let flags = about.lines().find_map(|line| line.strip_prefix("flags:"));
        let flags = i32::from_str_radix(flags.unwrap().trim(), 8).unwrap();
        assert_eq!(flags & libc::O_ACCMODE, libc::O_RDWR);
        assert_eq!(flags & libc::O_APPEND, 0);
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused_and_its_target_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let [target, path] = ["target", "journal"].map(|name| folder.path().join(name));
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, &path).unwrap();
        assert!(Journal::open(path, |_| 0).is_err());
        assert_eq!(fs::read(&target).unwrap(), b"kept");
    }
}
