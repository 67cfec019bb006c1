//! Runs that are killed, or whose disk is full, or whose device is lost.
//!
//! `CVAE_GPU_KILLS` is the number of kills per test.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cvae_gpu::files::tensors::TensorFile;

use super::program::{Cli, Running};
use super::resume::Place;

/// Three epochs of 14 steps, saved often.
const RUN: &str = "--epochs 3 --checkpoint-every 3";

/// The files of an undisturbed run, and its duration.
static WHOLE: LazyLock<(BTreeMap<String, Vec<u8>>, Duration)> = LazyLock::new(|| {
    let place = Place::new();
    // The first run compiles shaders, which drivers cache.
    place.start("first", "--max-steps 15 --epochs 2").succeed();
    let start = Instant::now();
    place.start("whole", RUN).succeed();
    (place.files("whole"), start.elapsed())
});

/// A run has the files of an undisturbed one.
#[track_caller]
fn check_whole(place: &Place, run: &str) {
    place.check_files(run, &WHOLE.0);
}

/// Evenly spread moments, the same in each test run.
struct Dice(u32);

impl Dice {
    fn part_of(&mut self, most: Duration) -> Duration {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        most.mul_f64(f64::from(self.0 >> 8) / f64::from(1 << 24))
    }
}

fn begin_or_go_on(place: &Place, run: &str) -> Running {
    let words = format!("{RUN} -q");
    let begun = place.path().join(run).join("config.json").exists();
    let cli = match begun {
        true => place.resume(run, "-q"),
        false => place.start(run, &words),
    };
    cli.spawn()
}

/// No file is torn: all can be read.
fn check_files(folder: &Path) {
    for name in ["checkpoint.safetensors", "model.safetensors"] {
        let path = folder.join(name);
        if path.exists() {
            TensorFile::read(&path).expect(name);
        }
    }
}

/// Kills runs at random moments and resumes each until it ends, with this number of kills in all.
fn kill_at_random(kills: usize, seed: u32, mut stop: impl FnMut(&mut Running)) {
    let (place, whole) = (Place::new(), WHOLE.1);
    let mut dice = Dice(seed);
    let (mut done, mut runs) = (0, 0);
    while done < kills {
        runs += 1;
        let name = format!("run-{runs}");
        // A run is killed a few times before it may end.
        let times = (kills - done).min(4);
        for _ in 0..times {
            let mut running = begin_or_go_on(&place, &name);
            sleep(dice.part_of(whole));
            if running.has_ended() {
                break;
            }
            stop(&mut running);
            done += 1;
            check_files(&place.path().join(&name));
        }
        let mut last = begin_or_go_on(&place, &name);
        assert!(last.wait().success(), "{name} does not come to its end");
        check_whole(&place, &name);
    }
    println!("{done} kills, {runs} runs, each of {whole:?}");
}

/// `CVAE_GPU_KILLS=100` kills more often.
fn kills_or(few: usize) -> usize {
    let kills = std::env::var("CVAE_GPU_KILLS").ok();
    kills.map_or(few, |n| n.parse().expect("CVAE_GPU_KILLS is a number"))
}

#[test]
fn killed_runs_go_on_to_the_same_model() {
    kill_at_random(kills_or(4), 1, |running| {
        running.kill();
    });
}

#[cfg(unix)]
fn terminate(running: &mut Running) {
    running.terminate();
    let status = running.wait();
    // A signal may arrive before the program handles it.
    let fine = matches!(status.code(), Some(143 | 0) | None);
    assert!(fine, "{status:?}");
}

#[cfg(unix)]
#[test]
fn terminated_runs_go_on_to_the_same_model() {
    kill_at_random(kills_or(3), 2, terminate);
}

/// True while the folder has a temporary file.
fn is_writing(folder: &Path) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names.into_iter().any(|name| {
        let name = name.to_string_lossy();
        name.starts_with(".writing-")
    })
}

/// Waits until there is a checkpoint and the next one is being written.
fn wait_for_second_checkpoint(running: &mut Running, folder: &Path) {
    let checkpoint = folder.join("checkpoint.safetensors");
    assert!(running.wait_until(|| checkpoint.exists() && is_writing(folder)));
    // The injected pause is longer than the rest of a checkpoint.
    sleep(Duration::from_millis(100));
}

#[test]
fn a_kill_while_a_checkpoint_is_written_leaves_the_one_before() {
    let place = Place::new();
    let mut running = place
        .start("run", &format!("{RUN} --inject slow-disk=1500"))
        .spawn();
    let folder = place.path().join("run");
    wait_for_second_checkpoint(&mut running, &folder);
    running.kill();
    assert!(is_writing(&folder), "it was killed between two checkpoints");
    check_files(&folder);
    place.resume("run", "").succeed();
    assert!(!is_writing(&folder), "half a file stays behind");
    check_whole(&place, "run");
}

#[cfg(unix)]
#[test]
fn the_first_signal_saves_and_the_second_stops_at_once() {
    let place = Place::new();
    let folder = place.path().join("run");
    let mut running = place
        .start("run", &format!("{RUN} --inject slow-disk=400"))
        .spawn();
    wait_for_second_checkpoint(&mut running, &folder);
    running.terminate();
    assert_eq!(running.wait().code(), Some(143));
    assert!(!is_writing(&folder));
    check_files(&folder);

    // A checkpoint takes longer than ending a process on a busy machine.
    let mut running = place.resume("run", "--inject slow-disk=60000").spawn();
    assert!(running.wait_until(|| is_writing(&folder)));
    let start = Instant::now();
    running.terminate();
    sleep(Duration::from_millis(200));
    assert!(
        !running.has_ended(),
        "the first signal waits for the checkpoint"
    );
    running.terminate();
    assert_eq!(running.wait().code(), Some(143));
    assert!(start.elapsed() < Duration::from_secs(30));
    place.resume("run", "").succeed();
    check_whole(&place, "run");
}

#[test]
fn two_processes_do_not_train_into_one_folder() {
    let place = Place::new();
    let folder = place.path().join("run");
    let mut running = place
        .start("run", &format!("{RUN} --inject slow-disk=3000"))
        .spawn();
    assert!(running.wait_until(|| is_writing(&folder) && folder.join("metrics.jsonl").exists()));
    place.resume("run", "").fail(1, &["another process", "run"]);
    running.kill();
    // The process's end released the lock.
    place.resume("run", "").succeed();
}

#[test]
fn a_full_disk_is_named_and_leaves_the_checkpoint_before() {
    let place = Place::new();
    let words = format!("{RUN} -q --inject full-disk=3");
    place
        .start("run", &words)
        .fail(1, &["checkpoint.safetensors", "free space"]);
    check_files(&place.path().join("run"));
    place.resume("run", "").succeed();
    check_whole(&place, "run");
}

/// A small file system in memory, if the system lets tests make one.
#[cfg(target_os = "linux")]
struct SmallDisk<'a>(&'a Path);

#[cfg(target_os = "linux")]
impl<'a> SmallDisk<'a> {
    fn mount(path: &'a Path, options: &str) -> Option<Self> {
        let mut mount = std::process::Command::new("mount");
        let mount = mount
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(path);
        let done = mount.output().is_ok_and(|output| output.status.success());
        if !done {
            println!("note: this user may not mount a file system, so no disk is full");
        }
        done.then_some(SmallDisk(path))
    }
}

#[cfg(target_os = "linux")]
impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_disk_that_is_really_full_does_no_harm() {
    let place = Place::new();
    let run = place.path().join("run");
    fs::create_dir(&run).expect("a new folder");
    // Space for the pictures and for one checkpoint at a time.
    let Some(_disk) = SmallDisk::mount(&run, "size=96k") else {
        return;
    };
    let refused = place.start("run", &format!("{RUN} -q"));
    refused.fail(1, &["run", "free space"]);
    check_files(&run);
    let Some(_more) = SmallDisk::mount(&run, "remount,size=16m") else {
        panic!("what was mounted can be enlarged");
    };
    place.resume("run", "").succeed();
    check_whole(&place, "run");
    std::mem::forget(_more);
}

#[cfg(target_os = "linux")]
#[test]
fn what_finds_the_disk_full_leaves_no_part_of_its_files() {
    let place = Place::new();
    let words = "--epochs 1 --max-steps 1 --no-images -q";
    place.start("run", words).succeed();
    let disk = place.path().join("disk");
    fs::create_dir(&disk).expect("a new folder");
    // Space for the picture, but not for the array.
    let Some(_disk) = SmallDisk::mount(&disk, "size=64k") else {
        return;
    };
    let left = || fs::read_dir(&disk).expect("the disk").count();
    let words = "sample --model run -n 50 --out disk/some.png --npy disk/some.npy";
    let sample = Cli::new(words).on_adapter().within(place.path());
    sample.fail(1, &["cannot write disk/some.npy", "free space"]);
    assert_eq!(left(), 0);
    fs::write(disk.join("full"), [0; 64 << 10]).expect("all there is room for");
    let refused = place.start("disk/run", "-q");
    refused.fail(1, &["config.json", "free space"]);
    assert_eq!(left(), 1);
}

#[test]
fn a_lost_device_is_opened_again_and_nothing_is_lost() {
    let place = Place::new();
    for (run, step) in [("early", 1), ("late", 20)] {
        let words = format!("{RUN} --inject lose-device={step}");
        let done = place.start(run, &words).succeed();
        assert!(done.stderr.contains("was lost"), "{done}");
        check_whole(&place, run);
    }
}

#[test]
fn training_that_diverges_says_where_and_keeps_the_checkpoint() {
    let place = Place::new();
    let words = "--epochs 3 --checkpoint-every 1 --lr 1e30";
    let words = [words, "-q --no-images"].join(" ");
    let expected = ["step", "not finite", "written by", "smaller --lr"];
    place.start("run", &words).fail(1, &expected);
    let folder = place.path().join("run");
    let checkpoint = TensorFile::read(folder.join("checkpoint.safetensors")).expect("a checkpoint");
    let tensors = checkpoint.tensors.values().filter_map(|t| t.as_f32());
    assert!(tensors.flatten().all(|v| v.is_finite()));
    assert!(!folder.join("model.safetensors").exists());
}
