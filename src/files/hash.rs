//! SHA-256 in lower-case hexadecimal.

use sha2::{Digest, Sha256};

/// The digest of the hasher's input.
pub fn hex(hasher: Sha256) -> String {
    let digest = hasher.finalize();
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
