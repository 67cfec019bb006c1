//! Grids, manifolds, PNG and GIF.

use cvae_gpu::render::{GridStyle, RenderError, Timing, UNIT, animate, grid, manifold, png_bytes};
use image::{Rgb, RgbImage};

/// Images edge to edge at their own size.
const SEAMLESS: GridStyle = GridStyle {
    cell: 0,
    gap: 0,
    stretch: true,
    range: UNIT,
};

/// The red levels of a picture, which are all there is to a grey one.
fn reds(picture: &RgbImage) -> Vec<u8> {
    picture.pixels().map(|pixel| pixel.0[0]).collect()
}

#[test]
fn sixteen_digits_fill_four_hundred_pixels() {
    let images: Vec<f32> = (0..16 * 784).map(|i| (i % 784) as f32).collect();
    let picture = grid(&images, [28, 28, 1], 4, GridStyle::default()).unwrap();
    assert_eq!(picture.dimensions(), (400, 400));
    // Each image is 84 pixels wide, with 8 white ones on each side.
    let row = [7, 8, 10, 91, 92, 108].map(|x| picture.get_pixel(x, 8).0[0]);
    assert_eq!(row, [255, 0, 0, 9, 255, 0]);
    let column = [7, 8, 10, 91, 92, 108].map(|y| picture.get_pixel(8, y).0[0]);
    assert_eq!(column, [255, 0, 0, 246, 255, 0]);
}

#[test]
fn each_cell_is_stretched_by_itself() {
    let images = [0.25, 0.5, 0.75, 0.25, 0.0, 0.25, 1.0, 0.5];
    let picture = grid(&images, [2, 2, 1], 2, SEAMLESS).unwrap();
    assert_eq!(reds(&picture), [0, 128, 0, 64, 255, 0, 255, 128]);
}

#[test]
fn a_constant_image_stays_black() {
    for value in [0.0, 0.5, 1.0, f32::NAN, f32::INFINITY] {
        let picture = grid(&[value; 6], [2, 3, 1], 1, SEAMLESS).unwrap();
        assert_eq!(reds(&picture), [0; 6], "{value}");
    }
}

#[test]
fn colour_images_keep_their_channels_and_missing_cells_stay_white() {
    let images = [1.0, 0.0, 0.5, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
    let picture = grid(&images, [1, 1, 3], 2, SEAMLESS).unwrap();
    let expected = [255, 0, 128, 0, 255, 0, 0, 0, 255, 255, 255, 255];
    assert_eq!(picture.into_raw(), expected);
}

#[test]
fn an_image_larger_than_its_cell_widens_the_cell() {
    let picture = grid(&[0.0; 600], [3, 200, 1], 1, GridStyle::default()).unwrap();
    assert_eq!(picture.dimensions(), (204, 100));
    let levels = [1, 2, 201, 202].map(|x| picture.get_pixel(x, 48).0[0]);
    assert_eq!(levels, [255, 0, 0, 255]);
}

#[test]
fn images_which_do_not_fit_their_shape_are_refused() {
    for (values, shape, columns, message) in [
        (8, [2, 2, 2], 1, "2 channels"),
        (7, [2, 2, 1], 1, "not one or more whole images"),
        (0, [2, 2, 1], 1, "not one or more whole images"),
        (4, [0, 2, 1], 1, "not one or more whole images"),
        (4, [usize::MAX, 2, 3], 1, "not one or more whole images"),
        (4, [2, 2, 1], 0, "0 x 2 pixels"),
        (4, [2, 2, 1], usize::MAX, "cannot be made"),
    ] {
        let error = grid(&vec![0.0; values], shape, columns, SEAMLESS).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let error = manifold(&[0.0; 12], [2, 2, 1], 2, UNIT).unwrap_err();
    assert!(matches!(error, RenderError::Manifold(2, 3)));
}

#[test]
fn a_manifold_has_no_gaps_and_one_scale() {
    let images: Vec<f32> = (0..400 * 784).map(|i| (i / 784) as f32 / 399.0).collect();
    let picture = manifold(&images, [28, 28, 1], 20, UNIT).unwrap();
    assert_eq!(picture.dimensions(), (560, 560));
    for (x, y, pixel) in picture.enumerate_pixels() {
        let value = (y / 28 * 20 + x / 28) as f32 / 399.0;
        assert_eq!(pixel.0, [(value * 255.0).round() as u8; 3]);
    }
    let clipped = manifold(&[-1.0, 2.0, f32::NAN, 0.5], [1, 1, 1], 2, UNIT).unwrap();
    assert_eq!(reds(&clipped), [0, 255, 0, 128]);
}

#[test]
fn a_png_decodes_to_the_same_picture() {
    let picture = RgbImage::from_fn(7, 5, |x, y| Rgb([x as u8, y as u8, 200]));
    let decoded = image::load_from_memory(&png_bytes(&picture).unwrap()).unwrap();
    assert_eq!(decoded.into_rgb8(), picture);
}

#[test]
fn a_gif_keeps_greys_and_few_colours_exactly() {
    let greys = RgbImage::from_fn(16, 16, |x, y| Rgb([(y * 16 + x) as u8; 3]));
    let colours = RgbImage::from_fn(16, 16, |x, y| Rgb([x as u8, y as u8, 9]));
    let frames = [greys.clone(), colours, greys];
    for last in [300, 50] {
        let timing = Timing { each: 50, last };
        let [mut file, mut again] = [Vec::new(), Vec::new()];
        animate::<RenderError>(frames.iter().cloned().map(Ok), timing, &mut file).unwrap();
        animate::<RenderError>(frames.iter().cloned().map(Ok), timing, &mut again).unwrap();
        assert_eq!(file, again);
        let mut options = gif::DecodeOptions::new();
        options.set_color_output(gif::ColorOutput::RGBA);
        let mut decoder = options.read_info(&file[..]).unwrap();
        for (picture, delay) in frames.iter().zip([50, 50, last]) {
            let frame = decoder.read_next_frame().unwrap().unwrap();
            let expected = image::DynamicImage::from(picture.clone()).into_rgba8();
            assert_eq!(frame.delay, delay);
            assert_eq!(frame.buffer[..], expected.as_raw()[..]);
        }
        assert!(decoder.read_next_frame().unwrap().is_none());
        assert_eq!(decoder.repeat(), gif::Repeat::Infinite);
    }
}

#[test]
fn a_gif_refuses_no_frames_and_unequal_frames() {
    for (sizes, message) in [
        (&[][..], "at least one frame"),
        (&[(2, 2), (2, 3)], "frame 1 has (2, 3) pixels"),
        (&[(0, 2)], "0 x 2 pixels"),
        (&[(70_000, 1)], "70000 x 1 pixels"),
    ] {
        let frames = sizes
            .iter()
            .map(|&(w, h)| Ok::<_, RenderError>(RgbImage::new(w, h)));
        let timing = Timing { each: 50, last: 50 };
        let error = animate(frames, timing, std::io::sink()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn black_and_white_are_the_ends_of_the_range() {
    let style = GridStyle {
        stretch: false,
        range: [-2.0, 3.0],
        ..SEAMLESS
    };
    let picture = grid(&[-3.0, -2.0, 0.5, 3.0, 4.0, f32::NAN], [1, 6, 1], 1, style).unwrap();
    assert_eq!(reds(&picture), [0, 0, 128, 255, 255, 0]);
    let cells = manifold(&[-2.0, -1.0, 2.0, 3.0], [1, 1, 1], 2, style.range).unwrap();
    assert_eq!(reds(&cells), [0, 51, 204, 255]);
}
