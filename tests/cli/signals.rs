//! Interruptions of training: signals, and a closed standard output.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::thread::sleep;
use std::time::{Duration, Instant};

use cvae_gpu::files::tensors::{TensorData, TensorFile};
use cvae_gpu::ops::state::StepState;

use super::program::Running;
use super::resume::Place;

/// More epochs than a test waits for.
const ENDLESS: &str = "--epochs 100000 --no-images -q";

/// Sends signals once training has started, and returns the exit status.
fn end_with(signals: &[&str], place: &Place, run: &str) -> Option<i32> {
    let words = format!("{ENDLESS} --inject slow-disk=500");
    let mut running = place.start(run, &words).spawn();
    let metrics = place.path().join(run).join("metrics.jsonl");
    let has_line = || fs::read(&metrics).is_ok_and(|lines| lines.contains(&b'\n'));
    assert!(running.wait_until(has_line));
    for signal in signals {
        running.signal(signal);
        // The checkpoint takes longer.
        sleep(Duration::from_millis(50));
    }
    running.wait().code()
}

/// An interrupted run has a checkpoint, no model, and can be resumed.
#[track_caller]
fn check_goes_on(place: &Place, run: &str) {
    let folder = place.path().join(run);
    assert!(!folder.join("model.safetensors").exists());
    let checkpoint = TensorFile::read(folder.join("checkpoint.safetensors")).expect("a checkpoint");
    let state = match &checkpoint.get("state").expect("a state").data {
        TensorData::U32(words) => StepState::from_words(words).expect("six words"),
        TensorData::F32(_) | TensorData::I32(_) => panic!("the state is of words"),
    };
    let words = format!("--max-steps {}", state.step + 2);
    let resumed = place.resume(run, &words).succeed();
    assert!(!resumed.stderr.contains("restarts"), "{resumed}");
    assert!(folder.join("model.safetensors").exists());
}

#[test]
fn each_signal_saves_the_run_and_has_its_own_status() {
    let place = Place::new();
    for (signal, status) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
        let code = end_with(&[signal], &place, signal);
        assert_eq!(code, Some(status), "SIG{signal}");
        check_goes_on(&place, signal);
    }
}

/// Shell, system and service manager may each send one.
#[test]
fn a_terminal_that_closes_costs_no_checkpoint() {
    let place = Place::new();
    let code = end_with(&["HUP", "HUP", "TERM", "HUP"], &place, "run");
    // On a slow machine the last may come too late.
    assert!(matches!(code, Some(129 | 143)), "{code:?}");
    check_goes_on(&place, "run");
}

#[test]
fn nohup_keeps_training_alive() {
    let place = Place::new();
    let run = place.path().join("run");
    let mut running = place
        .start("run", "--epochs 2 --no-images -q --inject slow-disk=500")
        .in_shell("trap '' HUP; exec \"$0\" \"$@\"")
        .spawn();
    assert!(running.wait_until(|| run.join("metrics.jsonl").exists()));
    running.signal("HUP");
    assert_eq!(running.wait().code(), Some(0));
    assert!(run.join("model.safetensors").exists());
}

/// The program ends at once with the status of Ctrl-C, without a run folder.
#[track_caller]
fn check_ends_at_once(mut running: Running, place: &Place) {
    running.signal("INT");
    let start = Instant::now();
    while !running.has_ended() {
        assert!(start.elapsed() < Duration::from_secs(15), "it still runs");
        sleep(Duration::from_millis(10));
    }
    assert_eq!(running.wait().code(), Some(130));
    assert!(!place.path().join("run").exists());
}

#[test]
fn a_signal_while_data_are_downloaded_stops_at_once() {
    let place = Place::new();
    let server = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", server.local_addr().expect("an address"));
    let cache = place.path().join("cache");
    let running = place
        .train("--data fashion-mnist --out run -q")
        .env("CVAE_GPU_MIRROR", &address)
        .env("CVAE_GPU_CACHE", &cache.display().to_string())
        .spawn();
    // The server takes the request and never answers.
    let (mut request, _) = server.accept().expect("a request");
    request.read_exact(&mut [0]).expect("a byte");
    check_ends_at_once(running, &place);
    // The temporary file blocks nothing, and the next attempt removes it.
    drop(server);
    let cli = place.train("--data fashion-mnist --out run -q");
    let cli = cli.env("CVAE_GPU_CACHE", &cache.display().to_string());
    cli.fail(1, &["fashion-mnist"]);
    let left = fs::read_dir(cache.join("fashion-mnist")).expect("the folder");
    assert_eq!(left.count(), 0);
}

#[test]
fn a_signal_while_images_are_decoded_stops_at_once() {
    let place = Place::new();
    let photos = place.path().join("photos");
    fs::create_dir(&photos).expect("a new folder");
    // Each image takes some milliseconds, all of them take minutes.
    let first = photos.join("0.png");
    let picture = image::RgbImage::from_fn(1000, 1000, |x, y| image::Rgb([x as u8, y as u8, 9]));
    picture.save(&first).expect("a picture");
    for i in 1..10_000 {
        fs::hard_link(&first, photos.join(format!("{i}.png"))).expect("a link");
    }
    let running = place.train("--data photos --size 28 --out run -q").spawn();
    // The program handles signals by then, and has many images left.
    sleep(Duration::from_secs(2));
    check_ends_at_once(running, &place);
}

#[test]
fn a_reader_that_goes_away_ends_training_with_a_checkpoint() {
    let place = Place::new();
    let words = format!("{ENDLESS} --json");
    let (mut running, stdout) = place.start("run", &words).spawn_heard();
    let mut lines = BufReader::new(stdout).lines();
    let first = lines.next().expect("a line").expect("UTF-8");
    assert!(first.contains("\"started\""), "{first}");
    drop(lines);
    assert_eq!(running.wait().code(), Some(141));
    check_goes_on(&place, "run");
}

#[test]
fn a_reader_that_goes_away_hears_no_error() {
    let place = Place::new();
    let script = "\"$0\" \"$@\" | head -n 1";
    let words = "--epochs 100000 --no-images -q --json";
    let said = place.start("run", words).in_shell(script).run();
    assert_eq!(said.stderr, "", "{said}");
    assert_eq!(said.stdout.lines().count(), 1, "{said}");
    check_goes_on(&place, "run");
}

/// `/dev/full` is a disk on which nothing can be written.
#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error_after_a_checkpoint() {
    let place = Place::new();
    let words = "--epochs 100000 --no-images -q --json";
    let cli = place.start("run", words);
    let failed = cli.in_shell("exec \"$0\" \"$@\" > /dev/full");
    failed.fail(1, &["standard output", "saved"]);
    check_goes_on(&place, "run");
}
