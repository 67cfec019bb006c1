//! A pass in batches of equal size and a smaller last one.

use cvae_gpu::plan::Batches;

#[test]
fn every_item_is_in_one_batch() {
    for (count, batch, sizes) in [
        (10, 7, &[7, 3][..]),
        (10, 5, &[5, 5]),
        (3, 8, &[3]),
        (1, 1, &[1]),
    ] {
        let pass = Batches::new(count, batch, |size| size);
        let found: Vec<usize> = (0..pass.len()).map(|i| *pass.at(i)).collect();
        assert_eq!(found, sizes);
        assert!((0..pass.len()).all(|i| pass.size(i) == sizes[i]));
        let runs: usize = pass.runs(0, pass.len()).map(|(size, n)| size * n).sum();
        assert_eq!(runs, count);
    }
}

#[test]
fn runs_end_with_the_tail() {
    let pass = Batches::new(23, 5, |size| size);
    let runs = |first, count| pass.runs(first, count).collect::<Vec<_>>();
    assert_eq!(runs(0, 2), [(&5, 2)]);
    assert_eq!(runs(2, 3), [(&5, 2), (&3, 1)]);
    assert_eq!(runs(4, 1), [(&5, 0), (&3, 1)]);
}
