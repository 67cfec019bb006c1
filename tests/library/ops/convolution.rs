//! Sizes and twins of convolutions.

use cvae_gpu::ops::conv::{Conv, Padding};

#[test]
fn sizes_follow_tensorflow() {
    let valid = |n| Conv::new([n, n, 1], 8, 3, 2, Padding::Valid).small[0];
    assert_eq!([28, 13, 32, 15].map(valid), [13, 6, 15, 7]);
    let same = Conv::new([28, 28, 32], 64, 3, 2, Padding::Same);
    assert_eq!((same.small, same.pad), ([14, 14, 64], [0, 0]));
    let unit = Conv::new([28, 28, 1], 32, 3, 1, Padding::Same);
    assert_eq!((unit.small, unit.pad), ([28, 28, 32], [1, 1]));
}

#[test]
fn correlate_and_adjoint_are_transposes() {
    for (size, kernel, stride) in [(7, 3, 2), (8, 5, 1), (5, 3, 1), (9, 5, 2)] {
        for padding in [Padding::Valid, Padding::Same] {
            let spec = Conv::new([size, size + 1, 2], 3, kernel, stride, padding);
            let wave = |n: usize, f: f64| (0..n).map(|i| (f * i as f64).sin()).collect::<Vec<_>>();
            let big = wave(2 * spec.big.iter().product::<usize>(), 0.37);
            let small = wave(2 * spec.small.iter().product::<usize>(), 0.73);
            let weights = wave(spec.weights(), 1.91);
            let (mut forth, mut back) = (vec![0.0; small.len()], vec![0.0; big.len()]);
            spec.correlate(2, &big, &weights, &mut forth);
            spec.adjoint(2, &small, &weights, &mut back);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
            let (left, right) = (dot(&forth, &small), dot(&big, &back));
            assert!(
                (left - right).abs() < 1e-10 * left.abs().max(1.0),
                "{spec:?}: {left} {right}"
            );
            let mut partials = vec![0.0; 3 * weights.len()];
            spec.weight_grad(2, 3, &big, &small, &mut partials);
            let along: f64 = (0..3)
                .map(|s| dot(&partials[s * weights.len()..][..weights.len()], &weights))
                .sum();
            assert!(
                (left - along).abs() < 1e-10 * left.abs().max(1.0),
                "{spec:?}"
            );
        }
    }
}

// Tap by tap, so that a wrong padding or order shows.
#[test]
fn a_turned_convolution_gives_the_same_sums() {
    for (size, kernel, padding) in [
        ([7, 8, 3], 5, Padding::Same),
        ([6, 9, 2], 4, Padding::Same),
        ([8, 5, 4], 3, Padding::Valid),
        ([4, 4, 1], 1, Padding::Valid),
    ] {
        let spec = Conv::new(size, 1, kernel, 1, padding);
        let turned = spec.turned().expect("one channel, stride 1");
        assert_eq!((turned.big, turned.small), (spec.small, spec.big));
        assert_eq!(turned.turned(), Some(spec));
        let wave = |n: usize, f: f64| {
            (0..n)
                .map(|i| (f * (i + 1) as f64).sin())
                .collect::<Vec<_>>()
        };
        let big = wave(2 * spec.big.iter().product::<usize>(), 0.37);
        let small = wave(2 * spec.small.iter().product::<usize>(), 0.73);
        let weights = wave(spec.weights(), 1.91);
        let close = |a: &[f64], b: &[f64]| {
            let largest = a.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
            assert!(largest > 0.1, "{spec:?}");
            assert!(
                a.iter()
                    .zip(b)
                    .all(|(a, b)| (a - b).abs() < 1e-12 * largest),
                "{spec:?}: {a:?} {b:?}"
            );
        };
        let (mut one, mut other) = (vec![0.0; small.len()], vec![0.0; small.len()]);
        spec.correlate(2, &big, &weights, &mut one);
        turned.adjoint(2, &big, &weights, &mut other);
        close(&one, &other);
        let (mut one, mut other) = (vec![0.0; big.len()], vec![0.0; big.len()]);
        spec.adjoint(2, &small, &weights, &mut one);
        turned.correlate(2, &small, &weights, &mut other);
        close(&one, &other);
        let (mut one, mut other) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
        spec.weight_grad(2, 1, &big, &small, &mut one);
        turned.weight_grad(2, 1, &small, &big, &mut other);
        close(&one, &other);
    }
    for (big, channels, stride) in [([8, 8, 2], 2, 1), ([8, 8, 2], 1, 2)] {
        let spec = Conv::new(big, channels, 3, stride, Padding::Same);
        assert_eq!(spec.turned(), None, "{spec:?}");
    }
}
