//! In a long run the host only submits and reads, and memory use stays constant. The test has its own
//! process, since it measures the memory of the process.

#[path = "../common/mod.rs"]
mod common;

use std::sync::atomic::Ordering;

use common::training::{options, rectangles};
use common::{adapter_name, gpu};
use cvae_gpu::train::event::Event;
use cvae_gpu::train::{Options, Trainer};

/// Resident bytes of this process, if the system reports them.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib << 10)
}

/// Steps per epoch; submissions reach their full size within the first two epochs.
const EPOCH: usize = 250;

/// The typical duration of an epoch in seconds.
fn typical(epochs: &[f64]) -> f64 {
    let mut seconds = epochs.to_vec();
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

// `CVAE_GPU_STEPS` makes the run longer; times are compared from 10 000 steps on.
#[test]
fn a_long_run_carries_many_steps_a_submission_writes_nothing_and_stays_flat() {
    let steps = std::env::var("CVAE_GPU_STEPS").map_or(6 * EPOCH, |steps| steps.parse().unwrap());
    let long = Options {
        batch: 8,
        epochs: steps / EPOCH,
        ..options()
    };
    let data = rectangles(2000, 64);
    let buffers = || gpu().counters.buffers.load(Ordering::Relaxed);
    let (mut counts, mut memory, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    let mut end = None;
    // Drops the snapshots, since kept ones would grow the memory.
    let mut listen = |event: Event| {
        match event {
            Event::Checkpoint(_) => counts.push(buffers()),
            Event::Progress { step, .. } if step >= 500 => memory.push((step, resident())),
            Event::Epoch(report) if report.epoch > 1 => seconds.push(report.train_seconds),
            Event::Done { step, traffic, .. } => end = Some((step, traffic)),
            _ => {}
        }
        Ok(())
    };
    let mut trainer = pollster::block_on(Trainer::new(gpu(), &long, &data)).expect("a trainer");
    pollster::block_on(trainer.run(&mut listen)).expect("a run");
    let (step, traffic) = end.expect("an end");
    assert_eq!(step as usize, long.epochs * EPOCH);
    let adapter = adapter_name();

    assert!(
        traffic.most_steps >= 50,
        "at most {} steps in a submission on {adapter}",
        traffic.most_steps
    );
    assert_eq!(traffic.host_writes, 0, "writes during steps on {adapter}");

    // Counts at the checkpoint, when the readbacks of the first epoch have their buffers.
    counts.push(buffers());
    assert_eq!(counts.len(), long.epochs + 1);
    assert!(counts[0] > 0);
    let grown = counts.iter().any(|n| *n != counts[0]);
    assert!(!grown, "buffers per epoch on {adapter}: {counts:?}");

    let (Some(start), Some(end)) = (memory.first(), memory.last()) else {
        panic!("no progress after step 500");
    };
    assert!(start.0 < 1000 && end.0 == step, "{memory:?}");
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

    if step >= 10_000 {
        let tenth = seconds.len() / 10;
        let [first, last] = [&seconds[..tenth], &seconds[seconds.len() - tenth..]].map(typical);
        println!("an epoch takes {first:.3} s at first and {last:.3} s at last");
        assert!(last < 1.5 * first, "{last} s an epoch instead of {first}");
    }
}
