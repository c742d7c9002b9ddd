//! Live escape attempts inside the real sandbox, and what came of them.
//!
//! [`diagnose`] runs each probe of [`PROBES`] twice, as a process of its own: outside as a control,
//! which should succeed, and inside, as a command of a policy is run: under a supervisor, with the broker and the connect
//! gate, or, where the kernel has not all of that, under its own rules alone. The program that it starts must answer by calling
//! [`run_probe`] and printing the observation.
#![forbid(unsafe_code)]

mod probes;
mod scene;

use std::ffi::OsStr;
use std::fmt;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use claw_policy::Guarantee;

use crate::domain::{self, PreparedDomain};
use crate::{KernelFeatures, Sandbox};
pub use probes::{PROBES, run_probe};
use scene::Scene;

// Begins the line that a probe prints, so that it is found among other output.
const MARK: &str = "claw-probe:";

/// An attempt at something that a sandbox must deny.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// Stable name.
    pub name: &'static str,
    /// What it tries, for people.
    pub attempt: &'static str,
    /// The guarantee that it puts to the test.
    pub guarantee: Guarantee,
    /// Why it is known to succeed where the kernel has no supervision; `None` when it must be blocked there too.
    pub known_gap: Option<&'static str>,
    run: fn(&Path) -> Observation,
}

impl Probe {
    /// Whether it needs a policy that opens a part of the network.
    fn is_about_the_gate(&self) -> bool {
        self.name.starts_with("gate-")
    }
}

/// What came of a probe, with the evidence.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Observation {
    /// The attempt failed for want of permission.
    Blocked(String),
    /// It succeeded, or failed for a reason that is no protection.
    NotBlocked(String),
    /// It means nothing here, or the probe itself did not work.
    NotApplicable(String),
}

impl Observation {
    /// The evidence: an error name, a signal, or what was reached.
    #[must_use]
    pub fn evidence(&self) -> &str {
        match self {
            Self::Blocked(evidence) | Self::NotBlocked(evidence) | Self::NotApplicable(evidence) => evidence,
        }
    }

    const fn word(&self) -> &'static str {
        match self {
            Self::Blocked(_) => "blocked",
            Self::NotBlocked(_) => "not-blocked",
            Self::NotApplicable(_) => "not-applicable",
        }
    }
}

/// The line that a probe prints and [`judge`] reads.
impl fmt::Display for Observation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{MARK} {} {}", self.word(), self.evidence().replace('\n', " "))
    }
}

/// A probe and what came of it.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The probe.
    pub probe: &'static Probe,
    /// Inside the sandbox.
    pub inside: Observation,
    /// The control: the same attempt outside. Where it is blocked too, `inside` proves little.
    pub outside: Observation,
    /// Whether `inside` was a run with everything that a policy brings, the supervisor too. If not, the kernel has not
    /// all of it, and the probe met the kernel's own rules alone.
    pub supervised: bool,
}

impl Finding {
    /// Whether the sandbox failed to block what it must block.
    #[must_use]
    pub const fn is_failure(&self) -> bool {
        matches!(self.inside, Observation::NotBlocked(_)) && self.known_gap().is_none()
    }

    /// Why the attempt is known to succeed on this kernel.
    #[must_use]
    pub const fn known_gap(&self) -> Option<&'static str> {
        if self.supervised { None } else { self.probe.known_gap }
    }

    /// Whether the control shows that it is the sandbox that blocks.
    #[must_use]
    pub const fn is_proven(&self) -> bool {
        matches!(self.inside, Observation::Blocked(_)) && matches!(self.outside, Observation::NotBlocked(_))
    }
}

/// The probes could not be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiagnoseError {
    /// The files and sockets for the probes could not be made.
    #[error("the scene for the probes cannot be made: {0}")]
    Scene(#[source] io::Error),
    /// The sandbox could not be made.
    #[error("the sandbox cannot be made: {0}")]
    Sandbox(String),
    /// The program that runs the probes could not be started.
    #[error("the probe `{name}` cannot be started: {error}")]
    Start {
        /// The probe.
        name: &'static str,
        /// Why not.
        error: io::Error,
    },
}

/// Runs every probe outside and inside of a sandbox with the restrictions of a real run.
///
/// `program` with `arguments`, the probe's name and a directory must print what [`run_probe`] makes
/// of the last two.
///
/// # Errors
///
/// When the probes cannot be run. What they find is no error.
pub fn diagnose(
    program: &Path,
    arguments: &[&OsStr],
    kernel: &KernelFeatures,
) -> Result<Vec<Finding>, DiagnoseError> {
    let scene = Scene::make().map_err(DiagnoseError::Scene)?;
    let observe_all = |layer: Option<&OwnedFd>| -> Result<Vec<Observation>, DiagnoseError> {
        PROBES.iter().map(|probe| start(program, arguments, probe, &scene, layer)).collect()
    };
    let outside = observe_all(None)?;
    let (supervised, inside) = match supervised(program, arguments, kernel, &scene)? {
        Some(observations) => (true, observations),
        // What the kernel's rules alone are worth here.
        None => (false, inside(&scene.confinement(program), kernel, observe_all)??),
    };
    let both = inside.into_iter().zip(outside);
    Ok(PROBES
        .iter()
        .zip(both)
        .map(|(probe, (inside, outside))| Finding { probe, inside, outside, supervised })
        .collect())
}

// Runs every probe as a command is run, with all that a policy brings: supervisor, broker, connect gate. `None` where the
// kernel has not all of it.
fn supervised(
    program: &Path,
    arguments: &[&OsStr],
    kernel: &KernelFeatures,
    scene: &Scene,
) -> Result<Option<Vec<Observation>>, DiagnoseError> {
    let failed = |error: crate::Error| DiagnoseError::Sandbox(error.to_string());
    let sandbox = |gated| {
        let policy = crate::policy_from_yaml(&scene.policy(program, gated), scene.workspace())?;
        Sandbox::builder(policy).kernel(kernel.clone()).build()
    };
    let (closed, gated) = (sandbox(false).map_err(failed)?, sandbox(true).map_err(failed)?);
    let mut observations = Vec::new();
    for probe in PROBES {
        let sandbox = if probe.is_about_the_gate() { &gated } else { &closed };
        let mut command = sandbox.command(program);
        command.args(arguments).arg(probe.name).arg(scene.path());
        command.current_dir(scene.workspace()).env_clear().stdin(crate::Stdio::null());
        match command.output() {
            Ok(output) => observations.push(judge(&output)),
            Err(error) if error.kind() == crate::ErrorKind::Enforcement => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
    }
    Ok(Some(observations))
}

// Runs `body` on a thread with the restrictions of a run thread. It gets the layer that its children take.
fn inside<T: Send>(
    confinement: &claw_policy::Confinement,
    kernel: &KernelFeatures,
    body: impl FnOnce(Option<&OwnedFd>) -> T + Send,
) -> Result<T, DiagnoseError> {
    let sandbox = |error: domain::DomainError| DiagnoseError::Sandbox(error.to_string());
    let prepared = PreparedDomain::prepare(confinement, kernel, None).map_err(sandbox)?;
    let layer = domain::child_layer(kernel).map_err(sandbox)?;
    let restricted = || {
        prepared.restrict_current_thread().map_err(sandbox)?;
        if domain::has_signal_scope(kernel) {
            domain::scope_signals_current_thread().map_err(sandbox)?;
        }
        Ok(body(layer.as_ref()))
    };
    std::thread::scope(|scope| scope.spawn(restricted).join())
        .unwrap_or_else(|_| Err(DiagnoseError::Sandbox(String::from("its thread panicked"))))
}

fn start(
    program: &Path,
    arguments: &[&OsStr],
    probe: &Probe,
    scene: &Scene,
    layer: Option<&OwnedFd>,
) -> Result<Observation, DiagnoseError> {
    let mut command = Command::new(program);
    command.args(arguments).arg(probe.name).arg(scene.path());
    command.current_dir(scene.workspace()).env_clear().stdin(Stdio::null());
    if let Some(layer) = layer {
        crate::sys::child::take_layer(&mut command, layer.as_fd());
    }
    match command.output() {
        Ok(output) => Ok(judge(&output)),
        Err(error) => Err(DiagnoseError::Start { name: probe.name, error }),
    }
}

/// Reads what became of a probe's process.
#[must_use]
pub fn judge(output: &Output) -> Observation {
    if let Some(signal) = output.status.signal() {
        // The filter's way to end a process that uses a foreign system call interface.
        if signal == libc::SIGSYS {
            return Observation::Blocked(String::from("killed by SIGSYS"));
        }
        return Observation::NotApplicable(format!("killed by signal {signal}"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| Some(line.split_once(MARK)?.1.trim_start()));
    let Some((word, evidence)) = line.and_then(|line| line.split_once(' ')) else {
        return Observation::NotApplicable(format!(
            "the probe ended with {} and said nothing",
            output.status
        ));
    };
    match word {
        "blocked" => Observation::Blocked(evidence.to_owned()),
        "not-blocked" => Observation::NotBlocked(evidence.to_owned()),
        _ => Observation::NotApplicable(evidence.to_owned()),
    }
}

#[cfg(test)]
mod tests;
