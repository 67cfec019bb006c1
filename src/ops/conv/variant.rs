//! The list of convolution variants.

use serde::{Deserialize, Serialize};

use super::kernels::Kernels;
use super::{broadcast, plain, thin, tile, workgroup};

macro_rules! variants {
    ($($(#[$doc:meta])* $name:ident($text:literal, $kernels:path),)*) => {
        /// A family of convolution kernels.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        pub enum Variant {
            $($(#[$doc])* $name,)*
        }

        impl Variant {
            /// Every variant; the reference comes first.
            pub const ALL: [Variant; [$($text),*].len()] = [$(Variant::$name),*];

            /// Name on the command line and in run records.
            pub fn name(self) -> &'static str {
                match self {
                    $(Variant::$name => $text,)*
                }
            }

            /// Its kernels.
            pub fn kernels(self) -> &'static dyn Kernels {
                match self {
                    $(Variant::$name => &$kernels,)*
                }
            }
        }
    };
}

variants! {
    /// One output per invocation, scalar loads: the reference.
    Plain("plain", plain::Plain),
    /// For images of few channels, which would be mostly padding in a tile.
    Thin("thin", thin::Thin),
    /// Register tiles of 4×4 matrices; runs on every adapter.
    Tile("tile", tile::Tile),
    /// Register tiles; the shared operand is loaded once per subgroup and broadcast.
    Broadcast("broadcast", broadcast::Broadcast),
    /// Tiles in workgroup memory, for GPUs.
    Workgroup("workgroup", workgroup::Workgroup),
}

impl std::str::FromStr for Variant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Variant::ALL.into_iter().find(|v| v.name() == text);
        found.ok_or_else(|| {
            let [names @ .., last] = Variant::ALL.map(Variant::name);
            format!(
                "unknown variant `{text}`: use {} or {last}",
                names.join(", ")
            )
        })
    }
}
