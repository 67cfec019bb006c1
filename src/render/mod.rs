//! Pictures from float images: grids, the latent manifold, plots, PNG bytes and animated GIFs.
//!
//! Images are slices of `f32` in NHWC order: `[count, height, width, channels]` flattened, with
//! one channel (grey) or three (red, green, blue), black at 0 and white at 1 unless said. Nothing here uses
//! the file system, so tests compare bytes.

mod plot;

use std::io::Write;

use gif::{Encoder, Frame, Repeat};
use image::codecs::png::PngEncoder;
use image::{Rgb, RgbImage};

pub use plot::{Curve, Points, curves, scatter};

/// The largest width and height of a picture in pixels, which is also the largest a GIF can hold.
const MAX_SIDE: usize = u16::MAX as usize;

/// Why a picture could not be made. Every message is complete, so no error has a source.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The number of channels is neither one nor three.
    #[error("images with {0} channels cannot be drawn: give 1 (grey) or 3 (RGB)")]
    Channels(usize),
    /// This number of values is not one or more whole images of this shape `[H, W, C]`.
    #[error("{0} values are not one or more whole images of shape {1:?} [H, W, C]")]
    Values(usize, [usize; 3]),
    /// The number of images (second) is not the square of the side of the manifold (first).
    #[error("a manifold of {0} x {0} cells cannot be drawn from {1} images")]
    Manifold(usize, usize),
    /// A picture of this width and height would have no pixels or too many.
    #[error("a picture of {0} x {1} pixels cannot be made: each side may have 1 to {MAX_SIDE}")]
    Size(usize, usize),
    /// A GIF has no frames.
    #[error("an animation needs at least one frame")]
    NoFrames,
    /// The frame of this index, from 0, has another size (width, height) than the first one.
    #[error("frame {0} has {1:?} pixels, but frame 0 has {2:?}: draw all frames in one size")]
    FrameSize(usize, (u32, u32), (u32, u32)),
    /// The PNG encoder failed.
    #[error("the PNG could not be encoded: {0}")]
    Png(image::ImageError),
    /// The GIF encoder failed, or its output could not be written.
    #[error("the GIF could not be written: {0}")]
    Gif(gif::EncodingError),
}

/// The values that are black and white in pictures of brightness.
pub const UNIT: [f32; 2] = [0.0, 1.0];

/// How [`grid`] lays out its cells.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridStyle {
    /// The side of each square cell in pixels. A cell is wider or higher only if an image at its own
    /// size does not fit.
    pub cell: usize,
    /// The smallest number of white pixels between two images.
    pub gap: usize,
    /// True: each image is scaled from its own minimum (black) to its own maximum (white), over all
    /// channels, as matplotlib's `imshow` does for grey images. False: values are clipped to `range`, as
    /// `imshow` does for colour images.
    pub stretch: bool,
    /// The values that are black and white; 0 and 1.
    pub range: [f32; 2],
}

impl Default for GridStyle {
    /// Cells of 100 pixels, so that a 4 x 4 grid makes a picture of 400 x 400 pixels.
    fn default() -> Self {
        Self {
            cell: 100,
            gap: 4,
            stretch: true,
            range: UNIT,
        }
    }
}

/// Draws images row by row on a white background, `columns` in each row.
///
/// `images` is `[count, H, W, C]` and `shape` is `[H, W, C]`. An incomplete last row is white at its
/// end. Images are enlarged by the largest integer factor that fits their cell, and centred in it.
///
/// # Errors
///
/// The images do not match their shape, or the picture has no pixels (no columns) or too many.
pub fn grid(
    images: &[f32],
    shape: [usize; 3],
    columns: usize,
    style: GridStyle,
) -> Result<RgbImage, RenderError> {
    let count = count_images(images, shape)?;
    let [height, width, channels] = shape;
    let cell_width = style.cell.max(width.saturating_add(style.gap));
    let cell_height = style.cell.max(height.saturating_add(style.gap));
    let picture_width = cell_width.saturating_mul(columns);
    let picture_height = cell_height.saturating_mul(count.div_ceil(columns.max(1)));
    if columns == 0 || picture_width.max(picture_height) > MAX_SIDE {
        return Err(RenderError::Size(picture_width, picture_height));
    }
    let white = Rgb([u8::MAX; 3]);
    let mut picture = RgbImage::from_pixel(picture_width as u32, picture_height as u32, white);
    let factor = ((cell_width - style.gap) / width).min((cell_height - style.gap) / height);
    for (index, image) in images.chunks_exact(height * width * channels).enumerate() {
        let left = index % columns * cell_width + (cell_width - factor * width) / 2;
        let top = index / columns * cell_height + (cell_height - factor * height) / 2;
        let levels = levels(image, style);
        for y in 0..factor * height {
            for x in 0..factor * width {
                let pixel = (y / factor * width + x / factor) * channels;
                let colour = [0, 1, 2].map(|c| levels[pixel + c % channels]);
                picture.put_pixel((left + x) as u32, (top + y) as u32, Rgb(colour));
            }
        }
    }
    Ok(picture)
}

/// Draws `n * n` images edge to edge at their own size, on one scale from black to white, the ends of
/// `range`.
///
/// `images` is `[n * n, H, W, C]` in the order of [`latent_grid`](crate::model::prior::latent_grid), row by row from the top left,
/// and `shape` is `[H, W, C]`. The picture has `n * W` by `n * H` pixels.
pub fn manifold(
    images: &[f32],
    shape: [usize; 3],
    n: usize,
    range: [f32; 2],
) -> Result<RgbImage, RenderError> {
    let count = count_images(images, shape)?;
    if n.checked_mul(n) != Some(count) {
        return Err(RenderError::Manifold(n, count));
    }
    let style = GridStyle {
        cell: 0,
        gap: 0,
        stretch: false,
        range,
    };
    grid(images, shape, n, style)
}

/// Encodes a picture as an 8-bit RGB PNG; the encoder refuses one without pixels.
pub fn png_bytes(picture: &RgbImage) -> Result<Vec<u8>, RenderError> {
    let mut bytes = Vec::new();
    let written = picture.write_with_encoder(PngEncoder::new(&mut bytes));
    written.map_err(RenderError::Png)?;
    Ok(bytes)
}

/// How long an animation shows its frames, in units of 10 ms, the unit of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Each frame but the last.
    pub each: u16,
    /// The last frame.
    pub last: u16,
}

/// Writes frames as an animated GIF that loops forever.
///
/// Grey frames and frames of at most 256 colours are stored exactly. Other frames are reduced to the
/// 256 colours that fit best. The same frames always give the same bytes. After an error `out` holds an
/// incomplete GIF.
pub fn animate<E: From<RenderError>>(
    mut frames: impl Iterator<Item = Result<RgbImage, E>>,
    timing: Timing,
    out: impl Write,
) -> Result<(), E> {
    let first = frames.next().ok_or(RenderError::NoFrames)??;
    let size = first.dimensions();
    let (width, height) = match (size.0.try_into(), size.1.try_into()) {
        (Ok(width @ 1..), Ok(height @ 1..)) => (width, height),
        _ => return Err(RenderError::Size(size.0 as usize, size.1 as usize).into()),
    };
    let greys: Vec<u8> = (0..=u8::MAX).flat_map(|grey| [grey; 3]).collect();
    let failed = RenderError::Gif;
    let mut encoder = Encoder::new(out, width, height, &greys).map_err(failed)?;
    encoder.set_repeat(Repeat::Infinite).map_err(failed)?;
    let (mut index, mut next) = (0, Some(first));
    while let Some(picture) = next {
        if picture.dimensions() != size {
            return Err(RenderError::FrameSize(index, picture.dimensions(), size).into());
        }
        let (pixels, _) = picture.as_raw().as_chunks::<3>();
        let mut frame = if pixels.iter().all(|[r, g, b]| r == g && g == b) {
            // Entry i of the palette is grey i, so a grey pixel is its own index.
            let indices: Vec<u8> = pixels.iter().map(|pixel| pixel[0]).collect();
            Frame::from_indexed_pixels(width, height, indices, None)
        } else {
            Frame::from_rgb_speed(width, height, picture.as_raw(), 10)
        };
        (index, next) = (index + 1, frames.next().transpose()?);
        frame.delay = match next {
            Some(_) => timing.each,
            None => timing.last,
        };
        encoder.write_frame(&frame).map_err(failed)?;
    }
    let mut out = encoder.into_inner().map_err(failed)?;
    out.flush().map_err(|error| failed(error.into()))?;
    Ok(())
}

/// The number of images, at least 1, of the shape `[H, W, C]` in `values`.
fn count_images(values: &[f32], shape: [usize; 3]) -> Result<usize, RenderError> {
    let [h, w, c] = shape;
    if !matches!(c, 1 | 3) {
        return Err(RenderError::Channels(c));
    }
    // An overflowing size is 0 too: of 0 only 0 is a multiple.
    let size = h.checked_mul(w).and_then(|n| n.checked_mul(c)).unwrap_or(0);
    if values.is_empty() || !values.len().is_multiple_of(size) {
        return Err(RenderError::Values(values.len(), shape));
    }
    Ok(values.len() / size)
}

/// The values of an image from 0 (black) to 255 (white); a NaN is black.
fn levels(image: &[f32], style: GridStyle) -> Vec<u8> {
    let finite = image.iter().filter(|value| value.is_finite());
    // In `f64` the difference of the extremes cannot overflow.
    let (black, white) = if style.stretch {
        finite.fold((f64::MAX, f64::MIN), |(low, high), &value| {
            (low.min(value.into()), high.max(value.into()))
        })
    } else {
        (style.range[0].into(), style.range[1].into())
    };
    // An image without contrast is black, as in matplotlib.
    let range: f64 = white - black;
    let scale = if range > 0.0 { 255.0 / range } else { 0.0 };
    // The cast clips to 0..=255 and turns a NaN into 0.
    let level = |&value: &f32| ((f64::from(value) - black) * scale).round() as u8;
    image.iter().map(level).collect()
}
