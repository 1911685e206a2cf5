"""Sends every input of a list of bad inputs to a running server and judges what comes back.

    bad_inputs.py HTTP_ADDRESS PG_ADDRESS BAD_INPUTS.jsonl
        [--only TEXT] [--pid PID] [--seconds N] [--verbose]

The server must run with `auth_enabled: true`, a short `sql.statement_timeout`, `sql.tls` and a
`sql.users_file` with the users `bad` and `test`, whose password is `PASSWORD`, for all tenants. An
input for the Postgres port that begins with a startup packet logs in with it and goes on with the
rest, but for those that are about what comes before. After each
input it must be ready, must still answer a line that was pushed before, in LogQL and in SQL, and
must not have grown by more than an input may cost. One line per surprise, a count per category
at the end; the exit status is 1 if there was a surprise that is not in `DIFFERS`.
"""

import argparse
import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import select
import socket
import struct
import sys
import threading
import time
import urllib.parse
import zlib

# Inputs whose answer is known to differ from the list, and why. They are sent all the same, must
# do no harm, and are counted apart.
LIKE_LOKI = "clients rely on Loki taking it: "
DIFFERS = {
    "pj-no-labels": LIKE_LOKI + "the stream becomes {service_name=\"unknown_service\"}",
    "pj-label-number": LIKE_LOKI + "a number is taken as its text",
    "pj-value-short": LIKE_LOKI + "a missing line is an empty line",
    "t-star": "`*` is one of the characters of a tenant id, here as in Loki",
}

# What the queries of the list ask is of this tenant and stream. Without lines in it, a template that
# would fill the memory is never run.
QUERY_TENANT = "bad"
QUERY_LINES = 2000


def query_bomb(id, query, expect, why, **params):
    """An input of our own: a query that asks for far more than it may."""
    path = "/loki/api/v1/query_range?" + urllib.parse.urlencode({"query": query, **params})
    row = {"cat": "bomb", "proto": "http", "method": "GET", "id": id, "path": path, "why": why}
    return {**row, "headers": {"X-Scope-OrgID": QUERY_TENANT}, "must_not": [], "expect": expect}


# Where the list has one query of a kind, or none: cardinality, templates that grow a label, windows
# and steps that multiply.
BOMBS = [
    query_bomb(
        "b-series",
        'sum by (id) (count_over_time({job="bad"} | logfmt [1h]))',
        [400],
        "a series for each line",
    ),
    query_bomb(
        "b-series-of-series",
        'count_over_time({job="bad"} | logfmt | label_format a="{{.id}}{{__timestamp__}}" [1h])',
        [400],
        "a series for each line, by a template",
    ),
    query_bomb(
        "b-label",
        '{job="bad"} | label_format a="{{ repeat 900000 `x` }}", b="{{ repeat 900000 `y` }}"',
        [200, 400],
        "two labels of a megabyte for each line",
        limit=5000,
    ),
    query_bomb(
        "b-label-doubled",
        '{job="bad"}' + ' | label_format a="{{.a}}{{.a}}{{__line__}}"' * 40,
        [200, 400],
        "a label that is doubled forty times",
        limit=5000,
    ),
    query_bomb(
        "b-nested-range",
        '{job="bad"} | line_format "{{ range $a := (fromJson `['
        + ",".join(["1"] * 1000)
        + ']`) }}{{ range $b := (fromJson `['
        + ",".join(["1"] * 1000)
        + ']`) }}{{ repeat 1000 `x` }}{{ end }}{{ end }}"',
        [200, 400],
        "loops in loops",
    ),
    query_bomb(
        "b-steps",
        " + ".join(['sum(rate({job="bad"}[30d]))'] * 60),
        [200, 400],
        "11,000 steps, 60 times, each over a month",
        start=int(time.time()) - 11_000,
        end=int(time.time()),
        step=1,
    ),
    query_bomb(
        "b-regexes",
        '{job="bad"} ' + " ".join('|~ "(x|a){1,200}%d"' % n for n in range(150)),
        [200, 400],
        "150 programs of a large regex",
    ),
    query_bomb(
        "b-json",
        'sum by (id) (rate({job="bad"} | json a="[' + "0][" * 3000 + '0]" [5m]))',
        [200, 400],
        "a path of 3,000 steps",
    ),
]

# Inputs that use up what their tenant may have: they run after the others.
GREEDY = {"pj-entries-500k", "pj-streams-20k"}

# Inputs that end when the server has waited long enough. They run beside the others.
WAITING = {"h-slow-header", "h-short-body"}
WAITING_SECONDS_MAX = 60
GROWTH_BYTES_MAX = 256 << 20
# One query may gather 256 MiB, of the 512 MiB that all queries share by default.
BOMB_GROWTH_BYTES_MAX = 512 << 20

# The password of all users, and the inputs that are sent as they are where one is asked for.
PASSWORD = "correct horse"
BEFORE_LOGIN = {
    "g-query-before-auth",
    "g-password-1g",
    "g-scram-empty-nonce",
    "g-scram-wrong-mech",
    "g-scram-skip-final",
    "g-ssl-twice",
    "g-ssl-stuffed",
}

MARKER_TENANT = f"marker-{time.time_ns()}"
MARKER = "the line that must survive"
# The database, and so the tenant, of the SQL inputs; wide enough for a cross join to blow up.
SQL_TENANT = "logs"
SQL_LINES = 2000
LARGE_BYTES = 200_000


def varint(n):
    out = bytearray()
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    return bytes([*out, n])


def field(number, payload):
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def snappy(plain):
    """A block of literals alone."""
    out = [varint(len(plain))]
    for at in range(0, len(plain), 65536):
        piece = plain[at : at + 65536]
        out += [b"\xf4", struct.pack("<H", len(piece) - 1), piece]
    return b"".join(out)


def push_body(streams):
    return json.dumps({"streams": streams}, separators=(",", ":")).encode()


def stream(values, **labels):
    return {"stream": labels, "values": values}


def long_line(n):
    head, tail = push_body([stream([["@NOW@", "@"]], job="bad")]).split(b'"@"')
    yield now(head) + b'"'
    for at in range(0, n, 1 << 20):
        yield b"x" * min(1 << 20, n - at)
    yield b'"' + tail


def compressed(pieces, window_bits):
    packer = zlib.compressobj(1, zlib.DEFLATED, window_bits)
    return b"".join([*(packer.compress(piece) for piece in pieces), packer.flush()])


def deflated(n, byte, head=b"", tail=b""):
    """`n` times a byte between two texts, as raw deflate. Blocks that end flush can be repeated,
    which is a thousand times faster than compressing them again."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    start = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(byte * (1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return start + block * (n >> 20) + packer.compress(tail) + packer.flush()


def gzip(n, byte, head=b"", tail=b""):
    check = zlib.crc32(head)
    for _ in range(n >> 20):
        check = zlib.crc32(byte * (1 << 20), check)
    length = len(head) + n + len(tail)
    trailer = struct.pack("<II", zlib.crc32(tail, check), length & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + deflated(n, byte, head, tail) + trailer


def gzip_json(n):
    head, *_, tail = long_line(0)
    return gzip(n, b"x", head + b'"', tail)


def zlib_zeros(n):
    check = 1
    for _ in range(n >> 20):
        check = zlib.adler32(bytes(1 << 20), check)
    return b"\x78\xda" + deflated(n, b"\0") + struct.pack(">I", check)


def zstd_zeros(n):
    """A frame of blocks that repeat one byte, 4 bytes for 128 KiB, in a window of 8 MiB."""
    count = n >> 17
    blocks = [
        struct.pack("<I", (i == count - 1) | 1 << 1 | 1 << 20)[:3] + b"\0" for i in range(count)
    ]
    return b"\x28\xb5\x2f\xfd\x00\x68" + b"".join(blocks)


def snappy_bomb(n):
    """One literal byte, then copies of 64 bytes from one byte back."""
    return varint(n) + b"\0x" + b"\xfe\x01\x00" * ((n - 1) // 64)


def proto_empty(n):
    """Entries of no bytes at all: two bytes each on the wire."""
    return snappy(field(1, field(1, b'{job="bad"}') + b"\x12\0" * n))


def otlp_deep(n):
    """A log record whose body is an array in an array in an array."""
    parts, length = [b"\x0a\x01x"], 3
    for depth in range(2 * n + 4):
        # ArrayValue.values and AnyValue.array_value by turns; at last body, log_records,
        # scope_logs and resource_logs.
        number = (5, 2, 2, 1)[depth - 2 * n] if depth >= 2 * n else (5 if depth % 2 else 1)
        head = varint(number << 3 | 2) + varint(length)
        parts.append(head)
        length += len(head)
    return b"".join(reversed(parts))


def otlp_attrs(n):
    attributes = [{"key": f"k{i}", "value": {"stringValue": "v"}} for i in range(n)]
    record = {"timeUnixNano": "@NOW@", "body": {"stringValue": "x"}}
    logs = {"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": [record]}]}
    return json.dumps({"resourceLogs": [logs]}).encode()


# What a `body_gen` names, by its `fn`; called with its `n`.
GENERATORS = {
    "line": long_line,
    "sm": lambda n: push_body(
        [stream([["@NOW@", "x", {f"k{i}": "v" for i in range(n)}]], job="bad")]
    ),
    "streams": lambda n: push_body([stream([["@NOW@", "x"]], job=f"bad{i}") for i in range(n)]),
    "entries": lambda n: push_body([stream([["@NOW@", "x"]] * n, job="bad")]),
    "gzip_zeros": lambda n: gzip(n, b"\0"),
    "gzip_json": gzip_json,
    "gzip_members": lambda n: compressed([], 31) * n,
    "deflate_zeros": zlib_zeros,
    "zstd_zeros": zstd_zeros,
    "snappy_bomb": snappy_bomb,
    "proto_empty": proto_empty,
    "otlp_deep": otlp_deep,
    "otlp_attrs": otlp_attrs,
    "form": lambda n: b"query=" + urllib.parse.quote('{job="bad"} |= "').encode() + b"a" * n + b'"',
}


def now(body):
    return body.replace(b"@NOW@", str(time.time_ns()).encode())


def payload(row):
    """The pieces of a body, or of what is sent raw."""
    name = "body" if row["proto"] == "http" else "raw"
    if f"{name}_gen" in row:
        made = GENERATORS[row[f"{name}_gen"]["fn"]](row[f"{name}_gen"]["n"])
        return [now(made)] if isinstance(made, bytes) else list(made)
    if f"{name}_b64" in row:
        return [now(base64.b64decode(row[f"{name}_b64"]))]
    if f"{name}_zb64" in row:
        return [now(zlib.decompress(base64.b64decode(row[f"{name}_zb64"])))]
    return [now((row.get(name) or "").encode())]


class Talk:
    """A connection that is written and read at once: a server may answer before it has read."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=10)
        self.socket.setblocking(False)
        self.received = bytearray()
        self.closed = False

    def run(self, pieces, done, seconds_max, quiet_seconds=None):
        """Writes `pieces` and reads until `done()`, the end, or silence for too long."""
        waiting = [memoryview(piece) for piece in reversed(pieces) if piece]
        end = time.monotonic() + seconds_max
        while not self.closed and not done():
            left = end - time.monotonic()
            if not waiting and self.received and quiet_seconds:
                left = min(left, quiet_seconds)
            writers = [self.socket] if waiting else []
            readable, writable, _ = select.select([self.socket], writers, [], max(left, 0))
            if not readable and not writable:
                return
            try:
                if readable:
                    data = self.socket.recv(1 << 16)
                    self.closed = not data
                    self.received += data
                if writable and not self.closed:
                    sent = self.socket.send(waiting[-1][: 1 << 18])
                    waiting[-1] = waiting[-1][sent:]
                    if not waiting[-1]:
                        waiting.pop()
            except BlockingIOError:
                pass
            except OSError:
                # What came before a reset is still to be read.
                waiting = []
                try:
                    while data := self.socket.recv(1 << 16):
                        self.received += data
                except OSError:
                    pass
                self.closed = True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def http_status(received):
    found = re.match(rb"HTTP/1\.[01] (\d{3})", received)
    return int(found[1]) if found else None


def whole_answer(received):
    """Whether an answer with a length has come to its end."""
    head, gap, body = bytes(received).partition(b"\r\n\r\n")
    if not gap:
        return False
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    if length:
        return len(body) >= int(length[1])
    if re.search(rb"(?i)transfer-encoding: *chunked", head):
        return body.endswith(b"0\r\n\r\n")
    return http_status(received) in (101, 204, 304)


def request(address, method, path, headers, pieces, seconds_max):
    length = sum(map(len, pieces))
    head = f"{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    if length or method in ("POST", "PUT"):
        head += f"Content-Length: {length}\r\n"
    # The list spells header bytes as Latin-1.
    with Talk(address) as talk:
        pieces = [(head + "\r\n").encode("latin-1"), *pieces]
        talk.run(pieces, lambda: whole_answer(talk.received), seconds_max)
        return bytes(talk.received), talk.closed


def send_http(row, pieces, args):
    headers, limit = row.get("headers") or {}, seconds_max(row, args)
    received, closed = request(args.http, row["method"], row["path"], headers, pieces, limit)
    return http_outcome(received, closed), received


def send_raw(row, pieces, args):
    with Talk(args.http) as talk:
        # A second answer to one request would come at once.
        talk.run(pieces, lambda: False, seconds_max(row, args), quiet_seconds=0.5)
        received = bytes(talk.received)
        return http_outcome(received, talk.closed), received


def http_outcome(received, closed):
    if (status := http_status(received)) is not None:
        return status
    if received:
        return "any-binary"
    return "close" if closed else "silence"


def messages(received):
    """The types and bodies of whole Postgres messages from a server."""
    at = 0
    while at + 5 <= len(received):
        (length,) = struct.unpack_from(">I", received, at + 1)
        if at + 1 + length > len(received):
            return
        yield chr(received[at]), bytes(received[at + 5 : at + 1 + length])
        at += 1 + length


def count_answers(raw):
    """How often a server says that it is ready if all goes well: once for the start-up, once for
    each query and sync. `None` where other messages follow the start-up: they may be refused."""
    (length,) = struct.unpack_from(">i", raw, 0) if len(raw) >= 4 else (0,)
    at, count = max(length, 4), 1
    if at == len(raw):
        return 1
    while at + 5 <= len(raw):
        (length,) = struct.unpack_from(">i", raw, at + 1)
        count += raw[at : at + 1] in (b"Q", b"S")
        at += 1 + max(length, 4)
    return count if count > 1 else None


def login(talk, startup, seconds_max):
    """Sends a startup packet and proves the password. Whether the server asked for it and was
    content; else what it said instead is in `talk.received`."""

    def said(*codes):
        def done():
            kinds = list(messages(talk.received))
            asked = [b[:4] for k, b in kinds if k == "R"]
            return any(k == "E" for k, _ in kinds) or any(
                struct.pack(">I", code) in asked for code in codes
            )

        return done

    def answer(body):
        for kind, data in reversed(list(messages(talk.received))):
            if kind == "R":
                return data[4:] if data[:4] == struct.pack(">I", body) else None

    talk.run([startup], said(0, 10), seconds_max)
    if answer(10) is None:
        return False
    nonce = secrets.token_hex(12)
    bare = f"n=,r={nonce}"
    first = b"n,," + bare.encode()
    body = b"SCRAM-SHA-256\0" + struct.pack(">I", len(first)) + first
    talk.run([b"p" + struct.pack(">I", len(body) + 4) + body], said(11), seconds_max)
    if (challenge := answer(11)) is None:
        return False
    fields = dict(part.split("=", 1) for part in challenge.decode().split(","))
    salt, rounds = base64.b64decode(fields["s"]), int(fields["i"])
    salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), salt, rounds)
    key = hmac.digest(salted, b"Client Key", "sha256")
    unproven = f"c=biws,r={fields['r']}"
    about = f"{bare},{challenge.decode()},{unproven}".encode()
    signature = hmac.digest(hashlib.sha256(key).digest(), about, "sha256")
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(key, signature))).decode()
    body = f"{unproven},p={proof}".encode()
    talk.run([b"p" + struct.pack(">I", len(body) + 4) + body], said(0), seconds_max)
    return answer(0) is not None


def send_pg(row, pieces, args):
    raw = pieces[0]
    n_answers = count_answers(raw)
    is_ssl_request = raw[4:8] == b"\x04\xd2\x16\x2f"
    (length,) = struct.unpack_from(">I", raw, 0) if len(raw) >= 8 else (0,)
    logs_in = row["id"] not in BEFORE_LOGIN and raw[4:6] == b"\0\x03" and 8 <= length <= len(raw)

    with Talk(args.pg) as talk:
        parsed = []
        if logs_in and login(talk, raw[:length], args.seconds):
            pieces = [raw[length:]]
        elif logs_in:
            pieces = []

        def done():
            if is_ssl_request:
                return False
            parsed[:] = messages(talk.received)
            kinds = [kind for kind, _ in parsed]
            return "E" in kinds or n_answers and kinds.count("Z") >= n_answers

        quiet = 1.5 if is_ssl_request or "ok" in row["expect"] else None
        talk.run(pieces, done, args.seconds, quiet)
        parsed[:] = messages(talk.received)
        kinds = [kind for kind, _ in parsed]
        received = bytes(talk.received)
        if is_ssl_request and received == b"S" and talk.closed:
            # TLS would have come next, and something else came.
            return "close", received
        if is_ssl_request and received:
            return chr(received[0]), received
        if "E" in kinds:
            return "err", received
        if talk.closed:
            return "close", received
        if kinds:
            return "v" if "v" in kinds else "ok", received
        return "silence", received


def sql(args, tenant, text):
    """The values of the first row."""
    startup = b"user\0test\0database\0" + tenant.encode() + b"\0\0"
    startup = struct.pack(">II", len(startup) + 8, 196608) + startup
    query = text.encode() + b"\0"
    query = b"Q" + struct.pack(">I", len(query) + 4) + query
    with Talk(args.pg) as talk:
        parsed = []

        def done():
            parsed[:] = messages(talk.received)
            return [kind for kind, _ in parsed].count("Z") == 2

        if not login(talk, startup, 60):
            raise AssertionError(f"{text}: no login, {bytes(talk.received)!r}")
        talk.run([query], done, 60)
        for kind, body in parsed:
            if kind == "E":
                raise AssertionError(f"{text}: {body!r}")
            if kind == "D":
                (n,) = struct.unpack_from(">H", body)
                values, at = [], 2
                for _ in range(n):
                    (length,) = struct.unpack_from(">i", body, at)
                    values.append(body[at + 4 : at + 4 + max(length, 0)].decode())
                    at += 4 + max(length, 0)
                return values
    raise AssertionError(f"{text}: no row, {bytes(talk.received)!r}")


def logql(args, tenant, query, path="query_range", **params):
    params = urllib.parse.urlencode({"query": query, **params})
    received, _ = request(
        args.http, "GET", f"/loki/api/v1/{path}?{params}", {"X-Scope-OrgID": tenant}, [], 60
    )
    head, _, body = received.partition(b"\r\n\r\n")
    if http_status(head) != 200:
        raise AssertionError(f"{query}: {received!r}")
    if re.search(rb"(?i)transfer-encoding: *chunked", head):
        body = unchunked(body)
    return json.loads(body)["data"]["result"]


def unchunked(body):
    out = bytearray()
    while body:
        size, _, body = body.partition(b"\r\n")
        out += body[: int(size, 16)]
        body = body[int(size, 16) + 2 :]
    return bytes(out)


def lines(streams):
    return [value[1] for found in streams for value in found["values"]]


def push(args, tenant, streams):
    headers = {"X-Scope-OrgID": tenant, "Content-Type": "application/json"}
    received, _ = request(args.http, "POST", "/loki/api/v1/push", headers, [push_body(streams)], 60)
    if http_status(received) != 204:
        raise AssertionError(f"push: {received!r}")


class Process:
    """What the server's process uses, as the kernel counts it."""

    def __init__(self, pid):
        self.pid = pid

    def memory(self):
        """Bytes resident now, and at most since the last `reset`."""
        text = open(f"/proc/{self.pid}/status").read()
        return [int(re.search(rf"{name}:\s+(\d+)", text)[1]) << 10 for name in ("VmRSS", "VmHWM")]

    def reset(self):
        open(f"/proc/{self.pid}/clear_refs", "w").write("5")


def seconds_max(row, args):
    return WAITING_SECONDS_MAX if row["id"] in WAITING else args.seconds


def expected(outcome, expect):
    """Whether an outcome is one of a list of statuses, classes as `4xx`, and words."""
    family = f"{outcome // 100}xx" if isinstance(outcome, int) else None
    return outcome in expect or family in expect


def forbidden(row, received):
    """What an answer holds that it must not hold."""
    if b"root:x:0:0" in received:
        yield "the answer holds a file of the system"
    if "second response" in row["must_not"] and received.count(b"HTTP/1.1 ") > 1:
        yield "two answers to one request"
    if row["id"] == "s-copy-to" and os.path.exists("/tmp/pwned.csv"):
        yield "it wrote /tmp/pwned.csv"
    if row["id"] == "g-ssl-stuffed" and received[:1] == b"S" and len(received) > 1:
        yield "what was sent ahead of encryption was answered"
    if row["id"] in BEFORE_LOGIN and any(kind in "DZ" for kind, _ in messages(received)):
        yield "it got in without a password"
    if row["id"] == "t-read-other" and b'"values"' in received:
        yield "another tenant's lines"


SENDERS = {"http": send_http, "raw": send_raw, "pg": send_pg}


class Pusher(threading.Thread):
    """Somebody who has nothing to do with all this and goes on pushing, a line at a time."""

    def __init__(self, args):
        super().__init__(daemon=True)
        self.args = args
        self.tenant = f"pusher-{time.time_ns()}"
        self.stop = threading.Event()
        self.sent = 0
        self.slowest = 0.0
        self.failed = []

    def run(self):
        while not self.stop.wait(0.05):
            start = time.monotonic()
            try:
                line = [[str(time.time_ns()), f"line {self.sent}"]]
                push(self.args, self.tenant, [stream(line, app="steady")])
                self.sent += 1
            except (OSError, AssertionError, ValueError) as error:
                self.failed.append(str(error))
            self.slowest = max(self.slowest, time.monotonic() - start)

    def finish(self):
        """The number of surprises: every push was taken, in time, and is there."""
        self.stop.set()
        self.join()
        surprises = list(self.failed)
        if self.slowest > self.args.seconds:
            surprises.append(f"a push took {self.slowest:.1f} s")
        if self.sent == 0:
            surprises.append("nothing was pushed")
        count = "select count(*) from logs where line like 'line %'"
        if sql(self.args, self.tenant, count) != [str(self.sent)]:
            surprises.append(f"not all of {self.sent} lines are there")
        for surprise in surprises:
            print(f"WRONG beside the inputs: {surprise}", flush=True)
        print(f"beside them: {self.sent} pushes, the slowest took {self.slowest:.2f} s", flush=True)
        return len(surprises)


class Run:
    def __init__(self, args):
        self.args = args
        self.process = Process(args.pid) if args.pid else None
        self.counts = {}
        self.surprises = 0
        self.worst_growth = (0, "")
        self.worst_seconds = (0.0, "")
        self.lock = threading.Lock()

    def prepare(self):
        at = time.time_ns()
        push(self.args, MARKER_TENANT, [stream([[str(at), MARKER]], app="marker")])
        values = [[str(at + i), f"line {i}"] for i in range(SQL_LINES)]
        push(self.args, SQL_TENANT, [stream(values, app="many")])
        # More than a statement may hold, in memory and on disk, in few lines.
        for batch in range(8):
            large = [[str(at + i), f"{batch} {i} {'x' * LARGE_BYTES}"] for i in range(10)]
            push(self.args, SQL_TENANT, [stream(large, app="large")])
        text = "a" * 900
        values = [[str(at + i), f"id={i} status=200 msg={text}!"] for i in range(QUERY_LINES)]
        push(self.args, QUERY_TENANT, [stream(values, job="bad")])

    def alive(self, with_sql):
        """What does not work any more."""
        try:
            received, _ = request(self.args.http, "GET", "/ready", {}, [], self.args.seconds)
            if http_status(received) != 200:
                yield f"/ready answers {received[:100]!r}"
            if lines(logql(self.args, MARKER_TENANT, '{app="marker"}')) != [MARKER]:
                yield "LogQL does not find the marker"
            count = "select count(*) from logs where line = "
            if with_sql and sql(self.args, MARKER_TENANT, f"{count}'{MARKER}'") != ["1"]:
                yield "SQL does not find the marker"
        except (OSError, AssertionError, ValueError, KeyError) as error:
            yield f"the server does not answer as before: {error}"

    def send(self, row, alone=True):
        pieces = payload(row)
        before = self.memory_before() if alone else 0
        start = time.monotonic()
        try:
            outcome, received = SENDERS[row["proto"]](row, pieces, self.args)
        except OSError as error:
            outcome, received = str(error), b""
        seconds = time.monotonic() - start
        wrong = []
        if not expected(outcome, row["expect"]):
            wrong.append(f"{outcome}, expected {row['expect']}: {excerpt(received)}")
        harm = list(forbidden(row, received))
        if seconds > seconds_max(row, self.args) + 1:
            harm.append(f"it took {seconds:.1f} s")
        if alone and self.process:
            growth = max(self.process.memory()[1] - before, 0)
            self.worst_growth = max(self.worst_growth, (growth, row["id"]))
            is_bomb = row["cat"] == "bomb"
            if growth > (BOMB_GROWTH_BYTES_MAX if is_bomb else GROWTH_BYTES_MAX):
                harm.append(f"memory grew by {growth >> 20} MiB")
        if alone:
            harm += self.alive(with_sql=row["proto"] == "pg" or row["cat"].startswith("push"))
            self.worst_seconds = max(self.worst_seconds, (seconds, row["id"]))
        self.note(row, outcome, seconds, wrong, harm)

    def memory_before(self):
        if not self.process:
            return 0
        self.process.reset()
        return self.process.memory()[0]

    def note(self, row, outcome, seconds, wrong, harm):
        known = row["id"] in DIFFERS and not harm
        kind = "agree" if not wrong and not harm else "differ" if known else "wrong"
        with self.lock:
            count = self.counts.setdefault(row["cat"], {"agree": 0, "differ": 0, "wrong": 0})
            count[kind] += 1
            if kind == "wrong":
                self.surprises += 1
                print(f"WRONG {row['id']}: {'; '.join(wrong + harm)} ({row['why']})", flush=True)
            elif self.args.verbose:
                print(f"{kind} {row['id']}: {outcome} in {seconds:.2f} s", flush=True)
            if kind == "agree" and row["id"] in DIFFERS:
                print(f"note: {row['id']} agrees by now: take it out of DIFFERS", flush=True)

    def read_back(self):
        for surprise in self.unlike_reads():
            self.surprises += 1
            print(f"WRONG on reading back: {surprise}", flush=True)

    def unlike_reads(self):
        """What was taken of the bad inputs must be read the same in LogQL and SQL, and by nobody
        else. Yields what is not so."""
        try:
            hour_ago = int(time.time()) - 3600
            in_logql = logql(self.args, "bad", '{service_name=~".+"}', limit=5000, start=hour_ago)
            in_logql = sorted(lines(in_logql))
            recent = "from logs where timestamp > now() - interval '1 hour'"
            (in_sql,) = sql(self.args, "bad", f"select count(*) {recent}")
            if len(in_logql) < 5000 and len(in_logql) != int(in_sql):
                yield f"{len(in_logql)} lines in LogQL, {in_sql} in SQL"
            for job in ("a", "b"):
                n_logql = len(lines(logql(self.args, "bad", f'{{job="{job}"}}')))
                (n_sql,) = sql(self.args, "bad", f"select count(*) {recent} and job = '{job}'")
                if n_logql != int(n_sql):
                    yield f"{n_logql} lines of job {job} in LogQL, {n_sql} in SQL"
            for tenant in ("other", "someone-else"):
                if logql(self.args, tenant, '{service_name=~".+"}'):
                    yield f"tenant {tenant} sees lines that it did not push"
        except (OSError, AssertionError, ValueError, KeyError) as error:
            yield f"the taken lines cannot be read: {error}"

    def finish(self):
        for category, count in self.counts.items():
            print(f"{category:12} " + ", ".join(f"{n} {kind}" for kind, n in count.items() if n))
        for id, reason in DIFFERS.items():
            print(f"differs: {id}: {reason}")
        if self.process:
            growth, id = self.worst_growth
            print(f"memory grew most by {growth >> 20} MiB, at {id}")
        print("slowest: {1} in {0:.1f} s".format(*self.worst_seconds))


def excerpt(received):
    body = received.partition(b"\r\n\r\n")[2] or received
    return repr(bytes(body[-160:]))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("http")
    parser.add_argument("pg")
    parser.add_argument("file")
    parser.add_argument("--only", default="", help="a category or the beginning of an id")
    parser.add_argument("--pid", type=int, help="the server's, to watch its memory")
    parser.add_argument("--seconds", type=float, default=10, help="that an answer may take")
    parser.add_argument("--verbose", action="store_true")
    return parser.parse_args()


def main():
    args = arguments()
    rows = [json.loads(line) for line in open(args.file)] + BOMBS
    rows = [row for row in rows if row["cat"] == args.only or row["id"].startswith(args.only)]
    run = Run(args)
    run.prepare()
    pusher = Pusher(args)
    pusher.start()
    waiting = [
        threading.Thread(target=run.send, args=(row, False)) for row in rows if row["id"] in WAITING
    ]
    for thread in waiting:
        thread.start()
    for row in rows:
        if row["id"] not in WAITING | GREEDY:
            run.send(row)
    run.read_back()
    for row in rows:
        if row["id"] in GREEDY:
            run.send(row)
    run.surprises += pusher.finish()
    for thread in waiting:
        thread.join()
    run.finish()
    sys.exit(1 if run.surprises or not run.counts else 0)


main()
