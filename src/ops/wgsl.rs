//! The texts of shader files.

/// Shader files by their stems, behind `common.wgsl`: what a [`Source`] is made of.
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
