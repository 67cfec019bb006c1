//! Pictures, pixel by pixel.

use std::fs::{self, File};
use std::path::Path;

use cvae_gpu::explore::{line, means};
use image::RgbImage;

use super::made::{COLOUR, DRAWN, GREY, Made, folder};

/// `image::open` would compile all decoders again for this crate.
pub fn open(path: &Path) -> RgbImage {
    let bytes = fs::read(path).expect("a file");
    let picture = image::load_from_memory(&bytes);
    picture.expect("a picture").into_rgb8()
}

/// The cell of a sheet: its images are enlarged twice, with white gaps of 4 pixels.
#[track_caller]
fn check_cell(picture: &RgbImage, made: &Made, at: [usize; 2], values: &[f64]) {
    let [h, w, c] = made.trained.model.image;
    let [left, top] = at.map(|i| i * (2 * w + 4) + 2);
    for (y, x) in (0..2 * h).flat_map(|y| (0..2 * w).map(move |x| (y, x))) {
        let found = picture.get_pixel((left + x) as u32, (top + y) as u32).0;
        for (channel, found) in found.into_iter().enumerate() {
            let value = values[(y / 2 * w + x / 2) * c + channel % c];
            let off = (f64::from(found) - 255.0 * value).abs();
            assert!(off < 0.6, "{found} for {value} at {x}, {y} of cell {at:?}");
        }
    }
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

/// The means of the codes of test images, by the twins.
fn mean_codes(made: &Made, indices: &[usize]) -> Vec<f32> {
    let images = made.set.test.images.select(indices).expect("the images");
    let codes: Vec<f32> = made.codes(&images).iter().map(|v| *v as f32).collect();
    means(&codes, made.trained.model.latent_dim)
}

#[test]
fn originals_stand_above_their_reconstructions() {
    for made in [&*GREY, &*COLOUR, &*DRAWN] {
        let folder = folder();
        made.on_images("reconstruct -n 18 --out pairs.png", folder.path())
            .succeed();
        let picture = open(&folder.path().join("pairs.png"));
        let [h, w, c] = made.trained.model.image;
        let size = (16 * (2 * w as u32 + 4), 4 * (2 * h as u32 + 4));
        assert_eq!(picture.dimensions(), size);
        for (image, at) in [(0, [0, 0]), (15, [15, 0]), (17, [1, 2])] {
            let original = made.set.test.images.values(image).unwrap();
            check_cell(&picture, made, at, &doubles(&original));
            let z = doubles(&mean_codes(made, &[image]));
            check_cell(&picture, made, [at[0], at[1] + 1], &made.probabilities(&z));
        }
        // The end of the last row is white.
        check_cell(&picture, made, [2, 3], &vec![1.0; h * w * c]);
    }
}

#[test]
fn samples_fill_a_sheet_that_is_about_square() {
    let folder = folder();
    for (count, columns, rows) in [(1, 1, 1), (5, 3, 2), (9, 3, 3)] {
        let command = format!("sample -n {count}");
        COLOUR.on_model(&command, folder.path()).succeed();
        let picture = open(&folder.path().join("sample.png"));
        assert_eq!(picture.dimensions(), (68 * columns, 68 * rows));
    }
}

#[test]
fn a_walk_has_both_its_ends_as_picture_and_as_animation() {
    for made in [&*GREY, &*COLOUR] {
        let folder = folder();
        let walk = |out: &str| {
            let command = format!("interpolate --from 2 --to 20 --steps 5 --out {out}");
            made.on_images(&command, folder.path()).succeed();
        };
        walk("walk.png");
        let picture = open(&folder.path().join("walk.png"));
        let side = 2 * made.trained.model.image[0] as u32 + 4;
        assert_eq!(picture.dimensions(), (5 * side, side));
        let latent = made.trained.model.latent_dim;
        let ends = mean_codes(made, &[2, 20]);
        let z = line(&ends[..latent], &ends[latent..], 5);
        let images = made.probabilities(&doubles(&z));
        for (i, image) in images.chunks(images.len() / 5).enumerate() {
            check_cell(&picture, made, [i, 0], image);
        }
        walk("walk.gif");
        let file = File::open(folder.path().join("walk.gif")).expect("an animation");
        let mut decoder = gif::DecodeOptions::new().read_info(file).expect("a GIF");
        let mut frames = 0;
        while decoder.read_next_frame().expect("a frame").is_some() {
            frames += 1;
        }
        assert_eq!(frames, 5);
    }
}

#[test]
fn a_scatter_has_a_legend_where_there_are_labels() {
    let folder = folder();
    COLOUR
        .on_images("latent --dims 2,1", folder.path())
        .succeed();
    let labelled = open(&folder.path().join("latent.png"));
    let colours = [[31, 119, 180], [255, 127, 14], [44, 160, 44], [214, 39, 40]];
    for colour in colours {
        let count = labelled.pixels().filter(|p| p.0 == colour).count();
        assert!(count > 100, "{count} pixels of {colour:?} in the legend");
    }
}

#[test]
fn codes_become_a_picture_too() {
    let folder = folder();
    let z = [0.5f32, -1.0, 1.5, 0.0];
    let bytes = cvae_gpu::files::npy::to_bytes(&[2, 2], &z);
    std::fs::write(folder.path().join("z.npy"), bytes).expect("codes");
    GREY.on_model("decode --z z.npy --out x.png", folder.path())
        .succeed();
    let picture = open(&folder.path().join("x.png"));
    assert_eq!(picture.dimensions(), (120, 60));
    let images = GREY.probabilities(&doubles(&z));
    check_cell(&picture, &GREY, [0, 0], &images[..784]);
    check_cell(&picture, &GREY, [1, 0], &images[784..]);
}
