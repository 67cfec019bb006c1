//! Turns a plan into pipelines and bind groups, ready to be replayed.

use std::sync::Arc;

use super::context::{Gpu, lock};
use super::error::GpuError;
use super::memory::Memory;
use crate::plan::shader::{self, Binding, Entry, SOURCES};
use crate::plan::{Kernel, Plan, PlanError, Step};

/// A compiled kernel and the layout of its one bind group.
pub struct Pipeline {
    pub(super) pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
}

#[derive(Clone)]
pub(super) struct Dispatch {
    pub(super) pipeline: Arc<Pipeline>,
    pub(super) group: wgpu::BindGroup,
    pub(super) grid: [u32; 3],
    pub(super) flops: u64,
}

impl Dispatch {
    pub(super) fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.grid;
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}

/// A plan, compiled against a memory.
pub struct Replay {
    pub(super) dispatches: Vec<Dispatch>,
}

impl Replay {
    /// Compiles `plan`, whose slots lie in `memory`.
    pub fn compile(gpu: &Gpu, plan: &Plan, memory: &Memory) -> Result<Replay, GpuError> {
        plan.check()?;
        let steps = plan.steps().iter();
        let dispatches = steps
            .map(|step| dispatch(gpu, plan, memory, step))
            .collect::<Result<_, _>>()?;
        gpu.check()?;
        Ok(Replay { dispatches })
    }

    /// One workgroup of one step of `plan`.
    pub(super) fn first_group(
        gpu: &Gpu,
        plan: &Plan,
        memory: &Memory,
        step: &Step,
    ) -> Result<Replay, GpuError> {
        let whole = dispatch(gpu, plan, memory, step)?;
        let dispatches = vec![Dispatch {
            grid: [1; 3],
            ..whole
        }];
        Ok(Replay { dispatches })
    }

    /// One step of the plan alone; none where there are not so many.
    pub fn step(&self, index: usize) -> Replay {
        Replay {
            dispatches: self.dispatches.get(index).cloned().into_iter().collect(),
        }
    }
}

fn dispatch(gpu: &Gpu, plan: &Plan, memory: &Memory, step: &Step) -> Result<Dispatch, GpuError> {
    let fault = |fault: String| PlanError::Step {
        step: step.label.clone(),
        fault,
    };
    let entry = shader::reflect(step.kernel.module, step.kernel.entry).map_err(fault)?;
    let pipeline = gpu.pipeline(&step.kernel, entry)?;
    let mut entries = Vec::new();
    for binding in &entry.bindings {
        let bound = step.bindings.iter().find(|(name, _)| *name == binding.name);
        let (_, id) = bound.ok_or_else(|| fault(format!("`{}` is not bound", binding.name)))?;
        entries.push(wgpu::BindGroupEntry {
            binding: binding.number,
            resource: memory.resource(plan, *id)?,
        });
    }
    let descriptor = wgpu::BindGroupDescriptor {
        label: Some(&step.label),
        layout: &pipeline.layout,
        entries: &entries,
    };
    let (group, error) = gpu.scoped(|| gpu.device.create_bind_group(&descriptor));
    if let Some(error) = error {
        return Err(fault(error).into());
    }
    Ok(Dispatch {
        pipeline,
        group,
        grid: step.grid,
        flops: step.flops,
    })
}

fn binding_type(binding: &Binding) -> wgpu::BindingType {
    let view_dimension = wgpu::TextureViewDimension::D2;
    match (binding.texels, binding.writable) {
        (true, true) => wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::WriteOnly,
            format: wgpu::TextureFormat::Rgba32Float,
            view_dimension,
        },
        (true, false) => wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::ReadOnly,
            format: wgpu::TextureFormat::Rgba32Float,
            view_dimension,
        },
        (false, writable) => wgpu::BindingType::Buffer {
            ty: wgpu::BufferBindingType::Storage {
                read_only: !writable,
            },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
    }
}

impl Gpu {
    /// The pipeline of a kernel; equal kernels, of whatever plan, share one.
    fn pipeline(&self, kernel: &Kernel, entry: &Entry) -> Result<Arc<Pipeline>, GpuError> {
        let key = format!("{kernel:?}");
        if let Some(found) = lock(&self.pipelines).get(&key) {
            return Ok(found.clone());
        }
        let label = format!("{}::{}", kernel.module, kernel.entry);
        let entries: Vec<_> = entry
            .bindings
            .iter()
            .map(|b| wgpu::BindGroupLayoutEntry {
                binding: b.number,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: binding_type(b),
                count: None,
            })
            .collect();
        let (compiled, error) = self.scoped(|| self.compile(kernel, &label, &entries));
        if let Some(reason) = error {
            return Err(GpuError::Kernel {
                adapter: self.adapter.name.clone(),
                kernel: label,
                reason,
            });
        }
        let compiled = Arc::new(compiled);
        lock(&self.pipelines).insert(key, compiled.clone());
        Ok(compiled)
    }

    fn compile(
        &self,
        kernel: &Kernel,
        label: &str,
        entries: &[wgpu::BindGroupLayoutEntry],
    ) -> Pipeline {
        let descriptor = wgpu::BindGroupLayoutDescriptor {
            label: Some(label),
            entries,
        };
        let layout = self.device.create_bind_group_layout(&descriptor);
        let pipeline_layout = self
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(label),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
        let pipeline = self
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(label),
                layout: Some(&pipeline_layout),
                module: &self.module(kernel.module),
                entry_point: Some(kernel.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &kernel.constants,
                    // Every kernel fills its workgroup memory before reading it.
                    zero_initialize_workgroup_memory: self.checked,
                },
                cache: None,
            });
        Pipeline { pipeline, layout }
    }

    #[expect(
        unsafe_code,
        reason = "bounds checks in shaders cost much and can only be left out this way"
    )]
    fn module(&self, name: &'static str) -> wgpu::ShaderModule {
        let mut modules = lock(&self.modules);
        let create = || {
            let source = SOURCES.iter().find(|s| s.name == name);
            let text = source.map(|s| s.module_with(&self.mistakes));
            let text = text.unwrap_or_default();
            let descriptor = wgpu::ShaderModuleDescriptor {
                label: Some(name),
                source: wgpu::ShaderSource::Wgsl(text.into()),
            };
            if self.checked {
                return self.device.create_shader_module(descriptor);
            }
            // SAFETY: the kernels index within their slots for every grid a checked plan can
            // hold, and each loop ends; the parity tests run them with the checks on as well.
            unsafe {
                self.device.create_shader_module_trusted(
                    descriptor,
                    wgpu::ShaderRuntimeChecks::unchecked(),
                )
            }
        };
        modules.entry(name).or_insert_with(create).clone()
    }
}
