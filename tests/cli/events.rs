//! TensorBoard's event file of a run.

use cvae_gpu::run::tensorboard::{Entry, NAME, Value, entries};

use super::resume::Place;
use super::train::REFERENCE;

/// The entries of an event file without times.
pub fn timeless(content: &[u8]) -> Vec<Entry> {
    let all: Vec<(Entry, usize)> = entries(content).collect();
    assert_eq!(all.last().map(|(_, end)| *end), Some(content.len()));
    let timeless = |(mut entry, _): (Entry, usize)| {
        assert!(entry.wall_time > 1.7e9, "{}", entry.wall_time);
        entry.wall_time = 0.0;
        if let Some(summary) = &mut entry.summary {
            let measured = |value: &Value| value.tag == "train/images_per_second";
            summary.values.retain(|value| !measured(value));
        }
        entry
    };
    all.into_iter().map(timeless).collect()
}

/// The values of an entry.
fn values(entry: &Entry) -> &[Value] {
    assert_eq!(entry.file_version, None);
    &entry.summary.as_ref().expect("values").values
}

#[test]
fn the_event_file_holds_the_metrics_and_pictures_of_each_epoch() {
    let all = timeless(&REFERENCE.files[NAME]);
    assert_eq!(all[0].file_version.as_deref(), Some("brain.Event:2"));
    assert_eq!(all[0].summary, None);
    let lines = REFERENCE.lines("metrics.jsonl");
    assert_eq!(all.len(), 1 + 2 * lines.len());
    for (epoch, (line, pair)) in lines.iter().zip(all[1..].chunks(2)).enumerate() {
        assert!(pair.iter().all(|entry| entry.step == 14 * epoch as i64));
        let mut expected = vec![
            ("test/elbo", "test_elbo"),
            ("test/reconstruction", "reconstruction"),
            ("test/kl", "kl"),
        ];
        if epoch > 0 {
            expected.push(("train/loss", "train_loss"));
        }
        expected.push(("train/learning_rate", "learning_rate"));
        expected.push(("train/beta", "beta"));
        let numbers = expected.iter().map(|(tag, key)| Value {
            tag: (*tag).into(),
            number: Some(line[key].as_f64().expect(key) as f32),
            picture: None,
        });
        assert_eq!(values(&pair[0]), numbers.collect::<Vec<_>>());
        let [picture] = values(&pair[1]) else {
            panic!("{:?}", pair[1]);
        };
        assert_eq!(picture.tag, "reconstructions");
        let Some(picture) = &picture.picture else {
            panic!("no picture in epoch {epoch}");
        };
        assert_eq!((picture.width, picture.height), (400, 400));
        let name = format!("image_at_epoch_000{epoch}.png");
        assert!(picture.encoded == REFERENCE.files[&name], "not {name}");
    }
}

#[test]
fn a_run_without_its_event_file_goes_on_with_a_new_one() {
    let place = Place::new();
    let words = "--epochs 2 --max-steps 14 --no-images";
    place.start("run", words).succeed();
    std::fs::remove_file(place.path().join("run").join(NAME)).expect("a file");
    place.resume("run", "--max-steps 28").succeed();
    let found = timeless(&place.files("run")[NAME]);
    let steps: Vec<i64> = found.iter().map(|entry| entry.step).collect();
    assert_eq!(steps, [0, 28]);
}
