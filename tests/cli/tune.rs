//! `bench --tune`: its candidates, and the use of its choice.

use std::fs;

use serde_json::{Value, json};

use super::program::Cli;
use super::resume::{Place, SMALL};

fn config(place: &Place, run: &str) -> Value {
    let text = fs::read(place.path().join(run).join("config.json")).expect("config.json");
    serde_json::from_slice(&text).expect("JSON")
}

#[test]
fn what_is_found_is_kept_for_runs_which_keep_it() {
    let place = Place::new();
    let cache = place.path().join("cache");
    let tuning = |words: &str| {
        let cli = Cli::new(words).with(SMALL).on_adapter();
        let cli = cli.within(place.path());
        cli.env("CVAE_GPU_CACHE", &cache.to_string_lossy())
    };
    let words = "bench --tune --steps 1 --repeats 1 --json --disable texels";
    let bench = tuning(words).succeed();
    let found = &bench.json()["tuning"];
    let candidates = found["candidates"].as_array().expect("candidates");
    assert!((2..=30).contains(&candidates.len()), "{bench}");
    for candidate in candidates {
        let ms = candidate["ms_per_step"].as_f64();
        assert!(ms.is_some_and(|ms| ms > 0.0), "{candidate} in {bench}");
    }
    let choice = |of: &Value| ["variant", "texels", "groups"].map(|key| of[key].clone());
    let chosen = choice(&found["choice"]);
    assert!(candidates.iter().any(|c| choice(c) == chosen), "{bench}");

    let mut files = fs::read_dir(cache.join("tuned")).expect("a folder");
    let file = files.next().expect("a file").expect("an entry").path();
    assert!(bench.stderr.contains(&*file.to_string_lossy()), "{bench}");
    let mut kept: Value = serde_json::from_slice(&fs::read(&file).expect("a file")).expect("JSON");
    assert_eq!(kept["choice"], found["choice"]);

    // A choice that is no adapter's default, so that its use is visible.
    kept["choice"] = json!({"variant": "plain", "texels": false, "groups": 16});
    fs::write(&file, kept.to_string()).expect("a file");
    let words = "train --data idx --max-steps 2 --no-images --out";
    let tuned = tuning(&format!("{words} tuned")).succeed();
    assert!(
        tuned.stderr.contains("plain, buffers, 16 groups"),
        "{tuned}"
    );
    assert!(tuned.stderr.contains("kernels conv\n"), "{tuned}");
    let device = &config(&place, "tuned")["device"];
    for (key, value) in [("variant", json!("plain")), ("groups", json!(16))] {
        assert_eq!(device[key], value, "{device}");
    }
    let untuned = tuning(&format!("{words} untuned --untuned")).succeed();
    assert!(!untuned.stderr.contains("--tune"), "{untuned}");
    assert_eq!(config(&place, "untuned")["device"]["groups"], Value::Null);

    // A resumed run keeps its own choice.
    fs::remove_file(&file).expect("a file");
    let on = place.resume("tuned", "--max-steps 4").succeed();
    assert!(on.stderr.contains("kernels conv\n"), "{on}");
    assert!(!on.stderr.contains("bit for bit"), "{on}");
}
