//! Device memory: one buffer per slot name. Plans which share a memory share slots of a name.

use std::collections::HashMap;

use super::context::{Counters, Gpu, GpuError};
use crate::plan::{Plan, Scalar, Slot, SlotId};

/// Every buffer of a set of plans, allocated once and never grown.
pub struct Memory {
    buffers: HashMap<String, wgpu::Buffer>,
    bytes: u64,
}

impl Memory {
    /// Room for all slots of all plans. Where plans differ in a slot's size, as a tail batch
    /// does, the largest counts. Contents are zero.
    pub fn allocate(gpu: &Gpu, plans: &[&Plan]) -> Result<Memory, GpuError> {
        let mut sizes: HashMap<&str, u64> = HashMap::new();
        for plan in plans {
            plan.check()?;
            for (_, slot) in plan.slots().filter(|(_, s)| s.view_of.is_none()) {
                let size = sizes.entry(&slot.name).or_default();
                *size = (*size).max(padded(slot));
            }
        }
        let create = |(name, size): (&str, u64)| {
            Counters::add(&gpu.counters.buffers);
            let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(name),
                size,
                usage: wgpu::BufferUsages::STORAGE
                    | wgpu::BufferUsages::COPY_SRC
                    | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            });
            (name.to_owned(), buffer)
        };
        let bytes = sizes.values().sum();
        let buffers = sizes.into_iter().map(create).collect();
        gpu.check()?;
        Ok(Memory { buffers, bytes })
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The buffer range of a slot.
    pub(super) fn range(&self, plan: &Plan, id: SlotId) -> Result<(&wgpu::Buffer, u64, u64), GpuError> {
        let slot = &plan[id];
        let (owner, offset) = slot.view_of.unwrap_or((id, 0));
        let missing = || GpuError::NoSlot(slot.name.clone());
        let buffer = self.buffers.get(&plan[owner].name).ok_or_else(missing)?;
        let start = 4 * offset as u64;
        if start + padded(slot) > buffer.size() {
            return Err(missing());
        }
        Ok((buffer, start, padded(slot)))
    }

    fn find(plan: &Plan, name: &str, scalar: Scalar, len: usize) -> Result<SlotId, GpuError> {
        let fits = |id: &SlotId| plan[*id].scalar == scalar && plan[*id].len() == len;
        let missing = || GpuError::NoSlot(name.to_owned());
        plan.find(name).filter(fits).ok_or_else(missing)
    }

    /// Writes floats to the slot `name`, all of it.
    pub fn write(&self, gpu: &Gpu, plan: &Plan, name: &str, values: &[f32]) -> Result<(), GpuError> {
        let id = Self::find(plan, name, Scalar::F32, values.len())?;
        self.write_bytes(gpu, plan, id, bytemuck::cast_slice(values))
    }

    /// Writes integers to the slot `name`, all of it.
    pub fn write_words(&self, gpu: &Gpu, plan: &Plan, name: &str, values: &[u32]) -> Result<(), GpuError> {
        let id = Self::find(plan, name, Scalar::U32, values.len())?;
        self.write_bytes(gpu, plan, id, bytemuck::cast_slice(values))
    }

    fn write_bytes(&self, gpu: &Gpu, plan: &Plan, id: SlotId, bytes: &[u8]) -> Result<(), GpuError> {
        let (buffer, start, _) = self.range(plan, id)?;
        Counters::add(&gpu.counters.host_writes);
        gpu.queue.write_buffer(buffer, start, bytes);
        gpu.check()
    }

    /// Reads the float slot `name`.
    pub async fn read(&self, gpu: &Gpu, plan: &Plan, name: &str) -> Result<Vec<f32>, GpuError> {
        let words = self.read_words(gpu, plan, name).await?;
        Ok(bytemuck::cast_vec(words))
    }

    /// Reads the bits of the slot `name`, whatever its type.
    pub async fn read_words(&self, gpu: &Gpu, plan: &Plan, name: &str) -> Result<Vec<u32>, GpuError> {
        gpu.submit(&[], Some((self, plan, name)))?.words(gpu).await
    }
}

/// Buffers are whole vectors of four, so that a kernel may load a short last one.
fn padded(slot: &Slot) -> u64 {
    slot.bytes().next_multiple_of(16)
}
