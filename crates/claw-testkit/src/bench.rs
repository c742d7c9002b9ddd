//! Timing in pairs: A B A B ..., so that a ratio holds when the machine's speed drifts.
//!
//! A benchmark prints; it never fails.

use std::time::{Duration, Instant};

/// Medians of two interleaved measurements and of their quotient, pair by pair.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Median time of the subject.
    pub subject: Duration,
    /// Median time of the baseline.
    pub baseline: Duration,
    /// Median of subject divided by baseline.
    pub ratio: f64,
}

/// Times `subject` and `baseline` in turn, `rounds` times each after a tenth of that as warm-up.
pub fn pairs(rounds: usize, mut subject: impl FnMut(), mut baseline: impl FnMut()) -> Pair {
    for _ in 0..rounds.div_ceil(10) {
        subject();
        baseline();
    }
    let mut times: Vec<(Duration, Duration)> = Vec::with_capacity(rounds);
    for round in 0..rounds {
        // Who goes first alternates, so that what one leaves behind does not always meet the other.
        let (first, second) = if round % 2 == 0 {
            let subject_time = time(&mut subject);
            (subject_time, time(&mut baseline))
        } else {
            let baseline_time = time(&mut baseline);
            (time(&mut subject), baseline_time)
        };
        times.push((first, second));
    }
    let mut subjects: Vec<_> = times.iter().map(|pair| pair.0).collect();
    let mut baselines: Vec<_> = times.iter().map(|pair| pair.1).collect();
    let mut ratios: Vec<_> = times.iter().map(|pair| pair.0.as_secs_f64() / pair.1.as_secs_f64()).collect();
    subjects.sort_unstable();
    baselines.sort_unstable();
    ratios.sort_unstable_by(f64::total_cmp);
    let middle = rounds / 2;
    Pair { subject: subjects[middle], baseline: baselines[middle], ratio: ratios[middle] }
}

/// The median time of one call of `subject`, from `rounds` batches of `batch` calls.
pub fn median(rounds: usize, batch: u32, mut subject: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..rounds)
        .map(|_| {
            let start = Instant::now();
            for _ in 0..batch {
                subject();
            }
            start.elapsed() / batch
        })
        .collect();
    times.sort_unstable();
    times[rounds / 2]
}

/// Prints a pair under a name, with the ratio that is aimed at.
pub fn report(name: &str, pair: Pair, aim: f64) {
    println!(
        "{name:<48} {:>10.1} us  baseline {:>10.1} us  ratio {:.3} (aim {aim:.2})",
        pair.subject.as_secs_f64() * 1e6,
        pair.baseline.as_secs_f64() * 1e6,
        pair.ratio
    );
}

/// The machine that the figures come from: processors, kernel.
#[must_use]
pub fn machine() -> String {
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let model = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    format!("{processors} processors,{} Linux {}", model.trim_start_matches(['\t', ':']), kernel.trim())
}

fn time(subject: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    subject();
    start.elapsed()
}
