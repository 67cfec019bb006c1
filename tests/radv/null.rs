//! Null hardware: with `RADV_FORCE_FAMILY` set, Mesa's RADV opens a device of that family of AMD's GPUs. It
//! compiles as for a real one, by the same back end (ACO), and executes nothing.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString};
use std::path::{Path, PathBuf};
use std::process::Command;

use ash::khr::pipeline_executable_properties as executable;
use ash::{ext, vk};
use vk::PipelineExecutableStatisticFormatKHR as Format;

/// Where packages and users put the manifests of Vulkan drivers.
const FOLDERS: [&str; 4] = [
    "/usr/share/vulkan/icd.d",
    "/usr/local/share/vulkan/icd.d",
    "/etc/vulkan/icd.d",
    "/run/opengl-driver/share/vulkan/icd.d",
];

/// The manifest of RADV for this processor; `CVAE_GPU_RADV_MANIFEST` names that of another version.
pub fn manifest() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("CVAE_GPU_RADV_MANIFEST") {
        return Some(path.into());
    }
    let names = [
        format!("radeon_icd.{}.json", std::env::consts::ARCH),
        "radeon_icd.json".to_owned(),
    ];
    let paths = FOLDERS
        .iter()
        .flat_map(|folder| names.iter().map(|name| Path::new(folder).join(name)));
    paths.into_iter().find(|path| path.is_file())
}

/// Makes RADV the only driver of a child process, with the null hardware of a family.
pub fn prepare(command: &mut Command, manifest: &Path, family: &str) {
    command
        .env("RADV_FORCE_FAMILY", family)
        .env("VK_DRIVER_FILES", manifest)
        .env("VK_ICD_FILENAMES", manifest)
        .env("NODEVICE_SELECT", "1");
}

/// A device that compiles.
pub struct Null {
    device: ash::Device,
    executables: executable::Device,
    // Declared last: the loader is closed after the device.
    _instance: ash::Instance,
    _entry: ash::Entry,
}

/// What the driver reports of a kernel.
pub struct Compiled {
    /// Statistics by the driver's names.
    pub statistics: BTreeMap<String, u64>,
    /// Lanes of a wave.
    pub wave: u32,
    /// Assembly, if it was asked for.
    pub isa: String,
}

impl Null {
    /// The device of the family in the environment; `None` if this system's RADV has no such family.
    pub fn open() -> Option<Null> {
        let application = vk::ApplicationInfo::default().api_version(vk::API_VERSION_1_3);
        let info = vk::InstanceCreateInfo::default().application_info(&application);
        // SAFETY: every structure outlives the call that reads it, and the driver is Mesa's.
        unsafe {
            let entry = ash::Entry::load().ok()?;
            let instance = entry.create_instance(&info, None).ok()?;
            let physical = instance.enumerate_physical_devices().ok()?;
            let physical = *physical.iter().find(|&&p| is_null(&instance, p))?;
            let device = create(&instance, physical).ok()?;
            let executables = executable::Device::new(&instance, &device);
            Some(Null {
                device,
                executables,
                _instance: instance,
                _entry: entry,
            })
        }
    }

    /// Compiles an entry point over storage buffers with these numbers.
    pub fn compile(
        &self,
        code: &[u32],
        entry: &str,
        bindings: &[u32],
        with_isa: bool,
    ) -> Result<Compiled, vk::Result> {
        let entry = CString::new(entry).expect("a name without zeros");
        let binding = |number: &u32| {
            vk::DescriptorSetLayoutBinding::default()
                .binding(*number)
                .descriptor_count(1)
                .descriptor_type(vk::DescriptorType::STORAGE_BUFFER)
                .stage_flags(vk::ShaderStageFlags::COMPUTE)
        };
        let bindings: Vec<_> = bindings.iter().map(binding).collect();
        let set = vk::DescriptorSetLayoutCreateInfo::default().bindings(&bindings);
        let module = vk::ShaderModuleCreateInfo::default().code(code);
        let mut flags = vk::PipelineCreateFlags::CAPTURE_STATISTICS_KHR;
        if with_isa {
            flags |= vk::PipelineCreateFlags::CAPTURE_INTERNAL_REPRESENTATIONS_KHR;
        }
        let device = &self.device;
        // SAFETY: as in `open`; all objects are destroyed, but for those of a compilation that fails.
        unsafe {
            let sets = [device.create_descriptor_set_layout(&set, None)?];
            let layout = vk::PipelineLayoutCreateInfo::default().set_layouts(&sets);
            let layout = device.create_pipeline_layout(&layout, None)?;
            let module = device.create_shader_module(&module, None)?;
            // As wgpu does for an adapter with subgroup operations.
            let stage = vk::PipelineShaderStageCreateInfo::default()
                .flags(vk::PipelineShaderStageCreateFlags::ALLOW_VARYING_SUBGROUP_SIZE)
                .stage(vk::ShaderStageFlags::COMPUTE)
                .module(module)
                .name(&entry);
            let info = vk::ComputePipelineCreateInfo::default()
                .flags(flags)
                .layout(layout)
                .stage(stage);
            let none = vk::PipelineCache::null();
            let made = device.create_compute_pipelines(none, &[info], None);
            let pipeline = made.map_err(|(_, error)| error)?[0];
            let found = self.report(pipeline, with_isa);
            device.destroy_pipeline(pipeline, None);
            device.destroy_shader_module(module, None);
            device.destroy_pipeline_layout(layout, None);
            device.destroy_descriptor_set_layout(sets[0], None);
            found
        }
    }

    unsafe fn report(
        &self,
        pipeline: vk::Pipeline,
        with_isa: bool,
    ) -> Result<Compiled, vk::Result> {
        let kernel = vk::PipelineExecutableInfoKHR::default().pipeline(pipeline);
        let whole = vk::PipelineInfoKHR::default().pipeline(pipeline);
        // SAFETY: the pipeline has one executable, and was created with the flags that the queries need.
        unsafe {
            let properties = (self.executables).get_pipeline_executable_properties(&whole)?;
            let found = (self.executables).get_pipeline_executable_statistics(&kernel)?;
            let isa = match with_isa {
                true => self.isa(&kernel)?,
                false => String::new(),
            };
            Ok(Compiled {
                statistics: found.iter().map(|s| (text(&s.name), value(s))).collect(),
                wave: properties.first().map_or(0, |p| p.subgroup_size),
                isa,
            })
        }
    }

    /// ash has no wrapper for internal representations, of which the assembly is one.
    unsafe fn isa(&self, kernel: &vk::PipelineExecutableInfoKHR) -> Result<String, vk::Result> {
        let query = (self.executables.fp()).get_pipeline_executable_internal_representations_khr;
        let device = self.device.handle();
        // SAFETY: the first call counts, the second gets sizes, the third fills buffers of those sizes.
        unsafe {
            let mut count = 0;
            query(device, kernel, &mut count, std::ptr::null_mut()).result()?;
            let empty = vk::PipelineExecutableInternalRepresentationKHR::default();
            let mut all = vec![empty; count as usize];
            query(device, kernel, &mut count, all.as_mut_ptr()).result()?;
            let mut texts: Vec<Vec<u8>> = all.iter().map(|r| vec![0; r.data_size]).collect();
            for (representation, text) in all.iter_mut().zip(&mut texts) {
                representation.p_data = text.as_mut_ptr().cast();
            }
            query(device, kernel, &mut count, all.as_mut_ptr()).result()?;
            let assembly = all.iter().position(|r| text(&r.name) == "Assembly");
            let assembly = assembly.map(|number| &texts[number]);
            let text = assembly.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            Ok(text.unwrap_or_default().trim_end_matches('\0').to_owned())
        }
    }
}

unsafe fn is_null(instance: &ash::Instance, physical: vk::PhysicalDevice) -> bool {
    // SAFETY: the device is one of the instance's.
    let properties = unsafe { instance.get_physical_device_properties(physical) };
    text(&properties.device_name).contains("RADV")
}

/// A device with the features that wgpu enables, as far as they change the code.
unsafe fn create(
    instance: &ash::Instance,
    physical: vk::PhysicalDevice,
) -> Result<ash::Device, vk::Result> {
    let queue = [vk::DeviceQueueCreateInfo::default().queue_priorities(&[1.0])];
    let extensions = [executable::NAME.as_ptr(), ext::robustness2::NAME.as_ptr()];
    let core = vk::PhysicalDeviceFeatures::default().robust_buffer_access(true);
    let mut statistics = vk::PhysicalDevicePipelineExecutablePropertiesFeaturesKHR::default()
        .pipeline_executable_info(true);
    let mut robust = vk::PhysicalDeviceRobustness2FeaturesEXT::default()
        .robust_buffer_access2(true)
        .robust_image_access2(true);
    let mut v12 = vk::PhysicalDeviceVulkan12Features::default().vulkan_memory_model(true);
    let mut v13 = vk::PhysicalDeviceVulkan13Features::default()
        .robust_image_access(true)
        .subgroup_size_control(true)
        .compute_full_subgroups(true)
        .shader_zero_initialize_workgroup_memory(true)
        .maintenance4(true);
    let info = vk::DeviceCreateInfo::default()
        .queue_create_infos(&queue)
        .enabled_extension_names(&extensions)
        .enabled_features(&core)
        .push_next(&mut statistics)
        .push_next(&mut robust)
        .push_next(&mut v12)
        .push_next(&mut v13);
    // SAFETY: as in `open`.
    unsafe { instance.create_device(physical, &info, None) }
}

fn text(name: &[std::ffi::c_char]) -> String {
    // SAFETY: the driver ends its names with a zero.
    let name = unsafe { CStr::from_ptr(name.as_ptr()) };
    name.to_string_lossy().into_owned()
}

fn value(statistic: &vk::PipelineExecutableStatisticKHR) -> u64 {
    // SAFETY: the format says which member the driver wrote.
    unsafe {
        match statistic.format {
            Format::BOOL32 => u64::from(statistic.value.b32),
            Format::FLOAT64 => statistic.value.f64 as u64,
            _ => statistic.value.u64,
        }
    }
}
