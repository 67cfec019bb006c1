//! A model that is conditioned on labels draws the class that is asked for.

use std::fs;
use std::path::Path;

use cvae_gpu::files::npy;
use cvae_gpu::files::tensors::TensorData;
use image::{GrayImage, Luma};

use super::program::Cli;

const SIDE: usize = 16;

/// Folders of 50 squares and 50 discs, of several sizes at several places.
fn write_shapes(folder: &Path) {
    for class in ["disc", "square"] {
        fs::create_dir_all(folder.join(class)).expect("a folder");
        for i in 0..50_usize {
            let (reach, y, x) = (3 + i % 3, 6 + i / 3 % 4, 6 + i / 13);
            let is_inside = |px: u32, py: u32| {
                let [dy, dx] = [(py as usize).abs_diff(y), (px as usize).abs_diff(x)];
                match class {
                    "disc" => dy * dy + dx * dx <= reach * reach,
                    _ => dy.max(dx) <= reach,
                }
            };
            let level = |x, y| Luma([255 * u8::from(is_inside(x, y))]);
            let picture = GrayImage::from_fn(SIDE as u32, SIDE as u32, level);
            let path = folder.join(class).join(format!("{i}.png"));
            picture.save(path).expect("a file");
        }
    }
}

/// The part of its bounding box that a shape fills: 1 for squares, about 0.7 for discs.
fn filled(image: &[f32]) -> f64 {
    let inside: Vec<[usize; 2]> = (0..SIDE * SIDE)
        .filter(|at| image[*at] > 0.5)
        .map(|at| [at / SIDE, at % SIDE])
        .collect();
    let reach = |axis: usize| {
        let all = || inside.iter().map(|at| at[axis]);
        Some(all().max()? - all().min()? + 1)
    };
    let area = reach(0).zip(reach(1)).map_or(0, |(h, w)| h * w);
    inside.len() as f64 / area as f64
}

#[test]
fn the_class_that_is_asked_for_is_drawn() {
    let root = tempfile::tempdir().expect("a temporary folder");
    write_shapes(&root.path().join("shapes"));
    let run = |words: &str| Cli::new(words).on_adapter().within(root.path());
    let words = "train --data shapes --conditional --encoder-filters 8,16 --latent-dim 3 --batch 10 \
                 --epochs 40 --lr 3e-3 --out run";
    let trained = run(words).succeed();
    assert!(!trained.stderr.contains("collapse"), "{trained}");
    let mut right = 0;
    for (class, is_square) in [("disc", false), ("square", true)] {
        let words = format!("sample --model run --class {class} -n 32 --npy drawn.npy");
        run(&words).succeed();
        let drawn = npy::read(root.path().join("drawn.npy")).expect("an array");
        assert_eq!(drawn.shape, [32, SIDE, SIDE, 1]);
        let TensorData::F32(values) = &drawn.data else {
            panic!("floats");
        };
        let images = values.chunks(SIDE * SIDE);
        right += images
            .filter(|image| (filled(image) > 0.9) == is_square)
            .count();
    }
    // Some codes of the prior lie between the shapes. A model that ignores the class is right 32 times, and
    // 48 times once in 30 000.
    assert!(right >= 48, "{right} of 64 are of the class asked for");
    let wrong = run("sample --model run --class ring -n 1");
    wrong.fail(1, &["--class ring", "disc, square"]);
}
