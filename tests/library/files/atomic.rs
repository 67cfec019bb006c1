//! Atomic writes.

use std::{fs, io};

use cvae_gpu::files::atomic::{stage, sweep, sweep_dead, write_with};

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
fn what_others_are_writing_is_not_swept_away() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    fs::write(folder.path().join(".writing-x1"), b"").unwrap();
    let staged = stage(&path, |file| file.write_all(b"new")).unwrap();
    sweep_dead(folder.path()).unwrap();
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    staged.commit().unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[cfg(unix)]
#[test]
fn only_a_file_is_replaced() {
    use std::os::unix::fs::{FileTypeExt, symlink};

    let folder = tempfile::tempdir().unwrap();
    let [pipe, link] = ["pipe", "link"].map(|name| folder.path().join(name));
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.unwrap().success());
    symlink(&pipe, &link).unwrap();
    for path in [&pipe, &link, &folder.path().to_owned()] {
        let error = write_with(path, |file| file.write_all(b"new")).unwrap_err();
        assert!(error.to_string().contains("not a regular file"), "{error}");
    }
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    assert_eq!(fs::read_link(&link).unwrap(), pipe);
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
