//! The program as people and scripts meet it: exit codes, messages, standard output, and the
//! files that it leaves. Small IDX folders stand in for data; the adapter is the best there is,
//! or the one that `CVAE_GPU_BACKEND` and `CVAE_GPU_ADAPTER` ask for.

#[path = "cli/bench.rs"]
mod bench;
#[path = "cli/check.rs"]
mod check;
#[path = "cli/data.rs"]
mod data;
#[cfg(unix)]
#[path = "cli/documented.rs"]
mod documented;
#[path = "cli/events.rs"]
mod events;
#[path = "cli/faults.rs"]
mod faults;
#[path = "cli/flags.rs"]
mod flags;
#[path = "cli/folder.rs"]
mod folder;
#[path = "cli/hostile.rs"]
mod hostile;
#[path = "cli/inform.rs"]
mod inform;
#[path = "cli/install.rs"]
mod install;
#[path = "cli/objective.rs"]
mod objective;
#[path = "cli/own.rs"]
mod own;
#[path = "cli/program.rs"]
mod program;
#[path = "cli/refuse.rs"]
mod refuse;
#[path = "cli/resume.rs"]
mod resume;
#[path = "cli/sets.rs"]
mod sets;
#[cfg(unix)]
#[path = "cli/signals.rs"]
mod signals;
// Elsewhere no variable of the environment says which authorities are trusted.
#[cfg(target_os = "linux")]
#[path = "cli/tls.rs"]
mod tls;
#[path = "cli/train.rs"]
mod train;
#[path = "cli/tune.rs"]
mod tune;
#[path = "cli/usage.rs"]
mod usage;
#[path = "cli/weights.rs"]
mod weights;
