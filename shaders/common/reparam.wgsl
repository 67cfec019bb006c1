// Reparameterization of one latent dimension: sample, log-densities and gradient.

override BATCH: u32;
override LATENT: u32;
override ANALYTIC: bool;  // gradient of the analytic KL, else of the Monte Carlo estimate
override BETA: f32;       // weight of the KL term in the loss

const LOG_2_PI = 1.8378770664;

struct Drawn {
    z: f32,
    prior: f32,       // -2 log p(z)
    posterior: f32,   // -2 log q(z|x)
    divergence: f32,  // 2 KL, analytic
}

fn draw_code(mean: f32, logvar: f32, noise: f32) -> Drawn {
    let z = mean + exp(0.5 * logvar) * noise;
    return Drawn(
        z,
        z * z + LOG_2_PI,
        // Equals (z - mean)^2 exp(-logvar), without cancellation for a large mean.
        noise * noise + logvar + LOG_2_PI,
        exp(logvar) + mean * mean - 1.0 - logvar,
    );
}

// Gradient of the mean batch loss with respect to mean and log-variance; dz comes from the decoder.
// The Monte Carlo log q(z|x) depends on noise and log-variance alone; it is absent from the mean's.
// `weight` is a further factor of the KL term.
fn code_gradient(mean: f32, logvar: f32, noise: f32, z: f32, dz: f32, weight: f32) -> vec2<f32> {
    let spread = 0.5 * noise * exp(0.5 * logvar);
    let scale = weight * (BETA / f32(BATCH));
    if ANALYTIC {
        return vec2(dz + mean * scale, dz * spread + 0.5 * scale * (exp(logvar) - 1.0));
    }
    let total = dz + z * scale;
    return vec2(total, total * spread - 0.5 * scale);
}
