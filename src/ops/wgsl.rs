//! The texts of shader files.

/// The files of a [`Source`] by their stems; `common.wgsl` comes first.
macro_rules! files {
    ($($stem:literal),+) => {
        &[
            ("common", include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/common.wgsl"))),
            $((
                $stem,
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $stem, ".wgsl")),
            )),+
        ]
    };
}

pub(super) use files;
