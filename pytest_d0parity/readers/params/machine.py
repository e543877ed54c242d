"""A stack machine for pickle opcodes that imports no module and calls no function that a file names.

Sources: the comments in `pickletools`, and PEP 307, 3154 and 574.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, cast

from .decoders import DECODERS, DecodeError, decode_state, hashable
from .instructions import MAX_OPCODES, instructions
from .placeholders import Global, OpaqueObject, UnfinishedArray, UnfinishedDtype, UnreadableError

_MAX_COPIED_ITEMS = 500_000  # items that all calls together may copy from their arguments
_MAX_COPIED_TEXT = 64 << 20  # the same for characters and bytes
_MAX_INTEGER_BITS = 4096

Handler = Callable[["_Machine", Any], None]


def read_pickle(data: bytes, max_opcodes: int = MAX_OPCODES) -> Any:
    """Read a pickle without executing it.

    Parameters
    ----------
    data : bytes
        The content of the file.
    max_opcodes : int
        Instructions that it may hold.

    Returns
    -------
    object
        Plain values and arrays, and `OpaqueObject` and `Global` instead of anything else. Containers may be
        shared or cyclic.

    Raises
    ------
    UnreadableError
        If it is not a pickle, is damaged, or exceeds a limit.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about unknown escapes in texts, which stand for themselves
        return _run(data, max_opcodes)


def _run(data: bytes, max_opcodes: int) -> Any:
    machine = _Machine()
    for name, argument in instructions(data, max_opcodes):
        handler = _HANDLERS.get(name)
        if handler is None:
            raise UnreadableError(f"its instruction {name} is not one that a file can hold (out-of-band buffers)")
        try:
            handler(machine, argument)
        except (IndexError, KeyError):
            raise UnreadableError(f"it is damaged: instruction {name} finds nothing to work on") from None
    return machine.result()


class _Mark:
    """Marks on the stack where a variable number of items begins."""


_MARK = _Mark()


class _Machine:
    """The stack and the memo of a pickle, and the operations on them.

    A missing item raises `IndexError` or `KeyError`.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._copied_items = 0
        self._copied_text = 0

    def result(self) -> Any:
        if len(self.stack) != 1 or self.stack[0] is _MARK:
            raise UnreadableError(f"it is damaged: {len(self.stack)} values are left at its end instead of one")
        return self.stack[0]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        value = self.stack.pop()
        if value is _MARK:
            raise IndexError
        return value

    def top(self) -> Any:
        value = self.stack[-1]
        if value is _MARK:
            raise IndexError
        return value

    def pop_to_mark(self) -> list[Any]:
        items: list[Any] = []
        while (value := self.stack.pop()) is not _MARK:
            items.append(value)
        items.reverse()
        return items

    def extend(self, items: list[Any]) -> None:
        target = self.top()
        if type(target) is list:
            target.extend(items)
        else:
            self.fill(items)

    def set_items(self, items: list[Any]) -> None:
        target = self.top()
        if len(items) % 2:
            raise UnreadableError("it is damaged: a key without a value")
        if type(target) is dict:
            target.update((hashable(key), value) for key, value in zip(items[::2], items[1::2], strict=True))
        else:
            self.fill(items)

    def add_items(self, items: list[Any]) -> None:
        target = self.top()
        if type(target) is set:
            target.update(hashable(item) for item in items)
        else:
            self.fill(items)

    def fill(self, items: list[Any]) -> None:
        """Add parts to an unknown object; a plain value that they do not fit becomes an unknown object."""
        target = self.top()
        if isinstance(target, OpaqueObject):
            target.parts.extend(items)
        else:
            self.stack[-1] = OpaqueObject(f"a {type(target).__name__} with a state", [target, *items])

    def name(self, module: Any, name: Any) -> None:
        if type(module) is str and type(name) is str:
            self.push(Global(module, name))
        else:
            self.push(OpaqueObject("a name that is not text", [module, name]))

    def call(self, function: Any, args: Any) -> None:
        """Push the result of a call: a decoded value, or an unknown object."""
        if type(args) is not tuple:
            args = (args,)
        self._charge(args)
        if isinstance(function, Global) and function.key in DECODERS:
            try:
                self.push(DECODERS[function.key](args))
                return
            except DecodeError:
                pass
        if isinstance(function, Global):
            partial = function.key == ("functools", "partial")
            # A partial gets the name of the function that it wraps.
            named = args[0] if partial and args and isinstance(args[0], Global) else function
            self.push(OpaqueObject(named.qualname, list(args), len(args), partial))
        else:
            name = function.qualname if isinstance(function, OpaqueObject) else f"a call of a {type(function).__name__}"
            self.push(OpaqueObject(name, [function, *args], 1 + len(args)))

    def build(self, state: Any) -> None:
        """Apply a state to the object on top of the stack."""
        target = self.top()
        if isinstance(target, UnfinishedDtype | UnfinishedArray):
            self._charge(state if type(state) is tuple else ())
            try:
                decode_state(target, state)
                return
            except DecodeError:
                if isinstance(target, UnfinishedDtype):
                    target.dtype = None
        self.fill([state])

    def _charge(self, args: tuple[Any, ...]) -> None:
        """Count what a call may copy, so that a file cannot copy one long argument a million times."""
        self._copied_items += len(args)
        if self._copied_items <= _MAX_COPIED_ITEMS:
            for argument in args:
                if type(argument) in (list, tuple, dict):
                    self._copied_items += len(argument)
                elif type(argument) in (str, bytes, bytearray):
                    self._copied_text += len(argument)
        if self._copied_items > _MAX_COPIED_ITEMS or self._copied_text > _MAX_COPIED_TEXT:
            raise UnreadableError("its calls copy one and the same arguments again and again")


def _number(machine: _Machine, value: Any) -> None:
    if type(value) is int and value.bit_length() > _MAX_INTEGER_BITS:
        value = OpaqueObject(f"an integer of {value.bit_length()} bits")
    machine.push(value)


def _memoize(machine: _Machine, index: Any) -> None:
    machine.memo[len(machine.memo) if index is None else int(index)] = machine.top()


def _get(machine: _Machine, index: Any) -> None:
    machine.push(machine.memo[int(index)])


def _global(machine: _Machine, argument: tuple[str, str]) -> None:
    machine.name(*argument)


def _stack_global(machine: _Machine, _: Any) -> None:
    name, module = machine.pop(), machine.pop()
    machine.name(module, name)


def _reduce(machine: _Machine, _: Any) -> None:
    args, function = machine.pop(), machine.pop()
    machine.call(function, args)


def _newobj_ex(machine: _Machine, _: Any) -> None:
    keywords, args, cls = machine.pop(), machine.pop(), machine.pop()
    if type(keywords) is dict and not keywords:
        machine.call(cls, args)
    else:
        machine.call(cls, (*args, keywords) if type(args) is tuple else (args, keywords))


def _inst(machine: _Machine, argument: tuple[str, str]) -> None:
    machine.call(Global(*argument), tuple(machine.pop_to_mark()))


def _obj(machine: _Machine, _: Any) -> None:
    cls, *args = machine.pop_to_mark() or [None]
    machine.call(cls, tuple(args))


def _dict(machine: _Machine, _: Any) -> None:
    items = machine.pop_to_mark()
    machine.push({})
    machine.set_items(items)


def _setitem(machine: _Machine, _: Any) -> None:
    value, key = machine.pop(), machine.pop()
    machine.set_items([key, value])


def _append(machine: _Machine, _: Any) -> None:
    item = machine.pop()
    machine.extend([item])


def _frozenset(machine: _Machine, _: Any) -> None:
    machine.push(frozenset(hashable(item) for item in machine.pop_to_mark()))


def _tuple_of(length: int) -> Handler:
    def handle(machine: _Machine, _: Any) -> None:
        items = [machine.pop() for _ in range(length)]
        machine.push(tuple(reversed(items)))

    return handle


def _constant(make: Callable[[], Any]) -> Handler:
    return lambda machine, _: machine.push(make())


def _ignore(machine: _Machine, argument: Any) -> None:
    """Do nothing: PROTO and FRAME are hints for a loader, and `instructions` ends at STOP."""


def _pop(machine: _Machine, _: Any) -> None:
    machine.stack.pop()


def _push(machine: _Machine, value: Any) -> None:
    machine.push(value)


_HANDLERS: dict[str, Handler] = {
    "PROTO": _ignore,
    "FRAME": _ignore,
    "STOP": _ignore,
    "MARK": _constant(lambda: _MARK),
    "POP": _pop,
    "POP_MARK": lambda machine, _: cast(None, machine.pop_to_mark()),
    "DUP": lambda machine, _: machine.push(machine.top()),
    "NONE": _constant(lambda: None),
    "NEWTRUE": _constant(lambda: True),
    "NEWFALSE": _constant(lambda: False),
    "EMPTY_LIST": _constant(list),
    "EMPTY_TUPLE": _constant(tuple),
    "EMPTY_DICT": _constant(dict),
    "EMPTY_SET": _constant(set),
    "LIST": lambda machine, _: machine.push(machine.pop_to_mark()),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_to_mark())),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "DICT": _dict,
    "FROZENSET": _frozenset,
    "APPEND": _append,
    "APPENDS": lambda machine, _: machine.extend(machine.pop_to_mark()),
    "SETITEM": _setitem,
    "SETITEMS": lambda machine, _: machine.set_items(machine.pop_to_mark()),
    "ADDITEMS": lambda machine, _: machine.add_items(machine.pop_to_mark()),
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _reduce,
    "NEWOBJ": _reduce,  # cls.__new__(cls, *args), which is recorded like a call
    "NEWOBJ_EX": _newobj_ex,
    "INST": _inst,
    "OBJ": _obj,
    "BUILD": lambda machine, _: machine.build(machine.pop()),
    "PERSID": lambda machine, value: machine.push(OpaqueObject("a persistent id", [value])),
    "BINPERSID": lambda machine, _: machine.push(OpaqueObject("a persistent id", [machine.pop()])),
}
_HANDLERS |= dict.fromkeys(["INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"], _number)
_HANDLERS |= dict.fromkeys(["FLOAT", "BINFLOAT"], _push)
_HANDLERS |= dict.fromkeys(["STRING", "BINSTRING", "SHORT_BINSTRING"], _push)
_HANDLERS |= dict.fromkeys(["UNICODE", "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"], _push)
_HANDLERS |= dict.fromkeys(["BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"], _push)
_HANDLERS |= dict.fromkeys(["GET", "BINGET", "LONG_BINGET"], _get)
_HANDLERS |= dict.fromkeys(["PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"], _memoize)
_HANDLERS |= dict.fromkeys(
    ["EXT1", "EXT2", "EXT4"], lambda machine, code: machine.push(OpaqueObject(f"extension code {code}"))
)
