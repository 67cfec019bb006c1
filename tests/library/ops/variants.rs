//! Which convolution variant an adapter gets.

use cvae_gpu::ops::Target;
use cvae_gpu::ops::conv::Padding;
use cvae_gpu::ops::conv::{Conv, Variant, choose, turned};
use cvae_gpu::plan::Caps;

#[test]
fn variants_are_chosen_by_channels_and_subgroups() {
    let adapter = |subgroup: u32, software: bool| {
        Target::new(Caps {
            subgroup_min: subgroup,
            subgroup_max: subgroup,
            software,
            ..Caps::portable()
        })
    };
    let pinned = |target: &Target, variant: Variant| Target {
        pinned: Some(variant.name()),
        ..target.clone()
    };
    let portable = Target::portable();
    let (lavapipe, swiftshader, nvidia) = (adapter(8, true), adapter(4, true), adapter(32, false));
    let plain = pinned(&lavapipe, Variant::Plain);
    let broadcast = pinned(&nvidia, Variant::Broadcast);
    let tile = pinned(&lavapipe, Variant::Tile);
    let spec = |c, s| Conv::new([28, 28, c], s, 3, 2, Padding::Same);
    for (target, channels, expected) in [
        (&portable, (32, 64), Variant::Workgroup),
        (&portable, (1, 32), Variant::Thin),
        (&portable, (33, 64), Variant::Plain),
        (&portable, (1, 33), Variant::Plain),
        (&lavapipe, (32, 64), Variant::Broadcast),
        (&lavapipe, (3, 32), Variant::Thin),
        (&lavapipe, (4, 8), Variant::Tile),
        (&swiftshader, (32, 64), Variant::Tile),
        (&swiftshader, (1, 32), Variant::Plain),
        (&nvidia, (32, 64), Variant::Workgroup),
        (&broadcast, (32, 64), Variant::Broadcast),
        (&plain, (32, 64), Variant::Plain),
        (&plain, (1, 32), Variant::Plain),
        (&tile, (32, 64), Variant::Tile),
        (&tile, (1, 32), Variant::Thin),
    ] {
        let found = choose(target, &spec(channels.0, channels.1));
        assert_eq!(found, expected, "{target:?} {channels:?}");
    }
}

#[test]
fn a_convolution_is_turned_where_only_that_spares_the_plain_kernels() {
    let portable = Target::portable();
    let plain = Target {
        pinned: Some(Variant::Plain.name()),
        ..portable.clone()
    };
    for (target, big, channels, stride, expected) in [
        (&portable, [28, 28, 32], 1, 1, true),
        (&portable, [28, 28, 32], 1, 2, false),
        (&portable, [28, 28, 1], 32, 1, false),
        (&portable, [28, 28, 33], 1, 1, false),
        (&portable, [28, 27, 32], 1, 1, false),
        (&plain, [28, 28, 32], 1, 1, false),
    ] {
        let spec = Conv::new(big, channels, 5, stride, Padding::Same);
        let found = turned(target, &spec).is_some();
        assert_eq!(found, expected, "{target:?} {spec:?}");
    }
}
