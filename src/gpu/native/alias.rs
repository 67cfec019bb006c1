//! A buffer and a texture over the same memory: a mirror that needs no copies.
//!
//! WebGPU has no memory aliasing. In Vulkan an image of linear tiling is stored row by row, and a
//! buffer may be bound to the same memory. wgpu does not know of the alias and sets no barrier between
//! a write to one and a read of the other. Only software drivers are safe: they end each dispatch
//! before the next.

#![expect(
    unsafe_code,
    reason = "wgpu has no safe way to let resources share memory"
)]

use std::sync::Arc;

use ash::vk;
use wgpu::hal;
use wgpu::hal::api::Vulkan;

/// Most of the driver's memory budget to use, in per cent; as for wgpu's own allocations.
const MOST: u64 = 95;

/// Makes a zeroed `Rgba32Float` texture like `texture` and a buffer like `buffer`, which covers the rows
/// of the texture from `first_row` on. The error is the reason why this driver cannot, such as
/// another row pitch.
pub fn pair(
    device: &wgpu::Device,
    texture: &wgpu::TextureDescriptor,
    buffer: &wgpu::BufferDescriptor,
    first_row: u32,
) -> Result<(wgpu::Buffer, wgpu::Texture), String> {
    // SAFETY: only handles created here are destroyed.
    let raw = unsafe { device.as_hal::<Vulkan>() }.ok_or("this is not Vulkan")?;
    let backing = Arc::new(Backing::new(&raw, texture.size, buffer.size, first_row)?);
    let descriptor = hal::TextureDescriptor {
        label: texture.label,
        size: texture.size,
        mip_level_count: texture.mip_level_count,
        sample_count: texture.sample_count,
        dimension: texture.dimension,
        format: texture.format,
        usage: wgpu::TextureUses::STORAGE_READ_ONLY | wgpu::TextureUses::COPY_DST,
        memory_flags: hal::MemoryFlags::empty(),
        view_formats: Vec::new(),
    };
    let (image, of_texture, of_buffer) = (backing.image, backing.clone(), backing.clone());
    // SAFETY: image and buffer match their descriptions, are zeroed and bound to memory. They live
    // until wgpu drops both, after the device has finished with them.
    unsafe {
        let external = hal::vulkan::TextureMemory::External;
        let release = Box::new(move || drop(of_texture));
        let made = raw.texture_from_raw(image, &descriptor, Some(release), external);
        drop(raw);
        let state = wgpu::TextureUses::UNINITIALIZED;
        let texture = device.create_texture_from_hal::<Vulkan>(made, texture, state);
        let release = Box::new(move || drop(of_buffer));
        let made = hal::vulkan::Buffer::from_raw_externally_owned(backing.buffer, release);
        let buffer = device.create_buffer_from_hal::<Vulkan>(made, buffer);
        Ok((buffer, texture))
    }
}

/// An image and a buffer bound to one memory. Handles not created yet are null, which Vulkan
/// ignores when it destroys them.
struct Backing {
    device: ash::Device,
    image: vk::Image,
    buffer: vk::Buffer,
    memory: vk::DeviceMemory,
}

impl Drop for Backing {
    fn drop(&mut self) {
        // SAFETY: this is their only owner, and the device has finished with them (see `pair`).
        unsafe {
            self.device.destroy_buffer(self.buffer, None);
            self.device.destroy_image(self.image, None);
            self.device.free_memory(self.memory, None);
        }
    }
}

impl Backing {
    fn new(
        raw: &hal::vulkan::Device,
        size: wgpu::Extent3d,
        bytes: u64,
        first_row: u32,
    ) -> Result<Backing, String> {
        let mut backing = Backing {
            device: raw.raw_device().clone(),
            image: vk::Image::null(),
            buffer: vk::Buffer::null(),
            memory: vk::DeviceMemory::null(),
        };
        let first = backing.make_handles(size, bytes).map_err(reason)?;
        let row = 16 * u64::from(size.width);
        if (first.offset, first.row_pitch) != (0, row) {
            return Err("this driver leaves gaps in textures".into());
        }
        backing.make_memory(raw, u64::from(first_row) * row, bytes)?;
        Ok(backing)
    }

    /// Creates the image and the buffer, and returns the offset of the image's first row.
    fn make_handles(
        &mut self,
        size: wgpu::Extent3d,
        bytes: u64,
    ) -> Result<vk::SubresourceLayout, vk::Result> {
        let usage = vk::ImageUsageFlags::STORAGE | vk::ImageUsageFlags::TRANSFER_DST;
        let info = vk::ImageCreateInfo::default()
            .image_type(vk::ImageType::TYPE_2D)
            .format(vk::Format::R32G32B32A32_SFLOAT)
            .extent(vk::Extent3D {
                width: size.width,
                height: size.height,
                depth: 1,
            })
            .mip_levels(1)
            .array_layers(1)
            .samples(vk::SampleCountFlags::TYPE_1)
            .tiling(vk::ImageTiling::LINEAR)
            .usage(usage)
            .initial_layout(vk::ImageLayout::PREINITIALIZED);
        let color = vk::ImageSubresource::default().aspect_mask(vk::ImageAspectFlags::COLOR);
        let usage = vk::BufferUsageFlags::STORAGE_BUFFER
            | vk::BufferUsageFlags::TRANSFER_SRC
            | vk::BufferUsageFlags::TRANSFER_DST;
        let buffer = vk::BufferCreateInfo::default().size(bytes).usage(usage);
        // SAFETY: the device is open and owns the image.
        unsafe {
            self.image = self.device.create_image(&info, None)?;
            self.buffer = self.device.create_buffer(&buffer, None)?;
            Ok(self.device.get_image_subresource_layout(self.image, color))
        }
    }

    /// Binds both to new memory.
    fn make_memory(
        &mut self,
        raw: &hal::vulkan::Device,
        offset: u64,
        bytes: u64,
    ) -> Result<(), String> {
        // SAFETY: the device owns image and buffer.
        let (image, buffer) = unsafe {
            (
                self.device.get_image_memory_requirements(self.image),
                self.device.get_buffer_memory_requirements(self.buffer),
            )
        };
        if !offset.is_multiple_of(buffer.alignment) {
            return Err("this driver wants buffers to begin elsewhere".into());
        }
        let types = image.memory_type_bits & buffer.memory_type_bits;
        let size = image.size.max(offset + buffer.size.max(bytes));
        let kind = memory_type(raw, types, size)?;
        self.bind(kind, size, offset).map_err(reason)
    }

    /// Allocates `size` zero bytes; binds the image to them and the buffer from `offset` on.
    fn bind(&mut self, kind: u32, size: u64, offset: u64) -> Result<(), vk::Result> {
        let info = vk::MemoryAllocateInfo::default()
            .allocation_size(size)
            .memory_type_index(kind);
        let all = vk::MemoryMapFlags::empty();
        // SAFETY: the memory is large enough for image and buffer and has no other user. It is
        // host-visible, and `size` bytes are mapped.
        unsafe {
            self.memory = self.device.allocate_memory(&info, None)?;
            let start = self.device.map_memory(self.memory, 0, size, all)?;
            start.cast::<u8>().write_bytes(0, size as usize);
            self.device.unmap_memory(self.memory);
            self.device.bind_image_memory(self.image, self.memory, 0)?;
            self.device
                .bind_buffer_memory(self.buffer, self.memory, offset)
        }
    }
}

/// The first host-visible type among `types` whose heap has room for `size` bytes.
fn memory_type(raw: &hal::vulkan::Device, types: u32, size: u64) -> Result<u32, String> {
    let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
    let mut found = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut budget);
    let instance = raw.shared_instance().raw_instance();
    // SAFETY: the adapter belongs to this instance.
    unsafe {
        let adapter = raw.raw_physical_device();
        instance.get_physical_device_memory_properties2(adapter, &mut found);
    }
    let memory = found.memory_properties;
    let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
    let kinds = memory.memory_types_as_slice().iter().zip(0u32..);
    let mut fit =
        kinds.filter(|(kind, index)| types >> index & 1 == 1 && kind.property_flags.contains(host));
    let (kind, index) = fit.next().ok_or("this driver has no such memory")?;
    let heap = kind.heap_index as usize;
    // Drivers without this extension report a budget of 0.
    let (room, used) = (budget.heap_budget[heap], budget.heap_usage[heap]);
    if room > 0 && used + size > room / 100 * MOST {
        return Err("not enough memory left".into());
    }
    Ok(index)
}

fn reason(error: vk::Result) -> String {
    error.to_string()
}
