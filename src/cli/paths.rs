//! Paths on the command line: files with their extensions, folders, and `-`.
//!
//! `-` is standard output where a command writes a file, and standard input where it reads one. A file of
//! that name is `./-`.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf, is_separator};

use clap::builder::{PathBufValueParser, TypedValueParser};

/// Most bytes of standard input. Codes of that size would decode to images beyond any disk.
const MOST: u64 = 1 << 30;

/// A path that ends in one of these extensions, or `-`.
pub fn file(extensions: &'static [&'static str]) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| {
        if names_folder(&path) {
            return Err("this names a folder: name a file".into());
        }
        let fits = extensions.iter().any(|extension| is(&path, extension));
        if fits || is_standard(&path) {
            return Ok(path);
        }
        let names = extensions.join(" or .");
        Err(format!("name a .{names} file, or - for standard output"))
    })
}

/// A file to read that ends in this extension, or `-`.
pub fn input(extension: &'static str) -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(move |path| {
        if is(&path, extension) || is_standard(&path) {
            return Ok(path);
        }
        Err(format!("name a .{extension} file, or - for standard input"))
    })
}

/// A folder to write to.
pub fn folder() -> impl TypedValueParser<Value = PathBuf> {
    PathBufValueParser::new().try_map(|path| match is_standard(&path) {
        true => Err("this is a folder, so it cannot be standard output: name one"),
        false => Ok(path),
    })
}

/// True if a path ends in a separator.
fn names_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|last| is_separator(char::from(*last)))
}

/// True if a path has this extension.
pub fn is(path: &Path, extension: &str) -> bool {
    let found = path.extension().and_then(|e| e.to_str());
    found.is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// True for `-`.
pub fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// The name of an input in messages.
pub fn input_name(path: &Path) -> PathBuf {
    match is_standard(path) {
        true => "standard input".into(),
        false => path.into(),
    }
}

/// All bytes of standard input, which must come from a file or from a program.
pub fn read_standard() -> io::Result<Vec<u8>> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        return Err(refused("it is a terminal: pipe a file into it"));
    }
    read(stdin.lock(), MOST)
}

/// All bytes, which must be no more than `most`.
fn read(input: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    input.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(refused("it does not end after 1 GiB: give a file"));
    }
    Ok(bytes)
}

fn refused(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, reason)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn an_endless_input_is_refused() {
        assert_eq!(read(&b"1234"[..], 4).unwrap(), b"1234");
        read(std::io::repeat(0), 4).unwrap_err();
    }
}
