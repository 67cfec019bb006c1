//! Runs the program and captures its output.

use std::fmt;
use std::path::Path;
#[cfg(unix)]
use std::process::ChildStdout;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// A call of the program, under construction.
pub struct Cli {
    command: Command,
    shown: String,
    backend: Option<String>,
    adapter: Option<String>,
}

/// The result of a call.
pub struct Outcome {
    /// The command line.
    shown: String,
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Cli {
    /// A call with these words as arguments.
    pub fn new(words: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cvae-gpu"));
        // The environment may force colours.
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE");
        // Tests neither download nor use earlier downloads.
        command.env("CVAE_GPU_CACHE", "/nonexistent");
        command.env("CVAE_GPU_MIRROR", "http://127.0.0.1:9");
        // Without optimization Mesa compiles faster, and these kernels run only a few times. `check` runs
        // what users run.
        match words.starts_with("check") {
            true => command.env_remove("GALLIVM_PERF"),
            false => command.env("GALLIVM_PERF", "nopt"),
        };
        let cli = Cli {
            command,
            shown: "cvae-gpu".into(),
            backend: None,
            adapter: None,
        };
        cli.with(words)
    }

    /// Appends words.
    pub fn with(mut self, words: &str) -> Self {
        for word in words.split_whitespace() {
            self.command.arg(word);
            self.shown = self.shown + " " + word;
        }
        self
    }

    /// Appends a path as one argument.
    pub fn path(mut self, path: &Path) -> Self {
        self.command.arg(path);
        self.shown = format!("{} {}", self.shown, path.display());
        self
    }

    /// Uses the adapter that the environment selects.
    pub fn on_adapter(mut self) -> Self {
        self.adapter = setting("CVAE_GPU_ADAPTER");
        self.on_backend()
    }

    /// Uses the backend that the environment selects.
    pub fn on_backend(mut self) -> Self {
        self.backend = setting("CVAE_GPU_BACKEND");
        self
    }

    /// Uses this backend, whatever the environment selects.
    pub fn on(mut self, backend: &str) -> Self {
        self.backend = Some(backend.into());
        self
    }

    /// Runs without any Vulkan driver.
    pub fn without_vulkan(mut self) -> Self {
        for name in ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] {
            self.command.env(name, "/nonexistent");
        }
        self.on("vulkan")
    }

    /// Appends the flags of the adapter, last, so that they do not separate an option from its value.
    fn choose_adapter(&mut self) {
        let flags = [("--backend", &self.backend), ("--adapter", &self.adapter)];
        for (flag, value) in flags {
            if let Some(value) = value {
                self.shown = format!("{} {flag} {value:?}", self.shown);
                self.command.arg(flag).arg(value);
            }
        }
    }

    /// Sets an environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// Makes `folder` the working directory.
    pub fn within(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Runs `script` in a shell; `"$0" "$@"` in it is the call.
    #[cfg(unix)]
    pub fn in_shell(mut self, script: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]).arg(self.command.get_program());
        shell.args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = self.command.get_current_dir() {
            shell.current_dir(folder);
        }
        self.command = shell;
        self
    }

    /// Runs the program to its end; its output must have no panic and no escape codes.
    pub fn run(mut self) -> Outcome {
        self.choose_adapter();
        let runtime = tempfile::tempdir().expect("a temporary folder");
        self.command.env("XDG_RUNTIME_DIR", runtime.path());
        let output = self.command.stdin(Stdio::null()).output();
        let output = output.expect("the program starts");
        let text = |bytes| String::from_utf8(bytes).expect("output is UTF-8");
        let outcome = Outcome {
            shown: self.shown,
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: without_driver(&text(output.stderr)),
        };
        assert!(!outcome.stderr.contains("panicked"), "{outcome}");
        // Only a bar moves the cursor, and there is none without a terminal unless it is asked for.
        let has_bar = outcome.shown.contains("--progress always");
        let escapes =
            !has_bar && (outcome.stdout.contains('\x1b') || outcome.stderr.contains('\x1b'));
        assert!(!escapes, "{outcome}");
        outcome
    }

    /// Starts the program; its output is discarded.
    pub fn spawn(mut self) -> Running {
        self.choose_adapter();
        let runtime = tempfile::tempdir().expect("a temporary folder");
        self.command.env("XDG_RUNTIME_DIR", runtime.path());
        let command = self.command.stdin(Stdio::null());
        let command = command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("the program starts");
        Running { child, runtime }
    }

    /// Starts the program and returns its standard output.
    #[cfg(unix)]
    pub fn spawn_heard(mut self) -> (Running, ChildStdout) {
        let runtime = tempfile::tempdir().expect("a temporary folder");
        self.command.env("XDG_RUNTIME_DIR", runtime.path());
        let command = self.command.stdin(Stdio::null());
        let command = command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("the program starts");
        let stdout = child.stdout.take().expect("a pipe");
        (Running { child, runtime }, stdout)
    }

    /// Runs the program, which must succeed.
    pub fn succeed(self) -> Outcome {
        let outcome = self.run();
        assert_eq!(outcome.code, Some(0), "{outcome}");
        outcome
    }

    /// Runs the program, which must end with this code, an empty standard output, and one message with
    /// all of these words.
    pub fn fail(self, code: i32, words: &[&str]) -> Outcome {
        let outcome = self.run();
        assert_eq!(outcome.code, Some(code), "{outcome}");
        assert_eq!(outcome.stdout, "", "{outcome}");
        // Remarks, and the lines that name data and weights, come before errors.
        let mut message = outcome.stderr.as_str();
        while let Some((first, rest)) = message.split_once('\n')
            && ["Data: ", "Weights: ", "note: "]
                .iter()
                .any(|start| first.starts_with(start))
        {
            message = rest;
        }
        assert!(message.starts_with("error: "), "{outcome}");
        assert_eq!(message.matches("error: ").count(), 1, "{outcome}");
        // The error of the operating system appears once.
        assert!(message.matches("os error").count() <= 1, "{outcome}");
        for word in words {
            assert!(message.contains(word), "no {word:?} in {outcome}");
        }
        outcome
    }
}

/// A running program; it is killed if the test ends first.
pub struct Running {
    child: Child,
    #[expect(dead_code, reason = "the folder is there as long as the program")]
    runtime: TempDir,
}

impl Running {
    /// True if the program has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child").is_some()
    }

    /// Waits for a condition while the program runs, at most five minutes: a first run compiles shaders.
    pub fn wait_until(&mut self, mut done: impl FnMut() -> bool) -> bool {
        let start = Instant::now();
        while !done() {
            if self.has_ended() || start.elapsed() > Duration::from_secs(300) {
                return done();
            }
            sleep(Duration::from_millis(5));
        }
        true
    }

    /// Kills the program.
    pub fn kill(&mut self) -> ExitStatus {
        // It may have ended.
        let _ = self.child.kill();
        self.child.wait().expect("a child")
    }

    /// Interrupts the program.
    #[cfg(unix)]
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal to the program.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let mut kill = Command::new("kill");
        let _ = kill.args(["-s", name, &id]).stderr(Stdio::null()).status();
    }

    /// Waits for the end.
    pub fn wait(&mut self) -> ExitStatus {
        self.child.wait().expect("a child")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Standard error without the messages of Mesa's drivers.
fn without_driver(stderr: &str) -> String {
    let of_driver = |line: &&str| {
        let starts = ["MESA", "libEGL", "WARNING: "];
        starts.iter().any(|start| line.starts_with(start))
    };
    let lines = stderr.split_inclusive('\n');
    lines.filter(|line| !of_driver(line)).collect()
}

fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Outcome {
    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        let parsed = serde_json::from_str(&self.stdout);
        parsed.unwrap_or_else(|e| panic!("{e} in the output of {self}"))
    }
}

/// For the messages of assertions.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome {
            shown,
            code,
            stdout,
            stderr,
        } = self;
        write!(
            f,
            "`{shown}`, which ended with {code:?}\n--- stdout ---\n{stdout}--- stderr ---\n{stderr}---"
        )
    }
}
