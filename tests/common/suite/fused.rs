//! Fused kernels against the twins of their steps, tensor by tensor.

use crate::common::pair::Pair;
use crate::common::report::{Limit, Report};
use crate::common::suite::step::as_gpus;
use crate::common::{say, uniform};
use cvae_gpu::data::{Binarize, PackedImages};
use cvae_gpu::gpu::Gpu;
use cvae_gpu::model::params::{self, ParamSpec};
use cvae_gpu::ops::adam::{self, Adam};
use cvae_gpu::ops::conv::{Call, Contract, Conv, Epilogue, Padding};
use cvae_gpu::ops::dense::{Dense, Forward, InputGrad};
use cvae_gpu::ops::fetch::{self, Packed};
use cvae_gpu::ops::likelihood::{self, Head};
use cvae_gpu::ops::objective::{Divergence, KlTerm};
use cvae_gpu::ops::posterior::{self, Posterior};
use cvae_gpu::ops::reduce::{By, ColumnSums};
use cvae_gpu::ops::rng::{self, Order};
use cvae_gpu::ops::state::{self, StepState};
use cvae_gpu::ops::{Activation, Graph};
use cvae_gpu::plan::{Plan, Role};
use cvae_gpu::rng::Stream;

/// For several sums in sequence, each of terms in (-1, 1).
const SUMS: Limit = Limit::OfLargest(8e-6);

fn modules(plan: &Plan) -> Vec<&'static str> {
    plan.steps().iter().map(|s| s.kernel.source.name).collect()
}

/// The dense layers around the sampling, and their gradients.
fn latent(
    gpu: &Gpu,
    batch: usize,
    sizes: [usize; 3],
    activation: Activation,
    kl_term: KlTerm,
) -> Plan {
    let [inputs, latent, outputs] = sizes;
    let mut p = Graph::new(batch);
    let (encoder, decoder) = (
        Dense {
            inputs,
            outputs: 2 * latent,
        },
        Dense {
            inputs: latent,
            outputs,
        },
    );
    let mut data = |name: &str, shape: &[usize]| p.slot(name, shape, Role::Data);
    let (x, eps) = (data("x", &[batch, inputs]), data("eps", &[batch, latent]));
    let enc = (
        data("enc_w", &[inputs, 2 * latent]),
        data("enc_b", &[2 * latent]),
    );
    let dec = (data("dec_w", &[latent, outputs]), data("dec_b", &[outputs]));
    let dy = data("dy", &[batch, outputs]);
    let mut result = |name: &str, width: usize| p.slot(name, &[batch, width], Role::Activation);
    let (q, y) = (result("q", 2 * latent), result("y", outputs));
    let (dz, dx) = (result("dz", latent), result("dx", inputs));
    let forward = |label: &str, spec, activation, x, (weights, bias), y| Forward {
        label: label.into(),
        spec,
        activation,
        x,
        weights,
        bias,
        y,
    };
    p.push(forward("encoder", encoder, Activation::None, x, enc, q));
    let drawn = posterior::sample(&mut p, Posterior::Diagonal, q, eps);
    p.push(forward("decoder", decoder, activation, drawn.z, dec, y));
    p.push(InputGrad {
        label: "decoder back".into(),
        spec: decoder,
        activation: Activation::None,
        dy,
        weights: dec.0,
        x: drawn.z,
        dx: dz,
    });
    let dq = posterior::backward(&mut p, kl_term, drawn, None, dz);
    p.push(InputGrad {
        label: "encoder back".into(),
        spec: encoder,
        activation,
        dy: dq,
        weights: enc.0,
        x,
        dx,
    });
    p.lower(&as_gpus(gpu))
}

pub fn the_way_through_the_latent_space_agrees_with_its_steps(gpu: &Gpu) {
    if gpu.caps().max_buffers < 12 {
        say("the way into the latent space is not fused: it needs 12 buffers");
    }
    let mut report = Report::default();
    let terms = [(Divergence::MonteCarlo, 1.0), (Divergence::Analytic, 4.0)];
    let sizes = [[2304, 2, 1568], [70, 1, 33], [257, 3, 40], [12, 8, 300]];
    for (form, beta) in terms {
        for (i, sizes) in sizes.into_iter().enumerate() {
            let batch = 3 + i;
            let p = latent(
                gpu,
                batch,
                sizes,
                Activation::ALL[(i + 1) % 6],
                KlTerm {
                    form,
                    beta,
                    ..KlTerm::PLAIN
                },
            );
            if gpu.caps().max_buffers >= 12 {
                assert_eq!(modules(&p), ["latent"; 2]);
            }
            let mut pair = Pair::new(gpu, &[&p]);
            pair.set_random(&p, 1.0, i as u64);
            // Scales the weights so that log-variances are about 1 for any number of terms.
            let [inputs, latent, _] = sizes;
            let limit = 3.0 / (inputs as f64).sqrt();
            pair.set(&p, "enc_w", &uniform(inputs * 2 * latent, limit, 7));
            let case = format!("{batch}×{sizes:?} {form:?}");
            pair.run(&mut report, &case, &p, 1, |_| SUMS);
        }
    }
    report.finish(64);
}

pub fn the_last_layer_with_the_loss_agrees_with_its_steps(gpu: &Gpu) {
    let mut report = Report::default();
    for (i, (batch, big, channels, kernel)) in [
        (2, [28, 28, 1], 32, 3),
        (3, [9, 12, 3], 4, 3),
        (1, [16, 8, 1], 8, 5),
        (2, [8, 32, 3], 12, 3),
    ]
    .into_iter()
    .enumerate()
    {
        let [height, width, _] = big;
        let spec = Conv::new(big, channels, kernel, 1, Padding::Same);
        let mut p = Graph::new(batch);
        let mut data = |name: &str, shape: &[usize]| p.slot(name, shape, Role::Data);
        let h = data("h", &[batch, height, width, channels]);
        let x = data("x", &[batch, height, width, big[2]]);
        let weights = data("weights", &spec.weight_shape());
        let bias = data("bias", &[big[2]]);
        let logits = p.slot("logits", &[batch, height, width, big[2]], Role::Activation);
        let dh = p.slot("dh", &[batch, height, width, channels], Role::Activation);
        p.push(Contract {
            label: "layer".into(),
            spec,
            call: Call::Adjoint,
            x: h,
            weights,
            epilogue: Epilogue::Forward {
                bias,
                activation: Activation::None,
            },
            y: logits,
        });
        let bernoulli = Head::Bernoulli(false);
        let loss = likelihood::loss_and_grad(&mut p, bernoulli, 1.0, logits, x);
        let activation = Activation::ALL[(i + 1) % 6];
        p.push(Contract {
            label: "layer back".into(),
            spec,
            call: Call::Correlate,
            x: loss.dlogits,
            weights,
            epilogue: Epilogue::Backward {
                gate: h,
                activation,
            },
            y: dh,
        });
        let p = p.lower(&as_gpus(gpu));
        assert_eq!(modules(&p), ["head", "bce"]);
        let mut pair = Pair::new(gpu, &[&p]);
        pair.set_random(&p, 1.0, i as u64);
        let case = format!("{batch}×{big:?} of {channels}, kernel {kernel}, {activation:?}");
        pair.run(&mut report, &case, &p, 1, |_| SUMS);
    }
    report.finish(16);
}

pub fn the_batch_with_the_first_layer_agrees_with_its_steps(gpu: &Gpu) {
    let mut report = Report::default();
    for (i, (batch, big, channels, stride, padding, binarize, order)) in [
        (
            3,
            [28, 28, 1],
            32,
            2,
            Padding::Valid,
            Binarize::Threshold,
            Order::Shuffled,
        ),
        (
            2,
            [9, 12, 3],
            4,
            1,
            Padding::Same,
            Binarize::None,
            Order::Shuffled,
        ),
        (
            5,
            [32, 32, 3],
            8,
            2,
            Padding::Same,
            Binarize::None,
            Order::File,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let values: usize = big.iter().product();
        let bytes: Vec<u8> = (0..20 * values).map(|v| (v * v % 251) as u8).collect();
        // The first colours are floats.
        let images = match i {
            1 => PackedImages::from_floats(big, &uniform(20 * values, 2.0, 9)),
            _ => PackedImages::from_bytes(big, &bytes, binarize),
        };
        let packed = Packed::of(&images);
        let spec = Conv::new(big, channels, 3, stride, padding);
        let mut p = Graph::new(batch);
        let state = state::declare(&mut p, "state");
        let data = fetch::declare(&mut p, "images", &packed);
        let weights = p.slot("weights", &spec.weight_shape(), Role::Data);
        let bias = p.slot("bias", &[channels], Role::Data);
        let indices = rng::shuffle(&mut p, state, packed.count, order);
        let x = fetch::batch(&mut p, packed, state, data, indices);
        let activation = Activation::ALL[(i + 1) % 6];
        let [height, width, _] = spec.small;
        let y = p.slot("y", &[batch, height, width, channels], Role::Activation);
        p.push(Contract {
            label: "layer".into(),
            spec,
            call: Call::Correlate,
            x,
            weights,
            epilogue: Epilogue::Forward { bias, activation },
            y,
        });
        let p = p.lower(&as_gpus(gpu));
        assert_eq!(modules(&p), ["front"]);
        let mut pair = Pair::new(gpu, &[&p]);
        pair.set_random(&p, 1.0, i as u64);
        pair.set_words(&p, "images", &images.device_words().unwrap());
        // The last batch starts before the end of the set and reaches beyond it.
        for position in [0, 19] {
            let start = StepState {
                position,
                epoch: 3,
                ..StepState::start(0x5eed, Stream::Train)
            };
            pair.set_words(&p, "state", &start.to_words());
            let case = format!("{batch}×{big:?} to {channels} from {position}, {order:?}");
            pair.run(&mut report, &case, &p, 1, |_| SUMS);
        }
    }
    report.finish(18);
}

pub fn updates_of_sums_agree_with_their_steps(gpu: &Gpu) {
    let specs = [
        ParamSpec::kernel("first", &[3, 3, 1, 8]),
        ParamSpec::bias("first", 8),
        ParamSpec::kernel("other", &[10, 4]),
    ];
    let mut p = Graph::new(1);
    let state = state::declare(&mut p, "state");
    let arenas = params::declare_training(&mut p, &specs);
    for (spec, rows) in specs.iter().zip([5, 32, 2]) {
        let len: usize = spec.len();
        let x = p.slot(format!("{} rows", spec.name), &[rows, len], Role::Data);
        let y = p.find(&params::grad_name(&spec.name)).expect("a gradient");
        p.push(ColumnSums {
            label: spec.name.clone(),
            x,
            rows,
            ranges: 1,
            by: By::One,
            y,
        });
    }
    adam::update(&mut p, state, arenas, Adam::default());
    let p = p.lower(&as_gpus(gpu));
    assert_eq!(modules(&p), ["reduce", "adam"]);
    let mut pair = Pair::new(gpu, &[&p]);
    let len = p[arenas.params].len();
    let mut report = Report::default();
    pair.set_random(&p, 1.0, 1);
    // The padding between tensors holds no gradients.
    pair.set(&p, "grads", &vec![0.0; len]);
    pair.set(&p, "params", &vec![0.0; len]);
    pair.set(&p, "adam_m", &uniform(len, 0.1, 3));
    let squares: Vec<f32> = uniform(len, 1.0, 4).iter().map(|v| v * v + 0.1).collect();
    pair.set(&p, "adam_v", &squares);
    let start = StepState {
        step: 7,
        ..StepState::start(0, Stream::Train)
    };
    pair.set_words(&p, "state", &start.to_words());
    pair.run(&mut report, "update", &p, 1, |_| Limit::OfLargest(2e-6));
    report.finish(5);
}
