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
    use std::io::Write;

    use super::*;

    #[test]
    fn a_file_that_grows_is_read_up_to_its_size_when_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("growing");
        fs::write(&path, "before").unwrap();
        let mut file = open(&path).unwrap();
        let mut end = File::options().append(true).open(&path).unwrap();
        end.write_all(b"after").unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "before");
        assert_eq!(read(&path).unwrap(), b"beforeafter");
    }

    /// The system reports a size of 0 for these files, but they can be read.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_without_a_size_gives_nothing() {
        let path = Path::new("/proc/self/status");
        assert!(!fs::read(path).unwrap().is_empty());
        assert_eq!(read(path).unwrap(), b"");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_file_beyond_any_memory_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sparse");
        let file = File::create(&path).unwrap();
        // Some file systems have no files of that size.
        if file.set_len(1 << 62).is_ok() {
            let error = read(&path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        }
    }

    #[test]
    fn a_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for error in [
            read(folder.path()).unwrap_err(),
            open_own(folder.path()).unwrap_err(),
        ] {
            assert!(error.to_string().contains("a folder"), "{error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn pipes_sockets_and_devices_are_refused_at_once() {
        use std::os::unix::net::UnixListener;
        use std::sync::mpsc;
        use std::time::Duration;

        let folder = tempfile::tempdir().unwrap();
        let [pipe, socket] = ["pipe", "socket"].map(|name| folder.path().join(name));
        let made = std::process::Command::new("mkfifo").arg(&pipe).status();
        assert!(made.unwrap().success());
        let _socket = UnixListener::bind(&socket).unwrap();
        for (path, what) in [
            (pipe, "a named pipe"),
            (socket, "a socket"),
            ("/dev/zero".into(), "a device"),
        ] {
            let (send, receive) = mpsc::channel();
            std::thread::spawn(move || {
                let errors = [read(&path).unwrap_err(), open_own(&path).unwrap_err()];
                send.send(errors.map(|e| e.to_string()))
            });
            let errors = receive.recv_timeout(Duration::from_secs(30));
            for error in errors.expect("an answer, where opening would block") {
                assert!(error.contains(what), "{error}");
            }
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_to_read_and_never_to_write() {
        use std::os::unix::fs::symlink;

        let folder = tempfile::tempdir().unwrap();
        let [target, link, dangling] =
            ["target", "link", "dangling"].map(|n| folder.path().join(n));
        fs::write(&target, "kept").unwrap();
        symlink(&target, &link).unwrap();
        symlink(folder.path().join("nowhere"), &dangling).unwrap();
        assert_eq!(read(&link).unwrap(), b"kept");
        for path in [link, dangling] {
            let error = open_own(&path).unwrap_err().to_string();
            assert!(error.contains("a link"), "{error}");
        }
        assert!(!folder.path().join("nowhere").exists());
        assert!(open_own(&target).is_ok() && read(&target).unwrap() == b"kept");
    }

    /// A file that becomes a link between check and opening is refused.
    #[cfg(unix)]
    #[test]
    fn the_system_refuses_the_link_too() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        let mut options = File::options();
        let opened = quick(options.read(true), false).open(&link);
        assert_eq!(opened.unwrap_err().raw_os_error(), Some(libc::ELOOP));
    }
}
