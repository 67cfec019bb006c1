//! Curves and the legend of scatter plots.

use cvae_gpu::render::{Curve, Points, curves, scatter};
use image::RgbImage;

/// Place and size of the plot of curves in pixels.
const LEFT: usize = 100;
const TOP: usize = 50;
const SIZE: [usize; 2] = [800, 480];

/// The first two colours of the palette.
const PALETTE: [[u8; 3]; 2] = [[31, 119, 180], [255, 127, 14]];

fn curve(points: &[[f64; 2]]) -> Curve {
    Curve {
        name: "test ELBO".into(),
        points: points.to_vec(),
    }
}

/// Pixels of a curve's colour in the plot.
fn drawn(picture: &RgbImage, index: usize) -> Vec<[usize; 2]> {
    let rows = TOP..TOP + SIZE[1];
    let pixels = picture.enumerate_pixels();
    let pixels = pixels.filter(|(_, _, pixel)| pixel.0 == PALETTE[index]);
    let places = pixels.map(|(x, y, _)| [x as usize, y as usize]);
    places.filter(|[_, y]| rows.contains(y)).collect()
}

#[test]
fn curves_rise_to_the_right_through_all_their_columns() {
    let points: Vec<[f64; 2]> = (1..=8)
        .map(|i| [f64::from(i), -200.0 + f64::from(i)])
        .collect();
    let picture = curves(&[curve(&points)], "nats per image");
    let pixels = drawn(&picture, 0);
    let height = |x: usize| {
        let rows = pixels.iter().filter(|at| at[0] == x).map(|at| at[1]);
        let rows: Vec<usize> = rows.collect();
        rows.iter().sum::<usize>() as f64 / rows.len() as f64
    };
    let columns: Vec<f64> = (LEFT + 150..LEFT + SIZE[0] - 60).map(height).collect();
    assert!(columns.iter().all(|y| y.is_finite()), "a gap");
    // Seven nats over seven epochs: a straight line that rises by 86 % of the height.
    let slope = (columns[0] - columns[500]) / 500.0;
    let wanted = (480.0 / 1.16) / (800.0 / 1.06);
    assert!((slope - wanted).abs() < 0.01, "{slope} for {wanted}");
}

#[test]
fn the_untrained_model_does_not_flatten_the_rest() {
    let rest: Vec<[f64; 2]> = (1..6)
        .map(|i| [f64::from(i), -180.0 + f64::from(i)])
        .collect();
    let all = [&[[0.0, -543.0]], &rest[..]].concat();
    let rows = |points: &[[f64; 2]]| {
        let pixels = drawn(&curves(&[curve(points)], "nats per image"), 0);
        let rows = pixels.iter().map(|at| at[1]);
        rows.clone().max().unwrap() - rows.min().unwrap()
    };
    assert!(rows(&rest) > 250 && rows(&all) >= rows(&rest));
    // Outside the plot only the disc of the legend has this colour.
    let picture = curves(&[curve(&all)], "nats per image");
    let blue = picture.pixels().filter(|p| p.0 == PALETTE[0]).count();
    let legend = blue - drawn(&picture, 0).len();
    // The fully covered pixels of a disc of radius 6: those within 5.5.
    assert_eq!(legend, 97);
    // A single epoch is shown together with the untrained model.
    assert!(rows(&all[..2]) > 350);
}

#[test]
fn any_points_make_a_picture() {
    for points in [
        &[][..],
        &[[0.0, -543.0]],
        &[[0.0, f64::NAN], [1.0, -200.0]],
        &[[0.0, -1e300], [1.0, 1e300], [2.0, f64::INFINITY]],
    ] {
        let both = [curve(points), curve(points)];
        assert_eq!(curves(&both, "nats per image").dimensions(), (930, 610));
    }
}

#[test]
fn without_labels_there_is_no_legend_and_with_many_it_has_columns() {
    let points = |labels| Points {
        at: &[[0.0, 0.0]; 60],
        labels,
        classes: &[],
        axes: ["z[0]", "z[1]"],
    };
    let plain = scatter(&points(None)).width() as usize;
    let labels: Vec<u32> = (0..60).collect();
    let many = scatter(&points(Some(&labels))).width() as usize;
    assert_eq!((plain, many - plain), (LEFT + 800 + 30, 3 * 110));
}
