//! Activations of layers. `shaders/common/activation.wgsl` has their kernels.

use serde::{Deserialize, Serialize};

/// What a layer applies to its sums. Derivatives are functions of the output y.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Activation {
    /// y = v.
    #[default]
    None,
    /// y = max(0, v); its derivative at y = 0 is 0.
    Relu,
    /// y = v, or 0.2 v for v < 0; its derivative at y = 0 is 0.2.
    LeakyRelu,
    /// y = v, or exp(v) − 1 for v < 0; its derivative is 1 or y + 1.
    Elu,
    /// Its derivative is 1 − y².
    Tanh,
    /// y = 1 / (1 + exp(−v)); its derivative is y − y².
    Sigmoid,
}

/// Slope of the leaky ReLU below 0, as in `tf.nn.leaky_relu`.
pub const SLOPE: f64 = 0.2;

impl Activation {
    /// Every activation.
    pub const ALL: [Activation; 6] = [
        Activation::None,
        Activation::Relu,
        Activation::LeakyRelu,
        Activation::Elu,
        Activation::Tanh,
        Activation::Sigmoid,
    ];

    /// Its number in the shaders.
    pub fn number(self) -> f64 {
        f64::from(self as u8)
    }

    /// The output for a sum.
    pub fn of(self, v: f64) -> f64 {
        match self {
            Activation::None => v,
            Activation::Relu if v < 0.0 => 0.0,
            Activation::LeakyRelu if v < 0.0 => SLOPE * v,
            Activation::Elu if v < 0.0 => v.exp_m1(),
            Activation::Relu | Activation::LeakyRelu | Activation::Elu => v,
            Activation::Tanh => v.tanh(),
            Activation::Sigmoid => 1.0 / (1.0 + (-v).exp()),
        }
    }

    /// dy times the derivative at the output y. A ReLU drops a dy of any value, also NaN.
    pub fn backward(self, dy: f64, y: f64) -> f64 {
        match self {
            Activation::None => dy,
            Activation::Relu if y <= 0.0 => 0.0,
            Activation::LeakyRelu if y <= 0.0 => SLOPE * dy,
            Activation::Elu if y <= 0.0 => dy * (y + 1.0),
            Activation::Relu | Activation::LeakyRelu | Activation::Elu => dy,
            Activation::Tanh => dy * (1.0 - y * y),
            Activation::Sigmoid => dy * (y - y * y),
        }
    }
}

/// The constants of a kernel that ends in an activation, or in the derivative of one.
pub(super) fn constants(
    forward: Option<Activation>,
    backward: Option<Activation>,
) -> [(&'static str, f64); 2] {
    let number = |a: Option<Activation>| a.unwrap_or_default().number();
    [("ACTIVATION", number(forward)), ("GATE", number(backward))]
}
