//! Sets from files in memory.

use cvae_gpu::data::{DataError, Depth, ImageSet, Prepare, Size, memory};
use cvae_gpu::files::npy::to_bytes;

use super::load;
use crate::sets::{gzip, idx};

fn prepare() -> Prepare {
    Prepare::default()
}

fn text(result: Result<ImageSet, DataError>) -> String {
    result.expect_err("a refusal").to_string()
}

#[test]
fn an_array_in_memory_is_that_of_its_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("waves.npy");
    let values: Vec<f32> = (0..20 * 6 * 5).map(|i| (i % 97) as f32 / 96.0).collect();
    let bytes = to_bytes(&[20, 6, 5], &values);
    std::fs::write(&path, &bytes).unwrap();
    let found = memory::from_npy(&bytes, "waves.npy", &prepare(), &mut |_| ()).unwrap();
    assert_eq!(found, load(&path).unwrap());
    let half = Prepare {
        size: Some(Size::Square(4)),
        ..prepare()
    };
    let half = memory::from_npy(&bytes, "waves.npy", &half, &mut |_| ()).unwrap();
    assert_eq!(half.shape(), [4, 4, 1]);
    let cut = memory::from_npy(
        &bytes[..bytes.len() - 1],
        "waves.npy",
        &prepare(),
        &mut |_| (),
    );
    assert!(text(cut).contains("waves.npy: "));
}

#[test]
fn idx_files_in_memory_are_a_set_with_or_without_labels_and_test_images() {
    let images = |count: u32| {
        let pixels: Vec<u8> = (0..count * 12).map(|i| (7 * i) as u8).collect();
        idx(&[count, 4, 3], &pixels)
    };
    let labels = |count: u32| idx(&[count], &(0..count as u8).collect::<Vec<_>>());
    let (train, test) = (gzip(&images(10)), images(2));
    let (train_labels, test_labels) = (labels(10), gzip(&labels(2)));
    let whole = memory::from_idx(
        (&train, Some(&train_labels)),
        Some((&test, Some(&test_labels))),
        "digits",
        &prepare(),
        &mut |_| (),
    );
    let whole = whole.unwrap();
    assert_eq!(whole.shape(), [4, 3, 1]);
    assert_eq!(whole.test.labels, Some(vec![0, 1]));
    assert_eq!(whole.train.images.count(), 10);
    assert!(whole.black_and_white);
    let alone = memory::from_idx((&train, None), None, "digits", &prepare(), &mut |_| ());
    let alone = alone.unwrap();
    assert_eq!(
        (alone.train.images.count(), alone.test.images.count()),
        (9, 1)
    );
    let (few, wrong) = (labels(9), |train, test| {
        memory::from_idx(train, test, "digits", &prepare(), &mut |_| ())
    });
    assert!(text(wrong((&train, Some(&few)), None)).contains("9 labels and 10 images"));
    assert!(text(wrong((&train_labels, None), None)).contains("0x00000801"));
    let other = idx(&[2, 3, 4], &[0; 24]);
    assert!(text(wrong((&train, None), Some((&other, None)))).contains("two sets"));
}

#[test]
fn pictures_that_are_decoded_elsewhere_are_a_set() {
    let pixels: Vec<u8> = (0..10 * 48).map(|i| i as u8).collect();
    let from = |shape, pixels: &[u8], labels: Option<Vec<u32>>| {
        memory::from_pixels(
            shape,
            pixels.to_vec(),
            labels,
            "photos",
            &prepare(),
            &mut |_| (),
        )
    };
    let labels: Vec<u32> = (0..10).collect();
    let set = from([4, 4, 3], &pixels, Some(labels.clone())).unwrap();
    assert_eq!(
        (set.shape(), set.train.images.depth()),
        ([4, 4, 3], Depth::Byte)
    );
    assert_eq!(
        set.test.images.values(0).unwrap()[..2],
        [176.0 / 255.0, 177.0 / 255.0]
    );
    assert_eq!(set.test.labels, Some(vec![9]));
    assert!(text(from([4, 4, 3], &pixels[1..], None)).contains("whole images"));
    assert!(text(from([4, 4, 3], &[], None)).contains("whole images"));
    assert!(text(from([4, 4, 3], &pixels, Some(labels[1..].to_vec()))).contains("one label"));
}
