//! One process at a time trains into a folder.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::files::regular;

/// Name of the file that is locked. It stays when the process ends; the lock does not.
pub(super) const NAME: &str = ".lock";

/// Takes the lock of a run folder, which the system gives back when the process ends, however
/// it ends. Nothing comes back where another process has it.
pub(super) fn take(folder: &Path) -> io::Result<Option<File>> {
    let file = regular::open_own(&folder.join(NAME))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some network file systems have no locks; training there is better than refusing to.
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(Some(file)),
        Err(TryLockError::Error(e)) => Err(e),
    }
}
