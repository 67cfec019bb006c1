//! Atomic writes: a file is written whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::regular;

/// Prefix of temporary files; only a killed process leaves one behind.
const PREFIX: &str = ".writing-";

/// The new content of a file, flushed to a temporary file. Dropping it keeps the old content.
#[must_use]
pub struct Staged {
    file: NamedTempFile,
    path: PathBuf,
}

impl Staged {
    /// The path of the file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the old content by the new.
    ///
    /// # Errors
    ///
    /// The error of the operating system; the old file is then untouched and the new one removed.
    pub fn commit(self) -> io::Result<()> {
        // An error drops the temporary file, which deletes it.
        self.file.persist(&self.path).map_err(|e| e.error)?;
        // The new file is in place, so a failure to flush the folder is no error: some network file
        // systems cannot do it, and only a crash of the machine could undo the rename.
        if cfg!(unix) {
            let _ = File::open(folder_of(&self.path)).and_then(|folder| folder.sync_all());
        }
        Ok(())
    }
}

/// Writes the new content of a file; [`Staged::commit`] puts it in place.
///
/// `write` fills a temporary file in the same folder, which is flushed to disk. It gets the
/// permissions of a new file. A symbolic link at `path` is replaced; a device, pipe or folder there,
/// or behind a link, is refused.
///
/// # Errors
///
/// The error of the operating system or of `write`; the old file is then untouched and no temporary
/// file is left.
pub fn stage(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<Staged> {
    if let Ok(about) = fs::metadata(path) {
        regular::check(&about)?;
    }
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX);
    // Temporary files are private by default; the umask still applies to these permissions.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder_of(path)).map_err(plain)?;
    // The lock tells `sweep_dead` that the file is in use. Some file systems have no locks.
    let _ = file.as_file().try_lock();
    write(&mut file)?;
    file.as_file().sync_all()?;
    let path = path.to_owned();
    Ok(Staged { file, path })
}

/// Writes a file by [`stage`] and commits it.
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

/// Writes a file of these bytes, whole or not at all.
///
/// # Errors
///
/// The error of the operating system; the old file is then untouched.
pub fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

/// The error without the name of the temporary file, which `tempfile` appends.
fn plain(error: io::Error) -> io::Error {
    match error.to_string().rsplit_once(" at path \"") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

/// The folder of a file. The parent of a bare file name is empty, so it is joined to `.`.
fn folder_of(path: &Path) -> PathBuf {
    Path::new(".").join(path.parent().unwrap_or(Path::new("")))
}

/// Removes the temporary files of killed processes in a `folder` that no other process writes to.
pub fn sweep(folder: &Path) -> io::Result<()> {
    remove_temporary(folder, |_| true)
}

/// Removes the temporary files of killed processes in a `folder` that others may write to; their
/// files are locked.
pub fn sweep_dead(folder: &Path) -> io::Result<()> {
    // Another process may have committed the file just now.
    let is_dead = |file: io::Take<File>| file.get_ref().try_lock().is_ok();
    remove_temporary(folder, |path| regular::open(path).is_ok_and(is_dead))
}

fn remove_temporary(folder: &Path, is_dead: impl Fn(&Path) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_temporary = entry.file_name().to_string_lossy().starts_with(PREFIX);
        if is_temporary && is_dead(&entry.path()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
