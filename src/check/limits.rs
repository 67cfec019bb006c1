//! Limits of a float32 implementation on a recorded case.
//!
//! There are two sets: *must* and *good*. The *must* limits allow for one unit on the other side of a
//! ReLU's kink, and still detect every common mistake.

use super::case::Case;
use super::compare::{Limit, Row, compare};
use super::outcome::Outcome;

/// A set of limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grade {
    /// Limits that every implementation must meet.
    Must,
    /// Limits that a good implementation meets: rounding errors only.
    Good,
}

/// A pre-activation closer to 0 than this may round to the other side.
const KINK: f64 = 5e-7;

/// Growth of a kernel over its initial size that counts as large. Training grows kernels by a factor of
/// two to three; the cases with logits beyond ±60 scale them by eight.
const LARGE: f64 = 5.0;

impl Grade {
    /// The strictest set that is fair for a case. `strict` asks for *good*; a case near a kink, with
    /// large weights, or with sums over colour images gets *must*.
    pub fn of(case: &Case, strict: bool) -> Self {
        let near_kink = case.relu_margin.is_some_and(|margin| margin < KINK);
        let colour = case.model.image == [32, 32, 3];
        if strict && !near_kink && !colour && !has_large_weights(case) {
            Grade::Good
        } else {
            Grade::Must
        }
    }

    /// Name in tables and files.
    pub fn name(self) -> &'static str {
        match self {
            Grade::Must => "limit",
            Grade::Good => "strict_limit",
        }
    }

    fn pick(self, must: f64, good: f64) -> f64 {
        match self {
            Grade::Must => must,
            Grade::Good => good,
        }
    }
}

/// Whether some kernel is much larger than its initial values.
fn has_large_weights(case: &Case) -> bool {
    let specs = case.model.params().into_iter();
    specs.filter(|s| s.limit > 0.0).any(|spec| {
        let values = case.param(&spec.name).unwrap_or_default().iter();
        let squares = values.map(|v| f64::from(v * v)).sum::<f64>();
        let rms = (squares / spec.len() as f64).sqrt();
        // Uniform numbers in ±limit have an RMS of limit/√3.
        rms > LARGE * spec.limit / 3f64.sqrt()
    })
}

/// The limit of a tensor by its name.
fn limit(tensor: &str, grade: Grade) -> Limit {
    let group = tensor.split('/').next().unwrap_or_default();
    match group {
        "grad" => Limit::OfNorm(grade.pick(1e-3, 5e-5)),
        "adam_m" | "adam_v" => Limit::OfNorm(grade.pick(1e-2, 1e-4)),
        // Of the change, see `judge`: the size of the weights would hide a wrong epsilon.
        "param_after" | "param_after_1" => Limit::OfNorm(grade.pick(5e-3, 5e-4)),
        // Near 0 at the initial weights, hence the absolute part.
        "kl" => Limit::Spread {
            share: 1e-5,
            absolute: 1e-5,
        },
        "logpx_z" | "logpz" | "logqz_x" | "loss" => Limit::OfLargest(5e-6),
        _ => Limit::OfLargest(1e-5),
    }
}

/// Compares everything that a case expects, one row per tensor. A missing tensor fails.
pub fn judge(case: &Case, outcome: &Outcome, grade: Grade) -> Vec<Row> {
    let row = |(name, expected): (&String, &Vec<f32>)| {
        let expected: Vec<f64> = expected.iter().map(|&v| f64::from(v)).collect();
        let missing = vec![f64::NAN; expected.len()];
        let (shape, found) = outcome.get(name).unwrap_or((&[], &missing));
        let limit = limit(name, grade);
        let after = name.split_once('/');
        let after = after.filter(|(group, _)| group.starts_with("param_after"));
        let Some(start) = after.and_then(|(_, param)| case.param(param)) else {
            return compare(name, shape, found, &expected, limit);
        };
        let change = |values: &[f64]| -> Vec<f64> {
            let pairs = values.iter().zip(start);
            pairs.map(|(v, from)| v - f64::from(*from)).collect()
        };
        let row = compare(name, shape, &change(found), &change(&expected), limit);
        Row {
            measure: "update",
            ..row
        }
    };
    case.expect.iter().map(row).collect()
}
