//! Puts the images of a pass on the device: all at once, or a window of them at a time.
//!
//! A set that is larger than the device may hold comes in windows: the images that the next steps need,
//! in the order of the pass. The host gathers a window while the device works on the one before it. The
//! order is that of a set that is on the device as a whole, so the results are the same bit for bit.

use parking_lot::Mutex;

use crate::data::{Ahead, DataError, PackedImages};
use crate::gpu::{Gpu, GpuError, Memory};
use crate::model::Feed;
use crate::ops::fetch::Packed;
use crate::ops::rng::Order;
use crate::plan::{Caps, Plan};
use crate::rng;

/// Why images do not reach the device.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SupplyError {
    /// The GPU or its driver failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The images cannot be read.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Bytes of a window where the user sets no limit.
const WINDOW_BYTES: u64 = 32 << 20;

/// How much of several image sets may be on the device.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// Most bytes of all sets together, if there is a limit.
    most: Option<u64>,
    /// Bytes of all sets.
    all: u64,
    /// Most bytes of one set.
    binding: u64,
}

/// Bytes of images on the device.
fn bytes(images: &PackedImages) -> u64 {
    4 * images.words_per_image() as u64 * images.count() as u64
}

impl Room {
    /// The room for these sets on an adapter.
    pub fn new<'i>(
        most: Option<u64>,
        sets: impl IntoIterator<Item = &'i PackedImages>,
        caps: &Caps,
    ) -> Self {
        Room {
            most,
            all: sets.into_iter().map(bytes).sum(),
            binding: caps.max_binding_bytes,
        }
    }

    /// Images of a set on the device at a time: all if they fit, else whole batches. A limit for all sets
    /// is divided by their sizes.
    pub fn window(&self, images: &PackedImages, batch: usize) -> usize {
        let (own, count) = (bytes(images), images.count());
        let share = |most: u64| (u128::from(most) * u128::from(own) / u128::from(self.all)) as u64;
        let most = match self.most {
            Some(most) if most < self.all => share(most).min(self.binding),
            _ if own <= self.binding => return count,
            _ => WINDOW_BYTES.min(self.binding),
        };
        let fitting = most / (4 * images.words_per_image() as u64).max(1);
        let batches = (fitting / batch as u64).max(1);
        usize::try_from(batches).map_or(count, |n| n.saturating_mul(batch).min(count))
    }
}

/// A part of a pass: the pass, if its order differs from that of others, and the number of the window.
type Window = (u32, usize);

/// The words of a window, if they can be read.
type Words = Result<Vec<u32>, DataError>;

/// The images of a split, on their way to the device.
pub struct Supply {
    slot: &'static str,
    images: PackedImages,
    packed: Packed,
    order: Order,
    seed: u64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What is on the device.
    here: Option<Window>,
    /// What is being gathered.
    next: Option<(Window, Ahead<Words>)>,
}

impl Supply {
    /// Supplies `images`, laid out as `packed` says, to a slot.
    pub fn new(
        slot: &'static str,
        images: &PackedImages,
        packed: Packed,
        order: Order,
        seed: u64,
    ) -> Self {
        Supply {
            slot,
            images: images.clone(),
            packed,
            order,
            seed,
            state: Mutex::default(),
        }
    }

    /// The layout of the images.
    pub fn packed(&self) -> Packed {
        self.packed
    }

    /// The feed of a plan on these images.
    pub fn feed(&self) -> Feed {
        Feed::Images(self.slot, self.packed, self.order)
    }

    /// Whether the image at this position of a pass in file order is on the device.
    pub fn has(&self, position: usize) -> bool {
        self.state.lock().here == Some((0, position / self.packed.window))
    }

    /// Makes sure that the images from `position` on of a pass are on the device. Returns the position
    /// up to which they are there.
    pub fn bring(
        &self,
        gpu: &Gpu,
        memory: &Memory,
        plan: &Plan,
        (epoch, position): (usize, usize),
    ) -> Result<usize, SupplyError> {
        let Packed { count, window, .. } = self.packed;
        let pass = if self.shuffles() { epoch as u32 } else { 0 };
        let wanted = (pass, position / window);
        let end = count.min((wanted.1 + 1) * window);
        let mut state = self.state.lock();
        if state.here == Some(wanted) {
            return Ok(end);
        }
        let next = state.next.take().filter(|(next, _)| *next == wanted);
        let ready = next.and_then(|(_, ahead)| ahead.result());
        let words = ready.unwrap_or_else(|| self.gather()(wanted))?;
        state.here = None;
        memory.write_start(gpu, plan, self.slot, &words)?;
        state.here = Some(wanted);
        if !self.packed.is_whole() {
            let following = match end < count {
                true => (pass, wanted.1 + 1),
                false => (pass.wrapping_add(u32::from(self.shuffles())), 0),
            };
            let gather = self.gather();
            let ahead = Ahead::start(move || gather(following));
            state.next = ahead.map(|ahead| (following, ahead));
        }
        Ok(end)
    }

    /// Whether the host puts the images in order; of a set that is all there, the device picks them.
    fn shuffles(&self) -> bool {
        self.order == Order::Shuffled && !self.packed.is_whole()
    }

    /// Gathers the words of a window.
    fn gather(&self) -> impl Fn(Window) -> Words + Send + 'static {
        let (images, shuffles) = (self.images.clone(), self.shuffles());
        let Packed { count, window, .. } = self.packed;
        let key = rng::key(self.seed);
        move |(pass, index)| {
            let start = index * window;
            let image = |at: usize| match shuffles {
                true => rng::permute(at as u32, count as u32, pass, key) as usize,
                false => at,
            };
            images.words_of((start..count.min(start + window)).map(image))
        }
    }
}
