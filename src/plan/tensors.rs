//! Tensors on the CPU, for twins.

use std::cell::{Ref, RefCell, RefMut};

use super::slot::Scalar;

/// Contents of a slot.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Floats in double precision.
    Floats(Vec<f64>),
    /// Unsigned integers.
    Words(Vec<u32>),
}

impl Values {
    pub(crate) fn zeros(scalar: Scalar, len: usize) -> Self {
        match scalar {
            Scalar::F32 => Values::Floats(vec![0.0; len]),
            Scalar::U32 => Values::Words(vec![0; len]),
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Values::Floats(v) => v.len(),
            Values::Words(v) => v.len(),
        }
    }

    pub(crate) fn range(&self, start: usize, len: usize) -> Values {
        match self {
            Values::Floats(v) => Values::Floats(v[start..start + len].to_vec()),
            Values::Words(v) => Values::Words(v[start..start + len].to_vec()),
        }
    }

    pub(crate) fn overwrite(&mut self, start: usize, from: &Values) {
        match (self, from) {
            (Values::Floats(to), Values::Floats(from)) => {
                to[start..start + from.len()].copy_from_slice(from);
            }
            (Values::Words(to), Values::Words(from)) => {
                to[start..start + from.len()].copy_from_slice(from);
            }
            _ => panic!("a slot's contents must keep its element type"),
        }
    }
}

/// The tensors of one step by WGSL name.
pub struct Tensors {
    pub(super) values: Vec<(&'static str, RefCell<Values>)>,
}

impl Tensors {
    /// Tensors from values by WGSL name.
    pub fn new(values: impl IntoIterator<Item = (&'static str, Values)>) -> Self {
        let values = values.into_iter().map(|(n, v)| (n, RefCell::new(v)));
        Tensors {
            values: values.collect(),
        }
    }

    /// The tensor `name` of either type. Panics if there is none.
    pub fn values(&self, name: &str) -> RefMut<'_, Values> {
        self.cell(name).borrow_mut()
    }

    fn cell(&self, name: &str) -> &RefCell<Values> {
        let found = self.values.iter().find(|(n, _)| *n == name);
        &found
            .unwrap_or_else(|| panic!("the step binds no `{name}`"))
            .1
    }

    /// The float tensor `name`, read-only. Panics if there is none.
    pub fn floats(&self, name: &str) -> Ref<'_, [f64]> {
        Ref::map(self.cell(name).borrow(), |v| match v {
            Values::Floats(v) => v.as_slice(),
            Values::Words(_) => panic!("`{name}` holds integers"),
        })
    }

    /// The float tensor `name`, writable. Panics if there is none.
    pub fn floats_mut(&self, name: &str) -> RefMut<'_, [f64]> {
        RefMut::map(self.cell(name).borrow_mut(), |v| match v {
            Values::Floats(v) => v.as_mut_slice(),
            Values::Words(_) => panic!("`{name}` holds integers"),
        })
    }

    /// The integer tensor `name`, read-only. Panics if there is none.
    pub fn words(&self, name: &str) -> Ref<'_, [u32]> {
        Ref::map(self.cell(name).borrow(), |v| match v {
            Values::Words(v) => v.as_slice(),
            Values::Floats(_) => panic!("`{name}` holds floats"),
        })
    }

    /// The integer tensor `name`, writable. Panics if there is none.
    pub fn words_mut(&self, name: &str) -> RefMut<'_, [u32]> {
        RefMut::map(self.cell(name).borrow_mut(), |v| match v {
            Values::Words(v) => v.as_mut_slice(),
            Values::Floats(_) => panic!("`{name}` holds floats"),
        })
    }
}
