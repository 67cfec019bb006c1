//! The posterior with a full covariance: z = mean + T ε with a lower triangular T.

use super::objective::{Divergence, KlTerm};
use super::wgsl::files;
use crate::plan::Source;
use crate::plan::tensors::Tensors;

pub(super) static SOURCE: Source =
    Source::new("full", files!("common/sum", "common/weights", "full"));

/// Added to the diagonal of T.
const LEAST: f64 = 1e-5;

/// Number of elements of T.
pub fn elements(latent: usize) -> usize {
    latent * (latent + 1) / 2
}

/// The place (row, column) in T of each element of t, as `tfp.math.fill_triangular` fills it: t without
/// its first L elements and then t reversed, row by row, are a square; T is its lower triangle.
fn places(latent: usize) -> Vec<(usize, usize)> {
    let n = elements(latent);
    let square: Vec<usize> = (latent..n).chain((0..n).rev()).collect();
    let mut places = vec![(0, 0); n];
    for i in 0..latent {
        for j in 0..=i {
            places[square[i * latent + j]] = (i, j);
        }
    }
    places
}

/// T `[L, L]`, row by row, from the values behind the means; and the derivative of softplus on its
/// diagonal.
pub fn scale(latent: usize, t: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let mut scale = vec![0.0; latent * latent];
    let mut slopes = vec![0.0; latent];
    for (&(i, j), &t) in places(latent).iter().zip(t) {
        scale[i * latent + j] = t;
        if i == j {
            scale[i * latent + i] = t.max(0.0) + (-t.abs()).exp().ln_1p() + LEAST;
            slopes[i] = 1.0 / (1.0 + (-t).exp());
        }
    }
    (scale, slopes)
}

pub(super) fn sample(t: &Tensors, latent: usize) {
    let (q, eps) = (t.floats("q"), t.floats("eps"));
    let log_2_pi = (2.0 * std::f64::consts::PI).ln();
    let mut z = t.floats_mut("z_out");
    let (mut logpz, mut logqz_x) = (t.floats_mut("logpz"), t.floats_mut("logqz_x"));
    let mut kl = t.floats_mut("kl");
    let images = q.chunks(latent + elements(latent)).zip(eps.chunks(latent));
    for (n, ((q, eps), z)) in images.zip(z.chunks_mut(latent)).enumerate() {
        let (mean, t) = q.split_at(latent);
        let (scale, _) = scale(latent, t);
        (logpz[n], logqz_x[n], kl[n]) = (0.0, 0.0, 0.0);
        for i in 0..latent {
            let row = &scale[i * latent..][..=i];
            z[i] = mean[i] + row.iter().zip(eps).map(|(t, e)| t * e).sum::<f64>();
            logpz[n] -= 0.5 * (z[i] * z[i] + log_2_pi);
            logqz_x[n] -= 0.5 * (eps[i] * eps[i] + log_2_pi) + row[i].ln();
            let squares = row.iter().map(|t| t * t).sum::<f64>();
            kl[n] += 0.5 * (squares + mean[i] * mean[i] - 1.0) - row[i].ln();
        }
    }
}

/// The divergence of dimension `d` of each image, `[B]`: its part of
/// ½ (Σ T² + Σ mean² − L − 2 Σ log T_dd).
pub(super) fn divergences(q: &[f64], latent: usize, d: usize) -> impl Iterator<Item = f64> {
    q.chunks(latent + elements(latent)).map(move |q| {
        let (mean, t) = q.split_at(latent);
        let row = &scale(latent, t).0[d * latent..][..=d];
        let squares = row.iter().map(|t| t * t).sum::<f64>();
        0.5 * (squares + mean[d] * mean[d] - 1.0) - row[d].ln()
    })
}

/// `weights` are those of [`super::posterior::Weigh`].
pub(super) fn backward(t: &Tensors, latent: usize, term: KlTerm, weights: &[f64]) {
    let (q, eps) = (t.floats("q"), t.floats("eps"));
    let (z, dz) = (t.floats("z"), t.floats("dz"));
    let width = latent + elements(latent);
    let whole = term.beta * term.scale / (q.len() / width) as f64;
    let weight = |i: usize| weights[i] * whole;
    let places = places(latent);
    for (n, dq) in t.floats_mut("dq").chunks_mut(width).enumerate() {
        let (mean, t) = q[n * width..][..width].split_at(latent);
        let of = |values: &'_ [f64]| values[n * latent..][..latent].to_vec();
        let (eps, z, dz) = (of(&eps), of(&z), of(&dz));
        let (scale, slopes) = scale(latent, t);
        let (dmean, dt) = dq.split_at_mut(latent);
        let analytic = term.form == Divergence::Analytic;
        let total = |i: usize| dz[i] + if analytic { 0.0 } else { weight(i) * z[i] };
        for i in 0..latent {
            dmean[i] = total(i) + if analytic { weight(i) * mean[i] } else { 0.0 };
        }
        for (dt, &(i, j)) in dt.iter_mut().zip(&places) {
            let t = scale[i * latent + j];
            *dt = total(i) * eps[j] + if analytic { weight(i) * t } else { 0.0 };
            if i == j {
                *dt = (*dt - weight(i) / t) * slopes[i];
            }
        }
    }
}
