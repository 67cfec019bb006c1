//! A long run: the host only submits and reads, and nothing grows. Alone in its process, whose
//! memory it measures.

mod common;

use std::sync::atomic::Ordering;

use common::training::{options, rectangles, train_watched};
use common::{adapter_name, gpu};
use cvae_gpu::event::Event;
use cvae_gpu::train::Options;

/// Resident bytes of this process, where the system tells.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

// 250 steps an epoch: submissions reach their full size within the first two.
#[test]
fn a_long_run_carries_many_steps_a_submission_writes_nothing_and_stays_flat() {
    let long = Options {
        batch: 8,
        epochs: 10,
        ..options()
    };
    let data = rectangles(2000, 64);
    let buffers = || gpu().counters.buffers.load(Ordering::Relaxed);
    let (mut counts, mut memory) = (Vec::new(), Vec::new());
    let log = train_watched(&long, &data, |event| match event {
        Event::Checkpoint(_) => counts.push(buffers()),
        Event::Progress { step, .. } if *step >= 500 => {
            memory.push((*step, resident()));
        }
        _ => {}
    });
    let log = log.expect("a run");
    let (step, _, traffic) = log.end();
    assert_eq!(*step, 2500);
    let adapter = adapter_name();

    assert!(
        traffic.most_steps >= 50,
        "at most {} steps in a submission on {adapter}",
        traffic.most_steps
    );
    assert_eq!(traffic.host_writes, 0, "writes during steps on {adapter}");

    // Counted at the checkpoint, when the first epoch's readbacks have their buffers.
    counts.push(buffers());
    assert_eq!(counts.len(), 11);
    assert!(counts[0] > 0);
    let grown = counts.iter().any(|n| *n != counts[0]);
    assert!(!grown, "buffers per epoch on {adapter}: {counts:?}");

    let (Some(start), Some(end)) = (memory.first(), memory.last()) else {
        panic!("no progress after step 500");
    };
    assert!(start.0 < 1000 && end.0 == 2500, "{memory:?}");
    match (start.1, end.1) {
        (Some(before), Some(after)) => assert!(
            after < before + (8 << 20),
            "{} MiB at step {} and {} MiB at step {} on {adapter}: {memory:?}",
            before >> 20,
            start.0,
            after >> 20,
            end.0
        ),
        _ => common::say("resident memory is not tested: there is no /proc/self/status"),
    }
}
