//! Executes plans on a GPU. The only modules which name wgpu; none knows an operation by name.

mod compile;
mod context;
mod memory;
mod profile;
mod replay;

pub use compile::Replay;
pub use context::{
    AdapterReport, Backend, Counters, Feature, Gpu, GpuError, Selection, adapter, adapters,
};
pub use memory::Memory;
pub use replay::Readback;
