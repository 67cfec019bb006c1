//! The interface of the program: exit codes, messages, standard output, and files. The data are small
//! IDX folders; the adapter is the best one, or that of `CVAE_GPU_BACKEND` and `CVAE_GPU_ADAPTER`.

mod bench;
#[path = "../common/case.rs"]
mod case;
mod check;
mod classes;
mod data;
#[cfg(unix)]
mod documented;
mod events;
#[cfg(unix)]
mod every;
mod faults;
mod flags;
mod folder;
mod hostile;
#[cfg(unix)]
mod hub;
mod inform;
mod install;
mod misplaced;
mod objective;
mod own;

mod program;
mod refuse;
mod report;
mod resume;
mod runs;
#[path = "../common/sets.rs"]
mod sets;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod standard;
// On other systems no environment variable sets the trusted authorities.
#[cfg(target_os = "linux")]
mod tls;
mod train;
mod tune;
mod unused;
mod usage;
mod validation;
mod weights;
