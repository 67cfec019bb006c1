//! What can go wrong on a GPU.

use super::selection::Backend;
use crate::plan::PlanError;

/// Why something on the GPU failed.
#[derive(Debug, thiserror::Error)]
pub enum GpuError {
    /// No adapter at all.
    #[error(
        "no GPU adapter was found{}",
        .backend.map(|b| format!(" for the backend {}", b.name())).unwrap_or_default()
    )]
    NoAdapter {
        /// The backend asked for, if one was.
        backend: Option<Backend>,
    },
    /// None of the adapters is the one asked for.
    #[error("no adapter matches `{wanted}`. There are:\n{}", .found.join("\n"))]
    UnknownAdapter {
        /// What the user asked for.
        wanted: String,
        /// Index and name of each adapter.
        found: Vec<String>,
    },
    /// The adapter gives no device with what the program needs.
    #[error("{adapter} refused a device: {reason}")]
    NoDevice {
        /// Adapter name.
        adapter: String,
        /// Its place in the list of adapters.
        index: usize,
        /// What the driver said.
        reason: String,
    },
    /// A plan does not fit the adapter, or is faulty.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The driver reported an error.
    #[error("the GPU driver of {adapter} reported: {reason}")]
    Driver {
        /// Adapter name.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// The device is gone: unplugged, reset, or stopped by a watchdog.
    #[error("the device of {adapter} was lost ({reason})")]
    Lost {
        /// Adapter name.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// There is not enough memory on the device.
    #[error(
        "{adapter} has no memory for `{slot}` ({} MiB of {} MiB in all): {reason}",
        .bytes.div_ceil(1 << 20), .total.div_ceil(1 << 20)
    )]
    OutOfMemory {
        /// Adapter name.
        adapter: String,
        /// The slot for which there was no room.
        slot: String,
        /// Bytes of the slot.
        bytes: u64,
        /// Bytes of all slots.
        total: u64,
        /// Bytes for which there was room.
        room: u64,
        /// The largest batch that needs no more than that room, where it is known.
        fits: Option<usize>,
        /// What the driver said.
        reason: String,
    },
    /// The driver does not compile a kernel.
    #[error("{adapter} cannot compile the kernel {kernel}: {reason}")]
    Kernel {
        /// Adapter name.
        adapter: String,
        /// Its place in the list of adapters.
        index: usize,
        /// Shader file and entry point.
        kernel: String,
        /// What the driver said.
        reason: String,
    },
    /// A kernel reads or writes beyond what it was given, or divides by zero. A fault of this program.
    #[error(
        "a kernel goes out of bounds: {access}. This is a fault of the program: please report it"
    )]
    OutOfBounds {
        /// The access: code, function and module.
        access: String,
    },
    /// A mistake cannot be planted, for the reason given.
    #[error("the mistake cannot be planted: {0}")]
    Mistake(String),
    /// A plan names a slot that the memory does not have, or of another size.
    #[error("there is no slot `{0}` of that size on the device")]
    NoSlot(String),
}
