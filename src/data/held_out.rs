//! Which images of a set are held out of training.

/// Which of `count` images are held out: one of every 1/`fraction` consecutive ones, so that both
/// parts have images of each class even where images are sorted. `None` where there are too few.
pub(super) fn held_out(count: usize, fraction: f64) -> Option<impl Fn(usize) -> bool> {
    let held = ((count as f64 * fraction).round() as usize).max(1);
    // The number of images held out up to `i` rises by one at each of them.
    let share = move |i: usize| (i as u128 * held as u128 / count as u128) as usize;
    (held < count).then_some(move |i| share(i + 1) > share(i))
}
