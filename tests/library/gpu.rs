//! The choice of an adapter.

use cvae_gpu::gpu::{GpuError, first_willing};

fn kernel(index: usize) -> GpuError {
    GpuError::Kernel {
        adapter: format!("GPU {index}"),
        index,
        kernel: "conv_thin".into(),
        reason: "X4027".into(),
    }
}

fn no_device(index: usize) -> GpuError {
    GpuError::NoDevice {
        adapter: format!("GPU {index}"),
        index,
        reason: "not today".into(),
    }
}

fn no_more() -> GpuError {
    let (wanted, found) = (String::new(), Vec::new());
    GpuError::UnknownAdapter { wanted, found }
}

fn own(error: &GpuError) -> Option<&GpuError> {
    Some(error)
}

/// The result for adapters with these answers, and the messages.
fn outcome(
    answers: impl Fn(usize) -> Result<usize, GpuError>,
) -> (Result<usize, String>, Vec<String>) {
    let mut told = Vec::new();
    let done = first_willing(answers, own, |refusal| told.push(refusal.to_string()));
    (done.map_err(|e| e.to_string()), told)
}

#[test]
fn the_next_adapter_is_tried_with_a_line_that_has_the_cause() {
    let (done, told) = outcome(|index| match index {
        0 => Err(no_device(0)),
        // Adapter 1 has another backend.
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
fn any_other_error_is_no_refusal() {
    let missing = || GpuError::NoSlot("x".into());
    let (done, told) = outcome(|_| Err(missing()));
    assert_eq!(done, Err(missing().to_string()));
    assert!(told.is_empty());
    assert!(outcome(|_| Err(no_more())).0.is_err());
}
