"""`python -m targets.reference` for a person and for a script, as a process of its own."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from selftests.running import ROOT, environment
from selftests.test_reference_adapter import IP, sink

DEADLINE = 20.0
OK, MISTAKES, USAGE, INTERRUPTED = 0, 1, 2, 130
NOBODY_LISTENS = 9
"""A port of loopback (RFC 863) that is closed."""

FLOW = f"""
[[connector]]
Name = "To our own server"
ConnectorType = "OnPremises"
UseMXRecord = false
SmartHosts = ["{IP}"]
RecipientDomains = ["contoso.test"]

[[connector]]
Name = "To the bank"
ConnectorType = "Partner"
UseMXRecord = false
SmartHosts = ["192.0.2.1"]
RecipientDomains = ["bank.test"]
TlsSettings = "DomainValidation"
TlsDomain = "*.bank.test"

[[accepted_domain]]
DomainName = "contoso.test"
DomainType = "InternalRelay"
Recipients = ["anna"]
"""


@pytest.fixture
def flow(tmp_path: Path) -> Path:
    """A connector file."""
    file = tmp_path / "flow.toml"
    file.write_text(FLOW)
    return file


def argv(*words: str) -> list[str]:
    return [sys.executable, "-m", "targets.reference", *words]


def run_argv(file: Path, port: int = NOBODY_LISTENS, *more: str) -> list[str]:
    names = f"127.0.0.1:{NOBODY_LISTENS}"
    options = ("--dns", names, "--port", str(port), "--timeout", "1s")
    return argv("run", "--connectors", str(file), *options, *more)


def call(command: Sequence[str], said: bytes = b"", **variables: str) -> tuple[int, str, str]:
    """Run a command to its end: exit code, stdout, stderr."""
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment(**variables),
        input=said,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


class Talk:
    """A running shell that answers in JSON."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.alerts: list[Any] = []

    def ask(self, line: str) -> Any:
        """The answer to one command; warnings are kept apart."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        while "alert" in (said := json.loads(self.process.stdout.readline())):
            self.alerts.append(said["alert"])
        return said.get("ok", said.get("error"))


@contextmanager
def talk(file: Path, port: int = NOBODY_LISTENS) -> Iterator[Talk]:
    """A shell; it must end well when its stdin does."""
    process = subprocess.Popen(
        run_argv(file, port, "--json"),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        yield Talk(process)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(DEADLINE)


def test_mail_goes_out_waits_and_is_fixed(flow: Path) -> None:
    """A whole story over one pipe, against a real small server, with the file changed midway."""
    with sink() as server, talk(flow, server.server_address[1]) as shell:
        sent = shell.ask("submit anna@contoso.test carl@contoso.test anna@contoso.test")
        assert [t["event"] for t in sent["trace"]] == ["Receive", "Receive", "Deliver", "Deliver"]
        assert len(server.mails) == 1
        later = shell.ask("submit anna@contoso.test later@contoso.test")
        assert later["trace"][-1]["detail"].startswith("Reason: [{LED=451 4.2.0 later};{MSG=};")
        bad = shell.ask("submit anna@contoso.test bad@contoso.test")
        assert bad["trace"][1]["event"] == "Fail"
        (quota,) = shell.ask("quota")
        assert (quota["refused"], quota["waiting"], quota["used"]) == (1, 1, 2)

        shell.ask("pass 23h")
        assert [alert["about"] for alert in shell.alerts] == ["waited"]
        (report,) = shell.ask("queue")
        assert (report["connector"], report["queued"]) == ("To our own server", 1)
        assert (report["code"], report["last_ip"]) == ("451 4.2.0", IP)
        assert shell.ask("retry") == {"tried": [later["message"]]}
        assert len(shell.ask("trace later@contoso.test")) == 1 + 1 + 4 + 22 + 1
        assert len(shell.ask("trace later@contoso.test 3")) == len(shell.ask("trace 3")) == 3

        flow.write_text(FLOW.replace(f'"{IP}"', '"127.42.0.64"'))
        assert shell.ask("reload")["connector"][0]["SmartHosts"] == ["[127.42.0.64]"]
        assert shell.ask("queue")[0]["code"] == "450 4.4.316"
        flow.write_text("[[connector]]")
        assert "connector 1 has no Name" in shell.ask("reload")
        assert shell.ask("fix-now To our own server") == {"domains": ["contoso.test"]}
        assert shell.ask("messages") == []
        assert shell.ask("quota")[0]["used"] == 1
        assert shell.ask("mailbox").keys() == {"anna@contoso.test"}
        mails = shell.ask("mailbox Anna@contoso.test")
        assert [line for mail in mails for line in mail.split("\r\n") if "Status: 5" in line] == [
            "Status: 5.1.1",
            "Status: 5.4.1",
        ]
    assert shell.process.returncode == MISTAKES, "one command could not be carried out"


def test_nothing_leaves_this_machine_unless_told(flow: Path) -> None:
    with talk(flow) as shell:
        sent = shell.ask("submit anna@contoso.test u@bank.test")
        assert "not on loopback; start it with --allow-network" in sent["trace"][-1]["detail"]
        assert shell.ask("queue")[0]["code"] == "451 4.3.0"
    assert shell.process.returncode == OK


def test_it_can_be_interrupted(flow: Path) -> None:
    """While it waits for a command; no traceback comes of it."""
    with talk(flow) as shell:
        shell.ask("submit anna@contoso.test carl@contoso.test")
        shell.process.send_signal(signal.SIGINT)
        assert shell.process.wait(DEADLINE) == INTERRUPTED
        assert shell.process.stdout is not None
        assert shell.process.stdout.read() == ""


BAD_COMMANDS = [
    ("fly", "there is no command 'fly'; `help` lists them"),
    ("submit anna@contoso.test", "submit is given wrong; write submit FROM TO [TO ...]"),
    ("queue now", "queue is given wrong; write queue"),
    ("fix-now", "there is no connector ''; there is 'To our own server', 'To the bank'"),
    ("fix-now Nowhere", "there is no connector 'Nowhere'; there is 'To our own server', "),
    ("fix-now To the bank", "'To the bank' leads to a partner; ask the partner to put it right"),
    ("disable x", "there is no connector 'x'; there is "),
    ("enable x", "there is no connector 'x'; there is "),
    ("domain x.test Authoritative", "there is no accepted domain 'x.test'; there is contoso.test"),
    ("domain contoso.test Mine", "there is no type 'Mine'; choose one of Authoritative, Internal"),
    ("submit anna@contoso.test u", "'u' is no address; write it like anna@contoso.test"),
    ("submit anna u@contoso.test", "'anna' is no address; write it like anna@contoso.test"),
    ("submit <> @contoso.test", "'@contoso.test' is no address; write it like"),
    ('submit "anna', "cannot be read (No closing quotation); close what you opened"),
    ("many 0 <> u@contoso.test", "'0' is no number of messages; give one from 1 to 10000"),
    ("many x <> u@contoso.test", "'x' is no number of messages; give one from 1 to 10000"),
    ("pass 47", "'47' is no length of time; write it like 30s, 5m, 47h or 2d"),
    ("pass -1h", "'-1h' is no length of time; write it like"),
    ("pass 10000d", "'10000d' is too long a time; give 9999d at most"),
    ("retry Q1", "no message 'Q1' waits; `messages` lists those that do"),
    ("trace Q1", "the trace knows neither message nor recipient 'Q1'"),
    ("trace Q1 x", "'x' is no number of lines; give one from 1 on"),
    ("trace 0", "'0' is no number of lines; give one from 1 on"),
    ("mailbox carl@contoso.test", "no mail has come for 'carl@contoso.test' here"),
    ("json maybe", "json is on or off, not 'maybe'"),
]


def test_a_wrong_command_gets_one_sentence_and_the_next_is_carried_out(flow: Path) -> None:
    lines = [line for line, _ in BAD_COMMANDS]
    script = "\n".join([*lines, "# a remark", "", "messages", "quit", "fly"]).encode()
    code, said, complaints = call(run_argv(flow), script)
    answers = said.splitlines()
    assert (code, complaints) == (MISTAKES, "")
    for (line, sentence), answer in zip(BAD_COMMANDS, answers, strict=False):
        assert answer.startswith("error: "), line
        assert sentence in answer, line
    assert answers[len(BAD_COMMANDS) :] == ["message  from  to  attempts"]


def test_octets_that_are_no_text_are_no_reason_to_hang(flow: Path) -> None:
    code, said, _ = call(run_argv(flow), b"fly \xff\xfe\nmessages", PYTHONIOENCODING="utf-8:strict")
    assert code == MISTAKES
    assert said.endswith("message  from  to  attempts\n")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--dns", "192.0.2.1:53"], "--dns 192.0.2.1:53 is not on this machine's loopback; name a"),
        (["--dns", "localhost:53"], "--dns 'localhost:53' is no resolver; write it like 127.0.0.1"),
        (["--dns", "127.0.0.1"], "--dns '127.0.0.1' is no resolver; write it like 127.0.0.1:53"),
        (["--dns", "127.0.0.1:0"], "--dns '127.0.0.1:0' is no resolver; write it like"),
        (["--name", "our host"], "--name 'our host' is no host name; write it like agent.test"),
        (["--port", "0"], "--port 0 is no port; give one from 1 to 65535"),
        (["--port", "65536"], "--port 65536 is no port; give one from 1 to 65535"),
        (["--timeout", "0s"], "--timeout 0 leaves no time for anything; give more"),
        (["--timeout", "5"], "--timeout: '5' is no length of time; write it like 30s"),
        (["--alert-after", "soon"], "--alert-after: 'soon' is no length of time; write it like"),
        (["--alert-after", "0m"], "a warning after 0 s of waiting makes no sense; give more"),
        (["--alert-count", "10"], "a warning at 10 messages comes too early; the least is 200"),
        (["--ca-file", "/nowhere.pem"], "/nowhere.pem cannot be used (no such file or directory)"),
        (["--ca-file", __file__], "cannot be used (no certificate in it); give a PEM file with"),
        (
            ["--connectors", "/nowhere.toml"],
            "the connector file /nowhere.toml cannot be read (no s",
        ),
        (["--connectors", "/"], "the connector file / cannot be read (is a directory); give anoth"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value)[-30:],
)
def test_a_wrong_option_of_run(flow: Path, options: Sequence[str], sentence: str) -> None:
    """One sentence on stderr, exit code 2, and nothing is started."""
    code, said, complaint = call(run_argv(flow) + list(options))
    assert (code, said, complaint.count("\n")) == (USAGE, "", 1)
    assert sentence in complaint


@pytest.mark.parametrize("verb", ["run", "check"])
def test_a_mistake_in_the_file_is_one_sentence(flow: Path, verb: str) -> None:
    flow.write_text(FLOW.replace("SmartHosts", "SmartHost"))
    command = run_argv(flow) if verb == "run" else argv("check", str(flow))
    code, said, complaint = call(command)
    assert (code, said, complaint.count("\n")) == (USAGE, "", 1)
    assert complaint.startswith(f"{flow}: connector 'To our own server' has 'SmartHost', which is ")


@pytest.mark.parametrize("domain", ["", "two words", "anna@contoso.test"])
def test_check_refuses_what_is_no_domain(flow: Path, domain: str) -> None:
    """Else the answer would be that its mail goes by MX."""
    code, said, complaint = call(argv("check", str(flow), domain))
    assert (code, said) == (USAGE, "")
    assert complaint == f"{domain!r} is no domain; write it like contoso.test\n"


def test_check_says_which_mail_goes_where(flow: Path) -> None:
    code, said, _ = call(argv("check", str(flow), "www.bank.test"))
    lines = [" ".join(line.split()) for line in said.splitlines()]
    assert code == OK
    assert "To the bank yes Partner [192.0.2.1] DomainValidation *.bank.test bank.test" in lines
    kept = "contoso.test mailboxes here; everybody else over 'To our own server'"
    assert kept in lines
    assert lines[lines.index(kept) + 1 :][:3] == [
        "bank.test over 'To the bank'",
        "www.bank.test by MX",
        "any other by MX",
    ]
    assert lines[-1] == "MessageExpiration 24 h 00 min; DelayNotificationTimeout 4 h 00 min"


def test_check_warns_of_the_half_fix_and_of_the_other_half(flow: Path) -> None:
    flow.write_text(
        FLOW.replace("[[accepted", "[[accepted", 1).replace("UseMX", "Enabled = false\nUseMX")
    )
    _, said, _ = call(argv("check", str(flow)))
    assert "everybody else by MX (where MX names this service, that loops: 5.4.14)" in said
    flow.write_text(FLOW.replace("InternalRelay", "Authoritative"))
    _, said, _ = call(argv("check", str(flow)))
    assert "into mailboxes here; everybody else is refused" in said


def test_check_as_json_has_the_words_of_the_file(flow: Path) -> None:
    code, said, _ = call(argv("check", str(flow), "--json"))
    found = json.loads(said)
    assert code == OK
    assert found["connector"][1] == {
        "Name": "To the bank",
        "Enabled": True,
        "ConnectorType": "Partner",
        "UseMXRecord": False,
        "SmartHosts": ["[192.0.2.1]"],
        "RecipientDomains": ["bank.test"],
        "AllAcceptedDomains": False,
        "TlsSettings": "DomainValidation",
        "TlsDomain": "*.bank.test",
    }
    assert found["accepted_domain"][0]["Recipients"] == ["anna@contoso.test"]
    assert found["transport"]["MessageExpiration"] == 86400.0
    assert found["ways"]["any other"] == "by MX"


def test_the_demonstration() -> None:
    """It needs nothing, and tells the whole story."""
    code, said, complaint = call(argv("demo"))
    assert (code, complaint) == (OK, "")
    story = (
        "{LED=450 4.4.316 Connection refused};{MSG=Socket error code 10061};",
        "WARNING  Messages have been delayed: 2 messages for To our old server, the oldest for 1 h",
        "Messages queued     2",
        "Who must act        your network team",
        "contoso.test     0        2        2",
        "connector off; contoso.test authoritative; 0 waiting",
        "contoso.test     0        0        0",
        "{LED=550 5.4.1 Recipient address rejected: Access denied}",
        "bert@contoso.test  1",
    )
    at = [said.index(part) for part in story]
    assert at == sorted(at)


def test_the_demonstration_as_json() -> None:
    code, said, _ = call(argv("demo", "--json"))
    found = [json.loads(line) for line in said.splitlines()]
    assert code == OK
    assert [each["alert"]["about"] for each in found if "alert" in each] == ["waited"]
    boxes = found[-1]["ok"]
    assert boxes["bert@contoso.test"] == 1
    assert boxes["anna@contoso.test"] >= 3, "a notice for each of three who were refused"


def test_without_a_subcommand_it_says_which_there_are() -> None:
    code, _, complaint = call(argv())
    assert code == USAGE
    assert "serve" in call(argv("--help"))[1]
    assert "required: command" in complaint
