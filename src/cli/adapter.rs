//! Goes on to the next adapter where one refuses its work.

use cvae_gpu::explore::ExploreError;
use cvae_gpu::gpu::{GpuError, Selection};
use cvae_gpu::train::TrainError;

use super::{Common, say};

/// Does `work` on the adapters from the given index on. Where an adapter gives no device or does
/// not compile a kernel, the next one is tried, with a line, unless the user has named the adapter.
/// The error is that of the first adapter where all refuse.
pub fn on_adapter<T>(
    selection: &Selection,
    common: &Common,
    work: impl FnMut(usize) -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    if selection.adapter.is_some() {
        let mut work = work;
        return work(0);
    }
    try_each(work, |refusal| {
        if !common.quiet {
            say(&format!("warning: {refusal:#}; the next adapter is tried"));
        }
    })
}

fn try_each<T>(
    mut work: impl FnMut(usize) -> anyhow::Result<T>,
    mut tell: impl FnMut(&anyhow::Error),
) -> anyhow::Result<T> {
    let mut first: Option<anyhow::Error> = None;
    let mut index = 0;
    loop {
        let error = match work(index) {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        match (gpu_error(&error), first.take()) {
            // There is no further adapter.
            (Some(GpuError::UnknownAdapter { .. }), Some(first)) => return Err(first),
            (
                Some(
                    GpuError::NoDevice { index: refused, .. }
                    | GpuError::Kernel { index: refused, .. },
                ),
                before,
            ) => {
                index = refused + 1;
                tell(&error);
                first = before.or(Some(error));
            }
            _ => return Err(error),
        }
    }
}

/// The error of the device that stopped a command.
pub fn gpu_error(error: &anyhow::Error) -> Option<&GpuError> {
    let of_training = || match error.downcast_ref() {
        Some(TrainError::Gpu(e)) => Some(e),
        _ => None,
    };
    let of_exploring = || match error.downcast_ref() {
        Some(ExploreError::Gpu(e)) => Some(e),
        _ => None,
    };
    let plain = error.downcast_ref();
    plain.or_else(of_training).or_else(of_exploring)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(index: usize) -> anyhow::Error {
        let adapter = format!("GPU {index}");
        let (kernel, reason) = ("conv_thin".into(), "X4027".into());
        let refusal = GpuError::Kernel {
            adapter,
            index,
            kernel,
            reason,
        };
        TrainError::Gpu(refusal).into()
    }

    fn no_device(index: usize) -> anyhow::Error {
        let (adapter, reason) = (format!("GPU {index}"), "not today".into());
        GpuError::NoDevice {
            adapter,
            index,
            reason,
        }
        .into()
    }

    fn no_more() -> anyhow::Error {
        let (wanted, found) = (String::new(), Vec::new());
        GpuError::UnknownAdapter { wanted, found }.into()
    }

    /// What comes of adapters that answer so, and the lines that are told.
    fn outcome(
        answers: impl Fn(usize) -> anyhow::Result<usize>,
    ) -> (Result<usize, String>, Vec<String>) {
        let mut told = Vec::new();
        let done = try_each(answers, |refusal| told.push(refusal.to_string()));
        (done.map_err(|e| e.to_string()), told)
    }

    #[test]
    fn the_next_adapter_is_tried_with_a_line_that_has_the_cause() {
        let (done, told) = outcome(|index| match index {
            0 => Err(no_device(0)),
            // The user's backend leaves adapter 1 out.
            1 | 2 => Err(kernel(2)),
            _ => Ok(index),
        });
        assert_eq!(done, Ok(3));
        assert!(told[0].contains("GPU 0") && told[0].contains("not today"));
        assert!(told[1].contains("GPU 2") && told[1].contains("X4027"));
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn where_all_refuse_the_first_says_why() {
        let (done, told) = outcome(|index| match index {
            0 | 1 => Err(kernel(index)),
            _ => Err(no_more()),
        });
        assert!(done.is_err_and(|e| e.contains("GPU 0")));
        assert_eq!(told.len(), 2);
    }

    #[test]
    fn any_other_error_ends_the_command() {
        let (done, told) = outcome(|_| Err(anyhow::anyhow!("the disk is full")));
        assert_eq!(done, Err("the disk is full".into()));
        assert!(told.is_empty());
        let (done, _) = outcome(|_| Err(no_more()));
        assert!(done.is_err());
    }
}
