//! SHA-256 in lower-case hexadecimal.

use std::io::{self, ErrorKind, Read};

use sha2::{Digest, Sha256};

/// The digest of the hasher's input.
pub fn hex(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The digest of the rest of a reader.
pub fn of_reader(mut reader: impl Read) -> io::Result<String> {
    let (mut hasher, mut piece) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match reader.read(&mut piece) {
            Ok(0) => return Ok(hex(hasher)),
            Ok(read) => hasher.update(&piece[..read]),
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// The digest of a regular file.
#[cfg(feature = "cli")]
pub fn of_file(path: &std::path::Path) -> io::Result<String> {
    of_reader(super::regular::open(path)?)
}
