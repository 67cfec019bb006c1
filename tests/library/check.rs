//! Comparisons of tensors.

use cvae_gpu::check::compare::compare;
use cvae_gpu::check::{Limit, Row};

fn row(computed: &[f64], expected: &[f64], limit: Limit) -> Row {
    compare("t", &[computed.len()], computed, expected, limit)
}

#[test]
fn each_limit_measures_what_it_says() {
    let (a, b) = ([1.0, 2.0, -8.0], [1.0, 2.5, -8.0]);
    for (limit, found, allowed) in [
        (Limit::OfLargest(0.1), 0.5 / 8.0, 0.1),
        (Limit::OfNorm(0.1), 0.5 / (1.0f64 + 6.25 + 64.0).sqrt(), 0.1),
        (Limit::Exact, 0.5, 0.0),
    ] {
        let row = row(&a, &b, limit);
        assert!((row.found - found).abs() < 1e-15, "{row:?}");
        assert!((row.limit - allowed).abs() < 1e-15, "{row:?}");
        assert_eq!((row.worst.as_slice(), row.expected), (&[1][..], 2.5));
        assert_eq!(row.ok(), found <= allowed, "{row:?}");
    }
    let spread = Limit::Spread {
        share: 0.05,
        absolute: 0.2,
    };
    let row = row(&a, &b, spread);
    assert!(row.ok() && (row.limit - 0.6).abs() < 1e-15, "{row:?}");
}

#[test]
fn numbers_below_the_smallest_normal_one_may_be_flushed_but_no_others() {
    for limit in [Limit::OfLargest(1e-6), Limit::OfNorm(1e-6)] {
        assert!(row(&[0.0; 4], &[1e-39; 4], limit).ok());
        assert!(!row(&[0.0; 4], &[1e-37; 4], limit).ok());
        assert!(row(&[0.0; 4], &[0.0; 4], limit).ok());
        assert!(!row(&[1e-30, 0.0], &[0.0, 0.0], limit).ok());
    }
}

#[test]
fn what_is_not_a_number_is_off_unless_neither_side_wrote_it() {
    let nan = f64::NAN;
    for limit in [
        Limit::OfLargest(0.1),
        Limit::OfNorm(0.1),
        Limit::Ulps(4.0),
        Limit::Exact,
    ] {
        assert!(row(&[1.0, nan], &[1.0, nan], limit).ok());
        assert!(!row(&[1.0, nan], &[1.0, 2.0], limit).ok());
        assert!(!row(&[1.0, 2.0], &[1.0, nan], limit).ok());
        assert!(!row(&[nan, nan], &[nan, nan], limit).ok());
        assert!(!row(&[f64::INFINITY], &[1.0], limit).ok());
    }
}

#[test]
fn the_worst_index_has_a_number_per_axis() {
    let mut off = vec![0.0; 24];
    off[17] = 1.0;
    let row = compare("t", &[2, 3, 4], &off, &[0.0; 24], Limit::Exact);
    assert_eq!(row.worst, [1, 1, 1]);
}
