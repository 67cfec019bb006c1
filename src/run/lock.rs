//! The lock of a run folder: one process at a time trains into it.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use crate::files::regular;

/// Name of the locked file. It stays when the process ends; the lock does not.
pub(super) const NAME: &str = ".lock";

/// Whether another process has the lock of a run folder. Without locks, none has.
pub(super) fn is_taken(folder: &Path) -> bool {
    let file = regular::open(&folder.join(NAME));
    let lock = file.map(|file| file.into_inner().try_lock());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

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
