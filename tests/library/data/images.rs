//! Packed images.

use cvae_gpu::data::{Binarize, Depth, ImageSet, PackedImages, Split};

#[test]
fn the_threshold_is_128_and_bits_go_least_significant_first() {
    let pixels = [127, 128, 0, 255, 0, 0, 0, 0, 0, 200];
    let images = PackedImages::from_bytes([2, 5, 1], &pixels, Binarize::Threshold);
    assert_eq!(images.depth(), Depth::Bit);
    assert_eq!(images.bytes().unwrap(), [0b0000_1010, 0b0000_0010]);
    let ones = [0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0];
    assert_eq!(images.values(0).unwrap(), ones);
}

#[test]
fn every_image_begins_at_a_byte_and_on_the_device_at_a_word() {
    // 35 values take 5 bytes and so 2 words.
    let mut pixels = vec![0; 70];
    pixels[34] = 255;
    pixels[35] = 255;
    let images = PackedImages::from_bytes([5, 7, 1], &pixels, Binarize::Threshold);
    assert_eq!((images.image_bytes(), images.words_per_image()), (5, 2));
    assert_eq!(images.bytes().unwrap(), [0, 0, 0, 0, 0b100, 1, 0, 0, 0, 0]);
    assert_eq!(images.device_words().unwrap(), [0, 0b100, 1, 0]);
}

#[test]
fn images_are_selected_by_index_and_from_the_start() {
    let images = PackedImages::from_bytes([1, 1, 1], &[5, 6, 7], Binarize::None);
    let chosen = images.select(&[2, 0, 2]).unwrap();
    assert_eq!(
        (chosen.count(), chosen.bytes().unwrap()),
        (3, vec![7, 5, 7])
    );
    assert_eq!(images.select(&[0, 3]), None);
    assert_eq!(images.first(2).bytes().unwrap(), [5, 6]);
}

#[test]
fn bytes_are_kept_and_read_as_fractions_of_255() {
    let images = PackedImages::from_bytes([1, 1, 3], &[0, 51, 255, 1, 2, 3], Binarize::None);
    assert_eq!((images.count(), images.depth().bits()), (2, 8));
    assert_eq!(images.values(0).unwrap(), [0.0, 0.2, 1.0]);
    assert_eq!(images.device_words().unwrap(), [0x00ff_3300, 0x0003_0201]);
}

#[test]
fn binarizing_later_equals_binarizing_at_once() {
    let pixels: Vec<u8> = (0..=255).collect();
    let once = PackedImages::from_bytes([8, 8, 1], &pixels, Binarize::Threshold);
    let later = PackedImages::from_bytes([8, 8, 1], &pixels, Binarize::None)
        .binarized()
        .unwrap();
    assert_eq!(once, later);
    assert_eq!(later.clone().binarized().unwrap(), later);
}

// 8 grey images of 35 values, which do not fill whole words. The number of ones lies within four
// standard deviations of its expectation.
#[test]
fn images_are_drawn_once_and_for_all_by_their_grey_levels() {
    let pixels: Vec<u8> = (0..8 * 35).map(|i| (i * 37 % 256) as u8).collect();
    let grey = PackedImages::from_bytes([5, 7, 1], &pixels, Binarize::Stochastic);
    assert_eq!(grey.depth(), Depth::Byte);
    let drawn = grey.clone().drawn().unwrap();
    assert_eq!(drawn.depth(), Depth::Bit);
    assert_eq!(drawn, drawn.clone().drawn().unwrap());
    assert_ne!(drawn, grey.clone().binarized().unwrap());
    assert_eq!(
        grey.clone().first(3).drawn().unwrap(),
        drawn.clone().first(3)
    );
    let values: Vec<f32> = (0..8).flat_map(|i| drawn.values(i).unwrap()).collect();
    let (mut off, mut variance) = (0.0, 0.0);
    for (value, byte) in values.into_iter().zip(pixels) {
        let p = f64::from(byte) / 255.0;
        off += f64::from(value) - p;
        variance += p * (1.0 - p);
        if byte == 0 || byte == 255 {
            assert_eq!(f64::from(value), p);
        }
    }
    assert!(off.abs() < 4.0 * variance.sqrt(), "{off} ones too many");
}

#[test]
fn the_first_images_keep_their_labels() {
    let split = Split {
        images: PackedImages::from_bytes([1, 2, 1], &[0, 128, 127, 255], Binarize::None),
        labels: Some(vec![7, 9]),
        names: None,
    };
    let first = split.clone().first(1);
    assert_eq!((first.images.count(), first.labels), (1, Some(vec![7])));
    assert_eq!(first.images.bytes().unwrap(), [0, 128]);
    assert_eq!(split.clone().first(5), split);
}

fn set(channels: usize, values: &[u8], binarize: Binarize) -> ImageSet {
    let images = || PackedImages::from_bytes([1, 2, channels], values, binarize);
    ImageSet::unlabelled("some", images(), images())
}

#[test]
fn grey_levels_are_lost_by_the_tutorials_sets_only() {
    let (none, threshold) = (Binarize::None, Binarize::Threshold);
    let black_and_white = |set: ImageSet| ImageSet {
        black_and_white: true,
        ..set
    };
    let grey = || set(1, &[3, 200], none);
    let colour = || set(3, &[0, 255, 0, 255, 0, 255], none);
    for (set, wanted, word) in [
        (grey(), none, "grey levels"),
        (black_and_white(grey()), threshold, "MNIST"),
        (set(1, &[0, 255], none), threshold, "black and white"),
        (colour(), none, "colours"),
        (black_and_white(colour()), none, "colours"),
    ] {
        let (binarize, why) = set.usual().unwrap();
        assert_eq!(binarize, wanted, "{word}");
        assert!(why.unwrap().contains(word), "{why:?}");
    }
    assert_eq!(
        set(1, &[3, 200], threshold).usual().unwrap(),
        (threshold, None)
    );
    let colour_bits = set(3, &[0, 255, 0, 255, 0, 255], threshold);
    assert_eq!(colour_bits.usual().unwrap(), (none, None));
}

#[test]
fn held_out_images_keep_their_labels_and_are_drawn_once() {
    let pixels: Vec<u8> = (0..20).map(|i| 10 * i + 5).collect();
    let train = Split {
        images: PackedImages::from_bytes([1, 2, 1], &pixels, Binarize::None),
        labels: Some((0..10).collect()),
        names: None,
    };
    let test = train.clone().first(1);
    let set = || ImageSet::new("some", train.clone(), test.clone());
    let print = set().fingerprint().unwrap();
    for (fraction, held) in [
        (0.3, vec![3, 6, 9]),
        (0.01, vec![9]),
        (0.5, vec![1, 3, 5, 7, 9]),
    ] {
        let set = set().hold_out(fraction, Binarize::None).expect("images");
        let validation = set.validation.expect("images");
        assert_eq!(validation.labels.as_deref(), Some(&held[..]));
        let bytes: Vec<u8> = (held.iter())
            .flat_map(|i| [20 * *i as u8 + 5, 20 * *i as u8 + 15])
            .collect();
        assert_eq!(validation.images.bytes().unwrap(), bytes);
        let rest: Vec<u32> = (0..10).filter(|i| !held.contains(i)).collect();
        assert_eq!(set.train.labels, Some(rest));
        assert_eq!(
            (set.train.images.count(), set.test),
            (10 - held.len(), test.clone())
        );
    }
    let drawn = set().hold_out(0.3, Binarize::Stochastic).expect("images");
    let held = drawn.validation.expect("images");
    assert_eq!(
        (held.images.depth(), drawn.train.images.depth()),
        (Depth::Bit, Depth::Byte)
    );
    let error = set()
        .hold_out(0.96, Binarize::None)
        .expect_err("no image is left");
    assert!(error.to_string().contains("10 training images"), "{error}");
    assert_eq!(set().fingerprint().unwrap(), print);
}
