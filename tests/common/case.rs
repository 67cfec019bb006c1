//! Cases as files.

use std::collections::BTreeMap;

use cvae_gpu::check::Case;
use cvae_gpu::check::outcome::{PREFIX, shapes};
use cvae_gpu::files::tensors::{Tensor, TensorFile};
use serde_json::json;

/// The case in the format of the recorded ones.
pub fn case_file(case: &Case) -> TensorFile {
    let (model, batch, steps) = (&case.model, case.batch, case.eps.len());
    let [h, w, c] = model.image;
    let mut tensors = BTreeMap::new();
    let mut add = |name: String, shape: Vec<usize>, values: Vec<f32>| {
        tensors.insert(name, Tensor::f32(shape, values));
    };
    add("input/x".into(), vec![batch, h, w, c], case.x.clone());
    let shape = vec![steps, batch, model.latent_dim];
    add("input/eps".into(), shape, case.eps.concat());
    for (spec, (name, values)) in model.params().into_iter().zip(&case.params) {
        add(format!("param/{name}"), spec.shape, values.clone());
    }
    let shapes = shapes(model, batch, steps);
    for (name, values) in &case.expect {
        let shape = shapes[name].clone();
        add(format!("{PREFIX}{name}"), shape, values.clone());
    }
    let filters = model.filters().expect("a model of filters");
    let config = json!({
        "image": model.image,
        "latent_dim": model.latent_dim,
        "enc_filters": filters.encoder_filters,
        "dec_base": filters.decoder_base,
        "dec_filters": filters.decoder_filters,
        "loss": model.loss,
        "beta": model.beta,
        "relu_margin": case.relu_margin,
    });
    TensorFile {
        tensors,
        metadata: [("config".to_owned(), config.to_string())].into(),
    }
}
