//! The training objective: the weight of the KL term, and stochastic or real-valued images.

use std::fs;

use cvae_gpu::data::{Binarize, ImageSet, PackedImages, Split, packed};
use cvae_gpu::files::tensors::TensorFile;
use cvae_gpu::rng;
use serde_json::Value;

use super::data::SMALL;
use super::program::Cli;
use super::resume::Place;

/// The configuration in the model file of a run.
fn config(place: &Place, run: &str) -> Value {
    let path = place.path().join(run).join("model.safetensors");
    let file = TensorFile::read(&path).expect("a model");
    serde_json::from_str(&file.metadata["config"]).expect("JSON")
}

/// The last line of a run's metrics.
fn last_line(place: &Place, run: &str) -> Value {
    let text = place.files(run).remove("metrics.jsonl").expect("metrics");
    let text = String::from_utf8(text).expect("UTF-8");
    serde_json::from_str(text.lines().last().expect("a line")).expect("JSON")
}

/// A command on the model of a run.
fn on(place: &Place, run: &str, words: &str) -> Cli {
    let cli = Cli::new(words).with("--model").with(run);
    cli.on_adapter().within(place.path())
}

#[test]
fn a_run_on_drawn_images_in_pieces_has_the_files_of_a_run_in_one() {
    let place = Place::new();
    let words = "--binarize stochastic --kl analytic --beta 4 --epochs 2";
    place.start("whole", words).succeed();
    // In the middle of each epoch of 14 steps.
    place
        .start("parts", &format!("{words} --max-steps 5"))
        .succeed();
    place.resume("parts", "--max-steps 20").succeed();
    place.resume("parts", "--max-steps 1000").succeed();
    place.check_same("parts", "whole");
    let config = config(&place, "whole");
    assert_eq!(config["binarize"], "stochastic");
    assert_eq!(config["beta"], 4.0);
    for (words, expected) in [
        ("--beta 1", ["--beta", "4"]),
        ("--binarize none", ["--binarize", "stochastic"]),
    ] {
        place.resume("parts", words).fail(1, &expected);
    }
    place
        .resume("parts", "--beta 4 --binarize stochastic")
        .succeed();

    // The commands draw the images that training evaluated, whatever the seed of the noise.
    let encode = |words: &str| {
        let words = format!("encode --out codes.npy --data idx {words}");
        on(&place, "whole", &words).succeed();
        fs::read(place.path().join("codes.npy")).expect("codes")
    };
    let codes = encode("--beta 4 --binarize stochastic");
    assert!(codes == encode("--seed 8 --batch 7"));
    let refused = on(&place, "whole", "eval --data mnist");
    refused.fail(1, &["`mnist`", "bits", "--data"]);
    let other = on(&place, "whole", "eval --data idx --binarize threshold");
    other.fail(1, &["--binarize threshold", "trained with stochastic"]);
    let other = on(&place, "whole", "eval --data idx --beta 1");
    other.fail(1, &["--beta 1", "trained with 4"]);
}

#[test]
fn the_weight_shapes_the_model_and_the_loss_but_no_figure_of_the_elbo() {
    let place = Place::new();
    let words = "--epochs 1 --max-steps 1 --no-images --lr 1e-30";
    // Constant weights give the same ELBO.
    for (run, beta) in [("zero", 0.0), ("one", 1.0), ("four", 4.0)] {
        place
            .start(run, &format!("{words} --beta {beta}"))
            .succeed();
    }
    let [zero, one, four] = ["zero", "one", "four"].map(|run| last_line(&place, run));
    for key in ["test_elbo", "reconstruction", "kl"] {
        assert_eq!(zero[key], one[key], "{key}");
        assert_eq!(four[key], one[key], "{key}");
    }
    let loss = |line: &Value| line["train_loss"].as_f64().expect("a loss");
    let divergence = loss(&one) - loss(&zero);
    assert!(divergence.abs() > 1e-3, "{divergence}");
    let expected = loss(&zero) + 4.0 * divergence;
    assert!((loss(&four) - expected).abs() < 1e-3, "{}", loss(&four));
    // A model file omits a weight of 1.
    assert_eq!(config(&place, "one").get("beta"), None);
    assert_eq!(config(&place, "zero")["beta"], 0.0);

    let words = "--epochs 1 --no-images --lr 1e-2 --beta";
    place.start("tied", &format!("{words} 100")).succeed();
    place.start("free", &format!("{words} 0")).succeed();
    let kl = |run| last_line(&place, run)["kl"].as_f64().expect("a divergence");
    assert!(kl("tied") < kl("free"), "{} {}", kl("tied"), kl("free"));
}

#[test]
fn images_of_bits_cannot_be_drawn() {
    let place = Place::new();
    let cli = place.train("--binarize stochastic --out run");
    let words = ["`mnist`", "stored as bits", "--data", "IDX"];
    cli.fail(1, &words);
    assert!(!place.path().join("run").exists());
}

/// Writes a packed set of real-valued images.
fn write_real(place: &Place, name: &str, shape: [usize; 3]) {
    let split = |count: usize| {
        let values = count * shape.iter().product::<usize>();
        let pixels: Vec<u8> = (0..values).map(|i| (i * 31 % 256) as u8).collect();
        Split {
            images: PackedImages::from_bytes(shape, &pixels, Binarize::None),
            labels: None,
            names: None,
        }
    };
    let set = ImageSet::new(name, split(32), split(8));
    let bytes = packed::write(&set, &packed::Provenance::default()).expect("a set");
    fs::write(place.path().join(name), bytes).expect("a file");
}

#[test]
fn real_values_of_one_channel_and_of_three_go_through_every_command() {
    let place = Place::new();
    write_real(&place, "grey", [16, 16, 1]);
    write_real(&place, "colour", [16, 16, 3]);
    // Colours keep their values by default.
    for (name, words, binarize) in [
        ("grey", "--binarize none --likelihood bernoulli", "none"),
        ("colour", "--likelihood bernoulli", "none"),
        ("colour", "--binarize stochastic", "stochastic"),
    ] {
        let run = format!("{name}-{binarize}");
        let options = format!("{SMALL} --max-steps 3 --no-images {words}");
        let words = format!("--data {name} --out {run} {options}");
        let trained = place.train(&words).succeed();
        assert_eq!(config(&place, &run)["binarize"], binarize, "{run}");
        let command = |words: &str| {
            let words = format!("{words} --data {name} --variant plain");
            on(&place, &run, &words).succeed()
        };
        let said = command("eval --json").json();
        let score = command("score --out each.csv");
        // A Bernoulli is a probability for 0 and 1 only.
        let is_real = binarize == "none";
        let bounds = said.get("bounds_log_px");
        assert_eq!(bounds, is_real.then_some(&Value::Bool(false)), "{run}");
        for outcome in [&trained, &score] {
            let cautions = outcome.stderr.matches("no bound on log p(x)").count();
            assert_eq!(cautions, usize::from(is_real), "{outcome}");
        }
        let table = fs::read_to_string(place.path().join("each.csv")).expect("a table");
        let elbo = |line: &str| line.split(',').nth(2).map(str::parse::<f64>);
        let elbos: Vec<f64> = (table.lines().skip(1))
            .map(|line| elbo(line).expect("a column").expect("a number"))
            .collect();
        let mean = elbos.iter().sum::<f64>() / elbos.len() as f64;
        assert_eq!(elbos.len(), 8);
        assert!((mean - said["elbo"].as_f64().expect("an ELBO")).abs() < 1e-3);
        command("reconstruct --out pairs.png");
        let pairs = fs::read(place.path().join("pairs.png")).expect("a file");
        let pairs = image::load_from_memory(&pairs).expect("a picture");
        // The second pixel of the first original, enlarged to 4×4 pixels, behind a margin of 2.
        let pixel = pairs.into_rgb8().get_pixel(7, 2).0;
        match &*run {
            "grey-none" => assert_eq!(pixel, [31; 3]),
            "colour-none" => assert_eq!(pixel, [93, 124, 155]),
            _ => assert!(pixel.iter().all(|v| [0, 255].contains(v)), "{pixel:?}"),
        }
    }
}

#[test]
fn the_elbo_of_real_values_is_never_called_a_bound() {
    let place = Place::new();
    write_real(&place, "grey", [16, 16, 1]);
    let words = "--data grey --max-steps 1 --no-images --binarize";
    for (binarize, cautions) in [("none", 1), ("threshold", 0)] {
        let words = format!("{words} {binarize} --out {binarize} {SMALL} --likelihood bernoulli");
        place.train(&words).succeed();
        let said = on(&place, binarize, "eval --samples 2").succeed().stdout;
        let found = said.matches("no bound on log p(x)").count();
        assert_eq!(found, cautions, "{said}");
    }
    for command in ["train", "eval", "score"] {
        let help = Cli::new(command).with("--help").succeed().stdout;
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for words in ["no bound on log p(x)", "real"] {
            assert!(help.to_lowercase().contains(words), "{command}: no {words}");
        }
    }
    let readme = include_str!("../../README.md");
    assert!(readme.contains("no bound on log p(x)"));
}

#[test]
fn real_values_have_a_gaussian_of_learned_width_by_default() {
    let place = Place::new();
    write_real(&place, "grey", [16, 16, 1]);
    let words = format!("--data grey --max-steps 3 --no-images --lr 0.05 {SMALL}");
    let said = place.train(&format!("{words} --out run")).succeed();
    assert!(
        said.stderr.contains("Taking --likelihood gaussian"),
        "{said}"
    );
    assert!(!said.stderr.contains("no bound"), "{said}");
    assert_eq!(config(&place, "run")["arch"]["likelihood"], "gaussian");
    let line = last_line(&place, "run");
    let sigma = line["sigma"].as_f64().expect("a number");
    let file = TensorFile::read(place.path().join("run/model.safetensors")).expect("a model");
    let logs = file.get_f32("decoder.log_sigma", &[1]).expect("a tensor");
    assert!((f64::from(logs[0]).exp() - sigma).abs() < 1e-6, "{sigma}");
    assert!(sigma < 1.0, "{sigma}");
    place.resume("run", "--max-steps 4").succeed();
    // Whoever chooses a likelihood, or bits, gets that.
    for words in ["--likelihood bernoulli", "--binarize threshold"] {
        let out = words.rsplit(' ').next().expect("a word");
        let words = format!("--data grey --max-steps 1 --no-images {SMALL} {words} --out {out}");
        let said = place.train(&words).succeed();
        assert!(!said.stderr.contains("Taking --likelihood"), "{said}");
    }
}

/// Images without structure: each value is drawn independently.
fn write_noise(place: &Place) {
    let split = |count: usize, seed: u64| {
        let drawn = rng::uniform(count * 28 * 28, 127.5, 0, rng::key(seed));
        let pixels: Vec<u8> = drawn.into_iter().map(|v| (v + 127.5) as u8).collect();
        PackedImages::from_bytes([28, 28, 1], &pixels, Binarize::Threshold)
    };
    let set = ImageSet::unlabelled("noise", split(64, 1), split(32, 2));
    let bytes = packed::write(&set, &packed::Provenance::default()).expect("a set");
    fs::write(place.path().join("noise"), bytes).expect("a file");
}

#[test]
fn a_model_of_noise_is_warned_of_though_it_has_trained_for_few_steps() {
    let place = Place::new();
    write_noise(&place);
    // Eight steps per epoch.
    let words = "--data noise --beta 100 --lr 1e-3 --epochs 8 --no-images --eval-every 8";
    let train = |words: &str| place.train(words).succeed();
    let whole = train(&format!("{words} {SMALL} --out whole"));
    assert_eq!(
        whole.stderr.matches("learned nothing").count(),
        1,
        "{whole}"
    );
    // A resumed run knows the ELBO of its start.
    let first = train(&format!("{words} {SMALL} --out parts --max-steps 40"));
    assert!(!first.stderr.contains("warning"), "{first}");
    let second = place.resume("parts", "--max-steps 64").succeed();
    assert!(second.stderr.contains("learned nothing"), "{second}");
    // Images with structure give no warning after as many steps.
    let boxes = place.start("boxes", "--epochs 5 --no-images --eval-every 5");
    let boxes = boxes.succeed();
    assert!(!boxes.stderr.contains("warning"), "{boxes}");
}
