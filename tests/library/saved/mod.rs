//! Model files of this program and of others.

mod pytorch;
mod trained;
