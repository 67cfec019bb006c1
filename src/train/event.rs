//! The events of training. Listeners, such as [`crate::run`], turn them into a progress bar, files
//! and pictures; training knows no listener.

use serde::{Deserialize, Serialize};

use crate::model::params::ParamSpec;
use crate::ops::state::StepState;
use crate::train::Best;

/// Something that happened while training.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Everything is compiled and on the device; training is about to start.
    Started {
        /// Adapter name.
        adapter: String,
        /// Driver and version.
        driver: String,
        /// Convolution kernels in use.
        variant: String,
        /// Trainable values.
        parameters: usize,
        /// Bytes allocated on the device, all at once.
        device_bytes: u64,
        /// Images of the training split.
        train_images: usize,
        /// Those on the device at a time.
        train_window: usize,
        /// Images of the test split.
        test_images: usize,
        /// Training images held out for validation.
        validation_images: usize,
        /// Optimizer steps of a whole epoch.
        steps_per_epoch: usize,
        /// Images of the last step of an epoch.
        last_batch: usize,
        /// Optimizer steps already done, for a resumed run.
        step: u64,
        /// The run starts from the weights of another one.
        warm: bool,
    },
    /// The first optimizer step is done: shaders are compiled.
    FirstStep {
        /// Seconds since setup began, without the evaluation of the untrained model.
        seconds: f64,
    },
    /// Some optimizer steps are done.
    Progress {
        /// Current epoch, from 1.
        epoch: usize,
        /// Steps done in this epoch.
        done: usize,
        /// Steps of this epoch.
        of: usize,
        /// Mean loss of the steps since the last report, in nats per image.
        loss: f64,
        /// Optimizer steps since the start of the run.
        step: u64,
        /// Loss of each of the steps since the last report.
        #[serde(skip)]
        losses: Vec<f32>,
    },
    /// An epoch is trained and evaluated. Epoch 0 is the untrained model.
    Epoch(EpochReport),
    /// The same test images, reconstructed.
    Pictures {
        /// Epoch they show.
        epoch: usize,
        /// Probabilities `[images, height, width, channels]`.
        #[serde(skip)]
        images: Vec<f32>,
    },
    /// The plane of a two-dimensional latent space, decoded.
    Manifold {
        /// Cells along each side.
        n: usize,
        /// Probabilities `[n·n, height, width, channels]`.
        #[serde(skip)]
        images: Vec<f32>,
    },
    /// A checkpoint: everything that determines the rest of the run.
    Checkpoint(#[serde(skip)] Box<Snapshot>),
    /// The weights of the best epoch so far, by the validation ELBO; a checkpoint follows.
    Best {
        /// The epoch.
        epoch: usize,
        /// Its validation ELBO, in nats per image.
        validation_elbo: f64,
        /// Its weights.
        #[serde(skip)]
        snapshot: Box<Snapshot>,
    },
    /// Training ends before its last epoch, since no epoch was better for a while.
    StoppedEarly {
        /// The last epoch.
        epoch: usize,
        /// The best epoch.
        best_epoch: usize,
        /// Its validation ELBO, in nats per image.
        best_elbo: f64,
    },
    /// A warning; training continues.
    Warning {
        /// The text.
        message: String,
    },
    /// Training was interrupted; the checkpoint before this event holds every step.
    Interrupted {
        /// Optimizer steps since the start of the run.
        step: u64,
    },
    /// Training has ended.
    Done {
        /// Optimizer steps since the start of the run.
        step: u64,
        /// Final weights.
        #[serde(skip)]
        snapshot: Box<Snapshot>,
        /// Counts of submissions and host writes.
        traffic: Traffic,
    },
}

/// Figures of an epoch: a line of `metrics.jsonl`. Terms are in nats per image.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochReport {
    /// 0 is the untrained model.
    pub epoch: usize,
    /// Optimizer steps since the start of the run.
    pub step: u64,
    /// Mean over all test images, one noise draw each: `reconstruction − kl`.
    pub test_elbo: f64,
    /// Mean log p(x|z).
    pub reconstruction: f64,
    /// Mean of log q(z|x) − log p(z), or of the analytic divergence where the run uses it.
    pub kl: f64,
    /// Mean over the validation images, if there are any, as `test_elbo`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_elbo: Option<f64>,
    /// Weight of the KL term in the loss of the last step.
    #[serde(default)]
    pub beta: f64,
    /// Learning rate of the last step.
    #[serde(default)]
    pub learning_rate: f64,
    /// Standard deviation of a Gaussian likelihood that learns it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sigma: Option<f64>,
    /// Norm of all gradients of the last step before they are clipped, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_norm: Option<f64>,
    /// Mean loss over the epoch's training images, its divergence weighted; none for epoch 0.
    pub train_loss: Option<f64>,
    /// Seconds of the training loop alone.
    pub train_seconds: f64,
    /// Training images per second.
    pub images_per_second: Option<f64>,
    /// Seconds of the evaluation.
    pub eval_seconds: f64,
    /// Adapter name.
    pub adapter: String,
    /// Driver and version.
    pub driver: String,
    /// Convolution kernels in use.
    pub variant: String,
}

/// The content of a checkpoint: everything that determines the rest of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Per parameter: its specification, weights, and first and second moments.
    pub params: Vec<(ParamSpec, [Vec<f32>; 3])>,
    /// The step state on the device.
    pub state: Vec<u32>,
    /// The counters on the host.
    pub record: Record,
}

impl Snapshot {
    /// Optimizer steps since the start of the run.
    pub fn step(&self) -> u64 {
        StepState::from_words(&self.state).map_or(0, |state| u64::from(state.step))
    }

    /// Weights and moments: name, parameter and values of each tensor.
    pub fn tensors(&self) -> impl Iterator<Item = (String, &ParamSpec, &Vec<f32>)> {
        self.params.iter().flat_map(|(spec, values)| {
            let named = spec.stored_names().into_iter().zip(values);
            named.map(move |(name, values)| (name, spec, values))
        })
    }

    /// The name of the first tensor that holds a value which is not finite.
    pub fn first_not_finite(&self) -> Option<String> {
        let mut tensors = self.tensors();
        let bad = tensors.find(|(_, _, values)| values.iter().any(|v| !v.is_finite()));
        bad.map(|(name, ..)| name)
    }
}

/// The counters of a run that the host keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Finished epochs, the untrained model included.
    pub epochs: usize,
    /// Evaluated epochs: lines of `metrics.jsonl`.
    pub lines: usize,
    /// The warning of posterior collapse was given.
    pub collapsed: bool,
    /// Test ELBO of the untrained model; older checkpoints lack it.
    #[serde(default)]
    pub start_elbo: Option<f64>,
    /// The best epoch, if there are validation images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<Best>,
    /// Sums over the steps of the current epoch.
    pub sums: Sums,
}

/// Sums over the steps of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    /// Training images seen.
    pub images: u64,
    /// Their losses in nats, added up in the order of the steps.
    pub loss: f64,
    /// Seconds of the training loop.
    pub seconds: f64,
}

/// Counts of submissions and host writes during training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Submissions with optimizer steps.
    pub submissions: u64,
    /// Most optimizer steps in one submission.
    pub most_steps: u64,
    /// Buffers that the host wrote while optimizer steps ran.
    pub host_writes: u64,
}
