//! The results of an implementation on a case, named as the `expect/` tensors of the file.

use std::collections::BTreeMap;

use crate::files::tensors::{Tensor, TensorFile};
use crate::model::params::{grad_name, moment_names};
use crate::model::{Model, Posterior};
use crate::ops::{elbo, full};

/// Prefix of results and expectations in files.
pub const PREFIX: &str = "expect/";

/// Names (without the prefix) and shapes of all results of a case.
pub fn shapes(model: &Model, batch: usize, steps: usize) -> BTreeMap<String, Vec<usize>> {
    let [h, w, c] = model.image;
    let mut shapes = BTreeMap::new();
    for (name, shape) in [
        ("mean", vec![batch, model.latent_dim]),
        ("logvar", vec![batch, model.latent_dim]),
        ("z", vec![batch, model.latent_dim]),
        ("logpx_z", vec![batch]),
        ("logpz", vec![batch]),
        ("logqz_x", vec![batch]),
        ("kl", vec![batch]),
        ("logits", vec![batch, h, w, c]),
        ("loss", vec![steps]),
    ] {
        shapes.insert(name.to_owned(), shape);
    }
    if model.posterior == Posterior::Full {
        shapes.remove("logvar");
        shapes.insert(
            "scale".into(),
            vec![batch, model.latent_dim, model.latent_dim],
        );
    }
    for stack in [model.encoder(), model.decoder()] {
        // The last layers are `mean` and its like, and `logits`.
        for layer in stack.layers.iter().rev().skip(1) {
            let shape = [vec![batch], layer.output()].concat();
            shapes.insert(format!("act/{}", layer.name), shape);
        }
    }
    for spec in model.params() {
        let after = ["param_after", "param_after_1"].map(|p| format!("{p}/{}", spec.name));
        let optimizer = moment_names(&spec.name);
        let names = after.into_iter().chain(optimizer);
        for name in names.chain([grad_name(&spec.name)]) {
            shapes.insert(name, spec.shape.clone());
        }
    }
    shapes
}

/// Results by name without the prefix.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    shapes: BTreeMap<String, Vec<usize>>,
    tensors: BTreeMap<String, Vec<f64>>,
    steps: usize,
    latent_dim: usize,
    /// Slots of the outputs of encoder and decoder.
    ends: [String; 2],
}

impl Outcome {
    /// An empty outcome of `steps` steps.
    pub fn new(model: &Model, batch: usize, steps: usize) -> Self {
        Outcome {
            shapes: shapes(model, batch, steps),
            tensors: BTreeMap::new(),
            steps,
            latent_dim: model.latent_dim,
            ends: [model.encoder(), model.decoder()]
                .map(|stack| format!("{}.y", stack.last().name)),
        }
    }

    /// (tensor, slot) for each result that is read after step `k`, counted from 0. Forward values and
    /// gradients are those of the first step, moments and weights those of the last; each step has a
    /// loss.
    pub fn due(&self, k: usize) -> Vec<(String, String)> {
        let (first, last) = (k == 0, k + 1 == self.steps);
        let slot = |name: &str| {
            let (due, slot) = match name.split_once('/').unwrap_or((name, "")) {
                ("loss", _) => (true, "metrics".to_owned()),
                ("mean" | "logvar" | "scale", _) => (first, self.ends[0].clone()),
                ("logits", _) => (first, self.ends[1].clone()),
                ("act", layer) => (first, format!("{layer}.y")),
                ("param_after", param) => (last, param.to_owned()),
                ("param_after_1", param) => (first, param.to_owned()),
                ("adam_m" | "adam_v", _) => (last, name.to_owned()),
                _ => (first, name.to_owned()),
            };
            due.then_some(slot)
        };
        let names = self.shapes.keys();
        let due = names.filter_map(|name| Some((name.clone(), slot(name)?)));
        due.collect()
    }

    /// Stores a tensor from the contents of its slot after step `k`.
    pub fn keep(&mut self, tensor: &str, k: usize, slot: &[f64]) {
        let values = match tensor {
            "loss" => {
                let loss = slot[k % elbo::RING * elbo::COLUMNS];
                let mut losses = self.tensors.remove(tensor).unwrap_or_default();
                losses.push(loss);
                losses
            }
            // Each row has the means of an image, then its log-variances or the elements of T.
            "mean" | "logvar" | "scale" => {
                let latent = self.latent_dim;
                let rows = slot.chunks(slot.len() / self.shapes[tensor][0]);
                let of = |row: &[f64]| match tensor {
                    "mean" => row[..latent].to_vec(),
                    "logvar" => row[latent..].to_vec(),
                    _ => full::scale(latent, &row[latent..]).0,
                };
                rows.flat_map(of).collect()
            }
            _ => slot.to_vec(),
        };
        self.tensors.insert(tensor.to_owned(), values);
    }

    /// Shape and values of a tensor.
    pub fn get(&self, tensor: &str) -> Option<(&[usize], &[f64])> {
        let values = self.tensors.get(tensor)?;
        Some((self.shapes.get(tensor)?, values))
    }

    /// Names of the stored tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// All tensors in single precision, as a file.
    pub fn to_file(&self) -> TensorFile {
        let tensor = |(name, values): (&String, &Vec<f64>)| {
            let values: Vec<f32> = values.iter().map(|&v| v as f32).collect();
            let tensor = Tensor::f32(self.shapes[name].clone(), values);
            (format!("{PREFIX}{name}"), tensor)
        };
        TensorFile {
            tensors: self.tensors.iter().map(tensor).collect(),
            ..TensorFile::default()
        }
    }
}
