//! Choices of the user or the tuner.

use cvae_gpu::ops::conv::Variant;
use cvae_gpu::ops::{Heuristics, Target, Tiles, Tuning};
use cvae_gpu::plan::Caps;

/// A choice of everything but the variant.
fn choice() -> Tuning {
    Tuning {
        texels: Some(true),
        tiles: Some(Tiles::Large),
        groups: Some(7),
        fuse: Some(false),
        ..Tuning::default()
    }
}

#[test]
fn a_choice_reads_as_a_list() {
    assert_eq!(
        choice().to_string(),
        "textures, large tiles, 7 groups, unfused"
    );
    assert_eq!(Tuning::default().to_string(), "the adapter's own");
}

// A run tuned with textures on a software adapter may be resumed on a GPU.
#[test]
fn textures_share_the_memory_of_buffers_on_software_adapters_alone() {
    for (software, texels) in [(true, true), (false, true), (true, false), (false, false)] {
        let target = Target::new(Caps {
            software,
            ..Caps::gpu()
        });
        let texels = Some(texels);
        let target = target.tuned(&Tuning {
            texels,
            ..Tuning::default()
        });
        assert_eq!(target.may_alias(), software && texels == Some(true));
    }
}

#[test]
fn what_a_choice_leaves_open_stays_as_it_was() {
    let target = Target::portable();
    assert_eq!(target.tuned(&Tuning::default()), target);
    let tuned = target.tuned(&choice());
    let expected = Heuristics {
        texels: true,
        tiles: Tiles::Large,
        groups: 7,
        fuse: false,
        ..target.heuristics
    };
    assert_eq!((tuned.heuristics, tuned.pinned), (expected, None));
    assert_eq!(tuned.tuned(&Tuning::default()), tuned);
    let pin = Tuning {
        variant: Some(Variant::Tile),
        ..Tuning::default()
    };
    assert_eq!(tuned.tuned(&pin).pinned, Some("tile"));
}
