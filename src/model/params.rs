//! Parameters: names, shapes, initial values and offsets in their arenas.
//!
//! All weights share one buffer (an *arena*), as do gradients and each Adam moment, so that one
//! dispatch updates everything. Kernels bind views of the arenas.

use crate::ops::Graph;
use crate::ops::adam::Arenas;
use crate::ops::likelihood::LossAndGrad;
use crate::ops::reduce::SumRows;
use crate::plan::{Role, SlotId};
use crate::rng;

/// Offsets of views are multiples of this many elements: 256 bytes, the largest alignment that WebGPU
/// allows an adapter to require.
const ALIGNMENT: usize = 64;

/// Name of log σ of the likelihood.
pub const LOG_SIGMA: &str = "decoder.log_sigma";

/// A parameter tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Keras-style name, such as `encoder.conv1.kernel`.
    pub name: String,
    /// Shape in Keras's layout.
    pub shape: Vec<usize>,
    /// Initial values are uniform in ±limit; the limit of biases is 0.
    pub limit: f64,
}

impl ParamSpec {
    /// A kernel with Glorot's uniform limit, sqrt(6 / (fan in + fan out)) (AISTATS 2010).
    ///
    /// As in Keras, the last two axes are channels and the others a receptive field. The sum of the fans
    /// is symmetric, so HWIO and HWOI give the same limit.
    pub fn kernel(layer: &str, shape: &[usize]) -> Self {
        let (field, channels) = shape.split_at(shape.len() - 2);
        let fans = field.iter().product::<usize>() * channels.iter().sum::<usize>();
        ParamSpec {
            name: format!("{layer}.kernel"),
            shape: shape.to_vec(),
            limit: (6.0 / fans as f64).sqrt(),
        }
    }

    /// A bias, initially zero.
    pub fn bias(layer: &str, count: usize) -> Self {
        ParamSpec {
            name: format!("{layer}.bias"),
            shape: vec![count],
            limit: 0.0,
        }
    }

    /// log σ of the likelihood, initially zero.
    pub fn log_sigma() -> Self {
        ParamSpec {
            name: LOG_SIGMA.into(),
            shape: vec![1],
            limit: 0.0,
        }
    }

    /// Names of the parameter and of its two Adam moments.
    pub fn stored_names(&self) -> [String; 3] {
        let [m, v] = moment_names(&self.name);
        [self.name.clone(), m, v]
    }

    /// Number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// True for a tensor without values, which no valid model has.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Initial values of every tensor, in the order of `specs`; a function of the seed.
pub fn initial(specs: &[ParamSpec], seed: u64) -> Vec<Vec<f32>> {
    let key = rng::key(seed);
    let draw = |(i, spec): (usize, &ParamSpec)| match spec.limit {
        0.0 => vec![0.0; spec.len()],
        limit => rng::uniform(spec.len(), limit, i as u32, key),
    };
    specs.iter().enumerate().map(draw).collect()
}

/// Offset of each tensor in an arena in elements, and the arena's length.
pub fn offsets(specs: &[ParamSpec]) -> (Vec<usize>, usize) {
    let mut end = 0;
    let mut place = |spec: &ParamSpec| {
        let start = end;
        end += spec.len().next_multiple_of(ALIGNMENT);
        start
    };
    let offsets = specs.iter().map(&mut place).collect();
    (offsets, end)
}

/// Name of the gradient of a parameter.
pub fn grad_name(param: &str) -> String {
    format!("grad/{param}")
}

/// Names of the two Adam moments of a parameter.
pub fn moment_names(param: &str) -> [String; 2] {
    [format!("adam_m/{param}"), format!("adam_v/{param}")]
}

/// The slot of a declared parameter or gradient.
///
/// # Panics
///
/// If the graph does not declare it.
pub fn find(g: &Graph, name: &str) -> SlotId {
    let found = g.find(name);
    found.unwrap_or_else(|| panic!("the graph declares no `{name}`"))
}

/// Appends the gradient of a learned log σ, the sum of the images' shares.
pub fn sigma_grad(g: &mut Graph, loss: &LossAndGrad) {
    if let Some(x) = loss.dlog_sigma {
        let y = find(g, &grad_name(LOG_SIGMA));
        let (label, rows) = (format!("{LOG_SIGMA} gradient"), g.batch);
        g.push(SumRows { label, x, rows, y });
    }
}

fn arena(
    g: &mut Graph,
    specs: &[ParamSpec],
    name: &str,
    role: Role,
    view: impl Fn(&str) -> String,
) -> SlotId {
    let (offsets, len) = offsets(specs);
    let arena = g.slot(name, &[len], role);
    for (spec, offset) in specs.iter().zip(offsets) {
        g.view(arena, offset, view(&spec.name), &spec.shape);
    }
    arena
}

/// Declares the weights for plans that only read them; returns their arena.
pub fn declare(g: &mut Graph, specs: &[ParamSpec]) -> SlotId {
    arena(g, specs, "params", Role::Param, str::to_owned)
}

/// Declares weights, gradients and moments for plans that train.
pub fn declare_training(g: &mut Graph, specs: &[ParamSpec]) -> Arenas {
    let moment = |i: usize| move |name: &str| moment_names(name)[i].clone();
    Arenas {
        params: declare(g, specs),
        grads: arena(g, specs, "grads", Role::Grad, grad_name),
        m: arena(g, specs, "adam_m", Role::Moment, moment(0)),
        v: arena(g, specs, "adam_v", Role::Moment, moment(1)),
    }
}
