//! Random numbers: published answers, and statistics.

use cvae_gpu::rng::{Stream, bernoulli, key, normals, permute, philox};

// From kat_vectors of Random123 1.14.
#[test]
fn philox_gives_the_published_answers() {
    let all = u32::MAX;
    assert_eq!(
        philox([0; 4], [0; 2]),
        [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]
    );
    assert_eq!(
        philox([all; 4], [all; 2]),
        [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]
    );
    assert_eq!(
        philox(
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0]
        ),
        [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
    );
}

#[test]
fn every_count_is_permuted() {
    for count in [1, 2, 3, 5, 31, 64, 65, 1000, 60_000] {
        let mut seen = vec![false; count as usize];
        for at in 0..count {
            let to = permute(at, count, 7, key(3)) as usize;
            assert!(!seen[to], "{to} is hit twice for {count}");
            seen[to] = true;
        }
    }
}

#[test]
fn epochs_and_seeds_differ() {
    let order = |epoch, seed| {
        (0..100)
            .map(|i| permute(i, 60_000, epoch, key(seed)))
            .collect::<Vec<_>>()
    };
    assert_ne!(order(0, 1), order(1, 1));
    assert_ne!(order(0, 1), order(0, 2));
    assert_eq!(order(4, 2), order(4, 2));
}

// Bins of equal probability. The 0.1 % and 99.9 % quantiles of chi-square with 63 degrees of
// freedom are 34.6 and 103.4.
#[test]
fn normals_pass_chi_square_and_moments() {
    let draws: Vec<f64> = (0..50_000u32)
        .flat_map(|i| normals([i, 1, 2, 0], key(11)))
        .collect();
    let n = draws.len() as f64;
    let moment = |k: i32| draws.iter().map(|x| x.powi(k)).sum::<f64>() / n;
    for (k, expected, sd) in [
        (1, 0.0, 1.0),
        (2, 1.0, 2f64.sqrt()),
        (3, 0.0, 15f64.sqrt()),
        (4, 3.0, 96f64.sqrt()),
    ] {
        let error = (moment(k) - expected) / (sd / n.sqrt());
        assert!(
            error.abs() < 4.0,
            "moment {k} is off by {error} standard errors"
        );
    }
    let mut bins = [0u32; 64];
    for x in &draws {
        bins[((normal_cdf(*x) * 64.0) as usize).min(63)] += 1;
    }
    let expected = n / 64.0;
    let chi: f64 = bins
        .iter()
        .map(|&b| (f64::from(b) - expected).powi(2) / expected)
        .sum();
    assert!((34.6..103.4).contains(&chi), "chi-square {chi}");
}

// A count over n draws has the standard deviation √(p (1 − p) n). The squared deviations of 254
// bytes sum to a chi-square with 254 degrees of freedom, whose 0.1 % and 99.9 % quantiles are
// 189.0 and 329.4.
#[test]
fn a_byte_is_the_probability_of_a_one_over_many_epochs() {
    let epochs = 4096;
    let mut chi = 0.0;
    for block in 0..64u32 {
        let bytes = std::array::from_fn(|i| 4 * block as u8 + i as u8);
        let mut ones = [0u32; 4];
        for epoch in 0..epochs {
            let drawn = bernoulli(bytes, [block, 9, epoch, Stream::Pixels as u32], key(6));
            ones.iter_mut()
                .zip(drawn)
                .for_each(|(n, one)| *n += u32::from(one));
        }
        for (byte, ones) in bytes.into_iter().zip(ones) {
            let (p, n) = (f64::from(byte) / 255.0, f64::from(epochs));
            if byte == 0 || byte == 255 {
                assert_eq!(f64::from(ones), p * n, "byte {byte}");
                continue;
            }
            let off = (f64::from(ones) - p * n) / (p * (1.0 - p) * n).sqrt();
            assert!(
                off.abs() < 4.5,
                "byte {byte} is {off} standard deviations off"
            );
            chi += off * off;
        }
    }
    assert!((189.0..329.4).contains(&chi), "chi-square {chi}");
}

#[test]
fn draws_of_values_differ_by_image_epoch_stream_and_seed_and_by_nothing_else() {
    let grey = [128; 4];
    let draw = |image, epoch, stream: Stream, seed| -> Vec<bool> {
        let block = |b| bernoulli(grey, [b, image, epoch, stream as u32], key(seed));
        (0..16).flat_map(block).collect()
    };
    let one = draw(3, 2, Stream::Pixels, 1);
    assert_eq!(one, draw(3, 2, Stream::Pixels, 1));
    for other in [
        draw(4, 2, Stream::Pixels, 1),
        draw(3, 1, Stream::Pixels, 1),
        draw(3, 2, Stream::FixedPixels, 1),
        draw(3, 2, Stream::Pixels, 2),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn shuffled_positions_are_uniform() {
    // The positions of images 0..64 of 60 000 over 200 epochs, in 64 bins.
    let mut bins = [0u32; 64];
    for epoch in 0..200 {
        for at in 0..64 {
            bins[permute(at, 60_000, epoch, key(5)) as usize * 64 / 60_000] += 1;
        }
    }
    let expected = 200.0;
    let chi: f64 = bins
        .iter()
        .map(|&b| (f64::from(b) - expected).powi(2) / expected)
        .sum();
    assert!((34.6..103.4).contains(&chi), "chi-square {chi}");
}

// Abramowitz and Stegun 26.2.17; absolute error below 7.5e-8.
fn normal_cdf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * x.abs());
    let poly = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt() * poly;
    if x >= 0.0 { 1.0 - tail } else { tail }
}
