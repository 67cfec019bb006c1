//! Runs plans on a GPU. Only these modules use wgpu. They use no operation except `lanes`, which
//! probes a device.

mod adapter;
mod compile;
mod device;
mod error;
mod fault;
mod guard;
mod lanes;
mod memory;
mod native;
mod open;
mod profile;
mod replay;
mod selection;

pub use adapter::{AdapterReport, adapter, adapters, first_willing};
pub use compile::{Compiled, Replay};
pub use device::{Counters, Gpu};
pub use error::GpuError;
pub use memory::Memory;
pub use native::Ahead;
pub use replay::Readback;
pub use selection::{Backend, Feature, Selection};
