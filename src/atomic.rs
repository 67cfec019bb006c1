//! Files that are written whole or not at all, whatever happens meanwhile.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// How temporary files begin; one is left behind only by a process that was killed.
const PREFIX: &str = ".writing-";

/// The new content of a file, whole and on disk beside the old. Dropping it leaves the old.
#[must_use]
pub struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

impl Staged {
    /// Where the content will be.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts the new content in place of the old.
    ///
    /// # Errors
    ///
    /// What the operating system says; the old file is then untouched and the new one gone.
    pub fn commit(self) -> io::Result<()> {
        // An error drops the temporary file, which deletes it.
        self.file.persist(&self.path).map_err(|e| e.error)?;
        // The new file is in place now, so it would be wrong to report a failure: some network
        // file systems cannot flush a folder, and there only a crash of the machine could undo
        // the rename.
        if cfg!(unix) {
            let _ = File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

/// Writes the new content of a file, which [`Staged::commit`] puts in place.
///
/// `write` fills a temporary file in the same folder, which is flushed to disk. The file gets the
/// permissions of any newly created file; where `path` is a symbolic link, the link itself is
/// replaced.
///
/// # Errors
///
/// What the operating system or `write` says; the old file is then untouched and no temporary
/// file is left.
pub fn stage(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Staged> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    // Temporary files are private by default; the umask still applies to these permissions.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path))?;
    write(&mut file)?;
    file.as_file().sync_all()?;
    let path = path.to_owned();
    Ok(Staged { file, path })
}

/// Writes a file such that, whatever happens, it has either its old content or all of the new:
/// what [`stage`] writes is committed at once.
///
/// # Errors
///
/// Those of [`stage`] and of [`Staged::commit`].
pub fn write_with(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    stage(path, write)?.commit()
}

/// The folder of a file. The parent of a bare file name is empty; joined to `.` it can be opened.
fn folder_of(path: &Path) -> PathBuf {
    Path::new(".").join(path.parent().unwrap_or(Path::new("")))
}

/// Removes the temporary files that killed processes left in `folder`, where no other process
/// may be writing.
pub fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_halfway_leaves_the_old_file_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        write_with(&path, |file| file.write_all(b"old")).unwrap();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let error = write_with(&path, |file| {
            file.write_all(b"ne")?;
            Err(full())
        });
        assert_eq!(error.unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn only_what_killed_processes_left_is_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let names = [".writing-x1", "model.safetensors", ".lock"];
        for name in names {
            fs::write(folder.path().join(name), b"").unwrap();
        }
        sweep(folder.path()).unwrap();
        let left = names.map(|name| folder.path().join(name).exists());
        assert_eq!(left, [false, true, true]);
    }
}
