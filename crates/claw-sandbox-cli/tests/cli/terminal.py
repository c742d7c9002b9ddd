"""An outer terminal: runs a command on a new pseudo-terminal and does what the steps say.

usage: terminal.py STEPS COMMAND...    (STEPS is JSON)

Prints one line of JSON: the exit status as a shell counts, what the terminal showed, and whether its modes at the end
are those of the beginning. A step that waits in vain ends the command.
"""

import fcntl, json, os, pty, select, signal, struct, sys, termios, time

# For what never comes: no step waits that long on a machine that is merely busy.
PATIENCE = 300.0


def main():
    steps, command = json.loads(sys.argv[1]), sys.argv[2:]
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    before = termios.tcgetattr(slave)
    child = start(command, slave)
    terminal = Terminal(master, slave, child)
    problem = None
    for name, argument in steps:
        problem = getattr(terminal, name)(argument)
        if problem:
            os.kill(child, signal.SIGTERM)
            break
    status = terminal.finish()
    after = termios.tcgetattr(slave) if not terminal.closed else before
    print(json.dumps({
        "status": status,
        "shown": terminal.shown.decode(errors="replace"),
        "restored": before == after,
        "problem": problem,
        "typed": terminal.typed(),
        "name": os.ttyname(slave) if not terminal.closed else None,
    }))


def start(command, slave):
    child = os.fork()
    if child:
        return child
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for stream in range(3):
        os.dup2(slave, stream)
    command = [os.ttyname(0) if word == "@TERMINAL@" else word for word in command]
    os.closerange(3, 256)
    os.execvp(command[0], command)


class Terminal:
    def __init__(self, master, slave, child):
        self.master, self.slave, self.child = master, slave, child
        self.shown, self.seen, self.closed, self.status = b"", 0, False, None

    def expect(self, text):
        """Waits until the terminal shows the text, after what was expected before."""
        end = time.monotonic() + PATIENCE
        while (at := self.shown.find(text.encode(), self.seen)) < 0:
            if time.monotonic() > end or not self.read(0.05) and self.ended():
                return f"waited in vain for {text!r}"
        self.seen = at + len(text.encode())

    def send(self, text):
        os.write(self.master, text.encode())

    def resize(self, size):
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def kill(self, name):
        os.kill(self.child, getattr(signal, name))

    def close(self, _):
        os.close(self.slave)
        os.close(self.master)
        self.closed = True

    def read(self, patience):
        if self.closed or not select.select([self.master], [], [], patience)[0]:
            return False
        self.shown += os.read(self.master, 65536)
        return True

    def ended(self):
        if self.status is None:
            pid, status = os.waitpid(self.child, os.WNOHANG)
            if pid:
                code = os.waitstatus_to_exitcode(status)
                self.status = code if code >= 0 else 128 - code
        return self.status is not None

    def finish(self):
        end = time.monotonic() + PATIENCE
        while not self.ended():
            if time.monotonic() > end:
                os.kill(self.child, signal.SIGKILL)
            if not self.read(0.02):
                time.sleep(0.02)
        while self.read(0):
            pass
        return self.status

    def typed(self):
        """What somebody has typed that nobody has read."""
        if self.closed:
            return None
        modes = termios.tcgetattr(self.slave)
        modes[3] &= ~termios.ICANON
        termios.tcsetattr(self.slave, termios.TCSANOW, modes)
        os.set_blocking(self.slave, False)
        try:
            return os.read(self.slave, 4096).decode(errors="replace")
        except BlockingIOError:
            return ""


main()
