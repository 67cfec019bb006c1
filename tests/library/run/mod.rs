//! The run folder and its configuration.

mod config;
mod folder;
