//! Terminals: nothing that a command pushes into its terminal is typed to whoever started the sandbox.

use crate::attack::{attacks, calls, python};
use crate::evidence::Evidence::Exists;

/// Starts the rest on a terminal of its own, as a shell would, and keeps what is typed there afterwards.
const TERMINAL: &[&str] = &[
    "python3",
    "-c",
    concat!(
        "import os, pty, select, subprocess, sys\n",
        "child, end = pty.fork()\n",
        "if child == 0:\n",
        "    status = subprocess.call(sys.argv[2:])\n",
        "    if select.select([0], [], [], 0.5)[0] and (typed := os.read(0, 100)):\n",
        "        open(sys.argv[1], 'wb').write(typed)\n",
        "    os._exit(status & 255)\n",
        "while True:\n",
        "    try: data = os.read(end, 4096)\n",
        "    except OSError: break\n",
        "    if not data: break\n",
        "    os.write(1, data)\n",
        "sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    ),
    "{out}/typed",
];
const LEGACY: &str = "a kernel with dev.tty.legacy_tiocsti, or CAP_SYS_ADMIN";
const TYPED: crate::evidence::Evidence = Exists("{out}/typed");

attacks! { "terminal";
    // TIOCSTI of `x` and of a new line.
    type_into_it => calls(&["do", "ioctl 0 0x5412 @x; ioctl 0 0x5412 =0a"]).within(TERMINAL).needs(LEGACY).shows(TYPED);
    type_into_it_by_its_output => calls(&["do", "ioctl 1 0x5412 @x; ioctl 1 0x5412 =0a"]).within(TERMINAL).needs(LEGACY).shows(TYPED);
    // The kernel cuts a command to 32 bits, the filter must not look at 64.
    type_into_it_by_a_wide_number => calls(&["do", "ioctl 0 0x100005412 @x; ioctl 0 0x100005412 =0a"]).within(TERMINAL).needs(LEGACY).shows(TYPED);
    type_into_it_by_its_name => calls(&["do", "openat -100 @/dev/tty 2; ioctl $1 0x5412 @x; ioctl $1 0x5412 =0a"]).within(TERMINAL).needs(LEGACY).shows(TYPED);
    type_into_it_from_a_terminal_of_its_own => calls(&["do", "ioctl 0 0x5412 @x; ioctl 0 0x5412 =0a"]).within(TERMINAL)
        .run_with(&["--tty"]).needs(LEGACY).shows(TYPED);
    type_into_it_by_name_from_a_terminal_of_its_own => calls(&["do", "openat -100 @/dev/tty 2; ioctl $1 0x5412 @x; ioctl $1 0x5412 =0a"]).within(TERMINAL)
        .run_with(&["--tty"]).needs(LEGACY).shows(TYPED);
    // TIOCSCTTY of a session without a terminal, then as above.
    make_it_one_s_own => python(concat!(
        "import fcntl\nif os.fork(): os.wait(); sys.exit()\nos.setsid()\nfcntl.ioctl(0, 0x540e, 1)\n",
        "for byte in b'x\\n': fcntl.ioctl(0, 0x5412, bytes([byte]))")).within(TERMINAL).needs("CAP_SYS_ADMIN").shows(TYPED);
    make_it_one_s_own_from_a_terminal_of_its_own => python(concat!(
        "import fcntl\nif os.fork(): os.wait(); sys.exit()\nos.setsid()\nfcntl.ioctl(0, 0x540e, 1)\n",
        "for byte in b'x\\n': fcntl.ioctl(0, 0x5412, bytes([byte]))")).within(TERMINAL).run_with(&["--tty"]).needs("CAP_SYS_ADMIN").shows(TYPED);
}
