//! Recorded cases: what TensorFlow computed in float64 for one batch, and how near a float32
//! implementation must come. tests/golden/README.md describes the files and the limits.

use std::collections::BTreeMap;
use std::fmt;

use cvae_gpu::model::Model;
use cvae_gpu::plan::Plan;
use cvae_gpu::tensor_file::TensorFile;

/// A recorded case.
pub struct Case {
    pub model: Model,
    pub batch: usize,
    pub x: Vec<f32>,
    /// One noise tensor per step.
    pub eps: Vec<Vec<f32>>,
    pub params: Vec<(String, Vec<f32>)>,
    expect: Vec<(String, Vec<f32>)>,
    /// A pre-activation lies so near a ReLU's kink that rounding may put it on the other side.
    near_kink: bool,
}

/// What an implementation computed, under the names of the file's `expect/`.
#[derive(Default)]
pub struct Outcome {
    tensors: BTreeMap<String, Vec<f64>>,
    loss: Vec<f64>,
}

impl Outcome {
    /// Takes what step `k` left behind; `read` gives the contents of a slot.
    pub fn collect(&mut self, plan: &Plan, k: usize, last: bool, read: impl Fn(&str) -> Vec<f64>) {
        let ring = read("metrics");
        self.loss.push(ring[k * cvae_gpu::ops::elbo::COLUMNS]);
        let mut keep = |name: String, values| self.tensors.insert(name, values);
        let names: Vec<&str> = plan.slots().map(|(_, s)| s.name.as_str()).collect();
        if k == 0 {
            let q = read("encoder.dense.y");
            let width = q.len() / plan.batch;
            let half = |first: bool| {
                let rows = q.chunks(width).map(|row| row.split_at(width / 2));
                rows.flat_map(|(mean, logvar)| if first { mean } else { logvar })
                    .copied()
                    .collect()
            };
            keep("mean".into(), half(true));
            keep("logvar".into(), half(false));
            keep("logits".into(), read("decoder.deconv3.y"));
            for name in ["z", "logpx_z", "logpz", "logqz_x", "kl"] {
                keep(name.into(), read(name));
            }
            for name in names.iter().filter(|n| n.ends_with(".y")) {
                keep(format!("act/{}", name.trim_end_matches(".y")), read(name));
            }
            for name in names.iter().filter(|n| n.starts_with("grad/")) {
                keep(name.to_string(), read(name));
            }
        }
        let params = || {
            names
                .iter()
                .filter(|n| n.ends_with(".kernel") || n.ends_with(".bias"))
        };
        for name in params().filter(|n| !n.contains('/')) {
            if k == 0 {
                keep(format!("param_after_1/{name}"), read(name));
            }
            if last {
                keep(format!("param_after/{name}"), read(name));
            }
        }
        for name in params().filter(|n| n.starts_with("adam_") && last) {
            keep(name.to_string(), read(name));
        }
    }
}

/// One compared tensor.
pub struct Row {
    name: String,
    measure: &'static str,
    found: f64,
    limit: f64,
    worst: usize,
}

impl Row {
    /// Error in units of the limit; not a number counts as beyond it.
    pub fn share(&self) -> f64 {
        let share = self.found / self.limit;
        if share.is_nan() { f64::INFINITY } else { share }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row {
            name,
            measure,
            found,
            limit,
            worst,
        } = self;
        write!(
            f,
            "{name}: {measure} {found:.2e}, limit {limit:.0e}, worst at {worst}"
        )
    }
}

impl Case {
    /// Reads `tests/golden/<name>.safetensors`.
    pub fn read(name: &str) -> Case {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden");
        let file = TensorFile::read(format!("{folder}/{name}.safetensors")).expect(name);
        let config: serde_json::Value =
            serde_json::from_str(&file.metadata["config"]).expect("config");
        let rename = |key: &str| config[key].clone();
        let model = serde_json::json!({
            "image": rename("image"),
            "latent_dim": rename("latent_dim"),
            "encoder_filters": rename("enc_filters"),
            "decoder_base": rename("dec_base"),
            "decoder_filters": rename("dec_filters"),
            "loss": rename("loss"),
        });
        let model: Model = serde_json::from_value(model).expect("model");
        let floats = |name: &str| file.get(name).expect(name).as_f32().expect(name).to_vec();
        let below = |prefix: &str| -> Vec<(String, Vec<f32>)> {
            let names = file
                .tensors
                .keys()
                .filter_map(|n| Some((n, n.strip_prefix(prefix)?)));
            names
                .map(|(full, name)| (name.to_owned(), floats(full)))
                .collect()
        };
        let batch = file.get("input/eps").expect("eps").shape[1];
        let width = batch * model.latent_dim;
        Case {
            batch,
            x: floats("input/x"),
            eps: floats("input/eps")
                .chunks(width)
                .map(<[f32]>::to_vec)
                .collect(),
            params: below("param/"),
            expect: below("expect/"),
            near_kink: config["relu_margin"]
                .as_f64()
                .is_some_and(|margin| margin < 5e-7),
            model,
        }
    }

    /// Compares every expected tensor, within the limits of the README of the cases.
    pub fn compare(&self, outcome: &Outcome) -> Vec<Row> {
        let limit = |strict: f64, wide: f64| if self.near_kink { wide } else { strict };
        let row = |(name, expected): &(String, Vec<f32>)| {
            let expected: Vec<f64> = expected.iter().map(|&v| f64::from(v)).collect();
            let found = match name.as_str() {
                "loss" => &outcome.loss,
                _ => outcome
                    .tensors
                    .get(name)
                    .unwrap_or_else(|| panic!("{name} was not computed")),
            };
            assert_eq!(found.len(), expected.len(), "{name}");
            let start = |param: &str| {
                let given = self.params.iter().find(|(n, _)| n == param).expect(param);
                given.1.iter().map(|&v| f64::from(v)).collect::<Vec<_>>()
            };
            let update = |values: &[f64], from: &[f64]| -> Vec<f64> {
                values.iter().zip(from).map(|(a, b)| a - b).collect()
            };
            match name.split_once('/') {
                Some(("grad", _)) => l2(name, found, &expected, limit(5e-5, 1e-3)),
                Some(("adam_m" | "adam_v", _)) => l2(name, found, &expected, limit(1e-4, 1e-2)),
                Some(("param_after" | "param_after_1", param)) => {
                    let from = start(param);
                    l2(
                        name,
                        &update(found, &from),
                        &update(&expected, &from),
                        limit(5e-4, 5e-3),
                    )
                }
                None if name == "kl" => {
                    let limit = 1e-5 + 1e-5 * largest(&expected);
                    let (found, worst) = largest_difference(found, &expected);
                    Row {
                        name: name.clone(),
                        measure: "max_abs",
                        found,
                        limit,
                        worst,
                    }
                }
                None if name.starts_with("log") && name != "logits" && name != "logvar"
                    || name == "loss" =>
                {
                    max(name, found, &expected, 5e-6)
                }
                _ => max(name, found, &expected, 1e-5),
            }
        };
        self.expect.iter().map(row).collect()
    }
}

fn largest(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |m, v| m.max(v.abs()))
}

fn largest_difference(found: &[f64], expected: &[f64]) -> (f64, usize) {
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let nan_first = |d: f64| if d.is_nan() { f64::INFINITY } else { d };
    let worst = differences
        .map(nan_first)
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(&b.1));
    worst.map_or((0.0, 0), |(i, d)| (d, i))
}

/// max |a − ref| / max |ref|
fn max(name: &str, found: &[f64], expected: &[f64], limit: f64) -> Row {
    let (difference, worst) = largest_difference(found, expected);
    let found = difference / largest(expected);
    Row {
        name: name.into(),
        measure: "rel_max",
        found,
        limit,
        worst,
    }
}

/// ‖a − ref‖₂ / ‖ref‖₂
fn l2(name: &str, found: &[f64], expected: &[f64], limit: f64) -> Row {
    let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let error = norm(&mut found.iter().zip(expected).map(|(a, b)| a - b));
    let (_, worst) = largest_difference(found, expected);
    let found = error / norm(&mut expected.iter().copied());
    Row {
        name: name.into(),
        measure: "rel_l2",
        found,
        limit,
        worst,
    }
}
