//! Regular files only: pipes, devices, sockets and folders are refused before they can block. Reads
//! end at the size that the file had when it was opened.

use std::fs::{self, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read, Take};
use std::path::Path;

/// Opens a file for reading up to its current size. Links are followed.
///
/// # Errors
///
/// The error of the operating system, or that the path is no regular file.
pub fn open(path: &Path) -> io::Result<Take<File>> {
    check(&fs::metadata(path)?)?;
    let file = quick(File::options().read(true), true).open(path)?;
    // The file at the path may have changed since the first check.
    let about = file.metadata()?;
    check(&about)?;
    Ok(file.take(about.len()))
}

/// Reads a file up to its current size. Links are followed.
///
/// # Errors
///
/// Those of [`open`], and [`ErrorKind::OutOfMemory`].
pub fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut file = open(path)?;
    let (size, mut bytes) = (file.limit(), Vec::new());
    let fits = usize::try_from(size).is_ok_and(|size| bytes.try_reserve_exact(size).is_ok());
    if !fits {
        let reason = format!("its {size} bytes do not fit into memory");
        return Err(io::Error::new(ErrorKind::OutOfMemory, reason));
    }
    file.read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Opens or creates a file for reading and writing; its content stays. Links are refused: in an
/// untrusted folder they could lead to any file of this user.
///
/// # Errors
///
/// The error of the operating system, or that the path is a link or no regular file.
pub fn open_own(path: &Path) -> io::Result<File> {
    check_own(path)?;
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let file = quick(&mut options, false).open(path)?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Checks whether [`open_own`] would refuse the path.
///
/// # Errors
///
/// Those of [`open_own`].
pub fn check_own(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(about) => check(&about),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Refuses anything but a regular file; the error names its kind.
pub(crate) fn check(about: &Metadata) -> io::Result<()> {
    if about.is_file() {
        return Ok(());
    }
    let reason = if about.is_symlink() {
        "it is a link, which is not followed here: replace it by a file".to_owned()
    } else {
        format!("it is {}, not a regular file", kind(about))
    };
    Err(io::Error::new(ErrorKind::InvalidInput, reason))
}

/// The kind of something that is neither a regular file nor a link.
fn kind(about: &Metadata) -> &'static str {
    let kind = about.file_type();
    if kind.is_dir() {
        return "a folder";
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::FileTypeExt;
        if kind.is_fifo() {
            return "a named pipe";
        }
        if kind.is_socket() {
            return "a socket";
        }
    }
    "a device"
}

/// Sets flags so that opening a pipe or device does not block, and a link fails unless `follow`.
#[cfg(unix)]
fn quick(options: &mut OpenOptions, follow: bool) -> &mut OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let link = if follow { 0 } else { libc::O_NOFOLLOW };
    options.custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY | link)
}

#[cfg(not(unix))]
fn quick(options: &mut OpenOptions, _follow: bool) -> &mut OpenOptions {
    options
}

#[cfg(test)]
mod tests {
    /// A file that becomes a link between check and opening is refused.
    #[cfg(unix)]
    #[test]
    fn the_system_refuses_the_link_too() {
        use super::*;

        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let mut options = File::options();
        let opened = quick(options.read(true), false).open(&link);
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::ELOOP));
    }
}
