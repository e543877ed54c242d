"""Read mutated params files under a limit of memory and time: ``fuzz_params.py SEED CASES``.

Prints how many were read and how many refused. Any other end of a case ends the run with a traceback.
"""

import collections
import random
import resource
import signal
import sys
from pathlib import Path

import dill
import numpy as np

from pytest_d0parity import ParamsError, load_params

from .pickles import Foreign, dumps

MEMORY = 2 << 30  # address space; the interpreter with NumPy alone takes the better half of it
SECONDS = 5  # for a single file


def honest_files() -> list[bytes]:
    class Local:
        pass

    values = {
        "N": 64,
        "label": "baseline",
        "scale": np.float32(988.25),
        "array": np.arange(12.0).reshape(3, 4),
        "nested": {"a": [1, (2.5, None)], "b": {1, 2}, "c": b"bytes", "d": 2**70},
        "ordered": collections.OrderedDict(a=1),
        "flags": [True, False],
    }
    tensor = Foreign("tensorflow.python.framework.ops", "convert_to_tensor", np.arange(3.0))
    files = [dill.dumps(values, protocol=protocol) for protocol in range(6)]
    files.append(dill.dumps(values | {"object": Local(), "function": lambda x: x}, recurse=True))
    files.append(dumps(values | {"tensor": tensor}))
    return files


def mutate(rng: random.Random, files: list[bytes]) -> bytes:
    data = bytearray(rng.choice(files))
    for _ in range(rng.choice([1, 1, 2, 5, 20])):
        at = rng.randrange(len(data))
        match rng.randrange(6):
            case 0:
                data[at] = rng.randrange(256)
            case 1:
                data[at] ^= 1 << rng.randrange(8)
            case 2:
                del data[at : at + rng.randrange(1, 9)]
            case 3:
                data[at:at] = bytes(data[at : at + rng.randrange(1, 40)]) * rng.choice([1, 2, 50])
            case 4:
                other = rng.choice(files)
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.randrange(1, 60)]
            case 5:
                data[at:at] = bytes(
                    rng.choice(b"(.012FGIJKLMNPQRSTUVXabcdeghijlopqrstu}]\x81\x85\x93\x94") for _ in range(3)
                )
        if not data:
            return b""
    return bytes(data)


def main() -> None:
    seed, cases = map(int, sys.argv[1:])
    rng = random.Random(seed)
    files = honest_files()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    path = Path("params.dill")
    read = refused = 0
    for case in range(cases):
        data = mutate(rng, files)
        path.write_bytes(data)
        signal.alarm(SECONDS)
        try:
            load_params(path)
            read += 1
        except ParamsError:
            refused += 1
        except BaseException:
            print(f"seed {seed}, case {case}: {data!r}", file=sys.stderr)
            raise
        signal.alarm(0)
    print(read, refused)


if __name__ == "__main__":
    main()
