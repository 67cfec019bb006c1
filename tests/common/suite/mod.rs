//! The checks that a device must pass, as functions of the device. Tests run them on the adapter;
//! tests/mutation runs them with mistakes planted in the shaders. A failing check panics.

pub mod convolutions;
pub mod fused;
pub mod golden;
pub mod kernels;
pub mod state;
pub mod step;

/// Defines tests that run the checks of the same names on the adapter; optionally again with wgpu's
/// bounds checks, which report what they catch.
#[macro_export]
macro_rules! tests {
    ($suite:ident: $($name:ident),* $(,)?) => {
        mod $suite {
            $crate::tests! { @on gpu, $suite: $($name),* }
        }
    };
    ($suite:ident, checked too: $($name:ident),* $(,)?) => {
        mod $suite {
            $crate::tests! { @on gpu, $suite: $($name),* }

            mod checked_shaders {
                $crate::tests! { @on naming_gpu, $suite: $($name),* }
            }
        }
    };
    (@on $device:ident, $suite:ident: $($name:ident),*) => {
        $(
            #[test]
            fn $name() {
                $crate::common::suite::$suite::$name($crate::common::$device());
            }
        )*
    };
}
