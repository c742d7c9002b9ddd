//! One sandbox, many threads: every run is confined by the same launcher, and each is swept by itself.
#![expect(clippy::print_stdout, reason = "an example talks to the terminal")]

use std::error::Error;
use std::thread;

use claw_sandbox::{Sandbox, built_in_policy};

fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::new(built_in_policy(std::env::current_dir()?)?)?;
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let sandbox = sandbox.clone();
            thread::spawn(move || sandbox.shell(format!("echo run {number}; sleep 60 &")).output())
        })
        .collect();
    for thread in threads {
        let output = thread.join().map_err(|_| "a thread panicked")??;
        print!("{}", String::from_utf8_lossy(&output.stdout));
    }
    Ok(()) // no `sleep` is left
}
