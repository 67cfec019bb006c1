//! Reads of regular files.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::Path;

use cvae_gpu::files::regular::{open, open_own, read};

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
    let [target, link, dangling] = ["target", "link", "dangling"].map(|n| folder.path().join(n));
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
