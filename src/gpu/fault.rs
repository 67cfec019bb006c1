//! Errors that the driver reports asynchronously.

use std::sync::Arc;

use parking_lot::Mutex;

use super::error::GpuError;

/// The errors of a device.
#[derive(Clone)]
pub(super) struct Faults {
    adapter: String,
    index: usize,
    first: Arc<Mutex<First>>,
}

/// The first error of each kind. A lost device comes before the errors that follow from it.
#[derive(Default)]
struct First {
    lost: Option<String>,
    reported: Option<String>,
    refusal: Option<Refusal>,
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
        };
        let on_error = faults.clone();
        device.on_uncaptured_error(Arc::new(move |e: wgpu::Error| {
            let reported = &mut on_error.first.lock().reported;
            reported.get_or_insert_with(|| e.to_string());
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
        self.first.lock().lost.get_or_insert(reason);
    }

    /// Returns the first error that the driver has reported, if any.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        let reported = self.first.lock().reported.clone();
        match self.loss().or(reported.map(|reason| self.driver(reason))) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// The error of a failed call. If the device is lost, that is the error.
    pub(super) fn driver_error(&self, reason: impl ToString) -> GpuError {
        let driver = || self.driver(reason.to_string());
        self.loss().unwrap_or_else(driver)
    }

    /// The error of a kernel that the driver did not compile.
    pub(super) fn refused(&self, kernel: String, reason: String) -> GpuError {
        let now = Refusal { kernel, reason };
        self.refusal(cause(&mut self.first.lock().refusal, now))
    }

    /// The error of a lost device: the kernel that the driver refused, if there was one.
    fn loss(&self) -> Option<GpuError> {
        let first = self.first.lock();
        let reason = first.lost.clone()?;
        let adapter = self.adapter.clone();
        Some(match first.refusal.clone() {
            Some(refusal) => self.refusal(refusal),
            None => GpuError::Lost { adapter, reason },
        })
    }

    fn driver(&self, reason: String) -> GpuError {
        GpuError::Driver(self.adapter.clone(), reason)
    }

    fn refusal(&self, Refusal { kernel, reason }: Refusal) -> GpuError {
        GpuError::Kernel {
            adapter: self.adapter.clone(),
            index: self.index,
            kernel,
            reason,
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
