//! The names of the sets known by name.

/// The built-in set, and those that are downloaded.
pub(super) const NAMES: [&str; 4] = ["mnist", "fashion-mnist", "kmnist", "cifar10"];

/// The name, if it is that of a known set.
pub fn known_name(name: &str) -> Option<&'static str> {
    NAMES.into_iter().find(|known| *known == name)
}
