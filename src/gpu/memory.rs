//! Device memory: one buffer or texture per slot name. Plans which share a memory share the
//! slots of a name, unless they want them in different places, as plans of different batch sizes
//! may want activations.

use std::collections::HashMap;

use super::context::{Counters, Gpu};
use super::error::GpuError;
use crate::plan::{Plan, Scalar, Slot, SlotId};

/// Texels in a row of a texture that holds a slot, as in `shaders/common/texels.wgsl`.
const ROW: u32 = 4096;
const ROW_BYTES: u32 = 16 * ROW;
/// The first row stays zero, for the padding of convolutions; the slot lies behind it.
const FIRST_ROW: u32 = 1;

/// What holds a slot.
enum Store {
    Buffer(wgpu::Buffer),
    Texels(wgpu::Texture, wgpu::TextureView),
}

/// Every slot of a set of plans, allocated once and never grown.
pub struct Memory {
    stores: HashMap<(String, bool), Store>,
    bytes: u64,
}

impl Memory {
    /// Room for all slots of all plans. Where plans differ in a slot's size, as a tail batch
    /// does, the largest counts. Contents are zero.
    pub fn allocate(gpu: &Gpu, plans: &[&Plan]) -> Result<Memory, GpuError> {
        plans.iter().try_for_each(|plan| plan.check())?;
        let mut sizes: Vec<_> = sizes(plans).into_iter().collect();
        // The small ones first, so that a refusal tells best how much room there is.
        sizes.sort_by_key(|&((name, _), size)| (size, name));
        let total = Self::need(plans);
        let (mut stores, mut room) = (HashMap::new(), 0);
        for ((name, texels), size) in sizes {
            Counters::add(&gpu.counters.buffers);
            let make = match texels {
                true => texture,
                false => buffer,
            };
            let (store, error) = gpu.scoped(|| make(gpu, name, size));
            if let Some(reason) = error {
                // A device that is gone has no memory either.
                gpu.check()?;
                return Err(GpuError::OutOfMemory {
                    adapter: gpu.adapter.name.clone(),
                    slot: name.to_owned(),
                    bytes: size,
                    total,
                    room,
                    reason,
                    fits: None,
                });
            }
            stores.insert((name.to_owned(), texels), store);
            room += size;
        }
        gpu.check()?;
        Ok(Memory {
            stores,
            bytes: total,
        })
    }

    /// Bytes that a memory of these plans would have.
    pub fn need(plans: &[&Plan]) -> u64 {
        sizes(plans).values().sum()
    }

    /// Bytes of all slots.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Where a slot lies.
    fn place(&self, plan: &Plan, id: SlotId) -> Result<Place<'_>, GpuError> {
        let slot = &plan[id];
        let (owner, offset) = slot.view_of.unwrap_or((id, 0));
        let missing = || GpuError::NoSlot(slot.name.clone());
        let store = (plan[owner].name.clone(), plan[owner].texels);
        match self.stores.get(&store).ok_or_else(missing)? {
            Store::Buffer(buffer) => {
                let (start, size) = (4 * offset as u64, padded(slot));
                let fits = start + size <= buffer.size();
                fits.then_some(Place::Range(buffer, start, size))
                    .ok_or_else(missing)
            }
            Store::Texels(texture, view) => {
                let rows = rows(padded(slot));
                let fits = FIRST_ROW + rows <= texture.height();
                fits.then_some(Place::Rows(texture, view, rows))
                    .ok_or_else(missing)
            }
        }
    }

    /// A slot as a kernel sees it.
    pub(super) fn resource(
        &self,
        plan: &Plan,
        id: SlotId,
    ) -> Result<wgpu::BindingResource<'_>, GpuError> {
        Ok(match self.place(plan, id)? {
            Place::Rows(_, view, _) => wgpu::BindingResource::TextureView(view),
            Place::Range(buffer, offset, size) => {
                let size = std::num::NonZeroU64::new(size);
                wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset,
                    size,
                })
            }
        })
    }

    /// Encodes a copy of a slot into a staging buffer, which `staging` makes to size.
    pub(super) fn copy_out(
        &self,
        plan: &Plan,
        id: SlotId,
        encoder: &mut wgpu::CommandEncoder,
        staging: impl FnOnce(u64) -> wgpu::Buffer,
    ) -> Result<wgpu::Buffer, GpuError> {
        Ok(match self.place(plan, id)? {
            Place::Range(buffer, start, size) => {
                let to = staging(size);
                encoder.copy_buffer_to_buffer(buffer, start, &to, 0, size);
                to
            }
            Place::Rows(texture, _, rows) => {
                let to = staging(u64::from(rows * ROW_BYTES));
                let target = wgpu::TexelCopyBufferInfo {
                    buffer: &to,
                    layout: layout(rows),
                };
                encoder.copy_texture_to_buffer(content(texture), target, extent(rows));
                to
            }
        })
    }

    fn find(plan: &Plan, name: &str, scalar: Scalar, len: usize) -> Result<SlotId, GpuError> {
        let fits = |id: &SlotId| plan[*id].scalar == scalar && plan[*id].len() == len;
        let missing = || GpuError::NoSlot(name.to_owned());
        plan.find(name).filter(fits).ok_or_else(missing)
    }

    /// Writes floats to the slot `name`, all of it.
    pub fn write(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
        values: &[f32],
    ) -> Result<(), GpuError> {
        let id = Self::find(plan, name, Scalar::F32, values.len())?;
        self.write_bytes(gpu, plan, id, bytemuck::cast_slice(values))
    }

    /// Writes integers to the slot `name`, all of it.
    pub fn write_words(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
        values: &[u32],
    ) -> Result<(), GpuError> {
        let id = Self::find(plan, name, Scalar::U32, values.len())?;
        self.write_bytes(gpu, plan, id, bytemuck::cast_slice(values))
    }

    fn write_bytes(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        id: SlotId,
        bytes: &[u8],
    ) -> Result<(), GpuError> {
        Counters::add(&gpu.counters.host_writes);
        match self.place(plan, id)? {
            Place::Range(buffer, start, _) => gpu.queue.write_buffer(buffer, start, bytes),
            Place::Rows(texture, _, rows) => {
                let mut padded = bytes.to_vec();
                padded.resize((rows * ROW_BYTES) as usize, 0);
                let target = content(texture);
                gpu.queue
                    .write_texture(target, &padded, layout(rows), extent(rows));
            }
        }
        gpu.check()
    }

    /// Reads the float slot `name`.
    pub async fn read(&self, gpu: &Gpu, plan: &Plan, name: &str) -> Result<Vec<f32>, GpuError> {
        let words = self.read_words(gpu, plan, name).await?;
        Ok(bytemuck::cast_vec(words))
    }

    /// Reads the bits of the slot `name`, whatever its type.
    pub async fn read_words(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
    ) -> Result<Vec<u32>, GpuError> {
        gpu.submit(&[], Some((self, plan, name)))?.words(gpu).await
    }
}

/// Name, place and bytes of every store.
fn sizes<'p>(plans: &[&'p Plan]) -> HashMap<(&'p str, bool), u64> {
    let mut sizes = HashMap::new();
    for (_, slot) in plans.iter().flat_map(|plan| plan.slots()) {
        if slot.view_of.is_none() {
            let size = sizes.entry((slot.name.as_str(), slot.texels)).or_default();
            *size = padded(slot).max(*size);
        }
    }
    sizes
}

enum Place<'a> {
    Range(&'a wgpu::Buffer, u64, u64),
    Rows(&'a wgpu::Texture, &'a wgpu::TextureView, u32),
}

fn buffer(gpu: &Gpu, name: &str, size: u64) -> Store {
    Store::Buffer(gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(name),
        size,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    }))
}

fn texture(gpu: &Gpu, name: &str, size: u64) -> Store {
    let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some(name),
        size: extent(FIRST_ROW + rows(size)),
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba32Float,
        usage: wgpu::TextureUsages::TEXTURE_BINDING
            | wgpu::TextureUsages::STORAGE_BINDING
            | wgpu::TextureUsages::COPY_SRC
            | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
    Store::Texels(texture, view)
}

fn rows(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(u64::from(ROW_BYTES))).unwrap_or(u32::MAX)
}

/// Where the slot starts in its texture.
fn content(texture: &wgpu::Texture) -> wgpu::TexelCopyTextureInfo<'_> {
    wgpu::TexelCopyTextureInfo {
        origin: wgpu::Origin3d {
            x: 0,
            y: FIRST_ROW,
            z: 0,
        },
        ..texture.as_image_copy()
    }
}

fn extent(rows: u32) -> wgpu::Extent3d {
    wgpu::Extent3d {
        width: ROW,
        height: rows,
        depth_or_array_layers: 1,
    }
}

fn layout(rows: u32) -> wgpu::TexelCopyBufferLayout {
    wgpu::TexelCopyBufferLayout {
        offset: 0,
        bytes_per_row: Some(ROW_BYTES),
        rows_per_image: Some(rows),
    }
}

/// Buffers are whole vectors of four, so that a kernel may load a short last one.
fn padded(slot: &Slot) -> u64 {
    slot.bytes().next_multiple_of(16)
}
