//! The programs in examples/, at toy size.

use std::fs;

use cvae_gpu::data::{Depth, packed};
use cvae_gpu::explore::Explorer;
use cvae_gpu::files::npy;
use cvae_gpu::model::params;
use cvae_gpu::saved::Trained;
use cvae_gpu::train::Options;

use crate::common::gpu;
use crate::common::training::{rectangles, small_model};

#[path = "../../examples/encode_set.rs"]
#[allow(dead_code, reason = "`main` is for people")]
mod encode_set;
#[path = "../../examples/filter_widths.rs"]
#[allow(dead_code, reason = "`main` is for people")]
mod filter_widths;
#[path = "../../examples/own_images.rs"]
#[allow(dead_code, reason = "`main` is for people")]
mod own_images;

#[test]
fn own_images_are_trained_on_and_their_codes_written() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let set = own_images::discs(98, 49);
    assert_eq!(set.train.images.depth(), Depth::Bit);
    let lit = |i| set.train.images.values(i).unwrap().iter().sum::<f32>();
    assert_eq!([lit(0), lit(60)], [49.0; 2], "each disc is whole");
    let options = Options {
        epochs: 1,
        ..own_images::options()
    };
    let out = path("discs.safetensors");
    pollster::block_on(own_images::train(gpu(), &set, &options, &out)).expect("a run");

    let trained = Trained::read(&out).expect("a model");
    assert_eq!(trained.model, options.model);
    let start = params::initial(&trained.model.params(), options.seed);
    let weights = trained.weights.iter().map(|(_, values)| values);
    let moved = weights.zip(&start).all(|(now, start)| now != start);
    assert!(moved, "every tensor has been trained");

    let bytes = packed::write(&set, &packed::Provenance::default()).expect("a set");
    fs::write(path("discs.safetensors.gz"), bytes).expect("a file");
    let (source, codes) = (path("discs.safetensors.gz"), path("codes.npy"));
    let source = source.to_str().expect("UTF-8");
    let count = pollster::block_on(encode_set::encode(gpu(), &out, source, &codes));
    assert_eq!(count.expect("codes"), 49);
    let array = npy::read(&codes).expect("an array");
    assert_eq!(array.shape, [49, 4]);
    let explorer = Explorer::new(gpu(), &trained, 64);
    let expected = pollster::block_on(explorer.encode(&set.test.images, &mut |_, _| ()));
    assert_eq!(array.as_f32().expect("floats"), expected.expect("codes"));
}

#[test]
fn filter_widths_are_those_of_the_model_and_training_helps_it() {
    let set = rectangles(320, 16);
    let model = filter_widths::model([4, 8], set.shape());
    let filters = model.filters().expect("a model of filters");
    assert_eq!(filters.encoder_filters, [4, 8]);
    assert_eq!(filters.decoder_filters, [8, 4]);
    assert_ne!(model, small_model());
    let after = |steps| {
        let elbo = filter_widths::elbo_after(gpu(), model.clone(), &set, steps);
        pollster::block_on(elbo).expect("a run")
    };
    let (first, last) = (after(1), after(100));
    assert!(last > first + 0.05, "{first} and then {last}");
}
