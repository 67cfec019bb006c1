//! What an optimizer step does beyond the tutorial's. Times are in epochs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::model::Recipe;
use crate::ops::adam::{Adam, Schedule};

/// Options of the optimizer and of the KL term. The default changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Extras {
    /// Epochs over which the weight of the KL term rises linearly from 0.
    #[serde(skip_serializing_if = "is_zero")]
    pub kl_warmup: f64,
    /// Nats of each latent dimension that cost nothing; for the analytic KL term.
    #[serde(skip_serializing_if = "is_zero")]
    pub free_bits: f64,
    /// How the learning rate changes.
    #[serde(skip_serializing_if = "is_constant")]
    pub lr_schedule: RateSchedule,
    /// Epochs over which the learning rate rises linearly.
    #[serde(skip_serializing_if = "is_zero")]
    pub lr_warmup: f64,
    /// Largest norm of all gradients together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Decoupled weight decay.
    #[serde(skip_serializing_if = "is_zero")]
    pub weight_decay: f64,
    /// Adam's β₁.
    #[serde(skip_serializing_if = "is_beta1")]
    pub beta1: f64,
    /// Adam's β₂.
    #[serde(skip_serializing_if = "is_beta2")]
    pub beta2: f64,
    /// Adam's ε.
    #[serde(skip_serializing_if = "is_epsilon")]
    pub epsilon: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

fn is_constant(schedule: &RateSchedule) -> bool {
    *schedule == RateSchedule::Constant
}

fn is_beta1(value: &f64) -> bool {
    *value == Adam::default().beta1
}

fn is_beta2(value: &f64) -> bool {
    *value == Adam::default().beta2
}

fn is_epsilon(value: &f64) -> bool {
    *value == Adam::default().epsilon
}

impl Default for Extras {
    fn default() -> Self {
        let adam = Adam::default();
        Extras {
            kl_warmup: 0.0,
            free_bits: 0.0,
            lr_schedule: RateSchedule::Constant,
            lr_warmup: 0.0,
            clip_norm: None,
            weight_decay: 0.0,
            beta1: adam.beta1,
            beta2: adam.beta2,
            epsilon: adam.epsilon,
        }
    }
}

impl Extras {
    /// The recipe of a run of so many steps an epoch.
    pub fn recipe(&self, rate: f64, steps_per_epoch: usize, epochs: usize) -> Recipe {
        let steps = |epochs: f64| (epochs * steps_per_epoch as f64).round();
        let adam = Adam {
            rate,
            beta1: self.beta1,
            beta2: self.beta2,
            epsilon: self.epsilon,
            decay: self.weight_decay,
            warmup: steps(self.lr_warmup),
            schedule: match self.lr_schedule {
                RateSchedule::Constant => Schedule::Constant,
                RateSchedule::Cosine => Schedule::Cosine {
                    last: steps(epochs as f64),
                },
                RateSchedule::Step { epochs, factor } => Schedule::Stairs {
                    every: steps(epochs).clamp(1.0, f64::from(u32::MAX)) as u32,
                    factor,
                },
            },
        };
        Recipe {
            adam,
            clip_norm: self.clip_norm,
            kl_warmup: steps(self.kl_warmup),
            free_bits: self.free_bits,
        }
    }

    /// Checks all numbers.
    ///
    /// # Errors
    ///
    /// Which number is wrong, and what it may be.
    pub fn validate(&self) -> Result<(), String> {
        let single = |v: f64| (v as f32).is_finite();
        let from_zero = |v: f64| single(v) && v >= 0.0;
        let positive = |v: f64| single(v) && v as f32 > 0.0;
        let below_one = |v: f64| (0.0..1.0).contains(&v) && (v as f32) < 1.0;
        for (what, value, holds, range) in [
            (
                "kl_warmup",
                self.kl_warmup,
                from_zero(self.kl_warmup),
                "a number from 0 up",
            ),
            (
                "free_bits",
                self.free_bits,
                from_zero(self.free_bits),
                "a number from 0 up",
            ),
            (
                "lr_warmup",
                self.lr_warmup,
                from_zero(self.lr_warmup),
                "a number from 0 up",
            ),
            (
                "weight_decay",
                self.weight_decay,
                from_zero(self.weight_decay),
                "a number from 0 up",
            ),
            (
                "beta1",
                self.beta1,
                below_one(self.beta1) && self.beta1 > 0.0,
                "between 0 and 1",
            ),
            (
                "beta2",
                self.beta2,
                below_one(self.beta2) && self.beta2 > 0.0,
                "between 0 and 1",
            ),
            (
                "epsilon",
                self.epsilon,
                positive(self.epsilon),
                "a number above 0",
            ),
            (
                "clip_norm",
                self.clip_norm.unwrap_or(1.0),
                positive(self.clip_norm.unwrap_or(1.0)),
                "a number above 0",
            ),
        ] {
            if !holds {
                return Err(format!("`{what}` is {value}, but must be {range}"));
            }
        }
        Ok(())
    }
}

/// How the learning rate changes after its warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
#[non_exhaustive]
pub enum RateSchedule {
    /// Not at all.
    #[default]
    Constant,
    /// Half a cosine, to 0 at the end of the epochs of the run.
    Cosine,
    /// A factor after each so many epochs.
    Step {
        /// The epochs.
        epochs: f64,
        /// The factor.
        factor: f64,
    },
}

impl FromStr for RateSchedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let positive = |text: &str| {
            let number = text.parse::<f64>().ok();
            number.filter(|v| *v > 0.0 && (*v as f32).is_normal())
        };
        let step = || {
            let (epochs, factor) = text.strip_prefix("step:")?.split_once(':')?;
            Some(RateSchedule::Step {
                epochs: positive(epochs)?,
                factor: positive(factor)?,
            })
        };
        match text {
            "constant" => Ok(RateSchedule::Constant),
            "cosine" => Ok(RateSchedule::Cosine),
            _ => step().ok_or_else(|| {
                "give constant, cosine, or step:EPOCHS:FACTOR, such as step:5:0.5".into()
            }),
        }
    }
}

impl fmt::Display for RateSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RateSchedule::Constant => f.write_str("constant"),
            RateSchedule::Cosine => f.write_str("cosine"),
            RateSchedule::Step { epochs, factor } => write!(f, "step:{epochs}:{factor}"),
        }
    }
}

impl TryFrom<String> for RateSchedule {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<RateSchedule> for String {
    fn from(schedule: RateSchedule) -> String {
        schedule.to_string()
    }
}
