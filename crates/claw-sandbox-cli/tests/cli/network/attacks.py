"""Ways to reach a port. Each sends its own name there, so that the server tells what arrived.

Arguments: the port that a policy allows, the one that it does not, and the names of the ways (none for all).
"""
import ctypes, os, socket, struct, sys, threading, time

ALLOWED, TARGET = int(sys.argv[1]), int(sys.argv[2])
HOST = "127.0.0.1"
libc = ctypes.CDLL(None, use_errno=True)
WAYS = {}
# The races: threads take turns often.
sys.setswitchinterval(1e-5)


def way(function):
    WAYS[function.__name__] = function
    return function


def tcp(address=HOST, family=socket.AF_INET, protocol=0, port=TARGET):
    s = socket.socket(family, socket.SOCK_STREAM, protocol)
    s.settimeout(5)
    s.connect((address, port))
    return s


def udp(family=socket.AF_INET):
    return socket.socket(family, socket.SOCK_DGRAM)


def name4(port, family=socket.AF_INET):
    return struct.pack("=H", family) + struct.pack("!H", port) + socket.inet_aton(HOST) + bytes(8)


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_char_p), ("length", ctypes.c_size_t)]


class Message(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p), ("name_length", ctypes.c_uint32), ("parts", ctypes.POINTER(Part)),
        ("count", ctypes.c_size_t), ("control", ctypes.c_void_p), ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int), ("sent", ctypes.c_uint32), ("_pad", ctypes.c_uint32),
    ]


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def sendmmsg(s, messages):
    parts = [Part(text, len(text)) for _, text in messages]
    vector = (Message * len(messages))()
    for message, part, (name, _) in zip(vector, parts, messages):
        message.name, message.name_length = name, len(name) if name else 0
        message.parts, message.count = ctypes.pointer(part), 1
    sent = checked(libc.syscall(307, s.fileno(), vector, len(messages), 0)
                   if os.uname().machine == "x86_64" else libc.sendmmsg(s.fileno(), vector, len(messages), 0))
    return sent, [message.sent for message in vector]


@way
def tcp_connect(me): tcp().sendall(me)

@way
def tcp_not_blocking(me):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex((HOST, TARGET))
    import select
    select.select([], [s], [], 5)
    s.sendall(me)

@way
def tcp_mapped(me): tcp("::ffff:" + HOST, socket.AF_INET6).sendall(me)

@way
def tcp_unspecified(me): tcp("0.0.0.0").sendall(me)

@way
def tcp_unspecified_v6(me): tcp("::ffff:0.0.0.0", socket.AF_INET6).sendall(me)

@way
def tcp_mptcp(me): tcp(protocol=262).sendall(me)

@way
def tcp_fast_open(me):
    s = socket.socket()
    s.sendto(me, socket.MSG_FASTOPEN, (HOST, TARGET))

@way
def tcp_fast_open_message(me):
    s = socket.socket()
    s.sendmsg([me], [], socket.MSG_FASTOPEN, (HOST, TARGET))

@way
def tcp_fast_open_later(me):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, 30, 1)
    s.connect((HOST, TARGET))
    s.sendall(me)

@way
def tcp_connected_again(me):
    s = tcp(port=ALLOWED)
    checked(libc.connect(s.fileno(), name4(0, 0), 16))
    s.connect((HOST, TARGET))
    s.sendall(me)

@way
def tcp_duplicate(me):
    s, other = socket.socket(), tcp(port=ALLOWED)
    os.dup2(other.fileno(), 77)
    t = socket.socket(fileno=os.dup(s.fileno()))
    t.connect((HOST, TARGET))
    s.sendall(me)

@way
def tcp_in_a_child(me):
    s = socket.socket()
    child = os.fork()
    if child == 0:
        try:
            s.connect((HOST, TARGET))
            s.sendall(me)
        finally:
            os._exit(0)
    os.waitpid(child, 0)

@way
def tcp_passed_to_a_child(me):
    a, b = socket.socketpair()
    child = os.fork()
    if child == 0:
        try:
            _, fds, _, _ = socket.recv_fds(b, 10, 1)
            s = socket.socket(fileno=fds[0])
            s.connect((HOST, TARGET))
            s.sendall(me)
        finally:
            os._exit(0)
    passed = socket.socket()
    socket.send_fds(a, [b"x"], [passed.fileno()])
    os.waitpid(child, 0)

@way
def tcp_in_a_thread(me):
    failed = []
    def run():
        try: tcp().sendall(me)
        except OSError as error: failed.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed: raise failed[0]

@way
def udp_sendto(me): udp().sendto(me, (HOST, TARGET))

@way
def udp_connect(me):
    s = udp()
    s.connect((HOST, TARGET))
    s.send(me)

@way
def udp_sendmsg(me): udp().sendmsg([me[:2], me[2:]], [], 0, (HOST, TARGET))

@way
def udp_sendmmsg(me): sendmmsg(udp(), [(name4(TARGET), me)])

@way
def udp_sendmmsg_second(me): sendmmsg(udp(), [(name4(ALLOWED), b"first"), (name4(TARGET), me)])

@way
def udp_mapped(me): udp(socket.AF_INET6).sendto(me, ("::ffff:" + HOST, TARGET))

@way
def udp_v4_name_on_v6(me):
    s = udp(socket.AF_INET6)
    checked(libc.sendto(s.fileno(), me, len(me), 0, name4(TARGET), 16))

@way
def udp_without_a_family(me):
    s = udp()
    checked(libc.sendto(s.fileno(), me, len(me), 0, name4(TARGET, 0), 16))

@way
def udp_past_its_peer(me):
    s = udp()
    s.connect((HOST, ALLOWED))
    s.sendto(me, (HOST, TARGET))

@way
def udp_connected_again(me):
    s = udp()
    s.connect((HOST, ALLOWED))
    checked(libc.connect(s.fileno(), name4(0, 0), 16))
    s.connect((HOST, TARGET))
    s.send(me)

@way
def udp_high_bits(me):
    s = udp()
    number = 44 if os.uname().machine == "x86_64" else 206
    checked(libc.syscall(number, ctypes.c_ulong(s.fileno() | 7 << 32), me, len(me), ctypes.c_ulong(1 << 40),
                         name4(TARGET), ctypes.c_ulong(16 | 1 << 32)))

def rewriting(name, over):
    """A thread that writes one address and the other, until it is over."""
    began = threading.Event()
    def rewrite():
        while not over:
            for port in name4(ALLOWED), name4(TARGET):
                ctypes.memmove(name, port, 16)
                began.set()
    thread = threading.Thread(target=rewrite)
    thread.start()
    began.wait()
    return thread

def attempts():
    """2,000, between which the other thread surely gets its turns."""
    for attempt in range(2000):
        if attempt % 20 == 0: time.sleep(0.0001)
        yield attempt

@way
def race_of_names(me):
    """Another thread rewrites the address between 2,000 sends."""
    name = ctypes.create_string_buffer(name4(ALLOWED), 16)
    over, s = [], udp()
    thread = rewriting(name, over)
    for _ in attempts(): libc.sendto(s.fileno(), me, len(me), 0, name, 16)
    over.append(1)
    thread.join()

@way
def race_of_messages(me):
    name = ctypes.create_string_buffer(name4(ALLOWED), 16)
    over, s = [], udp()
    part = Part(me, len(me))
    message = Message()
    message.name, message.name_length = ctypes.cast(name, ctypes.c_char_p), 16
    message.parts, message.count = ctypes.pointer(part), 1
    thread = rewriting(name, over)
    for _ in attempts(): libc.sendmsg(s.fileno(), ctypes.byref(message), 0)
    over.append(1)
    thread.join()

@way
def race_of_connects(me):
    name = ctypes.create_string_buffer(name4(ALLOWED), 16)
    over = []
    thread = rewriting(name, over)
    s = udp()
    for _ in attempts():
        if libc.connect(s.fileno(), name, 16) == 0:
            try: s.send(me)
            except OSError: pass
    over.append(1)
    thread.join()

@way
def race_of_descriptors(me):
    """Another thread changes which socket a descriptor means."""
    pair, s = socket.socketpair(), udp()
    number, over = os.dup(pair[0].fileno()), []
    part = Part(me, len(me))
    message = Message()
    message.name, message.name_length = name4(TARGET), 16
    message.parts, message.count = ctypes.pointer(part), 1
    def swap():
        while not over:
            os.dup2(s.fileno(), number)
            os.dup2(pair[0].fileno(), number)
    thread = threading.Thread(target=swap)
    thread.start()
    for _ in attempts(): libc.sendmsg(number, ctypes.byref(message), socket.MSG_DONTWAIT)
    over.append(1)
    thread.join()


if __name__ == "__main__":
    for name in sys.argv[3:] or list(WAYS):
        try:
            WAYS[name](name.encode())
            print(name, "done", flush=True)
        except OSError as error:
            print(name, "failed", error.errno, flush=True)
