//! GPU errors.

use super::selection::Backend;
use crate::plan::PlanError;

/// Why a GPU operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GpuError {
    /// There is no adapter.
    #[error(
        "no GPU adapter was found{}",
        .backend.map(|b| format!(" for the backend {}", b.name())).unwrap_or_default()
    )]
    NoAdapter {
        /// The requested backend, if any.
        backend: Option<Backend>,
    },
    /// No adapter matches the request.
    #[error("no adapter matches `{wanted}`. There are:\n{}", .found.join("\n"))]
    UnknownAdapter {
        /// The requested name or index.
        wanted: String,
        /// Index and name of each adapter.
        found: Vec<String>,
    },
    /// The adapter did not open a device with the required features and limits.
    #[error("{adapter} refused a device: {reason}")]
    NoDevice {
        /// Adapter name.
        adapter: String,
        /// Index in the list of adapters.
        index: usize,
        /// Message of the driver.
        reason: String,
    },
    /// A plan does not fit the adapter, or is not valid.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The driver of the adapter (first text) reported an error.
    #[error("the GPU driver of {0} reported: {1}")]
    Driver(String, String),
    /// The device was lost: unplugged, reset, or stopped by a watchdog.
    #[error("the device of {adapter} was lost ({reason})")]
    Lost {
        /// Adapter name.
        adapter: String,
        /// Message of the driver.
        reason: String,
    },
    /// The device is out of memory.
    #[error(
        "{adapter} has no memory for `{slot}` ({} MiB of {} MiB in all): {reason}",
        .bytes.div_ceil(1 << 20), .total.div_ceil(1 << 20)
    )]
    OutOfMemory {
        /// Adapter name.
        adapter: String,
        /// The slot that could not be allocated.
        slot: String,
        /// Bytes of the slot.
        bytes: u64,
        /// Bytes of all slots.
        total: u64,
        /// Bytes that could be allocated.
        room: u64,
        /// The largest batch that needs no more than that, if known.
        fits: Option<usize>,
        /// Message of the driver.
        reason: String,
    },
    /// The driver did not compile a kernel.
    #[error("{adapter} cannot compile the kernel {kernel}: {reason}")]
    Kernel {
        /// Adapter name.
        adapter: String,
        /// Index in the list of adapters.
        index: usize,
        /// Module and entry point.
        kernel: String,
        /// Message of the driver.
        reason: String,
    },
    /// A kernel accessed memory out of bounds or divided by zero. This is a bug of this program.
    /// The text is the access: WGSL, function and module.
    #[error("a kernel goes out of bounds: {0}. This is a fault of the program: please report it")]
    OutOfBounds(String),
    /// A plan uses a slot that the memory does not have, or has with another size.
    #[error("there is no slot `{0}` of that size on the device")]
    NoSlot(String),
}
