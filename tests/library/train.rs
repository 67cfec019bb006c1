//! How often a run is logged and saved, and how many images are on the device.

use cvae_gpu::data::{Binarize, PackedImages};
use cvae_gpu::plan::Caps;
use cvae_gpu::train::event::Event;
use cvae_gpu::train::supply::Room;
use cvae_gpu::train::{Every, LogEvery};

/// The reports of epochs of ten steps, in submissions of these sizes. The loss of a step is its
/// number.
fn told(every: u64, sizes: &[usize]) -> Vec<(usize, usize, u64, f64)> {
    let (mut log, mut step) = (LogEvery::new(every), 0);
    let mut all = Vec::new();
    for size in sizes {
        let losses = (1..=*size).map(|i| (step + i) as f32).collect();
        step += size;
        let told = log.take(&Event::Progress {
            epoch: (step - 1) / 10 + 1,
            done: (step - 1) % 10 + 1,
            of: 10,
            loss: 0.0,
            step: step as u64,
            losses,
        });
        all.extend(told.into_iter().map(|event| match event {
            Event::Progress {
                epoch,
                done,
                step,
                loss,
                ..
            } => (epoch, done, step, loss),
            other => panic!("{other:?}"),
        }));
    }
    all
}

#[test]
fn the_steps_told_do_not_depend_on_submissions() {
    let expected = [
        (1, 4, 4, 2.5),
        (1, 8, 8, 6.5),
        (2, 2, 12, 10.5),
        (2, 6, 16, 14.5),
        (2, 10, 20, 18.5),
    ];
    for sizes in [&[10, 10][..], &[1, 9, 3, 3, 4], &[1; 20], &[4, 6, 2, 8]] {
        assert_eq!(told(4, sizes), expected, "{sizes:?}");
    }
    assert_eq!(told(1, &[10]).len(), 10);
    assert_eq!(told(100, &[10, 10]), []);
}

#[test]
fn steps_and_minutes_are_told_apart_and_written_as_they_are_read() {
    for (text, every) in [
        ("500", Every::Steps(500)),
        ("5m", Every::Minutes(5.0)),
        ("0.5m", Every::Minutes(0.5)),
        ("auto", Every::Auto),
    ] {
        assert_eq!(text.parse(), Ok(every));
        assert_eq!(every.to_string(), text);
    }
    for text in [
        "", "0", "-1", "1.5", "0m", "-1m", "nanm", "infm", "m", "5s", "1e300m",
    ] {
        let error = text.parse::<Every>().unwrap_err();
        assert!(error.contains("5m"), "{text}: {error}");
    }
}

// On an adapter whose buffers hold 1 MiB; an image takes 1 KiB.
#[test]
fn sets_that_do_not_fit_come_in_whole_batches() {
    let caps = Caps {
        max_binding_bytes: 1 << 20,
        ..Caps::portable()
    };
    let set = |count: usize| {
        let pixels = vec![0; 1024 * count];
        PackedImages::from_bytes([32, 32, 1], &pixels, Binarize::None)
    };
    let (small, large) = (set(1024), set(3000));
    let window = |most, images: &PackedImages, batch| {
        Room::new(most, [&small, &large], &caps).window(images, batch)
    };
    // A set that fits a buffer is there as a whole, unless both are more than the limit.
    assert_eq!(window(None, &small, 32), 1024);
    assert_eq!(window(Some(5 << 20), &small, 32), 1024);
    assert_eq!(window(None, &large, 32), 1024);
    assert_eq!(window(None, &large, 100), 1000);
    // A limit is shared by size: 511 and 1 497 KiB of 2 008.
    assert_eq!(window(Some(2008 << 10), &small, 32), 480);
    assert_eq!(window(Some(2008 << 10), &large, 100), 1000);
    // At least a batch, at most the set.
    assert_eq!(window(Some(1), &small, 32), 32);
    assert_eq!(window(Some(1), &small, 2000), 1024);
}
