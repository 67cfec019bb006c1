//! Bounds checks for shaders: indices outside an array or texture, and divisions by zero.
//!
//! wgpu's own checks make such an access harmless and so hide it. [`guard`] adds a test to each access;
//! a failed test writes its number to a buffer.

use naga::{
    AtomicFunction, BinaryOperator, Block, Expression, Function, Handle, Literal, Module, Range,
    Span, Statement, TypeInner, UniqueArena,
};

/// Bind group of the buffer that failed tests write to: one word, initially 0.
pub const GROUP: u32 = 1;

/// A module with bounds checks.
pub struct Guarded {
    /// The module.
    pub module: Module,
    /// The WGSL text of each tested access. If test `i` fails, the word becomes at least
    /// `first + i`.
    pub sites: Vec<String>,
}

/// Adds tests to the WGSL module `text`, numbered from `first` (at least 1).
///
/// # Errors
///
/// The message of naga if `text` is not valid WGSL.
pub fn guard(text: &str, first: u32) -> Result<Guarded, String> {
    let mut module = naga::front::wgsl::parse_str(text).map_err(|e| e.emit_to_string(text))?;
    let info = super::shader::validator(true)
        .validate(&module)
        .map_err(|e| e.emit_to_string(text))?;
    let found = found_variable(&mut module);
    let mut functions = std::mem::take(&mut module.functions);
    let mut points = std::mem::take(&mut module.entry_points);
    let mut sites = Vec::new();
    let bodies = functions
        .iter_mut()
        .map(|(handle, function)| (function, &info[handle]));
    let bodies: Vec<_> = bodies.collect();
    let entries = points.iter_mut().enumerate();
    let entries = entries.map(|(i, point)| (&mut point.function, info.get_entry_point(i)));
    for (function, info) in bodies.into_iter().chain(entries) {
        let body = std::mem::take(&mut function.body);
        let found = function
            .expressions
            .append(Expression::GlobalVariable(found), Span::UNDEFINED);
        let mut guard = Guard {
            text,
            types: &mut module.types,
            globals: &module.global_variables,
            info,
            function,
            found,
            first,
            sites: &mut sites,
        };
        let body = guard.block(body);
        guard.function.body = body;
    }
    module.functions = functions;
    module.entry_points = points;
    Ok(Guarded { module, sites })
}

/// Declares the word that failed tests write to.
fn found_variable(module: &mut Module) -> Handle<naga::GlobalVariable> {
    let word = naga::Type {
        name: None,
        inner: TypeInner::Atomic(naga::Scalar::U32),
    };
    let ty = module.types.insert(word, Span::UNDEFINED);
    let variable = naga::GlobalVariable {
        name: Some("found".into()),
        space: naga::AddressSpace::Storage {
            access: naga::StorageAccess::LOAD | naga::StorageAccess::STORE,
        },
        binding: Some(naga::ResourceBinding {
            group: GROUP,
            binding: 0,
        }),
        ty,
        init: None,
        memory_decorations: naga::MemoryDecorations::empty(),
    };
    module.global_variables.append(variable, Span::UNDEFINED)
}

/// The function being rewritten.
struct Guard<'m> {
    text: &'m str,
    types: &'m mut UniqueArena<naga::Type>,
    globals: &'m naga::Arena<naga::GlobalVariable>,
    info: &'m naga::valid::FunctionInfo,
    function: &'m mut Function,
    found: Handle<Expression>,
    first: u32,
    sites: &'m mut Vec<String>,
}

impl Guard<'_> {
    fn block(&mut self, block: Block) -> Block {
        let mut guarded = Block::with_capacity(block.len());
        for (mut statement, span) in block.span_into_iter() {
            match &mut statement {
                Statement::Block(inner) => *inner = self.block(std::mem::take(inner)),
                Statement::If { accept, reject, .. } => {
                    *accept = self.block(std::mem::take(accept));
                    *reject = self.block(std::mem::take(reject));
                }
                Statement::Switch { cases, .. } => {
                    for case in cases {
                        case.body = self.block(std::mem::take(&mut case.body));
                    }
                }
                Statement::Loop {
                    body, continuing, ..
                } => {
                    *body = self.block(std::mem::take(body));
                    *continuing = self.block(std::mem::take(continuing));
                }
                _ => {}
            }
            let emitted = match &statement {
                Statement::Emit(range) => range.clone().collect(),
                _ => Vec::new(),
            };
            guarded.push(statement, span);
            for expression in emitted {
                if let Some(fails) = self.failure(expression, &mut guarded) {
                    self.report(expression, fails, &mut guarded);
                }
            }
        }
        guarded
    }

    fn inner(&self, expression: Handle<Expression>) -> TypeInner {
        self.info[expression].ty.inner_with(self.types).clone()
    }

    /// Adds an expression that needs no `Emit` statement (a literal or a variable).
    fn add(&mut self, expression: Expression) -> Handle<Expression> {
        self.function
            .expressions
            .append(expression, Span::UNDEFINED)
    }

    /// Adds expressions and an `Emit` statement for them; returns the last one.
    fn emit(&mut self, expressions: &[Expression], block: &mut Block) -> Handle<Expression> {
        let handles: Vec<_> = expressions.iter().map(|e| self.add(e.clone())).collect();
        let (first, last) = (handles[0], handles[handles.len() - 1]);
        let range = Range::new_from_bounds(first, last);
        block.push(Statement::Emit(range), Span::UNDEFINED);
        last
    }

    /// The condition under which `expression` is an error; `None` if it cannot fail.
    fn failure(
        &mut self,
        expression: Handle<Expression>,
        block: &mut Block,
    ) -> Option<Handle<Expression>> {
        match self.function.expressions[expression] {
            Expression::Access { base, index } => {
                let length = self.length(base, block)?;
                let index = self.unsigned(index, block);
                let beyond = Expression::Binary {
                    op: BinaryOperator::GreaterEqual,
                    left: index,
                    right: length,
                };
                Some(self.emit(&[beyond], block))
            }
            Expression::ImageLoad {
                image, coordinate, ..
            } => {
                let size = Expression::ImageQuery {
                    image,
                    query: naga::ImageQuery::Size { level: None },
                };
                let size = self.emit(&[size], block);
                let beyond = Expression::Binary {
                    op: BinaryOperator::GreaterEqual,
                    left: coordinate,
                    right: size,
                };
                let beyond = self.emit(&[beyond], block);
                Some(self.any(beyond, block))
            }
            Expression::Binary {
                op: BinaryOperator::Divide | BinaryOperator::Modulo,
                right,
                ..
            } => {
                let inner = self.inner(right);
                let scalar = inner.scalar()?;
                let integer =
                    matches!(scalar.kind, naga::ScalarKind::Sint | naga::ScalarKind::Uint);
                if !integer {
                    return None;
                }
                let is_vector = matches!(inner, TypeInner::Vector { .. });
                let ty = naga::Type { name: None, inner };
                let ty = self.types.insert(ty, Span::UNDEFINED);
                let zero = self.add(Expression::ZeroValue(ty));
                let equal = Expression::Binary {
                    op: BinaryOperator::Equal,
                    left: right,
                    right: zero,
                };
                let equal = self.emit(&[equal], block);
                Some(if is_vector {
                    self.any(equal, block)
                } else {
                    equal
                })
            }
            _ => None,
        }
    }

    fn any(&mut self, argument: Handle<Expression>, block: &mut Block) -> Handle<Expression> {
        let fun = naga::RelationalFunction::Any;
        self.emit(&[Expression::Relational { fun, argument }], block)
    }

    /// Number of elements that an index can select from.
    fn length(
        &mut self,
        base: Handle<Expression>,
        block: &mut Block,
    ) -> Option<Handle<Expression>> {
        let inner = match self.inner(base) {
            TypeInner::Pointer { base, .. } => self.types[base].inner.clone(),
            value => value,
        };
        let count = match inner {
            TypeInner::Array {
                size: naga::ArraySize::Constant(count),
                ..
            } => count.get(),
            TypeInner::Array {
                size: naga::ArraySize::Dynamic,
                ..
            } => return Some(self.emit(&[Expression::ArrayLength(base)], block)),
            TypeInner::Vector { size, .. }
            | TypeInner::ValuePointer {
                size: Some(size), ..
            } => size as u32,
            TypeInner::Matrix { columns, .. } => columns as u32,
            _ => return None,
        };
        Some(self.add(Expression::Literal(Literal::U32(count))))
    }

    /// The index as unsigned, so that a negative index becomes too large.
    fn unsigned(&mut self, index: Handle<Expression>, block: &mut Block) -> Handle<Expression> {
        match self.inner(index).scalar_kind() {
            Some(naga::ScalarKind::Sint) => {
                let cast = Expression::As {
                    expr: index,
                    kind: naga::ScalarKind::Uint,
                    convert: None,
                };
                self.emit(&[cast], block)
            }
            _ => index,
        }
    }

    /// Writes the number of this test to the word if `failure` holds.
    fn report(
        &mut self,
        expression: Handle<Expression>,
        fails: Handle<Expression>,
        block: &mut Block,
    ) {
        let number = self.first + self.sites.len() as u32;
        let span = self.function.expressions.get_span(expression);
        let code = span.to_range().and_then(|r| self.text.get(r));
        let function = self.function.name.as_deref().unwrap_or("the entry point");
        let code = code.map_or_else(|| self.variable(expression), str::to_owned);
        self.sites.push(format!("`{code}` in `{function}`"));
        let value = self.add(Expression::Literal(Literal::U32(number)));
        let raise = Statement::Atomic {
            pointer: self.found,
            fun: AtomicFunction::Max,
            value,
            result: None,
        };
        let failed = Statement::If {
            condition: fails,
            accept: Block::from_vec(vec![raise]),
            reject: Block::new(),
        };
        block.push(failed, Span::UNDEFINED);
    }

    /// Name of the accessed variable, for accesses without a source span.
    fn variable(&self, expression: Handle<Expression>) -> String {
        let base = match self.function.expressions[expression] {
            Expression::Access { base, .. } => base,
            _ => expression,
        };
        let global = match self.function.expressions[base] {
            Expression::GlobalVariable(handle) => self.globals[handle].name.clone(),
            _ => None,
        };
        global.unwrap_or_else(|| "an index".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "
@group(0) @binding(0) var<storage, read_write> values: array<f32>;
@group(0) @binding(1) var texels: texture_storage_2d<rgba32float, read>;
var<workgroup> shared_values: array<vec4<f32>, 8>;
override WIDTH: u32;

fn pick(own: ptr<function, array<f32, 4>>, at: i32) -> f32 {
    return (*own)[at];
}

@compute @workgroup_size(8)
fn main(@builtin(local_invocation_index) lane: u32) {
    var own = array(0.0, 1.0, 2.0, 3.0);
    let column = lane % WIDTH;
    shared_values[lane] = textureLoad(texels, vec2(column, 0u));
    workgroupBarrier();
    if lane > 3u {
        values[lane] = shared_values[7u - lane][column] + pick(&own, i32(lane)) / f32(WIDTH);
    }
}
";

    #[test]
    fn every_access_by_index_and_every_integer_division_is_tested_once() {
        let guarded = guard(TEXT, 5).expect("a module");
        let of = |function: &str| {
            let here = guarded.sites.iter().filter(|s| s.ends_with(function));
            here.map(|site| site.split('`').nth(1).expect("code"))
                .collect::<Vec<_>>()
        };
        assert_eq!(of("`pick`"), ["(*own)[at]"]);
        let main = of("`main`");
        assert_eq!(main.len(), guarded.sites.len() - 1, "{:?}", guarded.sites);
        for code in [
            "lane % WIDTH",
            "shared_values[lane]",
            "textureLoad",
            "values[lane]",
            "shared_values[7u - lane]",
            "shared_values[7u - lane][column]",
        ] {
            assert_eq!(
                main.iter().filter(|site| **site == code).count(),
                1,
                "{code}: {main:?}"
            );
        }
        assert_eq!(main.len(), 6, "{main:?}");
        let valid = super::super::shader::validator(true).validate(&guarded.module);
        valid.expect("a valid module");
    }
}
