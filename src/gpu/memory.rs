//! Device memory: a buffer per slot name, and a texture per mirror. Plans on one memory share slots of
//! equal name. If the driver supports it, a mirror aliases the memory of its slot.

use std::collections::HashMap;

use super::device::{Counters, Gpu};
use super::error::GpuError;
use super::native;
use crate::plan::{Plan, Scalar, Slot, SlotId};

/// Texels per row of a mirror's texture, as in `shaders/common/texels.wgsl`.
const ROW: u32 = 4096;
const ROW_BYTES: u32 = 16 * ROW;
/// The first row stays zero, for padding; the slot starts at this row.
const FIRST_ROW: u32 = 1;

/// The storage of a slot.
enum Store {
    Buffer(wgpu::Buffer),
    Texture(wgpu::Texture, wgpu::TextureView),
}

impl Store {
    fn texture(texture: wgpu::Texture) -> Store {
        let view = texture.create_view(&wgpu::TextureViewDescriptor::default());
        Store::Texture(texture, view)
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
        let mut wants: Vec<_> = wants(gpu, plans).into_iter().collect();
        // Small slots first, so that the error reports best how much memory there is.
        wants.sort_by_key(|&(name, want)| (want.bytes, name));
        let total = Self::need(gpu, plans);
        let (mut stores, mut room) = (HashMap::new(), 0);
        for (name, want) in wants {
            Counters::add(&gpu.counters.buffers);
            match make(gpu, name, want).await {
                Ok(made) => stores.extend(made),
                Err(reason) => {
                    // A lost device fails allocations too.
                    gpu.check()?;
                    return Err(GpuError::OutOfMemory {
                        adapter: gpu.adapter.name.clone(),
                        slot: name.to_owned(),
                        bytes: want.bytes,
                        total,
                        room,
                        reason,
                        fits: None,
                    });
                }
            }
            room += want.bytes;
        }
        gpu.check()?;
        Ok(Memory {
            stores,
            bytes: total,
            aliases: gpu.aliases,
        })
    }

    /// Bytes that [`Memory::allocate`] needs for these plans.
    pub fn need(gpu: &Gpu, plans: &[&Plan]) -> u64 {
        wants(gpu, plans).values().map(|want| want.bytes).sum()
    }

    /// Bytes of all slots.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Buffer, offset and size in bytes of a slot that is not a mirror.
    fn place(&self, plan: &Plan, id: SlotId) -> Result<(&wgpu::Buffer, u64, u64), GpuError> {
        let slot = &plan[id];
        let (owner, offset) = slot.view_of.unwrap_or((id, 0));
        let (start, size) = (4 * offset as u64, padded(slot));
        match self.stores.get(&plan[owner].name) {
            Some(Store::Buffer(buffer)) if start + size <= buffer.size() => {
                Ok((buffer, start, size))
            }
            _ => Err(GpuError::NoSlot(slot.name.clone())),
        }
    }

    fn texture(
        &self,
        plan: &Plan,
        mirror: SlotId,
    ) -> Result<(&wgpu::Texture, &wgpu::TextureView), GpuError> {
        match self.stores.get(&plan[mirror].name) {
            Some(Store::Texture(texture, view)) => Ok((texture, view)),
            _ => Err(GpuError::NoSlot(plan[mirror].name.clone())),
        }
    }

    /// The binding of a slot for a kernel that loads `width` components at a time. Scalar loads see no
    /// padding.
    pub(super) fn resource(
        &self,
        plan: &Plan,
        id: SlotId,
        width: u32,
    ) -> Result<wgpu::BindingResource<'_>, GpuError> {
        if plan[id].mirror_of.is_some() {
            let (_, view) = self.texture(plan, id)?;
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
        if self.aliases {
            return Ok(None);
        }
        let origin = plan[mirror].mirror_of.unwrap_or(mirror);
        let (buffer, _, size) = self.place(plan, origin)?;
        let (texture, _) = self.texture(plan, mirror)?;
        Ok(Some(Refresh {
            from: buffer.clone(),
            to: texture.clone(),
            rows: rows(size),
        }))
    }

    /// Encodes a copy of a slot into a buffer of its size from `staging`.
    pub(super) fn copy_out(
        &self,
        plan: &Plan,
        id: SlotId,
        encoder: &mut wgpu::CommandEncoder,
        staging: impl FnOnce(u64) -> wgpu::Buffer,
    ) -> Result<wgpu::Buffer, GpuError> {
        let (buffer, start, size) = self.place(plan, id)?;
        let to = staging(size);
        encoder.copy_buffer_to_buffer(buffer, start, &to, 0, size);
        Ok(to)
    }

    fn find(plan: &Plan, name: &str, scalar: Scalar, len: usize) -> Result<SlotId, GpuError> {
        let fits = |id: &SlotId| plan[*id].scalar == scalar && plan[*id].len() == len;
        let missing = || GpuError::NoSlot(name.to_owned());
        plan.find(name).filter(fits).ok_or_else(missing)
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
        let id = Self::find(plan, name, Scalar::F32, values.len())?;
        self.write_bytes(gpu, plan, id, bytemuck::cast_slice(values))
    }

    /// Writes the whole integer slot `name`.
    ///
    /// # Errors
    ///
    /// [`GpuError::NoSlot`] if there is none of that size.
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
        let (buffer, start, _) = self.place(plan, id)?;
        gpu.queue.write_buffer(buffer, start, bytes);
        gpu.check()
    }

    /// Reads the float slot `name`.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if there is none, or if the device fails.
    pub async fn read(&self, gpu: &Gpu, plan: &Plan, name: &str) -> Result<Vec<f32>, GpuError> {
        let words = self.read_words(gpu, plan, name).await?;
        Ok(bytemuck::cast_vec(words))
    }

    /// Reads the bits of the slot `name` of either type.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if there is none, or if the device fails.
    pub async fn read_words(
        &self,
        gpu: &Gpu,
        plan: &Plan,
        name: &str,
    ) -> Result<Vec<u32>, GpuError> {
        gpu.submit(&[], Some((self, plan, name)))?.words(gpu).await
    }
}

/// The allocation for a name.
#[derive(Clone, Copy)]
struct Want<'p> {
    bytes: u64,
    kind: Kind<'p>,
}

#[derive(Clone, Copy)]
enum Kind<'p> {
    Buffer,
    Texture,
    /// A buffer, and a texture of this name over its memory.
    Mirrored(&'p str),
}

/// All allocations. Mirrored buffers have whole rows, so that one copy covers them.
fn wants<'p>(gpu: &Gpu, plans: &[&'p Plan]) -> HashMap<&'p str, Want<'p>> {
    let mut wants: HashMap<&str, Want> = HashMap::new();
    let mut add = |slot: &'p Slot, bytes: u64, kind: Kind<'p>| {
        let none = Want { bytes: 0, kind };
        let want = wants.entry(&slot.name).or_insert(none);
        want.bytes = bytes.max(want.bytes);
        if matches!(kind, Kind::Mirrored(_)) {
            want.kind = kind;
        }
    };
    for plan in plans {
        for (_, slot) in plan.slots().filter(|(_, s)| s.view_of.is_none()) {
            let Some(origin) = slot.mirror_of else {
                add(slot, padded(slot), Kind::Buffer);
                continue;
            };
            let bytes = u64::from(rows(padded(slot))) * u64::from(ROW_BYTES);
            if gpu.aliases {
                add(&plan[origin], bytes, Kind::Mirrored(&slot.name));
            } else {
                add(&plan[origin], bytes, Kind::Buffer);
                add(slot, bytes, Kind::Texture);
            }
        }
    }
    wants
}

/// Allocates; the error is the driver's message.
async fn make(gpu: &Gpu, name: &str, want: Want<'_>) -> Result<Vec<(String, Store)>, String> {
    let device = &gpu.device;
    let make = || match want.kind {
        Kind::Buffer => {
            let buffer = device.create_buffer(&buffer(name, want.bytes));
            Ok(vec![(name.to_owned(), Store::Buffer(buffer))])
        }
        Kind::Texture => {
            let texture = device.create_texture(&texture(name, rows(want.bytes)));
            Ok(vec![(name.to_owned(), Store::texture(texture))])
        }
        Kind::Mirrored(mirror) => {
            let pair = pair(device, (name, mirror), rows(want.bytes))?;
            Ok(vec![
                (name.to_owned(), Store::Buffer(pair.buffer)),
                (mirror.to_owned(), Store::texture(pair.texture)),
            ])
        }
    };
    match gpu.scoped(make).await {
        (_, Some(reason)) => Err(reason),
        (made, None) => made,
    }
}

/// Whether textures can alias buffers on this device.
pub(super) fn can_alias(device: &wgpu::Device) -> bool {
    pair(device, ("probe", "probe.texels"), 1).is_ok()
}

/// A buffer of `rows` rows and a texture over its memory.
fn pair(device: &wgpu::Device, names: (&str, &str), rows: u32) -> Result<native::Pair, String> {
    let buffer = buffer(names.0, u64::from(rows) * u64::from(ROW_BYTES));
    native::pair(device, &texture(names.1, rows), &buffer, FIRST_ROW)
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
