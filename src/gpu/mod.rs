//! Executes plans on a GPU. The only modules which name wgpu; none knows an operation by name.

mod ahead;
mod alias;
mod compile;
mod context;
mod error;
mod fault;
mod memory;
mod pin;
mod profile;
mod replay;

pub use ahead::Ahead;
pub use compile::Replay;
pub use context::{AdapterReport, Backend, Counters, Feature, Gpu, Selection, adapter, adapters};
pub use error::GpuError;
pub use memory::Memory;
pub use replay::Readback;
