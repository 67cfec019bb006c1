//! Errors that the driver reports asynchronously.

use std::sync::Arc;

use parking_lot::Mutex;

use super::error::GpuError;

#[derive(Clone, Debug)]
enum Fault {
    Lost(String),
    Reported(String),
}

/// The first error of a device. A lost device replaces the errors that follow from it.
#[derive(Clone)]
pub(super) struct Faults {
    adapter: String,
    index: usize,
    first: Arc<Mutex<Option<Fault>>>,
    refusal: Arc<Mutex<Option<Refusal>>>,
}

/// A kernel that the driver does not compile.
#[derive(Clone, Debug, PartialEq)]
struct Refusal {
    kernel: String,
    reason: String,
}

impl Faults {
    /// Registers error callbacks on a device; `adapter` and `index` go into messages.
    pub(super) fn watch(device: &wgpu::Device, adapter: &str, index: usize) -> Self {
        let faults = Faults {
            adapter: adapter.to_owned(),
            index,
            first: Arc::default(),
            refusal: Arc::default(),
        };
        let on_error = faults.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            let mut first = on_error.first.lock();
            first.get_or_insert(Fault::Reported(e.to_string()));
        }));
        let on_loss = faults.clone();
        device.set_device_lost_callback(move |reason, message| {
            // The program destroyed the device itself on exit.
            if reason != wgpu::DeviceLostReason::Destroyed {
                on_loss.lose(message);
            }
        });
        faults
    }

    /// Records that the device is lost.
    pub(super) fn lose(&self, reason: String) {
        let mut fault = self.first.lock();
        if !matches!(*fault, Some(Fault::Lost(_))) {
            *fault = Some(Fault::Lost(reason));
        }
    }

    /// Returns the first error that the driver has reported, if any.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        let first = self.first.lock().clone();
        first.map_or(Ok(()), |fault| Err(self.error(fault)))
    }

    /// The error of a failed call. If the device is lost, that is the error.
    pub(super) fn driver_error(&self, reason: impl ToString) -> GpuError {
        let lost = self.first.lock().clone();
        let lost = lost.filter(|fault| matches!(fault, Fault::Lost(_)));
        self.error(lost.unwrap_or_else(|| Fault::Reported(reason.to_string())))
    }

    /// The error of a kernel that the driver did not compile.
    pub(super) fn refused(&self, kernel: String, reason: String) -> GpuError {
        let now = Refusal { kernel, reason };
        self.refusal(cause(&mut self.refusal.lock(), now))
    }

    fn refusal(&self, Refusal { kernel, reason }: Refusal) -> GpuError {
        GpuError::Kernel {
            adapter: self.adapter.clone(),
            index: self.index,
            kernel,
            reason,
        }
    }

    fn error(&self, fault: Fault) -> GpuError {
        let adapter = self.adapter.clone();
        if let (Fault::Lost(_), Some(refusal)) = (&fault, self.refusal.lock().clone()) {
            return self.refusal(refusal);
        }
        match fault {
            Fault::Lost(reason) => GpuError::Lost { adapter, reason },
            Fault::Reported(reason) => GpuError::Driver { adapter, reason },
        }
    }
}

/// The refusal to report. After a shader that crashed a driver, the driver may call the device lost
/// and refuse every other shader for that reason.
fn cause(first: &mut Option<Refusal>, now: Refusal) -> Refusal {
    let first = first.get_or_insert_with(|| now.clone());
    if now.reason.to_lowercase().contains("lost") {
        first.clone()
    } else {
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(kernel: &str, reason: &str) -> Refusal {
        Refusal {
            kernel: kernel.into(),
            reason: reason.into(),
        }
    }

    #[test]
    fn a_lost_device_does_not_hide_the_shader_that_lost_it() {
        let lost = "Parent device is lost";
        let shader = refusal("conv_thin", "X4027: array index out of bounds");
        let mut first = None;
        assert_eq!(cause(&mut first, shader.clone()), shader);
        assert_eq!(cause(&mut first, refusal("adam", lost)), shader);
        // Another shader has its own reason.
        let other = refusal("head", "X3511: unable to unroll loop");
        assert_eq!(cause(&mut first, other.clone()), other);
        assert_eq!(
            cause(&mut None, refusal("adam", lost)),
            refusal("adam", lost)
        );
    }
}
