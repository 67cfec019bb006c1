//! Checks every kernel that an adapter runs against its CPU twin, in the plans of training, evaluation,
//! decoding and the importance-weighted bound, at a few shapes. The kernels that use counters are also
//! checked at extreme counters.
//!
//! Single-precision sums deviate by about 1e-6 of the largest result; one term omitted or added twice
//! deviates by 1e-3 and more. The limits are in between.

use super::builtin;
use super::compare::{Limit, Row, Section};
use super::pair::{Pair, Submit};
use crate::data::{Binarize, PackedImages};
use crate::explore::plans as explore;
use crate::gpu::{Gpu, GpuError};
use crate::model::params;
use crate::model::{self, Feed, Filters, Loss, Model};
use crate::ops::adam::{self, Adam, Arenas};
use crate::ops::fetch::Packed;
use crate::ops::likelihood::{self, Head};
use crate::ops::objective::{Divergence, KlTerm};
use crate::ops::posterior::{Posterior, Sampled};
use crate::ops::rng::{self as draw, Order};
use crate::ops::state::{self, StepState};
use crate::ops::{Graph, elbo};
use crate::plan::{Role, Step};
use crate::rng::{self, Stream};

const SEED: u64 = 0xfeed_0000_0003;

/// The limit of a single kernel, for ordinary inputs with a `slack` of 1.
pub fn limit(step: &Step, slot: &str, slack: f64) -> Limit {
    match (step.kernel.source.name, slot) {
        // A byte becomes a quotient, for which WGSL allows 2.5 ULP; a drawn value is 0 or 1.
        ("fetch", _) => Limit::Ulps(3.0),
        ("rng", _) => Limit::Ulps(4.0),
        // Of the weights. An update is about 1e-3 of the largest weight; `far_out` checks it.
        ("adam", "params") => Limit::OfLargest(slack * 1e-6),
        // With log-variances near 0, exp(logvar) − 1 has an absolute error of 1e-7 per dimension.
        (_, "kl") => Limit::Each {
            relative: slack * 1e-5,
            absolute: slack * 1e-6,
        },
        _ => Limit::OfLargest(slack * 4e-6),
    }
}

/// A model, batch sizes and the packing of the images.
struct Workload {
    about: &'static str,
    model: Model,
    /// Images of a batch, and of a smaller one, which needs every kernel compiled again.
    batches: &'static [usize],
    binarize: Binarize,
}

/// The tutorial's model; a colour model whose channels fill tiles; and a model whose channels do not,
/// which uses the plain kernels and drawn images.
fn workloads() -> [Workload; 3] {
    let odd = Filters {
        image: [12, 8, 1],
        latent_dim: 3,
        encoder_filters: vec![5, 11],
        decoder_base: 3,
        decoder_filters: vec![7, 5],
        loss: Loss::AnalyticKl,
        beta: 0.25,
    };
    let odd = odd.model();
    [
        Workload {
            about: "the tutorial's model",
            model: Model::default(),
            batches: &[builtin::BATCH],
            binarize: Binarize::Threshold,
        },
        Workload {
            about: "a colour model",
            model: builtin::colour(),
            batches: &[builtin::COLOUR_BATCH],
            binarize: Binarize::None,
        },
        Workload {
            about: "an odd model",
            model: odd,
            batches: &[7, 3],
            binarize: Binarize::Stochastic,
        },
    ]
}

/// Checks all kernels; `progress` receives the name of the next part.
pub async fn kernels(gpu: &Gpu, progress: &mut dyn FnMut(&str)) -> Result<Vec<Section>, GpuError> {
    let mut sections = Vec::new();
    for workload in workloads() {
        let name = format!("kernels of {}", workload.about);
        progress(&name);
        sections.push((name, workload.run(gpu).await?));
    }
    progress("kernels far out");
    sections.push(("kernels far out".into(), far_out(gpu).await?));
    let section = |(name, rows)| Section {
        name,
        about: String::new(),
        judged_by: "twin",
        rows,
        not_compared: Vec::new(),
    };
    Ok(sections.into_iter().map(section).collect())
}

impl Workload {
    fn images(&self) -> PackedImages {
        let images: usize = self.batches.iter().sum();
        let values = images * self.model.image.iter().product::<usize>();
        // Three in ten values are ones. With half, whole sums could cancel.
        let pixels = rng::uniform(values, 1.0, 1, rng::key(SEED)).into_iter();
        let pixels: Vec<u8> = pixels.map(|v| (255.0 * v * v) as u8).collect();
        PackedImages::from_bytes(self.model.image, &pixels, self.binarize)
    }

    /// An epoch of a full batch and the tail, an evaluation of both, a decoder, and a bound of two
    /// draws, on one memory as in training.
    async fn run(&self, gpu: &Gpu) -> Result<Vec<Row>, GpuError> {
        let (model, target) = (&self.model, gpu.target());
        let images = self.images();
        let packed = Packed::of(&images);
        let train = Packed::training(&images, self.binarize);
        let whole = self.batches[0];
        let mut plans = Vec::new();
        for &batch in self.batches {
            let feed = Feed::Images("images", train, Order::Shuffled);
            let adam = Adam::default();
            plans.push(model::train_step(model, feed, adam, batch, target));
        }
        for &batch in self.batches {
            let feed = Feed::Images("images", packed, Order::File);
            plans.push(model::evaluate(model, feed, batch, target));
        }
        plans.push(model::sum_terms(images.count(), target));
        plans.push(model::decode(model, whole, target).0);
        let bound = explore::bound(model, packed, 2, whole, target);
        plans.extend([bound.encode, bound.draw.clone(), bound.draw, bound.record]);
        let mut pair = Pair::new(gpu, &plans.iter().collect::<Vec<_>>()).await?;
        for plan in &plans {
            let named = |name: &str| plan.find(name).is_some();
            if named("images") {
                // Images in memory can be read.
                let words = images.device_words().unwrap_or_default();
                pair.set_words(plan, "images", &words)?;
            }
            for (name, stream) in [
                ("state", Stream::Train),
                ("evaluate.state", Stream::Evaluate),
                (explore::STATE, Stream::Evaluate),
            ] {
                if named(name) {
                    let start = StepState::start(SEED, stream);
                    pair.set_words(plan, name, &start.to_words())?;
                }
            }
            if named("codes") {
                let codes = rng::uniform(whole * model.latent_dim, 2.0, 2, rng::key(SEED));
                pair.set(plan, "codes", &codes)?;
            }
        }
        let specs = model.params();
        for (spec, values) in specs.iter().zip(params::initial(&specs, SEED)) {
            pair.set(&plans[0], &spec.name, &values)?;
        }
        let mut rows = Vec::new();
        for plan in &plans {
            let limit = |step: &Step, slot: &str| limit(step, slot, 1.0);
            rows.extend(pair.walk(plan, Submit::Together, limit).await?);
        }
        Ok(rows)
    }
}

/// Checks cases beyond a first step: counters near the end of an epoch and after a million steps, the
/// random stream of evaluation, used optimizer moments, and logits of ±80 with real targets.
async fn far_out(gpu: &Gpu) -> Result<Vec<Row>, GpuError> {
    const BATCH: usize = 7;
    const LATENT: usize = 5;
    const IMAGES: usize = 60_000;
    const VALUES: usize = 784;
    const WEIGHTS: usize = 1000;
    let mut g = Graph::new(BATCH);
    let state = state::declare(&mut g, "state");
    draw::shuffle(&mut g, state, IMAGES, Order::Shuffled);
    let eps = draw::normals(&mut g, state, LATENT);
    let mut data = |name: &str, shape: &[usize]| g.slot(name, shape, Role::Data);
    let logits = data("logits", &[BATCH, VALUES]);
    let x = data("x", &[BATCH, VALUES]);
    let latent = Sampled {
        posterior: Posterior::Diagonal,
        q: eps,
        eps,
        z: eps,
        logpz: data("logpz", &[BATCH]),
        logqz_x: data("logqz_x", &[BATCH]),
        kl: data("kl", &[BATCH]),
    };
    let arenas = Arenas {
        params: data("params", &[WEIGHTS]),
        grads: data("grads", &[WEIGHTS]),
        m: data("m", &[WEIGHTS]),
        v: data("v", &[WEIGHTS]),
    };
    let bernoulli = Head::Bernoulli(false);
    let loss = likelihood::loss_and_grad(&mut g, bernoulli, 1.0, logits, x);
    let kl_term = KlTerm {
        form: Divergence::MonteCarlo,
        beta: 4.0,
        ..KlTerm::PLAIN
    };
    elbo::batch_means(&mut g, kl_term, loss.logpx_z, latent, None, state);
    state::advance(&mut g, state, IMAGES, 1);
    adam::update(&mut g, state, arenas, Adam::default());

    let plan = g.lower(gpu.target());
    let mut pair = Pair::new(gpu, &[&plan]).await?;
    let far = StepState {
        step: 999_999,
        epoch: 77,
        position: (IMAGES - BATCH) as u32,
        ..StepState::start(SEED, Stream::Evaluate)
    };
    pair.set_words(&plan, "state", &far.to_words())?;
    let uniform = |count, limit, seed| rng::uniform(count, limit, seed, rng::key(SEED));
    pair.set(&plan, "logits", &uniform(BATCH * VALUES, 80.0, 1))?;
    let x = uniform(BATCH * VALUES, 0.5, 2).into_iter();
    pair.set(&plan, "x", &x.map(|v| v + 0.5).collect::<Vec<_>>())?;
    for (name, seed) in [("logpz", 3), ("logqz_x", 4), ("kl", 5)] {
        pair.set(&plan, name, &uniform(BATCH, 10.0, seed))?;
    }
    // Gradients from 10^-8 to 10^2. Moments have their sign and size, so that no digits cancel.
    // Weights are 0, so that they show the update itself.
    let grads = uniform(WEIGHTS, 5.0, 6).into_iter();
    let grads: Vec<f32> = grads
        .map(|p| 10f32.powf(p.abs() * 2.0 - 8.0).copysign(p))
        .collect();
    let v: Vec<f32> = grads.iter().map(|g| 2.0 * g * g).collect();
    for (name, values) in [("grads", &grads), ("m", &grads), ("v", &v)] {
        pair.set(&plan, name, values)?;
    }
    pair.set(&plan, "params", &[0.0; WEIGHTS])?;
    let limit = |step: &Step, slot: &str| {
        let relative = match (step.kernel.source.name, slot) {
            ("adam", "params") => 5e-6,
            ("adam", _) => 1e-6,
            _ => return limit(step, slot, 1.0),
        };
        Limit::Each {
            relative,
            absolute: 0.0,
        }
    };
    pair.walk(&plan, Submit::Together, limit).await
}
