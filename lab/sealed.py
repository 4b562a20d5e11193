"""The sealed room: namespaces around the lab, so that stock agents run with stock ports.

Theory of operation
-------------------
Outside, `command` wraps an argv in util-linux `unshare`: own PID, network, mount, UTS and IPC
namespaces, and for a user who is not root a user namespace with a uid range (subuid(5)).
Inside, `seal` makes the room; from then on `SealedRoom` is an adapter's view of it.

PID 1 is a shell that waits for the argv. It is not the lab itself because PID 1 inherits the
orphans of every daemon: the shell reaps whatever it is given, while a reaper in the lab would
race with the lab's own `subprocess` waits.

States of a room: unshared -> sealed -> installed -> over. What holds always: nothing is
written to the host's files (every directory that is written to is a tmpfs or a copy), no packet
leaves (there is only `lo`), and the end of any one of `unshare`, PID 1 and the lab is the end
of all processes, mounts and addresses (`--kill-child`; pid_namespaces(7); the shell's exit).
"""

import contextlib
import ctypes
import functools
import math
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from lab.room import Account, Unavailable
from model.address import AGENT
from model.timers import Timers

NETWORK = "198.18.0.0/15"
"""The block for benchmarks (RFC 2544, RFC 5735): in no real network's routing table."""
NETWORK6 = "2001:2::/48"
"""The same for IPv6 (RFC 5180): its addresses may be bound and reached where the kernel has IPv6."""
RESOLVER = "127.0.0.53"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Not the last command of the shell's list: shells execute that one in their own place.
_INIT = ("sh", "-c", '"$@"; exit $?', "init")
_SPACES = ("--pid", "--net", "--uts", "--ipc", "--mount", "--propagation", "private")
_GUARD = ("--fork", "--kill-child", "--mount-proc")
_AS_USER = ("--user", "--map-root-user", "--map-auto")
_PROBE_TIMEOUT = 10.0
_FOREIGN = "/proc/sys/net/ipv6/ip_nonlocal_bind"
"""Lets a program bind addresses that no interface has: an interface could only be given each."""
_BIND, _REC = 0x1000, 0x4000  # MS_BIND, MS_REC of mount(2)
_DEVICES = ("full", "null", "random", "tty", "urandom", "zero")
_EMPTIED = ("/var/spool", "/var/lib", "/var/mail", "/run")
_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"

_libc = ctypes.CDLL(None, use_errno=True)


def command(argv: Sequence[str]) -> list[str]:
    """The argv that runs `argv` in namespaces of its own; open descriptors are passed on.

    Raises Unavailable, with the remedy, if this machine does not give namespaces.
    """
    if sentence := _why_not():
        raise Unavailable(sentence)
    return [*_unshare(), *_INIT, *argv]


def _unshare() -> list[str]:
    who = () if os.geteuid() == 0 else _AS_USER
    return [_tool("unshare") or "unshare", *who, *_SPACES, *_GUARD, "--"]


def _tool(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:{PATH}")


@functools.cache
def _why_not() -> str:
    """What stands in the way of a sealed room, in one sentence; empty if nothing does."""
    tools = {"unshare": "util-linux", "ip": "iproute2"}
    if os.geteuid() != 0:
        tools["newuidmap"] = "uidmap"
    for tool, package in tools.items():
        if not _tool(tool):
            return f"a sealed room needs `{tool}`: install it with `apt-get install {package}`"
    said = _probe(_tool("ip") or "ip", "link", "set", "lo", "up")
    return f"a sealed room cannot be had ({said}): {_remedy(said)}" if said else ""


@functools.cache
def why_no_ipv6() -> str:
    """Why a sealed room would have no IPv6, in one sentence; empty if it would."""
    ip = _tool("ip") or "ip"
    plumb = (
        f"{ip} link set lo up && {ip} -6 route add local {NETWORK6} dev lo && echo 1 >{_FOREIGN}"
    )
    said = _probe("sh", "-c", plumb)
    return f"the kernel gives the sealed room no IPv6 ({said})" if said else ""


def _probe(*argv: str) -> str:
    """Run a command in namespaces of its own; its error's last line, empty if it worked."""
    try:
        done = subprocess.run(
            [*_unshare(), *argv],
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PROBE_TIMEOUT,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.returncode == 0 else (said or [f"exit code {done.returncode}"])[-1]


def _remedy(said: str) -> str:
    """What to do about an error of the probe's."""
    if "subuid" in said or "subgid" in said:
        ranges = "--add-subuids 100000-165535 --add-subgids 100000-165535"
        return f"as root give this user a range of ids with `usermod {ranges} $USER`"
    if "unrecognized option" in said:
        return "install util-linux 2.38 or newer, or run as root"
    if os.geteuid() == 0:
        return "allow namespaces; in a container that means starting it with --privileged"
    return (
        "run as root, or allow user namespaces "
        "(`sysctl kernel.apparmor_restrict_unprivileged_userns=0`, user.max_user_namespaces > 0)"
    )


def seal(work: Path, ca_pem: bytes, timers: Timers, crl_pem: bytes = b"") -> "SealedRoom":
    """Make the room, from within the namespaces, before there are other processes.

    `work` is best a path below /run, where it need not exist: anywhere else it is an empty
    directory of the host's, and stays there when the room is over. Raises OSError.
    """
    _ip("link", "set", "lo", "up")
    _ip("route", "add", "local", NETWORK, "dev", "lo")
    with contextlib.suppress(OSError):  # then there is none; see `why_no_ipv6`
        _ip("-6", "route", "add", "local", NETWORK6, "dev", "lo")
        Path(_FOREIGN).write_text("1")
    socket.sethostname(AGENT)
    for folder in _EMPTIED:
        _empty(Path(folder))
    work.mkdir(parents=True, exist_ok=True)
    mount("tmpfs", work, "tmpfs", options="mode=755")
    _own_etc(work / ".etc", timers)
    _own_dev(work / ".dev")
    ca_file = work / "ca.pem"
    ca_file.write_bytes(ca_pem)
    crl_file = work / "crl.pem"
    crl_file.write_bytes(crl_pem)
    return SealedRoom(work, ca_file, crl_file)


class SealedRoom:
    """Fulfils `lab.room.Room` for any agent; made by `seal`."""

    sealed = True
    network = NETWORK

    def __init__(self, work: Path, ca_file: Path, crl_file: Path) -> None:
        self.work, self.ca_file, self.crl_file = work, ca_file, crl_file
        self.dns = (RESOLVER, 53)
        self.smtp_port = 25
        self._spawned: list[subprocess.Popen[bytes]] = []

    def install(self, tree: Path | None, accounts: Sequence[Account]) -> None:
        """Lay an unpacked package over /usr and /etc, and add accounts that are not there."""
        if tree is not None:
            self._overlay(tree)
            if (tree / "etc").is_dir():
                _copy(tree / "etc", Path("/etc"))
        for account in accounts:
            ids = f"{account.uid}:{account.uid}"
            _append("/etc/passwd", account.name, f"x:{ids}::/nonexistent:/usr/sbin/nologin")
            _append("/etc/group", account.name, f"x:{account.uid}:")

    def spawn(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None, stdin: bool = False
    ) -> subprocess.Popen[bytes]:
        """Start a process in a session of its own, with nothing of the host's environment."""
        process = subprocess.Popen(
            list(argv),
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={"PATH": PATH, **(env or {})},
            start_new_session=True,
        )
        self._spawned.append(process)
        return process

    def close(self) -> None:
        """End what was spawned; the namespaces go with the lab."""
        end_all(self._spawned)

    def _overlay(self, tree: Path) -> None:
        """Put the tree's /usr on top of the host's, and what it has in /lib, /bin and /sbin.

        Those three are links into /usr on the host ("usr-merge"), but packages from before it
        still have them as directories, which an overlay would leave out.
        """
        layers = [tree / "usr", Path("/usr")]
        parts = [tree / name for name in ("lib", "bin", "sbin") if (tree / name).is_dir()]
        merged = self.work / ".usr"
        for part in parts:
            _copy(part, merged / part.name)
        if parts:
            layers.insert(0, merged)
        lower = ":".join(_escaped(layer) for layer in layers if layer.is_dir())
        mount("overlay", Path("/usr"), "overlay", options=f"lowerdir={lower}")


def end_all(spawned: Iterable[subprocess.Popen[bytes]]) -> None:
    """Kill the sessions of processes that were spawned, and reap them.

    Their pipes are left to whoever reads them, maybe in another thread: it now reads the end.
    """
    for process in spawned:
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _ip(*words: str) -> None:
    done = subprocess.run([_tool("ip") or "ip", *words], capture_output=True, check=False)
    if done.returncode:
        raise OSError(f"`ip {' '.join(words)}`: {done.stderr.decode(errors='replace').strip()}")


def mount(source: str, target: Path, kind: str, flags: int = 0, options: str = "") -> None:
    """mount(2); the mounts of this namespace are private, so nobody else sees it."""
    words = (source, os.fspath(target), kind)
    octets = [os.fsencode(word) for word in words]
    if _libc.mount(*octets, ctypes.c_ulong(flags), os.fsencode(options)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"mounting {source} on {target}: {os.strerror(number)}")


def _empty(folder: Path) -> None:
    """Put a tmpfs over a folder, but keep what this very program runs from below it.

    Build machines have their home directories in /var/lib.
    """
    if not folder.is_dir() or folder.is_symlink():
        return
    kept = {path: os.open(path, os.O_PATH) for path in _needed() if folder in path.parents}
    mount("tmpfs", folder, "tmpfs", options="mode=755")
    for path, descriptor in kept.items():
        path.mkdir(parents=True, exist_ok=True)
        mount(f"/proc/self/fd/{descriptor}", path, "", flags=_BIND | _REC)
        os.close(descriptor)


def _needed() -> list[Path]:
    """The folders of the user, the project and the interpreter, outer ones first."""
    here = Path(__file__).resolve().parent.parent
    folders = {Path.home(), here, Path(sys.prefix), Path(sys.base_prefix)}
    return sorted(folder for folder in folders if folder.is_dir())


def _own_etc(copy: Path, timers: Timers) -> None:
    """Put a writable copy over /etc.

    Not an overlay: in a user namespace that cannot copy up files whose owner is not mapped.
    """
    _copy(Path("/etc"), copy)
    wait = max(1, math.ceil(timers.dns))  # resolv.conf(5) knows whole seconds only
    texts = {
        "resolv.conf": f"nameserver {RESOLVER}\noptions timeout:{wait} attempts:1\n",
        "hosts": f"127.0.0.1 localhost {AGENT}\n",
        "nsswitch.conf": _NSSWITCH,
        "hostname": f"{AGENT}\n",
    }
    for name, text in texts.items():
        (copy / name).unlink(missing_ok=True)  # may be a link to what is not in the room
        (copy / name).write_text(text)
    mount(os.fspath(copy), Path("/etc"), "", flags=_BIND)


def _own_dev(new: Path) -> None:
    """Put a /dev of plain devices over the host's.

    It is writable and without /dev/log: what an agent logs before its own log is open stays in
    the room, where an adapter may listen for it.
    """
    new.mkdir()
    for name in _DEVICES:
        (new / name).touch()
        mount(f"/dev/{name}", new / name, "", flags=_BIND)
    (new / "shm").mkdir()
    (new / "shm").chmod(0o1777)
    for name, number in {"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"}.items():
        (new / name).symlink_to(f"/proc/self/fd{number}")
    mount(os.fspath(new), Path("/dev"), "", flags=_BIND | _REC)


def _copy(source: Path, target: Path) -> None:
    """Copy a tree into another, links as links, leaving out what may not be read."""
    with contextlib.suppress(shutil.Error):  # raised at the end, when all the rest is copied
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)


def _append(file: str, name: str, rest: str) -> None:
    """Add an account line unless there is one of that name (the package is installed)."""
    path = Path(file)
    lines = path.read_text().splitlines()
    if not any(line.startswith(f"{name}:") for line in lines):
        path.write_text("\n".join([*lines, f"{name}:{rest}", ""]))


def _escaped(path: Path) -> str:
    """A path as overlayfs wants it in a list of lower layers."""
    text = os.fspath(path.resolve())
    for special in ("\\", ":", ","):
        text = text.replace(special, f"\\{special}")
    return text
