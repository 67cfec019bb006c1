//! Arrays: what `encode`, `decode`, `sample` and `manifold` compute.

use std::fs;

use cvae_gpu::data::{ImageSet, packed};
use cvae_gpu::explore::means;
use cvae_gpu::files::npy;

use super::made::{COLOUR, COUNT, GREY, LABELLED, Made, PIXEL, agree, array, folder};
use super::pictures;

fn check_codes(made: &Made) {
    let folder = folder();
    let latent = made.trained.model.latent_dim;
    let expected = made.codes(&made.set.test.images);
    // 23 images in batches of 5 leave 3.
    let cli = made.on_images("encode --batch 5 --out codes.npy --json", folder.path());
    let said = cli.succeed().json();
    assert_eq!(said["images"], COUNT);
    assert_eq!(said["files"][0], "codes.npy");
    let codes = array(&folder.path().join("codes.npy"), &[COUNT, 2 * latent]);
    agree(&codes, &expected, 1e-4);

    let cli = made.on_images(
        "encode --split train --limit 4 -q --out codes.csv",
        folder.path(),
    );
    let outcome = cli.succeed();
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", ""));
    let text = fs::read_to_string(folder.path().join("codes.csv")).expect("a table");
    let mut lines = text.lines();
    let names = |name: &str| {
        (0..latent)
            .map(|d| format!(",{name}_{d}"))
            .collect::<String>()
    };
    let header = format!("index,label{}{}", names("mean"), names("logvar"));
    assert_eq!(lines.next(), Some(header.as_str()));
    let expected = made.codes(&made.set.train.images.clone().first(4));
    let rows: Vec<Vec<f32>> = lines
        .map(|line| line.split(',').map(|v| v.parse().expect(line)).collect())
        .collect();
    assert_eq!(rows.len(), 4);
    for (i, row) in rows.iter().enumerate() {
        assert_eq!(row[..2], [i as f32, (i % 4) as f32]);
        agree(&row[2..], &expected[2 * latent * i..][..2 * latent], 1e-4);
    }
}

#[test]
fn codes_of_grey_images_are_those_of_the_twins() {
    check_codes(&GREY);
}

#[test]
fn codes_of_colour_images_are_those_of_the_twins() {
    check_codes(&COLOUR);
}

fn check_images(made: &Made) {
    let folder = folder();
    let latent = made.trained.model.latent_dim;
    let [h, w, c] = made.trained.model.image;
    let z: Vec<f32> = (0..7 * latent).map(|i| (i as f32).sin() * 2.0).collect();
    let codes = npy::to_bytes(&[7, latent], &z);
    fs::write(folder.path().join("z.npy"), codes).expect("codes");
    let cli = made.on_model("decode --z z.npy --out x.npy --batch 3", folder.path());
    cli.succeed();
    let images = array(&folder.path().join("x.npy"), &[7, h, w, c]);
    let z: Vec<f64> = z.into_iter().map(f64::from).collect();
    agree(&images, &made.probabilities(&z), 1e-5);
}

#[test]
fn codes_of_encode_are_decoded_by_their_means() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    GREY.on_images("encode --out codes.npy", folder.path())
        .succeed();
    let decode = |words: &str| GREY.on_model(words, folder.path()).succeed();
    let said = decode("decode --z codes.npy --out x.npy");
    let words = "codes.npy has 4 columns: the first 2 are the means";
    assert!(said.stderr.contains(words), "{said}");
    let codes = array(&path("codes.npy"), &[COUNT, 4]);
    let z = npy::to_bytes(&[COUNT, 2], &means(&codes, 2));
    fs::write(path("z.npy"), z).expect("codes");
    let said = decode("decode --z z.npy --out y.npy");
    assert!(!said.stderr.contains("columns"), "{said}");
    let images = ["x.npy", "y.npy"].map(|name| array(&path(name), &[COUNT, 28, 28, 1]));
    assert_eq!(images[0], images[1]);
}

#[test]
fn grey_images_of_codes_are_those_of_the_twins() {
    check_images(&GREY);
}

#[test]
fn colour_images_of_codes_are_those_of_the_twins() {
    check_images(&COLOUR);
}

#[test]
fn images_of_a_code_that_is_a_pixel_are_those_of_the_twins() {
    check_codes(&PIXEL);
    check_images(&PIXEL);
}

#[test]
fn codes_of_a_model_with_labels_are_those_of_the_twins() {
    let (made, folder) = (&*LABELLED, folder());
    let model = &made.trained.model;
    let images = &made.set.test.images;
    made.on_images("encode --batch 5 --out codes.npy", folder.path())
        .succeed();
    let path = folder.path().join("codes.npy");
    let codes = array(&path, &[COUNT, 2 * model.latent_dim]);
    let q: Vec<f32> = made.codes(images).iter().map(|v| *v as f32).collect();
    let expected = model.posterior.means_and_logvars(model.latent_dim, q);
    let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
    agree(&codes, &expected, 1e-4);
    // Without its labels, the set does not serve.
    let bare = ImageSet::unlabelled("bare", images.clone(), images.clone());
    let bytes = packed::write(&bare, &packed::Provenance::default()).expect("a set");
    fs::write(folder.path().join("bare"), bytes).expect("a file");
    let refused = made.on_model("encode --out x.npy --data bare", folder.path());
    refused.fail(1, &["4 classes", "no labels"]);
}

#[test]
fn a_sample_depends_on_its_seed_and_its_number_alone() {
    let folder = folder();
    let sample = |words: &str, count: usize| {
        let command = format!("sample --npy x.npy {words}");
        GREY.on_model(&command, folder.path()).succeed();
        array(&folder.path().join("x.npy"), &[count, 28, 28, 1])
    };
    let nine = sample("-n 9", 9);
    assert!(nine.iter().all(|p| (0.0..=1.0).contains(p)));
    let distinct = nine.chunks(784).skip(1).all(|image| image != &nine[..784]);
    assert!(distinct, "two samples are equal");
    assert_eq!(sample("-n 5 --seed 0", 5), nine[..5 * 784]);
    let small: Vec<f64> = nine.iter().map(|p| f64::from(*p)).collect();
    agree(&sample("-n 9 --batch 4", 9), &small, 1e-5);
    assert_ne!(sample("-n 9 --seed 1", 9), nine);
}

#[test]
fn a_manifold_runs_right_along_its_first_dimension_and_down_along_its_second() {
    let folder = folder();
    for (made, dims, words) in [(&*GREY, [0, 1], ""), (&*COLOUR, [2, 0], "--dims 2,0")] {
        let command = format!("manifold -n 3 --npy x.npy {words}");
        made.on_model(&command, folder.path()).succeed();
        let (latent, [h, w, c]) = (made.trained.model.latent_dim, made.trained.model.image);
        let quantiles = [-1.644_853_626_951_472_7, 0.0, 1.644_853_626_951_472_7];
        let mut z = Vec::new();
        for (row, column) in (0..9).map(|i| (i / 3, i % 3)) {
            let mut code = vec![0.0; latent];
            code[dims[0]] = quantiles[column];
            code[dims[1]] = quantiles[row];
            z.extend(code);
        }
        let images = array(&folder.path().join("x.npy"), &[3, 3, h, w, c]);
        agree(&images, &made.probabilities(&z), 1e-5);
        let picture = pictures::open(&folder.path().join("manifold.png"));
        assert_eq!(picture.dimensions(), (3 * w as u32, 3 * h as u32));
        // The last cell's last pixel.
        let last = picture.get_pixel(3 * w as u32 - 1, 3 * h as u32 - 1).0;
        let level = |v: &f32| (255.0 * v).round() as u8;
        let expected: Vec<u8> = images[images.len() - c..].iter().map(level).collect();
        assert_eq!(last, [0, 1, 2].map(|i| expected[i % c]));
    }
}
