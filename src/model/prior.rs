//! Quantiles of the prior N(0, 1), and a grid of latent codes at these quantiles.

use crate::rng::{self, Stream};

/// The standard normal quantiles at `n` evenly spaced probabilities from 0.05 to 0.95.
///
/// They range from -1.645 to 1.645 and are exactly symmetric; for `n` = 1 it is the median, 0.
#[must_use]
pub fn normal_quantiles(n: usize) -> Vec<f64> {
    let last = n.saturating_sub(1) as f64;
    let offset = |i| 0.45 * (2.0 * i as f64 - last) / last.max(1.0);
    (0..n).map(|i| normal_quantile(offset(i))).collect()
}

/// The latent codes of an `n` by `n` manifold, `[n * n, 2]` in row-major order.
///
/// The cell in row `i` (downwards) and column `j` has the code `[q[j], q[i]]` with the
/// [`normal_quantiles`] `q`.
#[must_use]
pub fn latent_grid(n: usize) -> Vec<f32> {
    let quantiles = normal_quantiles(n);
    let row = |&y: &f64| quantiles.iter().flat_map(move |&x| [x as f32, y as f32]);
    quantiles.iter().flat_map(row).collect()
}

/// `count` codes `[count, latent]` drawn from the prior for pictures, as a function of the seed.
#[must_use]
pub fn prior_codes(seed: u64, count: usize, latent: usize) -> Vec<f32> {
    let key = rng::key(seed);
    let draw = |block| rng::normals([block, 0, u32::MAX, Stream::Picture as u32], key);
    let values = count * latent;
    let blocks = (0..values.div_ceil(4) as u32).flat_map(draw);
    blocks.take(values).map(|v| v as f32).collect()
}

/// The standard normal quantile at the probability `0.5 + offset`, an odd function of `offset`.
///
/// Algorithm AS 241 (PPND16) of M. J. Wichura, "The Percentage Points of the Normal Distribution",
/// Applied Statistics 37 (1988); relative error near 1e-16. Its third formula, for probabilities below
/// 1e-11, is omitted since a manifold does not use them.
#[rustfmt::skip]
fn normal_quantile(offset: f64) -> f64 {
    if offset.abs() <= 0.425 {
        let r = 0.180625 - offset * offset;
        offset * polynomial(r, [
            2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987,
            13731.69376550946, 1971.5909503065513, 133.14166789178438, 3.3871328727963665,
        ]) / polynomial(r, [
            5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597,
            5394.196021424751, 687.1870074920579, 42.31333070160091, 1.0,
        ])
    } else {
        let r = (-(0.5 - offset.abs()).ln()).sqrt() - 1.6;
        offset.signum() * polynomial(r, [
            0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684,
            3.6478483247632045, 5.769497221460691, 4.630337846156546, 1.4234371107496835,
        ]) / polynomial(r, [
            1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457,
            0.14810397642748008, 0.6897673349851, 1.6763848301838038, 2.053191626637759, 1.0,
        ])
    }
}

/// The value at `x` of a polynomial; coefficients start with the highest power.
fn polynomial(x: f64, coefficients: [f64; 8]) -> f64 {
    coefficients.iter().fold(0.0, |sum, c| sum * x + c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_match_the_inverse_error_function() {
        let quantiles = normal_quantiles(20);
        for (computed, known) in [
            (quantiles[0], -1.644_853_626_951_472_7),
            (quantiles[1], -1.296_692_990_484_935_7),
            (quantiles[9], -0.059_402_428_332_506_33),
            (quantiles[19], 1.644_853_626_951_472_7),
            (normal_quantile(0.25), 0.674_489_750_196_081_7),
            (normal_quantile(0.4), 1.281_551_565_544_600_4),
            (normal_quantile(0.425), 1.439_531_470_938_456),
            (normal_quantile(0.43), 1.475_791_028_179_170_7),
        ] {
            assert!((computed - known).abs() < 1e-14, "{computed} for {known}");
        }
    }
}
