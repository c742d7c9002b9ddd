//! Network: without rules nobody is reached, with rules only what they name.

use std::fs;

use crate::attack::{attacks, bash, calls, python, sh};
use crate::evidence::Evidence::{After, Heard, Held};

/// One port of this machine is open for TCP. What listens on the others must not be reached.
const ONE_PORT: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {readOnly: [{ro}]}\n\
     network: {default: deny, allow: [{port: {port}, protocol: tcp, host: 127.0.0.1}]}\n";
/// The same port, on the internet.
const PUBLIC: &str = "workspace: {ws}\nexec: {exec}\nfilesystem: {readOnly: [{ro}]}\n\
     network: {default: allow, allow: [{port: {port}, protocol: tcp}, {port: {uport}, protocol: udp}]}\n";
const IPV6: &str = "IPv6 on loopback";
const MPTCP: &str = "MPTCP in the kernel";

attacks! { "network";
    tcp => calls(&["do", "socket 2 1 0; connect $1 in:127.0.0.1:{port} #"]).shows(Heard);
    tcp_over_ipv6 => calls(&["do", "socket 10 1 0; connect $1 in:[::1]:{port6} #"]).needs(IPV6).shows(Heard);
    tcp_to_a_mapped_address => calls(&["do", "socket 10 1 0; connect $1 in:[::ffff:127.0.0.1]:{port} #"]).needs(IPV6).shows(Heard);
    tcp_to_the_unspecified_address => calls(&["do", "socket 2 1 0; connect $1 in:0.0.0.0:{port} #"]).shows(Heard);
    tcp_fast_open => calls(&["do", "socket 2 1 0; sendto $1 @x 1 0x20000000 in:127.0.0.1:{port} 16"]).shows(Heard);
    mptcp => calls(&["do", "socket 2 1 262; connect $1 in:127.0.0.1:{port} #"]).needs(MPTCP).shows(Heard);
    sctp => calls(&["do", "socket 2 1 132; connect $1 in:127.0.0.1:{port} #"]).needs("SCTP in the kernel, and a listener").shows(Heard);
    udp => calls(&["do", "socket 2 2 0; sendto $1 @x 1 0 in:127.0.0.1:{uport} 16"]).shows(Heard);
    udp_over_ipv6 => calls(&["do", "socket 10 2 0; sendto $1 @x 1 0 in:[::1]:{uport6} 28"]).needs(IPV6).shows(Heard);
    udp_connected => calls(&["do", "socket 2 2 0; connect $1 in:127.0.0.1:{uport} #; write $1 @x 1"]).shows(Heard);
    udp_message => calls(&["do", "socket 2 2 0; sendmsg $1 msg:in:127.0.0.1:{uport} 0"]).shows(Heard);
    udp_messages => calls(&["do", "socket 2 2 0; sendmmsg $1 mmsg:in:127.0.0.1:{uport} 1 0"]).shows(Heard);
    raw_socket => calls(&["do", "socket 2 3 1; hold"]).needs("CAP_NET_RAW").shows(Held(has_socket));
    packet_socket => calls(&["do", "socket 17 2 0; hold"]).needs("CAP_NET_RAW").shows(Held(has_socket));
    netlink_socket => calls(&["do", "socket 16 3 0; hold"]).shows(Held(has_socket));
    vsock_socket => calls(&["do", "socket 40 1 0; hold"]).needs("VSOCK in the kernel").shows(Held(has_socket));
    crypto_socket => calls(&["do", "socket 38 5 0; hold"]).needs("AF_ALG in the kernel").shows(Held(has_socket));
    pair_with_another_family => calls(&["do", "socketpair 30 1 0 *8; hold"]).needs("TIPC in the kernel").shows(Held(has_socket));
    listen_on_tcp => calls(&["do", "socket 2 1 0; bind $1 in:127.0.0.1:0 #; listen $1 1; hold"]).shows(Held(has_socket));
    bind_udp => calls(&["do", "socket 2 2 0; bind $1 in:127.0.0.1:0 #; hold"]).shows(Held(has_socket));
    unix_path_outside => calls(&["do", "socket 1 1 0; connect $1 un:{root}/socket #"]).shows(Heard);
    unix_path_through_a_link => sh("ln -s {root}/socket s; {attack} do 'socket 1 1 0; connect $1 un:{ws}/s #'").shows(Heard);
    unix_abstract => calls(&["do", "socket 1 1 0; connect $1 un:@{token} #"]).shows(Heard);
    unix_datagram => calls(&["do", "socket 1 2 0; sendto $1 @x 1 0 un:{root}/datagrams #"]).shows(Heard);
    unix_datagram_from_a_pair => calls(&["do", "socketpair 1 2 0 *8; ?sendto 3 @x 1 0 un:{root}/datagrams #"]).shows(Heard)
        .needs("a datagram pair whose ends may send elsewhere");
    unix_abstract_datagram => calls(&["do", "socket 1 2 0; sendto $1 @x 1 0 un:@{token}-datagrams #"]).shows(Heard);
    bash_tcp => bash(": > /dev/tcp/127.0.0.1/{port}").shows(Heard);
    bash_udp => bash("echo x > /dev/udp/127.0.0.1/{uport}").shows(Heard);
    python_socket => python("import socket; socket.create_connection(('127.0.0.1', {port}))").shows(Heard);
    curl_program => sh("curl -s -m 1 http://127.0.0.1:{port}/").needs("curl").shows(Heard);
    git_clone => sh("timeout 2 git clone -q http://127.0.0.1:{port}/x y").needs("git with http").shows(Heard);
    inherited_socket => bash("echo x >&7").within(&["bash", "-c", "exec 7> /dev/udp/127.0.0.1/{uport}; exec \"$@\"", "bash"]).shows(Heard);
    rules_another_port => calls(&["do", "socket 2 1 0; connect $1 in:127.0.0.1:{other} #"]).under(ONE_PORT).shows(Heard);
    rules_another_port_over_ipv6 => calls(&["do", "socket 10 1 0; connect $1 in:[::1]:{port6} #"]).under(ONE_PORT).needs(IPV6).shows(Heard);
    rules_another_port_mapped => calls(&["do", "socket 10 1 0; connect $1 in:[::ffff:127.0.0.1]:{other} #"]).under(ONE_PORT).needs(IPV6).shows(Heard);
    rules_another_address => calls(&["do", "socket 2 1 0; connect $1 in:127.0.0.1:{port} #"]).under(PUBLIC).shows(Heard);
    rules_unspecified_address => calls(&["do", "socket 2 1 0; connect $1 in:0.0.0.0:{other} #"]).under(ONE_PORT).shows(Heard);
    rules_udp_to_loopback => calls(&["do", "socket 2 2 0; sendto $1 @x 1 0 in:127.0.0.1:{uport} 16"]).under(PUBLIC).shows(Heard);
    rules_udp => calls(&["do", "socket 2 2 0; sendto $1 @x 1 0 in:127.0.0.1:{uport} 16"]).under(ONE_PORT).shows(Heard);
    rules_udp_message => calls(&["do", "socket 2 2 0; sendmsg $1 msg:in:127.0.0.1:{uport} 0"]).under(PUBLIC).shows(Heard);
    rules_udp_messages => calls(&["do", "socket 2 2 0; sendmmsg $1 mmsg:in:127.0.0.1:{uport} 1 0"]).under(PUBLIC).shows(Heard);
    rules_mptcp => calls(&["do", "socket 2 1 262; connect $1 in:127.0.0.1:{other} #"]).under(ONE_PORT).needs(MPTCP).shows(Heard);
    rules_fast_open => calls(&["do", "socket 2 1 0; sendto $1 @x 1 0x20000000 in:127.0.0.1:{other} 16"]).under(ONE_PORT).shows(Heard);
    rules_listen => calls(&["do", "socket 2 1 0; bind $1 in:127.0.0.1:0 #; listen $1 1; hold"]).under(ONE_PORT).shows(Held(is_listening));
    rules_listen_unbound => calls(&["do", "socket 2 1 0; listen $1 1; hold"]).under(ONE_PORT).shows(Held(is_listening));
    rules_netlink => calls(&["do", "socket 16 3 0; hold"]).under(ONE_PORT).shows(Held(has_socket));
    rules_raw => calls(&["do", "socket 2 3 1; hold"]).under(ONE_PORT).needs("CAP_NET_RAW").shows(Held(has_socket));
    rules_unix_path => calls(&["do", "socket 1 1 0; connect $1 un:{root}/socket #"]).under(ONE_PORT).shows(Heard);
    rules_unix_abstract => calls(&["do", "socket 1 1 0; connect $1 un:@{token} #"]).under(ONE_PORT).shows(Heard);
    rules_unix_datagram => calls(&["do", "socket 1 2 0; sendto $1 @x 1 0 un:{root}/datagrams #"]).under(ONE_PORT).shows(Heard);
    // The address changes while the call is being judged.
    rules_address_race => python(concat!(
        "import ctypes, socket, threading\nlibc = ctypes.CDLL(None)\nport = lambda p: socket.htons(p).to_bytes(2, 'little')\n",
        "start = b'\\x02\\x00' + port({port}) + bytes([127, 0, 0, 1]) + bytes(8)\nbuffer = ctypes.create_string_buffer(start)\n",
        "stop = False\ndef flip():\n    while not stop:\n        buffer[2:4] = port({other})\n        buffer[2:4] = port({port})\n",
        "thread = threading.Thread(target=flip); thread.start()\n",
        "sys.setswitchinterval(1e-6)\nfor _ in range(400):\n    s = socket.socket(); s.settimeout(1); libc.connect(s.fileno(), buffer, 16); s.close()\n",
        "stop = True; thread.join()")).under(ONE_PORT).shows(After(|scene, _| scene.heard_other() > 0));
}

fn has_socket(scene: &claw_testkit::scene::Scene) -> bool {
    scene.some_attacker(|process| {
        let links = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        links
            .filter_map(|link| fs::read_link(link.path()).ok())
            .any(|to| to.to_string_lossy().starts_with("socket:"))
    })
}

/// Whether a TCP socket of the attacker listens: state 0A in the kernel's table, with the inode of its descriptor.
fn is_listening(scene: &claw_testkit::scene::Scene) -> bool {
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let listening: Vec<&str> = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.get(3) == Some(&"0A"))
        .filter_map(|fields| fields.get(9).copied())
        .collect();
    scene.some_attacker(|process| {
        let links = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        let mut targets = links.filter_map(|link| fs::read_link(link.path()).ok());
        targets.any(|to| listening.iter().any(|inode| to.to_string_lossy() == format!("socket:[{inode}]")))
    })
}
