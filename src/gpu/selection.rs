//! The user's selection of an adapter and of the features to use.

use serde::de::value::StrDeserializer;
use serde::de::{self, DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};

use crate::ops::Tuning;

/// Graphics APIs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Backend {
    /// Vulkan: Linux, Windows, Android.
    Vulkan,
    /// Metal: Apple.
    Metal,
    /// Direct3D 12: Windows.
    Dx12,
    /// OpenGL ES.
    Gl,
    /// WebGPU, in browsers.
    WebGpu,
}

impl Backend {
    /// Every backend of native programs, the preferred one first.
    pub const ALL: [Backend; 4] = [Backend::Vulkan, Backend::Metal, Backend::Dx12, Backend::Gl];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        self.wgpu().to_str()
    }

    pub(super) fn wgpu(self) -> wgpu::Backend {
        match self {
            Backend::Vulkan => wgpu::Backend::Vulkan,
            Backend::Metal => wgpu::Backend::Metal,
            Backend::Dx12 => wgpu::Backend::Dx12,
            Backend::Gl => wgpu::Backend::Gl,
            Backend::WebGpu => wgpu::Backend::BrowserWebGpu,
        }
    }

    pub(super) fn of(backend: wgpu::Backend) -> Option<Backend> {
        let mut all = Backend::ALL.into_iter().chain([Backend::WebGpu]);
        all.find(|own| own.wgpu() == backend)
    }
}

impl std::str::FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("unknown backend `{text}`: use vulkan, metal, dx12 or gl");
        by_name(text).ok_or_else(unknown)
    }
}

/// The value that serializes to this name.
fn by_name<T: DeserializeOwned>(text: &str) -> Option<T> {
    let text: StrDeserializer<'_, de::value::Error> = text.into_deserializer();
    T::deserialize(text).ok()
}

/// Features of an adapter that a user can disable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Feature {
    /// Subgroup operations.
    Subgroups,
    /// Images read from textures.
    Texels,
    /// GPU timestamps.
    Timestamps,
    /// Fused kernels and dispatches of several steps.
    Fusion,
    /// Pinning of a software driver's threads to cores.
    Pinning,
    /// Textures that alias buffers.
    Aliasing,
}

impl Feature {
    /// Every feature.
    pub const ALL: [Feature; 6] = [
        Feature::Subgroups,
        Feature::Texels,
        Feature::Timestamps,
        Feature::Fusion,
        Feature::Pinning,
        Feature::Aliasing,
    ];

    /// Name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Feature::Subgroups => "subgroups",
            Feature::Texels => "texels",
            Feature::Timestamps => "timestamps",
            Feature::Fusion => "fusion",
            Feature::Pinning => "pinning",
            Feature::Aliasing => "aliasing",
        }
    }
}

impl std::str::FromStr for Feature {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let all = "subgroups, texels, timestamps, fusion, pinning or aliasing";
        by_name(text).ok_or_else(|| format!("unknown feature `{text}`: use {all}"))
    }
}

/// The adapter to open and the features to disable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// Index in the list of adapters, or part of a name; `None` for the best adapter.
    pub adapter: Option<String>,
    /// Restricts the adapters to this backend.
    pub backend: Option<Backend>,
    /// Features not to use, so that every fallback can be tried.
    pub disable: Vec<Feature>,
    /// Keep wgpu's bounds checks and loop bounds in the shaders.
    pub checked: bool,
    /// Report which access is out of bounds. Such shaders take several times as long to compile.
    pub named: bool,
    /// Choices among kernels.
    #[serde(flatten)]
    pub tuning: Tuning,
}

impl Selection {
    /// Whether the user has not disabled a feature; the adapter may still lack it.
    pub fn allows(&self, feature: Feature) -> bool {
        !self.disable.contains(&feature)
    }
}
