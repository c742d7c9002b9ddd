//! `serve`: for a program that keeps this one as its child.

use std::io;
use std::sync::Arc;

use claw_sandbox::Proxy;
use claw_sandbox::approval::Broker;
use claw_serve::{Asker, serve};

use super::run::{recorded, remembering};
use crate::args::ServeArgs;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};

/// Serves until standard input closes.
pub(crate) fn run(args: &ServeArgs) -> Outcome {
    let policy = super::policy::of_args(&args.policy)?;
    let asker = Asker::new(None);
    let builder = recorded(policy, args.audit.as_deref())?.approver(Arc::<Asker>::clone(&asker));
    // For a peer that can ask nobody.
    let sandbox = remembering(builder.broker(Broker::new(Broker::default_path()))).build()?;
    serve(Proxy::new(sandbox), asker, io::stdin().lock(), io::stdout()).map_err(|error| {
        Failure::new(format_args!("cannot read standard input: {error}; check where it comes from"))
    })?;
    Ok(Exit::Success)
}
