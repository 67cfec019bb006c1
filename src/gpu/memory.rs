//! Device memory: a buffer per slot name, and a texture per mirror. Plans on one memory share slots of
//! equal name. If the driver supports it, a mirror aliases the memory of its slot.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use super::device::Gpu;
use super::error::GpuError;
use super::native;
use crate::plan::{Plan, Scalar, Slot, SlotId};

/// Texels per row of a mirror's texture, as in `shaders/common/texels.wgsl`.
const ROW: u32 = 4096;
const ROW_BYTES: u32 = 16 * ROW;
/// The first row stays zero, for padding; the slot starts at this row.
const FIRST_ROW: u32 = 1;

/// The storage of a slot, and of its mirror.
struct Store {
    buffer: wgpu::Buffer,
    mirror: Option<(wgpu::Texture, wgpu::TextureView)>,
}

impl Drop for Store {
    /// Frees the memory at the end of what is submitted. A browser would keep it until it next collects
    /// garbage.
    fn drop(&mut self) {
        self.buffer.destroy();
        if let Some((texture, _)) = &self.mirror {
            texture.destroy();
        }
    }
}

/// A copy of a slot into its mirror.
#[derive(Clone)]
pub(super) struct Refresh {
    from: wgpu::Buffer,
    to: wgpu::Texture,
    rows: u32,
}

impl Refresh {
    pub(super) fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        let from = wgpu::TexelCopyBufferInfo {
            buffer: &self.from,
            layout: wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(ROW_BYTES),
                rows_per_image: Some(self.rows),
            },
        };
        let to = wgpu::TexelCopyTextureInfo {
            origin: wgpu::Origin3d {
                x: 0,
                y: FIRST_ROW,
                z: 0,
            },
            ..self.to.as_image_copy()
        };
        encoder.copy_buffer_to_texture(from, to, extent(self.rows));
    }
}

/// The slots of a set of plans, allocated once.
pub struct Memory {
    stores: HashMap<String, Store>,
    bytes: u64,
    /// Mirrors alias their slots and need no copies.
    aliases: bool,
}

impl Memory {
    /// Allocates the slots of all plans, initially zero. If plans differ in the size of a slot, as with
    /// a tail batch, the largest counts.
    ///
    /// # Errors
    ///
    /// [`GpuError::OutOfMemory`] if the device has too little memory.
    pub async fn allocate(gpu: &Gpu, plans: &[&Plan]) -> Result<Memory, GpuError> {
        plans.iter().try_for_each(|plan| plan.check())?;
        let mut wants: Vec<_> = wants(plans).into_iter().collect();
        // Small slots first, so that the error reports best how much memory there is.
        wants.sort_by_key(|&(name, want)| (want.total(gpu), name));
        let total = Self::need(gpu, plans);
        let (mut stores, mut room) = (HashMap::new(), 0);
        for (name, want) in wants {
            gpu.counters.buffers.fetch_add(1, Ordering::Relaxed);
            let (made, error) = gpu.scoped(|| make(gpu, name, want)).await;
            let store = error.map_or(made, Err);
            let store = store.map_err(|reason| GpuError::OutOfMemory {
                adapter: gpu.adapter.name.clone(),
                slot: name.to_owned(),
                bytes: want.total(gpu),
                total,
                room,
                reason,
                fits: None,
            });
            // A lost device fails allocations too.
            gpu.check()?;
            stores.insert(name.to_owned(), store?);
            room += want.total(gpu);
        }
        Ok(Memory {
            stores,
            bytes: total,
            aliases: gpu.aliases,
        })
    }

    /// Bytes that [`Memory::allocate`] needs for these plans.
    pub fn need(gpu: &Gpu, plans: &[&Plan]) -> u64 {
        wants(plans).values().map(|want| want.total(gpu)).sum()
    }

    /// Bytes of all slots.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Buffer, offset and size in bytes of a slot that is not a mirror.
    pub(super) fn place(
        &self,
        plan: &Plan,
        id: SlotId,
    ) -> Result<(&wgpu::Buffer, u64, u64), GpuError> {
        let slot = &plan[id];
        let (owner, offset) = slot.view_of.unwrap_or((id, 0));
        let (start, size) = (4 * offset as u64, padded(slot));
        match self.stores.get(&plan[owner].name) {
            Some(Store { buffer, .. }) if start + size <= buffer.size() => {
                Ok((buffer, start, size))
            }
            _ => Err(GpuError::NoSlot(slot.name.clone())),
        }
    }

    /// The slot that `mirror` mirrors, with the texture; `None` if it is no mirror.
    fn texture(
        &self,
        plan: &Plan,
        mirror: SlotId,
    ) -> Option<(SlotId, &(wgpu::Texture, wgpu::TextureView))> {
        let origin = plan[mirror].mirror_of?;
        let store = self.stores.get(&plan[origin].name)?;
        Some((origin, store.mirror.as_ref()?))
    }

    /// The binding of a slot for a kernel that loads `width` components at a time. Scalar loads see no
    /// padding.
    pub(super) fn resource(
        &self,
        plan: &Plan,
        id: SlotId,
        width: u32,
    ) -> Result<wgpu::BindingResource<'_>, GpuError> {
        if let Some((_, (_, view))) = self.texture(plan, id) {
            return Ok(wgpu::BindingResource::TextureView(view));
        }
        let (buffer, offset, padded) = self.place(plan, id)?;
        let size = if width == 1 { plan[id].bytes() } else { padded };
        let size = std::num::NonZeroU64::new(size);
        Ok(wgpu::BindingResource::Buffer(wgpu::BufferBinding {
            buffer,
            offset,
            size,
        }))
    }

    /// The copy into a mirror; `None` if mirrors alias their slots.
    pub(super) fn refresh(&self, plan: &Plan, mirror: SlotId) -> Result<Option<Refresh>, GpuError> {
        let Some((origin, (texture, _))) = self.texture(plan, mirror).filter(|_| !self.aliases)
        else {
            return Ok(None);
        };
        let (buffer, _, size) = self.place(plan, origin)?;
        Ok(Some(Refresh {
            from: buffer.clone(),
            to: texture.clone(),
            rows: rows(size),
        }))
    }

    /// Writes the whole float slot `name`.
    ///
    /// # Errors
    ///
    /// [`GpuError::NoSlot`] if there is none of that size.
    pub fn write(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
        values: &[f32],
    ) -> Result<(), GpuError> {
        self.write_bytes(gpu, plan, (name, Scalar::F32), bytemuck::cast_slice(values))
    }

    /// As [`Memory::write`], for an integer slot.
    pub fn write_words(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
        values: &[u32],
    ) -> Result<(), GpuError> {
        self.write_bytes(gpu, plan, (name, Scalar::U32), bytemuck::cast_slice(values))
    }

    /// Writes the first words of the integer slot `name`.
    ///
    /// # Errors
    ///
    /// [`GpuError::NoSlot`] if there is none of at least that size.
    pub fn write_start(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
        values: &[u32],
    ) -> Result<(), GpuError> {
        let fits = |id: &SlotId| plan[*id].scalar == Scalar::U32 && plan[*id].len() >= values.len();
        let id = plan.find(name).filter(fits);
        self.put(gpu, plan, name, id, bytemuck::cast_slice(values))
    }

    fn write_bytes(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        (name, scalar): (&str, Scalar),
        bytes: &[u8],
    ) -> Result<(), GpuError> {
        let fits =
            |id: &SlotId| plan[*id].scalar == scalar && plan[*id].bytes() == bytes.len() as u64;
        let id = plan.find(name).filter(fits);
        self.put(gpu, plan, name, id, bytes)
    }

    fn put(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
        id: Option<SlotId>,
        bytes: &[u8],
    ) -> Result<(), GpuError> {
        gpu.counters.host_writes.fetch_add(1, Ordering::Relaxed);
        let id = id.ok_or_else(|| GpuError::NoSlot(name.to_owned()))?;
        let (buffer, start, _) = self.place(plan, id)?;
        gpu.queue.write_buffer(buffer, start, bytes);
        gpu.check()
    }

    /// Reads the float slot `name`.
    pub async fn read(&self, gpu: &Gpu, plan: &Plan, name: &str) -> Result<Vec<f32>, GpuError> {
        let words = self.read_words(gpu, plan, name).await?;
        Ok(bytemuck::cast_vec(words))
    }

    /// Reads the bits of the slot `name` of either type.
    pub async fn read_words(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
    ) -> Result<Vec<u32>, GpuError> {
        gpu.submit(&[], Some((self, plan, name)))?.words(gpu).await
    }
}

/// The allocation for a slot.
#[derive(Clone, Copy, Default)]
struct Want {
    /// Bytes of the buffer. A mirrored one has whole rows, so that one copy covers it.
    bytes: u64,
    mirrored: bool,
}

impl Want {
    /// Bytes of the buffer and of a mirror that does not alias it.
    fn total(&self, gpu: &Gpu) -> u64 {
        let mirror = self.mirrored && !gpu.aliases;
        self.bytes * (1 + u64::from(mirror))
    }
}

/// All allocations by slot name.
fn wants<'p>(plans: &[&'p Plan]) -> HashMap<&'p str, Want> {
    let mut wants: HashMap<&str, Want> = HashMap::new();
    for plan in plans {
        for (_, slot) in plan.slots().filter(|(_, s)| s.view_of.is_none()) {
            let origin = slot.mirror_of.map_or(slot, |origin| &plan[origin]);
            let want = wants.entry(&origin.name).or_default();
            want.bytes = want.bytes.max(padded(slot));
            want.mirrored |= slot.mirror_of.is_some();
        }
    }
    for want in wants.values_mut().filter(|want| want.mirrored) {
        want.bytes = want.bytes.next_multiple_of(u64::from(ROW_BYTES));
    }
    wants
}

/// Allocates a slot; the error is the reason why it cannot.
fn make(gpu: &Gpu, name: &str, want: Want) -> Result<Store, String> {
    let (device, buffer) = (&gpu.device, buffer(name, want.bytes));
    if !want.mirrored {
        let buffer = device.create_buffer(&buffer);
        return Ok(Store {
            buffer,
            mirror: None,
        });
    }
    let texture = texture(name, rows(want.bytes));
    let (buffer, texture) = match gpu.aliases {
        true => native::pair(device, &texture, &buffer, FIRST_ROW)?,
        false => (
            device.create_buffer(&buffer),
            device.create_texture(&texture),
        ),
    };
    let view = texture.create_view(&Default::default());
    Ok(Store {
        buffer,
        mirror: Some((texture, view)),
    })
}

/// Whether textures can alias buffers on this device.
pub(super) fn can_alias(device: &wgpu::Device) -> bool {
    let buffer = buffer("probe", u64::from(ROW_BYTES));
    native::pair(device, &texture("probe", 1), &buffer, FIRST_ROW).is_ok()
}

fn buffer(name: &str, size: u64) -> wgpu::BufferDescriptor<'_> {
    wgpu::BufferDescriptor {
        label: Some(name),
        size,
        usage: wgpu::BufferUsages::STORAGE
            | wgpu::BufferUsages::COPY_SRC
            | wgpu::BufferUsages::COPY_DST,
        mapped_at_creation: false,
    }
}

fn texture(name: &str, rows: u32) -> wgpu::TextureDescriptor<'_> {
    wgpu::TextureDescriptor {
        label: Some(name),
        size: extent(FIRST_ROW + rows),
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba32Float,
        usage: wgpu::TextureUsages::STORAGE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    }
}

fn rows(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(u64::from(ROW_BYTES))).unwrap_or(u32::MAX)
}

fn extent(rows: u32) -> wgpu::Extent3d {
    wgpu::Extent3d {
        width: ROW,
        height: rows,
        depth_or_array_layers: 1,
    }
}

/// Size of a slot in bytes, padded to whole quads for vector loads.
fn padded(slot: &Slot) -> u64 {
    slot.bytes().next_multiple_of(16)
}
