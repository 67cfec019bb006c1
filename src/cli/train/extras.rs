//! Options of the optimizer and of the KL term that the tutorial does not use.

use clap::Args;
use cvae_gpu::train::{Extras, RateSchedule};

use crate::cli::choices::{Given, fraction, positive, weight};

/// Heading of [`ExtraArgs`] in the help.
const OBJECTIVE: &str = "Objective and optimizer";

/// Options of the optimizer and of the KL term that the tutorial does not use.
#[derive(Args)]
pub struct ExtraArgs {
    /// Let the weight of the KL term rise linearly from 0 over E epochs [default: 0]
    #[arg(long, value_name = "E", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    kl_warmup: Option<f64>,
    /// Nats of each latent dimension that cost nothing, with --kl analytic [default: 0]
    #[arg(long, value_name = "NATS", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    free_bits: Option<f64>,
    /// Learning rate after its warm-up: constant, cosine, or step:EPOCHS:FACTOR [default: constant]
    ///
    /// `cosine` falls to 0 at the end of --epochs; `step:5:0.5` halves the rate after each 5 epochs.
    #[arg(long, value_name = "SCHEDULE", help_heading = OBJECTIVE)]
    lr_schedule: Option<RateSchedule>,
    /// Let the learning rate rise linearly over E epochs [default: 0]
    #[arg(long, value_name = "E", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    lr_warmup: Option<f64>,
    /// Scale the gradients down where the norm of all together is more than G [default: no limit]
    #[arg(long, value_name = "G", value_parser = positive, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    clip_norm: Option<f64>,
    /// Decoupled weight decay, as in AdamW [default: 0]
    #[arg(long, value_name = "W", value_parser = weight, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    weight_decay: Option<f64>,
    /// Adam's decay rate of the first moment [default: 0.9]
    #[arg(long, value_name = "B", value_parser = fraction, help_heading = OBJECTIVE)]
    beta1: Option<f64>,
    /// Adam's decay rate of the second moment [default: 0.999]
    #[arg(long, value_name = "B", value_parser = fraction, help_heading = OBJECTIVE)]
    beta2: Option<f64>,
    /// Adam's epsilon [default: 1e-7]
    #[arg(long, value_name = "E", value_parser = positive, allow_negative_numbers = true, help_heading = OBJECTIVE)]
    epsilon: Option<f64>,
}

impl ExtraArgs {
    /// `base` with the given options.
    pub fn over(&self, base: Extras) -> Extras {
        Extras {
            kl_warmup: self.kl_warmup.unwrap_or(base.kl_warmup),
            free_bits: self.free_bits.unwrap_or(base.free_bits),
            lr_schedule: self.lr_schedule.unwrap_or(base.lr_schedule),
            lr_warmup: self.lr_warmup.unwrap_or(base.lr_warmup),
            clip_norm: self.clip_norm.or(base.clip_norm),
            weight_decay: self.weight_decay.unwrap_or(base.weight_decay),
            beta1: self.beta1.unwrap_or(base.beta1),
            beta2: self.beta2.unwrap_or(base.beta2),
            epsilon: self.epsilon.unwrap_or(base.epsilon),
        }
    }
}

/// The extra options as text.
pub fn extra_options(extras: &Extras) -> Given {
    vec![
        ("--kl-warmup", extras.kl_warmup.to_string()),
        ("--free-bits", extras.free_bits.to_string()),
        ("--lr-schedule", extras.lr_schedule.to_string()),
        ("--lr-warmup", extras.lr_warmup.to_string()),
        (
            "--clip-norm",
            extras.clip_norm.map_or("none".into(), |g| g.to_string()),
        ),
        ("--weight-decay", extras.weight_decay.to_string()),
        ("--beta1", extras.beta1.to_string()),
        ("--beta2", extras.beta2.to_string()),
        ("--epsilon", extras.epsilon.to_string()),
    ]
}
