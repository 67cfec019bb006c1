//! The checks that a device must pass, as functions of it: tests run them on the adapter, and
//! tests/mutation.rs on the adapter with a mistake in its shaders. A check that fails panics.

pub mod convolutions;
pub mod fused;
pub mod golden;
pub mod kernels;
pub mod state;
pub mod step;

/// Tests of the given names, which run the checks of these names on the adapter; where asked for,
/// once more with shaders which wgpu guards and which report what it catches.
#[macro_export]
macro_rules! tests {
    ($suite:ident, checked too: $($name:ident),* $(,)?) => {
        $crate::tests! { $suite: $($name),* }

        mod checked_shaders {
            $(
                #[test]
                fn $name() {
                    $crate::common::suite::$suite::$name($crate::common::naming_gpu());
                }
            )*
        }
    };
    ($suite:ident: $($name:ident),* $(,)?) => {
        $(
            #[test]
            fn $name() {
                $crate::common::suite::$suite::$name($crate::common::gpu());
            }
        )*
    };
}
