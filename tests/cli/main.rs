//! The program as people and scripts meet it: exit codes, messages, standard output, and the
//! files that it leaves. Small IDX folders stand in for data; the adapter is the best there is,
//! or the one that `CVAE_GPU_BACKEND` and `CVAE_GPU_ADAPTER` ask for.

mod bench;
mod check;
mod data;
#[cfg(unix)]
mod documented;
mod events;
mod faults;
mod flags;
mod folder;
mod hostile;
mod inform;
mod install;
mod objective;
mod own;

mod program;
mod refuse;
mod resume;
mod sets;
#[cfg(unix)]
mod signals;
// Elsewhere no variable of the environment says which authorities are trusted.
#[cfg(target_os = "linux")]
mod tls;
mod train;
mod tune;
mod usage;
mod weights;
