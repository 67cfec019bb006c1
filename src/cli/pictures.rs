//! Layout of pictures.

use cvae_gpu::render::{self, GridStyle, RenderError, Timing};

/// Images on a sheet are enlarged by the largest whole factor up to this many pixels.
const SIDE: usize = 64;
/// White pixels between them.
const GAP: usize = 4;
/// Most images in a row of a sheet that is not square.
const ROW: usize = 16;

/// The PNG of images on a nearly square sheet.
pub fn square(images: &[f32], shape: [usize; 3]) -> Result<Vec<u8>, RenderError> {
    let count = images.len() / shape.iter().product::<usize>().max(1);
    let side = count.isqrt();
    sheet(images, shape, side + usize::from(side * side < count))
}

/// The PNG of images `[N, H, W, C]` row by row, from 0 (black) to 1 (white).
fn sheet(images: &[f32], shape: [usize; 3], columns: usize) -> Result<Vec<u8>, RenderError> {
    render::png_bytes(&render::grid(
        images,
        shape,
        columns,
        style(shape, SIDE, GAP),
    )?)
}

/// Images enlarged by the largest whole factor up to `side` pixels, with white pixels between them.
fn style([height, width, _]: [usize; 3], side: usize, gap: usize) -> GridStyle {
    let largest = height.max(width).max(1);
    GridStyle {
        cell: largest * (side / largest).max(1) + gap,
        gap,
        stretch: false,
    }
}

/// The PNG of pairs of images, each of `above` over that of `below`.
pub fn pairs(above: &[f32], below: &[f32], shape: [usize; 3]) -> Result<Vec<u8>, RenderError> {
    let values: usize = shape.iter().product();
    let count = above.len() / values.max(1);
    let columns = count.clamp(1, ROW);
    let mut images = Vec::new();
    for row in (0..count).step_by(columns) {
        let range = values * row..values * count.min(row + columns);
        for half in [above, below] {
            images.extend_from_slice(&half[range.clone()]);
            // The end of a partial row stays white.
            images.resize(images.len().next_multiple_of(values * columns), 1.0);
        }
    }
    sheet(&images, shape, columns)
}

/// The PNG of images in one row, or in several where they are many.
pub fn strip(images: &[f32], shape: [usize; 3], count: usize) -> Result<Vec<u8>, RenderError> {
    sheet(images, shape, count.clamp(1, ROW))
}

/// The GIF of a sequence of images, enlarged; the last frame stays longer.
pub fn animation(images: &[f32], shape: [usize; 3]) -> Result<Vec<u8>, RenderError> {
    const FRAME: usize = 256;
    let values: usize = shape.iter().product();
    let style = style(shape, FRAME, 0);
    let frames = images.chunks_exact(values.max(1));
    let frames = frames.map(|image| render::grid(image, shape, 1, style));
    let frames = frames.collect::<Result<Vec<_>, _>>()?;
    let mut gif = Vec::new();
    let timing = Timing {
        each: 10,
        last: 100,
    };
    render::animate(frames.into_iter().map(Ok), timing, &mut gif)?;
    Ok(gif)
}
