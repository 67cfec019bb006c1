//! The decoded images of a folder, kept in the cache.

use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Instant;

use cvae_gpu::data::{self, Binarize, Prepare, Progress};

use super::{Dice, allowed, damage, guarded, of_each};

/// Loads a folder beside damaged copies of what is kept of it: it is read, or the folder is decoded again.
pub fn damaged() {
    let root = tempfile::tempdir().expect("a folder");
    let (images, cache) = (root.path().join("images"), root.path().join("cache"));
    fs::create_dir(&images).expect("a folder");
    for i in 0..9 {
        let path = images.join(format!("{i}.pgm"));
        fs::write(path, b"P5 2 2 255\n0123").expect("a file");
    }
    // Folders of fewer bytes are not kept.
    let large = File::create(images.join("large")).expect("a file");
    large.set_len(4 << 20).expect("room");
    // SAFETY: the only test of this program runs on one thread here.
    unsafe { std::env::set_var("CVAE_GPU_CACHE", &cache) };
    let source = images.to_string_lossy().into_owned();
    let load = || {
        let mut is_kept = false;
        let mut listener = |progress: Progress<'_>| {
            if let Progress::Note(text) = progress {
                is_kept |= text.contains("come from the cache");
            }
        };
        let set = data::load_prepared(&source, Binarize::None, &Prepare::default(), &mut listener);
        let set = set
            .map_err(|e| e.to_string())
            .expect("the images are whole");
        assert_eq!((set.shape(), set.train.images.count()), ([2, 2, 1], 8));
        is_kept
    };
    assert!(!load() && load(), "the folder is not kept");
    let mut kept = fs::read_dir(cache.join("folders")).expect("the kept folder");
    let kept: PathBuf = kept.next().expect("a file").expect("a file").path();
    let whole = fs::read(&kept).expect("the file");
    let mut dice = Dice(whole.len() as u64);
    let (count, start, mut again) = (of_each(), Instant::now(), 0);
    for number in 0..count {
        let mut bytes = whole.clone();
        damage(&mut bytes, &mut dice);
        fs::write(&kept, &bytes).expect("a file");
        let read = |_: &[u8]| match load() {
            true => Ok(()),
            false => Err("it was decoded again".to_owned()),
        };
        let about = format!("kept folder {number}");
        let most = allowed(whole.len() + 2 * bytes.len());
        again += usize::from(guarded(&about, read, &bytes, most).is_err());
    }
    let took = start.elapsed().as_secs_f64();
    println!("kept folder: {again} of {count} decoded again, {took:.1} s");
    assert!(again > count / 4, "only {again} decoded again");
}
