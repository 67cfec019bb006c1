//! Executes plans on a GPU. The only modules which name wgpu; they know one operation by name, which
//! `lanes` asks a device.

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

pub use adapter::{AdapterReport, Backend, Feature, Selection, adapter, adapters, first_willing};
pub use ahead::Ahead;
pub use compile::Replay;
pub use context::{Counters, Gpu};
pub use error::GpuError;
pub use memory::Memory;
pub use replay::Readback;
