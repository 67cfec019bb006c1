//! Executes plans on a GPU. The only modules which name wgpu; none knows an operation by name.

mod adapter;
mod ahead;
mod alias;
mod compile;
mod context;
mod error;
mod fault;
mod guard;
mod lanes;
mod memory;
mod pin;
mod profile;
mod replay;

pub use adapter::{AdapterReport, Backend, Feature, Selection, adapter, adapters};
pub use ahead::Ahead;
pub use compile::Replay;
pub use context::{Counters, Gpu};
pub use error::GpuError;
pub use memory::Memory;
pub use replay::Readback;
