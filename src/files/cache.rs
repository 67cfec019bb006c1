//! The folder of files that can be made or downloaded again.

use std::path::PathBuf;

use etcetera::BaseStrategy;

/// `CVAE_GPU_CACHE`, or a folder of this program in the user's cache; `None` where the user has no home.
#[must_use]
pub fn folder() -> Option<PathBuf> {
    let given = std::env::var_os("CVAE_GPU_CACHE").filter(|value| !value.is_empty());
    let native = || {
        let native = etcetera::base_strategy::choose_native_strategy().ok();
        native.map(|native| native.cache_dir().join("cvae-gpu"))
    };
    given.map(PathBuf::from).or_else(native)
}
