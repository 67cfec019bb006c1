//! Pins each thread of a software driver to its own core.
//!
//! lavapipe has one thread per core. A dispatch wakes them all, gives each an equal share and waits for
//! the last. Linux may wake two of them on one core. They run too briefly to be migrated, so steps take
//! half as long again for seconds. Other systems are not known to do this and are left alone.

use std::fs;
use std::io;
use std::path::Path;

use rustix::thread::{CpuSet, Pid, sched_getaffinity, sched_setaffinity};

/// A thread of this process: id and name.
type Thread = (i32, String);

/// Pins the threads of software drivers that this thread has loaded, if there are as many as cores.
/// Failures are ignored, since pinning only saves time.
pub fn keep_apart() {
    pin().unwrap_or_default();
}

fn pin() -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let processors = (0..CpuSet::MAX_CPU).filter(|&c| allowed.is_set(c));
    let processors: Vec<usize> = processors.collect();
    let own = name(Path::new("/proc/thread-self"))?;
    for pool in pools(&threads()?, &own) {
        if pool.len() != processors.len() {
            continue;
        }
        for (&thread, &processor) in pool.iter().zip(&processors) {
            let mut only = CpuSet::new();
            only.set(processor);
            sched_setaffinity(Pid::from_raw(thread), &only)?;
        }
    }
    Ok(())
}

/// The threads of this process, the oldest first.
fn threads() -> io::Result<Vec<Thread>> {
    let mut threads = Vec::new();
    for entry in fs::read_dir("/proc/self/task")? {
        let entry = entry?;
        let number = entry.file_name().to_string_lossy().parse();
        // A thread that has just ended has no name.
        if let (Ok(number), Ok(name)) = (number, name(&entry.path())) {
            threads.push((number, name));
        }
    }
    threads.sort_unstable();
    Ok(threads)
}

fn name(thread: &Path) -> io::Result<String> {
    let text = fs::read_to_string(thread.join("comm"))?;
    Ok(text.trim_end().to_owned())
}

/// lavapipe's compute threads by device. lavapipe creates them right after as many rasterizer
/// threads (`llvmpipe-0`, …); they keep the name of the thread that loads the driver.
fn pools(threads: &[Thread], own: &str) -> Vec<Vec<i32>> {
    let draws = |(_, name): &Thread| name.starts_with("llvmpipe-");
    let mut pools = Vec::new();
    let mut rest = threads;
    while let Some(first) = rest.iter().position(draws) {
        let count = rest[first..].iter().take_while(|t| draws(t)).count();
        rest = &rest[first + count..];
        let same = rest.iter().take(count).filter(|(_, name)| name == own);
        let pool: Vec<i32> = same.map(|&(number, _)| number).collect();
        if pool.len() == count {
            pools.push(pool);
        }
    }
    pools
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pools_are_found_behind_the_threads_that_draw() {
        let named = |names: &[&str]| -> Vec<Thread> {
            (7..).zip(names.iter().map(|&n| n.to_owned())).collect()
        };
        let (a, b) = ("llvmpipe-0", "llvmpipe-1");
        let of = |names: &[&str]| pools(&named(names), "me");
        assert_eq!(of(&["me", a, b, "me", "me", "me:disk$0"]), [[10, 11]]);
        let two = ["me", a, b, "me", "me", "disk", "me", a, b, "me", "me"];
        assert_eq!(of(&two), [[10, 11], [16, 17]]);
        for none in [
            &["me", "me"][..],
            &["me", a, b, "me"],
            &["me", a, b, "me", "you"],
            &["me", a, b],
        ] {
            assert_eq!(of(none), [[0; 0]; 0], "{none:?}");
        }
    }
}
