//! The lock of a run folder: one process at a time trains into it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::files::regular;

/// Name of the locked file. It stays when the process ends; the lock does not.
pub(super) const NAME: &str = ".lock";

/// Takes the lock of a run folder; `None` where another process has it. The system releases it when
/// the process ends.
pub(super) fn take(folder: &Path) -> io::Result<Option<File>> {
    let file = regular::open_own(&folder.join(NAME))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        // Some network file systems have no locks; training works there without one.
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(Some(file)),
        Err(TryLockError::Error(e)) => Err(e),
    }
}
