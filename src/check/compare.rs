//! Comparison of a tensor with a reference, and its limits.

use serde::Serialize;

use crate::files::tensors::coordinates;

/// The largest allowed deviation of a tensor from the reference.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// A fraction of the largest reference value of the tensor. For sums: their rounding error follows
    /// the size of their terms, not of the single result.
    OfLargest(f64),
    /// The relative error of the whole tensor, ‖a − b‖₂ / ‖b‖₂.
    OfNorm(f64),
    /// A fraction of the largest reference value, plus an absolute part.
    Spread {
        /// Fraction of the largest value.
        share: f64,
        /// Absolute part, in the unit of the values.
        absolute: f64,
    },
    /// A fraction of each reference value, plus an absolute part.
    Each {
        /// Fraction of the value.
        relative: f64,
        /// Absolute part, in the unit of the values.
        absolute: f64,
    },
    /// Units in the last place of the reference value in single precision.
    Ulps(f64),
    /// Equality.
    Exact,
}

/// The comparison of one tensor; it names the worst value.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Name of the tensor.
    pub tensor: String,
    /// What is measured: `rel_max`, `rel_l2`, `max_abs`, `each`, `ulps` or `equal`; `update` is
    /// `rel_l2` of the optimizer's change.
    pub measure: &'static str,
    /// The limit of the measure.
    pub limit: f64,
    /// The measured value; NaN if the tensor or the reference has a NaN.
    pub found: f64,
    /// Index of the worst value, one number per axis.
    pub worst: Vec<usize>,
    /// The computed value there.
    pub computed: f64,
    /// The reference value there.
    pub expected: f64,
    /// The deviation as a fraction of the limit; at most 1 if the tensor passes.
    pub share: f64,
    /// The step that computed it, if a single kernel was checked.
    #[serde(flatten)]
    pub by: Option<By>,
}

/// A step of a plan.
#[derive(Clone, Debug, Serialize)]
pub struct By {
    /// Label of the step.
    pub step: String,
    /// Shader module and entry point.
    pub kernel: String,
}

impl Row {
    /// Whether the tensor is within its limit.
    pub fn ok(&self) -> bool {
        self.share <= 1.0
    }
}

/// The comparisons of a case, or of the kernels of a model.
#[derive(Clone, Debug, Serialize)]
pub struct Section {
    /// What was checked.
    pub name: String,
    /// A description for the user.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// The limits used: `limit`, `strict_limit`, or `twin` for kernels.
    pub judged_by: &'static str,
    /// One row per tensor.
    pub rows: Vec<Row>,
    /// Names of expected tensors that this program does not compute.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
}

impl Section {
    /// Tensors beyond their limits.
    pub fn failures(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| !row.ok())
    }
}

/// Devices may flush numbers below the smallest normal one to zero.
const TINY: f64 = f32::MIN_POSITIVE as f64;

/// Distance to the next single-precision number.
fn ulp(value: f32) -> f64 {
    let bits = value.abs().to_bits();
    f64::from(f32::from_bits(bits + 1)) - f64::from(f32::from_bits(bits))
}

/// Compares a tensor with the reference. A NaN on both sides counts as equal (neither side wrote it),
/// but a tensor of nothing but NaN fails. Panics if the two sides differ in length.
pub fn compare(
    tensor: &str,
    shape: &[usize],
    computed: &[f64],
    expected: &[f64],
    limit: Limit,
) -> Row {
    assert_eq!(computed.len(), expected.len(), "values of `{tensor}`");
    let known = || expected.iter().copied().filter(|v| !v.is_nan());
    let largest = known().fold(0.0, |m: f64, v| m.max(v.abs()));
    let norm = known().map(|v| v * v).sum::<f64>().sqrt();
    let right = |v: f64| match limit {
        Limit::Ulps(_) => f64::from(v as f32),
        _ => v,
    };
    // The limit of each value; `OfNorm` has a limit for the whole tensor.
    let allowed = |v: f64| match limit {
        Limit::OfLargest(share) => share * largest + TINY,
        Limit::OfNorm(share) => share * norm + TINY * (expected.len() as f64).sqrt(),
        Limit::Spread { share, absolute } => share * largest + absolute,
        Limit::Each { relative, absolute } => relative * v.abs() + absolute + TINY,
        Limit::Ulps(count) => count * ulp(v as f32),
        Limit::Exact => 0.0,
    };
    let distance = |a: f64, b: f64| match (a.is_nan(), b.is_nan()) {
        (true, true) => 0.0,
        (false, false) if a == right(b) => 0.0,
        (false, false) => (a - right(b)).abs(),
        _ => f64::NAN,
    };
    let share_of = |error: f64, allowed: f64| match error {
        0.0 => 0.0,
        _ if allowed > 0.0 && !error.is_nan() => error / allowed,
        _ => f64::INFINITY,
    };
    let (mut worst, mut share, mut squares) = (0, -1.0, 0.0);
    for (i, (a, b)) in computed.iter().zip(expected).enumerate() {
        let error = distance(*a, *b);
        squares += error * error;
        let here = share_of(error, allowed(*b));
        if here > share {
            (worst, share) = (i, here);
        }
    }
    let [computed, expected] = [computed, expected].map(|v| v.get(worst).copied());
    let (computed, expected) = (computed.unwrap_or(0.0), expected.unwrap_or(0.0));
    let (error, allowed) = (distance(computed, expected), allowed(expected));
    let of = |error: f64, whole: f64| if error == 0.0 { 0.0 } else { error / whole };
    let (measure, limit, found) = match limit {
        Limit::OfLargest(share) => ("rel_max", share, of(error, largest)),
        Limit::OfNorm(limit) => {
            share = share_of(squares.sqrt(), allowed);
            ("rel_l2", limit, of(squares.sqrt(), norm))
        }
        Limit::Spread { .. } => ("max_abs", allowed, error),
        Limit::Each { .. } => ("each", allowed, error),
        Limit::Ulps(count) => ("ulps", count, of(error, ulp(expected as f32))),
        Limit::Exact => ("equal", 0.0, error),
    };
    let unknown = known().next().is_none();
    Row {
        tensor: tensor.to_owned(),
        measure,
        limit,
        found: if unknown { f64::NAN } else { found },
        worst: coordinates(worst, shape),
        computed,
        expected,
        share: if unknown { f64::INFINITY } else { share },
        by: None,
    }
}
