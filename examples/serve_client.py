#!/usr/bin/env python3
"""A small client of `claw-sandbox serve --stdio`: runs a line in the sandbox and passes on what it writes.

    examples/serve_client.py 'git status'

It shows the protocol of docs/serve.md: a request with its answer, notifications, and a question to a person.
"""

import base64
import json
import os
import subprocess
import sys


class Client:
    def __init__(self, command=("claw-sandbox", "serve", "--stdio")):
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.last = 0
        self.call("initialize", protocol=1, client="serve_client.py", approvals=sys.stdin.isatty())

    def send(self, **message):
        self.child.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self.child.stdin.flush()

    def messages(self):
        """Messages that are no questions, as they come."""
        for line in self.child.stdout:
            message = json.loads(line)
            if message.get("method") == "approval.ask":
                self.send(id=message["id"], result={"answer": ask(message["params"])})
            else:
                yield message

    def call(self, method, **params):
        """One request at a time, with nothing running."""
        self.last += 1
        self.send(id=self.last, method=method, params=params)
        for message in self.messages():
            if message.get("id") == self.last:
                if "error" in message:
                    raise RuntimeError(message["error"]["message"])
                return message["result"]
        raise RuntimeError("the server has gone")


def ask(question):
    print(json.dumps(question, indent=2), file=sys.stderr)
    print("allow once? [y/N] ", end="", file=sys.stderr, flush=True)
    return "once" if sys.stdin.readline().strip() == "y" else "deny"


def data(text):
    return text.encode() if isinstance(text, str) else base64.b64decode(text["bytes"])


def main():
    client = Client((os.environ.get("CLAW_SANDBOX", "claw-sandbox"), "serve", "--stdio"))
    try:
        job = client.call("exec", request={"cwd": os.getcwd(), "exec": {"command": sys.argv[1]}})["job"]
    except RuntimeError as error:
        sys.exit(f"{error}")
    for message in client.messages():
        params = message.get("params", {})
        if message.get("method") == "exec.output" and params["job"] == job:
            stream = sys.stdout if params["stream"] == "stdout" else sys.stderr
            stream.buffer.write(data(params["data"]))
            stream.flush()
        elif message.get("method") == "exec.ended" and params["job"] == job:
            sys.exit(128 + params["signal"] if params["signal"] else params["status"])


if __name__ == "__main__":
    main()
