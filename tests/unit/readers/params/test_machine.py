"""Hostile params files: nothing runs, nothing is imported, and the honest keys still come out."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_d0parity import load_params
from tests.support.pickles import Foreign, args, call, dumps, integer, name, old_name, text, value, wrap

CANARY = "canary-was-here"
PYTHON = f"open({CANARY!r}, 'w')"
SHELL = f"touch {CANARY}"

# What a file may name to run a command, evaluate Python, import, open or delete.
CALLS: dict[str, tuple[str, str, Any]] = {
    f"{module}.{qualname}": (module, qualname, arguments)
    for module, qualname, *arguments in [
        ("os", "system", SHELL),
        ("posix", "system", SHELL),
        ("nt", "system", SHELL),
        ("os", "popen", SHELL),
        ("os", "execvp", "touch", ["touch", CANARY]),
        ("os", "_exit", 3),
        ("os", "kill", 0, 15),
        ("os", "mkdir", CANARY),
        ("os", "putenv", "CANARY", "1"),
        ("subprocess", "Popen", ["touch", CANARY]),
        ("subprocess", "check_output", ["touch", CANARY]),
        ("commands", "getoutput", SHELL),
        ("pty", "spawn", ["touch", CANARY]),
        ("builtins", "eval", PYTHON),
        ("builtins", "exec", PYTHON),
        ("__builtin__", "eval", PYTHON),
        ("builtins", "compile", PYTHON, "x", "exec"),
        ("builtins", "__import__", "canary_module"),
        ("builtins", "getattr", "x", "upper"),
        ("builtins", "setattr", "x", "y", 1),
        ("builtins", "globals"),
        ("builtins", "open", CANARY, "w"),
        ("builtins", "breakpoint"),
        ("builtins", "exit"),
        ("builtins", "input"),
        ("builtins", "print", "canary"),
        ("builtins", "type", "X", (), {}),
        ("builtins", "object.__reduce__"),
        ("builtins", "eval.__call__", PYTHON),
        ("io", "open", CANARY, "w"),
        ("_io", "FileIO", CANARY, "w"),
        ("pathlib", "Path.touch", CANARY),
        ("importlib", "import_module", "canary_module"),
        ("importlib", "reload", "sys"),
        ("runpy", "run_path", "canary_module.py"),
        ("runpy", "_run_code", PYTHON, {}),
        ("code", "InteractiveInterpreter.runcode", PYTHON),
        ("timeit", "timeit", PYTHON),
        ("cProfile", "run", PYTHON),
        ("pdb", "run", PYTHON),
        ("bdb", "Bdb.run", PYTHON),
        ("doctest", "debug_script", PYTHON),
        ("webbrowser", "open", "file:///"),
        ("shutil", "rmtree", "."),
        ("shutil", "copyfile", "canary_module.py", CANARY),
        ("tempfile", "mktemp"),
        ("ctypes", "CDLL", "libc.so.6"),
        ("socket", "create_connection", ("127.0.0.1", 9)),
        ("urllib.request", "urlopen", "file:///etc/hostname"),
        ("pickle", "loads", pickle.dumps(7)),
        ("_pickle", "loads", pickle.dumps(7)),
        ("marshal", "loads", b"N"),
        ("dill", "loads", pickle.dumps(7)),
        ("dill._dill", "_eval_repr", PYTHON),
        ("dill._dill", "_import_module", "canary_module"),
        ("dill._dill", "_load_type", "CodeType"),
        ("dill._dill", "_load_type", "FunctionType"),
        ("dill._dill", "_get_attr", "x", "upper"),
        ("dill._dill", "_create_code", 0, 0, b"", ()),
        ("dill._dill", "_create_filehandle", CANARY, "w", 0, False, "", None, "", 1),
        ("dill.source", "importable", 1),
        ("dill.temp", "capture", "x"),
        ("functools", "partial", SHELL),
        ("functools", "reduce", SHELL, [1]),
        ("operator", "methodcaller", "touch", CANARY),
        ("operator", "attrgetter", "system"),
        ("types", "FunctionType", 1, {}),
        ("types", "CodeType", 0),
        ("copyreg", "__newobj__", SHELL),
        ("copy_reg", "_reconstructor", "x", "y", None),
        ("sys", "exit", 1),
        ("sys", "setrecursionlimit", 9),
        ("signal", "raise_signal", 9),
        ("faulthandler", "_sigsegv"),
        ("logging.config", "listen", 0),
        ("multiprocessing.util", "spawnv_passfds", b"touch", [b"touch"], ()),
        ("asyncio.unix_events", "_UnixSubprocessTransport._start", [SHELL]),
        ("idlelib.pyshell", "ModifiedInterpreter.runcode", PYTHON),
        ("lib2to3.pgen2.grammar", "Grammar.loads", b"x"),
        ("numpy", "load", "x.npy"),
        ("numpy", "fromfile", "canary_module.py"),
        ("numpy", "memmap", CANARY, "u1", "w+", 0, (10,)),
        ("numpy", "save", CANARY, 1),
        ("numpy.testing._private.utils", "runstring", PYTHON, {}),
        ("numpy.f2py", "compile", PYTHON),
        ("numpy.f2py.crackfortran", "param_eval", PYTHON),
        ("numpy.lib.npyio", "DataSource.open", CANARY, "w"),
        ("torch.hub", "load", "x"),
        ("torch.serialization", "load", "x"),
        ("pandas.io.pickle", "read_pickle", "x"),
        ("joblib", "load", "x"),
        ("sympy", "sympify", PYTHON),
        ("canary_module", "anything"),
        ("canary_package.sub", "anything", 1),
    ]
}


def _pushed(item: Any) -> bytes:
    return b"C" + bytes([len(item)]) + item if type(item) is bytes else value(item)


SYSTEM = name("os", "system")
NDARRAY = name("numpy", "ndarray")
RECONSTRUCT = name("numpy._core.multiarray", "_reconstruct")
OBJECT_DTYPE = call(name("numpy", "dtype"), text("O8"), integer(0), integer(1))
EMPTY_ARRAY = call(RECONSTRUCT, NDARRAY, b"K\x00\x85", b"C\x01b")

# Ways around a list of forbidden names, and the odd uses of every instruction that calls or builds.
TRICKS: dict[str, bytes] = {
    "GLOBAL and REDUCE": call(old_name("os", "system"), text(SHELL)),
    "INST": b"(" + text(SHELL) + b"ios\nsystem\n",
    "OBJ": b"(" + SYSTEM + text(SHELL) + b"o",
    "OBJ of nothing": b"(o",
    "NEWOBJ": SYSTEM + args(text(SHELL)) + b"\x81",
    "NEWOBJ_EX": SYSTEM + args() + b"}" + text("command") + text(SHELL) + b"s\x92",
    "REDUCE of a REDUCE": call(call(name("operator", "attrgetter"), text("system")), name("os", "path")),
    "REDUCE of text": text("os.system") + args(text(SHELL)) + b"R",
    "REDUCE with a list": SYSTEM + b"](" + text(SHELL) + b"eR",
    "REDUCE with a name": SYSTEM + SYSTEM + b"R",
    "STACK_GLOBAL of numbers": b"K\x01K\x02\x93",
    "STACK_GLOBAL of names": SYSTEM + SYSTEM + b"\x93",
    "a name with dots": call(name("builtins", "__import__.__self__.eval"), text(PYTHON)),
    "a name with a NUL": call(name("os\0", "system"), text(SHELL)),
    "a name of 100,000 letters": call(name("o" * 100_000, "s" * 100_000), text(SHELL)),
    "a name with a terminal escape": call(name("\x1b]0;x\x07", "\u202e"), text(SHELL)),
    "a name with a surrogate": call(name("\ud800", "system"), text(SHELL)),
    "BUILD on a name": SYSTEM + b"}" + text("__setstate__") + SYSTEM + b"sb",
    "BUILD on text": text("x") + value({"a": 1}) + b"b",
    "BUILD on a dict": b"}" + value({"__class__": 1}) + b"b",
    "BUILD with slots": call(name("m", "C")) + b"N" + value({"__class__": 1}) + b"\x86b",
    "SETITEMS on a name": SYSTEM + b"(" + text("a") + integer(1) + b"u",
    "APPENDS on a name": SYSTEM + b"(" + text("a") + b"e",
    "APPENDS on a dict": b"}(K\x01e",
    "ADDITEMS on a name": SYSTEM + b"(K\x01\x90",
    "persistent id": b"Psome id\n",
    "binary persistent id": SYSTEM + b"Q",
    "extension code": b"\x82\x01",
    "extension codes of four bytes": b"\x84\xff\xff\xff\x7f",
    "dill: an array by any function": call(name("dill._dill", "_create_array"), SYSTEM, args(text(SHELL)), b")", b"N"),
    "dill: an array by eval": call(
        name("dill._dill", "_create_array"), name("builtins", "eval"), args(text(PYTHON)), b")", b"}"
    ),
    "dill: a type that makes code": call(call(name("dill._dill", "_load_type"), text("CodeType")), integer(0)),
    "dill: a type that makes functions": call(call(name("dill._dill", "_load_type"), text("FunctionType")), integer(0)),
    "dill: a type named by a tuple": call(name("dill._dill", "_load_type"), value(("set",))),
    "numpy: _reconstruct of another type": call(
        RECONSTRUCT, name("subprocess", "Popen"), args(value(["touch", CANARY])), b"C\x01b"
    ),
    "numpy: an array of objects": EMPTY_ARRAY
    + args(integer(1), b"K\x01\x85", OBJECT_DTYPE, b"\x89", b"](" + call(SYSTEM, text(SHELL)) + b"e")
    + b"b",
    "numpy: a scalar of an object": call(
        name("numpy._core.multiarray", "scalar"), OBJECT_DTYPE, call(SYSTEM, text(SHELL))
    ),
    "numpy: bytes read as pointers": call(
        name("numpy._core.multiarray", "scalar"), OBJECT_DTYPE, b"C\x08\x01\x02\x03\x04\x05\x06\x07\x08"
    ),
    "numpy: a shape far beyond the data": EMPTY_ARRAY
    + args(integer(1), value((1 << 40, 1 << 40)), call(name("numpy", "dtype"), text("f8")), b"\x89", b"C\x00")
    + b"b",
    "numpy: a negative shape": EMPTY_ARRAY
    + args(integer(1), value((-1,)), call(name("numpy", "dtype"), text("f8")), b"\x89", b"C\x00")
    + b"b",
    "numpy: a hundred dimensions": EMPTY_ARRAY
    + args(integer(1), value((1,) * 100), call(name("numpy", "dtype"), text("u1")), b"\x89", b"C\x01a")
    + b"b",
    "numpy: a dtype with fields": call(name("numpy", "dtype"), text("V8"))
    + args(integer(3), text("|"), b"N", value(("a",)), b"}", integer(8), integer(1), integer(16))
    + b"b",
    "numpy: a dtype that is evaluated": call(name("numpy", "dtype"), text("(1,)i4,__import__('os')")),
    "numpy: a dtype compared with an array": EMPTY_ARRAY
    + args(integer(1), b"K\x01\x85", call(name("numpy", "dtype"), text("u1")), b"\x89", b"C\x01a")
    + b"b0"
    + call(name("numpy._core.numeric", "_frombuffer"), b"C\x01a", text("u1"), b"K\x01\x85", b"]"),
    "numpy: an array that is never filled": EMPTY_ARRAY,
    "numpy: a state for a dtype that is not one": call(name("numpy", "dtype"), text("f8")) + text("x") + b"b",
    "collections: items that call": call(name("collections", "OrderedDict"), b"](" + call(SYSTEM, text(SHELL)) + b"e"),
    "collections: a default that calls": call(name("collections", "defaultdict"), SYSTEM),
    "a set of what cannot be hashed": b"\x8f(" + value([1]) + value({}) + b"\x90",
    "a frozenset of lists": b"(" + value([1]) + b"\x91",
    "a key that is a list": b"}" + value([1]) + integer(1) + b"s",
    "a key whose hash takes for ever": b"}" + b"K\x01" + b"2\x86" * 60 + integer(1) + b"s",
    "datetime of nonsense": call(name("datetime", "datetime"), b"C\x0a" + b"\xff" * 10),
    "datetime with a timezone that calls": call(name("datetime", "datetime"), b"C\x0a" + b"\x07" * 10, SYSTEM),
    "timedelta beyond all bounds": call(name("datetime", "timedelta"), integer(2**31 - 1)),
    "complex beyond all bounds": call(name("builtins", "complex"), value(1 << 3000)),
    "bytes of a huge length": call(name("builtins", "bytes"), integer(2**31 - 1)),
    "bytearray of a huge length": call(name("builtins", "bytearray"), integer(2**31 - 1)),
    "range without a step": call(name("builtins", "range"), integer(0), integer(1), integer(0)),
    "encode by another codec": call(name("_codecs", "encode"), text(SHELL), text("rot13")),
    "decode": call(name("_codecs", "decode"), b"C\x01a", text("zip")),
    "a memo that points far away": text("x") + b"r\xff\xff\xff\x7f",
    "an object that holds itself": call(name("m", "C")) + b"q\x01}" + text("me") + b"h\x01sb",
    "an object that is its own key": call(name("m", "C")) + b"q\x01}h\x01h\x01sb",
}
PAYLOADS = {
    **{
        f"call {key}": call(name(module, qualname), *map(_pushed, items))
        for key, (module, qualname, items) in CALLS.items()
    },
    **{f"name {key}": name(module, qualname) for key, (module, qualname, _) in CALLS.items()},
    **TRICKS,
}


@pytest.fixture
def hunting_ground(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where importing, calling or evaluating would leave a trace."""
    monkeypatch.chdir(tmp_path)
    trap = f"open({str(tmp_path / CANARY)!r}, 'w').close()\n"
    (tmp_path / "canary_module.py").write_text(trap)
    (tmp_path / "canary_package").mkdir()
    (tmp_path / "canary_package" / "__init__.py").write_text(trap)
    (tmp_path / "canary_package" / "sub.py").write_text(trap)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_the_corpus_is_large_enough() -> None:
    assert len(PAYLOADS) >= 60
    assert len(TRICKS) >= 60


def test_the_trap_works(hunting_ground: Path) -> None:
    """The corpus is not harmless by accident: the usual loader falls for it."""
    with pytest.raises(AttributeError):
        pickle.loads(wrap(PAYLOADS["name canary_module.anything"]))
    sys.modules.pop("canary_module", None)
    assert (hunting_ground / CANARY).exists()


@pytest.mark.parametrize("payload", PAYLOADS)
def test_nothing_runs_and_nothing_is_imported_and_the_good_key_comes_out(hunting_ground: Path, payload: str) -> None:
    path = hunting_ground / "params.dill"
    path.write_bytes(wrap(PAYLOADS[payload]))
    modules, files = set(sys.modules), set(hunting_ground.rglob("*"))

    params = load_params(path)

    assert set(sys.modules) == modules
    assert set(hunting_ground.rglob("*")) == files
    assert (params["good"], params["after"]) == (7, 8)
    assert len(repr(params["bad"])) < 100_000


def test_protocol_0_and_its_text_instructions(hunting_ground: Path) -> None:
    path = hunting_ground / "params.dill"
    path.write_bytes(f"(dS'good'\nI7\nsS'bad'\ncos\nsystem\n(S'{SHELL}'\ntRs.".encode())
    assert load_params(path)["good"] == 7
    assert not (hunting_ground / CANARY).exists()


def test_reading_needs_neither_dill_nor_anything_that_the_file_names(tmp_path: Path) -> None:
    path = tmp_path / "params.dill"
    path.write_bytes(dumps({"good": 7, "bad": Foreign("tensorflow.python.framework.ops", "convert_to_tensor", 1)}))
    code = (
        "import sys; from pytest_d0parity import load_params; "
        f"assert load_params({str(path)!r})['good'] == 7; "
        "assert not {'dill', 'tensorflow', 'pytest'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


@pytest.mark.parametrize(
    ("qualname", "arguments"),
    [
        ("slice", ()),
        ("slice", (1, 2, 3, 4)),
        ("slice", (1.5,)),
        ("range", ()),
        ("range", (1, 2, 3, 4)),
        ("range", (1, 2, 0)),
        ("range", (None,)),
    ],
)
def test_arguments_that_python_itself_would_refuse_hide_no_other_key(
    tmp_path: Path, qualname: str, arguments: tuple[Any, ...]
) -> None:
    path = tmp_path / "params.dill"
    path.write_bytes(wrap(call(name("builtins", qualname), *map(value, arguments))))
    params = load_params(path)
    assert (params["good"], params["after"]) == (7, 8)
    assert type(params["bad"]).__name__ == "Placeholder"
