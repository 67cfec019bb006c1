//! A buffer and a texture over the same memory: a mirror that is never out of date, and never copied.
//!
//! WebGPU knows no such thing. In Vulkan an image of linear tiling lies in memory row behind row, and
//! a buffer may be bound to the same memory. wgpu takes the two for strangers and sets no barrier
//! between a dispatch that writes the one and a dispatch that reads the other. So they are only for
//! software drivers, which end each dispatch before they begin the next.

/// A texture, all zero, and a buffer that begins with one of its rows and ends with its last.
pub(crate) struct Pair {
    pub buffer: wgpu::Buffer,
    pub texture: wgpu::Texture,
}

#[cfg(target_os = "linux")]
pub(crate) use vulkan::pair;

#[cfg(not(target_os = "linux"))]
pub(crate) fn pair(
    _: &wgpu::Device,
    _: &wgpu::TextureDescriptor,
    _: &wgpu::BufferDescriptor,
    _: u32,
) -> Result<Pair, String> {
    Err("not on this system".into())
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "wgpu has no safe way to let resources share memory"
)]
mod vulkan {
    use std::sync::Arc;

    use ash::vk;
    use wgpu::hal;
    use wgpu::hal::api::Vulkan;

    use super::Pair;

    /// Most of its memory that a driver is asked for, in per cent, as in what wgpu allocates.
    const MOST: u64 = 95;

    /// Makes a pair of a texture of `Rgba32Float` like `texture` and a buffer like `buffer`, which is
    /// as long as the rows of the texture from `first_row` on. The error is the reason why there is
    /// none, as one that this driver lays textures out in another way.
    pub fn pair(
        device: &wgpu::Device,
        texture: &wgpu::TextureDescriptor,
        buffer: &wgpu::BufferDescriptor,
        first_row: u32,
    ) -> Result<Pair, String> {
        // SAFETY: nothing that is not made here is destroyed.
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
        // SAFETY: image and buffer are as described, zero, bound to memory, and live until both of
        // these have been dropped, which wgpu does when the device no longer uses them.
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
            Ok(Pair { buffer, texture })
        }
    }

    /// An image and a buffer, bound to memory of their own. What is not there yet is null, which
    /// Vulkan destroys without complaint.
    struct Backing {
        device: ash::Device,
        image: vk::Image,
        buffer: vk::Buffer,
        memory: vk::DeviceMemory,
    }

    impl Drop for Backing {
        fn drop(&mut self) {
            // SAFETY: nothing else destroys these, and the device is done with them, see `pair`.
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
            let first = backing.make_image(size).map_err(reason)?;
            let row = 16 * u64::from(size.width);
            if (first.offset, first.row_pitch) != (0, row) {
                return Err("this driver leaves gaps in textures".into());
            }
            backing.make_buffer(bytes).map_err(reason)?;
            let offset = u64::from(first_row) * row;
            backing.make_memory(raw, offset, bytes)?;
            Ok(backing)
        }

        /// Makes the image, and says where its first row lies.
        fn make_image(
            &mut self,
            size: wgpu::Extent3d,
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
            // SAFETY: the device is open, and the image one of its own.
            unsafe {
                self.image = self.device.create_image(&info, None)?;
                Ok(self.device.get_image_subresource_layout(self.image, color))
            }
        }

        fn make_buffer(&mut self, bytes: u64) -> Result<(), vk::Result> {
            let usage = vk::BufferUsageFlags::STORAGE_BUFFER
                | vk::BufferUsageFlags::TRANSFER_SRC
                | vk::BufferUsageFlags::TRANSFER_DST;
            let info = vk::BufferCreateInfo::default().size(bytes).usage(usage);
            // SAFETY: the device is open.
            self.buffer = unsafe { self.device.create_buffer(&info, None)? };
            Ok(())
        }

        /// Binds both to memory of their own.
        fn make_memory(
            &mut self,
            raw: &hal::vulkan::Device,
            offset: u64,
            bytes: u64,
        ) -> Result<(), String> {
            // SAFETY: image and buffer are of this device.
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

        /// Binds the image to `size` zeros, and the buffer to those from `offset` on.
        fn bind(&mut self, kind: u32, size: u64, offset: u64) -> Result<(), vk::Result> {
            let info = vk::MemoryAllocateInfo::default()
                .allocation_size(size)
                .memory_type_index(kind);
            let all = vk::MemoryMapFlags::empty();
            // SAFETY: the memory is as large as image and buffer need, and nothing else has it. The
            // host may write it and has mapped `size` bytes of it.
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

    /// The first of these memory types that the host writes, if there is room.
    fn memory_type(raw: &hal::vulkan::Device, types: u32, size: u64) -> Result<u32, String> {
        let mut budget = vk::PhysicalDeviceMemoryBudgetPropertiesEXT::default();
        let mut found = vk::PhysicalDeviceMemoryProperties2::default().push_next(&mut budget);
        let instance = raw.shared_instance().raw_instance();
        // SAFETY: the adapter is of this instance.
        unsafe {
            let adapter = raw.raw_physical_device();
            instance.get_physical_device_memory_properties2(adapter, &mut found);
        }
        let memory = found.memory_properties;
        let host = vk::MemoryPropertyFlags::HOST_VISIBLE | vk::MemoryPropertyFlags::HOST_COHERENT;
        let kinds = memory.memory_types_as_slice().iter().zip(0u32..);
        let mut fit = kinds
            .filter(|(kind, index)| types >> index & 1 == 1 && kind.property_flags.contains(host));
        let (kind, index) = fit.next().ok_or("this driver has no such memory")?;
        let heap = kind.heap_index as usize;
        // Where the driver does not tell, the budget is 0.
        let (room, used) = (budget.heap_budget[heap], budget.heap_usage[heap]);
        if room > 0 && used + size > room / 100 * MOST {
            return Err("not enough memory left".into());
        }
        Ok(index)
    }

    fn reason(error: vk::Result) -> String {
        error.to_string()
    }
}
