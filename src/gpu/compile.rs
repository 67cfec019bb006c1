//! Compiles a plan to pipelines and bind groups for replay.

use super::device::{Gpu, Key, Pipeline};
use super::error::GpuError;
use super::memory::{Memory, Refresh};
use super::native;
use super::selection::Backend;
use crate::plan::bounds;
use crate::plan::link::{self, Shader};
use crate::plan::shader::Binding;
use crate::plan::{Bundle, Plan, PlanError, SlotId, Source, Step};

#[derive(Clone)]
pub(super) struct Dispatch {
    /// Copies into the mirrors that it reads.
    copies: Vec<Refresh>,
    pipeline: Pipeline,
    group: wgpu::BindGroup,
    /// On a checked device, the bind group of the bounds checks.
    guard: Option<wgpu::BindGroup>,
    grid: [u32; 3],
    pub(super) flops: u64,
}

impl Dispatch {
    fn encode(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.grid;
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        if let Some(guard) = &self.guard {
            pass.set_bind_group(bounds::GROUP, guard, &[]);
        }
        pass.dispatch_workgroups(x, y, z);
    }
}

/// Encodes dispatches in as few passes as possible; copies into mirrors separate passes. Calls `after`
/// after each dispatch.
pub(super) fn encode<'d>(
    encoder: &mut wgpu::CommandEncoder,
    dispatches: impl IntoIterator<Item = &'d Dispatch>,
    mut after: impl FnMut(&mut wgpu::ComputePass<'_>),
) {
    let mut dispatches = dispatches.into_iter().peekable();
    while let Some(first) = dispatches.next() {
        for copy in &first.copies {
            copy.encode(encoder);
        }
        let mut pass = encoder.begin_compute_pass(&Default::default());
        first.encode(&mut pass);
        after(&mut pass);
        while let Some(next) = dispatches.next_if(|next| next.copies.is_empty()) {
            next.encode(&mut pass);
            after(&mut pass);
        }
    }
}

/// A plan compiled for a memory.
pub struct Replay {
    pub(super) dispatches: Vec<Dispatch>,
}

impl Replay {
    /// Compiles `plan`, whose slots are in `memory`, with one dispatch per bundle.
    ///
    /// # Errors
    ///
    /// [`GpuError`] if the plan does not fit the adapter or the driver does not compile it.
    pub async fn compile(gpu: &Gpu, plan: &Plan, memory: &Memory) -> Result<Replay, GpuError> {
        plan.check()?;
        Self::of(gpu, plan, memory, &plan.bundles()?).await
    }

    /// Compiles `plan` with one dispatch per step, in the plan's order.
    pub async fn compile_steps(
        gpu: &Gpu,
        plan: &Plan,
        memory: &Memory,
    ) -> Result<Replay, GpuError> {
        plan.check()?;
        let alone: Vec<Bundle> = (0..plan.steps().len()).map(|step| vec![step]).collect();
        Self::of(gpu, plan, memory, &alone).await
    }

    pub(super) async fn of(
        gpu: &Gpu,
        plan: &Plan,
        memory: &Memory,
        bundles: &[Bundle],
    ) -> Result<Replay, GpuError> {
        let copies = plan.copies(bundles)?;
        let all: Vec<_> = bundles.iter().zip(&copies).collect();
        let make = async |(bundle, copies): &(&Bundle, &Vec<SlotId>)| {
            dispatch(gpu, plan, memory, bundle, copies).await
        };
        // wgpu guards OpenGL with one lock and gives up waiting for it after a few seconds.
        let alone = gpu.adapter.backend == Backend::Gl;
        let dispatches = native::map(&all, alone, make).await?;
        gpu.check()?;
        Ok(Replay { dispatches })
    }

    /// Only the first workgroup of each dispatch.
    #[cfg(feature = "cli")]
    pub(super) fn first_groups(mut self) -> Replay {
        self.dispatches.iter_mut().for_each(|d| d.grid = [1; 3]);
        self
    }

    /// The dispatch at `index` alone; empty if there is none.
    pub fn only(&self, index: usize) -> Replay {
        Replay {
            dispatches: self.dispatches.get(index).cloned().into_iter().collect(),
        }
    }
}

async fn dispatch(
    gpu: &Gpu,
    plan: &Plan,
    memory: &Memory,
    bundle: &Bundle,
    mirrors: &[SlotId],
) -> Result<Dispatch, GpuError> {
    let copies = mirrors.iter().map(|&id| memory.refresh(plan, id));
    let copies = copies.filter_map(Result::transpose);
    let copies = copies.collect::<Result<_, _>>()?;
    let steps: Vec<&Step> = bundle.iter().map(|&step| &plan.steps()[step]).collect();
    let dispatch = link::dispatch(&steps, &gpu.edits)?;
    let pipeline = gpu.pipeline(&dispatch).await?;
    let mut entries = Vec::new();
    for (binding, id) in &dispatch.bindings {
        entries.push(wgpu::BindGroupEntry {
            binding: binding.number,
            resource: memory.resource(plan, *id, binding.width)?,
        });
    }
    let descriptor = wgpu::BindGroupDescriptor {
        label: Some(&dispatch.label),
        layout: &pipeline.layout,
        entries: &entries,
    };
    let make = || gpu.device.create_bind_group(&descriptor);
    let (group, error) = gpu.scoped(make).await;
    if let Some(fault) = error {
        let step = dispatch.label;
        return Err(PlanError::Step { step, fault }.into());
    }
    Ok(Dispatch {
        copies,
        pipeline,
        group,
        guard: gpu.guard.as_ref().map(|guard| guard.group.clone()),
        grid: dispatch.grid,
        flops: dispatch.flops,
    })
}

fn binding_type(binding: &Binding) -> wgpu::BindingType {
    if binding.texels {
        return wgpu::BindingType::StorageTexture {
            access: wgpu::StorageTextureAccess::ReadOnly,
            format: wgpu::TextureFormat::Rgba32Float,
            view_dimension: wgpu::TextureViewDimension::D2,
        };
    }
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Storage {
            read_only: !binding.writable,
        },
        has_dynamic_offset: false,
        min_binding_size: None,
    }
}

impl Gpu {
    /// The pipeline of a dispatch. Equal dispatches share one, across plans.
    async fn pipeline(&self, dispatch: &link::Dispatch<'_>) -> Result<Pipeline, GpuError> {
        let (key, label) = match &dispatch.shader {
            Shader::Kernel(kernel) => {
                let label = format!("{}::{}", kernel.source.name, kernel.entry);
                (Key::Kernel(kernel.key()), label)
            }
            Shader::Linked(text) => (Key::Linked(text.clone()), dispatch.label.clone()),
        };
        if let Some(found) = self.cache.pipelines.lock().get(&key) {
            return Ok(found.clone());
        }
        let make = || self.compile(&label, &dispatch.shader, &dispatch.bindings);
        let (compiled, error) = self.scoped(make).await;
        if let Some(reason) = error {
            return Err(self.faults.refused(label, reason));
        }
        self.cache.pipelines.lock().insert(key, compiled.clone());
        Ok(compiled)
    }

    fn compile(
        &self,
        label: &str,
        shader: &Shader<'_>,
        bindings: &[(Binding, SlotId)],
    ) -> Pipeline {
        let (module, entry, constants) = match shader {
            Shader::Kernel(kernel) => (
                self.module(kernel.source),
                kernel.entry,
                &kernel.constants[..],
            ),
            Shader::Linked(text) => (self.create_module(label, text), "main", &[][..]),
        };
        let label = Some(label);
        let entries = bindings.iter().map(|(b, _)| wgpu::BindGroupLayoutEntry {
            binding: b.number,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: binding_type(b),
            count: None,
        });
        let entries = &entries.collect::<Vec<_>>();
        let descriptor = wgpu::BindGroupLayoutDescriptor { label, entries };
        let layout = self.device.create_bind_group_layout(&descriptor);
        let guard = self.guard.as_ref().map(|guard| Some(&guard.layout));
        let descriptor = wgpu::PipelineLayoutDescriptor {
            label,
            bind_group_layouts: &[Some(&layout)].into_iter().chain(guard).collect::<Vec<_>>(),
            immediate_size: 0,
        };
        let pipeline_layout = self.device.create_pipeline_layout(&descriptor);
        let descriptor = wgpu::ComputePipelineDescriptor {
            label,
            layout: Some(&pipeline_layout),
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants,
                // Every kernel writes its workgroup memory before it reads it.
                zero_initialize_workgroup_memory: self.selection.checked,
            },
            cache: None,
        };
        let pipeline = self.device.create_compute_pipeline(&descriptor);
        Pipeline { pipeline, layout }
    }

    /// The shader module of a source.
    fn module(&self, source: &'static Source) -> wgpu::ShaderModule {
        let mut modules = self.cache.modules.lock();
        let create = || self.create_module(source.name, &source.module_with(&self.edits));
        modules.entry(source.name).or_insert_with(create).clone()
    }

    #[expect(
        unsafe_code,
        reason = "bounds checks in shaders cost much and can only be left out this way"
    )]
    fn create_module(&self, label: &str, text: &str) -> wgpu::ShaderModule {
        // For invalid WGSL the error comes from wgpu.
        let guard = self.guard.as_ref();
        let source = guard.and_then(|guard| guard.source(label, text));
        let descriptor = wgpu::ShaderModuleDescriptor {
            label: Some(label),
            source: source.unwrap_or(wgpu::ShaderSource::Wgsl(text.into())),
        };
        if self.selection.checked {
            return self.device.create_shader_module(descriptor);
        }
        // SAFETY: tests/kernels/bounds.rs checks that no kernel leaves its slots or divides by
        // zero, in any workgroup. Every loop has a bound known before it starts, except that of
        // `permute`, which walks a finite cycle.
        unsafe {
            self.device
                .create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked())
        }
    }
}

/// A plan and its replay.
pub struct Compiled {
    /// The plan.
    pub plan: Plan,
    /// The compiled plan.
    pub replay: Replay,
}

impl Compiled {
    /// As [`Replay::compile`].
    pub async fn new(gpu: &Gpu, plan: Plan, memory: &Memory) -> Result<Self, GpuError> {
        let replay = Replay::compile(gpu, &plan, memory).await?;
        Ok(Compiled { plan, replay })
    }
}
