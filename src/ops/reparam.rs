//! The reparameterization z = mean + exp(logvar / 2) ε of a diagonal posterior, the log-densities of z,
//! and their gradient (Kingma and Welling, "Auto-Encoding Variational Bayes", ICLR 2014).

use super::objective::{Divergence, KlTerm};
use super::wgsl::files;
use crate::plan::Source;
use crate::plan::tensors::Tensors;

pub(super) static SOURCE: Source = Source::new(
    "reparam",
    files!("common/reparam", "common/sum", "common/weights", "reparam"),
);

pub(super) fn constants(batch: usize, latent: usize, term: KlTerm) -> [(&'static str, f64); 4] {
    let [form, beta] = term.constants();
    let batch = ("BATCH", batch as f64);
    [batch, ("LATENT", latent as f64), form, beta]
}

pub(super) fn sample(t: &Tensors, latent: usize) {
    let (q, eps) = (t.floats("q"), t.floats("eps"));
    let log_2_pi = (2.0 * std::f64::consts::PI).ln();
    let mut z = t.floats_mut("z_out");
    let (mut logpz, mut logqz_x) = (t.floats_mut("logpz"), t.floats_mut("logqz_x"));
    let mut kl = t.floats_mut("kl");
    for n in 0..logpz.len() {
        (logpz[n], logqz_x[n], kl[n]) = (0.0, 0.0, 0.0);
        for d in 0..latent {
            let (mean, logvar) = (q[2 * n * latent + d], q[(2 * n + 1) * latent + d]);
            let value = mean + (0.5 * logvar).exp() * eps[n * latent + d];
            z[n * latent + d] = value;
            logpz[n] -= 0.5 * (value * value + log_2_pi);
            let square = (value - mean).powi(2) * (-logvar).exp();
            logqz_x[n] -= 0.5 * (square + logvar + log_2_pi);
            kl[n] += 0.5 * (logvar.exp() + mean * mean - 1.0 - logvar);
        }
    }
}

/// The divergence of dimension `d` of each image, `[B]`.
pub(super) fn divergences(q: &[f64], latent: usize, d: usize) -> impl Iterator<Item = f64> {
    q.chunks(2 * latent).map(move |q| {
        let (mean, logvar) = (q[d], q[latent + d]);
        0.5 * (logvar.exp() + mean * mean - 1.0 - logvar)
    })
}

/// `weights` are those of [`super::posterior::Weigh`].
pub(super) fn backward(t: &Tensors, latent: usize, term: KlTerm, weights: &[f64]) {
    let (q, eps) = (t.floats("q"), t.floats("eps"));
    let (z, dz) = (t.floats("z"), t.floats("dz"));
    let mut dq = t.floats_mut("dq");
    let batch = z.len() / latent;
    for n in 0..batch {
        for (d, weight) in weights[..latent].iter().enumerate() {
            let scale = weight * term.beta * term.scale / batch as f64;
            let (i, at) = (n * latent + d, 2 * n * latent + d);
            let (mean, logvar) = (q[at], q[at + latent]);
            let noise = 0.5 * eps[i] * (0.5 * logvar).exp();
            (dq[at], dq[at + latent]) = match term.form {
                Divergence::MonteCarlo => {
                    let total = dz[i] + z[i] * scale;
                    (total, total * noise - 0.5 * scale)
                }
                Divergence::Analytic => (
                    dz[i] + mean * scale,
                    dz[i] * noise + 0.5 * scale * (logvar.exp() - 1.0),
                ),
            };
        }
    }
}
